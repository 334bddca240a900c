# SPDX-License-Identifier: GPL-2.0-only
"""Two masters that share a database, a message queue and a builder do each build once."""

from __future__ import annotations

import os

from parameterized import parameterized
from twisted.internet import defer

from buildbot.process.results import SUCCESS
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.integration import TestedMaster


class TwoMasters(DistributionCase):
    @defer.inlineCallbacks
    def start_both(self, builders, is_heard=lambda key: True):
        """Start two masters, each with a worker of its own.

        :param is_heard: tells whether the one hears a message of the other.
        """
        database = f'sqlite:///{os.path.abspath(self.mktemp())}'
        yield self.setup_lab(builders, ['w1'], db_url=database)
        self.lab_workers = [self.createLocalWorker('w2')]
        other = TestedMaster()
        config = self.lab_config(builders, db_url=database)
        self.masters = [self.master, (yield other.create_master(self, self.reactor, config))]
        deliver = [master.mq.produce for master in self.masters]
        for i, master in enumerate(self.masters):

            def produce(key, data, own=deliver[i], others=deliver[1 - i]):
                own(key, data)
                if is_heard(key):
                    others(key, data)

            master.mq.produce = produce

    @defer.inlineCallbacks
    def held(self):
        """Return how many hold the lock, and how many wait for it, on each master."""
        found = []
        for master in self.masters:
            real = yield master.botmaster.getLockByID(self.lock, 0)
            found.append((len(real.owners), len(real.waiting)))
        return found

    @parameterized.expand(
        [
            ('at_once', lambda key: True),
            ('never_of_claims', lambda key: key[-1] != 'claimed'),
        ]
    )
    @defer.inlineCallbacks
    def test_each_once(self, _, is_heard):
        """Each request is built once, also if a master hears too late what another one claims."""
        access = self.lock.access('exclusive')
        yield self.start_both({'a': self.builder('a', access)}, is_heard)
        for _ in range(4):
            yield self.request('a')
        self.assertEqual({self.worker_of('a', i) for i in range(2)}, {'w1', 'w2'})
        self.assertEqual([holders for holders, _ in (yield self.held())], [1, 1])
        seen = []
        while self.running():
            seen.append(self.gates['a'].running[0][0].requests[0].id)
            self.end('a')
        self.assertEqual(sorted(seen), [1, 2, 3, 4])
        self.assertEqual((yield self.held()), [(0, 0), (0, 0)])
        self.assertEqual((yield self.builds()), [SUCCESS] * 4)

    @defer.inlineCallbacks
    def test_claimed_in_between(self):
        """What another master claims while it is reserved here is given back, and goes on there."""
        access = self.lock.access('exclusive')
        yield self.start_both({'a': self.builder('a', access)})
        write = self.hold_write('claimBuildRequests', lambda *a, **k: True)
        yield self.request('a')
        self.assertEqual((yield self.held()), [(1, 0), (1, 0)])
        self.assertEqual(self.worker_of('a'), 'w2')
        write.held.callback(None)
        self.settle()
        self.assertEqual((yield self.held()), [(0, 0), (1, 0)])
        yield self.request('a')
        self.assertEqual({self.worker_of('a', i) for i in range(2)}, {'w1', 'w2'})
        self.end('a')
        self.end('a')
        self.assertEqual((yield self.held()), [(0, 0), (0, 0)])
