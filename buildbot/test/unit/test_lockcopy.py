# SPDX-License-Identifier: GPL-2.0-only
"""How long a lock and its copies live, and what people are told of them."""

from __future__ import annotations

import gc
from typing import Any

from parameterized import parameterized
from twisted.internet import defer
from twisted.python import log
from twisted.trial import unittest

from buildbot.locking import deadlock
from buildbot.locking.copies import LocksInUse
from buildbot.locking.copies import RealMasterLock
from buildbot.locking.copies import RealWorkerLock
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locking.copy import LockError
from buildbot.locking.queue import PATIENCE
from buildbot.locks import BranchLock
from buildbot.locks import LockOwner
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.botmaster import LockRetrieverMixin
from buildbot.process.hand.quarantine import Quarantine
from buildbot.util.eventual import flushEventualQueue
from buildbot.util.service import AsyncMultiService


class Botmaster(AsyncMultiService, LockRetrieverMixin):
    pass


class Stamp:
    codebase, branch = '', 'main'


class InUse(unittest.TestCase):
    def setUp(self):
        gc.freeze()  # what other tests have left is not looked at
        self.addCleanup(gc.unfreeze)
        self.botmaster = Botmaster()

    @defer.inlineCallbacks
    def get(self, lockid):
        return (yield self.botmaster.getLockByID(lockid, 1))

    @defer.inlineCallbacks
    def count(self):
        gc.collect()
        in_use = yield LocksInUse.getService(self.botmaster)
        return len(in_use.locks)

    @parameterized.expand([(kind.__name__, kind) for kind in (MasterLock, WorkerLock, BranchLock)])
    @defer.inlineCallbacks
    def test_as_long_as_somebody_has_it(self, _, kind):
        """There is one lock of a name while somebody has it, and none when nobody has it."""
        lock = yield self.get(kind('L'))
        self.assertIs((yield self.get(kind('L'))), lock)
        self.assertEqual((yield self.count()), 1)
        del lock
        self.assertEqual((yield self.count()), 0)

    @parameterized.expand(
        [
            ('worker', WorkerLock('L'), lambda lock: lock.getLockForWorker('w')),
            ('branch', BranchLock('L'), lambda lock: lock.locks_for_sources([Stamp()])[0]),
        ]
    )
    @defer.inlineCallbacks
    def test_a_copy_keeps_its_lock(self, _, lockid, get_copy):
        """Who has a copy has the same one as who asks for the lock meanwhile."""
        copy = get_copy((yield self.get(lockid)))
        gc.collect()
        self.assertIs(get_copy((yield self.get(lockid))), copy)

    def test_worker_that_is_gone(self):
        """The copies of ten thousand workers that nobody has any more are gone."""
        lock = RealWorkerLock('L')
        lock.updateFromLockId(WorkerLock('L'), 1)
        kept = lock.getLockForWorker('kept')
        access = WorkerLock('L').access('exclusive')
        for i in range(10_000):
            copy = lock.getLockForWorker(f'w{i}')
            copy.claim(self, access)
            copy.release(self, access)
        del copy
        gc.collect()
        self.assertEqual(list(lock.copies.values()), [kept])

    def test_new_limits_while_others_come(self):
        """New limits reach all copies of a worker lock, though one is made while they do."""
        lock = RealWorkerLock('L')
        lock.updateFromLockId(WorkerLock('L', 1), 1)
        copies = [lock.getLockForWorker(f'w{i}') for i in range(3)]
        for copy in copies:
            copy.subscribeToReleases(lambda: copies.append(lock.getLockForWorker('late')))
        lock.updateFromLockId(WorkerLock('L', 2), 2)
        self.assertEqual([copy.maxCount for copy in copies], [2] * 6)


class Told(unittest.TestCase):
    def copies(self):
        lock = RealMasterLock('licence')
        lock.updateFromLockId(MasterLock('licence', 2), 1)
        worker = RealWorkerLock('board')
        worker.updateFromLockId(WorkerLock('board'), 1)
        return [lock, worker, worker.getLockForWorker('lab-2')]

    def test_one_spelling(self):
        """A lock and its copies are told by their names, however they are written into a text."""
        names = ['licence', 'board', 'board[lab-2]']
        copies = self.copies()
        self.assertEqual([str(copy) for copy in copies], names)
        self.assertEqual([f'{copy!r}' for copy in copies], names)

    def test_description_has_the_limit_of_now(self):
        """What Buildbot calls a lock names its units of now; it takes no limit of another lock."""
        lock, worker, copy = self.copies()
        lock.setMaxCount(3)
        worker.updateFromLockId(WorkerLock('board', 4, {'lab-2': 5}), 2)
        self.assertEqual(
            [one.description for one in (lock, worker, copy)],
            [
                '<MasterLock(licence, 3)>',
                "<WorkerLock(board, 4, {'lab-2': 5})>",
                '<WorkerLock(board, 5)[lab-2]>',
            ],
        )
        for one in (lock, worker):
            self.assertRaises(AssertionError, one.updateFromLockId, WorkerLock('other'), 3)

    def test_changed_limit(self):
        """The log tells of a lock that has more units, or fewer, in plain words."""
        told: list[Any] = []
        self.patch(log, 'msg', told.append)
        lock = self.copies()[0]
        lock.setMaxCount(1)
        lock.setMaxCount(3)
        self.assertEqual(
            told, ['licence has 1 unit now; it had 2', 'licence has 3 units now; it had 1']
        )


class Thing(LockOwner):
    def __init__(self, name, parent=None):
        self.name = name
        self.lock_parent = parent

    def lock_name(self):
        return self.name


class Crowd(unittest.TestCase):
    """A long line, in which nobody holds what others wait for."""

    def setUp(self):
        self.lock, self.part = BaseLock('l', 2), MasterLock('l', 2).access('counting')
        for number in range(100):
            claim = LockClaim(Thing(f'{number}'), [(self.lock, self.part)])
            if not claim.take_at_once():
                claim.wait()
        self.looked = 0
        look = deadlock.reachable

        def count(*args):
            self.looked += 1
            return look(*args)

        self.patch(deadlock, 'reachable', count)

    def test_lowered_limit(self):
        """Fewer units close no circle, so none is looked for."""
        self.lock.setMaxCount(1)
        self.assertEqual((self.looked, self.lock.line_length), (0, 98))

    def test_quarantine(self):
        """One look tells that a quarantine closes no circle, however many wait."""
        Quarantine(self.lock, 'ann', 'smoke', 0, now=lambda: 0).begin()
        self.assertEqual((self.looked, self.lock.line_length), (1, 99))


class Granted(unittest.TestCase):
    def test_before_it_hears_of_it(self):
        """What an owner waited for is available to it, and to no other, once it is granted."""
        lock, access = BaseLock('l'), MasterLock('l').access('exclusive')
        owners = [Thing(name) for name in "abc"]
        first, second = (LockClaim(owner, [(lock, access)]) for owner in owners[:2])
        self.assertTrue(first.take_at_once())
        second.wait()
        self.assertEqual([lock.isAvailable(owner, access) for owner in owners], [False] * 3)
        first.end()
        found = [lock.isAvailable(owner, access) for owner in owners]
        self.assertEqual(found, [False, True, False])


class Asked(unittest.TestCase):
    """What is waited for by Buildbot's methods, and taken in another way than it was."""

    def setUp(self):
        self.lock = BaseLock('L', 2)
        self.one = MasterLock('L', 2).access('counting')
        self.two = MasterLock('L', 2).access('counting', 2)
        self.holder, self.owner = Thing('holder'), Thing('owner')
        self.lock.claim(self.holder, self.two)
        self.asked = self.lock.waitUntilMaybeAvailable(self.owner, self.one)

    def free(self):
        self.assertEqual((self.lock.owners, self.lock.waiting), ([], []))
        self.assertTrue(self.lock.isAvailable(Thing('other'), self.two))

    def test_claimed_too_early(self):
        """Who claims in vain before it is its turn has its place still."""
        self.assertRaises(AssertionError, self.lock.claim, self.owner, self.one)
        self.lock.release(self.holder, self.two)
        self.lock.claim(self.owner, self.one)
        self.lock.release(self.owner, self.one)
        self.free()

    def test_claims_with_another_access(self):
        """Who claims with another access than it has waited with holds that, and no more."""
        self.lock.release(self.holder, self.two)
        another = MasterLock('L', 1).access('counting')
        self.lock.claim(self.owner, another)
        self.assertTrue(self.lock.isOwner(self.owner, another))
        self.lock.release(self.owner, another)
        self.free()

    def test_waits_with_another_access(self):
        """Who waits again with another access does not hold what it was granted before."""
        self.lock.release(self.holder, self.two)
        self.assertFalse(self.lock.isAvailable(self.owner, self.two))
        self.lock.waitUntilMaybeAvailable(self.owner, self.two)
        self.lock.claim(self.owner, self.two)
        self.lock.release(self.owner, self.two)
        self.free()


class Circles(unittest.TestCase):
    def test_owner_from_outside(self):
        """A circle is told, too, if an owner that is none of the fork's waits in it."""
        a, b = BaseLock('A'), BaseLock('B')
        whole = MasterLock('L').access('exclusive')
        x, y = Thing('x'), Thing('y')
        a.claim(x, whole)
        b.claim(y, whole)
        b.waitUntilMaybeAvailable('somebody', whole)
        b.waitUntilMaybeAvailable(Thing('in x', x), whole)
        error = self.assertRaises(LockError, a.waitUntilMaybeAvailable, Thing('in y', y), whole)
        self.assertEqual(
            str(error),
            'these would wait for one another forever: in y waits for A held by x;'
            ' in x waits for B held by y',
        )

    @defer.inlineCallbacks
    def test_holding_around_ends(self):
        """A circle is found, too, that is closed because the holding around a wait has ended."""
        lock, other = BaseLock('L', 2), BaseLock('K')
        one, two = (MasterLock('L', 2).access('counting', n) for n in (1, 2))
        whole = MasterLock('K').access('exclusive')
        p, outside = Thing('p'), Thing('outside')
        x, y, z = (Thing(name, p) for name in 'xyz')
        lock.claim(p, two)
        for thing in (y, z):
            lock.claim(thing, one)
        other.claim(x, whole)
        lock.waitUntilMaybeAvailable(outside, two)
        other.waitUntilMaybeAvailable(Thing('in y', y), whole)
        moved = lock.waitUntilMaybeAvailable(Thing('in x', x), one)
        lock.release(p, two)  # now it waits behind who waits for all, and that for y
        yield flushEventualQueue()
        self.assertEqual(
            str(self.failureResultOf(moved, LockError).value),
            'these would wait for one another forever: in x waits for L held by y and z;'
            ' in y waits for K held by x; outside waits for L held by y and z',
        )

    @defer.inlineCallbacks
    def assert_drains_no_more(self, happens):
        """Fail if a lock drains for who waits for its holders for longer from now on."""
        lock, other = BaseLock('L', 3), BaseLock('K')
        one, two = (MasterLock('L', 3).access('counting', n) for n in (1, 2))
        whole = MasterLock('K').access('exclusive')
        y, z = Thing('y'), Thing('z')
        for thing in (y, z):
            lock.claim(thing, one)
        x = LockClaim(Thing('x'), [(lock, two), (other, whole)])
        x.wait()
        for _ in range(PATIENCE):
            other.claim(z, whole)
            other.release(z, whole)
        inside = LockClaim(Thing('in y', y), [(other, whole)])
        self.assertFalse(inside.take_at_once())
        inside.wait()
        yield flushEventualQueue()
        self.assertTrue(x.is_draining and inside.waiting)
        happens(lock)
        yield flushEventualQueue()
        self.assertTrue(inside.holds)

    def test_drains_under_a_lower_limit(self):
        """No lock drains for who must wait longer, for one that waits for that lock."""
        return self.assert_drains_no_more(lambda lock: lock.setMaxCount(2))

    def test_drains_behind_a_quarantine(self):
        """Nor for who waits behind a quarantine for such a one."""
        return self.assert_drains_no_more(
            lambda lock: Quarantine(lock, 'ann', 'smoke', 0, now=lambda: 0).begin()
        )
