# SPDX-License-Identifier: GPL-2.0-only
"""The rows of steps whose master has gone."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.trial import unittest

from buildbot.test import fakedb
from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin
from buildbot.test.util.lab import set_up


class Interrupted(TestReactorMixin, unittest.TestCase):
    @set_up
    def setUp(self) -> Any:
        self.setup_test_reactor()
        self.master = yield fakemaster.make_master(self, wantDb=True, wantMq=True, wantData=True)
        yield self.master.db.insert_test_data(
            [
                *(fakedb.Master(id=1), fakedb.Master(id=2, name='other')),
                *(fakedb.Worker(id=1, name='w1'), fakedb.Builder(id=1, name='b')),
                *(fakedb.Buildset(id=1), fakedb.BuildRequest(id=1, buildsetid=1, builderid=1)),
                *(
                    fakedb.Build(
                        id=i, number=i, buildrequestid=1, builderid=1, workerid=1, masterid=i
                    )
                    for i in (1, 2)
                ),
                fakedb.Step(id=1, name='s1', number=1, buildid=1, state_string='running'),
                fakedb.Step(id=2, name='s2', number=2, buildid=1, state_string='interrupted; x'),
                fakedb.Step(id=3, name='s3', number=1, buildid=2, state_string='y'),
            ]
        )

    @defer.inlineCallbacks
    def test_rows(self) -> Any:
        """A step that a dead master leaves says once that it was interrupted."""
        yield self.master.data.rtypes.master._mark_interrupted(1)
        rows = []
        for stepid in (1, 2, 3):
            rows.append((yield self.master.data.get(('steps', stepid)))['state_string'])
        self.assertEqual(rows, ['interrupted; running', 'interrupted; x', 'y'])
