# SPDX-License-Identifier: GPL-2.0-only
"""New: a lock whose units have names, and are not all alike.

Claims that want the same units wait in one lane, in order. What the first claim of a lane waits for
is kept from all claims behind it, whatever they want; everybody else may use the rest (``turns``).
A matching finds out whether some units are enough (``matching``, ``kinds``, ``labels``). Which
units are taken depends on who else could use them, and on wear (``picking``). Giving back costs in
proportion to the number of lanes, not of waiting claims.

A unit is a bit of a number, so that whole sets are compared at once. An owner nested in a holder is
above the holder on each of its units that it takes; only the one on top can let others have it.
"""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import Container
from typing import Iterable
from typing import Iterator
from typing import Sequence
from weakref import WeakSet
from weakref import WeakValueDictionary

from buildbot.locking.claim import end_hopeless
from buildbot.locking.kinds import Kinds
from buildbot.locking.matching import Wish
from buildbot.locking.matching import can_be_met
from buildbot.locking.matching import choose
from buildbot.locking.matching import each
from buildbot.locking.matching import set_of
from buildbot.locking.picking import in_order
from buildbot.locking.pool import Holding
from buildbot.locking.pool import Lock
from buildbot.locking.pool import Pool
from buildbot.locking.pool import Want
from buildbot.locking.resource import Part
from buildbot.locking.resource import Resource
from buildbot.locking.turns import kept

NOBODY: frozenset[Any] = frozenset()

#: takes resources, and returns them with those first that are to be used first
Pick = Callable[[Sequence[Resource]], Sequence[Resource]]


class Unit:
    """One unit of a lock, by its resource. It does not say who may have it.

    :ivar stack: the holdings that have it, each nested in the one before it.
    :ivar released: a number that is higher the later the unit was given back.
    """

    __slots__ = ('released', 'resource', 'stack')

    def __init__(self, resource: Resource, stack: list[NamedHolding]) -> None:
        self.resource = resource
        self.stack = stack
        self.released = 0


class NamedWant(Want):
    """Some resources of a lock, or all of them, as a claim asks for them. It holds none.

    :param parts: what is wanted; not used for an exclusive want.
    :param worker: the worker on which they are used; None if that does not matter.
    """

    __slots__ = ('parts', 'worker')

    lock: NamedLock

    def __init__(
        self, lock: NamedLock, exclusive: bool, parts: Sequence[Part], worker: str | None = None
    ) -> None:
        super().__init__(lock, exclusive, sum(part.units for part in parts))
        self.parts = tuple(parts)
        self.worker = worker

    def pool(self, ancestors: Sequence[Any]) -> Pool:
        return self.lock.lane(self, ancestors)


class NamedHolding(Holding):
    """Resources that one owner has of one lock. It is not the claim, which ends it.

    :ivar units: how many there are.
    :ivar bits: the set of them.
    :ivar resources: the resources, in the order of the parts of the want.
    """

    __slots__ = ('bits', 'resources')

    pool: Lane

    def __init__(self, claim: Any, pool: Lane, exclusive: bool, units: Sequence[int]) -> None:
        super().__init__(claim, pool, exclusive, len(units))
        self.bits = set_of(units)
        self.resources = [pool.lock.units[unit].resource for unit in units]

    @property
    def is_nested(self) -> bool:
        units = self.pool.lock.units
        return any(units[unit].stack[0] is not self for unit in each(self.bits))

    def outer(self) -> list[Any]:
        """Return the holdings that it is nested in on any of its units, from the inside out."""
        units = self.pool.lock.units
        stacks = [units[unit].stack for unit in each(self.bits)]
        below = [reversed(stack[: stack.index(self)]) for stack in stacks]
        return list(dict.fromkeys(holding for stack in below for holding in stack))


class NamedLock(Lock):
    """The resources of a pool, who holds them and who waits. It knows no configuration.

    :param name: of the pool, for messages.
    :ivar units: by their bits; a unit that no longer exists stays until it is given back.
    :ivar kinds: which of them fit what.
    :ivar offered: the set of those that still exist.
    :ivar elsewhere: the names of resources that nobody can have here now, because of another pool.
    :ivar free: the set of those that nobody has.
    :ivar on_top: for each owner, the set of those that it has and that nobody nested in it has.
    :ivar rivals: other pools that have, or have had, a resource with the name of one of these.
    :ivar pick: the user's order of the units that would do; None if there is none.
    """

    __slots__ = (
        *('__weakref__', '_lanes', '_released', 'elsewhere', 'free', 'kinds', 'name', 'offered'),
        *('on_top', 'pick', 'rivals', 'units'),
    )

    def __init__(self, name: str = '') -> None:
        super().__init__(0)
        self.name = name
        self.units: dict[int, Unit] = {}
        self.kinds = Kinds({})
        self.offered = self.free = 0
        self.elsewhere: frozenset[str] = frozenset()
        self.on_top: dict[Any, int] = {}
        self.rivals: WeakSet[NamedLock] = WeakSet()
        self.pick: Pick | None = None
        self.whole: NamedWant = NamedWant(self, True, ())
        self._released = 0
        self._lanes: WeakValueDictionary[Any, Lane] = WeakValueDictionary()

    def offer(self, resources: Iterable[Resource]) -> None:
        """Have these resources from now on; holdings of other ones stay."""
        by_name = {resource.name: resource for resource in resources}
        self.capacity = len(by_name)
        self.offered = 0
        for bit, unit in self.units.items():
            resource = by_name.pop(unit.resource.name, None)
            if resource is not None:
                unit.resource = resource
                self.offered |= 1 << bit
        for bit, unit in list(self.units.items()):
            if not self.offered >> bit & 1 and not unit.stack:
                del self.units[bit]
        bit = 0
        for resource in by_name.values():
            while bit in self.units:
                bit += 1
            self.units[bit] = Unit(resource, [])
            self.offered |= 1 << bit
        self._change()

    def _change(self) -> None:
        self.kinds = Kinds({bit: unit.resource for bit, unit in self.units.items()})
        self._find_free()
        self.on_top = {}
        for bit, unit in self.units.items():
            if unit.stack:
                owner = unit.stack[-1].owner
                self.on_top[owner] = self.on_top.get(owner, 0) | 1 << bit
        for lane in list(self._lanes.values()):
            lane.look_up()

    def _find_free(self) -> None:
        self.free = set_of(bit for bit, unit in self.units.items() if self._is_free(unit))
        # an owner that holds all of them holds these, too
        whole = [holding for holding in self.holdings if holding.exclusive]
        for bit in each(self.free) if whole else ():
            unit = self.units[bit]
            unit.stack += whole
            for holding in whole:
                holding.bits |= 1 << bit
                holding.resources.append(unit.resource)
            owner = whole[-1].owner
            self.on_top[owner] = self.on_top.get(owner, 0) | 1 << bit
            self.used += 1
            self._keep_from_rivals([unit.resource])
        self.free = 0 if whole else self.free

    def _keep_from_rivals(self, resources: Iterable[Resource]) -> None:
        for rival in self.rivals:
            rival._keep_out(rival.elsewhere.union(resource.name for resource in resources))

    def _is_free(self, unit: Unit) -> bool:
        return not unit.stack and unit.resource.name not in self.elsewhere

    def meet(self, other: NamedLock) -> None:
        """Have another pool as a rival, because some of its resources have names of these."""
        self.rivals.add(other)
        other.rivals.add(self)

    def look_elsewhere(self) -> bool:
        """Let nobody have here what somebody has as a resource of a rival. Nothing is granted.

        :returns: whether that has changed.
        """
        units = (unit for rival in self.rivals for unit in rival.units.values())
        return self._keep_out(frozenset(unit.resource.name for unit in units if unit.stack))

    def _keep_out(self, names: frozenset[str]) -> bool:
        if names == self.elsewhere:
            return False
        self.elsewhere = names
        self._find_free()
        return True

    def held_elsewhere(self) -> Iterator[tuple[NamedHolding, int]]:
        """Yield the holdings of its rivals that keep units from it, and the set of these."""
        if not self.rivals:
            return
        bits = {unit.resource.name: 1 << bit for bit, unit in self.units.items()}
        for holding in (h for rival in self.rivals for h in rival.holdings):
            kept_out = sum({bits.get(resource.name, 0) for resource in holding.resources})
            if kept_out:
                yield holding, kept_out

    def holders(self) -> list[Any]:
        others = (holding.owner for holding, _ in self.held_elsewhere())
        return list(dict.fromkeys((*self.held, *others)))

    def want(self, parts: Sequence[Part], worker: str | None) -> NamedWant:
        """Return a want of some resources."""
        return NamedWant(self, False, parts, worker)

    def lane(self, want: NamedWant, ancestors: Sequence[Any]) -> Lane:
        """Return the lane of those that want the same."""
        around = tuple(ancestors) if any(a in self.held for a in ancestors) else ()
        key = (want.exclusive, want.parts, want.worker, around)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(self, want, around)
        return lane

    def pool_for(self, ancestors: Iterable[Any]) -> Pool:
        return self.lane(self.whole, tuple(ancestors))

    def reach(self, ancestors: Iterable[Any]) -> int:
        """Return the set of units that are free, or that an owner around has on top."""
        units = self.free
        for ancestor in ancestors:
            units |= self.on_top.get(ancestor, 0)
        return units

    def add(self, holding: NamedHolding) -> None:
        owner, bits = holding.owner, holding.bits
        self.holdings[holding] = None
        self.held.setdefault(owner, []).append(holding)
        for unit in each(bits):
            stack = self.units[unit].stack
            if stack:
                self.on_top[stack[-1].owner] &= ~(1 << unit)
            else:
                self.used += 1
            stack.append(holding)
        self.on_top[owner] = self.on_top.get(owner, 0) | bits
        self.free &= ~bits
        self.held_whole = self.held_whole or holding.exclusive
        self._keep_from_rivals(holding.resources)

    def remove(self, holding: NamedHolding) -> None:
        owner = holding.owner
        del self.holdings[holding]
        self.held[owner].remove(holding)
        if not self.held[owner]:
            del self.held[owner]
        gone = False
        self._released += 1
        for unit in each(holding.bits):
            known = self.units[unit]
            stack = known.stack
            if stack[-1] is holding:
                self.on_top[owner] &= ~(1 << unit)
            stack.remove(holding)
            if stack:
                top = stack[-1].owner
                self.on_top[top] = self.on_top.get(top, 0) | 1 << unit
                continue
            self.used -= 1
            known.released = self._released
            if self.offered >> unit & 1:
                self.free |= self._is_free(known) << unit
            else:
                del self.units[unit]
                gone = True
        if not self.on_top.get(owner):
            self.on_top.pop(owner, None)
        if holding.exclusive:
            self.held_whole = any(h.exclusive for h in self.holdings)
        if gone:
            self._change()


class Lane(Pool):
    """Where claims wait that want the same units of a lock whose units have names. It has no units.

    :param want: what they want.
    :param ancestors: the owners around them, innermost first, if any of these holds the lock.
    :ivar usable: the set of the units that would do for them.
    """

    __slots__ = ('__weakref__', '_wishes', 'ancestors', 'usable', 'want')

    lock: NamedLock

    is_lane = True

    def __init__(self, lock: NamedLock, want: NamedWant, ancestors: tuple[Any, ...]) -> None:
        super().__init__(lock)
        self.holdings = lock.holdings
        self.want = want
        self.ancestors = ancestors
        self._wishes: list[Wish] = []
        self.usable = 0
        self.look_up()

    def look_up(self) -> None:
        """Find out which units would do, after the resources have changed."""
        kinds, want = self.lock.kinds, self.want
        here = kinds.of_worker(want.worker)
        self._wishes = []
        self.usable = -1 if want.exclusive else 0
        for part in want.parts:
            fitting = here & kinds.fitting(part.labels)
            sets = [units for s in kinds.families(part.same) if (units := s & fitting)]
            self._wishes.append(Wish(part.units, sets))
            for units in sets:
                self.usable |= units

    @property
    def is_nested(self) -> bool:
        return bool(self.ancestors and self.holders_around())

    def holders_around(self) -> frozenset[Any]:
        """Return the owners around them that hold the lock."""
        if not self.ancestors:
            return NOBODY
        return frozenset(a for a in self.ancestors if a in self.lock.held)

    def reach(self) -> int:
        """Return the set of the units that would do and that nobody else has."""
        return self.lock.reach(self.ancestors) & self.usable

    def can(self, units: int, holders: Container[Any] | None = None) -> bool:
        """Tell whether a claim in this lane could be granted what it wants from some units.

        :param holders: the owners that keep what they hold; None stands for all.
        """
        if not self.want.exclusive:
            return can_be_met(self._wishes, units)
        if units != self.lock.kinds.all:
            return False
        # an owner that holds an empty pool for itself has no unit that others could miss
        whole = (h.owner for h in self.lock.holdings if h.exclusive)
        others = (owner for owner in whole if owner not in self.ancestors)
        return not any(holders is None or owner in holders for owner in others)

    def fits(self, exclusive: bool, units: int) -> bool:
        return self.can(self.reach())

    def most(self) -> int:
        return self.want.units if self.can(self._lasting(), NOBODY) else 0

    def _lasting(self) -> int:
        # the set of the units that exist as long as a claim waits here; others go when given back
        held = self.lock.held
        units = self.lock.offered
        for holding in (h for ancestor in self.ancestors for h in held.get(ancestor, ())):
            units |= holding.bits
        return units

    def left_by(self, holdings: Iterable[NamedHolding], stuck: Container[Any]) -> int:
        """Return the set of the units that would do if only the stuck owners held anything.

        :param holdings: all holdings of the lock.
        """
        units = self.lock.kinds.all if self.want.exclusive else self._lasting() & self.usable
        for holding in holdings:
            owner = holding.claim.owner
            is_close = holding.exclusive or holding.bits & units
            if is_close and owner in stuck and owner not in self.ancestors:
                units &= 0 if holding.exclusive else ~holding.bits  # all that comes is held, too
        # owners around share what they have of this pool, not of another one
        for holding, bits in self.lock.held_elsewhere():
            if holding.owner in stuck:
                units &= ~bits
        return units

    def in_the_way(self) -> Iterator[NamedHolding]:
        for holding in self.lock.holdings:
            is_close = holding.exclusive or holding.bits & self.usable
            if is_close and holding.owner not in self.ancestors:
                yield holding
        for holding, bits in self.lock.held_elsewhere():
            if bits & self.usable:
                yield holding

    def take(self, claim: Any, exclusive: bool, units: int) -> NamedHolding:
        if exclusive:
            chosen = list(self.lock.units)
        else:
            free = self.reach() & ~kept(self, claim.place, claim.choice)
            found = choose(self._wishes, in_order(self, free))
            if found is None:
                # the claim has just taken from another pool what was free in both of them
                for holding, bits in self.lock.held_elsewhere():
                    free |= bits if holding.claim is claim else 0
                found = choose(self._wishes, in_order(self, free))
            assert found is not None
            chosen = [unit for of_part in found for unit in of_part]
        holding = NamedHolding(claim, self, exclusive, chosen)
        self.lock.add(holding)
        return holding

    def give_back(self, holding: Any) -> None:
        self.lock.remove(holding)

    def left_behind(self, holding: Any) -> Iterator[Any]:
        """Yield the claims that wait inside this holding, which is about to end."""
        lanes: Iterable[Any] = self.lock.busy
        for lane in lanes:
            if holding.owner in lane.ancestors:
                for line in lane.lines.values():
                    yield from line

    def around(self) -> Iterator[Pool]:
        yield self


def set_resources(lock: NamedLock, resources: Iterable[Resource]) -> None:
    """Have other resources; those that are gone stay with their holders until given back."""
    claims = lock.claims()
    lock.offer(resources)
    end_hopeless(claims, list(lock.busy))
