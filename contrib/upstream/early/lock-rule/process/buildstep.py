# SPDX-License-Identifier: GPL-2.0-only
"""A step that claims its locks together, before it shares those of its build."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copy import LockClaim
from buildbot.locks import LockError
from buildbot_overlay import release

upstream = release(__name__)


class BuildStep(upstream.BuildStep):
    def acquireLocks(self, res: Any = None) -> Any:
        """Claim all the step's locks together.

        :returns: Deferred that fires when the locks are held, or when the step is stopped. It fails
            with ``LockError`` if they can never be granted.
        """
        if self.stopped:
            return defer.succeed(None)
        try:
            claim = self._claim = LockClaim(self, self._locks_to_acquire)
            if claim.take_at_once():
                return defer.succeed(None)
            log.msg(f'step {self} waiting for locks {self._locks_to_acquire}')
            d = claim.wait()
        except LockError:
            return defer.fail()
        self._waitingForLocks = True
        self._acquiringLocks = [(claim, None, d)]
        return d.addBoth(self._has_waited)

    def _has_waited(self, result: Any) -> Any:
        self._acquiringLocks = []
        if not self.stopped:  # the log of the stop says that it waited
            self._waitingForLocks = False
        return result

    def releaseLocks(self) -> None:
        """Release the locks that the step holds. Calling it again does nothing."""
        if self._claim is not None:
            self._claim.end()
