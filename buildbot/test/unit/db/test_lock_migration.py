# SPDX-License-Identifier: GPL-2.0-only
"""The tables for locks in a database that is older than they are."""

from __future__ import annotations

import sqlalchemy as sa
from parameterized import parameterized
from twisted.internet import defer
from twisted.trial import unittest

from buildbot.db.model import Model
from buildbot.test.util import migration


class Migration(migration.MigrateTestMixin, unittest.TestCase):
    @defer.inlineCallbacks
    def setUp(self):
        yield self.setUpMigrateTest()
        model = self.master.db.model
        ours = model._own_scripts
        self.patch(model, 'alembic_get_scripts', lambda: ours)

    def check_migration(self, before, after, names, begin=lambda conn: None):
        model = self.master.db.model
        tables = [model.metadata.tables[name] for name in names]

        def verify(conn):
            migrated = [shape_of(conn, name) for name in names]
            for name in reversed(names):
                conn.execute(sa.text(f'drop table {name}'))
            model.metadata.create_all(bind=conn, tables=tables)
            self.assertEqual(migrated, [shape_of(conn, name) for name in names])

        return self.do_test_migration(before, after, begin, verify)

    def test_uses(self):
        """It gets the tables of locks and uses, with the columns and indices of a new database."""
        return self.check_migration('067', '068', ('locks', 'lock_copies', 'lock_uses'))

    def test_hand(self):
        """It gets the tables of manual holds and actions as a new database has them."""
        tables = ('lock_holds', 'lock_quarantines', 'lock_actions')
        return self.check_migration('068', '069', tables)

    @parameterized.expand([('without_resources', True), ('with_resources', False)])
    def test_resources(self, _, is_older):
        """Its table of holds gets the column for resources if it does not have it yet."""

        def begin(conn):
            Model.lock_holds.create(conn)
            if is_older:
                conn.execute(sa.text('alter table lock_holds drop column resources'))
            conn.commit()

        return self.check_migration('069', '070', ['lock_holds'], begin)


def shape_of(conn, name):
    """Return what the database says of a table: its columns, indices and foreign keys."""
    inspector = sa.inspect(conn)
    columns = [
        (column['name'], str(column['type']), column['nullable'])
        for column in inspector.get_columns(name)
    ]
    indices = [
        (index['name'], index['column_names'], bool(index['unique']))
        for index in inspector.get_indexes(name)
    ]
    keys = [
        (key['constrained_columns'], key['referred_table'], key['options'])
        for key in inspector.get_foreign_keys(name)
    ]
    return columns, sorted(indices), keys
