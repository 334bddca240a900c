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

    There is one line for each lock and event, which names the owner, the lock and how it is taken,
    so that ``grep`` finds who had a lock at what time. When the owner has done with a lock, that is
    recorded as a use of it. Nothing is logged or recorded twice. The methods are given the owner,
    its demand, and the time.

    :ivar waits_since: when it began to wait, also when it holds them; None if it did not wait. A
        request that leaves the line and comes back has waited all the time.
    :ivar holds_since: when it began to hold them; None if it does not hold them yet.
    """

    def __init__(self) -> None:
        self.waits_since: float | None = None
        self._waited_as = ''
        self._awaited: set[str] = set()  # labels, since to keep a copy would keep it in use
        # what is recorded if the wait is in vain, by name of the lock
        self._in_vain: dict[str, tuple[InUse | None, Use]] = {}
        # who was told that it waits; None if nobody was
        self._long_waits: Any = None
        self.holds_since: float | None = None
        # the names of the resources that it has got, by label of the pool
        self._resources: dict[str, list[str]] = {}
        self._is_granted = False
        self._result_in_vain = LEFT

    def is_in_deadlock(self) -> None:
        """Note that its wait ends because it could never have come to anything."""
        self._result_in_vain = DEADLOCK

    def waits(self, owner: LockOwner, demand: Demand, now: float) -> None:
        """Log that it waits for its locks."""
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
        log_each(f'{short_name(owner)} waits for', fresh)

    def holds(self, now: float, waited: LockLog | None = None) -> None:
        """Note that it holds its locks; that is logged when its name is known, by ``granted``.

        :param waited: the log of the owner that has waited for them in its stead, and waits no
            longer; None if nobody has waited for them.
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
        """Note that it has given its locks back unused, which is no news."""
        self.holds_since = None

    def granted(self, owner: LockOwner, demand: Demand, now: float) -> None:
        """Log that it has been granted its locks."""
        if self._is_granted:
            return
        self._is_granted = True
        self._wait_is_over()
        if self.holds_since is None:
            self.holds_since = now
        since = self.holds_since if self.waits_since is None else self.waits_since
        name = short_name(owner)
        for lock, _ in demand:
            self._resources[lock.label] = [each.name for each in lock.resources_of(owner)]
        was = f', in line as {self._waited_as}' if self._waited_as not in ('', name) else ''
        took = f'{after(self.holds_since - since)}{was}'
        log_each(f'{name} was granted', demand, took, self._resources)

    def ended(self, owner: LockOwner, demand: Demand, now: float, lost: bool = False) -> None:
        """Log that it has released its locks, or waits for them no longer.

        :param lost: whether that is because its worker was lost, or the master is stopped.
        """
        if self.holds_since is not None:
            self.granted(owner, demand, now)
            took = after(now - self.holds_since)
            log_each(f'{short_name(owner)} released', demand, took, self._resources)
            taken = [(lock, access) for lock, access in demand if access.count]
            uses = [(lock.in_use, use_of(owner, lock, access)) for lock, access in taken]
            self._record(uses, now, LOST if lost else RELEASED)
            self._forget()
        elif self.waits_since is not None:
            waited = after(now - self.waits_since)
            log_each(f'{short_name(owner)} stopped waiting for', demand, waited)
            self.left(now, lost)

    def left(self, now: float, lost: bool = False) -> None:
        """Note that it waits no longer for what it has waited for until now, in vain.

        What would have done in the place of something else is no use of its own: of each lock, that
        of the first copy counts.
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
        self._resources.clear()

    def _record(self, uses: Iterable[tuple[InUse | None, Use]], until: float, result: str) -> None:
        # who is granted one lock right after another one was refused has not waited
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
                except Exception as e:  # it is released all the same
                    log.err(e, f'while a use of {use.copy} was recorded')

    def _of_each(self, use: Use) -> list[Use]:
        # each resource of a pool was used; the wait was one, and counts once
        names = self._resources.get(use.copy)
        if not names:
            return [use]
        first, *others = [
            use._replace(copy=f'{use.copy}[{name}]', mode='counting', units=1) for name in names
        ]
        return [first, *(o._replace(is_further=True, waiting_since=None) for o in others)]


def log_each(
    what: str, demand: Demand, more: str = '', resources: Mapping[str, list[str]] = NOTHING
) -> None:
    for lock, access in demand:
        if access.count:
            how = ', '.join(resources.get(lock.label, ())) or in_words(access)
            log.msg(f'{what} {lock} ({how}){more}')


def in_words(access: LockAccess) -> str:
    """Say how a lock is taken."""
    if access.mode == 'exclusive':
        return access.mode
    return f'{access.mode}, {in_units(access.count)}'


def after(seconds: float) -> str:
    return f' after {seconds:.1f} s'
