# SPDX-License-Identifier: GPL-2.0-only
"""The pending requests of a builder, when messages about them come while they are read."""

from __future__ import annotations

from twisted.internet import defer
from twisted.trial import unittest

from buildbot.process.waiting.inbox import Inbox

ROW = {
    'buildrequestid': 1,
    'claimed': False,
    'complete': False,
    'priority': 0,
    'submitted_at': 0,
}


class Reading(unittest.SynchronousTestCase):
    def test_completed_while_it_is_given_back(self):
        """What was read before a request was completed does not make it pending again."""
        rows: defer.Deferred = defer.Deferred()
        inbox = Inbox(lambda: rows, lambda brid: None, lambda: None, lambda: 0)
        read = inbox.read()
        inbox.update({**ROW, 'claimed': True})
        inbox.set_aside(1)
        inbox.update({**ROW, 'claimed': True, 'complete': True})
        rows.callback([ROW])
        self.assertEqual(self.successResultOf(read).brdicts(), [])
        inbox.put_back(1)
        self.assertEqual(inbox.requests.brdicts(), [])
