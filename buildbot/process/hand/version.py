# SPDX-License-Identifier: GPL-2.0-only
"""New: versions of copies of locks, so that people act only on what they have seen."""

from __future__ import annotations

import json
from datetime import datetime
from datetime import timezone
from hashlib import sha256
from typing import Any

from buildbot.locking.copy import BaseLock
from buildbot.locking.owner import thing_of
from buildbot.process.eye.words import short_name
from buildbot.process.eye.words import some_of
from buildbot.process.lockfacts import BY_HAND
from buildbot.process.lockfacts import known_facts


def version_of(copy: BaseLock) -> str:
    """Return a text that changes when a copy's holders, a hold by hand or its quarantine change.

    The text has a part for each of these three. Owners that wait do not matter, nor do owners that
    share the units of a holder around them.
    """
    return '-'.join(map(digest, state_of(copy)))


def state_of(copy: BaseLock) -> tuple[Any, Any, Any]:
    holders = sorted(known_facts(holder).name for holder in holders_of(copy))
    holds = [(h.holdid, h.person, h.until, h.is_held) for h in copy.by_hand]
    quarantine = copy.quarantine
    return holders, holds, quarantine and (quarantine.who, quarantine.since, quarantine.reason)


def digest(part: Any) -> str:
    return sha256(json.dumps(part).encode()).hexdigest()[:8] if part else '0'


def holders_of(copy: BaseLock) -> list[Any]:
    """Return who holds a copy, without people, quarantines and owners nested in a holder."""
    things = [thing_of(holding.owner) for holding in copy.holdings() if not holding.is_nested]
    return [thing for thing in things if known_facts(thing).kind not in BY_HAND]


def what_has_changed(copy: BaseLock, version: str) -> str | None:
    """Say what has changed with a copy since ``version_of`` it was this; None if nothing has."""
    now = version_of(copy).split('-')
    seen = version.split('-')
    if seen == now:
        return None
    if len(seen) != len(now):
        seen = [''] * len(now)
    tell = (tell_holders, tell_holds, tell_quarantine)
    news = [say(copy) for say, was, is_now in zip(tell, seen, now) if was != is_now]
    return f'{copy} has changed since you looked at it: {"; ".join(news)}'


def tell_holders(copy: BaseLock) -> str:
    holders = holders_of(copy)
    if not holders:
        return 'no build holds it now'
    names = some_of([short_name(holder) for holder in holders])
    return f'{names} {"hold" if len(holders) > 1 else "holds"} it now'


def tell_holds(copy: BaseLock) -> str:
    if not copy.by_hand:
        return 'nobody holds it by hand now'
    said = [
        f'{hold.person} {"holds" if hold.is_held else "waits for"} it by hand until'
        f' {time_of_day(hold.until)}'
        for hold in copy.by_hand
    ]
    return some_of(said)


def tell_quarantine(copy: BaseLock) -> str:
    quarantine = copy.quarantine
    if quarantine is None:
        return 'it is not in quarantine now'
    return f'it is in quarantine now, by {quarantine.who} ({quarantine.reason})'


def time_of_day(seconds: float) -> str:
    """Return a time for people: ``2026-11-27 15:00 UTC``."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime('%Y-%m-%d %H:%M UTC')
