# SPDX-License-Identifier: GPL-2.0-only
"""A build before locks are reserved for it: it finds and claims them when it has begun."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot_overlay import release

upstream = release(__name__)


class Build(upstream.Build):
    @defer.inlineCallbacks
    def _setup_locks(self) -> Any:
        try:
            yield super()._setup_locks()
        except Exception:
            self._cannot_claim = Failure()
            raise
        self._is_counted = self.buildid is not None

    def acquireLocks(self, res: Any = None) -> Any:
        """Claim all locks of the builder.

        :returns: Deferred that fires when they are held, or when the build is stopped.
        """
        return self._claim_or_wait()

    def releaseLocks(self) -> None:
        locks, now = self._locks_to_acquire, self.master.reactor.seconds()
        for lock, access in locks:
            lock.release(self, access)
        self._lock_log.ended(self.lock_name(), locks, now)
        self._tryScheduleBuildsAfterLockUnlock(locks_released=True)
