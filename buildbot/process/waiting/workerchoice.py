# SPDX-License-Identifier: GPL-2.0-only
"""New: on which worker a build is best started."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Iterable
from typing import Mapping

from buildbot.locks import BaseLockId
from buildbot.locks import LockAccess
from buildbot.process.waiting.firstrelease import FirstRelease

if TYPE_CHECKING:
    from buildbot.config.steps import FoundStep


class StepLocks:
    """The worker-dependent locks that the steps and groups of a builder name. It holds none.

    It covers only what is known without a build: no renderables and no steps that are added later.

    :param steps: the steps of the builder's configuration, including those in groups.
    :ivar lockids: the locks, by name.
    :ivar by_step: for each top-level step, the names of the locks that it or a step in it claims.
    """

    def __init__(self, steps: Iterable[FoundStep] = ()) -> None:
        self.lockids: dict[str, BaseLockId] = {}
        # by name of the lock: how each step or group takes it
        self._accesses: dict[str, list[LockAccess]] = {}
        # by names of the lock and the worker: how many builds can hold it at a time
        self._holders: dict[tuple[str, str], int] = {}
        self.by_step: list[set[str]] = []
        for found in steps:
            if not found.is_nested:
                self.by_step.append(set())
            accesses = found.step.locks
            self._add(accesses if isinstance(accesses, (list, tuple)) else ())

    def _add(self, locks: Iterable[Any]) -> None:
        wanted: dict[str, LockAccess] = {}
        for lock in locks:
            access = lock.defaultAccess() if isinstance(lock, BaseLockId) else lock
            if not isinstance(access, LockAccess) or not access.lockid.depends_on_worker:
                continue
            if access.count:  # a count of 0 is always granted
                name = access.lockid.name
                known = wanted.get(name)
                wanted[name] = (known.joined(access) if known else None) or access
        for name, access in wanted.items():
            self.lockids[name] = access.lockid
            self._accesses.setdefault(name, []).append(access)
        self.by_step[-1].update(wanted)

    def accesses(self, name: str) -> list[LockAccess]:
        """Return how each step or group that names a lock takes it."""
        return self._accesses[name]

    def holders(self, name: str, workername: str) -> int:
        """Return how many builds of this builder can hold a lock on a worker at a time.

        :returns: 0 if what a step wants of it can never be granted there.
        """
        key = (name, workername)
        if key not in self._holders:
            accesses = self._accesses[name]
            self._holders[key] = min(access.holders_on(workername) for access in accesses)
        return self._holders[key]

    def lacking(self, workername: str) -> str | None:
        """Return the name of a lock that a step can never hold on a worker; None if there is none.

        A step can never hold a lock if it wants more of it than the worker ever has.
        """
        return next((name for name in self.lockids if not self.holders(name, workername)), None)


def crowd(builds: Iterable[Any]) -> Counter[str]:
    """Count, by name of the lock, the builds that hold a lock or will still claim it."""
    return Counter(name for build in builds for name in build.step_locks_to_come())


def is_fed(counts: Counter[str], holders: dict[str, int]) -> bool:
    """Tell whether a worker has enough builds to keep its locks busy.

    The locks form a pipeline: a build that holds a later lock is done with the earlier ones. So the
    number of builds that a lock can use is the number that can hold it or an earlier lock, and one
    more, which prepares.

    :param counts: by name of the lock, how many builds on the worker hold it or will still claim
        it.
    :param holders: by name of the lock, how many builds can hold it at a time. The locks are in the
        order in which the steps claim them.
    """
    useful = 0
    for name, count in holders.items():
        useful += count
        if counts[name] > useful:
            return True
    return False


def load_of(
    locks: StepLocks, worker: Any, by_hand: Callable[[str, str], int]
) -> tuple[Counter[str], dict[str, int]]:
    """Return how many builds want each of a builder's locks on a worker, and how many can hold it.

    :param by_hand: takes the names of a lock and of a worker; returns how many people hold the copy
        or wait for it. Each of them counts as a build.
    """
    name_of_worker = worker.worker.workername
    holders = {name: locks.holders(name, name_of_worker) for name in locks.lockids}
    counts = crowd(worker.worker.builds)
    counts.update({name: by_hand(name, name_of_worker) for name in locks.lockids})
    return counts, holders


def least_crowded(
    locks: StepLocks, workers: list[Any], by_hand: Callable[[str, str], int]
) -> list[Any]:
    """Return the workers on which the locks of a builder's steps are least contended.

    :param workers: the workers on which a build could start now.
    :param by_hand: see ``load_of``.
    :returns: those of the workers that tie for the lowest load.
    """
    if not locks.lockids:
        return workers
    best: list[Any] = []
    lowest: tuple[float, int] | None = None
    for worker in workers:
        if worker.worker is None:
            continue
        counts, holders = load_of(locks, worker, by_hand)
        load = (sum(counts[name] / n for name, n in holders.items()), len(worker.worker.builds))
        if lowest is None or load < lowest:
            best, lowest = [], load
        if load == lowest:
            best.append(worker)
    return best


def least_needed(workers: list[Any], needs: Mapping[frozenset[str], int]) -> list[Any]:
    """Return the workers that the fewest other builders could use.

    :param needs: by set of worker names, how many other builders could use that set.
    """
    if len(workers) < 2:
        return workers
    count: Counter[str] = Counter()
    for names, n in needs.items():
        for name in names:
            count[name] += n
    fewest = min(count[worker.worker.workername] for worker in workers)
    return [worker for worker in workers if count[worker.worker.workername] == fewest]


class WorkerChoice:
    """Chooses an idle worker for a builder's next build, if one is good enough. It starts nothing.

    :param wake: makes the distributor look at the builder when a worker has room.
    :param needs_of_others: returns, by set of worker names, how many other builders with pending
        requests could use that set.
    :param copy_of: takes the names of a worker lock and of a worker; returns the copy, or None if
        nobody uses it.
    :param may_repair: takes a copy in quarantine and returns whether the builder may take it.
    :ivar step_locks: the worker locks of the builder's steps.
    """

    def __init__(
        self,
        wake: Callable[[], Any],
        needs_of_others: Callable[[], Mapping[frozenset[str], int]],
        copy_of: Callable[[str, str], Any] = lambda lock, worker: None,
        may_repair: Callable[[Any], bool] = lambda copy: False,
    ) -> None:
        self._copy_of = copy_of
        self._may_repair = may_repair
        self.step_locks = StepLocks()
        self._needs_of_others = needs_of_others
        self._first_room = FirstRelease(wake)

    def best(self, workers: list[Any], late: bool) -> list[Any]:
        """Return the workers on which a build is best started.

        :param workers: idle workers to choose from.
        :param late: whether a build is better left for the first worker with room.
        :returns: of the workers on which the locks of the builder's steps are least contended, the
            ones that the fewest other builders could use. The list is empty if the build is better
            left for the first worker with room; the builder is woken then.
        """
        connected = [worker for worker in workers if worker.worker is not None]
        free = self.with_room(connected, late)
        if not free:
            self._wait_for_room(workers)
        best = least_crowded(self.step_locks, free, self._by_hand)
        return least_needed(best, self._needs_of_others())

    def with_room(self, workers: list[Any], late: bool) -> list[Any]:
        """Return the workers, of the given ones, on which a build may as well start now.

        A build that has begun on a worker can only wait for the step and group locks of that
        worker, even if another worker becomes free. So a request stays in line for the first worker
        with room. Each worker is kept fed, and no more than that: it gets as many builds as can
        hold its locks, and one more, which prepares meanwhile. This works without knowing how long
        anything takes.

        :param late: see ``best``.
        """
        if late:
            return [worker for worker in workers if self.has_room(worker)]
        return self.in_use(workers)

    def has_room(self, worker: Any) -> bool:
        """Tell whether a worker can use another build: its locks are in use, and it is not fed."""
        if not self.step_locks.lockids or worker.worker is None:
            return True
        if self.out_of_use(worker) is not None or self.lacking(worker) is not None:
            return False
        return not is_fed(*load_of(self.step_locks, worker, self._by_hand))

    def in_use(self, workers: list[Any]) -> list[Any]:
        """Return the workers, of the given ones, with no lock of the builder's steps out of use.

        Workers on which a step can never hold a lock are left out, too.
        """
        in_use = [worker for worker in workers if self.out_of_use(worker) is None]
        return [worker for worker in in_use if self.lacking(worker) is None]

    def lacking(self, worker: Any) -> str | None:
        """Return the name of a lock that a step can never hold on a worker, or None."""
        if not self.step_locks.lockids or worker.worker is None:
            return None
        return self.step_locks.lacking(worker.worker.workername)

    def _by_hand(self, name: str, workername: str) -> int:
        copy = self._copy_of(name, workername)
        return 0 if copy is None else len(copy.people_on(workername))

    def out_of_use(self, worker: Any) -> Any:
        """Return a copy in quarantine that a build would wait for on a worker; or None."""
        for name in self.step_locks.lockids if worker.worker is not None else ():
            workername = worker.worker.workername
            copy = self._copy_of(name, workername)
            if copy is not None:
                out = copy.out_of_use_for(self.step_locks.accesses(name), workername)
                # a single resource of a pool is not repaired
                if out is not None and not (out is copy and self._may_repair(copy)):
                    return out
        return None

    def fed_by(self, worker: Any) -> list[Any]:
        """Return the builds and people that hold or will claim a worker's locks.

        Only the locks of this builder's steps count.
        """
        if worker.worker is None:
            return []
        names, workername = self.step_locks.lockids.keys(), worker.worker.workername
        builds = [build for build in worker.worker.builds if names & build.step_locks_to_come()]
        copies = [copy for name in names if (copy := self._copy_of(name, workername)) is not None]
        return [*builds, *(hold for copy in copies for hold in copy.people_on(workername))]

    def leaves_all(self, workers: list[Any]) -> bool:
        """Tell whether a build that nobody waits for is better left for later on every worker.

        If so, the builder is woken when a worker has room.

        :param workers: the idle workers.
        """
        if not workers or any(map(self.has_room, workers)):
            return False
        self._wait_for_room(workers)
        return True

    def _wait_for_room(self, workers: list[Any]) -> None:
        self._first_room.wait_for(
            worker.worker.subscribe_to_room for worker in workers if worker.worker is not None
        )

    def stop(self) -> None:
        """Stop waiting for room."""
        self._first_room.forget()
