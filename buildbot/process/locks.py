# SPDX-License-Identifier: GPL-2.0-only
"""Locks are found with the branch of the build, and claimed together."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Iterable
from typing import Sequence

from twisted.internet import defer

from buildbot.config.fileline import at
from buildbot.config.words import UNWRITABLE
from buildbot.config.words import can_be_written
from buildbot.config.words import hint
from buildbot.config.words import told
from buildbot.interfaces import IRenderable
from buildbot.locking.copies import RealBranchLock
from buildbot.locking.copies import RealMasterLock
from buildbot.locking.copies import RealWorkerLock
from buildbot.locking.copy import LockError
from buildbot.locks import BaseLockId
from buildbot.locks import LockAccess
from buildbot.locks import in_access
from buildbot.process.rendering import Generator
from buildbot.process.rendering import render
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.locks import BaseLock
    from buildbot.process.build import Build
    from buildbot.process.builder import Builder
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder

    Demand = list[tuple[BaseLock, LockAccess]]

upstream = release(__name__)


@defer.inlineCallbacks
def get_real_locks_from_accesses_raw(
    locks: Any,
    props: Any,
    builder: Builder,
    workerforbuilder: AbstractWorkerForBuilder | None,
    config_version: int | None,
    get_sources: Callable[[], Sequence[Any]] = tuple,
) -> Any:
    """Turn what a configuration says into the lock copies that are meant.

    :param locks: list of accesses, or a renderable of it.
    :param props: what to render ``locks`` with; None leaves it as it is.
    :param workerforbuilder: the worker whose locks are meant.
    :param get_sources: returns the source stamps of the build; called only if a branch matters.
    :returns: Deferred of a list of (lock, access), each lock once.
    :raises LockError: it is no list of locks, a lock stands twice in it, or has the name of an
        unlike one; or the worker has been lost.
    """
    worker = workerforbuilder.worker if workerforbuilder is not None else None
    if worker is None:
        raise LockError('the worker was lost before the locks could be found out')
    botmaster = builder.botmaster  # which it has no more when it has been removed meanwhile
    if props is not None:
        locks = yield render(props, locks)
        check_rendered(locks)
    if not locks:
        return []

    refuse_unlike(locks, botmaster, config_version)
    found = yield botmaster.getLockFromLockAccesses(locks, config_version)
    claims: Demand = []
    for lock, access in found:
        lock = lock.getLockForWorker(worker.workername)
        access = in_access(access)
        copies = [lock]
        if isinstance(lock, RealBranchLock):
            copies = yield copies_of(lock, access.lockid.key, props, get_sources)
        claims += [(copy, access) for copy in copies]
    if len({lock for lock, _ in claims}) < len(claims):
        found = [lock for lock, _ in claims]
        twice = next(lock for lock in found if found.count(lock) > 1)
        raise LockError(f'lock {twice.lockName!r}: it stands twice in one list')
    return claims


@defer.inlineCallbacks
def copies_of(
    lock: RealBranchLock, key: Any, props: Any, get_sources: Callable[[], Sequence[Any]]
) -> Any:
    """Find the copies of a branch lock that a build takes.

    :param key: of the lock, which takes the place of the branch; None if it has none.
    :raises LockError: the build has no such codebase, or a copy could not be told of.
    """
    if key is None:
        copies = lock.locks_for_sources(get_sources())
    else:
        rendered = yield render(props, key)
        if isinstance(rendered, Generator):
            raise LockError(f'lock {lock.lockName!r}: its key is {rendered!r}')
        copies = [lock.lock_for_key(rendered)]
    for copy in copies:
        if not can_be_written(copy.label):
            raise LockError(f'lock {lock.lockName!r}: its copy {copy.label!r} has {UNWRITABLE}')
    return copies


def check_rendered(locks: Any) -> None:
    """Refuse what a renderable has made, and is no list of locks.

    :raises LockError: it is not.
    """
    if locks and not isinstance(locks, (list, tuple)):
        raise LockError(f'locks must be a list of locks, not {told(locks)}{hint(locks)}')
    for lock in locks or ():
        is_lock = isinstance(lock, LockAccess) or hasattr(lock, 'defaultAccess')
        if not is_lock or isinstance(lock, type):
            raise LockError(f'{told(lock)} is not a lock{hint(lock)}')


def refuse_unlike(locks: Iterable[Any], botmaster: Any, config_version: int | None) -> None:
    """Refuse a lock whose name is that of an unlike one of the same configuration.

    What a renderable makes of locks is not known before a build, which is then told. An older or a
    newer configuration may say something else of a lock, and the newest one is right. A lock that
    nobody has configured is forgotten when nobody holds it or waits for it any more.

    :param locks: locks and accesses to them; what is none of Buildbot's is not judged.
    :param botmaster: the botmaster, where the locks in use are found.
    :param config_version: of the configuration that has the list.
    :raises LockError: the other lock was there first.
    """
    for lockid in ids_of(locks):
        if not isinstance(lockid, BaseLockId):
            continue
        for kind in (RealMasterLock, RealWorkerLock, RealBranchLock):
            real = kind.find(botmaster, lockid.name)
            if real is None or real.config_version != config_version:
                continue
            if real.lockid != lockid and real.is_idle and not is_configured(real, botmaster):
                real.config_version = -1
                continue
            if real.lockid is not None and real.lockid != lockid:
                raise LockError(
                    f'lock {lockid.name!r}: Two locks share this name: {lockid!r}, and'
                    f' {real.lockid!r}{at(real.lockid.written_at)}, which was there first'
                )


def is_configured(real: Any, botmaster: Any) -> bool:
    """Tell whether the configuration of a builder or a worker names a lock without a renderable."""
    named = [lock for builder in botmaster.builders.values() for lock in builder.configured_locks]
    for worker in botmaster.master.workers.workers.values():
        named += [lock if lock.family is None else lock.family for lock, _ in worker.locks]
    return any(lock is real for lock in named)


def get_real_locks_from_accesses(locks: Any, build: Build) -> defer.Deferred[Demand]:
    """Turn what a configuration says into the lock copies that are meant for a build."""
    return get_real_locks_from_accesses_raw(
        locks,
        build,
        build.builder,
        build.workerforbuilder,
        build.config_version,
        build.getAllSourceStamps,
    )


def must_be_rendered(locks: Any) -> bool:
    """Tell whether it takes the properties of a build to say which locks are meant."""
    if IRenderable.providedBy(locks):
        return True
    return any(
        IRenderable.providedBy(i) or getattr(i, 'key', None) is not None for i in ids_of(locks)
    )


def ids_of(locks: Iterable[Any]) -> list[Any]:
    """Return what a list of locks and accesses is of; a renderable in it stands for itself."""
    return [getattr(lock, 'lockid', lock) for lock in locks]


def names_of_locks(claims: Demand) -> str:
    """Return the names of locks as people are told them, but for those of which none is taken."""
    return ', '.join(lock.label for lock, access in claims if access.count)


def together(*lists: Demand) -> Demand:
    """Make one list of several, in which each lock stands once, with its strongest access."""
    strongest: dict[BaseLock, LockAccess] = {}
    for lock, access in (claim for claims in lists for claim in claims):
        known = strongest.get(lock)
        if known is None or (access.mode == 'exclusive', access.count) > (
            known.mode == 'exclusive',
            known.count,
        ):
            strongest[lock] = access
    return list(strongest.items())
