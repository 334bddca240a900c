# SPDX-License-Identifier: GPL-2.0-only
"""New: one build request's claim of its locks, before it has a build."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from twisted.python.failure import Failure

from buildbot.locking.copy import CircleError
from buildbot.locking.copy import LockClaim
from buildbot.locking.copy import LockError
from buildbot.locking.copy import UnitsError
from buildbot.locking.copy import would_do
from buildbot.locking.owner import name_of_request
from buildbot.locks import LockOwner
from buildbot.process.lockfacts import Facts
from buildbot.process.lockfacts import first_branch
from buildbot.process.locks import together
from buildbot.process.waiting.firstrelease import FirstRelease

if TYPE_CHECKING:
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.limits import Due
    from buildbot.process.limits import Limit
    from buildbot.process.locklog import LockLog
    from buildbot.process.locks import Demand
    from buildbot.process.locks import Resolved


class Reservation(LockOwner):
    """The owner of the locks of a build request, until the build adopts the claim.

    It waits in line while some worker is idle. It reserves locks only, never a worker.

    :param request: the build request; the claim has its priority and age.
    :param builder_name: name of the request's builder.
    :param resolved: the locks that the build needs.
    :param wake: called without arguments when it may be the request's turn.
    :param wait_of: takes the id of a request and returns its wait, which includes this reservation;
        None makes each claim a wait of its own.
    :ivar lender: the request that has lent this reservation to ``request``, or None.
    :ivar resolved: the locks that the build needs, as last resolved.
    :ivar asked: the demand of the claim.
    :ivar claim: the claim, or None.
    :ivar lock_log: logs the wait; None before the reservation has waited or held.
    :ivar limit: the limit of the wait; None while it does not wait.
    :ivar too_long: the limit of its wait that was reached, so that the request must fail, unless
        the request waits for another reservation; or None.
    :ivar why_never: why it can never have its locks; a Failure, or None.
    """

    def __init__(
        self,
        request: BuildRequest,
        builder_name: str,
        resolved: Resolved,
        wake: Callable[[], Any],
        wait_of: Callable[[int], Any] | None = None,
    ) -> None:
        self.request = request
        self._wait_of = wait_of
        self.lender: BuildRequest | None = None
        self.builder_name = builder_name
        self.lock_parent = resolved.around
        self.lock_priority = request.priority
        self.lock_age = request.submittedAt
        # a request that nobody waits for leaves the line rather than let a step fail
        self.lock_may_yield = resolved.around is None
        self.resolved = resolved
        self.asked: Demand = []
        self.claim: LockClaim | None = None
        self.lock_log: LockLog | None = None
        self.limit: Limit | None = None
        self.too_long: Due | None = None
        self.why_never: Failure | None = None
        self._went_in_vain = False
        self._wake = wake
        self._first_release = FirstRelease(wake)

    @property
    def lock_choice(self) -> Any:
        """The id of the request, whose claims for several workers do not block each other."""
        return self.request.id

    @property
    def lock_wait(self) -> Any:
        """The wait of the request, which may have claims for several workers; or None."""
        return None if self._wait_of is None else self._wait_of(self.request.id)

    def lock_name(self) -> str:
        return name_of_request(self.request.id, self.builder_name)

    def lock_facts(self) -> Facts:
        """Return the facts about the request."""
        request = self.request
        branch = first_branch(request.sources.values())
        return Facts('request', self.builder_name, request.id, worker=self.worker, branch=branch)

    @property
    def worker(self) -> str | None:
        """Name of the worker whose locks are claimed; None if they are the same on each worker."""
        return self.resolved.worker

    @property
    def wanted(self) -> Demand:
        """The demand of the build: the locks of the builder and of the worker."""
        return together(self.resolved.of_builder, self.resolved.of_worker)

    def stands_for(self, request: BuildRequest, around: LockOwner | None) -> bool:
        """Tell whether the claim still has the request's present parent and priority."""
        return self.lock_parent is around and self.lock_priority == request.priority

    @property
    def waits(self) -> bool:
        """Whether it needs no look until it wakes its builder."""
        if self.why_never is not None:
            return not self.is_in_circle
        return self.stands_in_line or self.is_put_off

    @property
    def stands_in_line(self) -> bool:
        """Whether its claim waits in a queue."""
        return self.claim is not None and self.claim.waiting

    @property
    def holds(self) -> bool:
        """Whether its claim holds the locks."""
        return self.claim is not None and self.claim.holds

    @property
    def is_settled(self) -> bool:
        """Whether a build can adopt it: it holds the locks, or the build fails and says why."""
        return self.holds or self.why_never is not None

    @property
    def is_put_off(self) -> bool:
        """Whether it has left the line until one of its locks is released."""
        return self._first_release.is_awaited and self.why_never is None

    @property
    def awaited_claim(self) -> LockClaim | None:
        """The claim that has to be granted; of one that is put off, a claim as it will be."""
        if not self.is_put_off:
            return self.claim if self.stands_in_line else None
        try:
            return LockClaim(self, self.asked)
        except UnitsError:
            return None

    @property
    def has_too_few(self) -> bool:
        """Whether it can never have its locks because one of them has too few units."""
        return self.why_never is not None and bool(self.why_never.check(UnitsError))

    @property
    def is_in_circle(self) -> bool:
        """Whether it cannot have its locks because its wait would close a circle of waits."""
        return self.why_never is not None and bool(self.why_never.check(CircleError))

    def take(self) -> bool:
        """Claim the wanted locks, or wait in line for them.

        :returns: whether the reservation holds them.
        """
        if self.why_never is not None:
            return False
        wanted = self.wanted
        if wanted != self.asked:
            self.give_back()
            self.asked = wanted
        if self.claim is None and not (self.is_put_off and self.lock_may_yield):
            self._ask()
        else:
            self._wake_no_more()  # the return value tells the caller
        return self.holds

    def _wake_no_more(self) -> None:
        if self.claim is not None and self.claim.holds:
            self.claim.deferred = None

    def _ask(self, before: Reservation | None = None) -> None:
        self.give_back()
        try:
            claim = LockClaim(self, self.asked)
            if before is not None and before.claim is not None:
                claim.be_before(before.claim)
            elif claim.take_at_once():
                self.claim = claim
                return
            self.claim = claim  # needed to find a circle
            d = claim.wait()
        except CircleError:
            if self.lock_may_yield:
                wait = self.lock_wait
                if wait is not None:
                    wait.yields()  # the request's claims for other workers are in the circle, too
                self.yield_place()
            else:
                self._fails()
                self._wait_for_release()
        except LockError:
            self._fails()
        else:
            d.addBoth(self._wait_is_over, claim)

    def _fails(self) -> None:
        self.claim, self.why_never = None, Failure()

    def would_do(self, others: list[Reservation]) -> bool:
        """Tell whether its locks would be free if these other reservations gave theirs back."""
        return would_do(self, self.wanted, [other.claim for other in others if other.claim])

    @property
    def may_go_before(self) -> bool:
        """Whether it waits, and has not already gone before others without getting its locks."""
        return self.stands_in_line and not self._went_in_vain

    def go_before(self, others: list[Reservation], first: Reservation | None = None) -> None:
        """Claim locks that other reservations hold and no build uses yet; the others wait again.

        :param first: the reservation that it goes directly before in line; None stands for the
            first of the others.
        """
        self._ask(before=first or min(others, key=lambda other: other.lock_place))
        for other in others:
            other._ask()
        for each in (self, *others):
            each._wake_no_more()  # its builder gets a look next anyway
        self._went_in_vain = not self.holds  # otherwise it would try forever

    @property
    def lock_place(self) -> tuple[float, ...]:
        """The claim's present or last place in line; empty if there is none."""
        return self.claim.place if self.claim is not None else ()

    def shares_lock_with(self, other: Reservation) -> bool:
        """Tell whether both claim the same copy of a lock."""
        return not {lock for lock, _ in self.asked}.isdisjoint(lock for lock, _ in other.asked)

    def stand_in_front(self, moved_at: float | None) -> None:
        """Wait in front of all others, or return to its own place; see ``LockClaim``."""
        self.lock_moved_at = moved_at
        if self.claim is not None and self.claim.waiting:
            self.claim.stand_in_front(moved_at)

    def _end_limit(self) -> None:
        limit, self.limit = self.limit, None
        if limit is not None:
            limit.stop()
        self.too_long = None

    def _wait_is_over(self, _: Any, claim: LockClaim) -> None:
        if self.claim is claim:
            if not claim.holds:
                self.claim = None  # the next claim fails and says why
            self._wake()

    def yield_place(self) -> None:
        """Leave the line, so that others need not wait, until one of the locks is released."""
        self.give_back()
        self._wait_for_release()

    def _wait_for_release(self) -> None:
        self._first_release.wait_for(lock.subscribeToReleases for lock, _ in self.asked)

    def hand_over(self, build: LockOwner) -> LockClaim | None:
        """Make a build the owner of the claim.

        :returns: the claim, or None.
        """
        self._end_limit()
        build.take_over(self)
        claim, self.claim = self.claim, None
        return claim

    def give_back(self) -> None:
        """End the claim, whether it waits or holds. Calling it again does nothing."""
        self._first_release.forget()
        self._end_limit()
        claim, self.claim = self.claim, None
        if claim is not None:
            if claim.holds and self.lock_log is not None:
                self.lock_log.gave_back()
            claim.end()
        self.why_never = None
