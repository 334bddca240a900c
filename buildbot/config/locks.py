# SPDX-License-Identifier: GPL-2.0-only
"""New: the locks that a configuration names, as far as they are known without a build."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Iterable
from typing import Iterator

from buildbot.locks import BaseLockId
from buildbot.locks import LockAccess

if TYPE_CHECKING:
    from buildbot.config.builder import BuilderConfig
    from buildbot.config.steps import Place as StepPlace
    from buildbot.worker.base import AbstractWorker

    Place = tuple[BaseLockId, str]


def locks_of_builder(builder: BuilderConfig, steps: Iterable[StepPlace]) -> Iterator[Place]:
    """Yield the locks of a builder, its steps and groups, each with words for where it stands.

    :param steps: the steps of the builder, as ``steps_of_builder`` gives them.
    """
    yield from _lock_ids(builder.locks, f'builder {builder.name!r}')
    for step, _, where in steps:
        yield from _lock_ids(step.locks, f'{step.kind_of_step} {step.name!r} {where}')


def locks_of_worker(worker: AbstractWorker) -> Iterator[Place]:
    """Yield the locks of a worker, each with the words for where it stands."""
    yield from _lock_ids(worker.access, f'worker {worker.name!r}')


def _lock_ids(accesses: Any, where: str) -> Iterator[Place]:
    if not isinstance(accesses, (list, tuple)):
        return  # none, or a renderable
    for access in accesses:
        lockid = access.lockid if isinstance(access, LockAccess) else access
        if isinstance(lockid, BaseLockId):
            yield lockid, where
