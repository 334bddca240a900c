# SPDX-License-Identifier: GPL-2.0-only
"""A build that claims its locks together, before its steps share them."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copy import LockClaim
from buildbot.locking.copy import LockError
from buildbot_overlay import release

upstream = release(__name__)


class Build(upstream.Build):
    def acquireLocks(self, res: Any = None) -> Any:
        """Claim all locks of the builder.

        :returns: Deferred that fires when the locks are held, or when the build is stopped.
        """
        if self.stopped:
            return defer.succeed(None)
        try:
            claim = self._claim = LockClaim(self, self._locks_to_acquire)
            if claim.take_at_once():
                return defer.succeed(None)
            log.msg(f'{self} waiting for locks {self._locks_to_acquire}')
            d = claim.wait()
        except LockError:
            return defer.fail()
        self._acquiringLock = (claim, None, d)
        return d.addBoth(self._has_waited)

    def _has_waited(self, result: Any) -> Any:
        self._acquiringLock = None
        return result

    def releaseLocks(self) -> None:
        if self._claim is not None:
            self._claim.end()
        self._tryScheduleBuildsAfterLockUnlock(locks_released=True)
