# SPDX-License-Identifier: GPL-2.0-only
"""A build before locks are reserved for it: it finds and claims them after it has begun."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure

from buildbot.locking.copy import CircleError
from buildbot.locks import LockError
from buildbot.process.latewrite import end_rows
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import worst_status
from buildbot_overlay import release

upstream = release(__name__)


class Build(upstream.Build):
    @defer.inlineCallbacks
    def buildFinished(self, text: list[str], results: int) -> Any:
        is_lost = self.workerforbuilder.worker is None
        if is_lost and worst_status(self.results, results) == EXCEPTION:
            results = RETRY  # the worker is lost, and is not at fault
        if self.buildid is not None:
            yield super().buildFinished(text, results)
        is_written = self._build_finished or self.buildid is None
        if not self._build_finished:
            self._give_back(results)
        if self.has_lost_rows or not is_written:
            d = end_rows(self.master, self.buildid, ' '.join(text), self.results)
            d.addErrback(log.err, f'while ending the rows of {self}')
        self._ended.notify(None)

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

        :returns: Deferred that fires when the locks are held, or when the build is stopped.
        """
        return self._claim_or_wait()

    def _has_waited(self, result: Any) -> Any:
        self._end_limit()
        self._acquiringLock = None
        if isinstance(result, Failure):
            return result
        if self._gave_up is not None:
            return Failure(LockError(self._gave_up))
        if self._claim is not None and self._claim.holds:
            self._log_locks(self.lock_log.granted)
            self._limit_hold()
        return self._saying  # waited for, so that later texts are written after it

    def setupBuild(self) -> None:
        super().setupBuild()
        for step, names in zip(self.steps, self.step_locks.by_step):
            step.worker_lock_names = names

    def end_hold(self, why: str) -> None:
        """Stop and fail for this reason, because the build has held its locks for too long."""
        if self.finished or self.stopped:
            return  # it is already ending for another reason
        self._held_too_long = True
        step = self.currentStep
        if step is not None and step.results is None:
            step.why_not_run = why  # its exception then does not put the worker in quarantine
        d = self.stopBuild(why, FAILURE)
        d.addErrback(log.err, f'while stopping {self}')

    def releaseLocks(self) -> None:
        self._end_limit()
        if self._claim is not None:
            self._claim.end()
        self._log_locks(self.lock_log.ended, lost=self.is_lost)
        self._tryScheduleBuildsAfterLockUnlock(locks_released=True)

    def _tell_deadlock(self, error: CircleError) -> None:
        assert error.lock is not None
        error.lock.report('circle', f'{self.lock_name()} fails: {error}')

    def step_ended(self) -> None:
        """Take note that a step has ended; others may still run."""
