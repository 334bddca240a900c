# SPDX-License-Identifier: GPL-2.0-only
"""A lost worker cannot build."""

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

        startable = yield self.bldr.canStartBuild(mock.Mock(worker=None), mock.Mock())

        self.assertFalse(startable)

    @defer.inlineCallbacks
    def test_canStartBuild_worker_lost_meanwhile(self):
        answer: defer.Deferred[bool] = defer.Deferred()
        yield self.makeBuilder(canStartBuild=lambda *_: answer)
        wfb = mock.Mock(worker=upstream.FakeWorker('worker'))
        wfb.worker.locks = []

        d = self.bldr.canStartBuild(wfb, mock.Mock())
        wfb.worker = None
        answer.callback(True)

        self.assertFalse((yield d))

    @defer.inlineCallbacks
    def test_startBuildFor_worker_lost(self):
        yield self.makeBuilder()
        breq = mock.Mock(properties=Properties())
        breq.mergeSourceStampsWith.return_value = []
        build = mock.Mock(builder=self.bldr, requests=[breq])
        build.getProperties.return_value = Properties()
        self.patch(self.bldr.config, 'factory', mock.Mock(newBuild=lambda *_: build))

        started = yield builder.Builder._startBuildFor(self.bldr, mock.Mock(worker=None), [breq])

        self.assertFalse(started)
        self.assertEqual(self.bldr.building, [])
