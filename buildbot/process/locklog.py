# SPDX-License-Identifier: GPL-2.0-only
"""New: lines in the log for each owner that waits for locks, is granted them or releases them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Any
from typing import Iterable
from typing import Mapping

from twisted.python import log

from buildbot.locking.copy import in_units
from buildbot.process.eye.use import DEADLOCK
from buildbot.process.eye.use import LEFT
from buildbot.process.eye.use import LOST
from buildbot.process.eye.use import RELEASED
from buildbot.process.eye.use import Use
from buildbot.process.eye.use import use_of
from buildbot.process.eye.words import short_name

if TYPE_CHECKING:
    from buildbot.locking.copy import InUse
    from buildbot.locking.owner import LockOwner
    from buildbot.locks import LockAccess
    from buildbot.process.locks import Demand


NOTHING: Mapping[str, list] = MappingProxyType({})


class LockLog:
    """Logs how long one owner waits for its locks and holds them. It does not decide when.

    There is one line for each lock and event. It names the owner, the lock and how it is taken, so
    that ``grep`` finds who had a lock at what time. When the owner is done with a lock, a use of
    the lock is recorded. Nothing is logged or recorded twice. The methods take the owner, its
    demand and the time.

    :ivar waits_since: when the owner began to wait, also while it holds; None if it did not wait.
        For a request, the time out of the line counts, too, if it comes back.
    :ivar holds_since: when the owner began to hold; None if it does not hold yet.
    """

    # the names of the resources held, by label of the pool
    _resources: Mapping[str, list[str]] = NOTHING

    def __init__(self) -> None:
        self.waits_since: float | None = None
        self._waited_as = ''
        self._awaited: set[str] = set()  # labels, since a reference would keep a copy in use
        # by name of the lock: what is recorded if the owner never gets it
        self._in_vain: dict[str, tuple[InUse | None, Use]] = {}
        # the ``LongWaits`` that knows of this wait, or None
        self._long_waits: Any = None
        self.holds_since: float | None = None
        self._is_granted = False
        self._result_in_vain = LEFT

    def is_in_deadlock(self) -> None:
        """Note that the wait ends because of a deadlock."""
        self._result_in_vain = DEADLOCK

    def waits(self, owner: LockOwner, demand: Demand, now: float) -> None:
        """Log that the owner waits for its locks."""
        if self.waits_since is None:
            self.waits_since, self._waited_as = now, short_name(owner)
        fresh = [(lock, access) for lock, access in demand if lock.label not in self._awaited]
        self._awaited.update(lock.label for lock, _ in fresh)
        for lock, access in fresh:
            if access.count and lock.lockName not in self._in_vain:
                self._in_vain[lock.lockName] = (lock.in_use, use_of(owner, lock, access))
        in_use = next((lock.in_use for lock, access in demand if access.count), None)
        self._long_waits = in_use.long_waits if in_use is not None else None
        if self._long_waits is not None:
            self._long_waits.begin(self, owner)
        self._log_each(f'{short_name(owner)} waits for', fresh)

    def holds(self, now: float, waited: LockLog | None = None) -> None:
        """Note that the owner holds its locks; ``granted`` logs it when the owner's name is known.

        :param waited: the log of the owner that waited for the locks instead and has stopped; None
            if nobody waited for them.
        """
        self.holds_since = now
        if waited is not None:
            self.waits_since, self._waited_as = waited.waits_since, waited._waited_as
            waited._forget()

    def _wait_is_over(self) -> None:
        long_waits, self._long_waits = self._long_waits, None
        if long_waits is not None:
            long_waits.end(self)

    def gave_back(self) -> None:
        """Note that the locks were given back unused, which is not logged."""
        self.holds_since = None

    def granted(self, owner: LockOwner, demand: Demand, now: float) -> None:
        """Log that the owner has been granted its locks."""
        if self._is_granted:
            return
        self._is_granted = True
        self._wait_is_over()
        if self.holds_since is None:
            self.holds_since = now
        since = self.holds_since if self.waits_since is None else self.waits_since
        name = short_name(owner)
        self._resources = {
            lock.label: [each.name for each in lock.resources_of(owner)] for lock, _ in demand
        }
        was = f', in line as {self._waited_as}' if self._waited_as not in ('', name) else ''
        took = f'{after(self.holds_since - since)}{was}'
        self._log_each(f'{name} was granted', demand, took)

    def ended(self, owner: LockOwner, demand: Demand, now: float, lost: bool = False) -> None:
        """Log that the owner has released its locks, or has stopped waiting for them.

        :param lost: whether the cause is a lost worker or the stop of the master.
        """
        if self.holds_since is not None:
            self.granted(owner, demand, now)
            took = after(now - self.holds_since)
            self._log_each(f'{short_name(owner)} released', demand, took)
            taken = [(lock, access) for lock, access in demand if access.count]
            uses = [(lock.in_use, use_of(owner, lock, access)) for lock, access in taken]
            self._record(uses, now, LOST if lost else RELEASED)
            self._forget()
        elif self.waits_since is not None:
            waited = after(now - self.waits_since)
            self._log_each(f'{short_name(owner)} stopped waiting for', demand, waited)
            self.left(now, lost)

    def left(self, now: float, lost: bool = False) -> None:
        """Note that the owner has stopped waiting without getting its locks.

        Alternatives are not recorded separately: for each lock, only the first copy counts.
        """
        if self.waits_since is not None:
            self.holds_since = None
            self._record(self._in_vain.values(), now, LOST if lost else self._result_in_vain)
        self._forget()

    def _forget(self) -> None:
        self._wait_is_over()
        self.waits_since = self.holds_since = None
        self._waited_as, self._is_granted, self._result_in_vain = '', False, LEFT
        self._awaited.clear()
        self._in_vain.clear()
        self._resources = NOTHING

    def _record(self, uses: Iterable[tuple[InUse | None, Use]], until: float, result: str) -> None:
        # an owner that got its locks in the moment that it was refused others has not waited
        waits_since = None if self.waits_since == self.holds_since else self.waits_since
        for in_use, use in uses:
            if in_use is not None and in_use.record is not None:
                ended = use._replace(
                    waiting_since=waits_since,
                    held_since=self.holds_since,
                    until=until,
                    result=result,
                )
                try:
                    for each in self._of_each(ended):
                        in_use.record(each)
                except Exception as e:  # the lock is released all the same
                    log.err(e, f'while a use of {use.copy} was recorded')

    def _of_each(self, use: Use) -> list[Use]:
        # each resource of a pool has a use; the wait counts only once
        names = self._resources.get(use.copy)
        if not names:
            return [use]
        first, *others = [
            use._replace(copy=f'{use.copy}[{name}]', mode='counting', units=1) for name in names
        ]
        return [first, *(o._replace(is_further=True, waiting_since=None) for o in others)]

    def _log_each(self, what: str, demand: Demand, more: str = '') -> None:
        for lock, access in demand:
            if access.count:
                how = ', '.join(self._resources.get(lock.label, ())) or in_words(access)
                log.msg(f'{what} {lock} ({how}){more}')


def in_words(access: LockAccess) -> str:
    """Say how a lock is taken."""
    if access.mode == 'exclusive':
        return access.mode
    return f'{access.mode}, {in_units(access.count)}'


def after(seconds: float) -> str:
    return f' after {seconds:.1f} s'
