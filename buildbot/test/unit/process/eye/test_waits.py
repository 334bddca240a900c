# SPDX-License-Identifier: GPL-2.0-only
"""On whom a claim waits: who holds each copy, who is ahead, and for how long that is so."""

from __future__ import annotations

from typing import Any

from twisted.trial import unittest

from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locks import LockOwner
from buildbot.locks import MasterLock
from buildbot.process.eye.waits import Lines
from buildbot.process.eye.waits import sentence
from buildbot.process.eye.waits import waits_of
from buildbot.process.locklog import LockLog
from buildbot.util.eventual import flushEventualQueue


class Owner(LockOwner):
    def __init__(self, name, parent=None, priority=0, choice=None):
        self.name = name
        self.lock_parent = parent
        self.lock_priority = priority
        self.lock_choice = choice
        self.lock_log = LockLog()

    def lock_name(self):
        return self.name


class Waits(unittest.TestCase):
    def setUp(self):
        self.addCleanup(flushEventualQueue)  # or tests after it would wait for what is in it
        self.a, self.b = BaseLock('a'), BaseLock('b', 3)
        self.exclusive = MasterLock('x').access('exclusive')
        self.one = MasterLock('x').access('counting')

    def hold(self, owner, *demand, since: float | None = None):
        claim = LockClaim(owner, demand)
        self.assertTrue(claim.take_at_once(), owner.name)
        if since is not None:
            owner.lock_log.holds(since)
        return claim

    def wait(self, owner, *demand):
        claim = LockClaim(owner, demand)
        self.assertFalse(claim.take_at_once(), owner.name)
        claim.wait()
        return claim

    def assert_says(self, claim: Any, said: str, now: float = 1000):
        self.assertEqual(sentence(claim, Lines(), now), said)

    def test_one_holder(self):
        """The holder is named with for how long it has held the copy, and all who are ahead."""
        self.hold(Owner('h'), (self.a, self.exclusive), since=820)
        claims = [self.wait(Owner(name), (self.a, self.exclusive)) for name in 'xyz']
        held = 'waiting for a: held by h (3 min)'
        self.assert_says(claims[0], held)
        self.assert_says(claims[1], f'{held}, 1 ahead')
        self.assert_says(claims[2], f'{held}, 2 ahead')
        urgent = self.wait(Owner('u', priority=9), (self.a, self.exclusive))
        self.assert_says(urgent, held)
        self.assert_says(claims[2], f'{held}, 3 ahead')
        self.assertEqual(waits_of(claims[2], Lines(), 1000)[0].place, 4)

    def test_several_holders(self):
        """Three holders are named; one of whom nobody knows the age has none."""
        for name in 'xyz':
            self.hold(Owner(name), (self.b, self.one))
        self.assert_says(
            self.wait(Owner('w'), (self.b, self.exclusive)), 'waiting for b: held by x, y, z'
        )

    def test_several_copies(self):
        """Only the copies that it does not get are named, each with its holder."""
        free = BaseLock('free')
        self.hold(Owner('x'), (self.a, self.exclusive), since=1000)
        self.hold(Owner('y'), (self.b, self.exclusive), since=100)
        demand = [(lock, self.exclusive) for lock in (self.a, free, self.b)]
        self.assert_says(
            self.wait(Owner('w'), *demand),
            'waiting for a: held by x (under a minute); b: held by y (over 10 min)',
        )

    def test_kept(self):
        """A copy that nobody holds is kept for the first in line, who waits for another one too."""
        holder = self.hold(Owner('h'), (self.a, self.exclusive))
        first = self.wait(Owner('f'), (self.a, self.exclusive), (self.b, self.exclusive))
        for _ in range(4):  # as often as it lets others go first
            self.hold(Owner('s'), (self.b, self.exclusive)).end()
        behind = self.wait(Owner('w'), (self.b, self.one))
        self.assert_says(behind, 'waiting for b: kept for f, 1 ahead')
        self.assert_says(first, 'waiting for a: held by h')
        holder.end()
        self.assert_says(behind, 'waiting for b: held by f')

    def test_inside(self):
        """Who waits inside of a holder waits for its siblings, and for those who hold the rest."""
        around, other = Owner('build'), Owner('other')
        self.hold(around, (self.b, self.one))
        self.hold(other, (self.b, self.one))
        step = self.wait(Owner('step', around), (self.b, self.exclusive))
        self.assert_says(step, 'waiting for b: held by other')
        step.end()
        self.hold(Owner('sibling', around), (self.b, self.one))
        step = self.wait(Owner('step', around), (self.b, self.exclusive))
        self.assert_says(step, 'waiting for b: held by sibling, other')
        outside = self.wait(Owner('outside'), (self.b, self.exclusive))
        self.assert_says(outside, 'waiting for b: held by build, other, 1 ahead')

    def test_choice(self):
        """Claims of which one will do are one that is ahead, and not ahead of one another."""
        self.hold(Owner('h'), (self.a, self.exclusive))
        for name in ('x', 'x', 'y'):
            self.wait(Owner(name, choice=name), (self.a, self.exclusive))
        last = self.wait(Owner('x', choice='x'), (self.a, self.exclusive))
        self.assert_says(last, 'waiting for a: held by h, 1 ahead')
        self.assert_says(
            self.wait(Owner('z'), (self.a, self.exclusive)), 'waiting for a: held by h, 2 ahead'
        )
