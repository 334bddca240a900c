# SPDX-License-Identifier: GPL-2.0-only
"""Room for builds is used."""

from parameterized import parameterized
from twisted.internet import defer

from buildbot_overlay import release

upstream = release(__name__)


class TestAbstractWorker(upstream.TestAbstractWorker):
    @parameterized.expand(
        [
            ('raised', 1, 2, ['bot']),
            ('no_limit', 1, None, ['bot']),
            ('lowered', 2, 1, []),
            ('same', 1, 1, []),
        ]
    )
    @defer.inlineCallbacks
    def test_reconfigService_max_builds(self, name, before, after, exp_started):
        old = yield self.createWorker(max_builds=before)
        # another argument changes as well, so that it is reconfigured in any case
        new = yield self.createWorker(configured=False, max_builds=after, missing_timeout=121)
        self.patch(old, 'updateWorker', lambda: defer.succeed(None))

        yield self.do_test_reconfigService(old, new)

        self.assertEqual(self.botmaster.buildsStartedForWorkers, exp_started)
