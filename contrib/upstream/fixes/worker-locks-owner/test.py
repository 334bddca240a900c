# SPDX-License-Identifier: GPL-2.0-only
"""A build releases what it has."""

from unittest.mock import Mock

from twisted.internet import defer

from buildbot.locks import BaseLock
from buildbot.locks import MasterLock
from buildbot.process import builder
from buildbot.process.results import RETRY
from buildbot.worker.base import AbstractWorker
from buildbot_overlay import release

upstream = release(__name__)


class TestBuild(upstream.TestBuild):
    @defer.inlineCallbacks
    def do_test_worker_locks(self, acquired, release_locks):
        real_builder = builder.Builder('bldr')
        real_builder.master = self.master
        real_builder.building.append(self.build)
        self.patch(self.builder, 'buildFinished', real_builder.buildFinished)
        self.patch(self.worker, 'acquireLocks', Mock(return_value=acquired))
        self.patch(self.worker, 'releaseLocks', release_locks)
        self.master.botmaster.brd = Mock()
        self.build.setStepFactories([])

        yield self.build.startBuild(self.workerforbuilder)

        self.assertEqual(real_builder.building, [])

    @defer.inlineCallbacks
    def test_worker_locks_acquired(self):
        release_locks = Mock()
        yield self.do_test_worker_locks(True, release_locks)
        release_locks.assert_called_once_with()

    @defer.inlineCallbacks
    def test_worker_locks_not_acquired(self):
        # another build on the worker has claimed them
        lock = BaseLock('lock', 1)
        access = MasterLock('lock').access('counting')
        lock.claim(self.worker, access)
        self.worker.locks = [(lock, access)]

        yield self.do_test_worker_locks(False, lambda: AbstractWorker.releaseLocks(self.worker))

        self.assertEqual(self.build.results, RETRY)
        self.assertTrue(lock.isOwner(self.worker, access))
