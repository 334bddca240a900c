# SPDX-License-Identifier: GPL-2.0-only
"""A build releases what it has."""

from unittest.mock import Mock

from twisted.internet import defer

from buildbot.process import builder
from buildbot.process.results import RETRY
from buildbot_overlay import release

upstream = release(__name__)


class TestBuild(upstream.TestBuild):
    @defer.inlineCallbacks
    def do_test_worker_locks(self, acquired):
        real_builder = builder.Builder('bldr')
        real_builder.master = self.master
        real_builder.building.append(self.build)
        self.patch(self.builder, 'buildFinished', real_builder.buildFinished)
        self.patch(self.worker, 'acquireLocks', Mock(return_value=acquired))
        release_locks = Mock()
        self.patch(self.worker, 'releaseLocks', release_locks)
        self.build.setStepFactories([])

        yield self.build.startBuild(self.workerforbuilder)

        self.assertEqual(real_builder.building, [])
        return release_locks.call_count

    @defer.inlineCallbacks
    def test_worker_locks_acquired(self):
        count = yield self.do_test_worker_locks(True)
        self.assertEqual(count, 1)

    @defer.inlineCallbacks
    def test_worker_locks_not_acquired(self):
        count = yield self.do_test_worker_locks(False)
        self.assertEqual(self.build.results, RETRY)
        self.assertEqual(count, 0)
