# SPDX-License-Identifier: GPL-2.0-only
"""New: a database in memory that one master after another starts with, and that costs little."""

from __future__ import annotations

import gc
import os
import sqlite3
from functools import lru_cache
from typing import Any
from typing import Callable
from typing import cast

import sqlalchemy as sa
from twisted.internet import defer
from twisted.trial import unittest

from buildbot.db import enginestrategy
from buildbot.db.model import Model
from buildbot.test.util.serverdb import use_server


class KeptConnection(sa.engine.Connection):
    """A connection that stays open for whoever asks for one next."""

    def close(self) -> None:
        transaction = self.get_transaction()
        if transaction is not None:
            transaction.close()

    def end(self) -> None:
        super().close()


class MemoryDatabase:
    """The database in memory of one test's master after another's.

    Its engine remembers the statements that it has compiled, and has one connection. Its tables are
    made for the first master, and copied for all others.
    """

    def __init__(self) -> None:
        self.engine = cast(Any, enginestrategy.create_engine('sqlite://', basedir='.'))
        self._dispose = self.engine.dispose
        self.engine.connect = self._connect
        self.engine.dispose = self.forget
        self._connection: KeptConnection | None = None
        self._tables: sqlite3.Connection | None = None
        # what the next master begins with; None for nothing but the tables
        self._left: sqlite3.Connection | None = None
        self._is_handed_on = False

    def _connect(self) -> KeptConnection:
        if self._connection is None:
            self._connection = KeptConnection(self.engine)
        return self._connection

    def forget(self) -> None:
        """Forget what the master of a test has left, with the tables."""
        if self._connection is not None:
            if self._is_handed_on:
                self._left = self.take_copy(self._connection)
            self._connection.end()
            self._connection = None
        self._is_handed_on = False
        self._dispose()

    @defer.inlineCallbacks
    def make_tables(self, model: Model, upgrade: Callable[[Model], Any]) -> Any:
        """Make the tables that a new master needs.

        :param upgrade: makes them as Buildbot does.
        """
        if self._tables is None:
            yield upgrade(model)
            yield model.db.pool.do(self._keep)
        else:
            yield model.db.pool.do(self._copy)

    def hand_on(self) -> None:
        """Let the next master begin with what this one leaves in the end."""
        self._is_handed_on = True

    def begin_with(self, left: sqlite3.Connection | None) -> None:
        """Let the next master begin with what another one has left.

        :param left: what ``take_copy`` has returned; None for nothing.
        """
        self._left = left

    @staticmethod
    def take_copy(connection: Any) -> sqlite3.Connection:
        """Return all that is in the database now; to be called in the pool of a master."""
        copy = sqlite3.connect(':memory:', check_same_thread=False)
        connection.connection.driver_connection.backup(copy)
        return copy

    def _keep(self, connection: Any) -> None:
        self._tables = self.take_copy(connection)

    def _copy(self, connection: Any) -> None:
        left, self._left = self._left or self._tables, None
        assert left is not None
        left.backup(connection.connection.driver_connection)


@lru_cache(maxsize=1)
def known_database() -> MemoryDatabase:
    """Return the one that all tests share.

    What is there before the first of them is there for good, and no garbage: nobody looks at it
    again. Nor need anybody look for garbage several times in each test.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
    return MemoryDatabase()


def forget_in_the_end(case: unittest.TestCase) -> None:
    """Let a test forget all that it comes to have from now on, when it has ended.

    trial keeps each test to its own end, and the test would keep its master.
    """
    known = set(vars(case))

    def forget() -> None:
        for name in set(vars(case)) - known:
            if not name.startswith('_'):
                delattr(case, name)

    case.addCleanup(forget)


def use_known_database(case: unittest.TestCase) -> None:
    """Let the masters of a test that have their database in memory have the one that is known.

    If ``BUILDBOT_TEST_DB_URL`` is set, all masters have that database, which is emptied.
    """
    url = os.environ.get('BUILDBOT_TEST_DB_URL')
    if url is not None:
        use_server(case, url)
        return
    database = known_database()
    database.forget()
    database.begin_with(None)
    create_engine, upgrade = enginestrategy.create_engine, Model.upgrade

    def create(url: str, **words: Any) -> Any:
        return database.engine if url == 'sqlite://' else create_engine(url, **words)

    def make_tables(model: Model) -> Any:
        if model.db.pool.engine is not database.engine:
            return upgrade(model)
        return database.make_tables(model, upgrade)

    case.patch(enginestrategy, 'create_engine', create)
    case.patch(Model, 'upgrade', make_tables)
