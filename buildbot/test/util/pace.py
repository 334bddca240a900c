# SPDX-License-Identifier: GPL-2.0-only
"""New: how often a master looks what it could start, and an end to what would never rest."""

from __future__ import annotations

import gc
from collections import Counter
from typing import Any

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from buildbot.test.util.lab import LabTestCase


class Restless(BaseException):
    """Ends what would go round forever; nothing but the end of a Deferred catches it."""


class Pace:
    """What a master has done since something last happened to it from outside.

    :ivar counts: how often the distributor has looked at a builder (``looks``), has asked a method
        of the user's (``asks``), has claimed requests in the database (``claims``), and how many
        calls were due at once (``turns``).
    :ivar most: how much of each there may be.
    :ivar why: what there has been too much of, or None.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.most: dict[str, int] = {}
        self.why: str | None = None

    def begin(self, **most: int) -> None:
        """Count from nought, for something happens from outside now."""
        self.counts.clear()
        self.most = most

    def is_over(self, what: str) -> bool:
        """Count one more, and tell whether there have been too many."""
        self.counts[what] += 1
        is_over = self.counts[what] > self.most.get(what, 10**9)
        if is_over and self.why is None:
            self.why = f'it does not come to rest: {dict(self.counts)}, where {self.most} is most'
        return is_over

    def step(self, what: str) -> None:
        """Count one more, and end what does it if there have been too many."""
        if self.is_over(what):
            raise Restless(self.why)


class PacedCase(LabTestCase):
    """A lab in which nothing can go on forever: it is told, and the test fails.

    What a test does is done at once, with all that comes of it.
    """

    #: most calls that may be due at one moment
    most_turns = 2000

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self._let_late_calls_come)
        pace = self.pace = Pace()
        look = BuildRequestDistributor._maybeStartBuildsOnBuilder
        call_later = self.reactor.callLater

        async def counted_look(distributor: Any, builder: Any) -> None:
            pace.step('looks')
            await look(distributor, builder)

        def counted_call(when: float, *args: Any, **kwargs: Any) -> Any:
            # what is always due would never let the clock go on
            return call_later(1 if not when and pace.is_over('turns') else when, *args, **kwargs)

        # from before the master is there until after it is stopped
        self.patch(BuildRequestDistributor, '_maybeStartBuildsOnBuilder', counted_look)
        self.patch(self.reactor, 'callLater', counted_call)

    @defer.inlineCallbacks
    def setup_master(self, config: dict[str, Any]) -> Any:
        yield super().setup_master(config)
        # or it would tell each minute of the hours that go by that it is there
        yield self.master.masterHeartbeatService.disownServiceParent()

    def watch(self) -> None:
        """Count from now on what the started master does."""
        claim = self.master.data.updates.claimBuildRequests

        def counted_claim(brids: Any, *args: Any, **kwargs: Any) -> Any:
            self.pace.step('claims')
            return claim(brids, *args, **kwargs)

        self.patch(self.master.data.updates, 'claimBuildRequests', counted_claim)
        self.begin()
        self.addCleanup(self.begin)

    def begin(self, **most: int) -> None:
        """Count from nought, for something happens from outside now."""
        self.pace.begin(**{'looks': 1000, 'claims': 1000, 'turns': self.most_turns, **most})

    def let_time_go(self, seconds: float) -> None:
        """Let time go by as it does, so that each call comes when it is due."""
        end = self.reactor.seconds() + seconds
        while self.reactor.seconds() < end:
            times = [call.getTime() for call in self.reactor.getDelayedCalls()]
            self.reactor.advance(max(0, min([end, *times]) - self.reactor.seconds()))

    def at_once(self, d: defer.Deferred[Any]) -> Any:
        """Return what a Deferred comes to when all that is due has happened; else fail."""
        results: list[Any] = []
        d.addBoth(results.append)
        self.settle()
        self.assert_rests()
        self.assertTrue(results, f'it never ends: {d}')
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    def assert_rests(self) -> None:
        """Fail if anything has been done too often, and end the rest of it."""
        if self.pace.why is not None:
            self.begin()
            self.reactor.advance(2)  # for those calls that have been put off
            self.addCleanup(self._forget_errors)
            self.fail(self.pace.why)

    def _let_late_calls_come(self) -> None:
        # what has been put off is not only of this test: all tests share what is eventually called
        if self.pace.why is not None:
            self.reactor.advance(10)

    def _forget_errors(self) -> None:
        # one failure tells what all that has been logged because of it would tell
        gc.collect()
        self.flushLoggedErrors()
