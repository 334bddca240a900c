# SPDX-License-Identifier: GPL-2.0-only
"""New: one owner's claim of some locks, from when it is made until it has ended."""

from __future__ import annotations

from enum import Enum
from typing import Any
from typing import Container
from typing import Iterable
from typing import Iterator
from typing import Sequence

from buildbot.locking.deadlock import fits
from buildbot.locking.pool import Holding
from buildbot.locking.pool import Lock
from buildbot.locking.pool import Pool
from buildbot.locking.pool import Want
from buildbot.locking.queue import PATIENCE
from buildbot.locking.queue import Line
from buildbot.locking.queue import Waiter
from buildbot.locking.queue import be_passed
from buildbot.locking.queue import overtaken
from buildbot.locking.queue import place_in_front
from buildbot.locking.queue import serve


class State(Enum):
    """How far a claim is. It only moves forward; it is not a result."""

    ASKED = 'asked'
    WAITING = 'waiting'
    HELD = 'held'
    ENDED = 'ended'


ASKED, WAITING, HELD, ENDED = State  # looking one of them up in State each time costs more


class Claim(Waiter):
    """One owner's demand on its way: it has all of its locks, or none. It is not an access.

    :param owner: who is to hold the locks. Owners are compared with ``==``.
    :param wants: the units that are wanted, each of another lock.
    :param priority: a higher number is further in front.
    :param ancestors: the owners that this one is nested in, innermost first.
    :param age: when it was made, in seconds of a clock that all claims share; of claims with equal
        priority the lowest goes first. None puts it behind all earlier claims of its locks.
    :param choice: equal for claims of which only one is needed; they do not hinder each other.
    :param moved_at: when it was moved to the front; None if it was not. The claim that was moved
        last goes first.
    :ivar holdings: its units of each lock while it is held.
    :cvar outlasts: whether it also waits for units that do not exist now, since they may come back.
    :raises ValueError: a lock is named twice, or a want is more than its lock will ever have.
    """

    __slots__ = ('ancestors', 'holdings', 'owner', 'state')

    outlasts = False

    def __init__(
        self,
        owner: Any,
        wants: Sequence[Want],
        priority: int = 0,
        ancestors: Sequence[Any] = (),
        age: float | None = None,
        choice: Any = None,
        moved_at: float | None = None,
    ) -> None:
        if len(wants) > 1 and len({want.lock for want in wants}) < len(wants):
            raise ValueError('a lock is named twice')
        self.owner = owner
        self.wants = wants
        self.ancestors = ancestors
        self.choice = choice
        self.holdings: Sequence[Holding] = ()
        self.state = ASKED
        self.passed = 0
        self.line = None
        number, latest = 0, 0.0
        pools = self.pools = {}
        for want in wants:
            lock = want.lock
            pool = want.pool(ancestors)
            pools[pool] = want
            if not want.exclusive and not 0 < want.units <= pool.most() and not self.outlasts:
                raise self.too_many(want)
            clock, its_latest = lock.clock, lock.latest
            number = clock if clock > number else number  # max() costs more than all of this
            latest = its_latest if its_latest > latest else latest
        # Arrival is counted as by Lamport's clocks ("Time, clocks, and the ordering of events in a
        # distributed system", 1978), one for each lock: at a lock, a later claim has a higher
        # number; and if two claims meet at two locks, the same one is ahead at both.
        number += 1
        if age is None:
            age = latest
        for want in wants:
            lock = want.lock
            lock.clock = number
            lock.latest = age if age > lock.latest else lock.latest
        self.place = (-priority, age, number)
        if moved_at is not None:
            self.place = place_in_front(moved_at, self.place)

    def __repr__(self) -> str:
        return f'<Claim of {self.owner}, {self.state.value}>'

    @property
    def waiting(self) -> bool:
        return self.state is WAITING

    @property
    def holds(self) -> bool:
        return self.state is HELD

    def keeps(self) -> Sequence[Any]:
        """Return the owners that let go of nothing while this waits: its own and those around."""
        return (self.owner, *self.ancestors)

    def ways(self, hopeful: bool) -> Sequence[Sequence[Claim]]:
        """Return this claim as all that its wait needs; see ``deadlock.Wait``."""
        return ((self,),)

    def can_be_met(self, stuck: Container[Any]) -> bool:
        """Tell whether it could be granted if only the stuck owners held anything."""
        return all(fits(pool, want, stuck) for pool, want in self.pools.items())

    def held_by(self) -> Iterator[Any]:
        """Yield the owners that hold units which it could get."""
        return (holding.owner for pool in self.pools for holding in pool.in_the_way())

    def yields(self) -> bool:
        """Return False: a plain claim does not give up its place."""
        return False

    def too_large(self) -> list[Want]:
        """Return the wants for which there will never be enough units again."""
        return [
            want
            for pool, want in self.pools.items()
            if not want.exclusive and want.units > pool.most() and not self.outlasts
        ]

    def enter(self, wait: bool = True) -> bool:
        """Take the locks if it is this claim's turn now; otherwise wait in line for them.

        :param wait: whether to stay in line if it is not granted.
        :returns: whether it holds its locks now.
        """
        if self.ancestors:
            self._find_pools()
        if self.may_be_granted():
            passed = overtaken(self.pools, self)
            self.take()
            be_passed(passed)
        elif wait:
            self.enter_line()
        return self.state is HELD

    def enter_line(self) -> None:
        """Wait in line without asking again, right after it proved not to be its turn."""
        if self.ancestors:
            self._find_pools()
        self.state = WAITING
        pools = self.pools
        if len(pools) == 1:
            (pool,) = pools
            line = pool.alone
        else:
            line = next(iter(pools)).lines.get(frozenset(pools))
        if line is None:
            line = Line(pools)
        line.join(self)

    def _find_pools(self) -> None:
        # where the units for each want now come from
        self.pools = {want.pool(self.ancestors): want for want in self.wants}

    def end(self) -> None:
        """Give back what the claim holds, or leave the line. A second call does nothing."""
        if self.state is WAITING:
            self._leave()
            self.serve()
        else:
            self.let_go()

    def let_go(self, lock: Lock | None = None) -> None:
        """Give back one of the locks that the claim holds, or all of them."""
        if self.state is not HELD:
            return
        released = self.holdings
        kept: Sequence[Holding] = ()
        if lock is not None and len(released) > 1:
            kept = [h for h in released if h.pool.lock is not lock]
            released = [h for h in released if h not in kept]
        freed: list[Pool] = []
        moved: Sequence[Claim] = ()  # those that waited in a holding that is given back
        left_behind: Sequence[Claim] = ()  # those that waited further inside
        for holding in released:
            pool: Any = holding.pool  # a lane is a pool with more methods
            if holding.inside:
                moved = [
                    *moved,
                    *(claim for line in holding.inside.lines.values() for claim in line),
                ]
            if holding.inside or pool.is_lane:
                left_behind = [*left_behind, *pool.left_behind(holding)]
            pool.give_back(holding)
            freed.append(pool)
        self.holdings = kept
        if not kept:
            self.state = ENDED
        if moved or left_behind:
            for claim in dict.fromkeys(moved):
                claim._move()
            for claim in dict.fromkeys((*moved, *left_behind)):
                claim.moved_out()
            end_hopeless(dict.fromkeys((*moved, *left_behind)), freed)
        else:
            serve(freed)

    def take(self) -> None:
        self.state = HELD
        self.holdings = holdings = []
        for pool, want in self.pools.items():
            holdings.append(pool.take(self, want.exclusive, want.units))

    def hopeless(self, want: Want) -> None:
        """Called when the claim has ended because there will never be enough units for a want.

        The holding around it has ended, or its lock has fewer units now.
        """

    def moved_out(self) -> None:
        """Called when the holding in which it waited has ended, so that it may wait for others."""

    def too_many(self, want: Want) -> Exception:
        """Return the error which says that a want is more than there will ever be."""
        return ValueError('more units are wanted than there are')

    def _leave(self) -> None:
        self.state = ENDED
        assert self.line is not None
        self.line.leave(self)

    def _move(self) -> None:
        # the holding in which it waited has ended, so it waits in the pool around that
        assert self.line is not None
        self.line.leave(self)
        self.enter_line()
        if self.passed >= PATIENCE:
            self.drain()

    def stand_at(self, place: tuple[Any, ...]) -> None:
        """Wait at another place in line, and grant what can be granted now."""
        left = self.pools
        self.place = place
        self._move()
        serve([*{**left, **self.pools}])


def end_hopeless(claims: Iterable[Claim], pools: Sequence[Pool]) -> None:
    """End those of some claims that are hopeless, and grant what can be granted.

    :param pools: where units have become free, or where the number of units has changed.
    """
    hopeless = [(claim, wants[0]) for claim in claims if (wants := claim.too_large())]
    for claim, _ in hopeless:
        claim._leave()
    serve([*pools, *(pool for claim, _ in hopeless for pool in claim.pools)])
    for claim, want in hopeless:
        claim.hopeless(want)


def set_capacity(lock: Lock, capacity: int) -> None:
    """Change the number of units. Holdings stay, even if they are too many."""
    claims = lock.claims() if capacity < lock.capacity else ()
    lock.capacity = capacity
    end_hopeless(claims, list(lock.busy))
