# SPDX-License-Identifier: GPL-2.0-only
"""What databases keep of texts, and that names which sort alike are told apart."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from parameterized import parameterized
from sqlalchemy.dialects import mysql
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects import sqlite
from twisted.internet import defer
from twisted.trial import unittest

from buildbot.data.resultspec import ResultSpec
from buildbot.db.texts import KeptText
from buildbot.db.texts import exactly
from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin
from buildbot.test.util.lab import set_up

WIDE = 'board \U0001f600'
ALIKE = ['main', 'Main', 'm\u00e4in', 'main ']


class Kept(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('plain', 'main', 'main'),
            ('no_text', None, None),
            ('three_bytes', '\u20ac\uffff', '\u20ac\uffff'),
            ('wide', WIDE, 'board \ufffd'),
            ('as_long_as_can_be', 'x' * 65535, 'x' * 65535),
            ('long', 'x' * 65536, 'x' * 65535),
            ('cut_in_a_character', 'xx' + '\u20ac' * 22000, 'xx' + '\u20ac' * 21844),
        ]
    )
    def test_table(self, _: str, text: Any, kept: Any) -> None:
        """MySQL keeps what it can, and other databases keep all."""
        for dialect, wanted in ((mysql, kept), (postgresql, text), (sqlite, text)):
            found = KeptText().process_bind_param(text, dialect.dialect())
            self.assertEqual(found, wanted)

    @parameterized.expand(
        [
            (mysql, 'main', b'main', 'CAST(names.name AS BINARY) = '),
            (mysql, WIDE, b'board \xef\xbf\xbd', 'CAST(names.name AS BINARY) = '),
            (mysql, 1, 1, 'names.name = '),
            (postgresql, WIDE, WIDE, 'names.name = '),
            (sqlite, WIDE, WIDE, 'names.name = '),
        ]
    )
    def test_exactly(self, database: Any, value: Any, bound: Any, words: str) -> None:
        """MySQL compares bytes, of what it keeps; other databases compare texts as they are."""
        names = sa.table('names', sa.column('name', sa.Text))
        dialect = database.dialect()
        compiled = exactly(names.c.name, value, dialect).compile(dialect=dialect)
        self.assertTrue(str(compiled).startswith(words), str(compiled))
        self.assertEqual(list(compiled.params.values()), [bound])


class Ids(TestReactorMixin, unittest.TestCase):
    @defer.inlineCallbacks
    def test_ids(self) -> Any:
        """Each lock and each copy has an id, whatever its name is, and the same one each time."""
        self.setup_test_reactor()
        master = yield fakemaster.make_master(self, wantDb=True)
        locks = master.db.locks
        names = [*ALIKE, WIDE, 'x' * 70000]
        lockids = []
        for name in names * 2:
            lockids.append((yield locks.find_lock_id(name)))
        self.assertEqual(len(set(lockids)), len(names))
        copies = [(lockid, name) for lockid in lockids[:2] for name in names]
        first = yield locks.find_copy_ids(copies)
        self.assertEqual(len(set(first.values())), len(copies))
        self.assertEqual((yield locks.find_copy_ids(copies)), first)
        self.assertEqual((yield locks.find_copy_ids(copies[1:2])), {copies[1]: first[copies[1]]})

    @defer.inlineCallbacks
    def test_other_master(self) -> Any:
        """An id that another master has given meanwhile is found, and all others are given."""
        self.setup_test_reactor()
        master = yield fakemaster.make_master(self, wantDb=True)
        locks, table = master.db.locks, master.db.model.locks
        insert = table.insert

        def insert_later() -> Any:
            table.insert = insert
            with master.db.pool.engine.connect() as connection:
                row = {'id': 7, 'name': 'b', 'name_hash': locks.hashColumns('b')}
                connection.execute(insert(), [row])
                connection.commit()
            return insert()

        self.patch(table, 'insert', insert_later)
        found = yield locks.find_lock_ids('abc')
        self.assertEqual(found['b'], 7)
        self.assertEqual((yield locks.find_lock_ids('cab')), found)
        self.assertEqual(len(set(found.values())), 3)

    @defer.inlineCallbacks
    def test_cannot_be_given(self) -> Any:
        """Whoever wants ids is told of an error of the database that is not about others' ids."""
        self.setup_test_reactor()
        master = yield fakemaster.make_master(self, wantDb=True)

        def fail() -> Any:
            raise sa.exc.IntegrityError('insert', {}, Exception('no such lock'))

        self.patch(master.db.model.lock_copies, 'insert', fail)
        with self.assertRaisesRegex(sa.exc.IntegrityError, 'no such lock'):
            yield master.db.locks.find_copy_ids([(1, 'a')])
        self.flushLoggedErrors(sa.exc.IntegrityError)


class Names(TestReactorMixin, unittest.TestCase):
    @set_up
    def setUp(self) -> Any:
        self.setup_test_reactor()
        self.master = yield fakemaster.make_master(self, wantDb=True)
        self.hand = self.master.db.lock_hand

    @defer.inlineCallbacks
    def test_quarantines(self) -> Any:
        """To end the quarantine of one copy ends that of no other whose name is alike."""
        copies = [{'masterid': 1, 'kind': 'BranchLock', 'lock': 'v', 'codebase': ''} for _ in ALIKE]
        for columns, name in zip(copies, ALIKE):
            columns['copy_of'] = name
            yield self.hand.add_quarantine(**columns, who='ann', reason='x', since=1)
        yield self.hand.delete_quarantines(**copies[0])
        rows = yield self.hand.quarantines_of(1)
        self.assertEqual([row.copy_of for row in rows], ALIKE[1:])

    @defer.inlineCallbacks
    def test_actions(self) -> Any:
        """What was done with one copy is no action of another one whose name is alike."""
        for name in (*ALIKE, WIDE):
            yield self.hand.add_action(
                'v',
                masterid=1,
                copy=name,
                at=1,
                action='held',
                who=f'{name}!',
                reason='',
                text='',
                person=None,
                until=None,
            )
        for name in (*ALIKE, WIDE):
            rows = yield self.hand.actions_of('v', name, ResultSpec())
            self.assertEqual(len(rows), 1)
            self.assertTrue((yield self.hand.is_known(f'{name}!')))
        self.assertFalse((yield self.hand.is_known('MAIN!')))
