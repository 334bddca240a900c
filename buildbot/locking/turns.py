# SPDX-License-Identifier: GPL-2.0-only
"""New: whose turn it is at a lock with named units, among claims that want different ones.

Claims that want the same units wait in one lane. A claim goes past another only with units that the
other could not use. So the order in each lane is that of any lock, and what a claim waits for is
kept for it, whoever else wants it. Claims nested in a holder go first, since the holder keeps what
it has until it has ended; and it shares that only with what is nested in it.
"""

from __future__ import annotations

from heapq import heapify
from heapq import heappop
from heapq import heappush
from typing import Any
from typing import Container
from typing import Iterator


def kept(lane: Any, place: Any, choice: Any = None) -> int:
    """Return the set of the units that are kept for claims ahead of a place in a lane.

    :param choice: that of the claim.
    """
    units = 0
    around = lane.holders_around()
    for other in lane.lock.busy:
        if other.usable & lane.usable and is_ahead(other, around, place, choice):
            units |= other.reach()
    return units


def is_ahead(other: Any, around: Any, place: Any, choice: Any) -> bool:
    """Tell whether a lane keeps what it can from a claim.

    :param around: the owners around the claim that hold the lock.
    """
    others_around = other.holders_around()
    if others_around != around:
        return others_around > around and is_pressing(other)
    line = other.alone
    if line and line.has_before(place, choice):
        return True
    return bool(other.draining.has_before(place, choice))


def is_pressing(lane: Any) -> bool:
    """Tell whether claims of a lane, nested in a holder, keep what they can from outsiders."""
    return bool(lane.alone or lane.draining) or not lane.can(lane.reach())


def has_turn(lane: Any, place: Any, choice: Any = None) -> bool:
    """Tell whether a claim could be granted what it wants without the units kept for others."""
    units = lane.reach()
    if units and lane.lock.busy:
        units &= ~kept(lane, place, choice)
    return lane.can(units)


def overtaken(lane: Any, claim: Any) -> Iterator[Any]:
    """Yield the claims that one overtakes at a lane: those that also wait for something else."""
    around = lane.holders_around()
    for other in lane.lock.busy:
        first = other.heads.first()
        if first is not None and len(first.pools) > 1 and other.usable & lane.usable:
            is_rival = first.place < claim.place and not first.is_of(claim.choice)
            if is_rival and other.holders_around() == around:
                yield first


class Kept:
    """The units that are kept for those that go first, while others are granted what they want.

    It grants nothing.
    """

    def __init__(self) -> None:
        self._by: dict[Any, int] = {}
        self._choices: set[Any] = set()
        self._all = 0

    def keep(self, claim: Any, around: Any, units: int, from_siblings: bool = True) -> None:
        """Keep units for a claim.

        :param from_siblings: whether to keep them also from those inside the same holders.
        """
        key = (around, claim.choice, from_siblings)
        self._by[key] = self._by.get(key, 0) | units
        self._choices.add(claim.choice)
        self._all |= units

    def from_claim(self, claim: Any, around: Any) -> int:
        """Return the set of the units that a claim cannot have."""
        if not around and (claim.choice is None or claim.choice not in self._choices):
            return self._all
        units = 0
        for (others_around, choice, from_siblings), some in self._by.items():
            is_sibling = from_siblings and others_around == around
            if others_around > around or (
                is_sibling and (choice is None or choice != claim.choice)
            ):
                units |= some
        return units


def serve(lock: Any) -> list[Any]:
    """Grant all that can be granted at a lock, in order.

    :returns: the claims that were granted.
    """
    granted: list[Any] = []
    kept = Kept()
    gone_past: list[tuple[Any, Any, Any]] = []
    todo: list[tuple[Any, ...]] = []
    for lane in lock.busy:
        around = lane.holders_around()
        for line in lane.lines.values():
            todo.append((-len(around), line.first().place, len(todo), lane, line, around))
    heapify(todo)
    while todo:
        depth, _, number, lane, line, around = heappop(todo)
        if not depth and not lock.free and lock.units:
            break
        claim = line.first()
        is_alone = len(claim.pools) == 1
        reach = lane.reach()
        if lane.can(reach & ~kept.from_claim(claim, around)):
            # more may be kept now than at the turn of those that it is kept for
            if claim.may_be_granted():
                passed = {
                    other: None
                    for other, beside, other_around in gone_past
                    if beside.usable & lane.usable
                    and other_around == around
                    and not other.is_of(claim.choice)
                }
                passed.update(claim.overtaken(pool for pool in claim.pools if pool is not lane))
                line.leave(claim)
                claim.take()
                for other in passed:
                    other.be_passed()
                for other, beside, other_around in gone_past:
                    if other.is_draining:
                        kept.keep(other, other_around, beside.reach())
                granted.append(claim)
                if line:
                    todo_again = (depth, line.first().place, number, lane, line, around)
                    heappush(todo, todo_again)
                continue
        if is_alone or claim.is_draining:
            kept.keep(claim, around, reach)
            continue
        gone_past.append((claim, lane, around))
        if depth and not lane.can(reach):
            kept.keep(claim, around, reach, from_siblings=False)
    return granted


def ahead(lane: Any, claim: Any, fronts: Any, left: Container[Any] | None) -> Iterator[Any]:
    """Yield waits that must be over before a claim, among those that want one of the same units.

    :param fronts: of the search, see ``deadlock``.
    :param left: the waits that matter; None stands for all.
    """
    if left is not None and lane.alone:
        nearest = fronts.of(lane.alone).nearest(claim, left)
        if nearest is not None:  # it keeps all that would do, whatever others keep
            yield nearest
            return
    around = lane.holders_around()
    found: dict[Any, None] = {}
    units = 0
    for other in lane.lock.busy:
        if not other.usable & lane.usable:
            continue
        others_around = other.holders_around()
        waits: list[Any] = []
        if others_around > around:
            if is_pressing(other):
                lines = other.lines.values()
                if left is not None and other.can(left_over(other, fronts), fronts.stuck):
                    # there are enough as soon as all who need not wait have let go
                    lines = [other.alone or (), other.draining]
                waits = [c.as_wait() for line in lines for c in line]
        elif others_around == around:
            for line in other.lines.values():
                if line is other.alone or line is claim.line:
                    nearest = fronts.of(line).nearest(claim, left)
                    waits += [] if nearest is None else [nearest]
            for one in other.draining:
                if one.place < claim.place and not one.is_of(claim.choice):
                    waits.append(one.as_wait())
        if left is not None:
            waits = [wait for wait in waits if wait in left and wait != claim.as_wait()]
        if waits:
            found.update(dict.fromkeys(waits))
            units |= other.usable
    if left is None or not lane.can(left_over(lane, fronts) & ~units, fronts.stuck):
        yield from found


def left_over(lane: Any, fronts: Any) -> int:
    """Return the set of the units that would do for a lane if only the stuck owners held any."""
    return lane.left_by(fronts.held_of(lane.lock), fronts.stuck)
