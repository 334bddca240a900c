# SPDX-License-Identifier: GPL-2.0-only
"""New: claims for locks, the lines in which they wait, and whose turn it is."""

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

from buildbot.lockrule.pool import Holding
from buildbot.lockrule.pool import Pool
from buildbot.lockrule.pool import Want

#: how often a claim for several locks lets later ones go first at the locks that are free
PATIENCE = 4

NEW, WAITING, GRANTED, ENDED = 'new', 'waiting', 'granted', 'ended'


class Lock(Pool):
    """A lock with units, which holders and those nested in them share.

    :param capacity: units there are.
    :ivar held: what each owner holds of it.
    :ivar busy: the pools of it in which somebody waits.
    :ivar clock: the highest arrival number that a claim of it has had.
    :ivar latest: the highest age that a claim of it has had.
    :ivar last: place in line behind which nobody has waited since somebody has.
    """

    __slots__ = ('busy', 'capacity', 'clock', 'held', 'last', 'latest')

    def __init__(self, capacity: int) -> None:
        super().__init__(self)
        self.capacity = capacity
        self.held: dict[Any, list[Holding]] = {}
        self.busy: dict[Pool, None] = {}
        self.clock = 0
        self.latest = 0.0
        self.last: tuple[float, ...] = ()

    def __repr__(self) -> str:
        return f'<Lock of {self.capacity}>'

    def pool_for(self, ancestors: Iterable[Any]) -> Pool:
        """Return where an owner's units come from: the nearest ancestor's holding, or the lock."""
        for ancestor in ancestors if self.held else ():
            for holding in self.held.get(ancestor, ()):
                return holding.open_inside()
        return self

    def most_for(self, ancestors: Iterable[Any]) -> int:
        """Return the most units that an owner could ever have.

        It is more than there are if what is held around it has been held since there were more.
        """
        pool = self.pool_for(ancestors)
        return self.capacity if pool.holding is None else pool.holding.most()

    def is_available(
        self,
        exclusive: bool,
        units: int,
        ancestors: Iterable[Any] = (),
        priority: int = 0,
        age: float | None = None,
    ) -> bool:
        """Tell whether a claim of this lock alone would be granted at once."""
        pool = self.pool_for(ancestors)
        key = (-priority, math.inf if age is None else age, math.inf)
        return not is_closed(pool, key) and pool.fits(exclusive, units)

    def set_capacity(self, capacity: int) -> list[Claim]:
        """Change the units there are. Holdings stay; if there are too many, the lock drains.

        :returns: claims that waited and can never be granted any more; they have been cancelled.
        """
        hopeless = []
        if capacity < self.capacity:
            claims = [
                c for pool in self.busy for line in pool.lines.values() for c in line.claims()
            ]
            hopeless = [
                claim for claim in dict.fromkeys(claims) if claim.wants_more(self, capacity)
            ]
        self.capacity = capacity
        for claim in hopeless:
            claim.end()
        serve(list(self.busy))
        return hopeless


class Claim:
    """One owner's wish for some locks, all or none of them.

    :param owner: who is to hold them; what is nested in it later names it as an ancestor. Owners
        are told apart by ``==``.
    :param wants: what of which locks; a lock may be named once.
    :param priority: the higher, the further in front.
    :param ancestors: owners that this one is nested in, from the nearest out.
    :param granted: called without arguments when the claim holds its locks; not called from
        ``enter``, which returns that.
    :param age: when it came up, as seconds of a clock that all who give it share; those who do not
        come behind all that have claimed one of the locks before. Among equals in priority the
        lowest goes first.
    :param drains: called without arguments when its patience is at an end, so that others begin to
        wait for it.
    :param hopeless: called without arguments when it waits no longer, because what was held around
        it is gone, and of what is around that it could never have enough.
    :raises ValueError: a lock is named twice, or a want is more than its lock will ever have.
    """

    __slots__ = (
        'ancestors',
        'drains',
        'granted',
        'holdings',
        'hopeless',
        'key',
        'line',
        'owner',
        'passed',
        'pools',
        'state',
        'wants',
    )

    def __init__(
        self,
        owner: Any,
        wants: Sequence[Want],
        priority: int = 0,
        ancestors: Sequence[Any] = (),
        granted: Callable[[], None] = lambda: None,
        drains: Callable[[], None] = lambda: None,
        hopeless: Callable[[], None] = lambda: None,
        age: float | None = None,
    ) -> None:
        if len(wants) > 1 and len({want.lock for want in wants}) < len(wants):
            raise ValueError('a lock is named twice')
        number = 0
        latest = 0.0
        for lock, exclusive, units in wants:
            if not exclusive and not 0 < units <= lock.most_for(ancestors):
                raise ValueError('more units are wanted than there are')
            number = max(number, lock.clock)
            latest = max(latest, lock.latest)
        self.owner = owner
        self.wants = wants
        # Arrival is counted as by Lamport's clocks ("Time, clocks, and the ordering of events in a
        # distributed system", 1978), each lock having one: at a lock, who comes later has the
        # higher number, and of two claims that meet at two locks, the same one is ahead at both.
        number += 1
        if age is None or age > latest:
            latest = latest if age is None else age
            for want in wants:
                want.lock.latest = latest
        for want in wants:
            want.lock.clock = number
        self.key = (-priority, latest if age is None else age, number)
        self.ancestors = ancestors
        self.granted = granted
        self.drains = drains
        self.hopeless = hopeless
        self.state = NEW
        self.passed = 0
        self.pools: Sequence[Pool] = ()
        self.holdings: list[Holding] = []
        self.line: Line | None = None

    def __repr__(self) -> str:
        return f'<Claim of {self.owner}, {self.state}>'

    @property
    def waiting(self) -> bool:
        return self.state is WAITING

    @property
    def is_draining(self) -> bool:
        return self.state is WAITING and self.passed >= PATIENCE

    def ahead(self) -> Iterator[Claim]:
        """Yield those that this one waits for because of their place in line."""
        for pool in self.pools:
            for line in pool.lines.values():
                for other in line.claims():
                    strict = len(other.pools) == 1 or line is self.line or other.is_draining
                    if strict and other.key < self.key:
                        yield other
            for nested in pool.lock.busy:
                if nested is not pool and is_pressed(pool, nested):
                    yield from (c for line in nested.lines.values() for c in line.claims())

    def may_be_in_front(self) -> bool:
        """Tell whether it may have joined in front of somebody."""
        return any(pool.lock.last > self.key for pool in self.pools)

    @property
    def holds(self) -> bool:
        return self.state is GRANTED

    def wants_more(self, lock: Lock, capacity: int) -> bool:
        """Tell whether so many units of a lock could never be enough for this claim."""
        for want, pool in zip(self.wants, self.pools):
            if want.lock is lock and not want.exclusive and want.units > capacity:
                around = pool.holding
                return around is None or around.exclusive or want.units > around.units
        return False

    def could_have(self, lock: Lock) -> bool:
        """Tell whether one lock of several, for which it waits, would be granted by itself."""
        for want, pool in zip(self.wants, self.pools):
            if want.lock is lock:
                return not is_closed(pool, self.key) and pool.fits(want.exclusive, want.units)
        return False

    def enter(self, wait: bool = True) -> bool:
        """Take the locks if it is this claim's turn at once, else wait in line for them.

        :param wait: whether to stay in line if it is not granted.
        :returns: whether it holds its locks now.
        """
        self.pools = self.find_pools()
        if self._may_be_granted():
            self._take(overtaken(self.pools, self.key))
        elif wait:
            self._queue()
        return self.state is GRANTED

    def be_before(self, other: Claim) -> None:
        """Have the place right before another claim, when this one enters the line."""
        priority, age, number = other.key
        self.key = (priority, age, number - 0.5)

    def enter_line(self) -> None:
        """Wait in line without asking again, right after it was found not to be its turn."""
        self.pools = self.find_pools()
        self._queue()

    def serve(self) -> None:
        """Grant what can be granted where this claim waits, to whom it may be."""
        serve(self.pools)

    def find_pools(self) -> Sequence[Pool]:
        """Return where the units for each want come from now."""
        ancestors = self.ancestors
        if ancestors:
            return [want.lock.pool_for(ancestors) for want in self.wants]
        return [want.lock for want in self.wants]

    def end(self) -> None:
        """Give back what the claim holds, or leave the line. Done again, it does nothing."""
        if self.state is GRANTED:
            holdings, self.holdings = self.holdings, []
            self._release(holdings)
        elif self.state is WAITING:
            self.state = ENDED
            assert self.line is not None
            self.line.leave(self)
            serve(self.pools)

    def let_go(self, lock: Lock) -> None:
        """Give back one lock of those that the claim holds."""
        if self.state is not GRANTED:
            return
        if len(self.wants) == 1:
            self.end()
            return
        released = [h for h in self.holdings if h.pool.lock is lock]
        self.holdings = [h for h in self.holdings if h.pool.lock is not lock]
        self._release(released)

    def _queue(self) -> None:
        self.state = WAITING
        if len(self.pools) == 1:
            line = self.pools[0].alone
        else:
            line = self.pools[0].lines.get(frozenset(self.pools))
        if line is None:
            line = Line(self.pools)
        self.line = line
        line.join(self)
        if self.passed >= PATIENCE:
            self._drain()

    def _may_be_granted(self) -> bool:
        # indexed loops: this is the path that every claim takes
        wants, pools, key = self.wants, self.pools, self.key
        for i in range(len(pools)):
            pool = pools[i]
            if pool.lock.busy and is_closed(pool, key):
                return False
            if not pool.fits(wants[i].exclusive, wants[i].units):
                return False
        return True

    def _take(self, passed: Iterable[Claim]) -> None:
        self.state = GRANTED
        for want, pool in zip(self.wants, self.pools):
            holding = pool.take(self.owner, want.exclusive, want.units)
            self.holdings.append(holding)
            want.lock.held.setdefault(self.owner, []).append(holding)
        for claim in passed:
            claim.passed += 1
            if claim.passed == PATIENCE:
                claim._drain()

    def _drain(self) -> None:
        for pool in self.pools:
            heappush(pool.draining, (self.key, self))
        self.drains()

    def be_patient(self) -> None:
        """Let others go first once more, because who waits for this claim is waited for by it."""
        self.passed = 0
        self.serve()

    def _release(self, holdings: list[Holding]) -> None:
        if not self.holdings:
            self.state = ENDED
        freed: list[Pool] = []
        moved: list[Claim] = []
        for holding in holdings:
            pool, lock = holding.pool, holding.pool.lock
            of_owner = lock.held[self.owner]
            if len(of_owner) == 1:
                del lock.held[self.owner]
            else:
                of_owner.remove(holding)
            inside = holding.inside
            if inside is not None and inside.lines:
                moved += [c for line in inside.lines.values() for c in line.claims()]
            pool.give_back(holding)
            freed.append(pool)
        hopeless = [claim for claim in dict.fromkeys(moved) if not claim._move()] if moved else ()
        serve(freed)
        for claim in hopeless:
            claim.hopeless()

    def _move(self) -> bool:
        # the holding it waited in is gone: it waits for what is around that, if it can have it
        assert self.line is not None
        self.line.leave(self)
        self.pools = self.find_pools()
        if any(self.wants_more(want.lock, want.lock.capacity) for want in self.wants):
            self.state = ENDED
            return False
        self._queue()
        return True


class Line:
    """Those who wait for one set of pools, in order. The first decides for all of them.

    :param pools: each of them once.
    """

    __slots__ = ('_claims', '_key', '_left', 'pools')

    def __init__(self, pools: Sequence[Pool]) -> None:
        self.pools = pools
        self._claims: list[tuple[Any, Claim]] = []
        self._left = 0  # entries of claims that have left
        self._key: Any = frozenset(pools)
        if len(pools) == 1:
            self._key = pools[0]
            pools[0].alone = self

    def claims(self) -> Iterator[Claim]:
        """Yield those who wait, in no order."""
        return (claim for _, claim in self._claims if claim.line is self)

    def first(self) -> Claim | None:
        claims = self._claims
        while claims and claims[0][1].line is not self:
            heappop(claims)
            self._left -= 1
        return claims[0][1] if claims else None

    def join(self, claim: Claim) -> None:
        if len(self._claims) == self._left:
            for pool in self.pools:
                pool.lines[self._key] = self
                pool.lock.busy[pool] = None
        for pool in self.pools:
            pool.lock.last = max(pool.lock.last, claim.key)
        heappush(self._claims, (claim.key, claim))
        if self._claims[0][1] is claim:
            self._announce(claim)

    def leave(self, claim: Claim) -> None:
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

    def _announce(self, first: Claim) -> None:
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


def first_of_heads(pool: Pool) -> Claim | None:
    """Return the first in line at a pool, of all its lines; forget entries that are out of date."""
    heads = pool.heads
    while heads:
        claim = heads[0][1]
        if claim.line is not None and claim.line.first() is claim:
            return claim
        heappop(heads)
    return None


def is_closed(pool: Pool, key: Any) -> bool:
    """Tell whether somebody ahead of a place in line makes it wait at a pool."""
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
            return True
    busy = pool.lock.busy
    if len(busy) > (pool in busy):
        return any(is_pressed(pool, nested) for nested in busy)
    return False


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


def overtaken(pools: Iterable[Pool], key: Any) -> dict[Claim, None]:
    """Return the claims that one at this place in line overtakes: the first one at each pool."""
    found: dict[Claim, None] = {}
    for pool in pools:
        if pool.lines:
            first = first_of_heads(pool)
            if first is not None and first.key < key:
                found[first] = None
    return found


def serve(pools: Sequence[Pool]) -> None:
    """Grant all that can be granted, in order, where units have become free or a claim has left.

    :param pools: where that happened.
    """
    granted: list[Claim] = []
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


def serve_pool(pool: Pool) -> list[Claim]:
    granted: list[Claim] = []
    passed_by: list[tuple[Any, Claim]] = []
    while True:
        claim = first_of_heads(pool)
        if claim is None:
            break
        if (len(pool.lines) > 1 or len(pool.lock.busy) > 1) and is_closed(pool, claim.key):
            break
        if len(pool.lines) > 1 and not pool.fits(False, 1) and not pool.fits(True, 1):
            break  # nobody fits, so nobody needs to be tried
        passed: dict[Claim, None] = {}
        if len(claim.pools) == 1:
            if not pool.fits(claim.wants[0].exclusive, claim.wants[0].units):
                break  # nobody goes past who waits for this pool alone
            heappop(pool.heads)
        else:
            entry = heappop(pool.heads)
            if not claim._may_be_granted():
                passed_by.append(entry)
                continue
            passed = overtaken((p for p in claim.pools if p is not pool), claim.key)
        if passed_by:
            passed[passed_by[0][1]] = None
        assert claim.line is not None
        claim.line.leave(claim)
        claim._take(passed)
        granted.append(claim)
    for entry in passed_by:
        heappush(pool.heads, entry)
    return granted
