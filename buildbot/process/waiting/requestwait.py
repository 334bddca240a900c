# SPDX-License-Identifier: GPL-2.0-only
"""New: a build request's wait for its locks and a worker, with all the ways it can end."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import NamedTuple
from typing import Protocol
from typing import Sequence

from buildbot.locking.owner import key_of
from buildbot.locking.owner import name_of_request
from buildbot.locking.owner import owners_around
from buildbot.process.waiting.reservationbook import ReservationBook

if TYPE_CHECKING:
    from buildbot.locking.copy import LockClaim
    from buildbot.locking.deadlock import Need
    from buildbot.locking.owner import LockOwner
    from buildbot.process.awaited import Awaited

    class Described(Need, Protocol):
        """A need that can be put into words. It is not a wait."""

        def describe(self) -> str: ...


class Seat(NamedTuple):
    """A worker of a builder, and what a build of a request needs to start there.

    It is not a place: nobody can hold it.

    :param worker: name of the worker.
    :param needs: the taken places in the way; empty if nothing is known to be in the way.
    :param away: why the worker can take no build at all until something comes back; None if it can.
    """

    worker: str
    needs: Sequence[Described] = ()
    away: str | None = None


class RequestWaits:
    """Finds out what the requests of one builder wait for. It stores nothing.

    :param name: name of the builder.
    :param book: the builder's reservations.
    :param seats: takes the id of a request and returns a list of ``Seat``, one for each worker of
        the builder.
    :param awaited_by: takes the id of a request and returns the owner, usually a step, that waits
        for its build; None if nobody does.
    :param is_pending: takes the id of a request and returns whether it has no build, none is being
        made, and it has not been given up.
    """

    def __init__(
        self,
        name: str,
        book: ReservationBook,
        seats: Callable[[int], list[Seat]],
        awaited_by: Callable[[int], LockOwner | None],
        is_pending: Callable[[int], bool],
    ) -> None:
        self.name = name
        self.book = book
        self.seats = seats
        self.awaited_by = awaited_by
        self.is_pending = is_pending

    def of(self, brid: int) -> RequestWait:
        """Return the wait of a request."""
        return RequestWait(self, brid)


class RequestWait:
    """The wait of one request. It can end on each worker of the request's builder.

    It is not a claim: the request may have a claim for each worker, and needs only one of them.

    :param waits: the ``RequestWaits`` of the request's builder.
    :param brid: id of the request. Waits of the same request are equal.
    """

    __slots__ = ('_waits', 'brid')

    def __init__(self, waits: RequestWaits, brid: int) -> None:
        self._waits = waits
        self.brid = brid

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RequestWait) and other.brid == self.brid

    def __hash__(self) -> int:
        return hash(self.brid)

    @property
    def waiting(self) -> bool:
        return self._waits.is_pending(self.brid)

    @property
    def builder_name(self) -> str:
        """The name of its builder."""
        return self._waits.name

    @property
    def awaited_by(self) -> LockOwner | None:
        """The owner, usually a step, that waits for the request's build; None if nobody does."""
        return self._waits.awaited_by(self.brid)

    def without_builder(self, awaited: Awaited, is_pending: Callable[[int], bool]) -> RequestWait:
        """Return the wait of the same request after its builder has been removed.

        :param awaited: the requests that running builds wait for.
        :param is_pending: as in ``RequestWaits``.
        """
        name = self._waits.name
        waits = RequestWaits(
            name,
            ReservationBook(),
            seats=lambda brid: [],
            awaited_by=lambda brid: awaited.owner_around(brid, name),
            is_pending=is_pending,
        )
        return waits.of(self.brid)

    def keeps(self) -> list[Any]:
        """Return the request's reservations and the owners that wait for its build."""
        step = self.awaited_by
        around = [] if step is None else [step, *owners_around(step)]
        return [key_of(owner) for owner in (*self._waits.book.in_line(self.brid), *around)]

    def ways(self, hopeful: bool) -> list[Sequence[Any]]:
        """Return, for each worker, the locks and places that the request waits for there.

        :param hopeful: whether workers that are away count, too.
        """
        seats = self._seats()
        if hopeful and not seats:
            return [()]  # its builder has been removed, and may come back
        if self.awaited_by is None:
            hopeful = False  # it can leave the line until what is away comes back
        return [(*claims, *seat.needs) for seat, claims in seats if hopeful or seat.away is None]

    def _seats(self) -> list[tuple[Seat, list[LockClaim]]]:
        # each seat with the claims that wait for the request's locks there
        waits, brid = self._waits, self.brid
        in_line = {r.worker: r for r in waits.book.in_line(brid)}
        seats = [(s, in_line.get(s.worker, in_line.get(None))) for s in waits.seats(brid)]
        # On a worker where the request can never have its locks, its build could only fail. It does
        # not begin there while the request waits for other workers.
        hopeful = [(s, r) for s, r in seats if r is None or r.why_never is None]
        found = []
        for seat, reservation in hopeful or seats:
            claim = None if reservation is None else reservation.awaited_claim
            # without a reservation in line it is not known which locks are needed on that worker
            found.append((seat, [] if claim is None else [claim]))
        return found

    def yields(self) -> bool:
        """Leave all lines and give back what is reserved, unless somebody waits for the build.

        If somebody does, its claims only stop draining.

        :returns: whether a reservation has left a line, or stopped draining.
        """
        if self.awaited_by is not None:
            in_line = self._waits.book.in_line(self.brid)
            draining = [r.claim for r in in_line if r.claim is not None and r.claim.is_draining]
            for claim in draining:
                claim.be_patient()
            return bool(draining)
        leaving = [r for r in self._waits.book.in_line(self.brid) if r.claim and r.lock_may_yield]
        for reservation in leaving:
            reservation.give_back()
        for reservation in leaving:
            reservation.yield_place()  # only now, since it would be woken by the others' leaving
        return bool(leaving)

    def describe(self) -> str:
        """Say who waits for the request's build, and what the request waits for on each worker."""
        step = self.awaited_by
        name = name_of_request(self.brid, self._waits.name)
        whose = '' if step is None else f', for which {step.lock_name()} waits,'
        found: dict[str, None] = {}
        for seat, claims in self._seats():
            if seat.away is not None:
                found[f'worker {seat.worker}, which {seat.away}'] = None
                continue
            needs = [claim.describe_locks() for claim in claims]
            needs += [place.describe() for place in seat.needs]
            found[' and '.join(needs) or f'worker {seat.worker}'] = None
        return f'{name}{whose} waits for {", or ".join(found) or "its builder"}'
