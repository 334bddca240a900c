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
    from buildbot.process.limits import Limit
    from buildbot.process.locklog import LockLog
    from buildbot.process.locks import Demand
    from buildbot.process.locks import Resolved


class Reservation(LockOwner):
    """The owner of the locks of a build request, until its build adopts their claim.

    It waits in line while some worker is idle, and reserves locks only, no worker.

    :param request: the build request; its priority and age are those of the claim.
    :param builder_name: of the request's builder.
    :param resolved: the locks that its build needs.
    :param wake: called without arguments when it may be the request's turn.
    :param wait_of: takes the id of a request, and returns its wait, of which this is a part; None
        lets its claims be waits of their own.
    :ivar lender: the request that has lent this to ``request``, or None.
    :ivar resolved: the locks that its build needs, as last resolved.
    :ivar asked: the demand of its claim.
    :ivar claim: its claim; None while it has none.
    :ivar lock_log: logs its wait; None before it has waited or held.
    :ivar limit: the limit of its wait; None while it does not wait.
    :ivar waits_in_vain: whether it has waited so long that its request is to fail, if it waits for
        nothing else.
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
        # to wait for a request that nobody waits for is never worth the failure of a step
        self.lock_may_yield = resolved.around is None
        self.resolved = resolved
        self.asked: Demand = []
        self.claim: LockClaim | None = None
        self.lock_log: LockLog | None = None
        self.limit: Limit | None = None
        self.waits_in_vain = False
        self.why_never: Failure | None = None
        self._went_in_vain = False
        self._wake = wake
        self._first_release = FirstRelease(wake)

    @property
    def lock_choice(self) -> Any:
        """The request: its claims for several workers do not hinder each other."""
        return self.request.id

    @property
    def lock_wait(self) -> Any:
        """The wait of its request: for several workers it may have several claims."""
        return None if self._wait_of is None else self._wait_of(self.request.id)

    def lock_name(self) -> str:
        return name_of_request(self.request.id, self.builder_name)

    def lock_facts(self) -> Facts:
        """Return what is known of its request."""
        request = self.request
        branch = first_branch(request.sources.values())
        return Facts('request', self.builder_name, request.id, worker=self.worker, branch=branch)

    @property
    def worker(self) -> str | None:
        """Name of the worker whose locks it claims; None if they are the same for each worker."""
        return self.resolved.worker

    @property
    def wanted(self) -> Demand:
        """The demand of its build: the locks of the builder and of the worker."""
        return together(self.resolved.of_builder, self.resolved.of_worker)

    def stands_for(self, request: BuildRequest, around: LockOwner | None) -> bool:
        """Tell whether its claim still has the parent and the priority that the request has now."""
        return self.lock_parent is around and self.lock_priority == request.priority

    @property
    def waits(self) -> bool:
        """Whether it need not be looked at until it wakes its builder."""
        if self.why_never is not None:
            return not self.is_in_circle
        return self.stands_in_line or self.is_put_off

    @property
    def stands_in_line(self) -> bool:
        """Whether its claim waits in a queue."""
        return self.claim is not None and self.claim.waiting

    @property
    def holds(self) -> bool:
        """Whether its claim is held."""
        return self.claim is not None and self.claim.holds

    @property
    def is_put_off(self) -> bool:
        """Whether it has left the line until one of its locks is released."""
        return self._first_release.is_awaited and self.why_never is None

    @property
    def has_too_few(self) -> bool:
        """Whether it can never have its locks because one of them has too few units."""
        return self.why_never is not None and bool(self.why_never.check(UnitsError))

    @property
    def is_in_circle(self) -> bool:
        """Whether it cannot have its locks as long as others wait for one another, and for it."""
        return self.why_never is not None and bool(self.why_never.check(CircleError))

    def take(self) -> bool:
        """Claim the locks that are wanted, or wait in line for them.

        :returns: whether it holds them.
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
            self._wake_no_more()  # the caller learns of it here
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
            self.claim = claim  # by which a circle is found
            d = claim.wait()
        except CircleError:
            if self.lock_may_yield:
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
        """Tell whether its locks would be free if other reservations gave back theirs."""
        return would_do(self, self.wanted, [other.claim for other in others if other.claim])

    @property
    def may_go_before(self) -> bool:
        """Whether it waits, and has not gone before others in vain."""
        return self.stands_in_line and not self._went_in_vain

    def go_before(self, others: list[Reservation], first: Reservation | None = None) -> None:
        """Claim what other reservations hold and no build uses yet; these wait again.

        :param first: the reservation right before which it enters the line; None stands for the
            first of the others.
        """
        self._ask(before=first or min(others, key=lambda other: other.lock_place))
        for other in others:
            other._ask()
        for each in (self, *others):
            each._wake_no_more()  # its builder is looked at next anyway
        self._went_in_vain = not self.holds  # else it would try for ever

    @property
    def lock_place(self) -> tuple[float, ...]:
        """Its place in line, or the last one that it had; empty if it never had one."""
        return self.claim.place if self.claim is not None else ()

    def shares_lock_with(self, other: Reservation) -> bool:
        """Tell whether both claim a common copy of a lock."""
        return not {lock for lock, _ in self.asked}.isdisjoint(lock for lock, _ in other.asked)

    def stand_in_front(self, moved_at: float | None) -> None:
        """Wait in front of all others, or at its own place again; see ``LockClaim``."""
        self.lock_moved_at = moved_at
        if self.claim is not None and self.claim.waiting:
            self.claim.stand_in_front(moved_at)

    def _end_limit(self) -> None:
        limit, self.limit = self.limit, None
        if limit is not None:
            limit.stop()
        self.waits_in_vain = False

    def _wait_is_over(self, _: Any, claim: LockClaim) -> None:
        if self.claim is claim:
            if not claim.holds:
                self.claim = None  # its next claim fails, and says why
            self._wake()

    def yield_place(self) -> None:
        """Leave the line, where it keeps others waiting, until one of the locks is released."""
        self.give_back()
        self._wait_for_release()

    def _wait_for_release(self) -> None:
        self._first_release.wait_for(lock.subscribeToReleases for lock, _ in self.asked)

    def hand_over(self, build: LockOwner) -> LockClaim | None:
        """Make a build the owner of the claim, and return the claim."""
        self._end_limit()
        build.take_over(self)
        claim, self.claim = self.claim, None
        return claim

    def give_back(self) -> None:
        """End the claim, whether it waits or is held. Done again, it does nothing."""
        self._first_release.forget()
        self._end_limit()
        claim, self.claim = self.claim, None
        if claim is not None:
            if claim.holds and self.lock_log is not None:
                self.lock_log.gave_back()
            claim.end()
        self.why_never = None
