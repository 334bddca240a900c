# SPDX-License-Identifier: GPL-2.0-only
"""New: the queue of a lock: who waits for its units, in which order, and who is next."""

from __future__ import annotations

import math
from heapq import heapify
from heapq import heappop
from heapq import heappush
from typing import Any
from typing import Callable
from typing import Iterable
from typing import Iterator
from typing import Sequence

from buildbot.locking.pool import Lock
from buildbot.locking.pool import Pool
from buildbot.locking.pool import Want

#: how often a claim for several locks lets later ones go first at the locks that are free
PATIENCE = 4


class Waiter:
    """What a queue knows of a claim: what it wants, and its place. It has no owner and no end.

    :ivar wants: units, each of another lock.
    :ivar pools: where the units of each want come from.
    :ivar key: its place; the lowest goes first.
    :ivar choice: the same for claims of which one will do; None if it has no such others.
    :ivar line: where it waits; None if it does not.
    :ivar passed: how often others went first at a lock that was free.
    :ivar granted: called without arguments when it has been given its units, in its turn.
    :ivar drains: called without arguments when its patience is at an end.
    """

    __slots__ = ('choice', 'drains', 'granted', 'key', 'line', 'passed', 'pools', 'wants')

    wants: Sequence[Want]
    pools: Sequence[Pool]
    key: tuple[float, ...]
    choice: Any
    line: Line | None
    passed: int
    granted: Callable[[], None]
    drains: Callable[[], None]

    def take(self) -> None:
        """Take the units that are wanted; a claim does."""
        raise NotImplementedError

    @property
    def is_draining(self) -> bool:
        return self.line is not None and self.passed >= PATIENCE

    def ahead(self) -> Iterator[Any]:
        """Yield those that this one waits for because of their place in line."""
        for pool in self.pools:
            for line in pool.lines.values():
                for other in line.claims():
                    strict = len(other.pools) == 1 or line is self.line
                    strict = strict or (other.is_draining and not other.is_of(self.choice))
                    if strict and other.key < self.key:
                        yield other
            for nested in pool.lock.busy:
                if nested is not pool and is_pressed(pool, nested):
                    yield from (c for line in nested.lines.values() for c in line.claims())

    def is_of(self, choice: Any) -> bool:
        """Tell whether it is one of those of which one will do; they do not hinder each other."""
        return choice is not None and self.choice == choice

    def may_be_in_front(self) -> bool:
        """Tell whether it may have joined in front of somebody."""
        return any(pool.lock.last > self.key for pool in self.pools)

    def could_have(self, lock: Lock) -> bool:
        """Tell whether one lock of several, for which it waits, would be granted by itself."""
        for want, pool in zip(self.wants, self.pools):
            if want.lock is lock:
                is_closed_for_it = is_closed(pool, self.key, self.choice)
                return not is_closed_for_it and pool.fits(want.exclusive, want.units)
        return False

    def be_before(self, other: Waiter) -> None:
        """Have the place right before another claim, when this one enters the line."""
        priority, age, number = other.key
        self.key = (priority, age, number - 0.5)

    def serve(self) -> None:
        """Grant what can be granted where this claim waits, to whom it may be."""
        serve(self.pools)

    def be_patient(self) -> None:
        """Let others go first once more, because who waits for this claim is waited for by it."""
        self.passed = 0
        self.serve()

    def join_line(self) -> None:
        """Wait in line."""
        if len(self.pools) == 1:
            line = self.pools[0].alone
        else:
            line = self.pools[0].lines.get(frozenset(self.pools))
        if line is None:
            line = Line(self.pools)
        self.line = line
        line.join(self)
        if self.passed >= PATIENCE:
            self.drain()

    def may_be_granted(self) -> bool:
        """Tell whether it is its turn, and there are enough units."""
        # indexed loops: this is the path that every claim takes
        wants, pools, key = self.wants, self.pools, self.key
        for i in range(len(pools)):
            pool = pools[i]
            if pool.lock.busy and is_closed(pool, key, self.choice):
                return False
            if not pool.fits(wants[i].exclusive, wants[i].units):
                return False
        return True

    def drain(self) -> None:
        """Let nobody go first any more."""
        for pool in self.pools:
            heappush(pool.draining, (self.key, self))
        self.drains()


class Line:
    """Those who wait for one set of pools, in order. The first decides for all of them.

    :param pools: each of them once.
    """

    __slots__ = ('_claims', '_key', '_left', 'pools')

    def __init__(self, pools: Sequence[Pool]) -> None:
        self.pools = pools
        self._claims: list[tuple[Any, Waiter]] = []
        self._left = 0  # entries of claims that have left
        self._key: Any = frozenset(pools)
        if len(pools) == 1:
            self._key = pools[0]
            pools[0].alone = self

    def claims(self) -> Iterator[Waiter]:
        """Yield those who wait, in no order."""
        return (claim for _, claim in self._claims if claim.line is self)

    def first(self) -> Waiter | None:
        claims = self._claims
        while claims and claims[0][1].line is not self:
            heappop(claims)
            self._left -= 1
        return claims[0][1] if claims else None

    def join(self, claim: Waiter) -> None:
        if len(self._claims) == self._left:
            for pool in self.pools:
                pool.lines[self._key] = self
                pool.lock.busy[pool] = None
        for pool in self.pools:
            pool.lock.last = max(pool.lock.last, claim.key)
        heappush(self._claims, (claim.key, claim))
        if self._claims[0][1] is claim:
            self._announce(claim)

    def leave(self, claim: Waiter) -> None:
        was_first = self._claims[0][1] is claim
        claim.line = None
        self._left += 1
        if 2 * self._left > len(self._claims) + 16:
            self._claims = [entry for entry in self._claims if entry[1].line is self]
            heapify(self._claims)
            self._left = 0
        first = self.first()
        if first is None:
            self._close()
        elif was_first:
            self._announce(first)

    def _announce(self, first: Waiter) -> None:
        for pool in self.pools:
            if len(pool.heads) > 4 * len(pool.lines) + 16:
                firsts = [line.first() for line in pool.lines.values()]
                pool.heads = [(claim.key, claim) for claim in firsts if claim is not None]
                heapify(pool.heads)
            heappush(pool.heads, (first.key, first))

    def _close(self) -> None:
        for pool in self.pools:
            del pool.lines[self._key]
            if not pool.lines:
                pool.heads.clear()
                del pool.lock.busy[pool]
                if not pool.lock.busy:
                    pool.lock.last = ()


def first_of_heads(pool: Pool) -> Waiter | None:
    """Return the first in line at a pool, of all its lines; forget entries that are out of date."""
    heads = pool.heads
    while heads:
        claim = heads[0][1]
        if claim.line is not None and claim.line.first() is claim:
            return claim
        heappop(heads)
    return None


def is_closed(pool: Pool, key: Any, choice: Any = None) -> bool:
    """Tell whether somebody ahead of a place in line makes it wait at a pool.

    :param choice: of who has that place.
    """
    lines = pool.lines
    if lines:
        alone = pool.alone
        if alone is not None:
            first = alone.first()
            if first is not None and first.key < key:
                return True
        draining = pool.draining
        while draining and not draining[0][1].is_draining:
            heappop(draining)
        if draining and draining[0][0] < key:
            if not draining[0][1].is_of(choice):
                return True
            if any(k < key and c.is_draining and not c.is_of(choice) for k, c in draining):
                return True
    busy = pool.lock.busy
    if len(busy) > (pool in busy):
        return any(is_pressed(pool, nested) for nested in busy)
    return False


def is_available(
    lock: Lock,
    exclusive: bool,
    units: int,
    ancestors: Iterable[Any] = (),
    priority: int = 0,
    age: float | None = None,
    choice: Any = None,
) -> bool:
    """Tell whether a claim of this lock alone would be granted at once."""
    pool = lock.pool_for(ancestors)
    key = (-priority, math.inf if age is None else age, math.inf)
    return not is_closed(pool, key, choice) and pool.fits(exclusive, units)


def is_pressed(pool: Pool, nested: Pool) -> bool:
    """Tell whether somebody waits in a pool nested in this one for units from outside of it.

    Those go first: who is around them holds units, and lets them go only after them.
    """
    if nested is pool or pool not in nested.around():
        return False
    for line in nested.lines.values():
        first = line.first()
        if first is not None:
            want = first.wants[first.pools.index(nested)]
            if not nested.fits(want.exclusive, want.units):
                return True
    return False


def overtaken(pools: Iterable[Pool], key: Any, choice: Any = None) -> dict[Waiter, None]:
    """Return the claims that one at this place in line overtakes: the first one at each pool.

    :param choice: of who has that place.
    """
    found: dict[Waiter, None] = {}
    for pool in pools:
        if pool.lines:
            first = first_of_heads(pool)
            if first is not None and first.key < key and not first.is_of(choice):
                found[first] = None
    return found


def be_passed(waiters: Iterable[Waiter]) -> None:
    """Count that others have gone first."""
    for waiter in waiters:
        waiter.passed += 1
        if waiter.passed == PATIENCE:
            waiter.drain()


def serve(pools: Sequence[Pool]) -> None:
    """Grant all that can be granted, in order, where units have become free or a claim has left.

    :param pools: where that happened.
    """
    granted: list[Waiter] = []
    todo: list[Pool] = []
    for pool in pools:
        if not pool.lock.busy:
            continue  # nobody waits
        if pool.holding is not None:
            todo += pool.around()
        elif len(pool.lock.busy) == len(pool.lines) == len(pools) == 1 and pool in pool.lines:
            granted += serve_pool(pool)  # the usual case: all who wait are in one line
        else:
            todo.append(pool)
    while todo:
        pool = todo.pop()
        # units flow inwards first: to who waits in a holding that has too few
        busy = pool.lock.busy
        nested: Iterable[Pool] = ()
        if len(busy) > (pool in busy):
            nested = [p for p in busy if p is not pool and pool in p.around()]
        for waited in (*nested, pool):
            for claim in serve_pool(waited):
                granted.append(claim)
                # what was kept from others for its sake is free now, in all its pools
                if claim.passed >= PATIENCE or waited is not pool:
                    todo += [outer for own in claim.pools for outer in own.around()]
    for claim in granted:
        claim.granted()


def serve_pool(pool: Pool) -> list[Waiter]:
    granted: list[Waiter] = []
    passed_by: list[tuple[Any, Waiter]] = []
    while True:
        claim = first_of_heads(pool)
        if claim is None:
            break
        if len(pool.lines) > 1 or len(pool.lock.busy) > 1:
            if is_closed(pool, claim.key, claim.choice):
                break
        if len(pool.lines) > 1 and not pool.fits(False, 1) and not pool.fits(True, 1):
            break  # nobody fits, so nobody needs to be tried
        passed: dict[Waiter, None] = {}
        if len(claim.pools) == 1:
            if not pool.fits(claim.wants[0].exclusive, claim.wants[0].units):
                break  # nobody goes past who waits for this pool alone
            heappop(pool.heads)
        else:
            entry = heappop(pool.heads)
            if not claim.may_be_granted():
                passed_by.append(entry)
                continue
            others = (p for p in claim.pools if p is not pool)
            passed = overtaken(others, claim.key, claim.choice)
        first = next((c for _, c in passed_by if not c.is_of(claim.choice)), None)
        if first is not None:
            passed[first] = None
        assert claim.line is not None
        claim.line.leave(claim)
        claim.take()
        be_passed(passed)
        granted.append(claim)
    for entry in passed_by:
        heappush(pool.heads, entry)
    return granted
