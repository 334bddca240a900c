# SPDX-License-Identifier: GPL-2.0-only
"""New: the ids of the locks and copies in use, by which the data API knows them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from typing import Iterable
from weakref import WeakKeyDictionary
from weakref import WeakValueDictionary

from twisted.internet import defer

from buildbot.locking.copies import LocksInUse
from buildbot.locking.copies import lock_of
from buildbot.locking.copy import BaseLock
from buildbot.process.eye.rows import copies_to_see
from buildbot.util import deferredLocked
from buildbot.util.service import SharedService


class LockIds(SharedService):
    """Knows the ids of locks and copies, as long as these are in use. It keeps none of them alive.

    An id belongs to a name, and is the same after a restart. It is never reused for another name,
    even after it has been deleted.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock_ids: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._copy_ids: WeakKeyDictionary[BaseLock, int] = WeakKeyDictionary()
        self._copies: WeakValueDictionary[int, BaseLock] = WeakValueDictionary()
        # so that no id is found that is about to be deleted
        self._asking = defer.DeferredLock()

    def lock_id(self, lock: Any) -> defer.Deferred[int]:
        """Return the id of a lock."""
        return self._asking.run(self._lock_id, lock)

    def learn(self, copies: Iterable[BaseLock]) -> defer.Deferred[None]:
        """Find out the ids of copies, so that ``of`` knows them."""
        return self._asking.run(self._learn, list(copies))

    @defer.inlineCallbacks
    def _lock_id(self, lock: Any) -> Any:
        lockid = self._lock_ids.get(lock)
        if lockid is None:
            lockid = yield self.master.db.locks.find_lock_id(lock.lockName)
            self._lock_ids[lock] = lockid
        return lockid

    @defer.inlineCallbacks
    def _learn(self, copies: list[BaseLock]) -> Any:
        unknown = defaultdict(list)
        for copy in copies:
            if copy not in self._copy_ids:
                unknown[lock_of(copy)].append(copy)
        for lock, these in unknown.items():
            lockid = yield self._lock_id(lock)
            ids = yield self.master.db.locks.find_copy_ids(lockid, [copy.label for copy in these])
            for copy in these:
                self._copy_ids[copy] = ids[copy.label]
                self._copies[ids[copy.label]] = copy

    @deferredLocked('_asking')
    @defer.inlineCallbacks
    def delete_unused(self) -> Any:
        """Delete the ids of copies and locks that are not in use and have no use in the history.

        :returns: Deferred of the number of deleted ids.
        """
        in_use = yield LocksInUse.getService(self.parent)
        locks = in_use.by_name()
        copies = [copy for lock in locks for copy in copies_to_see(lock)]
        yield self._learn(copies)  # those of a run of the master before this one, say
        lockids = set()
        for lock in locks:
            lockids.add((yield self._lock_id(lock)))
        copyids = {self._copy_ids[copy] for copy in copies}
        return (yield self.master.db.locks.delete_unused(lockids, copyids))

    def of(self, copy: BaseLock) -> tuple[int, int]:
        """Return the ids of the lock and of the copy, which must be known."""
        return self._lock_ids[lock_of(copy)], self._copy_ids[copy]

    def copy(self, copyid: int) -> BaseLock | None:
        """Return the copy with an id; None if it is not in use."""
        return self._copies.get(copyid)
