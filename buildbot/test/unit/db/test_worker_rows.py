# SPDX-License-Identifier: GPL-2.0-only
"""The rows of workers in the database."""

from __future__ import annotations

from parameterized import parameterized
from twisted.internet import defer
from twisted.trial import unittest

from buildbot.db.types.json import JsonObject
from buildbot.test import fakedb
from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin
from buildbot.test.util.lab import set_up


class Workers(TestReactorMixin, unittest.TestCase):
    @set_up
    def setUp(self):
        self.setup_test_reactor()
        master = yield fakemaster.make_master(self, wantDb=True)
        self.workers = master.db.workers
        yield master.db.insert_test_data(
            [
                fakedb.Master(id=1),
                fakedb.Master(id=2),
                *(fakedb.Builder(id=i, name=f'b{i}') for i in (1, 2, 3)),
                *(
                    fakedb.BuilderMaster(id=10 * builder + at, builderid=builder, masterid=at)
                    for builder in (1, 2, 3)
                    for at in (1, 2)
                ),
                fakedb.Worker(id=1, name='w1', info={'os': 'x'}, paused=1),
                fakedb.Worker(id=2, name='w2', info={'os': 'y'}),
                fakedb.Worker(id=3, name='spare', info={}),
                *(
                    fakedb.ConfiguredWorker(id=at, workerid=worker, buildermasterid=at)
                    for worker, at in ((1, 11), (1, 12), (1, 21), (2, 31))
                ),
                fakedb.ConnectedWorker(id=1, masterid=1, workerid=1),
                fakedb.ConnectedWorker(id=2, masterid=2, workerid=1),
            ]
        )

    @parameterized.expand(
        [
            # arguments -> name, masters that it is connected to, builders and their masters
            (
                'all',
                {},
                [('w1', [1, 2], [(1, 1), (1, 2), (2, 1)]), ('w2', [], [(3, 1)]), ('spare', [], [])],
            ),
            ('id', {'_workerid': 2}, [('w2', [], [(3, 1)])]),
            ('name', {'_name': 'spare'}, [('spare', [], [])]),
            ('master', {'masterid': 2}, [('w1', [2], [(1, 2)])]),
            ('builder', {'builderid': 1}, [('w1', [1, 2], [(1, 1), (1, 2)])]),
            ('both', {'builderid': 3, 'masterid': 1}, [('w2', [], [(3, 1)])]),
            ('neither', {'builderid': 3, 'masterid': 2}, []),
            ('paused', {'paused': True}, [('w1', [1, 2], [(1, 1), (1, 2), (2, 1)])]),
            ('graceful', {'graceful': True}, []),
        ]
    )
    @defer.inlineCallbacks
    def test_found(self, _, words, expected):
        """The workers are found of which all that is given is true, with their builders there."""
        found = yield self.workers.getWorkers(**words)
        self.assertEqual(
            [
                (
                    worker.name,
                    sorted(worker.connected_to),
                    sorted((at.builderid, at.masterid) for at in worker.configured_on),
                )
                for worker in found
            ],
            expected,
        )

    @defer.inlineCallbacks
    def test_read_once(self):
        """What is known of a worker is read once, however many builders it builds for."""
        read = []
        decode = JsonObject.process_result_value

        def decoded(kind, value, dialect):
            read.append(value)
            return decode(kind, value, dialect)

        self.patch(JsonObject, 'process_result_value', decoded)
        found = yield self.workers.getWorker(workerid=2)
        self.assertEqual((found.workerinfo, len(read)), ({'os': 'y'}, 1))
        del read[:]
        found = yield self.workers.getWorker(workerid=1)  # connected to two masters
        self.assertEqual((len(found.configured_on), len(read)), (3, 2))
