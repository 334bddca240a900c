# SPDX-License-Identifier: GPL-2.0-only
"""Reservations, and the book in which those of a builder are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from parameterized import parameterized
from twisted.internet import defer
from twisted.python.failure import Failure
from twisted.trial import unittest

from buildbot.locking.copy import LockClaim
from buildbot.locking.copy import UnitsError
from buildbot.locks import LockOwner
from buildbot.locks import MasterLock
from buildbot.locks import RealMasterLock
from buildbot.process.limits import Due
from buildbot.process.locks import Resolved
from buildbot.process.waiting.reservation import Reservation
from buildbot.process.waiting.reservationbook import ReservationBook
from buildbot.test.fake.pending import FakeRequest
from buildbot.util.eventual import flushEventualQueue


class ReservationCase(unittest.TestCase):
    def setUp(self):
        self.woken: list[int] = []
        self.lock = RealMasterLock('lab')
        self.lock.setMaxCount(2)
        self.one: Any = [(self.lock, MasterLock('lab', 2).access('counting'))]
        self.all: Any = [(self.lock, MasterLock('lab', 2).access('exclusive'))]

    def claim(self, owner, demand):
        claim = LockClaim(owner, demand)
        self.assertTrue(claim.take_at_once())
        return claim

    def reservation(self, brid=1, worker=None, claims=None, parent=None, **words):
        request: Any = FakeRequest(**{'id': brid, 'submittedAt': brid, **words})
        demand = self.one if claims is None else claims
        resolved = Resolved(demand, [], worker, parent)
        return Reservation(request, 'a', resolved, lambda: self.woken.append(brid))

    def state(self, reservation):
        words = ('holds', 'waits')
        return ' '.join(word for word in words if getattr(reservation, word))


class Line(ReservationCase):
    @defer.inlineCallbacks
    def test_take(self):
        """It holds what is free; else it waits, is woken when it is its turn, and takes it then."""
        first, second = self.reservation(1), self.reservation(2, claims=self.all)
        self.assertTrue(first.take())
        self.assertFalse(second.take())
        self.assertEqual((self.state(first), self.state(second)), ('holds', 'waits'))
        first.give_back()
        yield flushEventualQueue()
        self.assertEqual((self.woken, self.state(second)), ([2], 'holds'))
        self.assertTrue(second.take())
        self.assertEqual(self.lock.owners, [second])
        second.give_back()
        second.give_back()
        self.assertEqual((self.lock.owners, self.lock.waiting), ([], []))

    def test_wants_other_locks_now(self):
        """It lets go of what it took when it is to take something else."""
        made = self.reservation(claims=self.all)
        made.take()
        made.resolved = Resolved(self.one, [])
        made.take()
        self.assertTrue(self.reservation(2).take())

    def test_in_vain(self):
        """What it waited for in vain is forgotten when it is to take something else."""
        made = self.reservation(claims=self.all)
        made.too_long = Due(0, 0, self.lock, True)
        made.resolved = Resolved(self.one, [])
        made.take()
        self.assertIsNone(made.too_long)

    def test_never(self):
        """It knows that there will never be so many units."""
        many = [(self.lock, MasterLock('lab', 9).access('counting', 3))]
        made = self.reservation(claims=many)
        self.assertFalse(made.take())
        self.assertTrue(made.waits and made.has_too_few)
        made.give_back()
        self.assertFalse(made.waits or made.has_too_few)

    def test_yield_place(self):
        """One that yields its place waits for a release, and is woken once."""
        owner = LockOwner()
        claim = self.claim(owner, self.all)
        made = self.reservation()
        made.take()
        made.yield_place()
        self.assertEqual((self.state(made), self.lock.waiting), ('waits', []))
        claim.end()
        self.claim(owner, self.all).end()
        self.assertEqual((self.state(made), self.woken), ('', [1]))

    def test_awaited_claim(self):
        """One that is put off still depends on those who hold its locks."""
        owner = LockOwner()
        claim = self.claim(owner, self.all)
        made = self.reservation()
        self.assertIsNone(made.awaited_claim)
        made.take()
        self.assertIs(made.awaited_claim, made.claim)
        made.yield_place()
        awaited = made.awaited_claim
        self.assertEqual([awaited.can_be_met(s) for s in ((claim.owner,), ())], [False, True])
        claim.end()
        self.assertIsNone(made.awaited_claim)

    def test_put_off_for_too_many(self):
        """One that is put off, and for which there are too few units now, awaits no claim."""
        self.claim(LockOwner(), self.all)
        made = self.reservation(claims=[(self.lock, MasterLock('lab', 2).access('counting', 2))])
        made.take()
        made.yield_place()
        self.lock.setMaxCount(1)
        self.assertIsNone(made.awaited_claim)

    def test_circle(self):
        """One of a triggered build that closes a circle is looked at, and woken by a release."""
        parent, other = LockOwner(), RealMasterLock('other')
        other.setMaxCount(1)
        demand = [(other, MasterLock('other').access('exclusive'))]
        self.claim(parent, demand)
        owner = LockOwner()
        held, waiting = self.claim(owner, self.all), LockClaim(owner, demand)
        waiting.wait()
        made = self.reservation(parent=parent)
        self.assertFalse(made.take())
        self.assertEqual((made.is_in_circle, made.is_put_off, self.state(made)), (True, False, ''))
        self.assertEqual((self.lock.waiting, self.woken), ([], []))
        waiting.end()
        held.end()
        self.assertEqual(self.woken, [1])
        made.why_never = None  # as whenever it is looked at
        self.assertTrue(made.take())

    def test_hand_over(self):
        """A build that takes it over is the owner, and nothing is left to be given back."""
        made, build = self.reservation(), LockOwner()
        made.take()
        claim = made.hand_over(build)
        made.give_back()
        self.assertEqual(self.lock.owners, [build])
        claim.end()
        self.assertEqual(self.lock.owners, [])

    @parameterized.expand(
        [("same", 0, None, True), ("priority", 5, None, False), ("parent", 0, 1, False)]
    )
    def test_stands_for(self, _, priority, parent, stands):
        """It does for a request only with the priority and the parent that it was made with."""
        request = SimpleNamespace(id=1, priority=priority)
        found = self.reservation().stands_for(request, LockOwner() if parent else None)
        self.assertEqual(found, stands)


class Book(ReservationCase):
    def setUp(self):
        super().setUp()
        self.book = ReservationBook()
        self.owner = LockOwner()
        self.held = self.claim(self.owner, self.all)

    def wait(self, brid, *workers):
        for worker in workers:
            made = self.reservation(brid, worker)
            made.take()
            self.book.keep(made)
        return made

    @parameterized.expand(
        [
            # workers for which it waits, idle workers -> waits it, does it everywhere
            ('unknown', [], ['w1'], False, False),
            ('any_worker', [None], [], True, True),
            ('all_idle', ['w1', 'w2'], ['w1'], True, False),
            ('one_more_is_idle', ['w1'], ['w1', 'w2'], False, False),
        ]
    )
    def test_waits(self, _, workers, idle, waits, everywhere):
        """A request waits if it does for each idle worker, or whatever worker it is."""
        if workers:
            self.wait(1, *workers)
        self.assertEqual(self.book.waits_everywhere(1), everywhere)
        known = self.book.waits_on(1)
        self.assertEqual(everywhere or (bool(known) and set(idle) <= set(known)), waits)
        self.assertEqual(self.book.is_in_line(1), bool(workers))

    @parameterized.expand(
        [
            # why it can never start on each worker, idle ones, all -> which of them says so
            ('nothing_known', {}, ['w1'], ['w1'], ''),
            ('any_worker', {None: 'units'}, ['w1'], ['w1', 'w2'], None),
            ('no_idle_worker', {None: 'units'}, [], ['w1', 'w2'], ''),
            ('all_workers', {'w1': 'units', 'w2': 'units'}, ['w1', 'w2'], ['w1', 'w2'], 'w1'),
            ('all_but_busy', {'w1': 'units', 'w2': 'units'}, ['w2'], ['w1', 'w2'], 'w2'),
            ('own_locks', {None: 'units', 'w2': 'units'}, ['w2'], ['w1', 'w2'], 'w2'),
            ('one_has_units', {'w1': 'units', 'w2': ''}, ['w1', 'w2'], ['w1', 'w2'], ''),
            ('one_is_busy', {'w1': 'units'}, ['w1'], ['w1', 'w2'], ''),
            ('one_is_busy_but', {'w1': 'other'}, ['w1'], ['w1', 'w2'], 'w1'),
            ('reason_of_busy', {'w1': 'other', 'w2': 'units'}, ['w2'], ['w1', 'w2', 'w3'], ''),
        ]
    )
    def test_hopeless(self, _, reasons, idle, workers, says_so):
        """It is if no worker will do; too few units of those that are idle do not say so."""
        for worker, why in reasons.items():
            made = self.wait(1, worker)
            if why:
                made.why_never = Failure(UnitsError() if why == 'units' else ValueError())
        hopeless = self.book.hopeless(1, idle, workers)
        self.assertEqual('' if hopeless is None else hopeless.worker, says_so)

    def test_lend(self):
        """What is lent is of the other request until it is returned."""
        made = self.wait(1, None)
        other: Any = SimpleNamespace(id=2)
        self.book.lend(made, other)
        self.book.hold(made)
        self.assertEqual((self.book.held(2), self.book.is_in_line(1)), (made, False))
        self.book.return_to_lender(made)
        self.assertEqual((self.book.held(2), self.book.find(1, None)), (None, made))

    def test_without_worker(self):
        """Those whose worker is busy leave the line, and without idle workers all do."""
        self.wait(1, 'w1', 'w2')
        self.wait(2, None)
        self.book.leave_without_worker({'w1'})
        self.assertEqual([r.worker for r in self.book], ['w1', None])
        self.book.leave_without_worker(set())
        self.assertEqual((list(self.book), bool(self.book), self.lock.waiting), ([], False, []))

    @defer.inlineCallbacks
    def test_unused(self):
        """What was granted before and has not been used is given back, and what is held."""
        granted = self.wait(1, None)
        self.held.end()
        yield flushEventualQueue()
        held = self.wait(2, None)
        self.book.hold(held)
        self.assertEqual(self.book.granted(), [granted])
        self.assertEqual(len(self.lock.owners), 2)
        self.book.give_back_unused([granted])
        self.assertEqual((list(self.book), self.lock.owners), ([], []))

    @defer.inlineCallbacks
    def test_first_of_its_like(self):
        """The one whose turn has come goes for one that wants the same, else each for itself."""
        granted = self.wait(1, None)
        self.held.end()
        yield flushEventualQueue()
        alike, other = self.reservation(2), self.reservation(3, claims=self.all)
        nested = self.reservation(4, parent=LockOwner())
        firsts = [self.book.first_of_its_like(r) for r in (alike, other, nested)]
        self.assertEqual(firsts, [granted, other, nested])
        self.book.clear()
        self.assertEqual(self.lock.owners, [])
