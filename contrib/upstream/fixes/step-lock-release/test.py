# SPDX-License-Identifier: GPL-2.0-only
"""The locks of a step that has ended are free for others."""

from unittest import mock

from twisted.internet import defer

from buildbot import locks
from buildbot.util.eventual import flushEventualQueue
from buildbot_overlay import release

upstream = release(__name__)


class TestBuildStep(upstream.TestBuildStep):
    @defer.inlineCallbacks
    def test_release_of_locks_schedules_builds(self):
        lock = locks.MasterLock("masterlock")
        step = self.setup_step(self.FakeBuildStep(locks=[lock.access('exclusive')]))
        yield step._setup_locks()
        start_builds = mock.Mock()
        self.patch(self.master.botmaster, 'maybeStartBuildsForAllBuilders', start_builds)

        yield step.acquireLocks()
        yield flushEventualQueue()
        start_builds.assert_not_called()

        step.releaseLocks()
        yield flushEventualQueue()
        start_builds.assert_called_once_with()
