# SPDX-License-Identifier: GPL-2.0-only
"""The priorities of build requests in the database."""

from __future__ import annotations

from parameterized import parameterized
from twisted.internet import defer
from twisted.trial import unittest

from buildbot.db.buildrequests import NotClaimedError
from buildbot.test import fakedb
from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin
from buildbot.test.util.lab import set_up


class Priority(TestReactorMixin, unittest.TestCase):
    @set_up
    def setUp(self):
        self.setup_test_reactor()
        master = yield fakemaster.make_master(self, wantDb=True)
        self.requests = master.db.buildrequests
        yield master.db.insert_test_data(
            [
                fakedb.SourceStamp(id=234),
                fakedb.Builder(id=1, name='a'),
                fakedb.Buildset(id=1),
                fakedb.BuildsetSourceStamp(buildsetid=1, sourcestampid=234),
                *(
                    fakedb.BuildRequest(id=i, buildsetid=1, builderid=1, complete=int(i > 250))
                    for i in range(1, 252)
                ),
            ]
        )

    @defer.inlineCallbacks
    def urgent(self):
        found = yield self.requests.getBuildRequests()
        return sorted(request.buildrequestid for request in found if request.priority == 7)

    @parameterized.expand([('one', [3]), ('many', list(range(1, 251))), ('none', [])])
    @defer.inlineCallbacks
    def test_changed(self, _, brids):
        """All that are named have the priority, and no other."""
        yield self.requests.set_build_requests_priority(brids, 7)
        self.assertEqual((yield self.urgent()), brids)

    @parameterized.expand([('complete', 251), ('unknown', 999)])
    @defer.inlineCallbacks
    def test_refused(self, _, wrong):
        """If one is complete or unknown it is told, and the others are as they were."""
        error = yield self.assertFailure(
            self.requests.set_build_requests_priority([*range(1, 150), wrong], 7), NotClaimedError
        )
        batch = [*range(101, 150), wrong]
        self.assertEqual(
            str(error),
            f'1 of the build requests {batch} are complete or unknown, so their priority is not'
            ' changed',
        )
        self.assertEqual(len(self.flushLoggedErrors(NotClaimedError)), 1)  # the pool's
        self.assertEqual((yield self.urgent()), [])
