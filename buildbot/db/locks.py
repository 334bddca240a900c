# SPDX-License-Identifier: GPL-2.0-only
"""New: ids of locks and of their copies, which stay the same after a restart."""

from __future__ import annotations

from typing import Any
from typing import Iterable

import sqlalchemy as sa
from twisted.internet import defer

from buildbot.db import base


class LocksConnectorComponent(base.DBConnectorComponent):
    """Gives ids to locks and copies, and deletes unused ones. It knows no lock in use."""

    def find_lock_id(self, name: str) -> defer.Deferred[int]:
        """Return the id of the lock with a name; it gets one if it has none."""
        locks = self.db.model.locks
        name_hash = self.hashColumns(name)
        return self.findSomethingId(
            tbl=locks,
            whereclause=locks.c.name_hash == name_hash,
            insert_values={'name': name, 'name_hash': name_hash},
        )

    @defer.inlineCallbacks
    def find_copy_ids(self, lockid: int, names: Iterable[str]) -> Any:
        """Return the ids of copies of a lock, by name; each gets one if it has none."""
        found: dict[str, int] = {}
        for batch in self.doBatch(names, 300):
            hashes = {self.hashColumns(name): name for name in batch}
            known = yield self._known_copies(lockid, list(hashes))
            for name_hash, name in hashes.items():
                copyid = known.get(name_hash)
                if copyid is None:
                    copyid = yield self._find_copy_id(lockid, name, name_hash)
                found[name] = copyid
        return found

    def _known_copies(self, lockid: int, hashes: list[str]) -> defer.Deferred[dict[str, int]]:
        copies = self.db.model.lock_copies

        def find(conn: Any) -> dict[str, int]:
            query = sa.select(copies.c.name_hash, copies.c.id).where(
                copies.c.lockid == lockid, copies.c.name_hash.in_(hashes)
            )
            return {row.name_hash: row.id for row in conn.execute(query)}

        return self.db.pool.do(find)

    def _find_copy_id(self, lockid: int, name: str, name_hash: str) -> defer.Deferred[int]:
        copies = self.db.model.lock_copies
        return self.findSomethingId(
            tbl=copies,
            whereclause=(copies.c.lockid == lockid) & (copies.c.name_hash == name_hash),
            insert_values={'lockid': lockid, 'name': name, 'name_hash': name_hash},
        )

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
