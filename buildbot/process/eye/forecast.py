# SPDX-License-Identifier: GPL-2.0-only
"""New: when owners that wait for a copy of a lock are likely to have it."""

from __future__ import annotations

from typing import Any
from typing import Hashable
from typing import Iterator

from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locking.owner import holds_since
from buildbot.locking.owner import thing_of
from buildbot.process.eye.estimate import Duration
from buildbot.process.eye.estimate import Taken
from buildbot.process.eye.estimate import Turn
from buildbot.process.eye.estimate import Turns
from buildbot.process.eye.estimate import Wanted
from buildbot.process.eye.estimate import duration
from buildbot.process.eye.estimate import play
from buildbot.process.eye.estimate import rest
from buildbot.process.eye.holds import Holds
from buildbot.process.lockfacts import BY_HAND
from buildbot.process.lockfacts import Facts
from buildbot.process.lockfacts import facts_of


class Forecast:
    """Tells when claims are likely to be granted. It does not know whether they will be.

    :param holds: how long locks were held lately.
    :param now: the time, in seconds.
    """

    def __init__(self, holds: Holds, now: float) -> None:
        self._holds = holds
        self._now = now
        self._turns: dict[BaseLock, Turns] = {}
        self._durations: dict[Any, Duration | None] = {}

    def turn(self, copy: BaseLock, claim: LockClaim) -> Turn | None:
        """Return when a claim in the line of a copy is likely to have it; None if unknown."""
        if claim.is_nested:
            return None  # it waits for a sibling
        if copy not in self._turns:
            copies = played_with(copy)
            self._turns.update(dict.fromkeys(copies, Turns(self._play(copies))))
        return self._turns[copy].of(owner_of(claim))

    def _play(self, copies: list[BaseLock]) -> Iterator[tuple[Hashable, Turn | None]]:
        taken = []
        for each in copies:
            known = self._taken(each)
            if known is None:
                return iter(())
            taken += known
        capacity = {each: each.maxCount for each in copies}
        have: set[Hashable] = set()
        lines = {each: self._wanted(each, have) for each in copies}
        return play(self._now, capacity, taken, lines, have)

    def _taken(self, copy: BaseLock) -> list[Taken] | None:
        taken = []
        for holding in copy.holdings():
            if holding.is_nested:
                continue  # its units are those of the holding around it
            thing = thing_of(holding.owner)
            facts, since = facts_of(thing), holds_since(thing)
            if facts.kind in BY_HAND:
                left = self._until(facts)
            else:
                lasted = self._holds.lasted(copy.lockName, facts.builder, facts.path)
                left = rest(lasted, 0 if since is None else self._now - since)
            if left is None:
                return None
            taken.append(Taken(copy, copy.units_of(holding.exclusive, holding.units), left))
        return taken

    def _wanted(self, copy: BaseLock, have: set[Hashable]) -> Iterator[Wanted]:
        """Yield what owners without a turn yet wait for, up to the first of unknown duration."""
        for claim in copy.line():
            owner = owner_of(claim)
            if owner in have or claim.is_nested:
                continue
            want = next(want for want in claim.wants if want.lock is copy._rule)
            lasts = self._duration(copy, claim.thing)
            if lasts is None:
                return
            yield Wanted(owner, copy.units_of(want.exclusive, want.units), lasts)

    def _until(self, facts: Facts) -> Duration | None:
        # a person may give a hold back before its end; beyond the end nothing is known
        left = 0 if facts.until is None else facts.until - self._now
        return Duration(left, left / 2, 0) if left > 0 else None

    def _duration(self, copy: BaseLock, thing: Any) -> Duration | None:
        facts = facts_of(thing)
        if facts.kind in BY_HAND:
            return self._until(facts)
        kind = (copy.lockName, facts.builder, facts.path)
        if kind not in self._durations:
            self._durations[kind] = duration(self._holds.lasted(*kind))
        return self._durations[kind]


def played_with(copy: BaseLock) -> list[BaseLock]:
    """Return the copies that owners in line may get instead of each other, or this copy alone."""
    copies = [copy] if copy.family is None else copy.family.all_copies()
    has_choice = any(claim.choice is not None for each in copies for claim in each.unsorted_line())
    return copies if has_choice else [copy]


def owner_of(claim: LockClaim) -> Hashable:
    """Return a value that is equal for claims of which one is enough."""
    return claim.owner if claim.choice is None else claim.choice
