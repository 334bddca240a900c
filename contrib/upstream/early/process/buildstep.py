# SPDX-License-Identifier: GPL-2.0-only
"""A step before ``checkconfig`` looks into builders and before the log mentions its locks."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot import config
from buildbot.config.locks import problems_of
from buildbot.locking.copy import CircleError
from buildbot.process.locklog import LockLog
from buildbot_overlay import release

upstream = release(__name__)


class BuildStep(upstream.BuildStep):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: since when it has waited for its locks and held them
        self.lock_log: LockLog = LockLog()
        for problem in problems_of(self.locks):
            config.error(f'{self.own_words}: {problem}')

    def _render_again(self) -> defer.Deferred[None]:
        # needed only when steps know the group that they are in
        return defer.succeed(None)

    def _tell_deadlock(self, error: CircleError) -> None:
        self.lock_log.is_in_deadlock()
        assert error.lock is not None
        error.lock.report('circle', f'{self.lock_name()} fails: {error}')

    def releaseLocks(self) -> None:
        """Release the locks that the step holds. Calling it again does nothing."""
        for lock, access in self._locks_to_acquire:
            lock.release(self, access)
