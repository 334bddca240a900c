# SPDX-License-Identifier: GPL-2.0-only
"""New: which requests of one builder wait with a reservation, and which hold with one."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Callable
from typing import Iterable
from typing import Iterator

from buildbot.process.waiting.reservation import Reservation

if TYPE_CHECKING:
    from buildbot.locking.copy import BaseLock
    from buildbot.process.buildrequest import BuildRequest


class ReservationBook:
    """The reservations of the requests of one builder, as they are.

    There is one for each request that has been looked at and may not start yet; or one for each
    idle worker, if the locks it needs depend on which worker it is. With one of them a build is
    about to start: it is held until the build takes it over, or it is given back.
    """

    def __init__(self) -> None:
        # by id of the build request, and by name of the worker, or None if that does not matter
        self._in_line: dict[int, dict[str | None, Reservation]] = {}
        self._held: dict[int, Reservation] = {}

    def __iter__(self) -> Iterator[Reservation]:
        in_line = [r for known in self._in_line.values() for r in known.values()]
        return iter([*in_line, *self._held.values()])

    def __bool__(self) -> bool:
        return bool(self._in_line or self._held)

    def find(self, brid: int, worker: str | None) -> Reservation | None:
        """Return what a request waits or holds with, for this worker."""
        held = self._held.get(brid)
        if held is not None and held.worker == worker:
            return held
        return self._in_line.get(brid, {}).get(worker)

    def keep(self, reservation: Reservation) -> None:
        """Keep the one with which a request waits."""
        self._in_line.setdefault(reservation.request.id, {})[reservation.worker] = reservation

    def hold(self, reservation: Reservation) -> None:
        """Keep the one with which a build is about to start."""
        self._forget(reservation)
        self._held[reservation.request.id] = reservation

    def held(self, brid: int) -> Reservation | None:
        """Return the one with which a build of the request is about to start, or None."""
        return self._held.get(brid)

    def is_in_line(self, brid: int) -> bool:
        """Tell whether there is anything that a request waits with."""
        return brid in self._in_line

    def has_turn(self, brid: int) -> bool:
        """Tell whether a request holds what it waited for, for any worker."""
        return any(reservation.holds for reservation in self._in_line.get(brid, {}).values())

    def waits_everywhere(self, brid: int) -> bool:
        """Tell whether a request waits for locks that it needs on whatever worker."""
        reservation = self._in_line.get(brid, {}).get(None)
        return reservation is not None and reservation.waits

    def waits_on(self, brid: int, idle: Iterable[str]) -> bool:
        """Tell whether a request waits for what it needs on each of some workers.

        :param idle: names of the idle workers of the builder.
        """
        known = self._in_line.get(brid)
        if not known or not all(reservation.waits for reservation in known.values()):
            return False
        return all(worker in known for worker in idle)

    def hopeless(
        self, brid: int, idle: Iterable[str], workers: Iterable[str]
    ) -> Reservation | None:
        """Return one that knows why a request can never start, if it cannot on any worker.

        :param idle: names of the idle workers of the builder.
        :param workers: names of all workers of the builder.
        """
        known = self._in_line.get(brid)
        if not known or not all(reservation.why_never for reservation in known.values()):
            return None
        # the build begins on an idle worker, so the reason is to be that of one of these
        here = [known.get(worker, known.get(None)) for worker in idle]
        if not here or None in here:
            return None
        if None in known or known.keys() >= set(workers):
            return here[0]
        # another worker may have more units, but it does not help against other reasons
        return next((r for r in here if r and not r.has_too_few), None)

    def first_of_its_like(self, reservation: Reservation) -> Reservation:
        """Return one that wants the same and whose turn has come; if there is none, this one."""
        for other in self.granted():
            is_alike = (other.worker, other.wanted) == (reservation.worker, reservation.wanted)
            if is_alike and other.lock_parent is None is reservation.lock_parent:
                return other
        return reservation

    def lend(self, reservation: Reservation, request: BuildRequest) -> None:
        """Let another request have what one waits with; the lender has to ask for its own anew."""
        self._forget(reservation)
        reservation.lender, reservation.request = reservation.request, request

    def return_to_lender(self, reservation: Reservation) -> None:
        """Give back what was lent, and is held, to the request that it was of."""
        self._held.pop(reservation.request.id, None)
        assert reservation.lender is not None
        reservation.request, reservation.lender = reservation.lender, None
        self.keep(reservation)

    def granted(self) -> list[Reservation]:
        """Return those that hold what they waited for, and with which nothing begins yet."""
        return [r for known in self._in_line.values() for r in known.values() if r.holds]

    def granted_elsewhere(self, reservation: Reservation) -> list[Reservation]:
        """Return those of the same request, for other workers, that hold it."""
        brid = getattr(reservation.request, 'id', None)  # a stand-in for a request may have none
        known = self._in_line.get(brid, {}) if brid is not None else {}
        return [r for r in known.values() if r is not reservation and r.holds]

    def locks_of_granted(self) -> set[BaseLock]:
        """Return the locks of those that hold what they waited for."""
        return {lock for reservation in self.granted() for lock, _ in reservation.asked}

    def wait_for_any(self, locks: set[BaseLock]) -> bool:
        """Tell whether some wait for one of these locks, or hold one that they have not used."""
        in_line = (r for known in self._in_line.values() for r in known.values() if r.claim)
        return any(not locks.isdisjoint(lock for lock, _ in r.asked) for r in in_line)

    def go_before(self, behind: list[Reservation]) -> None:
        """Let those who wait have what others have been granted, and have not used.

        :param behind: reservations of other builders, those first that are to have their turn
            first; some may wait again then.
        """
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
                        break

    def give_back_unused(self, granted: list[Reservation]) -> None:
        """Give back what is held, and what was granted before and has not been used."""
        for brid in list(self._held):
            self.give_back(brid)
        for reservation in self._unused(granted):
            self._drop(reservation)

    def _unused(self, granted: list[Reservation]) -> list[Reservation]:
        return [r for r in self.granted() if any(r is other for other in granted)]

    def give_back(self, brid: int) -> None:
        """Give back what a request holds; where it waits it stays in line."""
        reservation = self._held.pop(brid, None)
        if reservation is not None:
            reservation.give_back()

    def leave_lines(self, brid: int) -> None:
        """Let a request leave all lines; what it holds is kept."""
        for reservation in list(self._in_line.get(brid, {}).values()):
            self._drop(reservation)

    def leave_all_lines(self) -> None:
        """Let all leave the line; what is held is kept."""
        for brid in list(self._in_line):
            self.leave_lines(brid)

    def leave_lines_if(self, may_leave: Callable[[BuildRequest], bool]) -> None:
        """Let some of the requests leave all lines.

        :param may_leave: tells of a request whether it is one of them.
        """
        for reservation in list(self):
            if may_leave(reservation.request):
                self.leave_lines(reservation.request.id)

    def depend_on_worker(self) -> bool:
        """Tell whether some wait for what they need on one worker."""
        return any(known.keys() != {None} for known in self._in_line.values())

    def leave_without_worker(self, idle: set[str]) -> None:
        """Let those leave the line that could not start anyway, for they hold nothing back.

        :param idle: names of the idle workers of the builder.
        """
        for known in list(self._in_line.values()):
            for worker, reservation in list(known.items()):
                if not (worker in idle if worker is not None else idle):
                    if reservation.why_never is None:
                        self._drop(reservation)

    def clear(self) -> None:
        """Give back and leave all."""
        self.leave_all_lines()
        self.give_back_unused([])

    def _drop(self, reservation: Reservation) -> None:
        self._forget(reservation)
        reservation.give_back()

    def _forget(self, reservation: Reservation) -> None:
        known = self._in_line.get(reservation.request.id, {})
        if known.get(reservation.worker) is reservation:
            del known[reservation.worker]
            if not known:
                del self._in_line[reservation.request.id]
