# SPDX-License-Identifier: GPL-2.0-only
"""A build before locks are reserved for it: it finds and claims them when it has begun."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure

from buildbot.process.locks import claim_all
from buildbot.process.locks import release_all
from buildbot.process.locks import wait_for_all
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
        self._acquiringLock = None
        if self.stopped or claim_all(self, self._locks_to_acquire):
            return defer.succeed(None)
        log.msg(f'{self} waits for {[lock for lock, _ in self._locks_to_acquire]}')
        self._acquiringLock = wait_for_all(self, self._locks_to_acquire)
        d = self._acquiringLock[2]
        d.addCallback(self.acquireLocks)
        return d

    def releaseLocks(self) -> None:
        release_all(self, self._locks_to_acquire)
        self._tryScheduleBuildsAfterLockUnlock(locks_released=True)
