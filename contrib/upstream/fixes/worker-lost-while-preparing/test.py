# SPDX-License-Identifier: GPL-2.0-only
"""A lost worker is not blamed."""

from unittest.mock import Mock

from twisted.internet import defer

from buildbot.process.results import EXCEPTION
from buildbot.process.results import RETRY
from buildbot_overlay import release

upstream = release(__name__)


class TestBuild(upstream.TestBuild):
    @defer.inlineCallbacks
    def do_test_worker_lost(self):
        self.build.setStepFactories([])
        finished = Mock()
        self.patch(self.builder, 'buildFinished', finished)

        yield self.build.startBuild(self.workerforbuilder)

        self.assertEqual(self.build.results, RETRY)
        finished.assert_called_once_with(self.build, self.workerforbuilder)

    @defer.inlineCallbacks
    def test_worker_lost_before_ping(self):
        def ping():
            self.workerforbuilder.worker = None
            return defer.fail(RuntimeError('lost'))

        self.workerforbuilder.ping = ping
        yield self.do_test_worker_lost()
        self.flushLoggedErrors(RuntimeError)

    @defer.inlineCallbacks
    def test_worker_lost_after_ping(self):
        def ping():
            self.workerforbuilder.worker = None
            return defer.succeed(True)

        self.workerforbuilder.ping = ping
        yield self.do_test_worker_lost()

    @defer.inlineCallbacks
    def test_worker_lost_and_steps_fail(self):
        def fail_to_make_steps():
            self.workerforbuilder.worker = None
            raise RuntimeError('no steps')

        finished = Mock()
        self.patch(self.builder, 'buildFinished', finished)
        self.patch(self.build, 'setupBuild', fail_to_make_steps)

        yield self.build.startBuild(self.workerforbuilder)

        self.assertIn(self.build.results, (EXCEPTION, RETRY))
        finished.assert_called_once_with(self.build, self.workerforbuilder)
        self.flushLoggedErrors(RuntimeError)
