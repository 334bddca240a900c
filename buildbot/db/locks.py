# SPDX-License-Identifier: GPL-2.0-only
"""New: ids of locks and of their copies, which are the same after a restart."""

from __future__ import annotations

from typing import Any
from typing import Iterable

import sqlalchemy as sa
from twisted.internet import defer

from buildbot.db import base


class LocksConnectorComponent(base.DBConnectorComponent):
    def find_lock_id(self, name: str) -> defer.Deferred[int]:
        """Return the id of the lock with a name; it is given one if it has none."""
        locks = self.db.model.locks
        name_hash = self.hashColumns(name)
        return self.findSomethingId(
            tbl=locks,
            whereclause=locks.c.name_hash == name_hash,
            insert_values={'name': name, 'name_hash': name_hash},
        )

    @defer.inlineCallbacks
    def find_copy_ids(self, lockid: int, names: Iterable[str]) -> Any:
        """Return the ids of copies of a lock; each is given one if it has none.

        :param lockid: id of the lock.
        :param names: of the copies.
        :returns: Deferred of a dict from name to id.
        """
        hashes = {self.hashColumns(name): name for name in names}
        found: dict[str, int] = {}
        for batch in self.doBatch(hashes, 300):
            ids = yield self._copy_ids(lockid, {each: hashes[each] for each in batch})
            found.update((hashes[each], copyid) for each, copyid in ids.items())
        return found

    def _copy_ids(self, lockid: int, names: dict[str, str]) -> defer.Deferred[dict[str, int]]:
        copies = self.db.model.lock_copies

        def find(conn: Any) -> dict[str, int]:
            query = sa.select(copies.c.name_hash, copies.c.id).where(
                copies.c.lockid == lockid, copies.c.name_hash.in_(list(names))
            )
            return dict(tuple(row) for row in conn.execute(query))

        def find_or_add(conn: Any) -> dict[str, int]:
            known = find(conn)
            rows = [
                {'lockid': lockid, 'name': name, 'name_hash': each}
                for each, name in names.items()
                if each not in known
            ]
            if not rows:
                return known
            try:
                conn.execute(copies.insert(), rows)
                conn.commit()
            except (sa.exc.IntegrityError, sa.exc.ProgrammingError):
                conn.rollback()  # another master was first with some of them
                for row in rows:
                    self._add_if_missing(conn, row)
            return find(conn)

        return self.db.pool.do(find_or_add)

    def _add_if_missing(self, conn: Any, row: dict[str, Any]) -> None:
        try:
            conn.execute(self.db.model.lock_copies.insert(), [row])
            conn.commit()
        except (sa.exc.IntegrityError, sa.exc.ProgrammingError):
            conn.rollback()
