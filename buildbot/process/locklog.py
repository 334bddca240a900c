# SPDX-License-Identifier: GPL-2.0-only
"""New: lines in the log for each owner that waits for locks, is granted them or releases them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from twisted.python import log

from buildbot.locking.copy import in_units

if TYPE_CHECKING:
    from buildbot.locks import LockAccess
    from buildbot.process.locks import Demand


class LockLog:
    """Logs how long one owner waits for its locks and holds them. It does not decide when.

    There is one line for each lock and event, which names the owner, the lock and how it is taken,
    so that ``grep`` finds who had a lock at what time. Nothing is logged twice. The methods are
    given the name of the owner, its demand, and the time.

    :ivar waits_since: when it began to wait, also when it holds them; None if it did not wait. A
        request that leaves the line and comes back has waited all the time.
    :ivar holds_since: when it began to hold them; None if it does not hold them yet.
    """

    def __init__(self) -> None:
        self.waits_since: float | None = None
        self._waited_as = ''
        self._awaited: set[str] = set()  # labels, since to keep a copy would keep it in use
        self.holds_since: float | None = None
        self._is_granted = False

    def waits(self, owner: str, demand: Demand, now: float) -> None:
        """Log that it waits for its locks."""
        if self.waits_since is None:
            self.waits_since, self._waited_as = now, owner
        fresh = [(lock, access) for lock, access in demand if lock.label not in self._awaited]
        self._awaited.update(lock.label for lock, _ in fresh)
        log_each(f'{owner} waits for', fresh)

    def holds(self, now: float, waited: LockLog | None = None) -> None:
        """Note that it holds its locks; that is logged when its name is known, by ``granted``.

        :param waited: the log of the owner that has waited for them in its stead; None if nobody
            has waited for them.
        """
        self.holds_since = now
        if waited is not None:
            self.waits_since, self._waited_as = waited.waits_since, waited._waited_as

    def gave_back(self) -> None:
        """Note that it has given its locks back unused, which is no news."""
        self.holds_since = None

    def granted(self, owner: str, demand: Demand, now: float) -> None:
        """Log that it has been granted its locks."""
        if self._is_granted:
            return
        self._is_granted = True
        if self.holds_since is None:
            self.holds_since = now
        since = self.holds_since if self.waits_since is None else self.waits_since
        was = f', in line as {self._waited_as}' if self._waited_as not in ('', owner) else ''
        log_each(f'{owner} was granted', demand, f'{after(self.holds_since - since)}{was}')

    def ended(self, owner: str, demand: Demand, now: float) -> None:
        """Log that it has released its locks, or waits for them no longer."""
        if self.holds_since is not None:
            self.granted(owner, demand, now)
            log_each(f'{owner} released', demand, after(now - self.holds_since))
        elif self.waits_since is not None:
            log_each(f'{owner} stopped waiting for', demand, after(now - self.waits_since))
        self.waits_since = self.holds_since = None
        self._waited_as, self._is_granted = '', False
        self._awaited.clear()


def log_each(what: str, demand: Demand, more: str = '') -> None:
    for lock, access in demand:
        if access.count:
            log.msg(f'{what} {lock.label} ({in_words(access)}){more}')


def in_words(access: LockAccess) -> str:
    """Say how a lock is taken."""
    if access.mode == 'exclusive':
        return access.mode
    return f'{access.mode}, {in_units(access.count)}'


def after(seconds: float) -> str:
    return f' after {seconds:.1f} s'
