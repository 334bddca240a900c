# SPDX-License-Identifier: GPL-2.0-only
"""New: a person's hold of a copy of a lock, or wait for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from typing import Callable
from typing import ClassVar
from typing import Sequence

from buildbot.locking.copy import Access
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import CircleError
from buildbot.locking.copy import LockClaim
from buildbot.locking.copy import LockError
from buildbot.locking.copy import in_units
from buildbot.locking.owner import LockOwner
from buildbot.process.lockfacts import Facts
from buildbot.process.locklog import LockLog
from buildbot.process.waiting.firstrelease import FirstRelease


@dataclass(frozen=True)
class Taking:
    """How a person takes a copy. It is not an access in a configuration.

    :param mode: ``exclusive`` or ``counting``.
    :param count: units; 1 for exclusive.
    """

    mode: str = 'exclusive'
    count: int = 1
    checked: ClassVar[bool] = True

    @property
    def words(self) -> str:
        return 'all of it' if self.mode == 'exclusive' else in_units(self.count)


class Hold(LockOwner):
    """A person's hold of a copy, by hand. It is the owner of a claim, as a build is.

    It does not end by itself; its maker ends it.

    :param holdid: id of the hold, also after a restart.
    :param copy: the copy.
    :param person: the person who holds it.
    :param reason: why it is held.
    :param taking: how it is taken.
    :param asked_at: when it was asked for, in seconds.
    :param until: when it ends, in seconds.
    :param priority: a hold with a higher priority is further ahead in line.
    :param now: returns the time, in seconds.
    :param begins: called with the hold when it has been granted its copy.
    :param fails: called with the hold and a sentence when it can never be granted its copy.
    :param yields: called with the hold when it has left the line for a while.
    :ivar held_since: since when it is held, in seconds; None before that.
    :ivar told: what the person was last told about its end, ``ends_soon`` or ``overdue``; empty
        before that.
    :ivar why_never: why it can never be granted its copy, so that it is about to end; None if it
        can.
    """

    # better that a person waits behind a build than that the build waits forever
    lock_may_yield = True

    def __init__(
        self,
        holdid: int,
        copy: BaseLock,
        person: str,
        reason: str,
        taking: Taking,
        asked_at: float,
        until: float,
        *,
        priority: int = 0,
        now: Callable[[], float],
        begins: Callable[[Hold], Any],
        fails: Callable[[Hold, str], Any],
        yields: Callable[[Hold], Any],
    ) -> None:
        self.holdid = holdid
        self.copy = copy
        self.person = person
        self.reason = reason
        self.taking = taking
        self.until = until
        self.told = ''
        self.held_since: float | None = None
        self.why_never: str | None = None
        self.lock_age = asked_at
        self.lock_priority = priority
        self.lock_log: LockLog = LockLog()
        self._access: Access = taking
        self._claim: LockClaim | None = None
        self._now = now
        self._begins = begins
        self._fails = fails
        self._yields = yields
        self._first_release = FirstRelease(self._ask)

    @property
    def is_held(self) -> bool:
        """Whether the person holds the copy now."""
        return self._claim is not None and self._claim.holds

    @property
    def is_waiting(self) -> bool:
        """Whether the person is in line for the copy."""
        return self._claim is not None and self._claim.waiting

    @property
    def is_overdue(self) -> bool:
        """Whether the copy is held beyond the end."""
        return self.told == 'overdue'

    @property
    def _demand(self) -> Any:
        return [(self.copy, self._access)]

    def lock_name(self) -> str:
        return f'{self.person}, by hand ({self.reason})'

    def short_name(self) -> str:
        return f'{self.person}, by hand'

    def lock_facts(self) -> Facts:
        """Return the facts about the hold, without its lock."""
        return Facts(
            'person',
            holdid=self.holdid,
            person=self.person,
            reason=self.reason,
            until=self.until,
            overdue=self.is_overdue,
        )

    def have_again(self, names: Sequence[str]) -> None:
        """Take the units with these names, which the person had when the master stopped."""
        self._access = self.copy.access_again(self.taking, names)

    def enter(self) -> None:
        """Take the copy, or wait in line for it."""
        self.copy.by_hand = (*self.copy.by_hand, self)
        self._ask()

    def _ask(self) -> None:
        try:
            claim = self._claim = LockClaim(self, self._demand)
            if claim.take_at_once():
                self._has_it(claim)
                return
            self.lock_log.waits(self, self._demand, self._now())
            d = claim.wait()
        except CircleError:
            self.yield_place()
            return
        except LockError as e:
            self._fail(e)
            return
        d.addCallbacks(lambda _: self._has_it(claim), lambda why: self._fail(why.value))

    def _has_it(self, claim: LockClaim) -> None:
        if claim is self._claim and claim.holds:
            self._begins(self)
            self.lock_log.holds(self._now() if self.held_since is None else self.held_since)
            self.lock_log.granted(self, self._demand, self._now())

    def _fail(self, why: Exception) -> None:
        self._claim, self.why_never = None, str(why)
        self._fails(self, self.why_never)

    def yield_place(self) -> None:
        """Leave the line until the lock is released, so that others do not wait forever."""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.end()
        self._first_release.wait_for([self.copy.subscribeToReleases])
        self._yields(self)

    def stop(self) -> None:
        """Log that the master stops. Nothing is given back, so that no build gets it meanwhile."""
        self._first_release.forget()
        if not self.is_held:
            self._claim = None  # a copy that the last builds release must not be granted to it
        self.lock_log.ended(self, self._demand, self._now(), lost=True)

    def end(self) -> None:
        """Give the copy back, or leave the line. Calling it again does nothing."""
        self._first_release.forget()
        self.copy.by_hand = tuple(hold for hold in self.copy.by_hand if hold is not self)
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.end()
            self.lock_log.ended(self, self._demand, self._now())
