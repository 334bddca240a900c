# SPDX-License-Identifier: GPL-2.0-only
"""Why pending requests, steps, groups and builds wait, in whole sentences, from the data API."""

from __future__ import annotations

from twisted.internet import defer

from buildbot.locks import MasterLock
from buildbot.process.results import SUCCESS
from buildbot.test.util.distribution import TWO
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.distribution import Slow


class ReasonsCase(DistributionCase):
    @defer.inlineCallbacks
    def reasons(self, *path):
        return (yield self.master.data.get((*path, 'reasons')))

    @defer.inlineCallbacks
    def assert_waits(self, brid, *told):
        """Check the kinds and sentences of the reasons why a request is pending."""
        found = yield self.reasons('buildrequests', brid)
        self.assertEqual([(r['kind'], r['text']) for r in found], list(told))


class Locks(ReasonsCase):
    @defer.inlineCallbacks
    def test_held(self):
        """A request in line names who holds the copy, for how long, and how many are ahead."""
        yield self.start({name: [self.lock.access('exclusive')] for name in 'abc'})
        for name in 'abc':
            yield self.request(name)
        yield self.assert_waits(1)
        held = 'waiting for lab: held by a #1 (under a minute)'
        yield self.assert_waits(2, ('lock', held))
        yield self.assert_waits(3, ('lock', f'{held}, 1 ahead'))
