# SPDX-License-Identifier: GPL-2.0-only
"""``buildbot copy-db`` with the tables for locks."""

from __future__ import annotations

from twisted.internet import defer
from twisted.trial import unittest

from buildbot.data.resultspec import ResultSpec
from buildbot.scripts import copydb
from buildbot.test import fakedb
from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin
from buildbot.test.util.lab import set_up

ACTION = {
    'masterid': 1,
    'copy': 'jtag[a]',
    'at': 1.0,
    'action': 'kick',
    'who': 'ann',
    'reason': 'why not',
    'text': 'x',
    'person': None,
    'until': None,
}


class Copied(TestReactorMixin, unittest.TestCase):
    @set_up
    def setUp(self):
        self.setup_test_reactor()
        masters = []
        for _ in range(2):
            masters.append((yield fakemaster.make_master(self, wantDb=True)))
        self.source, self.other = (master.db for master in masters)

    def copy(self):
        return copydb._copy_database_with_db(self.source, self.other, False, lambda text: None)

    @defer.inlineCallbacks
    def test_locks(self):
        """Locks and copies have their ids in the other database, too, beside what is Buildbot's."""
        yield self.source.insert_test_data([fakedb.Builder(id=7, name='fw')])
        for name in ('unused', 'jtag'):
            lockid = yield self.source.locks.find_lock_id(name)
        copies = [(lockid, 'jtag[a]'), (lockid, 'jtag[b]')]
        ids = yield self.source.locks.find_copy_ids(copies)
        yield self.copy()
        other = self.other.locks
        self.assertEqual((yield self.other.builders.getBuilder(7)).name, 'fw')
        self.assertEqual((yield other.find_lock_id('jtag')), lockid)
        self.assertEqual((yield other.find_copy_ids(copies[::-1])), ids)

    @defer.inlineCallbacks
    def test_actions(self):
        """The other database has what people did with locks, too."""
        yield self.source.lock_hand.add_action('jtag', **ACTION)
        yield self.copy()
        [action] = yield self.other.lock_hand.actions_of('jtag', None, ResultSpec())
        self.assertEqual(
            (action['copy'], action['action'], action['who']), ('jtag[a]', 'kick', 'ann')
        )
