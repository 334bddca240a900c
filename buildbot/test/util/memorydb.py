# SPDX-License-Identifier: GPL-2.0-only
"""New: a database in memory that one master after another starts with, and that costs little."""

from __future__ import annotations

import gc
import os
import sqlite3
import threading
from functools import lru_cache
from typing import Any
from typing import Callable
from typing import cast

import sqlalchemy as sa
from twisted.internet import defer
from twisted.trial import _synctest
from twisted.trial import unittest

from buildbot.db import enginestrategy
from buildbot.db.base import CachedMethod
from buildbot.db.base import DBConnectorComponent
from buildbot.db.model import Model
from buildbot.test.util.serverdb import ServerDatabase
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

    Its engine remembers the statements that it has compiled, and has one connection, which stays.
    Its tables are made for the first master, and emptied for all others.
    """

    def __init__(self) -> None:
        self.engine = cast(Any, enginestrategy.create_engine('sqlite://', basedir='.'))
        # SQLAlchemy would fit what it knows of a result to the columns of each statement; Buildbot
        # asks for them by their names
        self.engine.update_execution_options(_result_disable_adapt_to_context=True)
        self._dispose = self.engine.dispose
        self.engine.connect = self._connect
        self.engine.dispose = self.forget
        self._connection: KeptConnection | None = None
        self._thread = 0
        self._tables: Tables | None = None
        # what the next master begins with; None for nothing but the tables
        self._left: sqlite3.Connection | None = None
        self._is_handed_on = False

    def _connect(self) -> KeptConnection:
        if self._connection is None:
            self._connection = KeptConnection(self.engine)
            self._thread = threading.get_ident()
        return self._connection

    def forget(self) -> None:
        """Forget what the master of a test has left, with the tables."""
        if self._connection is not None:
            if self._is_handed_on:
                self._left = self.take_copy(self._connection)
            self._connection.end()
            self._connection = None
            if self._thread != threading.get_ident():
                self._dispose()  # each thread has a connection of its own
        self._is_handed_on = False

    @defer.inlineCallbacks
    def make_tables(self, model: Model, upgrade: Callable[[Model], Any]) -> Any:
        """Make the tables that a new master needs.

        :param upgrade: makes them as Buildbot does.
        """
        if self._tables is None:
            yield upgrade(model)
            yield model.db.pool.do(self._keep)
        else:
            yield model.db.pool.do(self._begin)

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
        driver = connection.connection.driver_connection
        self._tables = Tables(driver, self.take_copy(connection))

    def _begin(self, connection: Any) -> None:
        assert self._tables is not None
        driver = connection.connection.driver_connection
        left, self._left = self._left, None
        if left is None:
            self._tables.empty(driver)
        else:
            left.backup(driver)


class Tables:
    """The tables that a master needs, and the rows that they have at first.

    :param driver: where they have just been made.
    :param copy: a copy of that.
    """

    def __init__(self, driver: sqlite3.Connection, copy: sqlite3.Connection) -> None:
        self._copy = copy
        self._schema = self._version(driver)
        found = driver.execute("select name from sqlite_master where type = 'table'")
        names = [name for (name,) in found]
        self._delete = [f'delete from "{name}"' for name in names]
        self._first = {
            name: rows
            for name in names
            if (rows := driver.execute(f'select * from "{name}"').fetchall())
        }

    @staticmethod
    def _version(driver: sqlite3.Connection) -> int:
        (version,) = driver.execute('pragma schema_version').fetchone()
        return version

    def empty(self, driver: sqlite3.Connection) -> None:
        """Let a database have these tables, and no more in them than at first.

        SQLite reads again what the tables are if they are copied, which takes longer than deleting
        a few rows.
        """
        driver.rollback()
        if self._version(driver) != self._schema:
            self._copy.backup(driver)
            self._schema = self._version(driver)
            return
        for delete in self._delete:
            driver.execute(delete)
        for name, rows in self._first.items():
            places = ', '.join('?' * len(rows[0]))
            driver.executemany(f'insert into "{name}" values ({places})', rows)
        driver.commit()


@lru_cache(maxsize=1)
def known_database() -> MemoryDatabase:
    """Return the one that all tests share.

    What is there before the first of them is there for good, and no garbage: nobody looks at it
    again. Nor need anybody look for garbage several times in each test, nor trial tell each module
    before each test to forget what it has warned of: it does when the filters of warnings change.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)
    vars(_synctest)['_setWarningRegistryToNone'] = lambda modules: None
    return MemoryDatabase()


@lru_cache(maxsize=100)
def cached_methods(kind: Any) -> list[str]:
    """Return the names of the methods of a part of the database whose answers are remembered."""
    classes = reversed(kind.__mro__)
    found = {name: value for each in classes for name, value in vars(each).items()}
    return [name for name, value in found.items() if isinstance(value, CachedMethod)]


def begin_part(part: Any, connector: Any) -> None:
    """Make a part of the database, without looking through all that it has each time."""
    part.db = connector
    for name in cached_methods(part.__class__):
        setattr(part, name, getattr(part, name).get_cached_method(part))


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


def use_known_database(case: unittest.TestCase) -> MemoryDatabase | ServerDatabase:
    """Let the masters of a test that have their database in memory have the one that is known.

    If ``BUILDBOT_TEST_DB_URL`` is set, all masters have that database, which is emptied.

    :returns: the database, which can be handed on.
    """
    url = os.environ.get('BUILDBOT_TEST_DB_URL')
    if url is not None:
        return use_server(case, url)
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
    case.patch(DBConnectorComponent, '__init__', begin_part)
    return database
