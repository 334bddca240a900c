# SPDX-License-Identifier: GPL-2.0-only
"""A builder tests its locks with the build's branch, and claims them before a build begins."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Hashable

from sqlalchemy.exc import DBAPIError
from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure

from buildbot.config.locks import locks_of_builder
from buildbot.config.steps import steps_of_builder
from buildbot.interfaces import IRenderable
from buildbot.locks import BranchLock
from buildbot.locks import LockOwner
from buildbot.locks import WorkerLock
from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from buildbot.process.firstrelease import FirstRelease
from buildbot.process.locks import get_real_locks_from_accesses_raw
from buildbot.process.locks import ids_of
from buildbot.process.locks import must_be_rendered
from buildbot.process.locks import together
from buildbot.process.properties import Properties
from buildbot.process.reservation import Reservation
from buildbot.process.reservations import Reservations
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.workerchoice import StepLocks
from buildbot.process.workerchoice import has_place
from buildbot.process.workerchoice import least_crowded
from buildbot.process.workerchoice import least_needed
from buildbot.util.service import SharedService
from buildbot.worker.base import AbstractWorker
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.locks import Claims
    from buildbot.process.pending import PendingRequests
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder

upstream = release(__name__)


class RunningBuilds(SharedService):
    """The builds that run on this master, those of builders that have been removed included."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.builds: dict[Build, None] = {}

    @defer.inlineCallbacks
    def add(self, build: Build) -> Any:
        self.builds[build] = None
        yield build.waitUntilFinished()
        del self.builds[build]


class Builder(upstream.Builder):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.reservations = Reservations()
        self.step_locks = StepLocks()
        self._first_place = FirstRelease(self._wake)
        self._refused = FirstRelease(self._wake)
        self._was_refused = False

    @defer.inlineCallbacks
    def reconfigServiceWithBuildbotConfig(self, new_config: Any) -> Any:
        distributor = self._distributor()
        if distributor is not None:
            distributor.doubt(self.name)  # a message that told of a change may have been lost
        yield super().reconfigServiceWithBuildbotConfig(new_config)
        steps = list(steps_of_builder(self.config))
        self.step_locks = StepLocks(steps)
        yield self.reconsider()
        # those who wait under the old limits hear of the new ones now, not at the next build
        for lockid, _ in locks_of_builder(self.config, steps):
            yield self.botmaster.getLockByID(lockid, self.config_version)

    @defer.inlineCallbacks
    def reconsider(self) -> Any:
        """Find out anew what its pending requests need, which they may no longer do or wait for."""
        pending = yield self._pending()
        if pending is not None:
            pending.forget_groups()
            self.reservations.leave_all_lines()
            self._wake()

    def stopService(self) -> Any:
        self.reservations.clear()
        self._first_place.forget()
        self._refused.forget()
        distributor = self._distributor()
        if distributor is not None:
            distributor.forget(self.name)
        return super().stopService()

    @property
    def choose_worker(self) -> Callable[..., Any] | None:
        """The user's ``nextWorker``, of the builder or of all; None if there is none."""
        return self.config.nextWorker or self.master.config.select_next_worker

    @property
    def asks_user(self) -> bool:
        """Whether a method of the user's has a say in what it starts."""
        config = self.config
        if config is None:
            return False
        return bool(config.canStartBuild or config.nextBuild or self.choose_worker)

    @defer.inlineCallbacks
    def canStartBuild(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequest: BuildRequest
    ) -> Any:
        """Tell whether a build of this request could start on this worker now.

        Nothing is held for it, and it does not stand in line for it.

        :returns: Deferred of a bool. A request whose locks cannot be found out may start: its build
            then fails and says why, where the request would only pend.
        """
        can_start = yield self.could_have_locks(workerforbuilder, buildrequest)
        if can_start and callable(self.config.canStartBuild):
            return (yield self.config.canStartBuild(self, workerforbuilder, buildrequest))
        return can_start

    @defer.inlineCallbacks
    def could_have_locks(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequest: BuildRequest
    ) -> Any:
        """Tell whether the worker fits a build of this request and its locks are free for it now.

        :returns: Deferred of a bool.
        """
        reservation = yield self._find_reservation(workerforbuilder, buildrequest)
        if reservation is None:
            return False
        if reservation.why_never is not None or not reservation.wanted:
            return True
        # judged as who it will be when it claims, if it differs from anybody else
        owner = self._whose_turn(reservation)
        if owner.holds:
            return True
        is_special = owner.lock_parent is not None or owner.lock_age is not None
        return self._can_acquire_locks(reservation.wanted, *([owner] if is_special else []))

    @defer.inlineCallbacks
    def reserve(
        self,
        workerforbuilder: AbstractWorkerForBuilder,
        buildrequest: BuildRequest,
    ) -> Any:
        """Take the locks of a build of this request, or stand in line for them.

        When they are held the user's ``canStartBuild`` is asked.

        :param workerforbuilder: an idle worker that the build could run on.
        :returns: Deferred of the Reservation that holds the locks, until a build takes it over or
            it is given back; or of None.
        """
        reservation = yield self._find_reservation(workerforbuilder, buildrequest)
        if reservation is None:
            return None
        own, reservation = reservation, self._whose_turn(reservation)
        lender = reservation.request
        if reservation is own:
            self.reservations.keep(own)
        else:
            self.reservations.leave_lines(buildrequest.id)
            self.reservations.lend(reservation, buildrequest)
        if not reservation.take():
            self.reservations.keep(reservation)
            return None
        self.reservations.hold(reservation)
        if callable(self.config.canStartBuild):
            can = False
            try:
                can = yield self.config.canStartBuild(self, workerforbuilder, buildrequest)
            finally:
                is_held = self.reservations.held(buildrequest.id) is reservation
                if not can and is_held and reservation is not own and self._is_pending(lender):
                    self.reservations.return_to(reservation, lender)
                elif not can:
                    self.reservations.give_back(buildrequest.id)
            if can and is_held and not self._is_current(reservation, workerforbuilder):
                self.reservations.give_back(buildrequest.id)
                self._wake()
                return None
            if not can or not is_held:
                return None
        self.reservations.leave_lines(buildrequest.id)
        return reservation

    def _is_current(self, reservation: Reservation, workerforbuilder: Any) -> bool:
        # else it holds what was needed before a reconfig
        of_worker = getattr(workerforbuilder.worker, 'locks', [])
        # by identity, for a renderable's == may say anything
        return reservation.access is self.config.locks and reservation.of_worker == of_worker

    def _is_pending(self, buildrequest: BuildRequest) -> bool:
        # else it was cancelled, or taken by another master, while something was being found out
        distributor = self._distributor()
        return distributor is None or distributor.is_pending(self, buildrequest)

    def _whose_turn(self, reservation: Reservation) -> Reservation:
        # which of its requests it is whose turn has come, the user decides
        if not self.config.nextBuild or reservation.is_granted:
            return reservation
        return self.reservations.whose_turn(reservation)

    @defer.inlineCallbacks
    def stand_in_line(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequest: BuildRequest
    ) -> Any:
        """Let a request stand in line for the locks that it would need on a worker.

        If they are free nothing is taken: then it is for other reasons that it is not started.
        """
        reservation = yield self._find_reservation(workerforbuilder, buildrequest)
        if reservation is None:
            return
        self.reservations.keep(reservation)
        owner = self._whose_turn(reservation)
        if not owner.holds and not self._can_acquire_locks(reservation.wanted, owner):
            reservation.take()

    def reserve_to_fail(
        self, workers: list[AbstractWorkerForBuilder], buildrequest: BuildRequest
    ) -> AbstractWorkerForBuilder | None:
        """Let a request that can never start be built, if only to fail and say why.

        :param workers: idle workers, on each of which ``reserve`` has been tried.
        :returns: one of them on which the build is to begin; None if the request can still start.
        """
        names = {w.worker.workername: w for w in workers if w.worker is not None}
        reservation = self.reservations.hopeless(buildrequest.id, names, self.config.workernames)
        if reservation is None or not names:
            return None
        self.reservations.hold(reservation)
        self.reservations.leave_lines(buildrequest.id)
        fitting = [w for w in names.values() if self._is_current(reservation, w)]
        return names.get(reservation.worker) or (fitting or workers)[0]

    @defer.inlineCallbacks
    def _find_reservation(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequest: BuildRequest
    ) -> Any:
        # the one that there is, or a new one, with the claims that it should have now
        props = None
        worker = workerforbuilder.worker
        if worker is None:
            return None  # its connection was lost in the meantime
        if worker.builds_may_be_incompatible:
            props = yield self._setup_props_if_needed(props, workerforbuilder, buildrequest)
            if not (yield worker.isCompatibleWithBuild(props)):
                return None
        config_version, access = self.config_version, self.config.locks
        why_never = None
        of_builder: Claims = []
        try:
            of_builder = yield self._find_claims(workerforbuilder, buildrequest, props)
        except Exception as e:
            why_never = Failure()
            if workerforbuilder.worker is not None and self.running:
                log.err(e, f'builder {self.name!r}: locks of {buildrequest}')
        parent = None
        of_worker = getattr(worker, 'locks', [])
        if of_builder or of_worker:
            parent = yield self._find_parent(buildrequest)
        if workerforbuilder.worker is None or not self.running:
            return None
        if self.config_version != config_version or not self._is_pending(buildrequest):
            return None
        is_special = of_worker or worker.builds_may_be_incompatible
        # else whichever worker it is does not matter
        name = worker.workername if is_special or self._depends_on_worker() else None
        reservation = self.reservations.find(getattr(buildrequest, 'id', None), name)
        if (
            reservation is not None
            and not reservation.holds
            and (
                reservation.lock_parent is not parent
                or reservation.lock_priority != getattr(buildrequest, 'priority', 0)
            )
        ):
            reservation.give_back()
            reservation = None
        if reservation is None:
            reservation = Reservation(buildrequest, self.name, name, parent, self._wake)
        reservation.access = access
        reservation.of_builder = of_builder
        reservation.of_worker = of_worker
        reservation.wanted = together(of_builder, of_worker)
        reservation.why_never = why_never
        return reservation

    def _wake(self) -> None:
        self.botmaster.maybeStartBuildsForBuilder(self.name)

    def _depends_on_worker(self) -> bool:
        return self._names_lock_of(WorkerLock) or must_be_rendered(self.config.locks)

    def groups_need_requests(self) -> bool:
        """Tell whether what locks a request wants depends on the request."""
        return self._names_lock_of(BranchLock) and not must_be_rendered(self.config.locks)

    def _names_lock_of(self, kind: type) -> bool:
        locks = self.config.locks
        return not IRenderable.providedBy(locks) and any(isinstance(i, kind) for i in ids_of(locks))

    def group_of(self, brdict: dict[str, Any], request: BuildRequest | None) -> Hashable:
        """Return what is the same for requests of this builder that want the same locks.

        :param brdict: the build request, as the data API gives it.
        :param request: what it was made to, if ``groups_need_requests``.
        """
        if brdict['waited_for'] or must_be_rendered(self.config.locks):
            return brdict['buildrequestid']  # it may have a parent, or locks of its own
        if request is None or not self.groups_need_requests():
            return None
        sources = request.mergeSourceStampsWith([])
        return tuple(sorted((s.codebase or '', s.branch or '') for s in sources))

    def preferred_workers(
        self, workers: list[AbstractWorkerForBuilder], buildrequest: BuildRequest
    ) -> list[AbstractWorkerForBuilder]:
        """Return those of some workers on which a build of a request is best started.

        :param workers: idle workers.
        :returns: the workers on which the locks of the builder's steps are least contended, and of
            these, those that the fewest other builders need. It is empty if the build is better
            left for the first worker on which there is a place.
        """
        if not self.running:
            return []
        # who is waited for must not wait for who waits for it
        late = self.master.config.lateBinding and not buildrequest.waitedFor
        free = [w for w in workers if has_place(self, w)] if late else workers
        if not free:
            self._wake_when_there_is_a_place(workers)
        best = least_crowded(self, free)
        return least_needed(self, best, self.botmaster.brd.builders_with_requests())

    def _wake_when_there_is_a_place(self, workers: list[AbstractWorkerForBuilder]) -> None:
        self._first_place.wait_for(
            worker.worker.subscribe_to_places for worker in workers if worker.worker is not None
        )

    def waits(self, brid: int) -> bool:
        """Tell whether a pending request waits in line, and there is no worker to be tried yet."""
        if not self.reservations.is_in_line(brid):
            return False
        if self.reservations.waits_everywhere(brid):
            return True
        return self.reservations.waits(brid, self._idle_workers())

    @property
    def waits_to_try_again(self) -> bool:
        """Whether it will be woken to start what has just been refused the locks."""
        return self._was_refused and self._refused.is_awaited

    def _idle_workers(self) -> set[str]:
        return {w.worker.workername for w in self.getAvailableWorkers() if w.worker is not None}

    def worker_taken(self, taken: Any) -> None:
        """Take note that a worker has one more build, or takes no builds any more, for now.

        :param taken: the worker.
        """
        if not self.reservations:
            return
        if not any(worker.isAvailable() for worker in self.workers):
            self.reservations.leave_without_worker(set())
        elif self.reservations.depend_on_worker():
            self.reservations.leave_without_worker(self._idle_workers())
        is_late = self.master.config.lateBinding and self.choose_worker is None
        if is_late and self.step_locks.lockids and self.reservations:
            # where all idle workers are fed, who can wait for a place can leave the line meanwhile
            workers = self.getAvailableWorkers()
            workers.sort(key=lambda worker: worker.worker is not taken)  # it, most likely
            if workers and not any(has_place(self, worker) for worker in workers):
                self.reservations.leave_lines_if(lambda request: not request.waitedFor)
                self._wake_when_there_is_a_place(workers)

    def detached(self, worker: Any) -> None:
        super().detached(worker)
        self.worker_taken(worker)

    @defer.inlineCallbacks
    def get_highest_priority(self) -> Any:
        pending = yield self._pending()
        if pending is not None:
            return pending.highest_priority()

        return (yield super().get_highest_priority())

    @defer.inlineCallbacks
    def getOldestRequestTime(self) -> Any:
        pending = yield self._pending()
        if pending is not None:
            return pending.oldest()

        return (yield super().getOldestRequestTime())

    def _pending(self) -> defer.Deferred[PendingRequests | None]:
        distributor = self._distributor()
        if distributor is None or not distributor.running:
            return defer.succeed(None)
        return distributor.pending_of(self)

    def _distributor(self) -> BuildRequestDistributor | None:
        # what stands in for a botmaster (in a test of a user's, say) may have another one, or none
        distributor = getattr(self.botmaster, 'brd', None)
        return distributor if isinstance(distributor, BuildRequestDistributor) else None

    @defer.inlineCallbacks
    def _find_parent(self, buildrequest: BuildRequest) -> Any:
        # the step of a build on this master that triggered the request and waits for it
        if not getattr(buildrequest, 'waitedFor', False):
            return None
        buildset = yield self.master.data.get(('buildsets', str(buildrequest.bsid)))
        running = yield RunningBuilds.getService(self.botmaster, 'running builds')
        for build in running.builds:
            if buildset and build.buildid == buildset['parent_buildid']:
                return build.lock_owner_of(buildrequest.id, self.name)
        return None

    @defer.inlineCallbacks
    def _find_claims(self, workerforbuilder: Any, buildrequest: BuildRequest, props: Any) -> Any:
        # the builder's locks, found with the properties that the build will have
        locks = self.config.locks
        if not must_be_rendered(locks):
            props = None  # there is nothing to render
        elif props is None:
            props = yield self._setup_props_if_needed(None, workerforbuilder, buildrequest)
        return (
            yield get_real_locks_from_accesses_raw(
                locks,
                props,
                self,
                workerforbuilder,
                self.config_version,
                lambda: buildrequest.mergeSourceStampsWith([]),
            )
        )

    def _can_acquire_locks(self, lock_list: Claims, owner: LockOwner | None = None) -> bool:
        return all(lock.isAvailable(owner, access) for lock, access in lock_list)

    @defer.inlineCallbacks
    def _setup_props_if_needed(self, props: Any, workerforbuilder: Any, buildrequest: Any) -> Any:
        if props is not None:
            return props

        known = Properties()
        if isinstance(buildrequest, BuildRequest):
            # as in a build: Interpolate('%(src::branch)s') asks the build for its sources
            known.build = Build([buildrequest], self)
        yield Build.setup_properties_known_before_build_starts(
            known, [buildrequest], self, workerforbuilder
        )
        return known

    @defer.inlineCallbacks
    def maybeStartBuild(
        self, workerforbuilder: AbstractWorkerForBuilder, breqs: list[BuildRequest]
    ) -> Any:
        started = yield super().maybeStartBuild(workerforbuilder, breqs)
        if not started and breqs and self.running:
            started = yield self._complete_if_cancelled(breqs)
        return started

    @defer.inlineCallbacks
    def _complete_if_cancelled(self, buildrequests: list[BuildRequest]) -> Any:
        # A request may be cancelled while it is tried whether it can start. If it cannot, there is
        # no build that would hear of it.
        botmaster = self.master.botmaster
        cancelled = [
            r.id
            for r in buildrequests
            if isinstance(botmaster._starting_brid_to_cancel.get(r.id), str)
        ]
        if len(cancelled) < len(buildrequests):
            return False
        for brid in cancelled:
            botmaster.remove_in_progress_buildrequest(brid)
        yield self.master.data.updates.completeBuildRequests(cancelled, CANCELLED)
        return True

    @defer.inlineCallbacks
    def _startBuildFor(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequests: list[BuildRequest]
    ) -> Any:
        """Begin a build, if its locks can be claimed.

        :returns: Deferred of a bool: whether the build has begun, and so holds its locks. If not,
            nothing is held, no row is written and the worker is as it was. It is True, too, if the
            build could not even be made: then its requests are completed, and the log says why.
        """
        if workerforbuilder.worker is None:
            return False  # its connection was lost in the meantime
        try:
            build = yield self._make_build(workerforbuilder, buildrequests)
        except DBAPIError:
            raise  # it may be over by the next time
        except Exception as e:
            if workerforbuilder.worker is None or not self.running:
                return False
            brids = [request.id for request in buildrequests]
            log.err(e, f'builder {self.name!r} could not make a build of requests {brids}')
            for brid in brids:
                self.botmaster.remove_in_progress_buildrequest(brid)
            yield self.master.data.updates.completeBuildRequests(brids, EXCEPTION)
            return True
        running = yield RunningBuilds.getService(self.botmaster, 'running builds')
        self._was_refused = False
        reservation = self.reservations.held(buildrequests[0].id)
        if reservation is not None and len(buildrequests) == 1:
            may_begin = self._is_current(reservation, workerforbuilder)
            may_begin = may_begin and build.take_over_locks(reservation, workerforbuilder)
        else:
            # nobody has reserved anything, or not for all of these requests together
            self.reservations.give_back(buildrequests[0].id)
            may_begin = yield build.claim_locks(workerforbuilder)
            self._was_refused = not may_begin
            if not may_begin:
                self._refused.wait_for(lock.subscribeToReleases for lock, _ in build.refused)
        if not may_begin:
            return False
        for request in buildrequests:
            self.reservations.leave_lines(request.id)

        # From the claim to here nothing waits, so nothing can come in between.
        log.msg(f'{build} begins on {workerforbuilder}')
        self.building.append(build)
        running.add(build)
        workerforbuilder.buildStarted()
        if isinstance(workerforbuilder.worker, AbstractWorker):
            workerforbuilder.worker.add_build(build)
        defer.maybeDeferred(build.startBuild, workerforbuilder).addBoth(build.ensure_begun)
        return True

    @defer.inlineCallbacks
    def _make_build(self, workerforbuilder: Any, buildrequests: list[BuildRequest]) -> Any:
        build = self.config.factory.newBuild(buildrequests, self)
        build.getProperties().build = build
        yield Build.setup_properties_known_before_build_starts(
            build.getProperties(), build.requests, build.builder, workerforbuilder
        )
        if self.config.env:
            build.setWorkerEnvironment(self.config.env)
        build.setLocks(self.config.locks)
        build.lock_parent = yield self._find_parent(buildrequests[0])
        return build
