# SPDX-License-Identifier: GPL-2.0-only
"""New: the locks that a configuration names, as far as they are known without a build."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Iterator

from buildbot.locks import BaseLockId
from buildbot.locks import LockAccess
from buildbot.process.stepgroup import StepGroup

if TYPE_CHECKING:
    from buildbot.config.builder import BuilderConfig
    from buildbot.worker.base import AbstractWorker

    Place = tuple[BaseLockId, str]


def locks_of_builder(builder: BuilderConfig) -> Iterator[Place]:
    """Yield the locks of a builder, its steps and groups, each with words for where it stands."""
    where = f'builder {builder.name!r}'
    yield from _lock_ids(builder.locks, where)
    for factory in builder.factory.steps:
        yield from _locks_of_step(factory, f'of {where}')


def locks_of_worker(worker: AbstractWorker) -> Iterator[Place]:
    """Yield the locks of a worker, each with the words for where it stands."""
    yield from _lock_ids(worker.access, f'worker {worker.name!r}')


def _locks_of_step(factory: Any, where: str) -> Iterator[Place]:
    step_class = getattr(factory, 'step_class', None)
    if step_class is None:
        return  # a factory of the user's own
    name = factory.kwargs.get('name', step_class.name)
    yield from _lock_ids(factory.kwargs.get('locks', step_class.locks), f'step {name!r} {where}')
    if issubclass(step_class, StepGroup):
        for inner in (*factory.args, factory.kwargs.get('steps', ())):
            for step in inner:
                inner_factory = getattr(step, 'get_step_factory', lambda step=step: step)()
                yield from _locks_of_step(inner_factory, f'in group {name!r} {where}')


def _lock_ids(accesses: Any, where: str) -> Iterator[Place]:
    if not isinstance(accesses, (list, tuple)):
        return  # none, or a renderable
    for access in accesses:
        lockid = access.lockid if isinstance(access, LockAccess) else access
        if isinstance(lockid, BaseLockId):
            yield lockid, where
