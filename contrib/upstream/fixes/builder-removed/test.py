# SPDX-License-Identifier: GPL-2.0-only
"""A removed builder gives back what its builds have."""

from unittest import mock

from twisted.internet import defer

from buildbot import config
from buildbot.process import factory
from buildbot.process.results import SUCCESS
from buildbot_overlay import release

upstream = release(__name__)


class TestBotMaster(upstream.TestBotMaster):
    @defer.inlineCallbacks
    def test_reconfigServiceBuilders_remove_while_building(self):
        bc = config.BuilderConfig(name='bldr', factory=factory.BuildFactory(), workername='f')
        self.new_config.builders = [bc]
        yield self.botmaster.reconfigServiceBuilders(self.new_config)
        bldr = self.botmaster.builders['bldr']
        self.master.botmaster = self.botmaster
        build = mock.Mock(results=SUCCESS, requests=[mock.Mock(id=10)], master=self.master)
        bldr.building.append(build)
        wfb = mock.Mock()

        self.new_config.builders = []
        yield self.botmaster.reconfigServiceBuilders(self.new_config)
        complete = mock.Mock(return_value=defer.succeed(True))
        self.patch(self.master.data.updates, 'completeBuildRequests', complete)
        bldr.buildFinished(build, wfb)

        self.assertIdentical(bldr.botmaster, self.botmaster)
        complete.assert_called_once_with([10], SUCCESS, complete_at=mock.ANY)
        wfb.worker.releaseLocks.assert_called_once_with()
