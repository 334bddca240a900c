# SPDX-License-Identifier: GPL-2.0-only
"""New: locks, copies, who holds them and who waits, as rows for people and programs."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any
from typing import Mapping

from buildbot.locking.copies import definition_of
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locking.owner import holds_since
from buildbot.locking.owner import thing_of
from buildbot.locking.owner import waits_since
from buildbot.locking.pool import Holding
from buildbot.locking.resource import Resource
from buildbot.process.eye.words import short_name
from buildbot.process.hand.version import version_of
from buildbot.process.lockfacts import facts_of
from buildbot.process.lockfacts import known_facts
from buildbot.util import epoch2datetime

KINDS = {
    'MasterLock': 'master',
    'WorkerLock': 'worker',
    'BranchLock': 'branch',
    'ResourcePool': 'pool',
}


NOTHING: Mapping[Any, Any] = MappingProxyType({})


def copies_in_use(lock: Any) -> list[BaseLock]:
    """Return the copies of a lock that are in use, by name."""
    if isinstance(lock, BaseLock):
        return [lock]
    return sorted(lock.all_copies(), key=lambda copy: copy.label)


def build_of_holder(lock: Any, holderid: Any) -> int | None:
    """Return the id of the build that an owner of copies of a lock belongs to, if it has one.

    :param holderid: the id of the owner in the rows of holders.
    """
    owners = [owner for copy in copies_in_use(lock) for owner in copy.owners]
    holders = map(known_facts, owners)
    return next((facts.buildid for facts in holders if facts.name == holderid), None)


def copies_to_see(lock: Any) -> list[BaseLock]:
    """Return the copies of a lock in use; a pool is followed by each of its resources as a copy."""
    return lock.all_copies() if lock.has_resources else copies_in_use(lock)


def copies_by_hand(lock: Any) -> list[BaseLock]:
    """Return the resources of a pool that people hold, wait for, or have taken out of use."""
    known = list(lock.copies.values()) if lock.has_resources else ()
    return [copy for copy in known if copy.by_hand or copy.quarantine is not None]


def copy_in(claim: LockClaim, copy: BaseLock) -> BaseLock:
    """Return the copy that a claim names: this one, or one that belongs to it."""
    named = (lock for lock, _ in claim.accesses if lock is copy or lock.family is copy)
    return next(named, copy)


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
        'quarantined': sum(
            copy.quarantine is not None for copy in (*copies, *copies_by_hand(lock))
        ),
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
        'version': version_of(copy),
        'max_hold': getattr(definition_of(copy), 'maxHold', None),
        **quarantine_of(copy),
    }


def quarantine_of(copy: BaseLock) -> dict[str, Any]:
    """Say who has taken a copy out of use, when and why."""
    quarantine = copy.quarantine
    is_out = quarantine is not None
    return {
        'quarantined_at': epoch2datetime(quarantine.since) if is_out else None,
        'quarantined_by': quarantine.who if is_out else None,
        'quarantine_reason': quarantine.reason if is_out else None,
    }


def scope_of(copy: BaseLock) -> dict[str, Any]:
    """Say whose copy it is."""
    scope: dict[str, Any] = dict.fromkeys(('worker', 'codebase', 'branch', 'key'))
    free = [resource_row(resource) for resource in copy.free_resources()]
    scope.update(scope='master', labels=[], free=free)
    if copy.family is not None:
        scope.update(copy.family.scope_of(copy))
    return scope


def oldest_wait(copy: BaseLock) -> float | None:
    """Return since when the longest waiting owner has waited for a copy; None if nobody waits."""
    oldest = None
    for claim in copy.unsorted_line():  # there may be thousands, at each event of the copy
        since = waits_since(claim.thing)
        if since is not None and (oldest is None or since < oldest):
            oldest = since
    return oldest


def owner_row(
    known_by: str,
    thing: Any,
    copy: BaseLock,
    ids: tuple[int, int],
    version: str,
    exclusive: bool,
    units: int,
) -> dict[str, Any]:
    """Return the fields that rows of holders and waiters have in common.

    :param known_by: the field for the owner's unique name.
    :param ids: the ids of the lock and of the copy.
    :param version: the copy's version; passed in because it is costly and the same for all rows.
    :param units: how many units; meaningless for an exclusive access.
    """
    facts = facts_of(thing)
    fields = facts._asdict()
    fields['until_at'] = epoch2datetime(fields.pop('until'))
    lockid, copyid = ids
    return {
        known_by: facts.name,
        'copyid': copyid,
        'lockid': lockid,
        'copy': copy.label,
        'version': version,
        'text': short_name(thing),
        **fields,
        'mode': 'exclusive' if exclusive else 'counting',
        'units': copy.units_of(exclusive, units),
        'priority': getattr(thing, 'lock_priority', 0),
    }


def moved_at(thing: Any) -> float | None:
    """Return when an owner was moved to the front by hand; None if it was not."""
    at = getattr(thing, 'lock_moved_at', None)
    return None if at == math.inf else at


def resource_row(resource: Resource) -> dict[str, Any]:
    return {'name': resource.name, 'labels': sorted(resource.labels)}


def holder_rows(
    copy: BaseLock, ids: tuple[int, int], others: Mapping[BaseLock, tuple[int, int]] = NOTHING
) -> list[dict[str, Any]]:
    """Return a row for each holder of a copy, in the order in which it was granted.

    :param others: the ids of those that belong to it and that people act on, by copy.
    """
    version, rows = version_of(copy), []
    for holding in copy.holdings():
        own = copy_in(holding.claim, copy)
        if own in others:
            rows.append(holder_row(holding, own, others[own], version_of(own)))
        else:
            rows.append(holder_row(holding, copy, ids, version))
    return rows


def holder_row(
    holding: Holding, copy: BaseLock, ids: tuple[int, int], version: str
) -> dict[str, Any]:
    thing = thing_of(holding.owner)
    row = owner_row('holderid', thing, copy, ids, version, holding.exclusive, holding.units)
    row['since_at'] = epoch2datetime(holds_since(thing))
    row['nested'] = holding.is_nested
    row['resources'] = [resource_row(resource) for resource in holding.resources]
    return row


def waiter_row(
    copy: BaseLock, ids: tuple[int, int], version: str, place: int, claim: LockClaim
) -> dict[str, Any]:
    """Return the row of an owner that waits for a copy.

    :param version: the copy's version, as in ``owner_row``.
    :param place: the owner's place in line; 1 is the first.
    """
    thing = claim.thing
    access = next(access for lock, access in claim.accesses if lock is copy)
    exclusive = access.mode == 'exclusive'
    row = owner_row('waiterid', thing, copy, ids, version, exclusive, access.count)
    row['since_at'] = epoch2datetime(waits_since(thing))
    row['place'] = place
    row['first_at'] = epoch2datetime(moved_at(thing))
    row['nested'] = claim.is_nested
    return row
