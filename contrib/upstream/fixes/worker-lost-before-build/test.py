# SPDX-License-Identifier: GPL-2.0-only
"""A worker that is lost is no worker."""

from unittest import mock

from twisted.internet import defer

from buildbot.process import builder
from buildbot.process.properties import Properties
from buildbot_overlay import release

upstream = release(__name__)


class TestBuilder(upstream.TestBuilder):
    @defer.inlineCallbacks
    def test_canStartBuild_worker_lost(self):
        yield self.makeBuilder()
        wfb = mock.Mock(worker=None)

        startable = yield self.bldr.canStartBuild(wfb, 100)

        self.assertFalse(startable)

    @defer.inlineCallbacks
    def test_canStartBuild_worker_lost_meanwhile(self):
        yield self.makeBuilder()
        answer = defer.Deferred()
        self.bldr.config.canStartBuild = lambda *_: answer
        wfb = mock.Mock(worker=upstream.FakeWorker('worker'))

        d = self.bldr.canStartBuild(wfb, 100)
        wfb.worker = None
        answer.callback(True)

        self.assertFalse((yield d))

    @defer.inlineCallbacks
    def test_startBuildFor_worker_lost(self):
        yield self.makeBuilder()
        build = mock.Mock()
        build.getProperties.return_value = Properties()
        build.requests[0].mergeSourceStampsWith.return_value = []
        build.builder = self.bldr
        self.bldr.config.factory = mock.Mock()
        self.bldr.config.factory.newBuild.return_value = build
        build.requests = [mock.Mock(properties=Properties())]
        build.requests[0].mergeSourceStampsWith.return_value = []

        started = yield builder.Builder._startBuildFor(self.bldr, mock.Mock(worker=None), [])

        self.assertFalse(started)
        self.assertEqual(self.bldr.building, [])
