# SPDX-License-Identifier: GPL-2.0-only
"""``checkconfig`` says which locks are wrong, wherever they stand."""

from __future__ import annotations

from typing import Any
from typing import Iterator

from buildbot.config.errors import error
from buildbot.interfaces import IRenderable
from buildbot.locks import BaseLockId
from buildbot.locks import LockAccess
from buildbot.locks import check_accesses
from buildbot.process.stepgroup import StepGroup
from buildbot_overlay import release

upstream = release(__name__)


class MasterConfig(upstream.MasterConfig):
    def check_locks(self) -> None:
        """Report lists of locks that are wrong in themselves, and names that mean unlike locks."""
        for builder in self.builders:
            check_accesses(builder.locks, f'builder {builder.name!r}')
        for worker in self.workers:
            check_accesses(worker.access, f'worker {worker.name!r}', branches=False)

        known: dict[str, tuple[BaseLockId, str]] = {}
        for lockid, where in self._static_locks():
            first, first_where = known.setdefault(lockid.name, (lockid, where))
            if lockid != first:
                error(
                    f'Two locks share the name {lockid.name!r}: {first!r} of {first_where}, and'
                    f' {lockid!r} of {where}'
                )

    def _static_locks(self) -> Iterator[tuple[BaseLockId, str]]:
        # what is rendered is known in a build only
        for builder in self.builders:
            where = f'builder {builder.name!r}'
            yield from _lock_ids(builder.locks, where)
            for factory in builder.factory.steps:
                yield from _locks_of_step(factory, f'of {where}')
        for worker in self.workers:
            yield from _lock_ids(worker.access, f'worker {worker.name!r}')


def _locks_of_step(factory: Any, where: str) -> Iterator[tuple[BaseLockId, str]]:
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


def _lock_ids(accesses: Any, where: str) -> Iterator[tuple[BaseLockId, str]]:
    if not accesses or IRenderable.providedBy(accesses) or not isinstance(accesses, (list, tuple)):
        return
    for access in accesses:
        lockid = access.lockid if isinstance(access, LockAccess) else access
        if isinstance(lockid, BaseLockId):
            yield lockid, where
