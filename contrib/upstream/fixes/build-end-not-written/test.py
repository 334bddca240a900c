# SPDX-License-Identifier: GPL-2.0-only
"""A build gives back what it has."""

from unittest.mock import Mock

from parameterized import parameterized
from twisted.internet import defer

from buildbot.process.results import SUCCESS
from buildbot_overlay import release

upstream = release(__name__)


class TestBuild(upstream.TestBuild):
    @parameterized.expand(['setBuildStateString', 'finishBuild'])
    @defer.inlineCallbacks
    def test_build_finished_but_not_written(self, method):
        b = self.build
        b.conn = None
        b.stopBuildConsumer = Mock()
        self.builder.building = [b]
        builderid = yield b.getBuilderId()
        b.buildid, b.number = yield self.master.data.updates.addBuild(
            builderid=builderid, buildrequestid=b.requests[0].id, workerid=self.worker.workerid
        )
        finished = Mock()
        self.patch(self.builder, 'buildFinished', finished)
        self.patch(
            self.master.data.updates,
            method,
            lambda *args, **kwargs: defer.fail(upstream.TestException()),
        )

        yield b.buildFinished(['done'], SUCCESS)

        self.assertNotEqual(self.flushLoggedErrors(upstream.TestException), [])
        self.workerforbuilder.buildFinished.assert_called_once_with()
        finished.assert_called_once_with(b, self.workerforbuilder)
