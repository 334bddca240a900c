# SPDX-License-Identifier: GPL-2.0-only
"""Locks are found with the branch of the build, and claimed all or none."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot.locks import RealBranchLock
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.locks import BaseLock
    from buildbot.locks import LockAccess

    Claim = tuple[BaseLock, LockAccess]

upstream = release(__name__)


@defer.inlineCallbacks
def get_real_locks_from_accesses_raw(
    locks: Any,
    props: Any,
    builder: Any,
    workerforbuilder: Any,
    config_version: int,
    get_sources: Callable[[], list] = list,
) -> Any:
    """Turn what a configuration says into the lock copies that are meant.

    :param locks: list of accesses, or a renderable of it.
    :param props: what to render ``locks`` with; None leaves it as it is.
    :param get_sources: returns the source stamps of the build; called only if a branch matters.
    :returns: Deferred of a list of (lock, access).
    """
    found = yield upstream.get_real_locks_from_accesses_raw(
        locks, props, builder, workerforbuilder, config_version
    )
    claims = []
    for lock, access in found:
        if isinstance(lock, RealBranchLock):
            claims += [(copy, access) for copy in lock.locks_for_sources(get_sources())]
        else:
            claims.append((lock, access))
    return claims


def get_real_locks_from_accesses(locks: Any, build: Any) -> defer.Deferred[list[Claim]]:
    """Turn what a configuration says into the lock copies that are meant for a build."""
    return get_real_locks_from_accesses_raw(
        locks,
        build,
        build.builder,
        build.workerforbuilder,
        build.config_version,
        build.getAllSourceStamps,
    )


def claim_all(owner: object, claims: list[Claim]) -> bool:
    """Claim all of the locks, or none if one of them is not available.

    :param owner: who holds them from now on.
    :returns: whether they are held.
    """
    if not all(lock.isAvailable(owner, access) for lock, access in claims):
        return False
    for lock, access in claims:
        lock.claim(owner, access)
    return True


def release_all(owner: object, claims: list[Claim]) -> None:
    """Release those of the locks that the owner holds; doing it again does nothing."""
    for lock, access in claims:
        if lock.isOwner(owner, access):
            lock.release(owner, access)


def covers(held: LockAccess, wanted: LockAccess) -> bool:
    """Tell whether who holds a lock in one way may let somebody nested in it use it in another."""
    if held.mode == 'exclusive':
        return True
    return wanted.mode == 'counting' and wanted.count <= held.count
