# SPDX-License-Identifier: GPL-2.0-only
"""New: the ids of the locks and copies in use, by which the data API knows them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any
from typing import Iterable
from weakref import WeakKeyDictionary
from weakref import WeakValueDictionary

from twisted.internet import defer

from buildbot.locking.copies import lock_of
from buildbot.locking.copy import BaseLock
from buildbot.util.service import SharedService


class LockIds(SharedService):
    """Knows the ids of locks and copies, as long as these are in use. It keeps none of them alive.

    An id belongs to a name, and is the same after a restart.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock_ids: WeakKeyDictionary[Any, int] = WeakKeyDictionary()
        self._copy_ids: WeakKeyDictionary[BaseLock, int] = WeakKeyDictionary()
        self._copies: WeakValueDictionary[int, BaseLock] = WeakValueDictionary()

    @defer.inlineCallbacks
    def lock_id(self, lock: Any) -> Any:
        """Return the id of a lock.

        :returns: Deferred of an int.
        """
        lockid = self._lock_ids.get(lock)
        if lockid is None:
            lockid = yield self.master.db.locks.find_lock_id(lock.lockName)
            self._lock_ids[lock] = lockid
        return lockid

    @defer.inlineCallbacks
    def learn(self, copies: Iterable[BaseLock]) -> Any:
        """Find out the ids of copies, so that ``of`` knows them.

        :returns: Deferred that fires when it is done.
        """
        unknown = defaultdict(list)
        for copy in copies:
            if copy not in self._copy_ids:
                unknown[lock_of(copy)].append(copy)
        for lock, these in unknown.items():
            lockid = yield self.lock_id(lock)
            ids = yield self.master.db.locks.find_copy_ids(lockid, [copy.label for copy in these])
            for copy in these:
                self._copy_ids[copy] = ids[copy.label]
                self._copies[ids[copy.label]] = copy

    def of(self, copy: BaseLock) -> tuple[int, int]:
        """Return the ids of the lock and of the copy, which must be known."""
        return self._lock_ids[lock_of(copy)], self._copy_ids[copy]

    def copy(self, copyid: int) -> BaseLock | None:
        """Return the copy with an id; None if it is not in use."""
        return self._copies.get(copyid)
