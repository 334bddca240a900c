# SPDX-License-Identifier: GPL-2.0-only
"""New: searches for a standstill, in states of a few builds at places of a configuration."""

from __future__ import annotations

from itertools import chain
from itertools import product
from typing import Any
from typing import Iterable
from typing import Iterator
from typing import Sequence

from buildbot.config.places import Place
from buildbot.config.standstill import Host
from buildbot.config.standstill import Run
from buildbot.config.standstill import Stand
from buildbot.config.standstill import in_demand
from buildbot.config.standstill import is_smallest
from buildbot.config.standstill import may_be
from buildbot.config.standstill import who_goes_on
from buildbot.locks import BranchLock

#: how many different kinds of builds a standstill may consist of
KINDS = 4

#: how many places with the same claims are examined, and how many idle workers of a builder
ALIKE = 3

#: how many builds at one place are considered
MOST = 50


def could_close(place: Place, stands: Sequence[Stand], held: str) -> bool:
    """Tell whether one more build may complete a standstill: it waits, and the lock is wanted."""
    copies = [copy for stand in stands for copy in (*stand.wants, *stand.holds())]
    if not any(copy.name in place.names for copy in copies):
        return False
    return held in place.names or held in in_demand(stands[0], stands)


class Search:
    """Searches for standstills among the places of a configuration. It knows no running build.

    :param places: the places where something is claimed, without builders that nothing triggers: a
        request that would keep others waiting forever leaves the line.
    :param workers: their configurations.
    :ivar looks: how many more states it examines.
    """

    def __init__(self, places: Iterable[Place], workers: Iterable[Any]) -> None:
        self.looks = 0
        self._seen: set[Any] = set()
        self._hosts = {worker.name: Host(worker) for worker in workers}
        self._holding: dict[str, AlikePlaces] = {}
        self._wanting: dict[str, AlikePlaces] = {}
        self._by_root: dict[Place, list[Place]] = {}
        for place in places:
            if any(each.width > 1 for each in place.way):
                self._by_root.setdefault(place.way[0], []).append(place)
            for name in place.held:
                self._holding.setdefault(name, AlikePlaces()).add(place)
            if len(place.names) == 1:
                # a claim for several locks lets others have those that are free
                (name,) = place.names
                self._wanting.setdefault(name, AlikePlaces()).add(place)

    def standstill_at(self, place: Place, held: str) -> list[Stand]:
        """Return builds none of which can go on, while all could if any one of them were missing.

        :param place: where the first of them is.
        :param held: the name of a lock that it holds, and that others of them want.
        :returns: none if none are found.
        """
        for kinds in range(2, KINDS + 1):
            self._seen.clear()
            for stand in self._stands_at(place, []):
                found = self._search([stand], kinds, held)
                if found:
                    return found
        return []

    def _search(self, stands: list[Stand], kinds: int, held: str) -> list[Stand]:
        # the search reaches the same builds in every order
        state = (kinds, stands[0].key, frozenset(stand.key for stand in stands))
        if state in self._seen:
            return []
        self._seen.add(state)
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
        # as many builds at the place as are needed to make one wait
        for _ in range(MOST):
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
        # places that may be active in the same build
        root = (stand.around or [stand.owner])[0].place
        found.update(dict.fromkeys(self._by_root.get(root, ())))
        return list(found)

    def _stands_at(self, place: Place, others: Sequence[Stand]) -> Iterator[Stand]:
        builds = place.builds
        for runs in self._runs_to_share(builds, others):
            yield from self._with_runs(place, builds, runs, others)
        for branch in (0, 1) if any(map(is_of_branch, place.way)) else (0,):
            yield from self._with_runs(place, builds, [], others, branch)

    def _runs_to_share(
        self, builds: Sequence[Place], others: Sequence[Stand]
    ) -> Iterator[Sequence[Run]]:
        # the builds of others that this one may be in, where several things happen at one time
        seen = set()
        for other in others:
            theirs = other.place.builds
            if theirs[0] is not builds[0]:
                continue
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
        used = {run: None for other in others for run in other.runs}
        choices = [self._hosts_for(build.builder, used) for build in builds[len(runs) :]]
        for workers in product(*choices):
            way = list(runs)
            for build, worker in zip(builds[len(runs) :], workers):
                parent = way[-1] if way else None
                number = branch if parent is None else parent.branch
                way.append(Run(build.builder, worker, number, parent))
            stand = Stand(place, way)
            if may_be([*others, stand]):
                yield stand

    def _hosts_for(self, builder: Any, used: Iterable[Run]) -> list[Host]:
        names = {run.worker.name: None for run in used}
        idle = [name for name in builder.workernames if name not in names]
        if len(idle) > ALIKE:
            idle = [idle[0], idle[-1]]
        # a builder runs only one build on a worker
        taken = {run.worker.name for run in used if run.builder.name == builder.name}
        busy = [name for name in names if name in builder.workernames and name not in taken]
        return [self._hosts[name] for name in (*busy, *idle) if name in self._hosts]


def is_of_branch(place: Place) -> bool:
    return any(isinstance(access.lockid, BranchLock) for access in place.accesses)


class AlikePlaces:
    """A few of many places: only some of those with the same claims by the same workers."""

    def __init__(self) -> None:
        self._places: dict[Any, list[Place]] = {}

    def __iter__(self) -> Iterator[Place]:
        return chain.from_iterable(self._places.values())

    def add(self, place: Place) -> None:
        alike = self._places.setdefault(claims_of(place.way), [])
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
