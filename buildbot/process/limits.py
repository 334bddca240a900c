# SPDX-License-Identifier: GPL-2.0-only
"""New: limits of how long an owner may wait for its locks or hold them.

Nothing is polled. A claim has one delayed call at a time if any of its locks has a limit, and none
otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Iterable
from typing import NamedTuple
from typing import Protocol

from twisted.python import log

from buildbot.locking.copies import definition_of

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from buildbot.locking.copy import BaseLock
    from buildbot.locking.copy import LockClaim

#: the arguments of a lock that limit waits and holds
MAX_WAIT, MAX_HOLD = 'maxWait', 'maxHold'


class Owner(Protocol):
    """What a limit needs of an owner of locks that has begun."""

    master: Any

    def lock_name(self) -> str:
        """Return the name of this owner for messages."""

    def give_up(self, why: str) -> Any:
        """Stop waiting for its locks, and fail."""

    def end_hold(self, why: str) -> Any:
        """Stop the work that it does with its locks, and fail."""


class Due(NamedTuple):
    """When an owner will have waited for one copy, or held it, for as long as it may.

    :param at: the time, in seconds of the master's clock.
    :param seconds: how long it may wait for the copy or hold it.
    :param fails: whether the owner fails then; otherwise it is only reported.
    """

    at: float
    seconds: float
    copy: BaseLock
    fails: bool


def all_due(name: str, copies: Iterable[BaseLock], since: float) -> list[Due]:
    """Return when the time limits of copies are reached. Copies without a limit are left out.

    :param name: ``MAX_WAIT`` or ``MAX_HOLD``.
    :param since: when the wait or the hold began, in seconds of the master's clock.
    """
    found = []
    for copy in copies:
        definition = definition_of(copy)
        seconds = getattr(definition, name, None)  # a plugin's lock may have no such attribute
        if seconds is not None:
            found.append(Due(since + seconds, seconds, copy, definition.whenTooLong == 'fail'))
    return found


class Limit:
    """The time limits of one wait or one hold. It says when each is reached, and ends nothing.

    :param clock: the master's reactor.
    :param due: when the limits are reached; at least one.
    :param is_over: called with each ``Due`` whose time has come; returns whether its time begins
        anew, because the owner does not lack that copy.
    """

    def __init__(self, clock: Any, due: list[Due], is_over: Callable[[Due], bool]) -> None:
        self._clock = clock
        self._due = due
        self._is_over = is_over
        self._call: IDelayedCall | None = None
        self._wait_for_next()

    def _wait_for_next(self) -> None:
        self._due.sort(key=lambda due: due.at)
        after = max(0, self._due[0].at - self._clock.seconds())
        self._call = self._clock.callLater(after, self._has_come)

    def _has_come(self) -> None:
        self._call = None
        due = self._due.pop(0)
        begins_anew = False
        try:
            begins_anew = self._is_over(due)
        except Exception as e:  # the limits of other copies still apply
            log.err(e, f'while applying the limit of {due.copy}')
        if begins_anew:
            self._due.append(due._replace(at=self._clock.seconds() + due.seconds))
        if self._due:
            self._wait_for_next()

    def stop(self) -> None:
        """Stop calling back. Calling it again does nothing."""
        self._due.clear()
        call, self._call = self._call, None
        if call is not None:
            call.cancel()


def limit_wait(owner: Owner, claim: LockClaim) -> Limit | None:
    """Limit the wait of an owner, which begins now.

    :param claim: the owner's claim, which waits.
    :returns: the limit; None if no lock has one.
    """

    def is_over(due: Due) -> bool:
        if not claim.waiting:
            return False  # it has been granted, and its owner is about to be woken
        if due.copy not in claim.refused():
            return True
        tell_long_wait(owner, due)
        if due.fails:
            owner.give_up(why_not_longer(owner, due))
        return False

    reactor = owner.master.reactor
    due = all_due(MAX_WAIT, (copy for copy, _ in claim.accesses), reactor.seconds())
    return Limit(reactor, due, is_over) if due else None


def limit_hold(owner: Owner, claim: LockClaim) -> Limit | None:
    """Limit how long an owner holds its locks, from now on.

    Locks shared with an owner around it are limited with that owner, as long as that holds them.

    :param claim: the owner's claim, which is held.
    :returns: the limit; None if no lock has one.
    """

    def is_over(due: Due) -> bool:
        name, copy, seconds = owner.lock_name(), due.copy, due.seconds
        if held[copy].is_nested:
            return True
        copy.report('long_hold', f'{name} held it longer than {seconds} s')
        if due.fails:
            owner.end_hold(f'lock {copy.lockName!r}: it held {copy} longer than {seconds} s')
        return False

    reactor = owner.master.reactor
    held = {copy: holding for (copy, _), holding in zip(claim.accesses, claim.holdings)}
    due = all_due(MAX_HOLD, held, reactor.seconds())
    return Limit(reactor, due, is_over) if due else None


def tell_long_wait(owner: Any, due: Due) -> None:
    """Report that an owner has waited too long for a copy that it lacks."""
    due.copy.report('long_wait', who_waited_long(owner, due.copy, due.seconds))


def who_waited_long(owner: Any, copy: BaseLock, seconds: float) -> str:
    """Say who has waited for a copy, longer than how many seconds, and who was in the way."""
    in_the_way = copy.who_was_in_the_way(owner)
    return f'{owner.lock_name()} waited longer than {seconds} s for it, {in_the_way}'


def why_not_longer(owner: Any, due: Due) -> str:
    """Say that an owner has waited too long for a copy that it lacks, and who is in the way."""
    name, in_the_way = due.copy.lockName, due.copy.describe_holders(owner)
    return f'lock {name!r}: it waited longer than {due.seconds} s for {in_the_way}'
