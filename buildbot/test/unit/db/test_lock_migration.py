# SPDX-License-Identifier: GPL-2.0-only
"""The tables for locks in a database that is older than they are."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from parameterized import parameterized
from twisted.internet import defer
from twisted.trial import unittest

from buildbot.test.util import migration


class Migration(migration.MigrateTestMixin, unittest.TestCase):
    @defer.inlineCallbacks
    def setUp(self):
        yield self.setUpMigrateTest()
        model = self.master.db.model
        ours = model._own_scripts
        self.patch(model, 'alembic_get_scripts', lambda: ours)

    @parameterized.expand(
        [
            ('uses', '067', '068', ('locks', 'lock_copies', 'lock_uses')),
            ('hand', '068', '069', ('lock_holds', 'lock_quarantines', 'lock_actions')),
        ]
    )
    def test_as_in_a_new_one(self, _, before, after, names):
        """It gets the tables, columns and indices that a new database has."""
        model = self.master.db.model

        def verify(conn):
            inspector = sa.inspect(conn)
            for table in [model.metadata.tables[name] for name in names]:
                columns = [
                    (column['name'], str(column['type']), column['nullable'])
                    for column in inspector.get_columns(table.name)
                ]
                wanted: Any = [
                    (c.name, c.type.compile(conn.dialect), c.nullable) for c in table.columns
                ]
                self.assertEqual(columns, wanted)
                indices = [
                    (index['name'], index['column_names'], bool(index['unique']))
                    for index in inspector.get_indexes(table.name)
                ]
                wanted = [(i.name, i.columns.keys(), i.unique) for i in table.indexes]
                self.assertEqual(sorted(indices), sorted(wanted))
                keys = [
                    (key['constrained_columns'], key['referred_table'])
                    for key in inspector.get_foreign_keys(table.name)
                ]
                wanted = [([key.parent.name], key.column.table.name) for key in table.foreign_keys]
                self.assertEqual(keys, wanted)

        return self.do_test_migration(before, after, lambda conn: None, verify)
