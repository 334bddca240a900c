# SPDX-License-Identifier: GPL-2.0-only
"""New: a second opinion on which pending requests could start, from what anybody can see."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from typing import Callable
from typing import Iterable
from typing import NamedTuple

from buildbot.locking.owner import thing_of
from buildbot.locks import BranchLock
from buildbot.locks import LockAccess
from buildbot.locks import WorkerLock
from buildbot.process.build import Build
from buildbot.process.buildstep import BuildStep
from buildbot.process.hand.hold import Hold
from buildbot.process.hand.quarantine import Quarantine
from buildbot.process.waiting.reservation import Reservation

#: those who may wait, and are no pending requests
OTHERS = (BuildStep, Hold, Quarantine)


class Want(NamedTuple):
    """How a copy of a lock is to be taken."""

    is_exclusive: bool
    units: int
    names: frozenset[str] = frozenset()  # of the resources that will do, if it is a pool's copy


class Wish(NamedTuple):
    """What a pending request needs on one idle worker.

    :ivar place: the lower, the further in front.
    :ivar is_waited_for: whether a build waits for it.
    :ivar wants: of each copy of a lock.
    """

    brid: int
    builder: str
    worker: str
    place: tuple[int, Any]
    is_waited_for: bool
    wants: dict[Any, Want]


def want_of(access: Any, worker: str | None = None) -> Want:
    access = access if isinstance(access, LockAccess) else access.defaultAccess()
    names: set[str] = set()
    for part in getattr(access, 'parts', ()):
        names |= {r.name for r in access.lockid.resources if will_do(r, part.labels, worker)}
    return Want(access.mode == 'exclusive', access.count, frozenset(names))


def will_do(resource: Any, label: str | None, worker: str | None) -> bool:
    """Tell whether a resource has a label, and can be used on a worker."""
    if worker is not None and worker not in (resource.workers or [worker]):
        return False
    return label is None or label in resource.labels


def real_lock(master: Any, lockid: Any) -> Any:
    """Return what a master has of a lock; it is to be kept while it is looked at."""
    found: list[Any] = []
    master.botmaster.getLockByID(lockid, 0).addCallback(found.append)
    return found[0]


def copy_of(master: Any, access: Any, worker: str, branch: str | None) -> Any:
    """Return the copy of a lock that an access means; None if nobody has it."""
    lockid = getattr(access, 'lockid', access)
    real = real_lock(master, lockid)
    if isinstance(lockid, BranchLock):
        return real.copies.get(('', branch))
    return real.getLockForWorker(worker)


def copies_of(master: Any, lockids: Iterable[Any]) -> list[Any]:
    """Return all copies of some locks that somebody has."""
    found = []
    for lockid in lockids:
        real = real_lock(master, lockid)
        if isinstance(lockid, (BranchLock, WorkerLock)):
            found += real.all_copies()
        else:
            found.append(real)
    return found


class Holders:
    """Who holds the copies of the locks, and how many units.

    :param accesses_of: returns how a build takes which locks: those of its builder when it began,
        and those of its worker.
    :param parents_of: returns the ids of the builds that wait for a build: of the one that has
        triggered it, of the one that has triggered that, and so on.
    :param request_of: takes the id of a build, and returns that of its request.
    """

    def __init__(
        self,
        accesses_of: Callable[[Build], list[Any]],
        parents_of: Callable[[Build], list[int]],
        request_of: Callable[[int], int | None],
    ) -> None:
        self._accesses_of = accesses_of
        self._parents_of = parents_of
        self._request_of = request_of

    def outermost(self, copy: Any) -> list[Any]:
        """Return who holds a copy, without those that share what is held around them."""
        owners = copy.owners
        return [one for one in owners if not any(self.is_inside(one, other) for other in owners)]

    def is_inside(self, one: Any, other: Any) -> bool:
        """Tell whether one who holds a copy may share what another one holds."""
        if one is other or not isinstance(one, (Build, BuildStep, Reservation)):
            return False
        build: Any = one.build if isinstance(one, BuildStep) else one
        if isinstance(one, Reservation):
            build = SimpleNamespace(requests=[one.request])  # the build that is about to begin
        around = other.build if isinstance(other, BuildStep) else other
        if build is around:
            if isinstance(one, BuildStep) and isinstance(other, BuildStep):
                return str(one.name).startswith(f'{other.name}/')
            return isinstance(one, BuildStep)
        if not isinstance(around, Build) or around.buildid not in self._parents_of(build):
            return False
        return not isinstance(other, BuildStep) or self._is_triggered_in(other, build)

    def _is_triggered_in(self, group: BuildStep, build: Build) -> bool:
        parents: list[Any] = self._parents_of(build)
        at = parents.index(group.build.buildid)
        brid = self._request_of(parents[at - 1]) if at else build.requests[0].id
        return any(
            brid in getattr(step, 'brids', ()) and f'{step.name}/'.startswith(f'{group.name}/')
            for step in group.build.executedSteps
        )

    def want(self, owner: Any, copy: Any) -> Want | None:
        """Return how an owner holds a copy; None if it is neither a build nor a step."""
        if isinstance(owner, Build):
            accesses: Any = self._accesses_of(owner)
        elif isinstance(owner, BuildStep):
            accesses = getattr(owner.locks, 'accesses', owner.locks)  # they may be rendered
        elif isinstance(owner, Hold):
            return Want(owner.taking.mode == 'exclusive', owner.taking.count)
        elif isinstance(owner, Quarantine):
            return Want(True, 1)
        else:
            return None
        named = (a for a in accesses if getattr(a, 'lockid', a).name == copy.lockName)
        wants = sorted(map(want_of, named), key=lambda want: want[:2])
        return wants[-1] if wants else Want(False, 0)

    def used(self, copy: Any) -> tuple[bool, int]:
        """Return whether a copy is held exclusively, and how many units are held."""
        wants = [self.want(owner, copy) or Want(False, 0) for owner in self.outermost(copy)]
        return any(w.is_exclusive for w in wants), sum(w.units for w in wants)

    def is_free(self, copy: Any, want: Want) -> bool:
        """Tell whether there is room for one more who holds a copy."""
        if copy is None or not want.units:
            return True
        wants = [self.want(owner, copy) for owner in copy.owners]
        if None in wants:
            return False  # nobody knows how much
        # what is held inside may be more than what is held around it
        exclusive = any(w.is_exclusive for w in wants if w)
        units = sum(w.units for w in wants if w)
        if want.is_exclusive:
            return not exclusive and not units and copy.maxCount > 0
        if copy.has_resources:
            free = {resource.name for resource in copy.lockid.resources} - names_held(copy)
            return not exclusive and want.units <= len(want.names & free)
        return not exclusive and units + want.units <= copy.maxCount


def names_held(copy: Any) -> set[str]:
    """Return the names of the resources of a pool that somebody has."""
    return {each.name for owner in copy.owners for each in copy.resources_of(owner)}


class Startable:
    """Which wishes should have come true by now.

    :param wishes: all that there are.
    :param holders: who holds what.
    :param may_pend: tells of a wish whether there is a reason that it has not come true.
    """

    def __init__(
        self, wishes: list[Wish], holders: Holders, may_pend: Callable[[Wish], bool]
    ) -> None:
        self._wishes = wishes
        self._holders = holders
        self._may_pend = may_pend

    def _has_room(self, wish: Wish) -> bool:
        return all(self._holders.is_free(copy, want) for copy, want in wish.wants.items())

    def _touches(self, one: Wish, other: Wish) -> bool:
        return any(copy is not None and copy in other.wants for copy in one.wants)

    def _steps_wait(self, wish: Wish) -> bool:
        copies = [copy for copy in wish.wants if copy is not None]
        return any(isinstance(who, OTHERS) for copy in copies for who in copy.waiting)

    def _drains(self, wish: Wish) -> bool:
        # what it wants is kept for one that others have often gone before
        claims = (claim for copy in wish.wants if copy is not None for claim in copy.line())
        return any(
            claim.is_draining
            and claim.place[0] <= wish.place[0]
            and getattr(thing_of(claim.owner), 'request', None) is not None
            and thing_of(claim.owner).request.id != wish.brid
            for claim in claims
        )

    def in_front(self) -> Wish | None:
        """Return a wish whose locks are free and that nobody is ahead of, or None."""
        for wish in self._wishes:
            if self._may_pend(wish) or not self._has_room(wish) or self._steps_wait(wish):
                continue
            if self._drains(wish):
                continue
            ahead = (
                other
                for other in self._wishes
                if other.brid != wish.brid and other.place <= wish.place
            )
            if not any(self._touches(wish, other) for other in ahead):
                return wish
        return None

    def whoever_is_in_front(self) -> Wish | None:
        """Return a wish of those that have to do with one another, if the locks are free for each.

        So it does not matter which of them is in front.
        """
        left = list(self._wishes)
        while left:
            together = [left.pop()]
            for wish in together:
                near = [w for w in left if w.brid == wish.brid or self._touches(wish, w)]
                together += near
                left = [w for w in left if w not in near]
            all_of_them = {wish.brid for wish in together}
            able = {wish.brid for wish in together if self._has_room(wish)}
            if able < all_of_them or any(map(self._steps_wait, together)):
                continue
            if any(map(self._drains, together)):
                continue
            if not any(map(self._may_pend, together)):
                return together[0]
        return None
