# SPDX-License-Identifier: GPL-2.0-only
"""Limits of waits and holds: when they are over, and for whom."""

from __future__ import annotations

import math
from typing import Any

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.config.errors import ConfigErrors
from buildbot.locking.copies import LocksInUse
from buildbot.locking.copies import RealMasterLock
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locks import BranchLock
from buildbot.locks import LockOwner
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.limits import MAX_WAIT
from buildbot.process.limits import Due
from buildbot.process.limits import Limit
from buildbot.process.limits import all_due
from buildbot.process.limits import limit_hold
from buildbot.process.limits import limit_wait
from buildbot.process.properties import Property
from buildbot.test.reactor import TestReactorMixin


class Owner(LockOwner):
    """An owner that keeps what it was told.

    :ivar heard: why it was to give up, or to end its hold.
    """

    def __init__(self, clock, name):
        self.master = self
        self.reactor = clock
        self.name = name
        self.heard: list[Any] = []

    def lock_name(self):
        return self.name

    def give_up(self, why):
        self.heard.append(why)

    end_hold = give_up


class Arguments(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            (f'{kind.__name__}_{what}_{value}', kind, what, value)
            for kind in (MasterLock, WorkerLock, BranchLock)
            for what in ('maxWait', 'maxHold')
            for value in (0, -1, '5', True, math.inf, math.nan, 10**400)
        ]
    )
    def test_bad_seconds(self, _, kind, what, value):
        """What is no time that can pass is refused in one sentence that names the lock."""
        error = self.assertRaises(ConfigErrors, kind, 'l', **{what: value})
        sentence = f"lock 'l': {what} must be a number of seconds above 0, or None, not {value!r}"
        self.assertEqual(error.errors, [sentence])

    @parameterized.expand([('text', 'kill'), ('renderable', Property('how'))])
    def test_bad_word(self, _, word):
        """What comes of it is one of two words."""
        error = self.assertRaises(ConfigErrors, WorkerLock, 'l', whenTooLong=word)
        sentence = f"lock 'l': whenTooLong must be 'fail' or 'report', not {word!r}"
        self.assertEqual(error.errors, [sentence])

    @parameterized.expand(
        [
            ('nothing', {}, "MasterLock('l', maxCount=1)"),
            ('usual', {'maxWait': None, 'whenTooLong': 'fail'}, "MasterLock('l', maxCount=1)"),
            (
                'all',
                {'maxHold': 0.5, 'maxWait': 60, 'whenTooLong': 'report'},
                "MasterLock('l', maxCount=1, maxWait=60, maxHold=0.5, whenTooLong='report')",
            ),
        ]
    )
    def test_good(self, _, words, text):
        """They are part of what a lock says, and of what is compared."""
        lock = MasterLock('l', **words)
        self.assertEqual(repr(lock), text)
        self.assertEqual(lock, MasterLock('l', **words))
        self.assertEqual(lock == MasterLock('l'), not text.endswith("'report')"))


class Limits(TestReactorMixin, unittest.TestCase):
    def setUp(self):
        self.setup_test_reactor()
        self.clock = self.reactor
        self.told: list[Any] = []
        self.in_use = LocksInUse()
        self.in_use.tell_people = lambda copy, what, text: self.told.append(
            (copy.label, what, text)
        )
        self.one, self.other = Owner(self.clock, 'one'), Owner(self.clock, 'other')

    def lock(self, name, **words):
        lock = RealMasterLock(name)
        lock.in_use = self.in_use
        lock.updateFromLockId(MasterLock(name, **words), 0)
        return lock

    def claim(self, owner, *locks):
        claim = LockClaim(
            owner, [(lock, MasterLock(lock.lockName).access('exclusive')) for lock in locks]
        )
        if not claim.take_at_once():
            claim.wait()
        return claim

    def test_none(self):
        """Where no lock has a limit there is none, and nothing is called."""
        locks = [self.lock('a'), BaseLock('b')]
        held, waits = self.claim(self.one, *locks), self.claim(self.other, *locks)
        self.assertIsNone(limit_hold(self.one, held))
        self.assertIsNone(limit_wait(self.other, waits))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_due(self):
        """Each lock with a limit is due when that is over, by its own words."""
        a = self.lock('a', maxWait=60)
        b, c = self.lock('b', maxWait=0.5, whenTooLong='report'), self.lock('c', maxHold=5)
        self.assertEqual(
            all_due(MAX_WAIT, [a, b, c], 100),
            [Due(160, 60, a, True), Due(100.5, 0.5, b, False)],
        )

    def test_one_call(self):
        """Several limits are one delayed call at a time, and are over in their order."""
        locks = [self.lock(name, maxWait=after) for name, after in zip('abc', (30, 10, 20))]
        over: Any = []
        limit = Limit(
            self.clock,
            all_due(MAX_WAIT, locks, 0),
            lambda due: over.append((self.clock.seconds(), due.copy.label)),
        )
        for _ in range(30):
            self.assertEqual(len(self.clock.getDelayedCalls()), 1)
            self.clock.advance(1)
        self.assertEqual(over, [(10, 'b'), (20, 'c'), (30, 'a')])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        limit.stop()

    def test_stopped(self):
        """A limit that is stopped is over no more, also while it is said that one is."""
        locks = [self.lock(name, maxWait=10) for name in 'ab']
        over = []

        def stop(due: Any) -> Any:
            over.append(due.copy.label)
            limit.stop()
            limit.stop()

        limit = Limit(self.clock, all_due(MAX_WAIT, locks, 0), stop)
        self.clock.advance(100)
        self.assertEqual((over, self.clock.getDelayedCalls()), (['a'], []))

    def test_error(self):
        """An error at the end of one limit is logged, and the others have their ends."""
        locks = [self.lock(name, maxWait=after) for name, after in zip('ab', (10, 20))]
        over = []

        def fail_first(due: Any) -> Any:
            over.append(due.copy.label)
            if due.copy is locks[0]:
                raise ValueError('no')

        Limit(self.clock, all_due(MAX_WAIT, locks, 0), fail_first)
        self.clock.pump([10, 10])
        self.assertEqual(over, ['a', 'b'])
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_wait_that_is_over(self):
        """Who is granted right when its time is over is neither told of nor ended."""
        lock = self.lock('a', maxWait=60)
        held, waits = self.claim(self.one, lock), self.claim(self.other, lock)
        limit_wait(self.other, waits)
        held.end()
        self.clock.advance(60)
        self.assertEqual((self.other.heard, self.told), ([], []))

    def test_wait(self):
        """Who has waited too long hears why, and so do all."""
        lock = self.lock('a', maxWait=60)
        self.claim(self.one, lock)
        limit_wait(self.other, self.claim(self.other, lock))
        self.clock.advance(60)
        why = "lock 'a': it waited longer than 60 s for a, which was held by one"
        self.assertEqual(self.other.heard, [why])
        text = 'other waited longer than 60 s for it, which was held by one'
        self.assertEqual(self.told, [('a', 'long_wait', text)])

    def test_hold(self):
        """Who has held too long hears why, and so do all."""
        lock = self.lock('a', maxHold=60)
        limit_hold(self.one, self.claim(self.one, lock))
        self.clock.advance(60)
        self.assertEqual(self.one.heard, ["lock 'a': it held a longer than 60 s"])
        self.assertEqual(self.told, [('a', 'long_hold', 'one held it longer than 60 s')])

    def test_shared(self):
        """Who shares a hold is limited only when it has outlived whom it shared that with."""
        lock = self.lock('a', maxHold=60)
        self.other.lock_parent = self.one
        around, inside = self.claim(self.one, lock), self.claim(self.other, lock)
        limit_hold(self.other, inside)
        self.clock.pump([60, 60])
        self.assertEqual((self.other.heard, self.told), ([], []))
        around.end()
        self.clock.advance(60)
        self.assertEqual(self.other.heard, ["lock 'a': it held a longer than 60 s"])

    def test_nobody_tells(self):
        """If what tells people fails, or there is none, the wait ends all the same."""
        held = self.claim(self.one, self.lock('a', maxHold=60))
        limit_hold(self.one, held)
        self.in_use.tell_people = None
        self.clock.advance(60)

        def fail(copy, what, text):
            raise ValueError('no')

        self.in_use.tell_people = fail
        limit_hold(self.one, held)
        self.clock.advance(60)
        self.assertEqual(len(self.one.heard), 2)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
