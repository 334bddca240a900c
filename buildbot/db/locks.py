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
