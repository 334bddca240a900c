# SPDX-License-Identifier: GPL-2.0-only
"""A builder finds its locks with the branch of the build, and claims them before it begins."""

from __future__ import annotations

from functools import lru_cache
from functools import partial
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Collection
from typing import Iterable
from typing import Mapping
from typing import Sequence

from sqlalchemy.exc import SQLAlchemyError
from twisted.internet import defer
from twisted.python import log

from buildbot.config.locks import locks_of_builder
from buildbot.config.steps import steps_of_builder
from buildbot.data import resultspec
from buildbot.locking.copies import definition_of
from buildbot.locks import LockOwner
from buildbot.process.awaited import Awaited
from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.latewrite import complete_at_last
from buildbot.process.latewrite import complete_without_build
from buildbot.process.locks import find_owner_around
from buildbot.process.locks import get_real_locks_from_accesses_raw
from buildbot.process.locks import must_be_rendered
from buildbot.process.locks import resolve
from buildbot.process.properties import Properties
from buildbot.process.questions import GivenUp
from buildbot.process.questions import Questions
from buildbot.process.requestmessages import RequestMessages
from buildbot.process.results import EXCEPTION
from buildbot.process.results import RETRY
from buildbot.process.seats import seats_of
from buildbot.process.waiting.firstrelease import FirstRelease
from buildbot.process.waiting.inbox import Inbox
from buildbot.process.waiting.needs import Needs
from buildbot.process.waiting.refusals import Refusals
from buildbot.process.waiting.requestwait import RequestWaits
from buildbot.process.waiting.reservations import Reservations
from buildbot.process.waiting.workerchoice import StepLocks
from buildbot.process.waiting.workerchoice import WorkerChoice
from buildbot.process.workerforbuilder import WorkerForBuilder
from buildbot.process.workerforbuilder import is_idle
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.locks import Demand
    from buildbot.process.locks import Resolved
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder

upstream = release(__name__)


class Builder(upstream.Builder):
    """Starts builds on its workers. It does not choose requests and workers; a chooser does."""

    #: the locks that its configuration names without a renderable
    configured_locks: Sequence[Any] = ()

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.inbox: Inbox = Inbox(
            self._read_pending, self._leave_lines, self._note_needs, self._now
        )
        self.refusals: Refusals = Refusals()
        #: what its pending requests wait for
        self.request_waits: RequestWaits
        self.reservations: Reservations = Reservations(
            name,
            self.refusals,
            resolve=partial(resolve, self),
            is_current=self._is_current,
            are_free=self._are_free,
            may_start=self._ask_whether_it_may_start,
            user_orders=lambda: bool(self.config.nextBuild),
            is_pending=self.inbox.is_pending,
            is_behind=self.inbox.is_behind,
            is_idle_but=self._is_idle_but,
            wake=self.wake,
            wake_granted=self.wake_granted,
            clock=self._find_clock,
            wait_of=self._wait_of,
        )
        self.request_waits = RequestWaits(
            name,
            self.reservations,
            seats=partial(seats_of, self),
            awaited_by=self._awaited_by,
            is_pending=self._is_pending,
        )
        self.worker_choice = WorkerChoice(
            self.wake,
            self._needs_of_others,
            self._copy_of_lock,
            lambda copy: definition_of(copy).repairBuilder == self.name,
        )
        self._questions: Questions | None = None
        # the user's methods and locks in the present configuration
        self._asked: tuple[Any, ...] = ()
        self._refused = FirstRelease(self.wake)
        # a worker that was idle at the last search, and usually still is
        self._idle_worker: AbstractWorkerForBuilder | None = None
        # a configuration of the builder, and the names of its workers
        self._names: tuple[Any, frozenset[str]] = (None, frozenset())
        # the needs of all builders; None before the pending requests have been read
        self._needs: Needs | None = None
        # the locks of its configuration, by name
        self._locks: dict[str, Any] = {}
        self._was_refused = False
        self._clock: Any = None

    @defer.inlineCallbacks
    def reconfigServiceWithBuildbotConfig(self, new_config: Any) -> Any:
        self.inbox.doubt()  # a message about a change may have been lost
        before, former_workers = self.config, self.worker_names
        yield super().reconfigServiceWithBuildbotConfig(new_config)
        for name in former_workers - self.worker_names:
            self._give_up_asking_about(name)
        steps = list(steps_of_builder(self.config))
        self.worker_choice.step_locks = StepLocks(steps)
        self._ask_anew()
        self._idle_worker = None
        self._note_needs()
        self.reconsider(keeps_places=before is not None and self._wants_the_same_as(before))
        # new limits apply at once to claims that wait, not only from the next build on
        locks = []
        for lockid, _ in locks_of_builder(self.config, steps):
            locks.append((yield self.botmaster.getLockByID(lockid, self.config_version)))
        self.configured_locks = locks
        self._locks = {lock.lockName: lock for lock in locks}

    def _find_clock(self) -> Any:
        if self._clock is None:
            self._clock = self.master.reactor  # kept, since a removed builder has no master
        return self._clock

    def _now(self) -> float:
        return self._find_clock().seconds()

    @defer.inlineCallbacks
    def _read_pending(self) -> Any:
        messages = yield RequestMessages.getService(self.botmaster)
        yield messages.listen()
        if not messages.misses_none:
            self.inbox.read_again_after = 0
        self._needs = yield Needs.getService(self.botmaster)
        path = ('builders', (yield self.getBuilderId()), 'buildrequests')
        return (yield self.master.data.get(path, [resultspec.Filter('claimed', 'eq', [False])]))

    def _leave_lines(self, brid: int) -> None:
        # the next request of the group is not in line yet, so the builder is woken
        was_in_line = self.reservations.is_in_line(brid)
        self._awaited.pends_no_more(brid)
        self.reservations.request_changed(brid)
        was_asked_about = self._give_up_asking_about(brid)
        if was_in_line or was_asked_about:
            self.wake()

    def _give_up_asking_about(self, thing: Any) -> bool:
        # thing: a request that is no longer pending, or a worker that is lost
        return self._questions is not None and self._questions.give_up_about(thing)

    def _awaited_by(self, brid: int) -> LockOwner | None:
        return self._awaited.owner_around(brid, self.name)

    def _wait_of(self, brid: int) -> Any:
        return self.request_waits.of(brid)

    def _is_pending(self, brid: int) -> bool:
        botmaster = self.botmaster
        if botmaster.is_in_progress(brid) or brid in botmaster.knots.given_up:
            return False
        return self.inbox.is_pending(brid)

    def look_for_knots(self) -> None:
        """Have the botmaster check whether requests that running builds wait for can still start.

        This is called after a look at the builder, or when a worker is taken or lost.
        """
        for brid in self._awaited_requests():
            self.look_for_knot(brid)

    def look_for_knot(self, brid: int) -> None:
        """Have the botmaster check whether one of these requests can still start."""
        wait = self.request_waits.of(brid)
        self._awaited.pends(brid, wait)
        self.botmaster.knots.doubt(wait)

    def _awaited_requests(self) -> list[int]:
        # its pending requests that running builds wait for
        return [brid for brid in self._awaited if brid in self.inbox.requests]

    def request_changed(self, brid: int) -> None:
        """Take a changed pending request out of its lines, and look at it anew."""
        self.reservations.leave_lines(brid)
        self.wake()

    def parent_has_changed(self, brids: Iterable[int]) -> None:
        """Look anew at those of these requests that have no build, since their parent is another.

        Their builds may share the locks of the owner that now waits for them, if any does.
        """
        for brid in brids:
            if brid in self.inbox.requests or self.reservations.held(brid) is not None:
                self.reservations.give_back_refused(brid)
                self.request_changed(brid)

    def _is_current(self, resolved: Resolved, worker: Any) -> bool:
        return resolved.is_current(self.config.locks, worker)

    def _idle_workers(self) -> set[Any]:
        workers = self.getAvailableWorkers()
        return {w.worker.workername for w in workers if w.worker is not None}

    def _is_idle_but(self, names: Collection[str | None], brid: int) -> bool:
        if any(
            w.worker is not None and w.worker.workername not in names and is_idle(w)
            for w in self.workers
        ):
            return True
        return any(name not in names for name in self._names_of_lent(brid))

    def _names_of_lent(self, brid: int) -> set[Any]:
        return {w.worker.workername for w in self.lent_workers(brid) if w.worker is not None}

    def _copy_of_lock(self, name: str, workername: str) -> Any:
        lock = self._locks.get(name)
        return None if lock is None else lock.copy_on(workername)

    def _note_needs(self) -> None:
        if self._needs is not None:
            self._needs.note(self.name, self.worker_names if self.inbox.requests else frozenset())

    def _needs_of_others(self) -> Mapping[frozenset[str], int]:
        return {} if self._needs is None else self._needs.of_others(self.name)

    def _ask_whether_it_may_start(self, workerforbuilder: Any, buildrequest: BuildRequest) -> Any:
        can_start = self.config.canStartBuild
        if not callable(can_start):
            return True
        asked = (self, workerforbuilder, buildrequest)
        about = (buildrequest.id, workerforbuilder.worker.workername)
        return self.questions.ask('canStartBuild', can_start, *asked, about=about)

    def _ask_anew(self) -> None:
        config = self.config
        asked = (config.canStartBuild, config.nextBuild, self.choose_worker, config.locks)
        if self._asked and any(old != new for old, new in zip(self._asked, asked)):
            self.questions.give_up()  # the answer of a replaced method is useless
        self._asked = asked

    def _wants_the_same_as(self, before: Any) -> bool:
        # whether its requests wait for the same as with an older configuration; the == of a
        # renderable may return anything
        locks = self.config.locks
        if must_be_rendered(before.locks) or must_be_rendered(locks):
            return False
        return before.locks == locks and before.workernames == self.config.workernames

    def reconsider(self, keeps_places: bool = False) -> None:
        """Resolve the locks of all pending requests anew, after a reconfig.

        :param keeps_places: whether requests that wait for their locks keep their places in line
            until then. Otherwise some who came later may overtake them.
        """
        self.refusals.time_is_over()
        self.reservations.quiet_until = 0.0
        if self.inbox.requests:
            self.inbox.requests.forget_groups()
            if keeps_places:
                self.reservations.leave_without_claim()
            else:
                self.reservations.leave_all_lines()
            self.wake()

    def wake(self) -> None:
        """Check soon whether one of its builds can start, because something has changed."""
        self.reservations.quiet_until = 0.0
        if self.running:
            self.botmaster.maybeStartBuildsForBuilder(self.name)

    def wake_granted(self) -> None:
        """Look soon at a request that has been granted its locks. Nothing else has changed."""
        if self.running:
            self.botmaster.brd.look_at_granted(self)

    @property
    def questions(self) -> Questions:
        """The builder's calls of the user's methods."""
        if self._questions is None:
            self._questions = Questions(self.name, self.master.reactor)
        return self._questions

    def stopService(self) -> Any:
        stopped = super().stopService()  # from now on nothing wakes it
        if self.building:
            # it may have been removed while its builds run, and these need both
            self.master = self.building[0].master
            self.botmaster = self.master.botmaster
        self.inbox.close()
        self.reservations.clear()
        self.worker_choice.stop()
        self._refused.forget()
        if self._questions is not None:
            self._questions.give_up()
        return stopped

    @property
    def choose_worker(self) -> Callable[..., Any] | None:
        """The user's ``nextWorker``, for this builder or for all builders; or None."""
        return self.config.nextWorker or self.master.config.select_next_worker

    @property
    def asks_user(self) -> bool:
        """Whether one of the user's methods decides what it starts."""
        config = self.config
        if config is None:
            return False
        return bool(config.canStartBuild or config.nextBuild or self.choose_worker)

    @property
    def worker_names(self) -> frozenset[str]:
        """The names of the workers configured for it."""
        config, names = self._names
        if config is not self.config:
            names = as_set(tuple(self.config.workernames)) if self.config else frozenset()
            self._names = (self.config, names)
        return names

    def getAvailableWorkers(self) -> list[AbstractWorkerForBuilder]:
        return [worker for worker in self.workers if is_idle(worker)]

    def lent_workers(self, brid: int) -> list[AbstractWorkerForBuilder]:
        """Return the workers on which only this request may start.

        It takes the place of a build there that waits for it.

        :param brid: id of a build request.
        """
        lent = map(self._lent_by, self._awaited.around(brid)) if self._awaited else ()
        return [worker for worker in lent if worker is not None]

    def lent_requests(self) -> set[int]:
        """Return the ids of the pending requests that have a lent worker."""
        around = {brid: self._awaited.around(brid) for brid in self._awaited_requests()}
        builds = {build for of_request in around.values() for build in of_request}
        lenders = {build for build in builds if self._lent_by(build) is not None}
        return {brid for brid, of_request in around.items() if not lenders.isdisjoint(of_request)}

    @property
    def _awaited(self) -> Awaited:
        # nobody waits for requests of a removed builder
        return Awaited() if self.botmaster is None else self.botmaster.awaited

    def _lent_by(self, build: Build) -> AbstractWorkerForBuilder | None:
        # the build's worker, if a build of this builder could start there on its place only
        worker: Any = build.workerforbuilder.worker
        if worker is None or worker.workername not in self.worker_names:
            return None  # which may know this builder still, from an earlier configuration
        own = worker.workerforbuilders.get(self.name)
        if own is None or own.builder is not self or own.isBusy() or is_idle(own):
            return None
        return own if worker.lends_place_of(build) else None

    def is_idle_for(self, workerforbuilder: AbstractWorkerForBuilder, brid: int) -> bool:
        """Tell whether a build of a request could start on a worker, if only on a lent place."""
        if workerforbuilder.isAvailable():
            return True
        return any(workerforbuilder is lent for lent in self.lent_workers(brid))

    def has_idle_worker(self) -> bool:
        """Tell whether one of its builds could start on any worker."""
        worker = self._idle_worker
        if worker is None or not is_idle(worker):
            self._idle_worker = next(filter(is_idle, self.workers), None)
        return self._idle_worker is not None

    @property
    def may_start(self) -> bool:
        """Whether a look at the builder may start a build.

        It may not if there are no pending requests, or if the first request of each group waits in
        line and will wake the builder.
        """
        reservations = self.reservations
        if self._find_clock().seconds() < reservations.quiet_until:
            return False  # a quick answer: all builders of a worker are asked, and most wait
        if not self.inbox.is_fresh or self.config is None:
            return True
        requests = self.inbox.requests
        if self.config.nextBuild:
            return bool(requests)
        if requests.all_wait(reservations.waits_for_no_worker):
            reservations.quiet_until = self.inbox.fresh_until  # remembered for the next time
            return False
        return not requests.all_wait(reservations.waits)

    @defer.inlineCallbacks
    def attached(self, worker: Any, commands: Any) -> Any:
        """Add a worker that has connected to those of the builder, if it is not there yet.

        :returns: Deferred of the builder, or of None after an error, which is logged.
        """
        known = worker.workerforbuilders.get(self.name)
        if known is not None and (known in self.workers or known in self.attaching_workers):
            return self
        conn = worker.conn
        workerforbuilder = WorkerForBuilder(self)
        self.attaching_workers.append(workerforbuilder)
        try:
            yield workerforbuilder.attached(worker, commands)
            self.attaching_workers.remove(workerforbuilder)
        except Exception as e:
            log.err(e, 'worker failed to attach')
            worker.lose_soon(conn)
            return None
        self.workers.append(workerforbuilder)
        return self

    @defer.inlineCallbacks
    def canStartBuild(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequest: BuildRequest
    ) -> Any:
        """Tell whether a build of this request could start on this worker now.

        Nothing is claimed. If a lock is in use, the builder is looked at again at its release: a
        plugin's chooser, which asks this, puts no request in line.

        :returns: Deferred of a bool. A request whose locks cannot be determined may start, so that
            its build fails and says why; otherwise the request would stay pending.
        """
        in_use = yield self.reservations.locks_in_use(workerforbuilder, buildrequest)
        if in_use:
            self._try_again_after(in_use)
        can_start = in_use == []
        if can_start and callable(self.config.canStartBuild):
            can_start = yield self.config.canStartBuild(self, workerforbuilder, buildrequest)
        return can_start and workerforbuilder.worker is not None  # it may be lost meanwhile

    @property
    def waits_to_try_again(self) -> bool:
        """Whether the release of locks that a build was just refused will wake the builder."""
        return self._was_refused and self._refused.is_awaited

    def _try_again_after(self, in_use: Demand) -> None:
        self._was_refused = True
        self._refused.wait_for(lock.subscribeToReleases for lock, _ in in_use)

    def worker_occupied(self) -> None:
        """Let requests leave the line, because a worker has another build or takes no more."""
        self.look_for_knots()
        if not self.reservations:
            return
        self._drop_without_worker()
        has_step_locks = bool(self.worker_choice.step_locks.lockids)
        binds_late = self.master.config.lateBinding and not self.choose_worker
        if self.reservations and has_step_locks and binds_late:
            # if all idle workers are fed, requests that can wait for room leave the line meanwhile
            if self.worker_choice.leaves_all(self.getAvailableWorkers()):
                self.reservations.leave_lines_if(lambda request: not request.waitedFor)

    def worker_away(self) -> None:
        """Let requests leave the line, because a worker takes no build until it comes back."""
        self.worker_occupied()
        # those that wait for another worker may now keep the builds there waiting forever
        for brid in dict.fromkeys(reservation.request.id for reservation in self.reservations):
            self.botmaster.knots.doubt(self.request_waits.of(brid))

    def _are_free(self, *asked: Any) -> bool:
        # what a plugin has put in the place of this method counts
        return self._can_acquire_locks(*asked)

    def _can_acquire_locks(self, lock_list: Demand, owner: LockOwner | None = None) -> bool:
        for lock, access in lock_list:
            if not lock.isAvailable(owner, access):
                return False
        return True

    def _drop_without_worker(self) -> None:
        # a request that cannot start on any idle worker must not keep others waiting
        if not self.has_idle_worker():
            self.reservations.leave_without_worker(set(), self._names_of_lent)
        elif self.reservations.depend_on_worker():
            self.reservations.leave_without_worker(self._idle_workers(), self._names_of_lent)

    def detached(self, worker: Any) -> None:
        super().detached(worker)
        self._give_up_asking_about(worker.workername)
        self.worker_away()

    @defer.inlineCallbacks
    def get_highest_priority(self) -> Any:
        """Return a Deferred of the highest priority of its pending requests, or of None."""
        return (yield self.inbox.read()).highest_priority()

    @defer.inlineCallbacks
    def getOldestRequestTime(self) -> Any:
        """Return a Deferred of when its oldest pending request was submitted, or of None."""
        return (yield self.inbox.read()).oldest()

    @defer.inlineCallbacks
    def find_demand(self, workerforbuilder: Any, buildrequest: BuildRequest, props: Any) -> Any:
        """Find the demand of the builder's locks for a build of a request on a worker.

        :param props: the properties of the build; None to make them if they are needed.
        :returns: Deferred of the demand, without the worker's own locks.
        """
        configured = self.config.locks
        if not must_be_rendered(configured):
            props = None  # there is nothing to render
        elif props is None:
            # the properties that a build would have if it were started now
            props = yield self._setup_props_if_needed(None, workerforbuilder, buildrequest)
        return (
            yield get_real_locks_from_accesses_raw(
                configured,
                props,
                self,
                workerforbuilder,
                self.config_version,
                lambda: buildrequest.mergeSourceStampsWith([]),
            )
        )

    @defer.inlineCallbacks
    def _setup_props_if_needed(self, props: Any, workerforbuilder: Any, buildrequest: Any) -> Any:
        if props is not None:
            return props

        known = Properties()
        if isinstance(buildrequest, BuildRequest):
            # as in a real build: Interpolate('%(src::branch)s') asks it for its sources
            known.build = Build([buildrequest], self)
        yield Build.setup_properties_known_before_build_starts(
            known, [buildrequest], self, workerforbuilder
        )
        return known

    @defer.inlineCallbacks
    def _startBuildFor(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequests: list[BuildRequest]
    ) -> Any:
        """Begin a build, if its locks can be claimed.

        :returns: Deferred of a bool: whether the build has begun, and so holds its locks. If it is
            False, no lock is held, no row is written and the worker is unchanged. It is also True
            if the build could not even be made: its requests are completed, and the log says why.
        """
        if workerforbuilder.worker is None:
            return False  # its connection was lost in the meantime
        try:
            build = yield self._make_build(workerforbuilder, buildrequests)
        except SQLAlchemyError:
            raise  # it may be over by the next time
        except Exception as e:
            if workerforbuilder.worker is None or not self.running:
                return False
            bsids = {request.id: request.bsid for request in buildrequests}
            log.err(e, f'builder {self.name!r} could not make a build of requests {[*bsids]}')
            complete_without_build(self.botmaster, bsids, EXCEPTION)  # which may take long
            return True
        if not self.running or not self.is_idle_for(workerforbuilder, buildrequests[0].id):
            return False  # builder removed, or worker taken, while a user's method was slow
        self._was_refused = False
        reservations = self._reservations_of(buildrequests[0])
        reservation = reservations.held(buildrequests[0].id)
        if reservation is not None and len(buildrequests) == 1:
            is_current = self._is_current(reservation.resolved, workerforbuilder.worker)
            may_begin = is_current and reservation.is_settled
            if may_begin:
                build.adopt(reservation, workerforbuilder)
        else:
            # nothing is reserved, or not for all of these requests together
            reservations.give_back(buildrequests[0].id)
            try:
                yield self.questions.ask(
                    'a renderable of its locks', build.find_locks, workerforbuilder
                )
            except GivenUp:
                return False
            # its parent may have left it behind meanwhile
            build.lock_parent = yield find_owner_around(self, buildrequests[0])
            if not self.is_idle_for(workerforbuilder, buildrequests[0].id):
                return False  # the worker was taken while a renderable was slow
            may_begin = build.claim_locks(workerforbuilder)
            if not may_begin:
                self._try_again_after(build.refused)
        if not may_begin:
            return False
        for request in buildrequests:
            reservations.leave_lines(request.id)
            reservations.end_wait(request.id)

        # Nothing has been waited for since the claim, so nothing can have come in between.
        log.msg(f'starting build {build} using worker {workerforbuilder}')
        self.building.append(build)
        self.botmaster.awaited.begun(build)
        workerforbuilder.buildStarted()
        workerforbuilder.worker.add_build(build)
        d = defer.maybeDeferred(build.startBuild, workerforbuilder)
        d.addBoth(build.ensure_begun)
        d.addErrback(log.err, f'{build} could not be ended')
        return True

    def buildFinished(self, build: Build, wfb: Any) -> None:
        """Forget a build that has ended, and complete its requests or give them back."""
        results = build.results
        self.building.remove(build)
        end = self._resubmit_buildreqs if results == RETRY else self._complete_buildreqs
        end(build).addErrback(log.err, f'while ending the requests of {build}')
        if wfb.worker:
            wfb.worker.releaseLocks()

    def _complete_buildreqs(self, build: Build) -> Any:
        bsids = {request.id: request.bsid for request in build.requests}
        return complete_at_last(self.master, bsids, build.results)

    def _reservations_of(self, buildrequest: BuildRequest) -> Reservations:
        # a plugin may let a builder build a request of another one
        asked = self.botmaster.builders.get(buildrequest.buildername)
        return self.reservations if asked is None else asked.reservations

    @defer.inlineCallbacks
    def _resubmit_buildreqs(self, build: Build) -> Any:
        yield build.master.botmaster.brd.unclaim(build.requests)

    @defer.inlineCallbacks
    def _make_build(self, workerforbuilder: Any, buildrequests: list[BuildRequest]) -> Any:
        config = self.config
        assert config is not None
        build = config.factory.newBuild(buildrequests, self)
        props = build.getProperties()
        props.build = build
        build.step_locks = self.worker_choice.step_locks
        yield Build.setup_properties_known_before_build_starts(
            props, build.requests, build.builder, workerforbuilder
        )
        if config.env:
            build.setWorkerEnvironment(config.env)
        build.setLocks(config.locks)
        build.lock_parent = yield find_owner_around(self, buildrequests[0])
        return build


@lru_cache(maxsize=256)
def as_set(names: tuple[str, ...]) -> frozenset[str]:
    """Return names as a set. Builders with the same workers share one set."""
    return frozenset(names)
