# SPDX-License-Identifier: GPL-2.0-only
"""New: the queue of a lock: the claims that wait for its units, their order, and who is next."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any
from typing import Container
from typing import Iterable
from typing import Iterator
from typing import Sequence

from buildbot.locking import turns
from buildbot.locking.deadlock import fits
from buildbot.locking.fronts import Fronts
from buildbot.locking.order import Order
from buildbot.locking.pool import Lock
from buildbot.locking.pool import Pool
from buildbot.locking.pool import Want

#: how often a claim for several locks lets later ones go first at the locks that are free
PATIENCE = 4


class Waiter:
    """What a queue knows of a claim: its wants and its place. It knows no owner and no state.

    :ivar wants: units, each of another lock.
    :ivar pools: where its units come from, with the want of each.
    :ivar place: its place in line, of three or more parts; the lowest goes first.
    :ivar choice: equal for claims of which only one is needed; None if there are no others.
    :ivar line: where it waits; None if it does not.
    :ivar passed: how often claims behind it have been granted before it.
    """

    __slots__ = ('choice', 'line', 'passed', 'place', 'pools', 'wants')

    wants: Sequence[Want]
    pools: dict[Pool, Want]
    place: tuple[Any, ...]
    choice: Any
    line: Line | None
    passed: int

    def take(self) -> None:
        """Take the units that are wanted."""
        raise NotImplementedError

    def granted(self) -> None:
        """Called when it has been granted its units after a wait; ``enter`` tells it otherwise."""

    def drains(self) -> None:
        """Called when its patience has ended, and its locks begin to drain."""

    @property
    def is_draining(self) -> bool:
        return self.line is not None and self.passed >= PATIENCE

    @property
    def is_nested(self) -> bool:
        """Whether it wants units of a holding that its owner is nested in."""
        return any(pool.is_nested for pool in self.pools)

    def ahead(self, fronts: Fronts, left: Container[Any] | None) -> Iterator[Any]:
        """Yield waits that must be over before this one; of each line that it waits in, the last.

        :param fronts: of the lines that this search has already met.
        :param left: the waits that matter; None stands for all.
        """
        for pool in self.pools:
            if pool.is_lane:
                yield from turns.ahead(pool, self, fronts, left)
                continue
            for line in pool.lines.values():
                if line is self.line or line is pool.alone:
                    nearest = fronts.of(line).nearest(self, left)
                    if nearest is not None:
                        yield nearest
            for other in pool.draining:
                if other.place < self.place and not other.is_of(self.choice):
                    yield other.as_wait()
            for nested in pool.lock.busy:
                if nested is not pool and is_pressed(pool, nested):
                    yield from pressing(nested, fronts, left)

    def as_wait(self) -> Any:
        """Return the wait that is over when this is granted: its own, or one with several ways."""
        return self

    def is_of(self, choice: Any) -> bool:
        """Tell whether it belongs to a choice, and so does not hinder the others in it."""
        return choice is not None and self.choice == choice

    def may_be_in_front(self) -> bool:
        """Tell whether it may have entered the line in front of somebody."""
        return any(pool.lock.last > self.place for pool in self.pools)

    def could_have(self, lock: Lock) -> bool:
        """Tell whether one of the locks that it waits for would be granted by itself."""
        for pool, want in self.pools.items():
            if want.lock is lock:
                return has_turn(pool, want, self.place, self.choice)
        return False

    @property
    def place_of_its_own(self) -> tuple[Any, ...]:
        """The place that it has, or had before it was moved to the front."""
        return self.place[3] if self.place[0] == -math.inf else self.place

    def be_before(self, other: Waiter) -> None:
        """Have the place right before another claim, when this one enters the line."""
        priority, age, number = other.place[:3]
        own = self.place_of_its_own if priority == -math.inf else self.place[2]
        # behind all that came before the other; of several claims right before it, the first to
        # come goes first
        number = (Fraction(number) + math.ceil(number) - 1) / 2
        self.place = (priority, age, number, own)

    def serve(self) -> None:
        """Grant all that can be granted, to any claim, where this one waits."""
        serve([*self.pools])

    def be_patient(self) -> None:
        """Stop draining, because this claim waits for one that waits for it."""
        self.passed = 0
        for pool in self.pools:
            pool.draining.discard(self)
        self.serve()

    def may_be_granted(self) -> bool:
        """Tell whether it is its turn and there are enough units."""
        for pool, want in self.pools.items():
            if not has_turn(pool, want, self.place, self.choice):
                return False
        return len(self.pools) < 2 or not self._is_behind_its_like()

    def _is_behind_its_like(self) -> bool:
        # whether one that waits for the same locks goes first
        line = next(iter(self.pools)).lines.get(frozenset(self.pools))
        return line is not None and line.has_before(self.place, self.choice)

    def overtaken(self, pools: Iterable[Pool]) -> dict[Waiter, None]:
        """Return the claims that it overtakes at some of its pools."""
        return overtaken(pools, self)

    def be_passed(self) -> None:
        """Count that a claim behind it has been granted before it."""
        self.passed += 1
        if self.passed == PATIENCE:
            self.drain()

    def drain(self) -> None:
        """Let no claim behind it be granted before it any more."""
        for pool in self.pools:
            pool.draining.add(self)
        self.drains()


def place_in_front(moved_at: float, own: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the place in front of all claims that were not moved there after this time.

    :param own: the place that the claim has otherwise.
    """
    return (-math.inf, -moved_at, own[2], own)


class Line(Order):
    """The claims that wait for one set of pools, in order. A pool may have several lines.

    :param pools: each of them once.
    :ivar key: stands for that set.
    """

    __slots__ = ('_pools', 'key')

    def __init__(self, pools: Iterable[Pool]) -> None:
        super().__init__()
        self._pools = [*pools]
        self.key: Any = frozenset(self._pools)
        if len(self._pools) == 1:
            self.key = self._pools[0]
            self.key.alone = self

    def join(self, claim: Waiter) -> None:
        claim.line = self
        for pool in self._pools:
            lock, lines = pool.lock, pool.lines
            lock.last = claim.place if claim.place > lock.last else lock.last
            if not self:
                if not lines:
                    lock.busy[pool] = None
                    pool.heads = self
                elif len(lines) == 1:
                    pool.heads = Order(line.first() for line in lines.values())
                lines[self.key] = self
            if pool.heads is not self:
                before = self.first()
                if before is None or claim.place < before.place:
                    pool.heads.discard(before)
                    pool.heads.add(claim)
        self.add(claim)

    def leave(self, claim: Waiter) -> None:
        claim.line = None
        self.discard(claim)
        for pool in self._pools:
            if claim.passed >= PATIENCE:
                pool.draining.discard(claim)
            heads = pool.heads
            if heads is not self and claim in heads:
                heads.discard(claim)
                if self:
                    heads.add(self.first())
            if not self:
                del pool.lines[self.key]
                if not pool.lines:
                    lock = pool.lock
                    del lock.busy[pool]
                    if not lock.busy:
                        lock.last = ()


def has_turn(pool: Pool, want: Want, place: Any, choice: Any = None) -> bool:
    """Tell whether a claim at a place in line could be granted what it wants of a pool.

    :param choice: that of the claim.
    """
    if pool.is_lane:
        return turns.has_turn(pool, place, choice)
    if pool.lock.busy and is_closed(pool, place, choice):
        return False
    return pool.fits(want.exclusive, want.units)


def is_closed(pool: Pool, place: Any, choice: Any = None) -> bool:
    """Tell whether a claim at a place in line has to wait at a pool for a claim ahead of it.

    :param choice: that of the claim.
    """
    alone = pool.alone
    if alone and alone.first().place < place:
        return True
    if pool.draining and pool.draining.has_before(place, choice):
        return True
    busy = pool.lock.busy
    if len(busy) > (pool in busy):
        return any(is_pressed(pool, nested) for nested in busy)
    return False


def is_available(
    want: Want,
    ancestors: Sequence[Any] = (),
    priority: int = 0,
    age: float | None = None,
    choice: Any = None,
    moved_at: float | None = None,
) -> bool:
    """Tell whether a claim of this want alone would be granted at once."""
    place: tuple[float, ...] = (-priority, math.inf if age is None else age, math.inf)
    if moved_at is not None:
        place = (-math.inf, -moved_at, math.inf)
    return has_turn(want.pool(ancestors), want, place, choice)


def is_pressed(pool: Pool, nested: Pool) -> bool:
    """Tell whether a claim in a pool nested in this one waits for units of this one.

    It goes first, because the owner around it keeps its units until it has ended.
    """
    if nested is pool or pool not in nested.around():
        return False
    for line in nested.lines.values():
        first = line.first()
        if first is not None:
            want = first.pools[nested]
            if not nested.fits(want.exclusive, want.units):
                return True
    return False


def pressing(nested: Pool, fronts: Fronts, left: Container[Any] | None) -> Iterator[Any]:
    """Yield waits in a nested pool that others outside have to wait for.

    :param left: the waits that matter; None stands for all, whoever holds anything now.
    """
    for other in (claim for line in nested.lines.values() for claim in line):
        # what fits as soon as all who need not wait have let go keeps nobody out from then on
        if left is None or not fits(nested, other.pools[nested], fronts.stuck):
            yield other.as_wait()


def overtaken(pools: Iterable[Pool], claim: Waiter) -> dict[Waiter, None]:
    """Return the claims that this one overtakes: the first one at each pool."""
    found: dict[Waiter, None] = {}
    for pool in pools:
        if pool.is_lane:
            found.update(dict.fromkeys(turns.overtaken(pool, claim)))
        elif pool.lines:
            first = pool.heads.first()
            if first is not None and first.place < claim.place and not first.is_of(claim.choice):
                found[first] = None
    return found


def be_passed(waiters: Iterable[Waiter]) -> None:
    """Count that a claim behind these has been granted before them."""
    for waiter in waiters:
        waiter.be_passed()


def serve(pools: Sequence[Pool]) -> None:
    """Grant all that can be granted, in order, where units have become free or a claim has left.

    :param pools: where that happened.
    """
    pool = pools[0] if len(pools) == 1 else None
    if pool and pool.alone and len(pool.lines) == len(pool.lock.busy) == 1:
        granted = serve_alone(pool)  # the usual case: all that wait want this pool alone
    else:
        granted = serve_around([outer for p in pools if p.lock.busy for outer in p.around()])
    for claim in granted:
        claim.granted()


def serve_around(todo: list[Pool]) -> list[Waiter]:
    """Grant all that can be granted, in order, at some pools and those nested in them.

    :param todo: where that may be; it is used up.
    :returns: the claims that were granted.
    """
    granted: list[Waiter] = []
    while todo:
        pool = todo.pop()
        if pool.is_lane:
            for claim in turns.serve(pool.lock):
                granted.append(claim)
                todo += [outer for own in claim.pools for outer in own.around() if own is not pool]
            continue
        # claims that wait in a holding with too few units come first
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
    return granted


def serve_alone(pool: Pool) -> list[Waiter]:
    """Grant all that can be granted, in order, where nobody waits for anything else as well."""
    granted: list[Waiter] = []
    line = pool.alone
    while line:
        claim = line.first()
        want = claim.pools[pool]
        if not pool.fits(want.exclusive, want.units):
            break
        line.leave(claim)
        claim.take()
        granted.append(claim)
    return granted


def serve_pool(pool: Pool) -> list[Waiter]:
    """Grant all that can be granted at a pool, in order.

    :returns: the claims that were granted.
    """
    granted: list[Waiter] = []
    gone_past: list[Waiter] = []  # claims that others may go past
    lines, busy = pool.lines, pool.lock.busy
    while lines:
        claim = pool.heads.first()
        if claim is None:
            break
        several = len(lines) > 1
        if several and not pool.fits(False, 1) and not pool.fits(True, 1):
            break  # nothing fits, so no claim needs to be tried
        if (several or len(busy) > 1) and is_closed(pool, claim.place, claim.choice):
            first = pool.draining.first()
            if first is None or not several or is_closed(pool, claim.place, first.choice):
                break
            # only one drains, or several of one choice, and others of this choice may go past it
            pool.heads.discard(claim)
            gone_past.append(claim)
            continue
        passed: dict[Waiter, None] | None = None
        if len(claim.pools) == 1:
            want = claim.pools[pool]
            if not pool.fits(want.exclusive, want.units):
                break  # a claim that waits for this pool alone is not passed
        elif claim.may_be_granted():
            passed = overtaken((p for p in claim.pools if p is not pool), claim)
        elif pool.heads is claim.line:
            break  # there is no claim to go past it
        else:
            pool.heads.discard(claim)
            gone_past.append(claim)
            continue
        behind = next((c for c in gone_past if not c.is_of(claim.choice)), None)
        if behind is not None:
            passed = {**(passed or {}), behind: None}
        claim.line.leave(claim)
        claim.take()
        if passed:
            be_passed(passed)
        granted.append(claim)
    for claim in gone_past:
        pool.heads.add(claim)
    return granted
