# SPDX-License-Identifier: GPL-2.0-only
"""New: the history of waits for locks and of holdings."""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import Iterable
from typing import NamedTuple
from typing import Sequence

import sqlalchemy as sa
from twisted.internet import defer

from buildbot.db import base
from buildbot.util import epoch2datetime


class Span(NamedTuple):
    """The times of a use of a lock, in seconds, and how many units it had. It has no owner.

    :param waiting_since: None if it did not wait.
    :param held_since: None if it never got the lock.
    :param units: how many units; 0 for a use that is nested in another one.
    """

    waiting_since: float | None
    held_since: float | None
    until: float
    units: int


class LockUsesConnectorComponent(base.DBConnectorComponent):
    """Reads and writes uses of locks that have ended. It knows no present holding."""

    def add(self, uses: Sequence[dict[str, Any]]) -> defer.Deferred[None]:
        """Add rows to the history, in one statement.

        :param uses: for each row, the columns of ``lock_uses`` except its id.
        """

        def add(conn: Any) -> None:
            conn.execute(self.db.model.lock_uses.insert(), list(uses))

        return self.db.pool.do_with_transaction(add)

    def delete_before(self, time: float, masterid: int | None = None) -> defer.Deferred[int]:
        """Delete the uses that ended before a time; return how many there were.

        :param masterid: of the master whose uses they are; None stands for any.
        """
        return delete_rows(self.db, self.db.model.lock_uses.c.until, time, masterid)

    def name_of_lock(self, lockid: int) -> defer.Deferred[str | None]:
        """Return the name of the lock with an id, in use or not; None if there never was one."""
        locks = self.db.model.locks
        return self._first(sa.select(locks.c.name).where(locks.c.id == lockid))

    def names_of_copy(self, copyid: int) -> defer.Deferred[tuple[str | None, str | None]]:
        """Return the names of the lock and of the copy with an id, in use or not.

        :returns: Deferred of a pair of names; None for both if there never was such a copy.
        """
        locks, copies = self.db.model.locks, self.db.model.lock_copies
        query = sa.select(locks.c.name, copies.c.name)
        query = query.where(copies.c.id == copyid, copies.c.lockid == locks.c.id)

        def names(conn: Any) -> tuple[str | None, str | None]:
            row = conn.execute(query).first()
            return (None, None) if row is None else tuple(row)

        return self.db.pool.do(names)

    def _first(self, query: Any) -> defer.Deferred[Any]:
        return self.db.pool.do(lambda conn: conn.execute(query).scalar())

    def get(
        self,
        lockid: int | None = None,
        copyid: int | None = None,
        *,
        result_spec: Any,
    ) -> defer.Deferred[list[dict[str, Any]]]:
        """Return the uses of a lock or of a copy, as rows of the data API.

        :param result_spec: which rows, and in which order.
        """
        model = self.db.model
        uses, copies, builders = model.lock_uses, model.lock_copies, model.builders
        tables = uses.join(copies, uses.c.copyid == copies.c.id)
        tables = tables.outerjoin(builders, uses.c.builderid == builders.c.id)
        query = sa.select(
            *(column for column in uses.c if column.name != 'masterid'),
            copies.c.lockid,
            copies.c.name.label('copy'),
            builders.c.name.label('builder'),
        ).select_from(tables)
        if lockid is not None:
            query = query.where(copies.c.lockid == lockid)
        if copyid is not None:
            query = query.where(uses.c.copyid == copyid)
        return self.db.pool.do(lambda conn: result_spec.thd_execute(conn, query, row_of))

    def spans(
        self, lockid: int, since: float, take: Callable[[Iterable[Span]], Any]
    ) -> defer.Deferred[Any]:
        """Let a function read the uses of a lock that ended after a time, in the database's thread.

        :param take: takes the uses; its result is returned.
        """
        model = self.db.model
        uses, copies = model.lock_uses, model.lock_copies
        units = sa.case((uses.c.nested == 0, uses.c.units), else_=0)
        query = (
            sa.select(uses.c.waiting_since, uses.c.held_since, uses.c.until, units)
            .select_from(uses.join(copies, uses.c.copyid == copies.c.id))
            .where(copies.c.lockid == lockid, uses.c.until > since)
        )
        return self.db.pool.do(lambda conn: take(Span(*row) for row in conn.execute(query)))

    def newest(self, count: int, take: Callable[[Iterable[Any]], Any]) -> defer.Deferred[Any]:
        """Let a function read the newest uses, the newest first, in the database's thread.

        :param take: takes the rows; its result is returned.
        """
        model = self.db.model
        uses, copies = model.lock_uses, model.lock_copies
        locks, builders = model.locks, model.builders
        tables = uses.join(copies, uses.c.copyid == copies.c.id)
        tables = tables.join(locks, copies.c.lockid == locks.c.id)
        tables = tables.outerjoin(builders, uses.c.builderid == builders.c.id)
        query = (
            sa.select(
                locks.c.name.label('lock'),
                builders.c.name.label('builder'),
                uses.c.path,
                uses.c.held_since,
                uses.c.until,
                uses.c.nested,
                uses.c.kind,
                uses.c.result,
            )
            .select_from(tables)
            .order_by(uses.c.id.desc())
            .limit(count)
        )
        return self.db.pool.do(lambda conn: take(conn.execute(query)))

    def since(self, time: float, take: Callable[..., Any]) -> defer.Deferred[Any]:
        """Let a function read the uses that ended after a time, in the database's thread.

        :param take: takes the rows, as tuples of the ids of lock and builder, the three times and
            whether the use is nested; and dicts of the names of locks and builders by these ids.
            Its result is returned.
        """
        model = self.db.model
        uses, copies = model.lock_uses, model.lock_copies
        times = (uses.c.waiting_since, uses.c.held_since, uses.c.until)
        query = (
            sa.select(copies.c.lockid, uses.c.builderid, *times, uses.c.nested)
            .select_from(uses.join(copies, uses.c.copyid == copies.c.id))
            .where(uses.c.until > time)
        )

        def read(conn: Any) -> Any:
            names = [
                {row.id: row.name for row in conn.execute(sa.select(table.c.id, table.c.name))}
                for table in (model.locks, model.builders)
            ]
            return take(conn.execute(query), *names)

        return self.db.pool.do(read)


def delete_rows(db: Any, column: Any, time: float, masterid: int | None) -> defer.Deferred[int]:
    """Delete the rows of a table that have a time before this one; return how many there were.

    :param column: of the table, with the time.
    :param masterid: of the master whose rows they are; None stands for any.
    """
    query = column.table.delete().where(column < time)
    if masterid is not None:
        query = query.where(column.table.c.masterid == masterid)
    return db.pool.do_with_transaction(lambda conn: conn.execute(query).rowcount)


def row_of(row: Any) -> dict[str, Any]:
    """Return a use as a row of the data API."""
    found = dict(row._mapping)
    found['useid'] = found.pop('id')
    found['nested'] = bool(found['nested'])
    for time in ('waiting_since', 'held_since', 'until'):
        found[time] = epoch2datetime(found[time])
    return found
