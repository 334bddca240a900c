# SPDX-License-Identifier: GPL-2.0-only
"""A step may be part of a group, shares the locks held around it, and always gives back its own."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Iterator

from twisted.internet import defer

from buildbot.locks import check_accesses
from buildbot.process.locks import covers
from buildbot.process.locks import get_real_locks_from_accesses
from buildbot.process.locks import release_all
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.locks import Claim
    from buildbot.process.stepgroup import StepGroup
    from buildbot.worker.protocols.base import Connection

upstream = release(__name__)


class BuildStep(upstream.BuildStep):
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
        wanted = yield get_real_locks_from_accesses(self.locks, self.build)
        held = dict(self._held_around())
        for lock, access in wanted:
            if lock in held and not covers(held[lock], access):
                raise RuntimeError(
                    f'step {self.name!r} wants {access.mode} access to {access.count} of {lock},'
                    ' which is more than its build or group holds of it'
                )
        self._locks_to_acquire = [(lock, access) for lock, access in wanted if lock not in held]

    def _held_around(self) -> Iterator[Claim]:
        yield from self.build._locks_to_acquire
        if self.group is not None:
            yield from self.group._held_around()
            yield from self.group._locks_to_acquire

    def releaseLocks(self) -> None:
        release_all(self, self._locks_to_acquire)
