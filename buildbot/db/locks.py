# SPDX-License-Identifier: GPL-2.0-only
"""New: ids of locks and of their copies, which stay the same after a restart."""

from __future__ import annotations

from typing import Any
from typing import Iterable
from typing import Sequence

import sqlalchemy as sa
from twisted.internet import defer

from buildbot.db import base


class LocksConnectorComponent(base.DBConnectorComponent):
    """Gives ids to locks and copies, and deletes unused ones. It knows no lock in use."""

    @defer.inlineCallbacks
    def find_lock_id(self, name: str) -> Any:
        """Return the id of the lock with a name; it gets one if it has none."""
        found = yield self.find_lock_ids([name])
        return found[name]

    @defer.inlineCallbacks
    def find_lock_ids(self, names: Iterable[str]) -> Any:
        """Return the ids of locks, by name; each gets one if it has none."""
        rows = {name: self._named(name) for name in names}
        ids = yield self._find_ids(self.db.model.locks, ['name_hash'], list(rows.values()))
        return dict(zip(rows, ids))

    @defer.inlineCallbacks
    def find_copy_ids(self, copies: Iterable[tuple[int, str]]) -> Any:
        """Return the ids of copies, each by the id of its lock and its name.

        A copy gets an id if it has none.
        """
        rows = {(lockid, name): self._named(name, lockid=lockid) for lockid, name in copies}
        keys = ['lockid', 'name_hash']
        ids = yield self._find_ids(self.db.model.lock_copies, keys, list(rows.values()))
        return dict(zip(rows, ids))

    def _named(self, name: str, **words: Any) -> dict[str, Any]:
        return {'name': name, 'name_hash': self.hashColumns(name), **words}

    def _find_ids(
        self, table: Any, keys: Sequence[str], rows: list[dict[str, Any]]
    ) -> defer.Deferred[list[int]]:
        # returns the ids of rows, in order; the missing ones are added
        def find(conn: Any) -> dict[Any, int]:
            found: dict[Any, int] = {}
            for batch in self.doBatch(rows, 300):
                query = sa.select(table).where(
                    *(table.c[key].in_({row[key] for row in batch}) for key in keys)
                )
                found.update((by_keys(row._mapping), row.id) for row in conn.execute(query))
            return found

        def by_keys(row: Any) -> Any:
            return tuple(row[key] for key in keys)

        def find_or_add(conn: Any) -> list[int]:
            found = find(conn)
            while missing := [row for row in rows if by_keys(row) not in found]:
                known = len(found)
                try:
                    conn.execute(table.insert(), missing)
                except (sa.exc.IntegrityError, sa.exc.ProgrammingError):
                    # another master has added one of them meanwhile
                    conn.rollback()
                    found = find(conn)
                    if len(found) == known:
                        raise
                else:
                    conn.commit()
                    found = find(conn)
            return [found[by_keys(row)] for row in rows]

        return self.db.pool.do(find_or_add)

    def delete_unused(self, lockids: set[int], copyids: set[int]) -> defer.Deferred[int]:
        """Delete the ids of copies that no use refers to, and then of locks that have no copies.

        An id is never given again: some databases take the one after the largest that exists, so
        the largest one stays. Another active master may still use an id, so nothing is deleted
        while there is one.

        :param lockids: of locks that are to stay.
        :param copyids: of copies that are to stay.
        :returns: Deferred of the number of deleted rows.
        """
        assert self.db.master is not None
        model, masterid = self.db.model, self.db.master.masterid
        masters, copies, uses = model.masters, model.lock_copies, model.lock_uses

        def delete(conn: Any) -> int:
            others = sa.select(masters.c.id).where(masters.c.active == 1, masters.c.id != masterid)
            if conn.execute(others).first() is not None:
                return 0
            without_uses = ~sa.exists().where(uses.c.copyid == copies.c.id)
            without_copies = ~sa.exists().where(copies.c.lockid == model.locks.c.id)
            return self._delete_ids(conn, copies, without_uses, copyids) + self._delete_ids(
                conn, model.locks, without_copies, lockids
            )

        return self.db.pool.do_with_transaction(delete)

    def _delete_ids(self, conn: Any, table: Any, where: Any, but: set[int]) -> int:
        newest = conn.execute(sa.select(sa.func.max(table.c.id))).scalar()
        found = {row.id for row in conn.execute(sa.select(table.c.id).where(where))}
        unused = found - but - {newest}
        for batch in self.doBatch(sorted(unused), 300):
            conn.execute(table.delete().where(table.c.id.in_(batch)))
        return len(unused)
