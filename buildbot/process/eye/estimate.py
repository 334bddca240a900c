# SPDX-License-Identifier: GPL-2.0-only
"""New: when an owner's turn at a lock is likely to come."""

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

#: the share of all holds that is shorter than the low and the high end of an estimate
LOW, HIGH = 0.2, 0.8


class Duration(NamedTuple):
    """How long something is likely to last, in seconds. It is an estimate, not a limit.

    :param below: how much shorter it may well be.
    :param above: how much longer it may well be.
    """

    middle: float
    below: float
    above: float


class Turn(NamedTuple):
    """When something is likely to happen: usually between ``earliest`` and ``latest``."""

    at: float
    earliest: float
    latest: float


class Wanted(NamedTuple):
    """Units of a copy that somebody waits for.

    :param owner: equal for alternatives, of which the copy that is free first is enough.
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
    """Return the value that this share of sorted values does not exceed."""
    return lasted[max(0, math.ceil(part * len(lasted)) - 1)]


def duration(lasted: Sequence[float]) -> Duration | None:
    """Return how long the next one is likely to last; None if nothing is known.

    The estimate is a mean, because durations are added up; but one that hung must not count too
    much.

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
    """Return how much longer something that has begun is likely to last.

    :param since: how long it has lasted. If that is longer than all others, it is likely to be near
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
    """Yield when owners that wait for copies of one lock are likely to have them, in that order.

    The lines are simulated with the expected durations. The holds before a turn are assumed to vary
    independently, so their variances add up.

    The simulation knows nothing about owners that will come with a higher priority, about other
    locks and workers that the owners need, or about changes of limits. An owner that waits although
    the units are free waits for such a thing: it gets no estimate, and others go past it.

    :param capacity: units of each copy.
    :param lines: for each copy the owners that wait for it, in order. It is read only as far as
        owners have their turn.
    :param have: empty; owners that have had a turn are added, and may be left out of the lines.
    :returns: pairs of owner and turn; the turn is None for an owner without an estimate.
    """
    free = dict(capacity)
    # when units are given back, how many and of which copy; and the variances of that time
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
    """When waiting owners are likely to have their turn, computed only as far as asked for.

    :param coming: what ``play`` yields.
    """

    def __init__(self, coming: Iterator[tuple[Hashable, Turn | None]]) -> None:
        self._coming = coming
        self._known: dict[Hashable, Turn | None] = {}

    def of(self, owner: Hashable) -> Turn | None:
        """Return when an owner's turn is likely to come; None if that is unknown."""
        if owner not in self._known:
            for other, turn in self._coming:
                self._known[other] = turn
                if other == owner:
                    break
        return self._known.get(owner)
