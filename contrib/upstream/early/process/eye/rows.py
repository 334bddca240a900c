# SPDX-License-Identifier: GPL-2.0-only
"""Rows of locks before there are pools."""

from __future__ import annotations

from typing import Any

from buildbot.locking.copy import BaseLock
from buildbot.locking.owner import holds_since
from buildbot.locking.owner import thing_of
from buildbot.locking.pool import Holding
from buildbot.process.eye.rows import copies_in_use
from buildbot.process.eye.rows import owner_row
from buildbot.util import epoch2datetime

KINDS = {'MasterLock': 'master', 'WorkerLock': 'worker', 'BranchLock': 'branch'}


def copies_to_see(lock: Any) -> list[BaseLock]:
    """Return the copies of a lock in use."""
    return copies_in_use(lock)


def copies_by_hand(lock: Any) -> list[BaseLock]:
    """Return what belongs to a lock and is acted on by itself: nothing yet."""
    return []


def scope_of(copy: BaseLock) -> dict[str, Any]:
    """Say whose copy it is."""
    scope: dict[str, Any] = dict.fromkeys(('worker', 'codebase', 'branch', 'key'))
    scope['scope'] = 'master'
    if copy.family is not None:
        scope.update(copy.family.scope_of(copy))
    return scope


def holder_row(
    holding: Holding, copy: BaseLock, ids: tuple[int, int], version: str
) -> dict[str, Any]:
    thing = thing_of(holding.owner)
    row = owner_row('holderid', thing, copy, ids, version, holding.exclusive, holding.units)
    row['since_at'] = epoch2datetime(holds_since(thing))
    row['nested'] = holding.is_nested
    return row
