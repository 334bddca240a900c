# SPDX-License-Identifier: GPL-2.0-only
"""A waiter is told if its builds could not be requested, or ended at once, and waits no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.process.latewrite import AGAIN_AFTER
from buildbot.util import debounce
from buildbot_overlay import release

if TYPE_CHECKING:
    from twisted.python.failure import Failure

upstream = release(__name__)


class Triggerable(upstream.Triggerable):
    """Requests builds when a step asks for them. It does not ask itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: ids of buildsets that may have ended before the scheduler subscribed to their ends
        self._unread: set[int] = set()

    def trigger(self, *args: Any, **kwargs: Any) -> Any:
        """Request builds.

        :returns: a Deferred of the ids of what was requested, and one of its results. Both fail if
            it could not be requested; the one of results also fails if the scheduler has stopped
            meanwhile.
        """
        idsDeferred, resultsDeferred = super().trigger(*args, **kwargs)

        def fail(why: Failure) -> Failure:
            resultsDeferred.errback(why)
            return why

        idsDeferred.addCallbacks(self._expect, fail)
        return idsDeferred, resultsDeferred

    def _expect(self, ids: tuple[int, dict[int, int]]) -> Any:
        bsid = ids[0]
        if self._updateWaiters.stopped:
            # nothing is left that would tell of its end
            results, _ = self._waiters.pop(bsid)
            results.errback(RuntimeError(f'Triggerable scheduler {self.name!r} has stopped'))
        else:
            self._unread.add(bsid)
        return ids

    @debounce.method(wait=0)
    @defer.inlineCallbacks
    def _updateWaiters(self) -> Any:
        # subscribed to ends while anybody waits for one
        if not self._waiters:
            consumer, self._buildset_complete_consumer = self._buildset_complete_consumer, None
            if consumer is not None:
                consumer.stopConsuming()
        elif self._buildset_complete_consumer is None:
            ends = ('buildsets', None, 'complete')
            heard = self._buildset_complete_cb
            self._buildset_complete_consumer = yield self.master.mq.startConsuming(heard, ends)
        yield self._report_early_ends()

    @defer.inlineCallbacks
    def _report_early_ends(self) -> Any:
        if not self._waiters:
            self._unread.clear()
        # a request that is merged into another one has ended as soon as it is made
        for bsid in sorted(self._unread):
            try:
                buildset = yield self.master.data.get(('buildsets', bsid))
            except Exception as e:
                log.err(e, f'scheduler {self.name!r}: whether buildset {bsid} has ended')
                self.master.reactor.callLater(AGAIN_AFTER, self._updateWaiters)
                return
            self._unread.discard(bsid)
            if buildset is not None and buildset['complete']:
                message = {'bsid': bsid, 'results': buildset['results']}
                self._buildset_complete_cb(('buildsets', str(bsid), 'complete'), message)
