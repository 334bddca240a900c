# SPDX-License-Identifier: GPL-2.0-only
"""New: waits that cannot end, whatever ends elsewhere.

All waits form one graph. A wait may have several ways to end, one of which is enough. A way has
needs, all of which must be met: units of locks, a place on a worker. An owner that waits lets go of
what it has only when its wait is over. So the question is that of R. C. Holt ("Some deadlock
properties of computer systems", 1972), who reduces such a graph: suppose that everybody who need
not wait goes on and lets go; find those whose needs can then be met; repeat until there are none.
Those who are left wait forever. If each of them had only one way and one need, they would be a
circle; with several units and ways they are what Holt calls a knot, and those who wait for it.

A wait is looked at again only when a wait that it depends on has ended. So a look costs in
proportion to the waits that can be reached from the wait that is looked at, and to what these
depend on.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from typing import Callable
from typing import Container
from typing import Iterable
from typing import Protocol
from typing import Sequence

from buildbot.locking.fronts import Fronts
from buildbot.locking.pool import Holding
from buildbot.locking.pool import Want

#: takes an owner; returns its waits and those of owners nested in it
WaitsOf = Callable[[Any], Iterable['Wait']]


class Need(Protocol):
    """Something that a way to end a wait depends on, such as units of locks. It is not a wait."""

    def can_be_met(self, stuck: Container[Any]) -> bool:
        """Tell whether it could be met if only the stuck owners held anything."""

    def held_by(self) -> Iterable[Any]:
        """Return the owners that may have to let go for it to be met."""

    def ahead(self, fronts: Fronts, left: Container[Wait] | None) -> Iterable[Wait]:
        """Return waits that must be over first; none if no such wait is left.

        :param fronts: of the lines that this search has already met.
        :param left: the waits that matter; None stands for all.
        """


class Wait(Protocol):
    """Somebody's wait. Each wait is one value, also under ``==``.

    :ivar waiting: whether the wait is not over.
    """

    @property
    def waiting(self) -> bool: ...

    def keeps(self) -> Iterable[Any]:
        """Return the owners that let go of nothing before the wait is over."""

    def ways(self, hopeful: bool) -> Sequence[Sequence[Need]]:
        """Return, for each way in which it can end, the needs of that way.

        :param hopeful: whether to assume that what is away now, such as a worker, comes back.
        """

    def yields(self) -> bool:
        """Leave the line for now, if nobody is worse off for that.

        :returns: whether it has left.
        """


def find_deadlock(wait: Wait, waits_of: WaitsOf, hopeful: bool = True) -> list[Any]:
    """Find the knot of waits that this wait is in, or waits for.

    A knot is closed by the last of its waits to begin, or to lose a way. So it is found if each
    wait is looked at when it begins, and whenever it loses a way.

    :param hopeful: whether to assume that what is away now, such as a worker, comes back.
    :returns: waits that wait for one another, this one first, each behind one that waits for it;
        none if this wait can end.
    """
    fronts = Fronts()
    graph = reachable(wait, waits_of, hopeful, fronts)
    left = dict.fromkeys(graph)
    stuck = fronts.stuck = Counter(owner for one in left for owner in one.keeps())
    wanted_by: dict[Wait, dict[Wait, None]] = {}
    for one, others in graph.items():
        for other in others:
            wanted_by.setdefault(other, {})[one] = None

    def is_met(need: Need, wait: Wait) -> bool:
        ahead = [o for o in need.ahead(fronts, left) if o in left and o != wait]
        for other in ahead:
            # until now it may not have been the wait that comes first
            wanted_by.setdefault(other, {})[wait] = None
        return not ahead and need.can_be_met(stuck)

    todo = dict.fromkeys(graph)
    while todo:
        one, _ = todo.popitem()
        if not any(all(is_met(need, one) for need in way) for way in one.ways(hopeful)):
            continue
        del left[one]
        for owner in one.keeps():
            stuck[owner] -= 1
            if not stuck[owner]:
                del stuck[owner]
        todo.update((other, None) for other in wanted_by.get(one, ()) if other in left)
    return in_order(wait, graph, left) if wait in left else []


def reachable(
    wait: Wait, waits_of: WaitsOf, hopeful: bool, fronts: Fronts
) -> dict[Wait, dict[Wait, None]]:
    """Return this wait, the waits that it waits for, those that these wait for, and so on.

    :returns: for each of them, the waits that it may directly have to wait for.
    """
    found: dict[Wait, dict[Wait, None]] = {}
    todo = [wait]
    while todo:
        one = todo.pop()
        if not one.waiting or one in found:
            continue
        others = found[one] = {}
        for need in (need for way in one.ways(hopeful) for need in way):
            for owner in need.held_by():
                others.update(dict.fromkeys(waits_of(owner)))
            others.update(dict.fromkeys(need.ahead(fronts, None)))
        todo += others
    return found


def in_order(wait: Wait, graph: dict[Wait, dict[Wait, None]], left: Container[Wait]) -> list[Wait]:
    """Return the waits of the graph that are left, each behind one that waits for it."""
    found: dict[Wait, None] = {}
    todo = [wait]
    while todo:
        one = todo.pop()
        if one in left and one not in found:
            found[one] = None
            todo += reversed(graph[one])
    return list(found)


def fits(pool: Any, want: Want, stuck: Container[Any]) -> bool:
    """Tell whether a want would fit into a pool if only the stuck owners held anything."""
    if pool.is_lane:
        return pool.can(pool.left_by(pool.lock.holdings, stuck), stuck)
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
        if not want.exclusive and units <= holding.units:
            return True  # there may be fewer units now than are held
        units = max(units, holding.units)
        pool, inner = holding.pool, holding


def footprint(holding: Holding, stuck: Container[Any]) -> int:
    units: dict[Holding, int] = {}
    for one in reversed(nested(holding, stuck)):  # from the inside out
        inner = one.inside.holdings if one.inside else ()
        units[one] = max(one.units, sum(units[h] for h in inner if h.owner in stuck))
    return units[holding]


def is_whole(holding: Holding, stuck: Container[Any]) -> bool:
    return any(one.exclusive for one in nested(holding, stuck))


def nested(holding: Holding, stuck: Container[Any]) -> list[Holding]:
    """Return a holding and the stuck holdings in it, each behind the one that it is nested in."""
    found = [holding]
    for one in found:  # the list grows meanwhile
        found += [h for h in one.inside.holdings if h.owner in stuck] if one.inside else []
    return found
