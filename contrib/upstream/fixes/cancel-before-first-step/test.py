# SPDX-License-Identifier: GPL-2.0-only
"""A build that is cancelled early ends."""

from unittest.mock import Mock

from twisted.internet import defer

from buildbot.process.results import CANCELLED
from buildbot_overlay import release

upstream = release(__name__)


class TestBuild(upstream.TestBuild):
    @defer.inlineCallbacks
    def test_cancel_while_build_is_being_created(self):
        b = self.build
        b.conn = None
        finished = Mock()
        self.patch(self.builder, 'buildFinished', finished)
        self.master.botmaster.add_in_progress_buildrequest(9385)
        self.master.botmaster.maybe_cancel_in_progress_buildrequest(9385, 'stop it')

        yield b.startBuild(self.workerforbuilder)

        self.assertEqual(b.results, CANCELLED)
        finished.assert_called_once_with(b, self.workerforbuilder)
        build = yield self.master.data.get(('builds', b.buildid))
        self.assertTrue(build['complete'])
        self.assertEqual(build['state_string'], 'cancelled (stop it)')
