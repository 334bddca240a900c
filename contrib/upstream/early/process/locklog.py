# SPDX-License-Identifier: GPL-2.0-only
"""The log of locks whose units are alike."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Iterable

from twisted.python import log

from buildbot.process.eye.use import LEFT
from buildbot.process.eye.use import Use
from buildbot.process.eye.words import short_name
from buildbot.process.locklog import after
from buildbot.process.locklog import in_words

if TYPE_CHECKING:
    from buildbot.locking.copy import InUse
    from buildbot.locking.owner import LockOwner
    from buildbot.process.locks import Demand


class LockLog:
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
        was = f', in line as {self._waited_as}' if self._waited_as not in ('', name) else ''
        took = f'{after(self.holds_since - since)}{was}'
        self._log_each(f'{name} was granted', demand, took)

    def _forget(self) -> None:
        self._wait_is_over()
        self.waits_since = self.holds_since = None
        self._waited_as, self._is_granted, self._result_in_vain = '', False, LEFT
        self._awaited.clear()
        self._in_vain.clear()

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
                    in_use.record(ended)
                except Exception as e:  # the lock is released all the same
                    log.err(e, f'while a use of {use.copy} was recorded')

    def _log_each(self, what: str, demand: Demand, more: str = '') -> None:
        for lock, access in demand:
            if access.count:
                log.msg(f'{what} {lock} ({in_words(access)}){more}')
