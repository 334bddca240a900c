# SPDX-License-Identifier: GPL-2.0-only
"""New: the units of a lock, and the holdings that share them."""

from __future__ import annotations

from typing import Any
from typing import Iterable
from typing import Iterator
from typing import Sequence

from buildbot.locking.order import Order


class Want:
    """Some units of a lock, or all of it, as a claim asks for them. It holds nothing.

    :param lock: which lock.
    :param exclusive: whether nobody else may hold it.
    :param units: how many, at least 1; not used for an exclusive want.
    """

    __slots__ = ('exclusive', 'lock', 'units')

    def __init__(self, lock: Lock, exclusive: bool, units: int) -> None:
        self.lock = lock
        self.exclusive = exclusive
        self.units = units

    def pool(self, ancestors: Sequence[Any]) -> Pool:
        """Return where the units come from, for an owner with these ancestors."""
        lock = self.lock
        return lock.pool_for(ancestors) if ancestors else lock


class Pool:
    """Units that holders share: a lock's own, or a holding's, which owners nested in it share.

    It does not decide whose turn it is. It is not a resource pool, the lock whose units have names.

    :ivar lock: the lock whose units they are.
    :ivar holding: the holding that gives them, or None for the lock's own.
    :ivar holdings: the holdings of these units; a dict for its order.
    :ivar used: units of counting holdings, and what nested holdings use beyond them.
    :ivar held_whole: whether it contains an exclusive holding, itself or nested in a counting one.
    :ivar alone: the line of the claims that wait for this pool only; None before the first.
    :ivar lines: the lines that are not empty, by the set of pools that their claims wait for.
    :ivar heads: the first claim of each line, in order; the line itself if there is only one.
    :ivar draining: the claims that nobody may overtake any more.
    """

    is_lane = False  # whether all that wait here want the same named units

    __slots__ = (
        'alone',
        'draining',
        'heads',
        'held_whole',
        'holding',
        'holdings',
        'lines',
        'lock',
        'used',
    )

    def __init__(self, lock: Lock, holding: Holding | None = None) -> None:
        self.lock = lock
        self.holding = holding
        self.holdings: dict[Any, None] = {}
        self.used = 0
        self.held_whole = False
        self.alone: Any = None
        self.lines: dict[Any, Any] = {}
        self.heads = Order()
        self.draining = Order()

    @property
    def is_nested(self) -> bool:
        """Whether its waiters want units of a holding that their owner is nested in."""
        return self.holding is not None

    def in_the_way(self) -> Iterator[Holding]:
        """Yield the holdings of units that its waiters could get."""
        for pool in self.around():
            yield from pool.holdings

    def most(self) -> int:
        """Return the most units that one claim could ever have here.

        A holding keeps its units when the capacity is lowered, so this may exceed the capacity.
        """
        units = self.lock.capacity
        holding = self.holding
        while holding is not None and not holding.exclusive:
            units = max(units, holding.units)
            holding = holding.pool.holding
        return units

    def fits(self, exclusive: bool, units: int) -> bool:
        """Tell whether one more holding would be within capacity. The queue is not looked at."""
        pool: Pool = self
        chain = 0  # how many holdings of the pool are around the new one
        while True:
            if pool.held_whole or (exclusive and len(pool.holdings) > chain):
                return False
            holding = pool.holding
            if holding is None or holding.exclusive:
                return exclusive or pool.used + units <= pool.lock.capacity
            if not exclusive:
                # only what goes beyond the units held around it is taken from further out
                units = max(holding.units, pool.used + units) - max(holding.units, pool.used)
                if not units:
                    return True
            pool, chain = holding.pool, 1

    def take(self, claim: Any, exclusive: bool, units: int) -> Holding:
        """Add a holding that fits."""
        holding = Holding(claim, self, exclusive, units)
        self.holdings[holding] = None
        held, owner = self.lock.held, claim.owner
        if owner in held:
            held[owner].append(holding)
        else:
            held[owner] = [holding]
        if exclusive:
            self.held_whole = True
            if self.holding is not None:
                self._set_whole(True)
        else:
            self._use(units)
        return holding

    def give_back(self, holding: Holding) -> None:
        """Remove a holding; holdings nested in it move to this pool."""
        del self.holdings[holding]
        owner, held = holding.claim.owner, self.lock.held
        of_owner = held[owner]
        if len(of_owner) == 1:
            del held[owner]
        else:
            of_owner.remove(holding)
        inside = holding.inside
        if inside is None:
            if holding.exclusive:
                self.held_whole = False
                if self.holding is not None:
                    self._set_whole(False)
            else:
                self._use(-holding.units)
            return
        if holding.exclusive and not inside.held_whole:
            self._set_whole(False)
        self._use(inside.used - holding.footprint())
        for nested in inside.holdings:
            nested.pool = self
            self.holdings[nested] = None

    def left_behind(self, holding: Holding) -> Iterator[Any]:
        """Yield the claims that wait in holdings nested in this one, which is about to end."""
        inside: Any = holding.inside
        for pool in self.lock.busy:
            if pool is not inside and inside in pool.around():
                for line in pool.lines.values():
                    yield from line

    def _use(self, units: int) -> None:
        # a negative number gives units back; a pool around sees only what exceeds its holding
        pool: Pool = self
        while units:
            holding = pool.holding
            before = holding.footprint() if holding else 0
            pool.used += units
            if holding is None or holding.exclusive:
                return
            units = holding.footprint() - before
            pool = holding.pool

    def _set_whole(self, taken: bool) -> None:
        for pool in self.around():
            pool.held_whole = taken

    def around(self) -> Iterator[Pool]:
        """Yield this pool and those that can give it more units, from the inside out."""
        pool: Pool = self
        yield pool
        while pool.holding is not None and not pool.holding.exclusive:
            pool = pool.holding.pool
            yield pool


class Holding:
    """Units that one owner has of one lock. It belongs to a claim, which ends it.

    :ivar claim: the claim with which it is held.
    :ivar pool: where its units come from.
    :ivar inside: the pool of the owners nested in this one; None until one of them asks.
    """

    __slots__ = ('claim', 'exclusive', 'inside', 'pool', 'units')

    resources: Any = ()  # a list of them if the units have names

    def __init__(self, claim: Any, pool: Pool, exclusive: bool, units: int) -> None:
        self.claim = claim
        self.pool = pool
        self.exclusive = exclusive
        self.units = units
        self.inside: Pool | None = None

    @property
    def owner(self) -> Any:
        """The owner of its claim."""
        return self.claim.owner

    @property
    def is_nested(self) -> bool:
        """Whether its units are those of another holding, which its owner is nested in."""
        return self.pool.holding is not None

    def outer(self) -> list[Any]:
        """Return the holdings that it is nested in, from the inside out."""
        found = []
        holding = self.pool.holding
        while holding is not None:
            found.append(holding)
            holding = holding.pool.holding
        return found

    def footprint(self) -> int:
        """Units that it and everything nested in it use of the pool around, counted once."""
        if self.exclusive:
            return 0
        return max(self.units, self.inside.used) if self.inside else self.units

    def open_inside(self) -> Pool:
        if self.inside is None:
            self.inside = Pool(self.pool.lock, self)
        return self.inside


class Lock(Pool):
    """The units of one copy of a lock, its holdings and its queue. It knows no configuration.

    :param capacity: its number of units.
    :ivar held: what each owner holds of it.
    :ivar whole: the want of all of it.
    :ivar busy: those of its pools in which somebody waits.
    :ivar clock: the highest arrival number that any of its claims has had.
    :ivar latest: the highest age that any of its claims has had.
    :ivar last: the hindmost place in line since the queue was last empty.
    :cvar rivals: locks some of whose units are the same things.
    """

    rivals: Any = ()

    __slots__ = ('busy', 'capacity', 'clock', 'held', 'last', 'latest', 'whole')

    def __init__(self, capacity: int) -> None:
        super().__init__(self)
        self.capacity = capacity
        self.whole = Want(self, True, 1)
        self.held: dict[Any, list[Any]] = {}
        self.busy: dict[Pool, None] = {}
        self.clock = 0
        self.latest = 0.0
        self.last: tuple[float, ...] = ()

    def __repr__(self) -> str:
        return f'<Lock of {self.capacity}>'

    def pool_for(self, ancestors: Iterable[Any]) -> Pool:
        """Return the pool of an owner: the nearest ancestor's holding, or the lock."""
        for ancestor in ancestors if self.held else ():
            for holding in self.held.get(ancestor, ()):
                return holding.open_inside()
        return self

    def holders(self) -> list[Any]:
        """Return the owners that hold units of it, also as units of its rivals."""
        return list(self.held)

    def claims(self) -> list[Any]:
        """Return the claims that wait for it, in order."""
        lines = [line for pool in self.busy for line in pool.lines.values()]
        return sorted(
            dict.fromkeys(claim for line in lines for claim in line), key=lambda c: c.place
        )
