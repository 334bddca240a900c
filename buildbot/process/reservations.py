# SPDX-License-Identifier: GPL-2.0-only
"""New: how the requests of one builder come to what their builds need, before there is a build."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Hashable
from weakref import WeakKeyDictionary

from sqlalchemy.exc import SQLAlchemyError
from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure

from buildbot.interfaces import IRenderable
from buildbot.locks import BranchLock
from buildbot.locks import WorkerLock
from buildbot.process.locklog import LockLog
from buildbot.process.locks import ids_of
from buildbot.process.locks import must_be_rendered
from buildbot.process.locks import together
from buildbot.process.reservation import Reservation
from buildbot.process.reservationbook import ReservationBook
from buildbot.process.runningbuilds import RunningBuilds
from buildbot.process.workerforbuilder import is_idle

if TYPE_CHECKING:
    from buildbot.config.builder import BuilderConfig
    from buildbot.process.builder import Builder
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.locks import Claims
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder


class Reservations(ReservationBook):
    """The reservations of one builder, which are made, kept in line, lent and given back here.

    :param builder: the builder.
    """

    def __init__(self, builder: Builder) -> None:
        super().__init__()
        self._builder = builder
        # a request leaves the line and comes back, and the log tells once that it waits
        self._logs: WeakKeyDictionary[BuildRequest, LockLog] = WeakKeyDictionary()

    @property
    def _config(self) -> BuilderConfig:
        config = self._builder.config
        assert config is not None  # there are no requests before the builder is configured
        return config

    @defer.inlineCallbacks
    def could_have_locks(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequest: BuildRequest
    ) -> Any:
        """Tell whether the worker fits a build of this request and its locks are free for it now.

        Nothing is held for it, and it does not stand in line for it.

        :returns: Deferred of a bool. It is True for a request whose locks cannot be found out: its
            build is to fail and say why, where the request would only pend.
        """
        reservation = yield self._find_reservation(workerforbuilder, buildrequest)
        if reservation is None:
            return False
        if reservation.why_never is not None or not reservation.wanted:
            return True
        owner = self._whose_turn(reservation)
        if owner.holds or self._are_free(owner, reservation.wanted):
            return True
        elsewhere = self.with_turn_elsewhere(reservation)
        return bool(elsewhere) and reservation.would_do(elsewhere)

    def _are_free(self, owner: Reservation, claims: Claims) -> bool:
        # judged as who it will be when it claims, if it differs from anybody else
        is_special = owner.lock_parent is not None or owner.lock_age is not None
        return self._builder._can_acquire_locks(claims, *([owner] if is_special else []))

    @defer.inlineCallbacks
    def reserve(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequest: BuildRequest
    ) -> Any:
        """Take the locks of a build of this request, or stand in line for them.

        When they are held the user's ``canStartBuild`` is asked.

        :param workerforbuilder: an idle worker that the build could run on.
        :returns: Deferred of the Reservation that holds the locks, until a build takes it over or
            it is given back; or of None.
        """
        own = yield self._find_reservation(workerforbuilder, buildrequest)
        if own is None:
            return None
        brid, worker = buildrequest.id, workerforbuilder.worker.workername
        reservation = self._whose_turn(own)
        if self.held(brid) is not reservation:
            self.give_back(brid)  # it was for another worker
        if reservation is own:
            self.keep(own)
        else:
            self.leave_lines(brid)
            self.lend(reservation, buildrequest)
        if not (reservation.take() or self._take_from_elsewhere(reservation)):
            self.keep(reservation)
            self._tell_log(reservation)
            return None
        self.hold(reservation)
        can_start = self._config.canStartBuild
        if callable(can_start):
            can = False
            try:
                can = yield self._builder.questions.ask(
                    'canStartBuild', can_start, self._builder, workerforbuilder, buildrequest
                )
            finally:
                if not can:
                    self._refuse(reservation, brid, worker)
            if not can or self.held(brid) is not reservation:
                return None
            if not self.is_current(reservation, workerforbuilder):
                self.give_back(brid)
                self._builder.wake()
                return None
        self.leave_lines(brid)
        return reservation

    def _take_from_elsewhere(self, reservation: Reservation) -> bool:
        # what the request itself has been granted for another worker keeps nothing from it
        elsewhere = self.with_turn_elsewhere(reservation)
        if not elsewhere or not reservation.would_do(elsewhere):
            return False
        reservation.go_before(elsewhere)
        return reservation.take()

    def _refuse(self, reservation: Reservation, brid: int, worker: str) -> None:
        # What is the same on every worker is held while the user is asked about the next one: else
        # it would go to and fro.
        self._builder.refusals.refuse(brid, worker)
        if reservation.worker is not None and self.held(brid) is reservation:
            self.give_back_refused(brid)

    def give_back_refused(self, brid: int) -> None:
        """Give back what a request holds, to the one of its builder that has lent it if so."""
        reservation = self.held(brid)
        if reservation is None:
            return
        lender = reservation.lender
        if lender is not None and self._is_pending(lender):
            self.return_to_lender(reservation)
        else:
            self.give_back(brid)

    def is_current(
        self, reservation: Reservation, workerforbuilder: AbstractWorkerForBuilder
    ) -> bool:
        """Tell whether a reservation is of what a build on a worker needs since the last reconfig.

        :returns: a bool. It is False if the worker has been lost.
        """
        worker = workerforbuilder.worker
        if worker is None:
            return False
        # by identity, for a renderable's == may say anything
        is_of_config = reservation.access is self._config.locks
        return is_of_config and reservation.of_worker == worker.locks

    def _is_pending(self, buildrequest: BuildRequest) -> bool:
        # else it was cancelled, or taken by another master, while something was being found out
        return self._builder.inbox.is_pending(buildrequest.id)

    def _whose_turn(self, reservation: Reservation) -> Reservation:
        # which of its requests it is whose turn has come, the user decides
        if not self._config.nextBuild or reservation.has_turn or reservation.holds:
            return reservation
        return self.first_of_its_like(reservation)

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
        self.keep(reservation)
        owner = self._whose_turn(reservation)
        if not owner.holds and not self._are_free(owner, reservation.wanted):
            reservation.take()
            self._tell_log(reservation)

    def _tell_log(self, reservation: Reservation) -> None:
        if reservation.stands_in_line:
            if reservation.log is None:
                reservation.log = self._logs.setdefault(reservation.request, LockLog())
            now = self._builder.master.reactor.seconds()
            reservation.log.waits(reservation.lock_name(), reservation.claims, now)

    def reserve_to_fail(
        self, workers: list[AbstractWorkerForBuilder], buildrequest: BuildRequest
    ) -> AbstractWorkerForBuilder | None:
        """Let a request that can never start be built, if only to fail and say why.

        :param workers: idle workers, on each of which ``reserve`` has been tried.
        :returns: one of them on which the build is to begin; None if the request can still start.
        """
        names = {w.worker.workername: w for w in workers if w.worker is not None}
        of_builder = self._config.workernames
        reservation = self.hopeless(buildrequest.id, names, of_builder)
        if reservation is None:
            return None
        self.hold(reservation)
        self.leave_lines(buildrequest.id)
        fitting = [w for w in names.values() if self.is_current(reservation, w)]
        return names.get(reservation.worker) or (fitting or workers)[0]

    def give_back_unused(self, granted: list[Reservation]) -> None:
        """Give back what is held, and what was granted before and has not been used.

        Their requests are left alone until something has changed: with what is given back another
        one may come and go, and so on.
        """
        for reservation in self._unused(granted):
            self._builder.refusals.refuse(reservation.request.id, reservation.worker)
        super().give_back_unused(granted)

    def waits(self, brid: int) -> bool:
        """Tell whether a pending request waits in line, and there is no worker to be tried yet."""
        if not self.is_in_line(brid) or self.has_turn_of(brid):
            return False
        if self.waits_everywhere(brid):
            return True
        known = self.waits_on(brid)
        return bool(known) and not any(
            worker.worker.workername not in known and is_idle(worker)
            for worker in self._builder.workers
            if worker.worker is not None
        )

    def drop_without_worker(self) -> None:
        """Let those leave the line for which there is no idle worker any more."""
        if not self._builder.has_idle_worker():
            self.leave_without_worker(set())
        elif self.depend_on_worker():
            self.leave_without_worker(self._idle_workers())

    def _idle_workers(self) -> set[str]:
        workers = self._builder.getAvailableWorkers()
        return {w.worker.workername for w in workers if w.worker is not None}

    @defer.inlineCallbacks
    def _find_reservation(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequest: BuildRequest
    ) -> Any:
        # the one that there is, or a new one, with the claims that it should have now
        builder, props, worker = self._builder, None, workerforbuilder.worker
        if worker is None:
            return None  # its connection was lost in the meantime
        if worker.builds_may_be_incompatible:
            props = yield builder._setup_props_if_needed(props, workerforbuilder, buildrequest)
            is_compatible = yield builder.questions.ask(
                f'a renderable of worker {worker.name!r}', worker.isCompatibleWithBuild, props
            )
            if not is_compatible:
                return None
        config_version, access = builder.config_version, self._config.locks
        why_never = None
        of_builder: Claims = []
        try:
            of_builder = yield builder.questions.ask(
                'a renderable of its locks',
                builder._find_claims,
                workerforbuilder,
                buildrequest,
                props,
            )
        except defer.CancelledError:
            return None
        except SQLAlchemyError:
            raise  # it may be over by the next time
        except Exception as e:
            why_never = Failure()
            if workerforbuilder.worker is not None and builder.running:
                log.err(e, f'builder {builder.name!r}: locks of {buildrequest}')
        parent = None
        of_worker = getattr(worker, 'locks', [])  # a stand-in for a worker may have none
        if of_builder or of_worker:
            parent = yield self.find_parent(buildrequest)
        if workerforbuilder.worker is None or not builder.running:
            return None
        brid = getattr(buildrequest, 'id', None)  # a stand-in for a request may have none
        if builder.config_version != config_version or not builder.inbox.is_pending(brid):
            return None
        is_special = of_worker or worker.builds_may_be_incompatible
        # else whichever worker it is does not matter
        name = worker.workername if is_special or self._depends_on_worker() else None
        reservation = self.find(brid, name)
        if (
            reservation is not None
            and not reservation.holds
            and not reservation.stands_for(buildrequest, parent)
        ):
            reservation.give_back()
            reservation = None
        if reservation is None:
            reservation = Reservation(
                buildrequest, builder.name, name, parent, builder.wake_granted
            )
        reservation.access = access
        reservation.of_builder = of_builder
        reservation.of_worker = of_worker
        reservation.wanted = together(of_builder, of_worker)
        reservation.why_never = why_never
        return reservation

    @defer.inlineCallbacks
    def find_parent(self, buildrequest: BuildRequest) -> Any:
        """Find the step of a build on this master that triggered a request and waits for it.

        :returns: Deferred of the owner of locks that its build is nested in, or of None.
        """
        if not getattr(buildrequest, 'waitedFor', False):
            return None
        builder = self._builder
        buildset = yield builder.master.data.get(('buildsets', str(buildrequest.bsid)))
        running = yield RunningBuilds.getService(builder.botmaster)
        for build in running.builds:
            if buildset and build.buildid == buildset['parent_buildid']:
                return build.lock_owner_of(buildrequest.id, builder.name)
        return None

    def _depends_on_worker(self) -> bool:
        locks = self._config.locks
        return self._names_lock_of(WorkerLock) or must_be_rendered(locks)

    def groups_need_requests(self) -> bool:
        """Tell whether what locks a request wants depends on the request."""
        locks = self._config.locks
        return self._names_lock_of(BranchLock) and not must_be_rendered(locks)

    def _names_lock_of(self, kind: type) -> bool:
        locks = self._config.locks
        return not IRenderable.providedBy(locks) and any(isinstance(i, kind) for i in ids_of(locks))

    def group_of(self, brdict: dict[str, Any], request: BuildRequest | None) -> Hashable:
        """Return what is the same for requests of this builder that want the same locks.

        :param brdict: the build request, as the data API gives it.
        :param request: what it was made to, if ``groups_need_requests``.
        """
        if brdict['waited_for'] or must_be_rendered(self._config.locks):
            return brdict['buildrequestid']  # it may have a parent, or locks of its own
        if request is None or not self.groups_need_requests():
            return None
        sources = request.mergeSourceStampsWith([])
        return tuple(sorted((s.codebase or '', s.branch or '') for s in sources))
