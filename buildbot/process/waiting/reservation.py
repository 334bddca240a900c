# SPDX-License-Identifier: GPL-2.0-only
"""New: the locks that a build request waits for, and then holds for the build it becomes."""

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
from buildbot.process.locks import together
from buildbot.process.waiting.firstrelease import FirstRelease

if TYPE_CHECKING:
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.locklog import LockLog
    from buildbot.process.locks import Demand
    from buildbot.process.locks import Resolved


class Reservation(LockOwner):
    """Stands in line for a build that does not exist yet.

    It waits while a worker is idle for its build, and takes none. When the locks are its own, the
    build is made, and takes it over with all that it holds.

    :param request: the build request; it waits with its priority, and since it was submitted.
    :param builder_name: of the request.
    :param resolved: what its build needs.
    :param wake: called without arguments when it may be the request's turn.
    :ivar lender: the request that has lent it to the one that it is of now, or None.
    :ivar resolved: what its build needs, as last found out.
    :ivar asked: what it has asked for.
    :ivar claim: of that; None while it has none.
    :ivar log: tells the log of it; None before there is anything to be told.
    :ivar why_never: why it can never have them; a Failure, or None.
    """

    def __init__(
        self,
        request: BuildRequest,
        builder_name: str,
        resolved: Resolved,
        wake: Callable[[], Any],
    ) -> None:
        self.request = request
        self.lender: BuildRequest | None = None
        self.builder_name = builder_name
        self.lock_parent = resolved.around
        # a stand-in for a request may have neither
        self.lock_priority = getattr(request, 'priority', 0)
        self.lock_age = getattr(request, 'submittedAt', None)
        # to wait for a request that nobody waits for is never worth the failure of a step
        self.lock_may_yield = resolved.around is None
        self.resolved = resolved
        self.asked: Demand = []
        self.claim: LockClaim | None = None
        self.log: LockLog | None = None
        self.why_never: Failure | None = None
        self._went_in_vain = False
        self._wake = wake
        self._first_release = FirstRelease(wake)

    @property
    def lock_choice(self) -> Any:  # type: ignore[override]
        """The request, which may wait for a build on either of some workers."""
        return getattr(self.request, 'id', None)

    def lock_name(self) -> str:
        return name_of_request(self.request.id, self.builder_name)

    @property
    def worker(self) -> str | None:
        """Name of the worker that it is for; None if it is the same for each of them."""
        return self.resolved.worker

    @property
    def wanted(self) -> Demand:
        """What its build needs: the locks of the builder and of the worker."""
        return together(self.resolved.of_builder, self.resolved.of_worker)

    def stands_for(self, request: BuildRequest, around: LockOwner | None) -> bool:
        """Tell whether it is, in a line, what a request with this owner around would be now."""
        return self.lock_parent is around and self.lock_priority == request.priority

    @property
    def waits(self) -> bool:
        """Whether there is nothing to do for it until it wakes somebody, if it ever does."""
        will_be_told = self.stands_in_line or self._first_release.is_awaited
        return will_be_told or self.why_never is not None

    @property
    def stands_in_line(self) -> bool:
        """Whether it waits for its turn, of which it will be told."""
        return self.claim is not None and self.claim.waiting

    @property
    def holds(self) -> bool:
        """Whether it holds what it has asked for, be it told already or not."""
        return self.claim is not None and self.claim.holds

    @property
    def has_too_few(self) -> bool:
        """Whether it can never have the locks because there are too few units of one."""
        return self.why_never is not None and bool(self.why_never.check(UnitsError))

    def take(self) -> bool:
        """Take the locks that are wanted if it is this request's turn, else wait in line for them.

        :returns: whether it holds them.
        """
        if self.why_never is not None:
            return False
        wanted = self.wanted
        if wanted != self.asked:
            self.give_back()
            self.asked = wanted
        if self.claim is None and not self._first_release.is_awaited:
            self._ask()
        elif self.claim is not None and self.claim.holds:
            self.claim.deferred = None  # it is known now
        return self.holds

    def _ask(self, before: Reservation | None = None) -> None:
        self.give_back()
        try:
            claim = LockClaim(self, self.asked)
            if before is not None and before.claim is not None:
                claim.be_before(before.claim)
            elif claim.take_at_once():
                self.claim = claim
                return
            d = claim.wait()
        except CircleError:
            if self.lock_may_yield:
                self.yield_place()
            else:
                self.why_never = Failure()
        except LockError:
            self.why_never = Failure()
        else:
            self.claim = claim
            d.addBoth(self._told, claim)

    def would_do(self, others: list[Reservation]) -> bool:
        """Tell whether what others have been granted would be enough, with what is free."""
        return would_do(self, self.wanted, [other.claim for other in others if other.claim])

    @property
    def may_go_before(self) -> bool:
        """Whether it waits, and might have the turn of others."""
        return self.stands_in_line and not self._went_in_vain

    def go_before(self, others: list[Reservation], first: Reservation | None = None) -> None:
        """Have the turn of others, with which no build begins yet, and which wait again then.

        :param first: right before which it has its place; None stands for the first of the others.
        """
        self._ask(before=first or min(others, key=lambda other: other.lock_place))
        for other in others:
            other._ask()
        for each in (self, *others):
            if each.claim is not None and each.claim.holds:
                each.claim.deferred = None  # its builder is about to be looked at
        self._went_in_vain = not self.holds  # to go again and again would have no end

    @property
    def lock_place(self) -> tuple[float, ...]:
        """Where it stands in line, or stood."""
        return self.claim.key if self.claim is not None else ()

    def shares_lock_with(self, other: Reservation) -> bool:
        """Tell whether both want one lock, or more."""
        return not {lock for lock, _ in self.asked}.isdisjoint(lock for lock, _ in other.asked)

    def _told(self, _: Any, claim: LockClaim) -> None:
        if self.claim is claim:
            if not claim.holds:
                self.claim = None  # it will be told why when it asks again
            self._wake()

    def yield_place(self) -> None:
        """Leave the line until one of the locks is released, for others could never go on."""
        self.give_back()
        self._first_release.wait_for(lock.subscribeToReleases for lock, _ in self.asked)

    def hand_over(self, build: LockOwner) -> LockClaim | None:
        """Let a build be the owner of what is held from now on, and return the claim of it."""
        build.take_over(self)
        claim, self.claim = self.claim, None
        return claim

    def give_back(self) -> None:
        """Leave the line, and release what is held. Done again, it does nothing."""
        self._first_release.forget()
        claim, self.claim = self.claim, None
        if claim is not None:
            claim.end()
        self.why_never = None
