# SPDX-License-Identifier: GPL-2.0-only
"""New: the one copy of a resource pool, and each of its resources as a copy of its own."""

from __future__ import annotations

from typing import Any
from typing import ClassVar
from typing import Iterable
from typing import Iterator
from typing import Sequence
from weakref import WeakValueDictionary

from buildbot.locking.copies import FoundByName
from buildbot.locking.copy import CLAIMED
from buildbot.locking.copy import LIMIT
from buildbot.locking.copy import Access
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locking.expressions import Label
from buildbot.locking.matching import each
from buildbot.locking.matching import set_of
from buildbot.locking.named import NOBODY
from buildbot.locking.named import NamedLock
from buildbot.locking.named import NamedWant
from buildbot.locking.named import set_resources
from buildbot.locking.owner import LockOwner
from buildbot.locking.owner import claims_of
from buildbot.locking.owner import key_of
from buildbot.locking.owner import owners_around
from buildbot.locking.owner import thing_of
from buildbot.locking.pool import Holding
from buildbot.locking.pool import Want
from buildbot.locking.queue import serve
from buildbot.locking.resource import Part
from buildbot.locking.resource import Resource
from buildbot.util.eventual import eventually


class ResourceCopy(BaseLock):
    """A copy with a single unit, the resource. It has no line of its own.

    Its claims wait in the line of the pool, and ask there for the resource with its name.

    :param pool: the copy of the pool that the resource belongs to.
    :param name: of the resource.
    """

    def __init__(self, pool: Any, name: str) -> None:
        super().__init__(pool.lockName, 1, name, pool)
        self.key = name
        self.in_use = pool.in_use
        self._pool = pool
        self._rule: NamedLock = pool._rule
        self.release_subs = pool.release_subs  # builds give back resources of the pool

    @property
    def maxCount(self) -> int:
        """1, or 0 if the configuration no longer has this resource."""
        return int(self._pool.resource(self.key) is not None)

    @property
    def used(self) -> int:
        return int(bool(self.holdings()))

    @property
    def is_idle(self) -> bool:
        return not self.holdings() and not self.line_length

    @property
    def is_held_exclusively(self) -> bool:
        return False

    @property
    def line_length(self) -> int:
        return sum(1 for _ in self.unsorted_line())

    def units_of(self, exclusive: bool, units: int) -> int:
        return 1

    def want_of(self, access: Access, owner: object = None) -> Want:
        return self._rule.want((Part(1, Label(self.key).text),), None)

    def never(self, access: Access, owner: object = None) -> str:
        return f'{self} can never be granted: {self._pool} has no such resource'

    def holdings(self) -> list[Holding]:
        """Return the holding of its holder, and those nested in it."""
        return [h for h in super().holdings() if any(r.name == self.key for r in h.resources)]

    @property
    def owners(self) -> list[Any]:
        return [thing_of(holding.owner) for holding in self.holdings()]

    def unsorted_line(self) -> Iterator[LockClaim]:
        """Yield the claims that wait for this very resource."""
        for claim in super().unsorted_line():
            if any(lock is self for lock, _ in claim.accesses):
                yield claim

    def line(self) -> list[LockClaim]:
        return sorted(self.unsorted_line(), key=lambda claim: claim.place)

    def line_behind(self) -> list[LockClaim]:
        return self._pool.line()

    def holders_in_the_way(self, requester: object) -> list[Any]:
        return [thing_of(h.owner) for h in self.holdings() if not h.is_nested]

    def is_shared_with(self, owner: object) -> bool:
        return False

    def setMaxCount(self, count: int) -> None:
        """Do nothing: there is one of it, or none."""

    def announce(self, news: str) -> None:
        super().announce(news)
        self._pool.announce(news)

    def announce_release(self) -> None:
        self._pool.announce_release()


class AccessAgain:
    """How the resources with some names are taken. It is not an access in a configuration.

    :param names: of the resources; at least one.
    """

    mode = 'counting'
    checked: ClassVar[bool] = True
    worker = None

    def __init__(self, names: Sequence[str]) -> None:
        self.parts = [Part(1, Label(name).text) for name in names]

    @property
    def count(self) -> int:
        return len(self.parts)


class RealPool(BaseLock, FoundByName):
    """The copy of a ``ResourcePool``. Its resources arrive with ``updateFromLockId``."""

    kind = 'ResourcePool'
    has_resources = True

    def __init__(self, name: str) -> None:
        super().__init__(name, 0)
        self._rule: NamedLock = NamedLock(name)
        #: those of its resources, by name, that people hold or have taken out of use
        self.copies: WeakValueDictionary[str, ResourceCopy] = WeakValueDictionary()

    def copy_on(self, workername: str) -> RealPool:
        """Return the copy for builds on a worker: the only one."""
        return self

    def updateFromLockId(self, lockid: Any, config_version: int) -> None:
        """Take over the resources of a newer configuration."""
        is_new = self.lockid is None or self.lockid != lockid
        self.lockid, self.config_version = lockid, config_version
        self._rule.pick = lockid.pick
        if is_new:
            self._set_resources(lockid.resources)

    def _set_resources(self, resources: Sequence[Resource]) -> None:
        self._find_rivals(resources)
        if self.lockid.depends_on_worker:
            for claim in self._rule.claims():
                claim.ask_anew()
        set_resources(self._rule, resources)
        self.announce(LIMIT)
        self.announce_release()
        for pool in (self, *self._rivals):
            for claim in pool._rule.claims():
                claim.fail_in_circle()

    def _find_rivals(self, resources: Iterable[Resource]) -> None:
        names = {resource.name for resource in resources}
        in_use: Any = self.in_use
        for lock in in_use.by_name() if in_use is not None else ():
            if isinstance(lock, RealPool) and lock is not self:
                if any(unit.resource.name in names for unit in lock._rule.units.values()):
                    self._rule.meet(lock._rule)
        self._rule.look_elsewhere()

    @property
    def _rivals(self) -> list[RealPool]:
        # the pools that have, or have had, a resource with the name of one of these
        in_use: Any = self.in_use
        rules = sorted(self._rule.rivals, key=lambda rule: rule.name)
        found = [in_use.locks.get((RealPool, rule.name)) for rule in rules]
        return [pool for pool in found if pool is not None]

    def _tell_rivals(self) -> None:
        # A reconfig may move a resource to another pool while somebody has it. Until it is given
        # back, nobody else gets it there.
        for rival in self._rivals:
            if rival._rule.look_elsewhere():
                serve([*rival._rule.busy])
                BaseLock.announce_release(rival)
                if rival.is_held_exclusively:
                    # who holds all of it may have got what is waited for elsewhere
                    for claim in (c for rule in rival._rule.rivals for c in rule.claims()):
                        eventually(claim.fail_in_circle)

    def announce(self, news: str) -> None:
        super().announce(news)
        if news == CLAIMED:
            self._tell_rivals()

    def announce_release(self) -> None:
        super().announce_release()
        self._tell_rivals()

    def release(self, owner: object, access: Access) -> None:
        super().release(owner, access)
        self._tell_rivals()

    def setMaxCount(self, count: int) -> None:
        """Do nothing: it has as many units as it has resources."""

    def want_of(self, access: Access, owner: object = None) -> NamedWant:
        if access.mode == 'exclusive':
            return self._rule.whole
        return self._rule.want(*self._parts_and_worker(access, owner))

    def _parts_and_worker(self, access: Access, owner: object) -> tuple[Sequence[Part], str | None]:
        parts, worker = parts_and_worker(access)
        if worker is None and self.lockid is not None and self.lockid.depends_on_worker:
            # the access may be of an older configuration, for which the worker did not matter
            worker = owner.lock_worker if isinstance(owner, LockOwner) else None
        return parts, worker

    def never(self, access: Access, owner: object = None) -> str:
        parts, worker = self._parts_and_worker(access, owner)
        where = '' if worker is None else f' on worker {worker!r}'
        wanted = ' and '.join(part.words for part in parts)
        return f'{wanted} of {self} can never be granted{where}: there are too few such resources'

    def resource(self, name: str) -> Resource | None:
        """Return the resource with a name; None if the configuration has none."""
        units = self._rule.units
        offered = (u.resource for bit, u in units.items() if self._rule.offered >> bit & 1)
        return next((resource for resource in offered if resource.name == name), None)

    def copy_for(self, name: str) -> ResourceCopy:
        """Return one of its resources as a copy, whether the configuration has it or not."""
        copy = self.copies.get(name)
        if copy is None:
            copy = self.copies[name] = ResourceCopy(self, name)
        return copy

    def all_copies(self) -> list[BaseLock]:
        """Return the pool as a whole, then each of its resources and what is kept out of use."""
        names = [unit.resource.name for unit in self._rule.units.values()]
        kept = [name for name, copy in self.copies.items() if copy.quarantine is not None]
        names += [name for name in sorted(kept) if name not in names]
        return [self, *map(self.copy_for, names)]

    def scope_of(self, copy: BaseLock) -> dict[str, Any]:
        """Say which resource a copy is, and what the configuration says about it."""
        resource = self.resource(copy.key)
        labels = [] if resource is None else sorted(resource.labels)
        return {'scope': 'resource', 'key': copy.key, 'labels': labels}

    def people_on(self, workername: str) -> Sequence[Any]:
        here = set(self._names(self._rule.kinds.of_worker(workername)))
        copies = [copy for name, copy in self.copies.items() if name in here]
        return [*self.by_hand, *(hold for copy in copies for hold in copy.by_hand)]

    def out_of_use_for(self, accesses: Iterable[Any], workername: str) -> BaseLock | None:
        rule = self._rule
        out = {name: copy for name, copy in self.copies.items() if copy.quarantine is not None}
        in_use = set_of(b for b in each(rule.offered) if rule.units[b].resource.name not in out)
        for access in accesses if out else ():
            lane = rule.lane(self.want_of(access.on(workername)), ())
            if lane.can(rule.offered, NOBODY) and not lane.can(in_use, NOBODY):
                return next(out[name] for name in self._names(lane.usable) if name in out)
        return super().out_of_use_for(accesses, workername)

    def _names(self, bits: int) -> list[str]:
        units = self._rule.units
        return [unit.resource.name for bit, unit in units.items() if bits >> bit & 1]

    def names_held_by(self, owner: object) -> list[str]:
        return [resource.name for resource in self.resources_of(owner)]

    def access_again(self, access: Access, names: Sequence[str]) -> Access:
        for name in names:
            self.expect(name)
        known = [name for name in names if self.resource(name) is not None]
        return AccessAgain(known) if known else access

    def expect(self, name: str) -> None:
        """Have a resource that a person holds before a configuration has said what there is."""
        if self.lockid is None and self.resource(name) is None:
            known = [unit.resource for unit in self._rule.units.values()]
            self._find_rivals([Resource(name)])
            set_resources(self._rule, [*known, Resource(name)])

    def free_resources(self) -> list[Resource]:
        """Return the resources that nobody has."""
        units = self._rule.units
        return [unit.resource for bit, unit in units.items() if self._rule.free >> bit & 1]

    def holders_in_the_way(self, requester: object) -> list[Any]:
        key = key_of(requester)
        lane: Any = self._rule.pool_for([key_of(owner) for owner in owners_around(requester)])
        for claim in claims_of(key) or ():
            if claim.waiting and claim.owner is key:
                lane = next((p for p in claim.pools if p.lock is self._rule), lane)
        return [thing_of(h.owner) for h in lane.in_the_way() if not h.is_nested]


def parts_and_worker(access: Any) -> tuple[Sequence[Part], str | None]:
    """Return what an access wants of a pool, and on which worker."""
    if hasattr(access, 'parts'):
        return access.parts, access.worker
    return (Part(access.count),), None  # a person only says how many
