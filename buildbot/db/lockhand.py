# SPDX-License-Identifier: GPL-2.0-only
"""New: what people hold by hand, which copies are in quarantine, and who did what."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from twisted.internet import defer

from buildbot.db import base
from buildbot.db.lockuses import delete_rows
from buildbot.db.texts import exactly
from buildbot.db.texts import kept
from buildbot.util import epoch2datetime


class LockHandConnectorComponent(base.DBConnectorComponent):
    """Reads and writes holds by hand, quarantines and actions. It takes no lock."""

    def is_there(self) -> defer.Deferred[bool]:
        """Tell whether the tables exist; a master that may not make them runs without them."""
        model = self.db.model
        return self.db.pool.do(lambda conn: model.table_exists(conn, model.lock_holds.name))

    def can_keep(self, name: str) -> bool:
        """Tell whether the database keeps a name unchanged, so that it is found after a restart."""
        return kept(name, self.db.pool.engine.dialect) == name

    def holds_of(self, masterid: int) -> defer.Deferred[list[Any]]:
        """Return the rows of the holds of a master, in the order in which they were granted."""
        holds = self.db.model.lock_holds
        order = (holds.c.held_since.is_(None), holds.c.held_since, holds.c.asked_at, holds.c.id)
        return self._rows(holds.select().where(holds.c.masterid == masterid).order_by(*order))

    def add_hold(self, **columns: Any) -> defer.Deferred[int]:
        """Add a hold with these columns; return a Deferred of its id."""
        return self._add(self.db.model.lock_holds, columns)

    def change_hold(self, holdid: int, **columns: Any) -> defer.Deferred[None]:
        """Change columns of a hold."""
        holds = self.db.model.lock_holds
        return self._do(holds.update().where(holds.c.id == holdid).values(**columns))

    def delete_hold(self, holdid: int) -> defer.Deferred[None]:
        """Delete a hold that has ended."""
        holds = self.db.model.lock_holds
        return self._do(holds.delete().where(holds.c.id == holdid))

    def quarantines_of(self, masterid: int) -> defer.Deferred[list[Any]]:
        """Return the rows of the quarantines of a master, the oldest first."""
        rows = self.db.model.lock_quarantines
        return self._rows(rows.select().where(rows.c.masterid == masterid).order_by(rows.c.id))

    def add_quarantine(self, **columns: Any) -> defer.Deferred[int]:
        """Add a quarantine with these columns; return a Deferred of its id."""
        return self._add(self.db.model.lock_quarantines, columns)

    def delete_quarantine(self, quarantineid: int) -> defer.Deferred[None]:
        """Delete one quarantine."""
        rows = self.db.model.lock_quarantines
        return self._do(rows.delete().where(rows.c.id == quarantineid))

    def delete_quarantines(self, **columns: Any) -> defer.Deferred[None]:
        """Delete the quarantines of a copy, which these columns name together with the master."""
        rows = self.db.model.lock_quarantines
        same = [self._is(rows.c[name], value) for name, value in columns.items()]
        return self._do(rows.delete().where(*same))

    def add_action(self, lock: str, **columns: Any) -> defer.Deferred[int]:
        """Add something that was done with a copy, or that resulted from it.

        :param lock: name of the lock.
        :param columns: of ``lock_actions``, except its id.
        :returns: Deferred of the id.
        """
        columns.update(lock=lock, lock_hash=self.hashColumns(lock))
        return self._add(self.db.model.lock_actions, columns)

    def actions_of(
        self, lock: str, copy: str | None, result_spec: Any
    ) -> defer.Deferred[list[dict[str, Any]]]:
        """Return what was done with a lock, as rows of the data API.

        :param copy: name of the copy; None for all of them.
        :param result_spec: which rows, and in which order.
        """
        rows = self.db.model.lock_actions
        query = rows.select().where(rows.c.lock_hash == self.hashColumns(lock))
        if copy is not None:
            query = query.where(self._is(rows.c.copy, copy))
        return self.db.pool.do(lambda conn: result_spec.thd_execute(conn, query, action_of))

    def is_known(self, person: str) -> defer.Deferred[bool]:
        """Tell whether somebody with this name has ever done anything by hand."""
        rows = self.db.model.lock_actions
        same = (self._is(column, person) for column in (rows.c.who, rows.c.person))
        query = sa.select(rows.c.id).where(sa.or_(*same))
        return self.db.pool.do(lambda conn: conn.execute(query.limit(1)).first() is not None)

    def delete_before(self, time: float, masterid: int | None = None) -> defer.Deferred[int]:
        """Delete what was done before a time; return how many rows that was.

        :param masterid: of the master where it was done; None stands for any.
        """
        return delete_rows(self.db, self.db.model.lock_actions.c.at, time, masterid)

    def _is(self, column: Any, value: Any) -> Any:
        return exactly(column, value, self.db.pool.engine.dialect)

    def _rows(self, query: Any) -> defer.Deferred[list[Any]]:
        return self.db.pool.do(lambda conn: list(conn.execute(query)))

    def _add(self, table: Any, columns: dict[str, Any]) -> defer.Deferred[int]:
        def add(conn: Any) -> int:
            return conn.execute(table.insert().values(**columns)).inserted_primary_key[0]

        return self.db.pool.do_with_transaction(add)

    def _do(self, statement: Any) -> defer.Deferred[None]:
        def do(conn: Any) -> None:
            conn.execute(statement)

        return self.db.pool.do_with_transaction(do)


def action_of(row: Any) -> dict[str, Any]:
    return {
        'actionid': row.id,
        'lock': row.lock,
        'copy': row.copy,
        'at': epoch2datetime(row.at),
        'action': row.action,
        'who': row.who,
        'reason': row.reason,
        'text': row.text,
        'person': row.person,
        'until_at': epoch2datetime(row.until),
    }
