# SPDX-License-Identifier: GPL-2.0-only
"""A step that ends with an error holds nothing."""

from unittest import mock

from twisted.internet import defer

from buildbot import locks
from buildbot_overlay import release

upstream = release(__name__)


class TestBuildStep(upstream.TestBuildStep):
    @defer.inlineCallbacks
    def test_locks_released_after_error_while_finishing(self):
        lock = locks.MasterLock("masterlock")
        step = self.setup_step(self.FakeBuildStep(locks=[lock.access('exclusive')]))
        self.patch(step, '_cleanup_logs', lambda: defer.fail(RuntimeError('no db')))

        with self.assertRaises(RuntimeError):
            yield step.startStep(mock.Mock())

        [(real_lock, access)] = step._locks_to_acquire
        self.assertEqual(real_lock.lockName, "masterlock")
        self.assertFalse(real_lock.isOwner(step, access))
