# SPDX-License-Identifier: GPL-2.0-only
"""New: rows of the database for uses of locks that have ended."""

from __future__ import annotations

from typing import Any
from typing import Sequence

from twisted.internet import defer

from buildbot.process.eye.use import Use

#: the most units that every database can keep
MOST_UNITS = 2**31 - 1


class UseRows:
    """Makes rows of uses, and finds the ids for them. It does not write the rows.

    :cvar most: how many copies' ids are kept.
    """

    most = 10_000

    def __init__(self) -> None:
        # by the names of lock and copy
        self._copy_ids: dict[tuple[str, str], int] = {}

    def forget(self) -> None:
        """Forget all ids, because they may have been deleted."""
        self._copy_ids.clear()

    @defer.inlineCallbacks
    def rows_of(self, uses: Sequence[Use], master: Any) -> Any:
        """Return a Deferred of the rows of some uses."""
        yield self._learn(uses, master.db.locks)
        rows = []
        for use in uses:
            owner = use.owner
            builder = master.botmaster.builders.get(owner.builder)
            if builder is not None:
                builderid = yield builder.getBuilderId()
            elif owner.builder is not None:
                builderid = yield master.data.updates.findBuilderId(owner.builder)
            else:
                builderid = None
            rows.append(
                {
                    'copyid': self._copy_ids[use.lock, use.copy],
                    'masterid': master.masterid,
                    'kind': owner.kind,
                    'text': use.text,
                    'builderid': builderid,
                    'buildrequestid': owner.buildrequestid,
                    'buildid': owner.buildid,
                    'stepid': owner.stepid,
                    'path': owner.path,
                    'worker': owner.worker,
                    'branch': owner.branch,
                    'mode': use.mode,
                    'units': min(use.units, MOST_UNITS),
                    'nested': int(use.nested),
                    'waiting_since': use.waiting_since,
                    'held_since': use.held_since,
                    'until': use.until,
                    'result': use.result,
                }
            )
        return rows

    @defer.inlineCallbacks
    def _learn(self, uses: Sequence[Use], locks: Any) -> Any:
        if len(self._copy_ids) > self.most:
            self.forget()  # so many names must be of branches that come and go
        unknown = {(use.lock, use.copy) for use in uses} - self._copy_ids.keys()
        if unknown:
            lockids = yield locks.find_lock_ids({lock for lock, _ in unknown})
            ids = yield locks.find_copy_ids((lockids[lock], copy) for lock, copy in unknown)
            self._copy_ids.update(
                ((lock, copy), ids[lockids[lock], copy]) for lock, copy in unknown
            )
