# SPDX-License-Identifier: GPL-2.0-only
"""New: the ids of the locks and copies in use, by which the data API knows them."""

from __future__ import annotations

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
        yield self._learn_locks([lock])
        return self._lock_ids[lock]

    @defer.inlineCallbacks
    def _learn_locks(self, locks: Iterable[Any]) -> Any:
        unknown = [lock for lock in locks if lock not in self._lock_ids]
        if unknown:
            ids = yield self.master.db.locks.find_lock_ids(lock.lockName for lock in unknown)
            self._lock_ids.update((lock, ids[lock.lockName]) for lock in unknown)

    @defer.inlineCallbacks
    def _learn(self, copies: list[BaseLock]) -> Any:
        unknown = [copy for copy in copies if copy not in self._copy_ids]
        if not unknown:
            return
        locks = [lock_of(copy) for copy in unknown]
        yield self._learn_locks(locks)
        wanted = [(self._lock_ids[lock], copy.label) for lock, copy in zip(locks, unknown)]
        ids = yield self.master.db.locks.find_copy_ids(wanted)
        for name, copy in zip(wanted, unknown):
            self._copy_ids[copy] = ids[name]
            self._copies[ids[name]] = copy

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
        yield self._learn_locks(locks)
        lockids = {self._lock_ids[lock] for lock in locks}
        copyids = {self._copy_ids[copy] for copy in copies}
        return (yield self.master.db.locks.delete_unused(lockids, copyids))

    def of(self, copy: BaseLock) -> tuple[int, int]:
        """Return the ids of the lock and of the copy, which must be known."""
        return self._lock_ids[lock_of(copy)], self._copy_ids[copy]

    def copy(self, copyid: int) -> BaseLock | None:
        """Return the copy with an id; None if it is not in use."""
        return self._copies.get(copyid)
