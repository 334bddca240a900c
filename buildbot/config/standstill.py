# SPDX-License-Identifier: GPL-2.0-only
"""New: a standstill of builds that wait for one another at places of a configuration.

Whether a build can go on is decided by the same rule as when builds run: their claims are made, and
then each waiting claim is asked whether it could be granted. So what nested owners share, counts
that fit and the order in line mean the same here as there.
"""

from __future__ import annotations

from collections import Counter
from typing import Any
from typing import Iterable
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


class Host:
    """A worker, with what is claimed on it at the places of a configuration. It is not a copy.

    :param worker: its configuration.
    """

    def __init__(self, worker: Any) -> None:
        self.name: str = worker.name
        self.max_builds = worker.max_builds
        self._accesses = known_accesses(worker.access)
        self._wants: dict[tuple[Place, int], dict[Copy, LockAccess]] = {}

    def wants(self, place: Place, branch: int) -> dict[Copy, LockAccess]:
        """Return the copies that are claimed at a place in a build of a branch, and how."""
        found = self._wants.get((place, branch))
        if found is None:
            found = self._wants[place, branch] = {}
            accesses = [*place.accesses, *(self._accesses if place.is_build else ())]
            for access in accesses:
                copy = self._copy_of(access.lockid, branch)
                if copy not in found or not is_within(access, found[copy]):
                    found[copy] = access
        return found

    def _copy_of(self, lockid: Any, branch: int) -> Copy:
        if isinstance(lockid, WorkerLock):
            return Copy(lockid.name, self.name, lockid.units_on(self.name))
        if isinstance(lockid, BranchLock):
            # nobody knows which branch that is
            return Copy(lockid.name, branch, lockid.maxCount or lockid.most_units())
        return Copy(lockid.name, None, lockid.maxCount)


class Run:
    """A build that a configuration allows: of a builder, on a worker, for a branch.

    :param branch: a number; two builds with the same number are for one branch.
    :param parent: the build that waits for this one; None if there is none.
    """

    def __init__(self, builder: Any, worker: Host, branch: int, parent: Run | None) -> None:
        self.builder = builder
        self.worker = worker
        self.branch = branch
        self.parent = parent

    @property
    def takes_place(self) -> bool:
        """Whether it counts for the ``max_builds`` of its worker."""
        return self.parent is None or self.parent.worker.name != self.worker.name


class Copy(NamedTuple):
    """A copy of a lock. It is not a lock of a configuration.

    :param of: the worker or branch whose copy it is; None if there is only one.
    :param units: how many it has.
    """

    name: str
    of: Any
    units: int


class Owner(NamedTuple):
    """A place in a build, as an owner of claims. It is not the build."""

    run: Run
    place: Place

    def wants(self) -> dict[Copy, LockAccess]:
        """Return the copies that it claims, and how."""
        return self.run.worker.wants(self.place, self.run.branch)


class Stand:
    """A build that has come to a place, and waits there.

    :param place: where.
    :param runs: the builds in which that is, from the outside in.
    :ivar around: the owners around it, from the outside in.
    :ivar owner: who waits.
    :ivar wants: what it waits for.
    :ivar key: equal for stands at the same place of similar builds.
    """

    def __init__(self, place: Place, runs: Sequence[Run]) -> None:
        self.place = place
        self.runs = runs
        owners = []
        depth = -1
        for each in place.way:
            depth += each.is_build
            owners.append(Owner(runs[depth], each))
        self.owner = owners.pop()
        self.around = owners
        self.wants = self.owner.wants()
        self.key = (place, *((run.builder.name, run.worker.name, run.branch) for run in runs))
        self._holds: dict[Copy, Owner] | None = None

    def holds(self) -> dict[Copy, Owner]:
        """Return the copies that are held around it, each with its outermost holder."""
        if self._holds is None:
            self._holds = {}
            for owner in self.around:
                for copy in owner.wants():
                    self._holds.setdefault(copy, owner)
        return self._holds


def may_be(stands: Sequence[Stand]) -> bool:
    """Tell whether builds can be at these places at one time, apart from their locks."""
    runs = {run: None for stand in stands for run in stand.runs}
    if len({(run.builder.name, run.worker.name) for run in runs}) < len(runs):
        return False  # a builder runs only one build on a worker
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
    """Return those of some builds that need not wait; None if they cannot hold what they hold."""
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
            # any build that still goes on may have come last
            claims = {s: claim_of(s.owner, s.wants, s.around[::-1]) for s in going}
            waiting = [stand for stand in going if not claims[stand].may_be_granted()]
            if not waiting:
                break
            for stand in waiting:
                claims[stand].enter_line()
                going.remove(stand)
    except ValueError:
        return None  # one of them wants more units than there are
    return going


def is_smallest(stands: Sequence[Stand]) -> bool:
    """Tell whether some of the builds that cannot go on could if any one of them were missing."""
    return all(who_goes_on([s for s in stands if s is not stand]) != [] for stand in stands)


def in_demand(stand: Stand, stands: Iterable[Stand]) -> dict[str, Owner]:
    """Return the names of the locks that one holds and others want, with who holds them."""
    wanted = {copy for other in stands if other is not stand for copy in other.wants}
    return {copy.name: owner for copy, owner in stand.holds().items() if copy in wanted}
