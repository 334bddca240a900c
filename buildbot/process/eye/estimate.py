# SPDX-License-Identifier: GPL-2.0-only
"""New: when it is likely to be somebody's turn at a lock."""

from __future__ import annotations

import math
from bisect import bisect_right
from heapq import heappop
from heapq import heappush
from typing import Any
from typing import Hashable
from typing import Iterable
from typing import Iterator
from typing import Mapping
from typing import NamedTuple
from typing import Sequence

#: what part of all holds is shorter than the low and the high end of what is likely
LOW, HIGH = 0.2, 0.8


class Duration(NamedTuple):
    """How long something is likely to last, in seconds.

    :param below: how much shorter it may well be.
    :param above: how much longer.
    """

    middle: float
    below: float
    above: float


class Turn(NamedTuple):
    """When something is likely to happen; it may well be between ``earliest`` and ``latest``."""

    at: float
    earliest: float
    latest: float


class Wanted(NamedTuple):
    """Units of a copy that somebody waits for.

    :param owner: equal for those of which one will do, at the copy that has them first.
    :param lasts: how long they will be held.
    """

    owner: Hashable
    units: int
    lasts: Duration


class Taken(NamedTuple):
    """Units of a copy that somebody holds.

    :param rest: how long they will still be held.
    """

    copy: Hashable
    units: int
    rest: Duration


def at_quantile(lasted: Sequence[float], part: float) -> float:
    """Return the value that this part of some sorted values does not exceed."""
    return lasted[max(0, math.ceil(part * len(lasted)) - 1)]


def duration(lasted: Sequence[float]) -> Duration | None:
    """Return how long the next one is likely to last; None if nothing is known.

    The middle is the mean, for durations are added up; but one that hung must not count too much.

    :param lasted: how long others lasted, the shortest first.
    """
    return around(math.fsum(lasted) / len(lasted), lasted) if lasted else None


def around(middle: float, lasted: Sequence[float]) -> Duration:
    if len(lasted) < 3:
        return Duration(middle, middle / 2, middle)
    low, high = at_quantile(lasted, LOW), at_quantile(lasted, HIGH)
    middle = min(max(middle, low), high)
    return Duration(middle, middle - low, high - middle)


def rest(lasted: Sequence[float], since: float) -> Duration | None:
    """Return for how much longer something that lasts already is likely to.

    :param since: for how long it has lasted. What lasts longer than all others is likely to be near
        its end, and may last as long again.
    """
    if not lasted:
        return None
    longer = [each - since for each in lasted[bisect_right(lasted, since) :]]
    if not longer:
        return Duration(since / 10, since / 10, since)
    return around(at_quantile(longer, 0.5), longer)


def play(
    now: float,
    capacity: Mapping[Any, int],
    taken: Iterable[Taken],
    lines: Mapping[Any, Iterable[Wanted]],
    have: set[Hashable],
) -> Iterator[tuple[Hashable, Turn | None]]:
    """Yield when those who wait for copies of one lock are likely to have them, in that order.

    The lines are played through, with the durations in the middle. What a turn depends on is
    taken to vary independently, so the spreads of the holds before it add up as variances do.

    It knows nothing of those who will come with a higher priority, nor of other locks and workers
    that those in line want too, nor of changes of the limits. Who waits although the units are free
    waits for such a thing: nothing is said of it, and others go past it.

    :param capacity: units of each copy.
    :param lines: for each copy who waits for it, in order; no further ones are asked for than have
        their turn.
    :param have: empty; who has had a turn is added, and need not be in a line any more.
    :returns: pairs of owner and turn; None for one of whom it is known that nothing can be said.
    """
    free = dict(capacity)
    # when units are given back, how many, of which copy; and the variances of that time
    ends: list[tuple[float, int, Any, int, float, float]] = []
    number = 0

    def takes(
        at: float, copy: Any, units: int, lasts: Duration, below: float, above: float
    ) -> None:
        nonlocal number
        number += 1
        free[copy] -= units
        below, above = below + lasts.below**2, above + lasts.above**2
        heappush(ends, (at + lasts.middle, number, copy, units, below, above))

    for copy, units, rest_of_it in taken:
        takes(now, copy, units, rest_of_it, 0, 0)
    behind = {copy: iter(line) for copy, line in lines.items()}
    heads = {copy: next(line, None) for copy, line in behind.items()}
    for copy, line in behind.items():
        head = heads[copy]
        while head is not None and head.units <= free[copy]:
            if len(lines) == 1:
                yield head.owner, None  # it waits for something else
            head = next(line, None)
        heads[copy] = head
    while ends:
        at, _, copy, units, below, above = heappop(ends)
        free[copy] += units
        head = heads.get(copy)
        while head is not None and (head.owner in have or head.units <= free[copy]):
            if head.owner not in have:
                have.add(head.owner)
                takes(at, copy, head.units, head.lasts, below, above)
                earliest = max(now, at - math.sqrt(below))
                yield head.owner, Turn(at, earliest, at + math.sqrt(above))
            head = next(behind[copy], None)
        if copy in heads:
            heads[copy] = head


class Turns:
    """When those who wait are likely to have their turn; it is found out as far as is asked for.

    :param coming: what ``play`` yields.
    """

    def __init__(self, coming: Iterator[tuple[Hashable, Turn | None]]) -> None:
        self._coming = coming
        self._known: dict[Hashable, Turn | None] = {}

    def of(self, owner: Hashable) -> Turn | None:
        """Return when it is likely to be an owner's turn; None if nobody knows."""
        if owner not in self._known:
            for other, turn in self._coming:
                self._known[other] = turn
                if other == owner:
                    break
        return self._known.get(owner)
