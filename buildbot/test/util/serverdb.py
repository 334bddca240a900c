# SPDX-License-Identifier: GPL-2.0-only
"""New: a database server in the place of the databases that tests have in memory or in files."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from twisted.internet import defer
from twisted.trial import unittest

from buildbot.db import enginestrategy
from buildbot.db.model import Model
from buildbot.test.util.db import thd_clean_database


class ServerDatabase:
    """The database of a server that the masters of a test have where they say SQLite.

    It is empty for the first of them, and has what the one before has left if the test names the
    same file, or has it handed on.

    :param url: address of the database; all that is in it is deleted.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._create_engine, self._upgrade = enginestrategy.create_engine, Model.upgrade
        self._seen: set[str] = {url}
        self._to_empty: set[Any] = set()
        self._is_handed_on = False

    def hand_on(self) -> None:
        """Let the next master begin with what this one leaves in the end."""
        self._is_handed_on = True

    def create(self, wanted: str, **words: Any) -> Any:
        """Create an engine, of the server."""
        engine = self._create_engine(self._url, **words)
        if wanted not in self._seen and not self._is_handed_on:
            self._to_empty.add(engine)
        self._is_handed_on = False
        if wanted != 'sqlite://':
            self._seen.add(wanted)
        return engine

    @defer.inlineCallbacks
    def make_tables(self, model: Model) -> Any:
        """Make the tables that a new master needs."""
        engine = model.db.pool.engine
        if engine not in self._to_empty or not (yield model.db.pool.do(empty)):
            yield self._upgrade(model)
        self._to_empty.discard(engine)


def use_server(case: unittest.TestCase, url: str) -> ServerDatabase:
    """Let the masters of a test have a database of a server where it says SQLite.

    :param url: address of the database; all that is in it is deleted.
    """
    database = ServerDatabase(url)

    def upgrade(model: Model) -> Any:
        return database.make_tables(model)

    case.patch(enginestrategy, 'create_engine', database.create)
    case.patch(Model, 'upgrade', upgrade)
    return database


def empty(conn: Any) -> bool:
    """Delete what is in a database: all rows, and the tables, too, if any is missing.

    :returns: whether the tables are left.
    """
    tables = set(sa.inspect(conn).get_table_names())
    if not tables.issuperset(Model.metadata.tables):
        thd_clean_database(conn)
        return False
    rows = [name for name in tables if not name.startswith('alembic_')]
    if conn.dialect.name == 'postgresql':
        names = ', '.join(rows)
        conn.execute(sa.text(f'truncate {names} restart identity cascade'))
    else:
        conn.execute(sa.text('set foreign_key_checks = 0'))
        for name in rows:
            conn.execute(sa.text(f'truncate {name}'))
        conn.execute(sa.text('set foreign_key_checks = 1'))
    conn.commit()
    return True
