# SPDX-License-Identifier: GPL-2.0-only
"""A lock is taken with its default access."""

from twisted.internet import defer

from buildbot import locks
from buildbot_overlay import release

upstream = release(__name__)


class TestBotMaster(upstream.TestBotMaster):
    @defer.inlineCallbacks
    def test_getLockFromLockAccesses_default_access(self):
        lockid = locks.MasterLock('lock')

        real_locks = yield self.botmaster.getLockFromLockAccesses([lockid], 0)

        [(lock, access)] = list(real_locks)
        self.assertEqual(lock.lockName, 'lock')
        self.assertEqual(access, lockid.access('counting'))
