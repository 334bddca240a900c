# SPDX-License-Identifier: GPL-2.0-only
"""Builds that cannot begin, in a master in memory."""

from __future__ import annotations

from parameterized import parameterized
from twisted.internet import defer

from buildbot.config import BuilderConfig
from buildbot.plugins import steps
from buildbot.process.factory import BuildFactory
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.test.fake.latent import LatentController
from buildbot.test.util.integration import RunFakeMasterTestCase


class CannotBegin(RunFakeMasterTestCase):
    @defer.inlineCallbacks
    def start(self, worker=None):
        step = steps.SetProperty(property='lamp', value='on')
        builder = BuilderConfig(name='a', workernames=['w1'], factory=BuildFactory([step]))
        worker = worker or self.createLocalWorker('w1', max_builds=1)
        config = {'builders': [builder], 'workers': [worker], 'protocols': {'null': {}}}
        yield self.setup_master({**config, 'multiMaster': True})
        self.builderid = yield self.master.data.updates.findBuilderId('a')

    @defer.inlineCallbacks
    def results(self):
        """Request a build, and return the results of all requests."""
        yield self.create_build_request([self.builderid])
        for _ in range(10):
            self.reactor.advance(1)
        rows = yield self.master.data.get(('buildrequests',), order=['buildrequestid'])
        return [row['results'] if row['complete'] else None for row in rows]

    @parameterized.expand(['addBuild', 'setBuildProperties', 'generateNewBuildEvent', 'addStep'])
    @defer.inlineCallbacks
    def test_ends(self, write):
        """If the database fails while a build begins, it ends, and the next has its worker."""
        yield self.start()
        updates, error = self.master.data.updates, OSError('no room')
        works = getattr(updates, write)
        setattr(updates, write, lambda *args, **words: defer.fail(error))
        found = yield self.results()
        self.assertEqual(found, [EXCEPTION])
        setattr(updates, write, works)
        found = yield self.results()
        self.assertEqual(found, [EXCEPTION, SUCCESS])
        self.assertTrue(self.flushLoggedErrors(OSError))

    @defer.inlineCallbacks
    def test_lost_meanwhile(self):
        """If the worker is lost while a build begins, it is tried again and says why."""
        yield self.start()
        updates = self.master.data.updates
        slow: defer.Deferred[None] = defer.Deferred()
        finish = updates.finishStep
        updates.finishStep = lambda *args: slow.addCallback(lambda _: finish(*args))
        self.assertEqual((yield self.results()), [None])
        updates.finishStep = finish
        self.master.workers.workers['w1'].conn.loseConnection()
        slow.callback(None)
        self.reactor.advance(1)
        [row] = yield self.master.data.get(('builds',))
        why = 'could not begin: its worker was lost'
        self.assertEqual((row['results'], row['state_string']), (RETRY, why))

    @defer.inlineCallbacks
    def test_stopped(self):
        """A build that is stopped before its latent worker is started ends, and starts it not."""
        controller = LatentController(self, 'w1')
        yield self.start(controller.worker)
        updates = self.master.data.updates
        event: defer.Deferred[None] = defer.Deferred()
        updates.generateNewBuildEvent = lambda buildid: event
        found = yield self.results()
        self.assertEqual(found, [None])
        yield self.master.data.control('stop', {'reason': 'enough'}, ('builds', 1))
        event.callback(None)
        self.reactor.advance(1)
        (row,) = yield self.master.data.get(('buildrequests',))
        self.assertEqual((row['results'], controller.stopped), (CANCELLED, True))
