# SPDX-License-Identifier: GPL-2.0-only
"""A step that triggers builds tells its build about them, and leaves none behind if stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Iterable

from twisted.internet import defer
from twisted.python import log

from buildbot.process.buildstep import DEADLOCK
from buildbot.process.buildstep import BuildStep
from buildbot.process.buildstep import BuildStepCancelled
from buildbot.util.eventual import fireEventually
from buildbot_overlay import release

if TYPE_CHECKING:
    from twisted.python.failure import Failure

upstream = release(__name__)


class Trigger(upstream.Trigger):
    """Requests builds, and waits for them if it is told to. It does not run them."""

    # whether its build had been stopped when it was last interrupted
    _was_stopped = False

    #: whether it may still learn of a request that it has triggered
    may_trigger = True

    @property
    def waits_for_builds(self) -> bool:
        # the builds that began last usually end last
        return any(map(self.master.botmaster.awaited.is_to_end, reversed(self.brids)))

    def interrupt(self, reason: str | Failure) -> Any:
        """Cancel the builds that it has triggered.

        It does not wait for them if its build had been stopped before, or has lost its worker.
        """
        if not self.running:
            return BuildStep.interrupt(self, reason)  # there is nothing to cancel yet
        was_stopped, self._was_stopped = self._was_stopped, self.build.stopped
        if self.ended and not self.build.stopped and self.build.conn is not None:
            return None  # a second limit of time does not cut short how they end
        for brid in self.brids:
            self._cancel(brid, 'parent build was interrupted')
        if not self.ended:
            self.ended = True
            self._known_when_stopped = len(self.brids)
        if was_stopped or self.build.conn is None:
            if self.waitForFinishDeferred is not None:
                self.waitForFinishDeferred.cancel()
        return None

    def wait_in_vain(self, brids: Iterable[int], why: str, text: str) -> None:
        """Stop waiting for builds that can never begin, and fail when the others have ended.

        :param brids: ids of their requests, which are cancelled.
        :param why: the text of its row.
        :param text: the text of its log ``deadlock``.
        """
        self.fail_in_deadlock(why)
        d = self.addCompleteLog(DEADLOCK, text)
        d.addErrback(log.err, f'step {self.name!r}: while writing that {why}')
        self._interrupt_deferwaiter.add(d)  # the step's logs are closed only after this write
        # its scheduler must have subscribed to the end of a request before that ends
        subscribed = fireEventually()
        for brid in brids:
            subscribed.addCallback(lambda _, brid: self._cancel(brid, why), brid)

    def _cancel(self, brid: int, why: str) -> defer.Deferred[Any]:
        d = self.master.data.control('cancel', {'reason': why}, ('buildrequests', brid))
        return d.addErrback(log.err, f'step {self.name!r}: while cancelling build request {brid}')

    def prepareSourcestampListForTrigger(self) -> Any:
        if self.stopped:
            raise BuildStepCancelled  # while it asked which schedulers to trigger, or before
        return super().prepareSourcestampListForTrigger()

    def addLogWithException(self, why: Any, logprefix: str = '') -> defer.Deferred[None]:
        # a scheduler has failed, perhaps after it had stored the requests
        self.build.has_lost_requests = True
        return super().addLogWithException(why, logprefix)

    @defer.inlineCallbacks
    def run(self) -> Any:
        # how many requests it knew when it was stopped; one more may have been in the making
        self._known_when_stopped = 0
        try:
            results = yield super().run()
        finally:
            self.may_trigger = False
            self.build.awaits_no_more(self.brids)
        if self.ended:
            # Its scheduler must have subscribed to the end of a request before that ends.
            yield fireEventually()
            for brid in self.brids[self._known_when_stopped :]:
                yield self._cancel(brid, 'parent build was interrupted')
        return results

    @defer.inlineCallbacks
    def _add_results(self, brid: int) -> Any:
        self.build.has_triggered(brid, bool(self.waitForFinish))
        try:
            yield super()._add_results(brid)
        except Exception as e:
            # nobody waits for this: the summary just lacks these results
            log.err(e, f'step {self.name!r}: of the results of build request {brid}')
