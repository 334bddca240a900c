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
        botmaster = self.master.botmaster
        for name, of_builder, of_worker in [
            ('builder', ['lock'], []),
            ('worker', [], ['lock']),
            ('none', [], []),
        ]:
            config = mock.Mock(locks=of_builder)
            worker = mock.Mock(locks=of_worker)
            builder = mock.Mock(config=config, workers=[mock.Mock(worker=worker)])
            builder.name = name
            botmaster.builders[name] = builder
        asked: list[str] = []
        botmaster.maybeStartBuildsForBuilder = asked.append

        yield step.acquireLocks()
        yield flushEventualQueue()
        self.assertEqual(asked, [])

        step.releaseLocks()
        yield flushEventualQueue()
        self.assertEqual(asked, ['builder', 'worker'])
