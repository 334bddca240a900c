# SPDX-License-Identifier: GPL-2.0-only
"""New: the reservations of one builder's requests, those that wait and those that hold."""

from __future__ import annotations

from typing import Iterable
from typing import Iterator

from buildbot.process.reservation import Reservation


class Reservations:
    """The reservations of the requests of one builder.

    There is one for each request that has been looked at and may not start yet; or one for each
    idle worker, if the locks it needs depend on which worker it is.
    """

    def __init__(self) -> None:
        # by id of the build request, and by name of the worker, or None if that does not matter
        self._known: dict[int, dict[str | None, Reservation]] = {}

    def __iter__(self) -> Iterator[Reservation]:
        return iter([r for known in self._known.values() for r in known.values()])

    def __bool__(self) -> bool:
        return bool(self._known)

    def find(self, brid: int, worker: str | None) -> Reservation | None:
        return self._known.get(brid, {}).get(worker)

    def keep(self, reservation: Reservation) -> None:
        self._known.setdefault(reservation.request.id, {})[reservation.worker] = reservation

    def ready(self, brid: int) -> Reservation | None:
        """Return the one with which a build of the request can begin; None if there is none."""
        known = self._known.get(brid, {}).values()
        return next((reservation for reservation in known if reservation.is_ready), None)

    def waits_everywhere(self, brid: int) -> bool:
        """Tell whether a request waits for locks that it needs on whatever worker."""
        reservation = self.find(brid, None)
        return reservation is not None and reservation.waits

    def waits(self, brid: int, idle: Iterable[str]) -> bool:
        """Tell whether a request waits, with each idle worker that it could be built on.

        :param idle: names of the idle workers of the builder.
        """
        known = self._known.get(brid)
        if not known or not all(reservation.waits for reservation in known.values()):
            return False
        return None in known or all(worker in known for worker in idle)

    def let_go_first(self, reservation: Reservation) -> None:
        """Exchange the places of a request and of one that wants the same, whose turn has come."""
        for other in self.granted():
            is_alike = (other.worker, other.wanted) == (reservation.worker, reservation.wanted)
            if is_alike and other.lock_parent is None is reservation.lock_parent:
                other.request, reservation.request = reservation.request, other.request
                self.keep(other)
                self.keep(reservation)
                return

    def granted(self) -> list[Reservation]:
        """Return those that have been told that it is their turn."""
        return [reservation for reservation in self if reservation.is_granted]

    def give_back_unused(self, granted: list[Reservation]) -> None:
        """Give back what is held, and what was granted before and has not been used."""
        for reservation in self:
            if reservation.holds or any(reservation is other for other in granted):
                self._drop(reservation)

    def give_back(self, brid: int) -> None:
        """Give back what a request holds; where it waits it stays in line."""
        for reservation in list(self._known.get(brid, {}).values()):
            if not reservation.waits:
                self._drop(reservation)

    def leave_lines(self, brid: int) -> None:
        """Let a request that is pending no longer leave all lines; it keeps what is ready."""
        for reservation in list(self._known.get(brid, {}).values()):
            if not reservation.is_ready:
                self._drop(reservation)

    def leave_all_lines(self) -> None:
        """Let all leave the line; what is held is kept."""
        for reservation in self:
            if not reservation.holds:
                self._drop(reservation)

    def leave_without_worker(self, idle: set[str]) -> None:
        """Let those leave the line that could not start anyway, for they hold nothing back.

        :param idle: names of the idle workers of the builder.
        """
        for reservation in self:
            worker = reservation.worker
            if not reservation.holds and (worker not in idle if worker is not None else not idle):
                self._drop(reservation)

    def clear(self) -> None:
        """Give back and leave all."""
        for reservation in self:
            self._drop(reservation)

    def _drop(self, reservation: Reservation) -> None:
        known = self._known[reservation.request.id]
        del known[reservation.worker]
        if not known:
            del self._known[reservation.request.id]
        reservation.give_back()
