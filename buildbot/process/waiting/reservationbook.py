# SPDX-License-Identifier: GPL-2.0-only
"""New: the reservations of one builder: those in line, and those about to become a build."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Callable
from typing import Collection
from typing import Iterable
from typing import Iterator
from typing import Sequence

from buildbot.process.waiting.reservation import Reservation

if TYPE_CHECKING:
    from buildbot.locking.copy import BaseLock
    from buildbot.process.buildrequest import BuildRequest


class ReservationBook:
    """The reservations of one builder, in line or held. It does not make them or choose among them.

    A waiting request has one reservation in line, or one for each idle worker if its locks depend
    on the worker. A held reservation belongs to a build that is about to start. It ends when the
    build adopts it or when it is given back.

    :ivar quiet_until: the time, in seconds, until which no worker is known to be of use to any
        request; 0 if that is unknown, and again as soon as a reservation leaves the line.
    """

    def __init__(self) -> None:
        # by id of the build request, then by name of the worker; None if the worker does not matter
        self._in_line: dict[int, dict[str | None, Reservation]] = {}
        self._held: dict[int, Reservation] = {}
        self.quiet_until = 0.0

    def __iter__(self) -> Iterator[Reservation]:
        return iter([*self.all_in_line(), *self._held.values()])

    def __bool__(self) -> bool:
        return bool(self._in_line or self._held)

    def find(self, brid: int, worker: str | None) -> Reservation | None:
        """Return the reservation of a request for a worker, held or in line; or None."""
        held = self._held.get(brid)
        if held is not None and held.worker == worker:
            return held
        return self._in_line.get(brid, {}).get(worker)

    def keep(self, reservation: Reservation) -> None:
        """Put a reservation in line."""
        self._in_line.setdefault(reservation.request.id, {})[reservation.worker] = reservation

    def in_line(self, brid: int) -> list[Reservation]:
        """Return a request's reservations in line."""
        return list(self._in_line.get(brid, {}).values())

    def hold(self, reservation: Reservation) -> None:
        """Move a reservation from the line to the held ones."""
        self._forget(reservation)
        self._held[reservation.request.id] = reservation

    def held(self, brid: int) -> Reservation | None:
        """Return the held reservation of a request, or None."""
        return self._held.get(brid)

    def all_in_line(self) -> list[Reservation]:
        """Return all reservations in line."""
        return [r for known in self._in_line.values() for r in known.values()]

    def is_in_line(self, brid: int) -> bool:
        """Tell whether a request has a reservation in line."""
        return brid in self._in_line

    def has_turn(self, brid: int) -> bool:
        """Tell whether one of a request's reservations in line has been granted its locks."""
        for reservation in self._in_line.get(brid, {}).values():
            if reservation.holds:
                return True
        return False

    def waits_everywhere(self, brid: int) -> bool:
        """Tell whether a request waits for locks that are the same on each worker."""
        reservation = self._in_line.get(brid, {}).get(None)
        return reservation is not None and reservation.waits

    def waits_for_no_worker(self, brid: int) -> bool:
        """Tell whether everything that a request waits for is the same on each worker."""
        known = self._in_line.get(brid, {})
        return len(known) == 1 and self.waits_everywhere(brid)

    def waits_on(self, brid: int) -> Collection[str | None]:
        """Return the workers for which a request has a waiting reservation.

        :returns: names of the workers; empty if any of the reservations does not wait.
        """
        known = self._in_line.get(brid, {})
        for reservation in known.values():
            if not reservation.waits:
                return ()
        return known

    def hopeless(
        self, brid: int, idle: Iterable[str], workers: Iterable[str]
    ) -> Reservation | None:
        """Return a reservation that says why a request can never start; None if it may still start.

        :param idle: names of the idle workers of the builder.
        :param workers: names of all workers of the builder.
        """
        known = self._in_line.get(brid)
        if not known or not all(reservation.why_never for reservation in known.values()):
            return None
        # the build begins on an idle worker, so the reason must be that of an idle worker
        here = [known.get(worker, known.get(None)) for worker in idle]
        if not here or None in here:
            return None
        if None in known or known.keys() >= set(workers):
            return here[0]
        # a busy worker may have more units; any other reason applies to it as well
        return next((r for r in here if r and not r.has_too_few), None)

    def first_of_its_like(self, reservation: Reservation) -> Reservation:
        """Return a granted reservation with the same demand, or this one if there is none."""
        for other in self.granted():
            is_alike = (other.worker, other.wanted) == (reservation.worker, reservation.wanted)
            if is_alike and other.lock_parent is None is reservation.lock_parent:
                return other
        return reservation

    def lend(self, reservation: Reservation, request: BuildRequest) -> None:
        """Give a reservation to another request; its former request needs a new one."""
        self._forget(reservation)
        reservation.lender, reservation.request = reservation.request, request
        reservation.lock_log = None  # the lender keeps its log, since it still waits

    def return_to_lender(self, reservation: Reservation) -> None:
        """Put a lent reservation that is held back in the line, for the request that lent it."""
        self._held.pop(reservation.request.id, None)
        assert reservation.lender is not None
        reservation.request, reservation.lender = reservation.lender, None
        reservation.lock_log = None
        self.keep(reservation)

    def granted(self) -> list[Reservation]:
        """Return the reservations in line that have been granted their locks."""
        return [reservation for reservation in self.all_in_line() if reservation.holds]

    def granted_elsewhere(self, reservation: Reservation) -> list[Reservation]:
        """Return the same request's granted reservations for other workers."""
        known = self._in_line.get(reservation.request.id, {})
        return [r for r in known.values() if r is not reservation and r.holds]

    def locks_of_granted(self) -> set[BaseLock]:
        """Return the locks of all granted reservations."""
        return {lock for reservation in self.granted() for lock, _ in reservation.asked}

    def wait_for_any(self, locks: set[BaseLock]) -> bool:
        """Tell whether a reservation in line claims one of these locks."""
        claimed = (r.asked for r in self.all_in_line() if r.claim)
        return any(not locks.isdisjoint(lock for lock, _ in asked) for asked in claimed)

    def go_before(self, books: Sequence[ReservationBook]) -> None:
        """Give waiting reservations in this book locks that others hold and no build uses yet.

        :param books: the books of the builders that come after this one in the user's order, in
            that order. Some of their reservations may have to wait again.
        """
        # a held one is about to become a build, which would run without its locks
        behind = {reservation: book for book in books for reservation in book.all_in_line()}
        for reservation in self if behind else ():
            if not reservation.may_go_before:
                continue
            rivals = [r for r in behind if r.lock_place and reservation.shares_lock_with(r)]
            giving: list[Reservation] = []
            for other in reversed(rivals):
                if other.holds:
                    giving.append(other)
                    if reservation.would_do(giving):
                        first = min(rivals, key=lambda rival: rival.lock_place)
                        reservation.go_before(giving, first)
                        for each in giving:
                            behind[each].note_wait(each)
                        self.note_wait(reservation)
                        break

    def note_wait(self, reservation: Reservation) -> None:
        """Take note that a reservation may have begun to wait, perhaps not for the first time."""

    def give_back_unused(self, granted: list[Reservation]) -> None:
        """End the held reservations, and the reservations in ``granted`` that no build adopted."""
        for brid in list(self._held):
            self.give_back(brid)
        for reservation in self._unused(granted):
            self._drop(reservation)

    def _unused(self, granted: list[Reservation]) -> list[Reservation]:
        return [r for r in self.granted() if any(r is other for other in granted)]

    def give_back(self, brid: int) -> None:
        """End a request's held reservation; reservations in line stay."""
        reservation = self._held.pop(brid, None)
        if reservation is not None:
            reservation.give_back()

    def leave_lines(self, brid: int) -> None:
        """End a request's reservations in line; a held one stays."""
        for reservation in list(self._in_line.get(brid, {}).values()):
            self._drop(reservation)

    def leave_all_lines(self) -> None:
        """End all reservations in line; held ones stay."""
        for brid in list(self._in_line):
            self.leave_lines(brid)

    def leave_without_claim(self) -> None:
        """End the reservations in line that neither wait for their locks nor have them."""
        for reservation in self.all_in_line():
            if reservation.claim is None:
                self._drop(reservation)

    def leave_lines_if(self, may_leave: Callable[[BuildRequest], bool]) -> None:
        """End the reservations in line of those requests that may leave."""
        for reservation in list(self):
            if may_leave(reservation.request):
                self.leave_lines(reservation.request.id)

    def depend_on_worker(self) -> bool:
        """Tell whether any reservation in line is for a particular worker."""
        for known in self._in_line.values():
            if None not in known or len(known) > 1:
                return True
        return False

    def leave_without_worker(
        self, idle: set[str], lent: Callable[[int], set[str]] = lambda brid: set()
    ) -> None:
        """End the reservations in line for whose build no worker is idle.

        :param idle: names of the idle workers of the builder.
        :param lent: takes the id of a request and returns the names of workers that are idle for
            that request only.
        """
        for brid, known in list(self._in_line.items()):
            usable = idle | lent(brid)
            for worker, reservation in list(known.items()):
                if not (worker in usable if worker is not None else usable):
                    if reservation.why_never is None:
                        self._drop(reservation)

    def clear(self) -> None:
        """End all reservations."""
        self.leave_all_lines()
        self.give_back_unused([])

    def _drop(self, reservation: Reservation) -> None:
        self._forget(reservation)
        reservation.give_back()

    def _forget(self, reservation: Reservation) -> None:
        self.quiet_until = 0.0
        known = self._in_line.get(reservation.request.id, {})
        if known.get(reservation.worker) is reservation:
            del known[reservation.worker]
            if not known:
                del self._in_line[reservation.request.id]
