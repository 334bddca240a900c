# SPDX-License-Identifier: GPL-2.0-only
"""New: those who wait for one another in a circle, so that none of them ever goes on.

An owner lets go of what it holds only when what is nested in it has been granted and has ended. So
the question is that of E. G. Coffman and others ("System deadlocks", 1971): suppose that everybody
who need not wait goes on and lets go; who can be granted then; and so on, until nobody can. Those
who are left wait for ever.
"""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import Iterable

from buildbot.locking.claim import Claim
from buildbot.locking.pool import Holding
from buildbot.locking.pool import Pool
from buildbot.locking.pool import Want


def find_deadlock(claim: Claim, waits_of: Callable[[Any], Iterable[Claim]]) -> list[Claim]:
    """Find the circle of waits that this claim closes.

    Each claim is to be looked at when it begins to wait, so only the last can close a circle.

    :param claim: one that waits.
    :param waits_of: returns the waiting claims of an owner, and of owners nested in it.
    :returns: claims that wait for one another, this one first; none if there is no circle.
    """
    left = reachable(claim, waits_of)
    while left:
        stuck = {owner for c in left for owner in (c.owner, *c.ancestors)}
        staying = {
            c: None
            for c in left
            if not could_go(c, stuck) or any(other in left for other in c.ahead())
        }
        if len(staying) == len(left):
            break
        left = staying
    return list(left) if claim in left else []


def reachable(claim: Claim, waits_of: Callable[[Any], Iterable[Claim]]) -> dict[Claim, None]:
    """Return this claim, the claims that it waits for, those that these wait for, and so on."""
    found: dict[Claim, None] = {}
    todo = [claim]
    while todo:
        one = todo.pop()
        if one.waiting and one not in found:
            found[one] = None
            around = {pool: None for own in one.pools for pool in own.around()}
            todo += [c for pool in around for h in pool.holdings for c in waits_of(h.owner)]
            todo += one.ahead()
    return found


def could_go(claim: Claim, stuck: set[Any]) -> bool:
    """Tell whether a claim could be granted if only the stuck owners held anything."""
    return all(fits(pool, want, stuck) for want, pool in zip(claim.wants, claim.pools))


def fits(pool: Pool, want: Want, stuck: set[Any]) -> bool:
    inner: Holding | None = None
    units = want.units
    while True:
        others = [h for h in pool.holdings if h is not inner and h.owner in stuck]
        if any(is_whole(h, stuck) for h in others) or (want.exclusive and others):
            return False
        units += sum(footprint(h, stuck) for h in others)
        holding = pool.holding
        if holding is None or holding.exclusive:
            return want.exclusive or units <= pool.lock.capacity
        units = max(units, holding.units)
        pool, inner = holding.pool, holding


def footprint(holding: Holding, stuck: set[Any]) -> int:
    units: dict[Holding, int] = {}
    for one in reversed(nested(holding, stuck)):  # from the inside out
        inner = one.inside.holdings if one.inside else ()
        units[one] = max(one.units, sum(units[h] for h in inner if h.owner in stuck))
    return units[holding]


def is_whole(holding: Holding, stuck: set[Any]) -> bool:
    return any(one.exclusive for one in nested(holding, stuck))


def nested(holding: Holding, stuck: set[Any]) -> list[Holding]:
    """Return a holding and those of the stuck in it, each behind the one that it is nested in."""
    found = [holding]
    for one in found:  # grows as it goes
        found += [h for h in one.inside.holdings if h.owner in stuck] if one.inside else []
    return found
