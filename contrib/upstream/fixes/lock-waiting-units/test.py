# SPDX-License-Identifier: GPL-2.0-only
"""Waiters ahead keep all the units that they wait for."""

from buildbot.locks import BaseLock
from buildbot.locks import MasterLock
from buildbot_overlay import release

upstream = release(__name__)


class BaseLockTests(upstream.BaseLockTests):
    def test_waiter_for_multiple_units_is_not_overtaken(self):
        holder = upstream.Requester()
        waiter = upstream.Requester()
        newcomer = upstream.Requester()
        lock = BaseLock('test', maxCount=4)
        lockid = MasterLock('test', maxCount=4)
        one = lockid.access('counting')
        two = lockid.access('counting', 2)
        three = lockid.access('counting', 3)

        lock.claim(holder, two)
        lock.waitUntilMaybeAvailable(waiter, three)
        self.assertFalse(lock.isAvailable(newcomer, one))

        lock.release(holder, two)
        self.assertTrue(lock.isAvailable(waiter, three))
        lock.claim(waiter, three)
        self.assertTrue(lock.isAvailable(newcomer, one))
