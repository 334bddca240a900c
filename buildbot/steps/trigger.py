# SPDX-License-Identifier: GPL-2.0-only
"""A step that triggers builds tells its build of them, and leaves none behind if it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer

from buildbot.locks import LockOwner
from buildbot.process.buildstep import BuildStep
from buildbot.util.eventual import fireEventually
from buildbot_overlay import release

if TYPE_CHECKING:
    from twisted.python.failure import Failure

upstream = release(__name__)


class Trigger(upstream.Trigger):
    def interrupt(self, reason: str | Failure) -> Any:
        if not self.running:
            return BuildStep.interrupt(self, reason)  # there is nothing yet to be taken back
        if not self.ended:
            self._known_when_stopped = len(self.brids)
        return super().interrupt(reason)

    @defer.inlineCallbacks
    def run(self) -> Any:
        # how many requests it knew when it was stopped; one may have been in the making
        self._known_when_stopped = 0
        results = yield super().run()
        if self.ended:
            # Its scheduler must have subscribed to the end of a request before that comes.
            yield fireEventually()
            for brid in self.brids[self._known_when_stopped :]:
                why = {'reason': 'its parent build was stopped'}
                yield self.master.data.control('cancel', why, ('buildrequests', brid))
        return results

    def _add_results(self, brid: int) -> Any:
        if isinstance(self.build, LockOwner):
            self.build.has_triggered(brid)
        return super()._add_results(brid)
