# SPDX-License-Identifier: GPL-2.0-only
"""New: which requests of a builder have waited for their locks longer than the locks allow."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from twisted.python.failure import Failure

from buildbot.locking.copy import LockError
from buildbot.process.limits import MAX_WAIT
from buildbot.process.limits import Limit
from buildbot.process.limits import all_due
from buildbot.process.limits import tell_long_wait
from buildbot.process.limits import why_not_longer

if TYPE_CHECKING:
    from buildbot.process.limits import Due
    from buildbot.process.waiting.reservation import Reservation


class WaitLimits:
    """Limits how long the requests of one builder wait. It does not end a wait itself.

    The time that a request spends out of the line counts, too, if it comes back. A request gives up
    when each of its reservations lacks a lock that it has waited too long for.

    :param clock: returns the master's reactor.
    :param in_line: takes the id of a request and returns its reservations in line.
    :param give_up: called with the id of a request that must stop waiting.
    """

    def __init__(
        self,
        clock: Callable[[], Any],
        in_line: Callable[[int], list[Reservation]],
        give_up: Callable[[int], Any],
    ) -> None:
        self._clock = clock
        self._in_line = in_line
        self._give_up = give_up
        # by id of the build request: the names of the locks whose long wait was reported
        self._told: dict[int, set[str]] = {}
        self._gave_up: dict[int, Failure] = {}

    def why_gave_up(self, brid: int | None) -> Failure | None:
        """Return why a request gave up; None if it may still wait."""
        return None if brid is None else self._gave_up.get(brid)

    def begin(self, reservation: Reservation, since: float) -> None:
        """Limit the wait of a reservation in line, if it has no limit yet.

        :param since: when the request began to wait, in seconds.
        """
        if reservation.limit is None:
            copies = (copy for copy, access in reservation.asked if access.count)
            due = all_due(MAX_WAIT, copies, since)
            if due:
                is_over = partial(self._is_over, reservation)
                reservation.limit = Limit(self._clock(), due, is_over)

    def _is_over(self, reservation: Reservation, due: Due) -> bool:
        claim = reservation.claim
        if claim is None or not claim.waiting:
            return False  # it has been granted its locks, and its builder is about to be woken
        if due.copy not in claim.refused():
            return True
        brid = reservation.request.id
        told = self._told.setdefault(brid, set())
        if due.copy.lockName not in told:
            told.add(due.copy.lockName)
            tell_long_wait(reservation, due)
        if due.fails:
            reservation.too_long = due
            self._judge(brid)
        return False

    def judge_all(self) -> None:
        """Let requests give up that waited for more until now, since reservations left the line."""
        for brid in list(self._told):
            self._judge(brid)

    def _judge(self, brid: int) -> None:
        in_line = self._in_line(brid)
        dues = [self._lacked_too_long(reservation) for reservation in in_line]
        if dues and dues[-1] is not None and None not in dues:
            self._gave_up[brid] = Failure(LockError(why_not_longer(in_line[-1], dues[-1])))
            self._give_up(brid)

    def _lacked_too_long(self, reservation: Reservation) -> Due | None:
        claim, due = reservation.claim, reservation.too_long
        if due is None or claim is None or not claim.waiting or due.copy not in claim.refused():
            return None
        return due

    def forget(self, brid: int) -> None:
        """Forget a request that no longer waits."""
        self._told.pop(brid, None)
        self._gave_up.pop(brid, None)

    def clear(self) -> None:
        """Forget all requests."""
        self._told.clear()
        self._gave_up.clear()
