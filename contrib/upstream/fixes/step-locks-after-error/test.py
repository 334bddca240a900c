# SPDX-License-Identifier: GPL-2.0-only
"""A step that ends with an error holds nothing."""

from unittest import mock

from parameterized import parameterized
from twisted.internet import defer

from buildbot import locks
from buildbot.process.results import SUCCESS
from buildbot_overlay import release

upstream = release(__name__)


class TestBuildStep(upstream.TestBuildStep):
    @parameterized.expand([('before_release', False), ('after_release', True)])
    @defer.inlineCallbacks
    def test_locks_released_after_error_while_finishing(self, name, is_released):
        lock = locks.MasterLock("masterlock")
        step = self.setup_step(self.FakeBuildStep(locks=[lock.access('exclusive')]))
        held = []
        was_owner = []

        def run():
            held.extend(step._locks_to_acquire)
            return defer.succeed(SUCCESS)

        def fail(*args, **kwargs):
            [(real_lock, access)] = held
            was_owner.append(real_lock.isOwner(step, access))
            return defer.fail(RuntimeError('no db'))

        self.patch(step, 'run', run)
        if is_released:
            self.patch(self.master.data.updates, 'finishStep', fail)
        else:
            self.patch(step, '_cleanup_logs', fail)

        with self.assertRaises(RuntimeError):
            yield step.startStep(mock.Mock())

        self.assertEqual(was_owner, [not is_released])
        [(real_lock, access)] = held
        self.assertEqual(real_lock.lockName, "masterlock")
        self.assertFalse(real_lock.isOwner(step, access))
