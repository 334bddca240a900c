# SPDX-License-Identifier: GPL-2.0-only
"""A result that is not a list of builders stops nobody."""

from parameterized import parameterized
from twisted.internet import defer

from buildbot_overlay import release

upstream = release(__name__)


class Test(upstream.Test):
    @parameterized.expand(
        [
            ('none', None, TypeError),
            ('names', ['x', 'y'], AttributeError),
        ]
    )
    @defer.inlineCallbacks
    def test_sortBuilders_custom_no_builders(self, name, result, error):
        self.useMock_maybeStartBuildsOnBuilder()
        self.addBuilders(['x', 'y'])
        self.master.config.prioritizeBuilders = lambda master, builders: result

        names = yield self.brd._sortBuilders(['y', 'x'])

        self.assertEqual(names, ['y', 'x'])
        self.assertEqual(len(self.flushLoggedErrors(error)), 1)
