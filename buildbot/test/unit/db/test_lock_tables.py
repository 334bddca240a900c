# SPDX-License-Identifier: GPL-2.0-only
"""The tables for locks are made beside Buildbot's, whoever is first, and gone when dropped."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from twisted.internet import defer
from twisted.trial import unittest

from buildbot.db.connector import DBConnector
from buildbot.db.model import OWN_TABLES
from buildbot.db.model import VERSION_TABLE
from buildbot.db.model import Model
from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin

OURS = {*OWN_TABLES, VERSION_TABLE}


class Tables(TestReactorMixin, unittest.TestCase):
    """A database of plain Buildbot, with which a master of the fork starts."""

    @defer.inlineCallbacks
    def setUp(self) -> Any:
        self.setup_test_reactor()
        self.master = yield fakemaster.make_master(self, wantDb=True)
        self.model = self.master.db.model
        yield self.model.drop_own()

    @defer.inlineCallbacks
    def tables(self) -> Any:
        return (yield self.model.db.pool.do(lambda conn: set(sa.inspect(conn).get_table_names())))

    @defer.inlineCallbacks
    def test_made(self) -> Any:
        """The tables are made once, and Buildbot still finds its own revision."""
        before = yield self.tables()
        for _ in range(2):
            yield self.model.upgrade_own()
            self.assertEqual((yield self.tables()) - before, OURS)
        self.assertTrue((yield self.model.is_current()))

    @defer.inlineCallbacks
    def test_dropped(self) -> Any:
        """All that is ours goes, and nothing else."""
        before = yield self.tables()
        yield self.model.upgrade_own()
        yield self.model.drop_own()
        self.assertEqual((yield self.tables()), before)
        self.assertFalse(before & OURS)

    @defer.inlineCallbacks
    def test_another_was_first(self) -> Any:
        """A master that finds the tables being made by another one goes on with them."""
        yield self.model.upgrade_own()
        yield self.model.db.pool.do(self.forget_version)
        self.patch(Model, 'table_exists', self.late(Model.table_exists))
        yield self.model.upgrade_own()
        self.assertLessEqual(OURS - {VERSION_TABLE}, (yield self.tables()))

    def forget_version(self, conn: Any) -> None:
        conn.execute(sa.text(f'delete from {VERSION_TABLE}'))
        conn.commit()

    def late(self, table_exists: Any) -> Any:
        looks: list[str] = []

        def look(model: Any, conn: Any, table: str) -> Any:
            looks.append(table)
            return len(looks) > 1 and table_exists(model, conn, table)

        return look

    @defer.inlineCallbacks
    def test_may_not(self) -> Any:
        """A master that may not make tables starts all the same, and says what is missing."""
        self.patch(
            Model, 'upgrade_own', lambda _: defer.fail(sa.exc.OperationalError('', {}, 'no'))
        )
        self.patch(Model, 'upgrade', lambda _: defer.succeed(None))
        self.patch(Model, 'is_current', lambda _: defer.succeed(True))
        yield DBConnector.setup(self.master.db)
        self.assertEqual(len(self.flushLoggedErrors(sa.exc.OperationalError)), 1)
