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


def use_server(case: unittest.TestCase, url: str) -> None:
    """Let the masters of a test have a database of a server where it says SQLite.

    It is empty for the first of them, and has what the one before has left if the test names the
    same file.

    :param url: address of the database; all that is in it is deleted.
    """
    create_engine, upgrade = enginestrategy.create_engine, Model.upgrade
    seen: set[str] = {url}
    to_empty: set[Any] = set()

    def create(wanted: str, **words: Any) -> Any:
        engine = create_engine(url, **words)
        if wanted not in seen:
            to_empty.add(engine)
        if wanted != 'sqlite://':
            seen.add(wanted)
        return engine

    @defer.inlineCallbacks
    def make_tables(model: Model) -> Any:
        engine = model.db.pool.engine
        if engine not in to_empty or not (yield model.db.pool.do(empty)):
            yield upgrade(model)
        to_empty.discard(engine)

    case.patch(enginestrategy, 'create_engine', create)
    case.patch(Model, 'upgrade', make_tables)


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
