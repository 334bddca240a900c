# SPDX-License-Identifier: GPL-2.0-only
"""New: names of copies of locks, which find a copy even if nobody uses it."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

from twisted.internet import defer

from buildbot.config.words import why_unwritable
from buildbot.locking.copies import LocksInUse
from buildbot.locking.copies import RealBranchLock
from buildbot.locking.copies import RealMasterLock
from buildbot.locking.copies import RealWorkerLock
from buildbot.locking.copies import lock_of
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockError
from buildbot.locking.poolcopy import RealPool

KINDS = {kind.kind: kind for kind in (RealMasterLock, RealWorkerLock, RealBranchLock, RealPool)}


class CopyName(NamedTuple):
    """Names a copy of a lock, even across restarts. It does not keep the copy in use.

    :param kind: kind of the lock, as the configuration calls it: ``WorkerLock``.
    :param lock: name of the lock.
    :param of: what the copy belongs to, such as a worker or a branch; None for the only copy of a
        lock, and for no branch.
    :param codebase: codebase of the branch.
    """

    kind: str
    lock: str
    of: str | None = None
    codebase: str = ''


def name_of(copy: BaseLock) -> CopyName:
    """Return the name of a copy."""
    lock, key = lock_of(copy), copy.key
    codebase, of = key if isinstance(key, tuple) else ('', key)
    return CopyName(lock.kind, copy.lockName, of, codebase)


def announce_room(copy: BaseLock, master: Any) -> None:
    """Announce that there may be room on the copy's worker, or on all workers for a pool.

    Requests may have waited for another worker because of the locks of their steps.
    """
    workers = master.workers.workers
    names = [*workers] if lock_of(copy).has_resources else [name_of(copy).of]
    for name in names:
        if name in workers:
            workers[name].announce_room()


def columns_of(copy: BaseLock, master: Any) -> dict[str, Any]:
    """Return the columns that name a copy in the tables of what people did on a master."""
    name = name_of(copy)
    return {
        'masterid': master.masterid,
        'kind': name.kind,
        'lock': name.lock,
        'copy_of': name.of,
        'codebase': name.codebase,
    }


def copy_of(lock: Any, of: str | None, codebase: str, workers: Any) -> BaseLock:
    """Return a copy of a lock, in use or not.

    :param of: see ``CopyName``.
    :param workers: the names of all workers.
    :raises LockError: the lock cannot have such a copy.
    """
    name = lock.lockName
    if isinstance(lock, BaseLock):
        return single_copy(lock, of, codebase)
    if isinstance(lock, RealWorkerLock):
        if of is None or codebase:
            raise LockError(f'lock {name!r}: it has a copy for each worker; say which')
        if of not in workers and of not in lock.copies:
            raise LockError(f'lock {name!r}: there is no worker {of!r}, so it has no such copy')
        return lock.getLockForWorker(of)
    for text in (codebase, of or ''):
        if why_unwritable(text):
            raise LockError(f'lock {name!r}: no copy can have the name {text!r}')
    defined = lock.lockid
    if defined is None:
        return lock.copy_for(codebase, of)
    if defined.key is not None:
        if codebase:
            raise LockError(f'lock {name!r}: it has a copy for each key, and none of {codebase!r}')
        return lock.lock_for_key(of)
    own = defined.codebase
    if own is not None and codebase not in ('', own):
        raise LockError(f'lock {name!r}: it is for the codebase {own!r}, not for {codebase!r}')
    # as for builds: no branch means the default branch
    return lock.copy_for(own or codebase, of or defined.defaultBranch)


def single_copy(lock: Any, of: str | None, codebase: str) -> BaseLock:
    if lock.has_resources and of is not None:
        if codebase or (lock.resource(of) is None and of not in lock.copies):
            raise LockError(f'lock {lock.lockName!r}: it has no resource {of!r}')
        return lock.copy_for(of)
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
    if lock.has_resources and name.of is not None:
        lock.expect(name.of)
        return lock.copy_for(name.of)
    return lock if isinstance(lock, BaseLock) else lock.copy_for(name.codebase, name.of)
