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

ACTION = {
    **{'masterid': 1, 'copy': 'jtag[a]', 'at': 1.0, 'action': 'kick', 'who': 'ann'},
    **{'reason': 'why not', 'text': 'x', 'person': None, 'until': None},
}


class Copied(TestReactorMixin, unittest.TestCase):
    @defer.inlineCallbacks
    def test_locks(self):
        """Locks and copies have their ids in the other database, too, beside what is Buildbot's."""
        self.setup_test_reactor()
        masters = []
        for _ in range(2):
            masters.append((yield fakemaster.make_master(self, wantDb=True)))
        source, other = (master.db for master in masters)
        yield source.insert_test_data([fakedb.Builder(id=7, name='fw')])
        for name in ('unused', 'jtag'):
            lockid = yield source.locks.find_lock_id(name)
        ids = yield source.locks.find_copy_ids(lockid, ['jtag[a]', 'jtag[b]'])
        yield source.lock_hand.add_action('jtag', **ACTION)
        yield copydb._copy_database_with_db(source, other, False, lambda text: None)
        self.assertEqual((yield other.builders.getBuilder(7)).name, 'fw')
        self.assertEqual((yield other.locks.find_lock_id('jtag')), lockid)
        self.assertEqual((yield other.locks.find_copy_ids(lockid, ['jtag[b]', 'jtag[a]'])), ids)
        [action] = yield other.lock_hand.actions_of('jtag', None, ResultSpec())
        self.assertEqual(
            (action['copy'], action['action'], action['who']), ('jtag[a]', 'kick', 'ann')
        )
