# SPDX-License-Identifier: GPL-2.0-only
"""A build that could not be started is tried again."""

from twisted.internet import defer

from buildbot.test import fakedb
from buildbot_overlay import release

upstream = release(__name__)


class TestMaybeStartBuilds(upstream.TestMaybeStartBuilds):
    @defer.inlineCallbacks
    def test_bldr_maybeStartBuild_fails_tries_builder_again(self):
        self.patch(self.bldr, 'maybeStartBuild', lambda worker, builds: defer.succeed(False))
        self.addWorkers({'test-worker1': 1})
        rows = [*self.base_rows, fakedb.BuildRequest(id=10, buildsetid=11, builderid=77)]

        yield self.do_test_maybeStartBuildsOnBuilder(rows=rows)

        self.botmaster.maybeStartBuildsForBuilder.assert_called_once_with('A')
