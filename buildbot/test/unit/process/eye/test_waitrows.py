# SPDX-License-Identifier: GPL-2.0-only
"""The rows of those who wait: how often they say something new, and when they are forgotten."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial import unittest

from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locks import LockOwner
from buildbot.locks import MasterLock
from buildbot.process.eye.waitrows import WaitRows
from buildbot.process.locklog import LockLog
from buildbot.util.eventual import flushEventualQueue
from buildbot.util.service import AsyncMultiService

EXCLUSIVE = MasterLock('x').access('exclusive')


class Owner(LockOwner):
    def __init__(self, number):
        self.number = number
        self.lock_log = LockLog()

    def lock_name(self):
        return f'b #{self.number}'


class Master(AsyncMultiService):
    def __init__(self, clock):
        super().__init__()
        self.reactor = clock

    master = property(lambda self: self)


class Lab:
    """A lock with a holder, and claims that wait for it, whose rows keep all that they say.

    :ivar said: for each claim, pairs of time and sentence.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.master = Master(self.clock)
        self.master.startService()
        found: list[Any] = []
        WaitRows.getService(self.master).addCallback(found.append)
        self.rows = found[0]
        self.lock = BaseLock('lab')
        self.said: dict[LockClaim, list[tuple[float, str]]] = {}
        self.count = 0
        self.claim().take_at_once()

    def claim(self) -> LockClaim:
        self.count += 1
        owner: Any = Owner(self.count)
        owner.lock_log.holds(self.clock.seconds())
        return LockClaim(owner, [(self.lock, EXCLUSIVE)])

    def wait(self) -> LockClaim:
        claim = self.claim()
        if claim.take_at_once():
            return claim
        claim.wait()
        said = self.said[claim] = []
        self.rows.add(claim, lambda text: said.append((self.clock.seconds(), text)))
        return claim

    def pass_on(self) -> None:
        """Let the holder end."""
        for holding in list(self.lock._rule.holdings):
            holding.claim.end()

    def go_by(self, seconds: int) -> None:
        for _ in range(seconds):
            self.clock.advance(1)


class Rows(unittest.TestCase):
    def setUp(self):
        self.addCleanup(flushEventualQueue)  # or tests after it would wait for what is in it
        self.lab = Lab()

    def told(self, claim):
        return [text for _, text in self.lab.said[claim]]

    def test_renewed(self):
        """A row says at once what it waits for, and something else when that has changed."""
        first, second = self.lab.wait(), self.lab.wait()
        held = 'waiting for lab: held by b #1'
        self.assertEqual(self.told(first), [f'{held} (under a minute)'])
        self.assertEqual(self.told(second), [f'{held} (under a minute), 1 ahead'])
        self.lab.pass_on()
        self.lab.go_by(29)
        self.assertEqual(len(self.told(second)), 1)
        self.lab.go_by(6)
        said = 'waiting for lab: held by b #2 (under a minute)'
        self.assertEqual(self.told(second)[1:], [said])
        self.assertEqual(len(self.told(first)), 1)  # it holds it

    def test_nothing_new(self):
        """A row is not written again while there is nothing new to say."""
        claim = self.lab.wait()
        self.lab.go_by(45)
        self.assertEqual(len(self.told(claim)), 1)
        self.lab.go_by(7200)  # 9 minutes, 5 times ten of them, an hour, another one
        self.assertEqual(len(self.told(claim)), 1 + 9 + 5 + 2)
        said = 'waiting for lab: held by b #1 (over 2 h)'
        self.assertEqual(self.told(claim)[-1], said)

    def test_forgotten(self):
        """When nobody waits any more no call is left, and nothing is said."""
        claims = [self.lab.wait(), self.lab.wait()]
        self.assertEqual(len(self.lab.clock.getDelayedCalls()), 1)
        for claim in claims:
            claim.end()
        self.lab.go_by(5)
        self.assertEqual(self.lab.clock.getDelayedCalls(), [])
        self.assertEqual([len(self.told(claim)) for claim in claims], [1, 1])
        self.lab.wait()
        self.assertEqual(len(self.lab.clock.getDelayedCalls()), 1)

    def test_cannot_be_said(self):
        """A wait of which nothing can be said is logged once, and the others go on."""
        silent = self.lab.claim()
        silent.wait()
        self.lab.rows.add(silent, lambda text: 1 / 0)
        claim = self.lab.wait()
        self.lab.go_by(120)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        said = 'waiting for lab: held by b #1 (2 min), 1 ahead'
        self.assertEqual(self.told(claim)[-1], said)

    def test_master_stops(self):
        """When the master stops nothing is said, and no call is left."""
        self.lab.wait()
        self.successResultOf(defer.ensureDeferred(self.stop()))
        self.assertEqual(self.lab.clock.getDelayedCalls(), [])
        self.assertEqual(self.told(self.lab.wait()), [])
        self.assertEqual(self.lab.clock.getDelayedCalls(), [])

    async def stop(self):
        await self.lab.master.stopService()

    def test_oldest_first(self):
        """If there is more to say than may be, those that wait longest are first, in their order.

        It goes on when a minute is over.
        """
        claims = [self.lab.wait() for _ in range(500)]
        self.assertEqual(sum(bool(self.told(claim)) for claim in claims), 200)
        self.assertTrue(all(self.told(claim) for claim in claims[:200]))
        self.lab.go_by(55)
        self.assertFalse(self.told(claims[200]))
        self.lab.pass_on()  # all of the first 200 have something new to say
        self.lab.go_by(6)
        self.assertEqual([len(self.told(c)) for c in claims[:202]], [1] + [2] * 199 + [1, 0])

    @given(
        strategies.lists(
            strategies.tuples(strategies.sampled_from('wwwpel'), strategies.integers(0, 40)),
            max_size=60,
        )
    )
    @settings(deadline=None, max_examples=60)
    def test_limits(self, events):
        """Whatever happens: not too much is said by one row or by all, and it becomes true."""
        lab = self.lab = Lab()
        lab.rows.most = 5
        lab.rows._said_at = type(lab.rows._said_at)(maxlen=5)
        for what, seconds in events:
            if what == 'w':
                lab.wait()
            elif what == 'p':
                lab.pass_on()
            elif what == 'e' and lab.lock.line():
                lab.lock.line()[seconds % len(lab.lock.line())].end()
            lab.go_by(seconds)
        times = sorted(time for said in lab.said.values() for time, _ in said)
        for early, late in zip(times, times[5:]):
            self.assertGreaterEqual(late - early, 60)
        for said in lab.said.values():
            for (early, text), (late, other) in zip(said, said[1:]):
                self.assertGreaterEqual(late - early, 30)
                self.assertNotEqual(text, other)
        lab.rows.most = 10**6
        lab.go_by(36)
        for ahead, claim in enumerate(lab.lock.line()):
            self.assertRegex(self.told(claim)[-1], f', {ahead} ahead$' if ahead else r'\)$')
