# SPDX-License-Identifier: GPL-2.0-only
"""A worker is used as soon as a builder has it."""

from twisted.internet import defer

from buildbot.test import fakedb
from buildbot_overlay import release

upstream = release(__name__)


class TestAbstractWorker(upstream.TestAbstractWorker):
    @defer.inlineCallbacks
    def test_reconfigService_builder_starts_builds(self):
        old = yield self.createWorker('bot', 'pass', attached=True)
        self.patch(old, 'updateWorker', lambda: defer.succeed(None))
        yield self.do_test_reconfigService(old, old)
        self.botmaster.buildsStartedForWorkers.clear()
        new = yield self.createWorker('bot', 'pass', configured=False)
        self.botmaster.builders['bot'] = [upstream.FakeBuilder()]
        yield self.master.db.insert_test_data(
            [
                fakedb.Master(id=fakedb.FakeDBConnector.MASTER_ID),
                fakedb.Builder(id=1, name='builder'),
            ]
        )

        yield old.reconfigServiceWithSibling(new)

        self.assertEqual(self.botmaster.buildsStartedForWorkers, ['bot'])
