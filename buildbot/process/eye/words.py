# SPDX-License-Identifier: GPL-2.0-only
"""New: words for people: names, ages, and the sentence that says what is waited for."""

from __future__ import annotations

from typing import Any
from typing import Sequence

from buildbot.locking.owner import LockOwner
from buildbot.locking.plain import plain

#: how many things are named if there are many
NAMED = 3

MINUTE, HOUR, DAY = 60, 3600, 86400


def short_name(thing: Any) -> str:
    """Return the name of an owner of locks: ``fw #12 / test``, ``build request 17 of fw``."""
    return plain(thing.short_name() if isinstance(thing, LockOwner) else repr(thing))


def age(seconds: float) -> str:
    """Say how long something has lasted, in words that do not change each minute."""
    if seconds < MINUTE:
        return 'under a minute'
    if seconds < 10 * MINUTE:
        return f'{seconds // MINUTE:.0f} min'
    if seconds < HOUR:
        return f'over {seconds // (10 * MINUTE) * 10:.0f} min'
    if seconds < DAY:
        return f'over {seconds // HOUR:.0f} h'
    days = int(seconds // DAY)
    return f'over {days} day' if days == 1 else f'over {days} days'


def listed(names: Sequence[str], others: int, between: str = ', ') -> str:
    """Name some things, and say how many others there are: ``a, b, c and 4 others``."""
    more = f' and {others} other{"s" if others > 1 else ""}' if others > 0 else ''
    return f'{between.join(names)}{more}'


def some_of(names: Sequence[str], between: str = ', ') -> str:
    """Name some of many things."""
    return listed(names[:NAMED], len(names) - NAMED, between)


def with_age(name: str, since: float | None, now: float) -> str:
    """Return a name with an age: ``fw #12 (3 min)``."""
    return name if since is None else f'{name} ({age(now - since)})'


def wait_on(
    copy: str,
    holders: Sequence[str],
    others: int,
    ahead: int,
    first: str | None,
    why_out: str | None = None,
) -> str:
    """Say whom a wait for one copy of a lock depends on.

    :param copy: label of the copy.
    :param holders: the names of some holders, with their ages.
    :param others: how many other holders there are.
    :param ahead: how many owners wait for the copy ahead of this one.
    :param first: name of the first of these; None if there are none.
    :param why_out: why the copy is in quarantine; None if it is not.
    """
    parts = [] if why_out is None else [f'in quarantine ({why_out})']
    if holders:
        parts.append(f'held by {listed(holders, others)}')
    elif first is not None and not parts:
        parts.append(f'kept for {first}')
    if ahead:
        parts.append(f'{ahead} ahead')
    return f'{plain(copy)}: {", ".join(parts)}' if parts else plain(copy)


def waiting_for(parts: Sequence[str]) -> str:
    """Say what is waited for, given the words for each copy."""
    return f'waiting for {some_of(parts, "; ")}'
