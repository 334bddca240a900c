# SPDX-License-Identifier: GPL-2.0-only
"""New: a standstill of builds that wait for one another at places of a configuration.

Whether some builds can go on is asked of the rule that decides it when they run: their claims are
made, and then it is seen whether any of those that wait could be granted. So what nested owners
share, counts that fit and the order in line mean here what they mean there.
"""

from __future__ import annotations

from collections import Counter
from itertools import chain
from itertools import product
from typing import Any
from typing import Iterable
from typing import Iterator
from typing import NamedTuple
from typing import Sequence

from buildbot.config.places import Place
from buildbot.config.places import is_within
from buildbot.config.places import known_accesses
from buildbot.locking.claim import Claim
from buildbot.locking.pool import Lock
from buildbot.locking.pool import Want
from buildbot.locks import BranchLock
from buildbot.locks import LockAccess
from buildbot.locks import WorkerLock

#: how many unlike kinds of builds a standstill may be made of
KINDS = 4

#: how many places that claim the same are looked at, and how many idle workers of a builder
ALIKE = 3


class Run:
    """A build that a configuration allows: of a builder, on a worker, for a branch.

    :param worker: the configuration of the worker.
    :param branch: a number; two builds of one number are for one branch.
    :param parent: the build that waits for this one; None if there is none.
    """

    def __init__(self, builder: Any, worker: Any, branch: int, parent: Run | None) -> None:
        self.builder = builder
        self.worker = worker
        self.branch = branch
        self.parent = parent

    @property
    def takes_place(self) -> bool:
        """Whether it counts for the ``max_builds`` of its worker."""
        return self.parent is None or self.parent.worker.name != self.worker.name


class Copy(NamedTuple):
    """A copy of a lock. It is no lock of a configuration.

    :param of: the worker or branch whose copy it is; None if there is but one.
    :param units: how many it has.
    """

    name: str
    of: Any
    units: int


class Owner(NamedTuple):
    """A place of a build: who claims there."""

    run: Run
    place: Place

    def wants(self) -> dict[Copy, LockAccess]:
        """Return the copies that it claims, and how."""
        found: dict[Copy, LockAccess] = {}
        accesses = self.place.accesses
        if self.place.is_build:
            accesses = [*accesses, *known_accesses(self.run.worker.access)]
        for access in accesses:
            copy = self._copy_of(access.lockid)
            if copy not in found or not is_within(access, found[copy]):
                found[copy] = access
        return found

    def _copy_of(self, lockid: Any) -> Copy:
        if isinstance(lockid, WorkerLock):
            name = self.run.worker.name
            return Copy(lockid.name, name, lockid.maxCountForWorker.get(name, lockid.maxCount))
        if isinstance(lockid, BranchLock):
            # which branch that is nobody knows
            return Copy(lockid.name, self.run.branch, lockid.maxCount or lockid.most_units())
        return Copy(lockid.name, None, lockid.maxCount)


class Stand:
    """A build that has come to a place, and waits there.

    :param place: where.
    :param runs: the builds in which that is, from the outside in.
    :ivar around: the owners around it, from the outside in.
    :ivar owner: who waits.
    :ivar wants: what for.
    """

    def __init__(self, place: Place, runs: Sequence[Run]) -> None:
        self.place = place
        self.runs = runs
        owners = []
        depth = -1
        for each in place.outside_in():
            depth += each.is_build
            owners.append(Owner(runs[depth], each))
        self.owner = owners.pop()
        self.around = owners
        self.wants = self.owner.wants()

    def holds(self) -> dict[Copy, Owner]:
        """Return the copies that are held around it, each with the outermost owner that does."""
        found: dict[Copy, Owner] = {}
        for owner in self.around:
            for copy in owner.wants():
                found.setdefault(copy, owner)
        return found


def may_be(stands: Sequence[Stand]) -> bool:
    """Tell whether builds can have come to these places at one time, apart from their locks."""
    runs = {run: None for stand in stands for run in stand.runs}
    if len({(run.builder.name, run.worker.name) for run in runs}) < len(runs):
        return False  # a builder runs once on a worker
    workers = {run.worker.name: run.worker for run in runs}
    for name, count in Counter(run.worker.name for run in runs if run.takes_place).items():
        if workers[name].max_builds and count > workers[name].max_builds:
            return False
    leaves = {stand.owner for stand in stands}
    inner: dict[Owner, set[Owner]] = {}
    for stand in stands:
        way = [*stand.around, stand.owner]
        for owner, next_owner in zip(way, way[1:]):
            inner.setdefault(owner, set()).add(next_owner)
    if len(leaves) < len(stands) or not leaves.isdisjoint(inner):
        return False
    return all(len(owners) <= owner.place.width for owner, owners in inner.items())


def who_goes_on(stands: Sequence[Stand]) -> list[Stand] | None:
    """Return those of some builds that need not wait; None if they cannot hold all they hold."""
    locks: dict[Copy, Lock] = {}
    held: set[Owner] = set()

    def claim_of(owner: Owner, wants: dict[Copy, LockAccess], around: Sequence[Owner]) -> Claim:
        found = []
        for copy, access in wants.items():
            lock = locks.setdefault(copy, Lock(copy.units))
            is_whole = access.mode == 'exclusive'
            found.append(lock.whole if is_whole else Want(lock, False, access.count))
        return Claim(owner, found, ancestors=around)

    try:
        for stand in stands:
            for i, owner in enumerate(stand.around):
                if owner not in held:
                    held.add(owner)
                    around = stand.around[:i][::-1]
                    if not claim_of(owner, owner.wants(), around).enter(wait=False):
                        return None
        going = list(stands)
        while going:
            # whoever still goes on may have come last
            claims = {s: claim_of(s.owner, s.wants, s.around[::-1]) for s in going}
            waiting = [stand for stand in going if not claims[stand].may_be_granted()]
            if not waiting:
                break
            for stand in waiting:
                claims[stand].enter_line()
                going.remove(stand)
    except ValueError:
        return None  # one of them wants more than there ever is
    return going


def is_smallest(stands: Sequence[Stand]) -> bool:
    """Tell whether some of those who cannot go on could if any one of them were not there."""
    return all(who_goes_on([s for s in stands if s is not stand]) != [] for stand in stands)


def in_demand(stand: Stand, stands: Iterable[Stand]) -> dict[str, Owner]:
    """Return the names of the locks that one holds and others want, with who holds them."""
    wanted = {copy for other in stands if other is not stand for copy in other.wants}
    return {copy.name: owner for copy, owner in stand.holds().items() if copy in wanted}


def could_close(place: Place, stands: Sequence[Stand], held: str) -> bool:
    """Tell whether one more build may be all that is missing: it waits, and the lock is wanted."""
    copies = [copy for stand in stands for copy in (*stand.wants, *stand.holds())]
    if not any(copy.name in place.names for copy in copies):
        return False
    return held in place.names or held in in_demand(stands[0], stands)


class Search:
    """Looks for standstills among the places of a configuration.

    :param places: those where something is claimed, but for builders that nobody triggers: a
        request that would keep others waiting for ever leaves the line.
    :param workers: their configurations.
    :ivar looks: how many more states it looks at.
    """

    def __init__(self, places: Iterable[Place], workers: Iterable[Any]) -> None:
        self.looks = 0
        self._workers = {worker.name: worker for worker in workers}
        self._holding: dict[str, AlikePlaces] = {}
        self._wanting: dict[str, AlikePlaces] = {}
        self._by_root: dict[Place, list[Place]] = {}
        for place in places:
            way = place.outside_in()
            if any(each.width > 1 for each in way):
                self._by_root.setdefault(way[0], []).append(place)
            for name in place.held:
                self._holding.setdefault(name, AlikePlaces()).add(place)
            if len(place.names) == 1:
                # who waits for several locks lets others have those that are free
                (name,) = place.names
                self._wanting.setdefault(name, AlikePlaces()).add(place)

    def standstill_at(self, place: Place, held: str) -> list[Stand]:
        """Return builds of which none can go on, and all could without any one of them.

        :param place: where the first of them is.
        :param held: the name of a lock that it holds, and that others of them want.
        :returns: none if none are found.
        """
        for kinds in range(2, KINDS + 1):
            for stand in self._stands_at(place, []):
                found = self._search([stand], kinds, held)
                if found:
                    return found
        return []

    def _search(self, stands: list[Stand], kinds: int, held: str) -> list[Stand]:
        self.looks -= 1
        if self.looks < 0:
            return []
        going = who_goes_on(stands)
        if going is None:
            return []
        if not going:
            return stands if is_smallest(stands) and held in in_demand(stands[0], stands) else []
        if kinds == 1:
            return []
        for place in self._in_the_way_of(going[0]):
            if kinds == 2 and not could_close(place, stands, held):
                continue
            for stand in self._stands_at(place, stands):
                more = [*stands, stand]
                found = self._search(more, kinds - 1, held)
                if not found:
                    found = self._search(self._fill(more, going[0], place), kinds - 1, held)
                if found:
                    return found
        return []

    def _fill(self, stands: list[Stand], going: Stand, place: Place) -> list[Stand]:
        # as many builds at the place as it takes to have one wait
        while self.looks > 0:
            self.looks -= 1
            more = next(self._stands_at(place, stands), None)
            if more is None:
                break
            going_on = who_goes_on([*stands, more])
            if going_on is None:
                break
            stands = [*stands, more]
            if going not in going_on:
                break
        return stands

    def _in_the_way_of(self, stand: Stand) -> list[Place]:
        found: dict[Place, None] = {}
        for copy in stand.wants:
            for index in (self._holding, self._wanting):
                found.update(dict.fromkeys(index.get(copy.name, ())))
        # those that may be worked at in the same build
        root = (stand.around or [stand.owner])[0].place
        found.update(dict.fromkeys(self._by_root.get(root, ())))
        return list(found)

    def _stands_at(self, place: Place, others: Sequence[Stand]) -> Iterator[Stand]:
        builds = [each for each in place.outside_in() if each.is_build]
        for runs in self._runs_to_share(builds, others):
            yield from self._with_runs(place, builds, runs, others)
        for branch in (0, 1) if any(map(is_of_branch, place.inside_out())) else (0,):
            yield from self._with_runs(place, builds, [], others, branch)

    def _runs_to_share(
        self, builds: Sequence[Place], others: Sequence[Stand]
    ) -> Iterator[Sequence[Run]]:
        # the builds of others that this one may be in, where things are done at one time
        seen = set()
        for other in others:
            if other.place.outside_in()[0] is not builds[0]:
                continue
            theirs = [each for each in other.place.outside_in() if each.is_build]
            common = [run for run, one, two in zip(other.runs, builds, theirs) if one is two]
            if common[-1] not in seen:
                seen.add(common[-1])
                yield common

    def _with_runs(
        self,
        place: Place,
        builds: Sequence[Place],
        runs: Sequence[Run],
        others: Sequence[Stand],
        branch: int = 0,
    ) -> Iterator[Stand]:
        used = {run.worker.name: None for other in others for run in other.runs}
        choices = [self._workers_for(build.builder, used) for build in builds[len(runs) :]]
        for workers in product(*choices):
            way = list(runs)
            for build, worker in zip(builds[len(runs) :], workers):
                parent = way[-1] if way else None
                number = branch if parent is None else parent.branch
                way.append(Run(build.builder, worker, number, parent))
            stand = Stand(place, way)
            if may_be([*others, stand]):
                yield stand

    def _workers_for(self, builder: Any, used: Iterable[str]) -> list[Any]:
        idle = [name for name in builder.workernames if name not in used]
        if len(idle) > ALIKE:
            idle = [idle[0], idle[-1]]
        busy = [name for name in used if name in builder.workernames]
        return [self._workers[name] for name in (*busy, *idle) if name in self._workers]


def is_of_branch(place: Place) -> bool:
    return any(isinstance(access.lockid, BranchLock) for access in place.accesses)


class AlikePlaces:
    """Some of many places: of those where the same is claimed by the same workers, a few."""

    def __init__(self) -> None:
        self._places: dict[Any, list[Place]] = {}

    def __iter__(self) -> Iterator[Place]:
        return chain.from_iterable(self._places.values())

    def add(self, place: Place) -> None:
        alike = self._places.setdefault(claims_of(place.outside_in()), [])
        if len(alike) < ALIKE:
            alike.append(place)


def claims_of(way: Iterable[Place]) -> Any:
    return tuple(
        (
            each.width,
            tuple((a.lockid.name, a.mode, a.count) for a in each.accesses),
            tuple(each.builder.workernames) if each.is_build else None,
        )
        for each in way
    )
