# SPDX-License-Identifier: GPL-2.0-only
"""New: locks, copies, who holds them and who waits, as rows for those who look on."""

from __future__ import annotations

from typing import Any

from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locking.owner import holds_since
from buildbot.locking.owner import thing_of
from buildbot.locking.owner import waits_since
from buildbot.locking.pool import Holding
from buildbot.process.eye.words import short_name
from buildbot.process.lockfacts import facts_of
from buildbot.util import epoch2datetime

KINDS = {'MasterLock': 'master', 'WorkerLock': 'worker', 'BranchLock': 'branch'}


def copies_in_use(lock: Any) -> list[BaseLock]:
    """Return the copies of a lock that are in use, by name."""
    if isinstance(lock, BaseLock):
        return [lock]
    return sorted(lock.all_copies(), key=lambda copy: copy.label)


def lock_row(lock: Any, lockid: int) -> dict[str, Any]:
    copies = copies_in_use(lock)
    since = [since for copy in copies if (since := oldest_wait(copy)) is not None]
    return {
        'lockid': lockid,
        'name': lock.lockName,
        'kind': KINDS.get(lock.kind, 'master'),
        'copies': len(copies),
        'used': sum(copy.used for copy in copies),
        'capacity': sum(copy.maxCount for copy in copies),
        'waiting': sum(copy.line_length for copy in copies),
        'oldest_wait_at': epoch2datetime(min(since, default=None)),
    }


def copy_row(copy: BaseLock, lockid: int, copyid: int) -> dict[str, Any]:
    lock = copy.lockName
    return {
        'copyid': copyid,
        'lockid': lockid,
        'lock': lock,
        'name': copy.label,
        **scope_of(copy),
        'capacity': copy.maxCount,
        'used': copy.used,
        'exclusive': copy.is_held_exclusively,
        'waiting': copy.line_length,
        'oldest_wait_at': epoch2datetime(oldest_wait(copy)),
    }


def scope_of(copy: BaseLock) -> dict[str, Any]:
    """Say whose copy it is."""
    scope = {'scope': 'master', 'worker': None, 'codebase': None, 'branch': None, 'key': None}
    if copy.family is not None:
        scope.update(copy.family.scope_of(copy))
    return scope


def oldest_wait(copy: BaseLock) -> float | None:
    """Return since when the one who has waited longest waits for a copy; None if nobody does."""
    oldest = None
    for claim in copy.unsorted_line():  # there may be thousands, at each event of the copy
        since = waits_since(thing_of(claim.owner))
        if since is not None and (oldest is None or since < oldest):
            oldest = since
    return oldest


def owner_row(
    thing: Any, copy: BaseLock, ids: tuple[int, int], exclusive: bool, units: int
) -> dict[str, Any]:
    """Return what holders and waiters have in common.

    :param ids: of the lock and of the copy.
    :param units: how many units; of no meaning for an exclusive access.
    """
    facts = facts_of(thing)
    lockid, copyid = ids
    return {
        'copyid': copyid,
        'lockid': lockid,
        'copy': copy.label,
        'text': short_name(thing),
        **facts._asdict(),
        'mode': 'exclusive' if exclusive else 'counting',
        'units': copy.units_of(exclusive, units),
        'priority': getattr(thing, 'lock_priority', 0),
    }


def holder_rows(copy: BaseLock, ids: tuple[int, int]) -> list[dict[str, Any]]:
    """Return who holds a copy, in the order in which it was granted."""
    return [holder_row(holding, copy, ids) for holding in copy.holdings()]


def holder_row(holding: Holding, copy: BaseLock, ids: tuple[int, int]) -> dict[str, Any]:
    thing = thing_of(holding.owner)
    row = owner_row(thing, copy, ids, holding.exclusive, holding.units)
    row['holderid'] = facts_of(thing).name
    row['since_at'] = epoch2datetime(holds_since(thing))
    row['nested'] = holding.is_nested
    return row


def waiter_row(
    copy: BaseLock, ids: tuple[int, int], place: int, claim: LockClaim
) -> dict[str, Any]:
    """Return one who waits for a copy.

    :param place: in line; 1 is the first.
    """
    thing = thing_of(claim.owner)
    access = next(access for lock, access in claim.accesses if lock is copy)
    row = owner_row(thing, copy, ids, access.mode == 'exclusive', access.count)
    row['waiterid'] = facts_of(thing).name
    row['since_at'] = epoch2datetime(waits_since(thing))
    row['place'] = place
    row['nested'] = claim.is_nested
    return row
