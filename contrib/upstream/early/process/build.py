# SPDX-License-Identifier: GPL-2.0-only
"""A build before locks are reserved for it: it finds and claims them after it has begun."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure

from buildbot.locking.copy import CircleError
from buildbot.locking.copy import LockClaim
from buildbot.locking.copy import LockError
from buildbot.process.latewrite import end_rows
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import worst_status
from buildbot.util import Notifier
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.buildrequest import BuildRequest

upstream = release(__name__)


class Build(upstream.Build):
    def __init__(self, requests: list[BuildRequest], builder: Any) -> None:
        super().__init__(requests, builder)
        self._ended: Notifier[None] = Notifier()
        # the claim of its locks; and why they could not be determined
        self._claim: LockClaim | None = None
        self._cannot_claim: Failure | None = None
        #: whether the end of a step's row could not be written
        self.has_lost_rows: bool = False
        # whether the metric of active builds counts it, which begins when its locks are known
        self._is_counted = False

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

    def _claim_or_wait(self) -> defer.Deferred[None]:
        if self.stopped:
            return defer.succeed(None)
        try:
            claim = self._claim = LockClaim(self, self._locks_to_acquire)
            if claim.take_at_once():
                self._has_waited(None)
                return defer.succeed(None)
            self._log_locks(self.lock_log.waits)
            d = claim.wait()
        except LockError:
            return defer.fail()
        self._acquiringLock = (claim, None, d)
        self._tell_wait(claim)
        return d.addBoth(self._has_waited)

    def _has_waited(self, result: Any) -> Any:
        self._acquiringLock = None
        if isinstance(result, Failure):
            return result
        if self._claim is not None and self._claim.holds:
            self._log_locks(self.lock_log.granted)
        return self._saying  # waited for, so that later texts are written after it

    def allStepsDone(self) -> Any:
        failed = [step for step in self.executedSteps if step.results == EXCEPTION]
        if self.results == EXCEPTION and failed and all(step.spares_worker for step in failed):
            self.results = FAILURE  # an exception would put the worker in quarantine
        return super().allStepsDone()

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
        if self._claim is not None:
            self._claim.end()
        self._log_locks(self.lock_log.ended, lost=self.is_lost)
        self._tryScheduleBuildsAfterLockUnlock(locks_released=True)

    def _tell_deadlock(self, error: CircleError) -> None:
        assert error.lock is not None
        error.lock.report('circle', f'{self.lock_name()} fails: {error}')

    def step_ended(self) -> None:
        """Take note that a step has ended; others may still run."""
