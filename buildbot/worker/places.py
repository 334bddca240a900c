# SPDX-License-Identifier: GPL-2.0-only
"""New: the places on a worker, and the builds that lend theirs to one that they wait for.

A build that only waits for builds that it has triggered does nothing on its worker. So it lends its
place there to one of them at a time, or to one that these wait for: ``max_builds`` counts only one
of the two. Nobody else can have the place, because the lender needs it again when the other build
has ended.

The count is worked out from the running builds; nothing is stored that could be wrong. This takes
time in proportion to the builds on the worker, and only while any of them waits for builds.
"""

from __future__ import annotations

from typing import Any
from typing import Container
from typing import Iterable

from buildbot.locking.owner import key_of


def places_taken(worker: Any) -> int:
    """Return how many builds on a worker count against its ``max_builds``."""
    return len(busy_on(worker)) - len(lenders_on(worker))


def lenders_on(worker: Any) -> list[Any]:
    """Return the builds on a worker that do nothing there but lend their place to another one."""
    if not may_lend(worker):
        return []
    served = served_on(worker)
    return [build for build in builds_on(worker) if build in served and build.only_waits]


def lends(worker: Any, build: Any) -> bool:
    """Tell whether a build has a place on a worker to lend, and has not lent it yet."""
    if not may_lend(worker) or build not in builds_on(worker):
        return False
    return build.only_waits and build not in served_on(worker)


def may_lend(worker: Any) -> bool:
    if worker.master is None or not any(build.awaited for build in worker.builds):
        return False  # it has been removed, or none of its builds waits
    return bool(worker.master.config.parentLendsPlace)


def served_on(worker: Any) -> set[Any]:
    """Return the builds that wait for a build that runs on a worker."""
    around = worker.botmaster.awaited.around
    requests = (request for build in builds_on(worker) for request in build.requests)
    return {build for request in requests for build in around(request.id)}


def builds_on(worker: Any) -> list[Any]:
    # a build that has just ended may still be known when its builder's next one has begun
    latest = {build.workerforbuilder: build for build in worker.builds}
    return [latest[busy] for busy in busy_on(worker) if busy in latest]


def busy_on(worker: Any) -> list[Any]:
    return [w for w in worker.workerforbuilders.values() if w.isBusy()]


class Place:
    """A place on a worker, as what a build waits for; see ``deadlock.Need``. It reserves none.

    :param worker: the worker.
    :param workerforbuilder: of the build's builder, which runs one build there at a time.
    :param parents: builds that wait for the build, and lend it their places there, if any.
    """

    def __init__(self, worker: Any, workerforbuilder: Any, parents: Iterable[Any]) -> None:
        self._worker = worker
        self._workerforbuilder = workerforbuilder
        self._parents = list(parents)

    def can_be_met(self, stuck: Container[Any]) -> bool:
        """Tell whether it would be free if only the stuck builds did not end."""
        builds = [build for build in builds_on(self._worker) if key_of(build) in stuck]
        if any(build.workerforbuilder is self._workerforbuilder for build in builds):
            return False
        most = self._worker.max_builds
        if not most or len(builds) < most:
            return True
        around = self._worker.botmaster.awaited.around
        served = {build for other in builds for r in other.requests for build in around(r.id)}
        can_lend = may_lend(self._worker)
        lenders = [b for b in builds if b.will_only_wait(stuck)] if can_lend else []
        if any(build in self._parents and build not in served for build in lenders):
            return True
        return len(builds) - sum(build in served for build in lenders) < most

    def held_by(self) -> list[Any]:
        """Return the builds on the worker, as owners."""
        return [key_of(build) for build in builds_on(self._worker)]

    def ahead(self, fronts: Any, left: Any) -> tuple[()]:
        """Return nothing: who gets a place is decided when it becomes free."""
        return ()

    def describe(self) -> str:
        """Name the worker and the builds on it."""
        names = ' and '.join(build.lock_name() for build in builds_on(self._worker))
        return f'worker {self._worker.workername}, taken by {names}'
