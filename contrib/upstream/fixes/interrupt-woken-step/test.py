# SPDX-License-Identifier: GPL-2.0-only
"""A step can be stopped however often it was woken."""

from twisted.internet import defer
from twisted.internet.task import deferLater

from buildbot import locks
from buildbot_overlay import release

upstream = release(__name__)


class TestBuildStep(upstream.TestBuildStep):
    @defer.inlineCallbacks
    def test_cancel_when_woken_in_vain(self):
        lock = locks.MasterLock("masterlock", maxCount=2)
        one = lock.access('counting')
        holders = [self.setup_step(self.FakeBuildStep(locks=[one])) for _ in range(2)]
        step = self.setup_step(self.FakeBuildStep(locks=[lock.access('counting', 2)]))
        for holder in holders:
            yield holder._setup_locks()
            yield holder.acquireLocks()
        yield step._setup_locks()
        d = step.acquireLocks()

        holders[0].releaseLocks()
        yield deferLater(self.reactor, 0, lambda: None)
        self.assertNoResult(d)
        yield step.addStep()
        yield step.interrupt('stop it')

        yield d
        self.assertTrue(step.stopped)
        self.assertEqual(step._locks_to_acquire[0][0].waiting, [])
