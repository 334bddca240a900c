# SPDX-License-Identifier: GPL-2.0-only
"""Names of copies before there are pools."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.locking.copies import LocksInUse
from buildbot.locking.copies import RealBranchLock
from buildbot.locking.copies import RealMasterLock
from buildbot.locking.copies import RealWorkerLock
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockError
from buildbot.process.hand.copyname import CopyName
from buildbot.process.hand.copyname import name_of

KINDS = {kind.kind: kind for kind in (RealMasterLock, RealWorkerLock, RealBranchLock)}


def announce_room(copy: BaseLock, master: Any) -> None:
    """Announce that there may be room on the copy's worker.

    Requests may have waited for another worker because of the locks of their steps.
    """
    name, workers = name_of(copy).of, master.workers.workers
    if name in workers:
        workers[name].announce_room()


def single_copy(lock: Any, of: str | None, codebase: str) -> BaseLock:
    if of is not None or codebase:
        raise LockError(f'lock {lock.lockName!r}: it has only one copy, and none of {of!r}')
    return lock


@defer.inlineCallbacks
def known_copy(botmaster: Any, name: CopyName) -> Any:
    """Return the copy with a name, whatever the configuration now says about its lock.

    :returns: Deferred of the copy, or of None if a lock of another kind now has the name.
    """
    in_use = yield LocksInUse.getService(botmaster)
    for lock in in_use.by_name():
        if lock.lockName == name.lock and lock.kind != name.kind and lock.lockid is not None:
            return None
    lock = yield KINDS[name.kind].getService(botmaster, name.lock)
    if name.kind == RealWorkerLock.kind:
        return lock.getLockForWorker(name.of)
    return lock if isinstance(lock, BaseLock) else lock.copy_for(name.codebase, name.of)
