# SPDX-License-Identifier: GPL-2.0-only
"""New: units of a lock that are shared, and the holdings among which they are."""

from __future__ import annotations

from typing import Any
from typing import Iterable
from typing import Iterator

from buildbot.locking.order import Order


class Want:
    """Some units of a lock, or all of it.

    :param lock: which lock.
    :param exclusive: whether nobody else may hold it.
    :param units: how many, at least 1; of no meaning for an exclusive want.
    """

    __slots__ = ('exclusive', 'lock', 'units')

    def __init__(self, lock: Lock, exclusive: bool, units: int) -> None:
        self.lock = lock
        self.exclusive = exclusive
        self.units = units


class Pool:
    """Units that holders share: those of a lock, or those that a holding gives to its nested ones.

    :ivar lock: the lock whose units they are.
    :ivar holding: the holding that gives them, or None for the lock's own.
    :ivar holdings: who holds some of them; a dict for its order.
    :ivar used: units taken by counting holdings, with what overflows from nested ones.
    :ivar held_whole: whether an exclusive holding is in it, itself or nested in a counting one.
    :ivar alone: the line of those who wait for this pool and no other; None before the first.
    :ivar lines: the lines in which somebody waits here, by the set of pools they wait for.
    :ivar heads: an order with the first claim of each line; the line if there has been only one.
    :ivar draining: the claims that nobody may overtake any more.
    """

    __slots__ = (
        'alone',
        'draining',
        'heads',
        'holding',
        'holdings',
        'lines',
        'lock',
        'held_whole',
        'used',
    )

    def __init__(self, lock: Lock, holding: Holding | None = None) -> None:
        self.lock = lock
        self.holding = holding
        self.holdings: dict[Holding, None] = {}
        self.used = 0
        self.held_whole = False
        self.alone: Any = None
        self.lines: dict[Any, Any] = {}
        self.heads = Order()
        self.draining = Order()

    def most(self) -> int:
        """Return the most units that somebody could ever have here.

        It is more than there are if what is held around it has been held since there were more.
        """
        holding = self.holding
        own = 0 if holding is None or holding.exclusive else holding.units
        return max(self.lock.capacity, own)

    def fits(self, exclusive: bool, units: int) -> bool:
        """Tell whether one more holding would be within capacity, whoever waits."""
        pool: Pool = self
        chain = 0  # how many holdings of the pool are not others, but around the new one
        while True:
            if pool.held_whole or (exclusive and len(pool.holdings) > chain):
                return False
            holding = pool.holding
            if holding is None or holding.exclusive:
                return exclusive or pool.used + units <= pool.lock.capacity
            if not exclusive:
                # only what goes beyond the units held around is taken from further out
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
        """Remove a holding; what is nested in it is then nested in what is around it."""
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

    def _use(self, units: int) -> None:
        # a negative number gives units back; what is around sees what goes beyond its holding only
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
        """Yield this pool and those whose units can flow into it, from the inside out."""
        pool: Pool = self
        yield pool
        while pool.holding is not None and not pool.holding.exclusive:
            pool = pool.holding.pool
            yield pool


class Holding:
    """What one owner holds of one lock.

    :ivar claim: the claim with which it is held.
    :ivar pool: where its units come from.
    :ivar inside: the pool that it is for what is nested in the owner; None until there is any.
    """

    __slots__ = ('claim', 'exclusive', 'inside', 'pool', 'units')

    def __init__(self, claim: Any, pool: Pool, exclusive: bool, units: int) -> None:
        self.claim = claim
        self.pool = pool
        self.exclusive = exclusive
        self.units = units
        self.inside: Pool | None = None

    @property
    def owner(self) -> Any:
        """Who holds it; whatever the claim named."""
        return self.claim.owner

    def footprint(self) -> int:
        """Units taken of the pool around, by it and what is nested in it, counted once."""
        if self.exclusive:
            return 0
        return max(self.units, self.inside.used) if self.inside else self.units

    def open_inside(self) -> Pool:
        if self.inside is None:
            self.inside = Pool(self.pool.lock, self)
        return self.inside


class Lock(Pool):
    """A lock with units, which holders and those nested in them share.

    :param capacity: units there are.
    :ivar held: what each owner holds of it.
    :ivar whole: the want of all of it.
    :ivar busy: the pools of it in which somebody waits.
    :ivar clock: the highest arrival number that a claim of it has had.
    :ivar latest: the highest age that a claim of it has had.
    :ivar last: place in line behind which nobody has waited since somebody has.
    """

    __slots__ = ('busy', 'capacity', 'clock', 'held', 'last', 'latest', 'whole')

    def __init__(self, capacity: int) -> None:
        super().__init__(self)
        self.capacity = capacity
        self.whole = Want(self, True, 1)
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

    def claims(self) -> list[Any]:
        """Return the claims that wait for it, in order."""
        lines = [line for pool in self.busy for line in pool.lines.values()]
        return sorted(
            dict.fromkeys(claim for line in lines for claim in line), key=lambda c: c.place
        )
