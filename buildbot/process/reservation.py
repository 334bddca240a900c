# SPDX-License-Identifier: GPL-2.0-only
"""New: the locks that a build request waits for, and then holds for the build it becomes."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from twisted.python.failure import Failure

from buildbot.locking.copy import CircleError
from buildbot.locking.copy import LockError
from buildbot.locking.copy import UnitsError
from buildbot.locking.copy import Wait
from buildbot.locking.copy import would_do
from buildbot.locking.owner import name_of_request
from buildbot.locks import LockOwner
from buildbot.process.firstrelease import FirstRelease
from buildbot.process.locks import claim_all
from buildbot.process.locks import release_all

if TYPE_CHECKING:
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.locklog import LockLog
    from buildbot.process.locks import Claims


class Reservation(LockOwner):
    """Stands in line for a build that does not exist yet.

    It waits while a worker is idle for its build, and takes none. When the locks are its own, the
    build is made, and takes it over with all that it holds.

    :param request: the build request; it waits with its priority, and since it was submitted.
    :param builder_name: of the request.
    :param worker: name of the worker that it is for; None if it is the same for each of them.
    :param parent: the owner that the build will be nested in, or None.
    :param wake: called without arguments when it may be the request's turn.
    :ivar lender: the request that has lent it to the one that it is of now, or None.
    :ivar wanted: what the build needs, as last found out.
    :ivar of_builder: those of them that are not the worker's own.
    :ivar of_worker: those that are.
    :ivar access: what the builder's configuration said when it was found out.
    :ivar claims: what it waits for, or holds.
    :ivar holds: whether it holds them.
    :ivar is_granted: whether ``wake`` has been called because it can take them now.
    :ivar log: tells the log of it; None before there is anything to be told.
    :ivar why_never: why it can never have them; a Failure, or None.
    """

    def __init__(
        self,
        request: BuildRequest,
        builder_name: str,
        worker: str | None,
        parent: LockOwner | None,
        wake: Callable[[], Any],
    ) -> None:
        self.request = request
        self.lender: BuildRequest | None = None
        self.builder_name = builder_name
        self.worker = worker
        self.lock_parent = parent
        # a stand-in for a request may have neither
        self.lock_priority = getattr(request, 'priority', 0)
        self.lock_age = getattr(request, 'submittedAt', None)
        # to wait for a request that nobody waits for is never worth the failure of a step
        self.lock_may_yield = parent is None
        self.wanted: Claims = []
        self.claims: Claims = []
        self.of_builder: Claims = []
        self.of_worker: Claims = []
        self.access: Any = None
        self.holds = False
        self.is_granted = False
        self.log: LockLog | None = None
        self.why_never: Failure | None = None
        self._went_in_vain = False
        self._wake = wake
        self._wait: Wait | None = None
        self._first_release = FirstRelease(wake)

    @property
    def lock_choice(self) -> Any:  # type: ignore[override]
        """The request, which may wait for a build on either of some workers."""
        return getattr(self.request, 'id', None)

    def lock_name(self) -> str:
        return name_of_request(self.request.id, self.builder_name)

    def stands_for(self, request: BuildRequest, parent: LockOwner | None) -> bool:
        """Tell whether it is, in a line, what a request with this parent would be there now."""
        return self.lock_parent is parent and self.lock_priority == request.priority

    @property
    def waits(self) -> bool:
        """Whether there is nothing to do for it until it wakes somebody, if it ever does."""
        is_told = self.stands_in_line or self._first_release.is_awaited
        return is_told or self.why_never is not None

    @property
    def stands_in_line(self) -> bool:
        """Whether it waits for its turn, of which it will be told."""
        return self._wait is not None and not self.is_granted

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
        if self.wanted != self.claims:
            self.give_back()
            self.claims = self.wanted
        if not self.holds and (self.has_turn or not self.waits):
            self.holds = claim_all(self, self.claims)
            if self.holds:
                self._wait = None
            else:
                self._stand_in_line()
        return self.holds

    def _stand_in_line(self, before: Reservation | None = None) -> None:
        self.give_back()
        accesses = [(lock, access) for lock, access in self.claims if access.count]
        try:
            wait = Wait(self, accesses, before._wait if before is not None else None)
        except CircleError:
            if self.lock_may_yield:
                self.yield_place()
            else:
                self.why_never = Failure()
        except LockError:
            self.why_never = Failure()
        else:
            self._wait = wait
            assert wait.deferred is not None
            wait.deferred.addCallbacks(self._granted, self._refused, (wait,), errbackArgs=(wait,))

    def would_do(self, others: list[Reservation]) -> bool:
        """Tell whether what others have been granted would be enough, with what is free."""
        wanted = [(lock, access) for lock, access in self.wanted if access.count]
        return would_do(self, wanted, [other._wait for other in others if other._wait])

    @property
    def may_go_before(self) -> bool:
        """Whether it waits, and might have the turn of others."""
        return self.stands_in_line and not self.has_turn and not self._went_in_vain

    def go_before(self, others: list[Reservation], first: Reservation | None = None) -> None:
        """Have the turn of others, which have taken nothing yet, and wait again.

        :param first: right before which it has its place; None stands for the first of the others.
        """
        self._stand_in_line(before=first or min(others, key=lambda other: other.lock_place))
        for other in others:
            other._stand_in_line()
            if other._wait is not None:
                other._wait.claim.serve()  # there may be some left for it
        for each in (self, *others):
            # its builder is about to be looked at, so nobody needs to be woken
            each.is_granted = each.has_turn
        self._went_in_vain = not self.has_turn  # to go again and again would have no end

    @property
    def has_turn(self) -> bool:
        """Whether it may take what it waited for, be it told already or not."""
        return self._wait is not None and self._wait.claim.holds

    @property
    def lock_place(self) -> tuple[float, ...]:
        """Where it stands in line, or stood."""
        return self._wait.claim.key if self._wait is not None else ()

    def shares_lock_with(self, other: Reservation) -> bool:
        """Tell whether both want one lock, or more."""
        return not {lock for lock, _ in self.claims}.isdisjoint(lock for lock, _ in other.claims)

    def _granted(self, _: Any, wait: Wait) -> None:
        if self._wait is wait and not self.is_granted:
            self.is_granted = True
            self._wake()

    def _refused(self, _: Any, wait: Wait) -> None:
        if self._wait is wait:  # it will be told why when it asks again
            self._wait = None
            self._wake()

    def yield_place(self) -> None:
        """Leave the line until one of the locks is released, for others could never go on."""
        self.give_back()
        self._first_release.wait_for(lock.subscribeToReleases for lock, _ in self.claims)

    def hand_over(self, build: LockOwner) -> None:
        """Let a build be the owner of what is held from now on."""
        build.take_over(self)
        self.holds = self.is_granted = False

    def give_back(self) -> None:
        """Leave the line, and release what is held. Done again, it does nothing."""
        self._first_release.forget()
        wait, self._wait = self._wait, None
        if wait is not None:
            wait.stop()
        if self.holds:
            release_all(self, self.claims)
        self.holds = self.is_granted = False
        self.why_never = None
