# SPDX-License-Identifier: GPL-2.0-only
"""The priority of several requests is changed."""

from twisted.internet import defer

from buildbot.test import fakedb
from buildbot_overlay import release

upstream = release(__name__)


class Tests(upstream.Tests):
    @defer.inlineCallbacks
    def test_set_build_requests_priority(self):
        yield self.master.db.insert_test_data(
            [
                fakedb.BuildRequest(id=brid, buildsetid=self.BSID, builderid=self.BLDRID1)
                for brid in (44, 45, 46)
            ]
        )

        yield self.db.buildrequests.set_build_requests_priority(brids=[44, 46], priority=7)

        brdicts = yield self.db.buildrequests.getBuildRequests(bsid=self.BSID)
        priorities = {brdict.buildrequestid: brdict.priority for brdict in brdicts}
        self.assertEqual(priorities, {44: 7, 45: 0, 46: 7})
