# SPDX-License-Identifier: GPL-2.0-only
"""A step may be part of a group, shares the locks held around it, and always gives back its own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.locks import LockOwner
from buildbot.locks import check_accesses
from buildbot.process.locks import claim_all
from buildbot.process.locks import get_real_locks_from_accesses
from buildbot.process.locks import release_all
from buildbot.process.locks import wait_for_all
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.stepgroup import StepGroup
    from buildbot.worker.protocols.base import Connection

upstream = release(__name__)


class BuildStep(upstream.BuildStep, LockOwner):
    #: the group that this step is one of the steps of, or None for a step of the build itself
    group: StepGroup | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_accesses(self.locks, f'step {self.name!r}')

    def innermost_group(self) -> StepGroup | None:
        """Return the innermost group that runs in this step or around it; None if there is none."""
        return self.group

    @defer.inlineCallbacks
    def addStep(self) -> Any:
        if self.group is not None:
            name = yield self.build.render(self.name)
            self.name = f'{self.group.name}/{name}'
        yield super().addStep()

    @defer.inlineCallbacks
    def startStep(self, remote: Connection) -> Any:
        try:
            results = yield super().startStep(remote)
        finally:
            self.releaseLocks()
        return results

    @defer.inlineCallbacks
    def _setup_locks(self) -> Any:
        self._locks_to_acquire = yield get_real_locks_from_accesses(self.locks, self.build)

    @property
    def lock_parent(self) -> LockOwner | None:  # type: ignore[override]
        """The owner whose locks this step shares: its group, else its build."""
        around = self.group if self.group is not None else self.build
        return around if isinstance(around, LockOwner) else None

    def lock_name(self) -> str:
        return f'step {self.name!r} of {self.build.lock_name()}'

    @property
    def lock_priority(self) -> int:  # type: ignore[override]
        """The priority of the build's request."""
        return self.build.lock_priority if isinstance(self.build, LockOwner) else 0

    def acquireLocks(self, res: Any = None) -> Any:
        """Claim the step's locks together.

        :returns: Deferred that fires when they are held, or when the step is stopped. It fails with
            ``LockError`` if they can never be had.
        """
        self._acquiringLocks = []
        if self.stopped:
            return defer.succeed(None)  # the log of the stop tells that it waited
        if self._waitingForLocks:
            self._waitingForLocks = False
            del self.interrupt
        if claim_all(self, self._locks_to_acquire):
            return defer.succeed(None)
        log.msg(f'step {self.name} waits for {[lock for lock, _ in self._locks_to_acquire]}')
        self._waitingForLocks = True
        # What a kind of step does to interrupt its work (to stop the builds that it has triggered,
        # say) is not for one that has not begun: the wait is interrupted.
        self.interrupt = partial(BuildStep.interrupt, self)  # type: ignore[method-assign]
        lock, access, d = wait_for_all(self, self._locks_to_acquire)
        if not d.called:
            self._acquiringLocks = [(lock, access, d)]
        d.addCallback(self.acquireLocks)
        return d

    def releaseLocks(self) -> None:
        """Release the locks that the step holds; doing it again does nothing."""
        release_all(self, self._locks_to_acquire)
