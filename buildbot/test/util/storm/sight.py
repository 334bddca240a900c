# SPDX-License-Identifier: GPL-2.0-only
"""New: what anybody can see of a master: what runs, what pends, and what could start."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.data import resultspec
from buildbot.process.build import Build
from buildbot.test.util.idle import Holders
from buildbot.test.util.idle import Wish
from buildbot.test.util.idle import copy_of
from buildbot.test.util.idle import want_of
from buildbot.test.util.storm.lab import StormLab


class Sight(StormLab):
    """A lab at which can be looked.

    :ivar poked: the event after which each builder has last asked its user anew.
    :ivar versions: of each builder, how it took its locks in each version of the configuration.
    :ivar shutdown: whether the master has ended, if it is to be; empty otherwise.
    """

    def make_lab(self, configuration: dict[str, Any]) -> defer.Deferred[Any]:
        self.poked: dict[str, int] = {}
        self.versions: dict[str, list[tuple[int, list[Any]]]] = {}
        self.shutdown: list[bool] = []
        self._buildsets: dict[int, dict[str, Any]] = {}
        return super().make_lab(configuration)

    def see(self, d: defer.Deferred[Any]) -> Any:
        """Return what the database says, while nothing happens."""
        return self.successResultOf(d)

    def rows(self, *kind: Any, **is_so: bool) -> list[dict[str, Any]]:
        """Return rows for which something is so."""
        filters = [resultspec.Filter(name, 'eq', [so]) for name, so in is_so.items()]
        found: list[dict[str, Any]] = self.see(self.master.data.get(kind, filters))
        return found

    def pending(self) -> list[dict[str, Any]]:
        return self.rows('buildrequests', claimed=False, complete=False)

    def running(self) -> list[Build]:
        """Return the builds that run, in order of their requests."""
        builds = self.master.botmaster.awaited.running
        return sorted(builds, key=lambda build: build.requests[0].id)

    def builders(self) -> list[Any]:
        """Return the builders that the master has now."""
        return [self.master.botmaster.builders[name] for name in self.present('builders')]

    def workers(self) -> list[Any]:
        """Return the workers that the master has now, in order of their names."""
        workers = self.master.workers.workers
        return [workers[name] for name in sorted(workers)]

    def tell_build(self, build: Build) -> str:
        return f'{build.builder.name}{build.requests[0].id}@{build.workername}'

    def is_shutting_down(self) -> bool:
        botmaster = self.master.botmaster
        return botmaster.shuttingDown or botmaster.brd.distribute_only_waited_childs

    def is_shut_down(self) -> bool:
        """Tell whether the master would have ended."""
        return self.shutdown == [True]

    # locks

    def keep_version(self) -> None:
        """Take note of how builders take their locks, as they are configured now."""
        for builder in self.builders():
            version = (builder.config_version, self.accesses_now[builder.name])
            self.versions.setdefault(builder.name, []).append(version)

    def accesses_of(self, build: Build) -> list[Any]:
        """Return what a build has taken when it began."""
        versions = reversed(self.versions[build.builder.name])
        of_builder = next(a for v, a in versions if v == build.config_version)
        worker = self.master.workers.workers.get(build.workername)
        return [*of_builder, *(worker.access if worker is not None else ())]

    def parent_of(self, build: Build) -> int | None:
        """Return the id of the build that has triggered a build; None if there is none."""
        return self._parent(build.requests[0].bsid)

    def parents_of(self, build: Build) -> list[int]:
        """Return the ids of the builds around a build, as far as they run."""
        by_id = {other.buildid: other for other in self.running()}
        found: list[int] = []
        parentid = self.parent_of(build)
        while parentid is not None:
            found.append(parentid)
            around = by_id.get(parentid)
            parentid = None if around is None else self.parent_of(around)
        return found

    def _parent(self, bsid: int) -> int | None:
        return self._buildset(bsid)['parent_buildid']

    def _buildset(self, bsid: int) -> dict[str, Any]:
        # what is asked for does not change
        if bsid not in self._buildsets:
            self._buildsets[bsid] = self.see(self.master.data.get(('buildsets', str(bsid))))
        return self._buildsets[bsid]

    def holders(self) -> Holders:
        return Holders(self.accesses_of, self.parents_of, self._request_of)

    def _request_of(self, buildid: int) -> int | None:
        found = (b.requests[0].id for b in self.running() if b.buildid == buildid)
        return next(found, None)

    # requests

    def poke(self, workers: list[str]) -> None:
        """Take note that something has happened to workers after which builders ask again."""
        for name in self.plan['builders']:
            if set(workers) & set(self.workers_of(name)):
                self.poked[name] = self.number

    def poke_all(self) -> None:
        self.poke(list(self.plan['workers']))

    def is_refused(self, brid: int, builder: str, worker: str | None) -> bool:
        """Tell whether a user's method has said no since the builder has last been poked."""
        said = max(self.refused.get((brid, w), -1) for w in (worker, None))
        return said >= self.poked.get(builder, 0) and said >= 0

    def branch_of(self, row: dict[str, Any]) -> str | None:
        """Return the branch of a request."""
        branch: str | None = self._buildset(row['buildsetid'])['sourcestamps'][0]['branch']
        return branch

    def only_waits(self, build: Build) -> bool:
        """Tell whether a build waits for those that it has triggered."""
        running = [step for step in build.executedSteps if step.results is None]
        # a group that waits for its locks does something beside, as a step does
        groups = [step.step_group for step in running]
        inner = [step for step in running if not any(step is group for group in groups)]
        return bool(inner) and all(hasattr(step, 'schedulerNames') for step in inner)

    def lent_to(self, row: dict[str, Any], builder: Any) -> list[Any]:
        """Return the workers on which a pending request may use the place of its parent."""
        parentid = self._parent(row['buildsetid'])
        running = self.running()
        parent = next((build for build in running if build.buildid == parentid), None)
        if parentid is None or parent is None or not self.plan['parentLendsPlace']:
            return []
        steps = (step for step in parent.executedSteps if step.results is None)
        if not any(row['buildrequestid'] in getattr(step, 'brids', ()) for step in steps):
            return []  # no step waits for it any longer
        if not self.only_waits(parent) or parent.stopped:
            return []
        worker = parent.workerforbuilder.worker
        here = [build for build in running if build.workername == parent.workername]
        is_lent = any(parentid in self.parents_of(build) for build in here)
        if is_lent or worker is None or worker.isPaused() or worker.quarantine_timer:
            return []
        if not worker.max_builds or len(here) > worker.max_builds or worker._graceful:
            return []
        return [w for w in builder.workers if w.worker is worker and not w.isBusy()]

    def wishes(self) -> list[Wish]:
        """Return what pending requests need on idle workers, if nobody says no to it."""
        found = []
        for row in self.pending():
            builder = self.master.botmaster.getBuilderById(row['builderid'])
            if builder is None:
                continue  # it has been removed
            idle = builder.getAvailableWorkers()
            for wfb in [*idle, *(w for w in self.lent_to(row, builder) if w not in idle)]:
                wish = self._wish(row, builder, wfb.worker)
                if wish is not None:
                    found.append(wish)
        return found

    def _wish(self, row: dict[str, Any], builder: Any, worker: Any) -> Wish | None:
        brid, name = row['buildrequestid'], worker.workername
        if self.is_refused(brid, builder.name, name):
            return None
        if not self.users[builder.name].may_choose(brid, name):
            return None
        branch = self.branch_of(row)
        wants = {
            copy_of(self.master, access, name, branch): want_of(access, name)
            for access in [*self.accesses_now[builder.name], *worker.access]
        }
        moved_at = builder.reservations._moved_at.get(brid)
        place = (-row['priority'], row['submitted_at'])
        if moved_at is not None:
            place = (-1000, -moved_at)  # somebody wants it to be first
        return Wish(brid, builder.name, name, place, row['waited_for'], wants)
