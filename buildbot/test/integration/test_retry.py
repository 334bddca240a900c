# SPDX-License-Identifier: GPL-2.0-only
"""A request whose build could not do its work is built again."""

from __future__ import annotations

from parameterized import parameterized
from twisted.internet import defer

from buildbot.plugins import util
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase
from buildbot.test.util.lab import set_up


class Retry(LabTestCase):
    @set_up
    def setUp(self):
        super().setUp()
        self.gate = Gate()
        factory = util.BuildFactory([GatedStep(self.gate)])
        yield self.setup_lab({'a': {'factory': factory}}, workers=['w1', 'w2'])

    @parameterized.expand([('step', False), ('worker_lost', True)])
    @defer.inlineCallbacks
    def test_built_again(self, _, is_lost):
        """A request whose build ends with RETRY is built again, and that build completes it."""
        yield self.request('a')
        if is_lost:
            [build] = self.master.botmaster.builders['a'].building
            self.lose_worker(build.workerforbuilder.worker.workername)
            self.settle()
        else:
            self.open(self.gate, RETRY)
        self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.builds()), [RETRY, SUCCESS])
        [request] = yield self.master.data.get(('buildrequests',))
        self.assertEqual((request['complete'], request['results']), (True, SUCCESS))
