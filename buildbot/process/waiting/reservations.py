# SPDX-License-Identifier: GPL-2.0-only
"""New: which request of a builder claims its locks, holds them and gives them back."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Collection
from typing import Iterable

from twisted.internet import defer

from buildbot.process.locklog import LockLog
from buildbot.process.waiting.reservation import Reservation
from buildbot.process.waiting.reservationbook import ReservationBook
from buildbot.process.waiting.waitlimits import WaitLimits

if TYPE_CHECKING:
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.locks import Demand
    from buildbot.process.locks import Resolved
    from buildbot.process.waiting.refusals import Refusals


class Reservations(ReservationBook):
    """Makes, lends and ends the reservations of one builder. It does not choose a worker.

    It knows the builder only through the callables that it is given.

    :param name: name of the builder.
    :param refusals: the requests that must not be tried now.
    :param resolve: takes an idle worker and a request; returns a Deferred of the locks that the
        build needs on that worker, or of None if it cannot start there.
    :param is_current: takes a result of ``resolve`` and a worker; returns whether it still applies.
    :param are_free: takes a demand, and its owner if the owner matters; returns whether the demand
        can be granted now.
    :param may_start: takes a worker and a request; returns a Deferred of the answer of the user's
        ``canStartBuild``.
    :param user_orders: returns whether the user's ``nextBuild`` decides which request is next.
    :param is_pending: takes the id of a request; returns whether it is still pending.
    :param is_behind: takes the ids of two requests; returns whether they are in one group, with the
        first behind the second.
    :param is_idle_but: takes names of workers and the id of a request; returns whether any other
        worker is idle for that request.
    :param wake: makes the distributor look at the builder because something has changed.
    :param wake_granted: makes it look because a request has been granted its locks.
    :param clock: returns the master's reactor.
    :param wait_of: takes the id of a request; returns its ``RequestWait``.
    """

    def __init__(
        self,
        name: str,
        refusals: Refusals,
        *,
        resolve: Callable[[Any, BuildRequest], defer.Deferred[Resolved | None]],
        is_current: Callable[[Resolved, Any], bool],
        are_free: Callable[..., bool],
        may_start: Callable[[Any, BuildRequest], Any],
        user_orders: Callable[[], bool],
        is_pending: Callable[[int], bool],
        is_behind: Callable[[int, int], bool],
        is_idle_but: Callable[[Collection[str | None], int], bool],
        wake: Callable[[], Any],
        wake_granted: Callable[[], Any],
        clock: Callable[[], Any],
        wait_of: Callable[[int], Any],
    ) -> None:
        super().__init__()
        self._name = name
        self._wait_of = wait_of
        self._refusals = refusals
        self._resolve = resolve
        self._is_current = is_current
        self._are_free = are_free
        self._may_start = may_start
        self._user_orders = user_orders
        self._is_pending = is_pending
        self._is_behind = is_behind
        self._is_idle_but = is_idle_but
        self._wake = wake
        self._wake_granted = wake_granted
        self._clock = clock
        # kept when a request leaves the line and comes back, so that its wait is logged once
        self._logs: dict[int, LockLog] = {}
        # when a person moved a request to the front
        self._moved_at: dict[int, float] = {}
        self._limits = WaitLimits(clock, self.in_line, self._give_up)

    @defer.inlineCallbacks
    def could_have_locks(self, workerforbuilder: Any, buildrequest: BuildRequest) -> Any:
        """Tell whether a build of this request could start on a worker and have its locks now.

        Nothing is claimed.

        :returns: Deferred of a bool. It is True for a request whose locks cannot be determined, so
            that its build fails and says why; otherwise the request would stay pending.
        """
        return (yield self.locks_in_use(workerforbuilder, buildrequest)) == []

    @defer.inlineCallbacks
    def locks_in_use(self, workerforbuilder: Any, buildrequest: BuildRequest) -> Any:
        """Return what ``could_have_locks`` decides by.

        :returns: Deferred of the demand of the request if not all of it is free now, or else of an
            empty list; or of None if it cannot start for another reason.
        """
        reservation = yield self._find_or_make(workerforbuilder, buildrequest)
        if reservation is None:
            return None
        if reservation.why_never is not None or not reservation.wanted:
            return []
        if self._could_hold(self._whose_turn(reservation), reservation.wanted):
            return []
        return [] if self._enough_elsewhere(reservation) else reservation.wanted

    def _could_hold(self, owner: Reservation, demand: Demand) -> bool:
        if owner.holds:
            return True
        # the answer depends on the owner only if it has a parent or an age
        is_special = owner.lock_parent is not None or owner.lock_age is not None
        return self._are_free(demand, *([owner] if is_special else []))

    @defer.inlineCallbacks
    def reserve(self, workerforbuilder: Any, buildrequest: BuildRequest) -> Any:
        """Claim the locks for a build of this request, or wait in line for them.

        Once they are held, the user's ``canStartBuild`` is asked.

        :param workerforbuilder: an idle worker that the build could run on.
        :returns: Deferred of the Reservation, which holds the locks until a build adopts its claim
            or it is given back; or of None if the build cannot start now.
        """
        own = yield self._find_or_make(workerforbuilder, buildrequest)
        if own is None:
            return None
        brid = buildrequest.id
        reservation = self._keep_in_line(own, buildrequest)
        if not (reservation.take() or self._use_grant_elsewhere(reservation)):
            self.keep(reservation)
            self.note_wait(reservation)
            return None
        self.hold(reservation)
        may_start, why = False, 'canStartBuild raised an error'
        try:
            may_start = yield self._may_start(workerforbuilder, buildrequest)
            why = 'canStartBuild said no'
        finally:
            if not may_start:
                self._refuse(reservation, brid, workerforbuilder, why)
        if not may_start or self.held(brid) is not reservation:
            return None
        is_current = self._is_current(reservation.resolved, workerforbuilder.worker)
        if not (is_current and reservation.is_settled):
            self.give_back(brid)
            self._wake()
            return None
        self.leave_lines(brid)
        return reservation

    def _keep_in_line(self, own: Reservation, buildrequest: BuildRequest) -> Reservation:
        # its own; or, if the user's nextBuild chooses requests, a granted one of another request
        reservation = self._whose_turn(own)
        if self.held(buildrequest.id) is not reservation:
            self.give_back(buildrequest.id)  # the held one was for another worker
        if reservation is own:
            self.keep(own)
        else:
            self.leave_lines(buildrequest.id)
            self.lend(reservation, buildrequest)
        return reservation

    def _use_grant_elsewhere(self, reservation: Reservation) -> bool:
        elsewhere = self._enough_elsewhere(reservation)
        if not elsewhere:
            return False
        reservation.go_before(elsewhere)
        for other in elsewhere:
            self.note_wait(other)
        return reservation.take()

    def _enough_elsewhere(self, reservation: Reservation) -> list[Reservation]:
        # a request may use the locks that it was granted for other workers
        if reservation.why_never is not None:
            return []  # the demand is not known
        elsewhere = self.granted_elsewhere(reservation)
        return elsewhere if elsewhere and reservation.would_do(elsewhere) else []

    def _refuse(self, reservation: Reservation, brid: int, workerforbuilder: Any, why: str) -> None:
        # A reservation for any worker is held while canStartBuild is asked about the next worker.
        # Otherwise the locks would pass back and forth.
        if workerforbuilder.worker is not None:
            self._refusals.refuse(brid, workerforbuilder.worker.workername, why)
        if reservation.worker is not None and self.held(brid) is reservation:
            self.give_back_refused(brid)

    def give_back_refused(self, brid: int) -> None:
        """End a request's held reservation, or return it to the request that lent it."""
        reservation = self.held(brid)
        if reservation is None:
            return
        lender = reservation.lender
        if lender is not None and self._is_pending(lender.id):
            self.return_to_lender(reservation)
        else:
            self.give_back(brid)

    def _whose_turn(self, reservation: Reservation) -> Reservation:
        # a granted reservation goes to whichever request the user's nextBuild prefers
        if not self._user_orders() or reservation.holds:
            return reservation
        return self.first_of_its_like(reservation)

    @defer.inlineCallbacks
    def stand_in_line(self, workerforbuilder: Any, buildrequest: BuildRequest) -> Any:
        """Put a request in line for its locks on a worker, unless they are free.

        If they are free, something else keeps the request from starting, and nothing is claimed.
        """
        reservation = yield self._find_or_make(workerforbuilder, buildrequest)
        if reservation is None:
            return
        self.keep(reservation)
        if not self._could_hold(self._whose_turn(reservation), reservation.wanted):
            reservation.take()
            self.note_wait(reservation)

    def note_wait(self, reservation: Reservation) -> None:
        if reservation.stands_in_line:
            log, now = self._log_of(reservation), self._now()
            log.waits(reservation, reservation.asked, now)
            self._limits.begin(reservation, now if log.waits_since is None else log.waits_since)

    def _now(self) -> float:
        return self._clock().seconds()

    def _give_up(self, brid: int) -> None:
        # the request has waited too long; its build begins only to fail and say why
        self.leave_lines(brid)
        self._wake()

    def _log_of(self, reservation: Reservation) -> LockLog:
        if reservation.lock_log is None:
            reservation.lock_log = self._logs.setdefault(reservation.request.id, LockLog())
        return reservation.lock_log

    def request_changed(self, brid: int) -> None:
        """End the reservations in line of a request that is no longer pending or has changed."""
        self.leave_lines(brid)
        if self.held(brid) is None and not self._is_pending(brid):
            self.end_wait(brid)

    def move(self, brid: int, moved_at: float | None) -> None:
        """Move a request to the front of the lines it waits in, or back to its own place.

        :param moved_at: when it is moved to the front, in seconds; None moves it back.
        """
        if moved_at is None:
            self._moved_at.pop(brid, None)
        else:
            self._moved_at[brid] = moved_at
        for reservation in self.in_line(brid):
            reservation.stand_in_front(moved_at)

    def leave_without_worker(self, *words: Any) -> None:
        super().leave_without_worker(*words)
        self._limits.judge_all()

    def end_wait(self, brid: int) -> None:
        """Note that a request no longer waits; if it got nothing, the log says that it left."""
        self._moved_at.pop(brid, None)
        self._limits.forget(brid)
        log = self._logs.pop(brid, None)
        if log is not None:
            log.left(self._now())

    def give_back(self, brid: int) -> None:
        super().give_back(brid)
        if not self._is_pending(brid):
            self.end_wait(brid)

    def clear(self) -> None:
        for log in self._logs.values():
            log.left(self._now(), lost=True)
        self._logs.clear()
        self._moved_at.clear()
        self._limits.clear()
        super().clear()

    def hold(self, reservation: Reservation) -> None:
        super().hold(reservation)
        if reservation.holds:
            self._log_of(reservation).holds(self._now())

    def reserve_to_fail(
        self, workers: list[Any], buildrequest: BuildRequest, of_builder: Iterable[str]
    ) -> Any:
        """Hold the reservation of a hopeless request, so that its build begins, fails and says why.

        :param workers: idle workers, on each of which ``reserve`` has been tried.
        :param of_builder: names of all workers of the builder.
        :returns: the idle worker for the build to begin on; None if the request can still start.
        """
        names = {w.worker.workername: w for w in workers if w.worker is not None}
        reservation = self.hopeless(buildrequest.id, names, of_builder)
        if reservation is None:
            return None
        self.hold(reservation)
        self.leave_lines(buildrequest.id)
        fitting = [w for w in names.values() if self._is_current(reservation.resolved, w.worker)]
        return names.get(reservation.worker) or (fitting or workers)[0]

    def give_back_unused(self, granted: list[Reservation]) -> None:
        """End the held reservations, and the reservations in ``granted`` that no build adopted.

        The requests of the latter are refused until something changes; otherwise the locks could
        circulate among them forever. A request that got no look, because another request of its
        group waits ahead of it, is not refused.
        """
        for reservation in self._unused(granted):
            if not self._waits_behind_another(reservation):
                why = 'it was granted its locks, and no build has used them'
                self._refusals.refuse(reservation.request.id, reservation.worker, why)
        super().give_back_unused(granted)

    def _waits_behind_another(self, reservation: Reservation) -> bool:
        brid = reservation.request.id
        return any(r.stands_in_line and self._is_behind(brid, r.request.id) for r in self)

    def waits(self, brid: int) -> bool:
        """Tell whether a request waits in line for its locks on each worker that is idle."""
        if not self.is_in_line(brid) or self.has_turn(brid):
            return False
        if self.waits_everywhere(brid):
            return True
        known = self.waits_on(brid)
        return bool(known) and not self._is_idle_but(known, brid)

    @defer.inlineCallbacks
    def _find_or_make(self, workerforbuilder: Any, buildrequest: BuildRequest) -> Any:
        # the reservation for the locks that the request needs now
        resolved = yield self._resolve(workerforbuilder, buildrequest)
        if resolved is None:
            return None
        brid = buildrequest.id
        reservation = self.find(brid, resolved.worker)
        if reservation is not None and not reservation.holds:
            if not reservation.stands_for(buildrequest, resolved.around):
                reservation.give_back()
                reservation = None
        if reservation is None:
            reservation = Reservation(
                buildrequest, self._name, resolved, self._wake_granted, self._wait_of
            )
            reservation.lock_moved_at = self._moved_at.get(brid)
        reservation.resolved = resolved
        reservation.why_never = resolved.why_never or self._limits.why_gave_up(brid)
        return reservation
