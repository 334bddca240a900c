# SPDX-License-Identifier: GPL-2.0-only
"""A build holds its locks from before it begins until it has ended, however it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure

from buildbot.process import metrics
from buildbot.process.locks import claim_all
from buildbot.process.locks import release_all
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import worst_status
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder

upstream = release(__name__)


class Build(upstream.Build):
    # whether the locks were claimed before the build began
    _claimed = False

    @staticmethod
    @defer.inlineCallbacks
    def setup_properties_known_before_build_starts(
        props: Any, requests: Any, builder: Any, workerforbuilder: Any = None
    ) -> Any:
        yield upstream.Build.setup_properties_known_before_build_starts(
            props, requests, builder, workerforbuilder
        )
        # branch, revision and their like too: locks are rendered with them
        upstream.Build.setupBuildProperties(props, requests)

    @defer.inlineCallbacks
    def claim_locks(self, workerforbuilder: AbstractWorkerForBuilder) -> Any:
        """Claim the builder's locks for this build, before it begins.

        :param workerforbuilder: the worker that the build is to run on.
        :returns: Deferred of a bool: whether the build may begin. It may also begin if its locks
            cannot be found out; it then fails and says why.
        """
        self.workerforbuilder = workerforbuilder
        try:
            yield self._setup_locks()
        except Exception:
            return True  # startBuild meets the same error, with a build to show it on
        self._claimed = claim_all(self, self._locks_to_acquire)
        return self._claimed

    @defer.inlineCallbacks
    def _setup_locks(self) -> Any:
        if not self._claimed:
            yield super()._setup_locks()

    def acquireLocks(self, res: Any = None) -> Any:
        if self._claimed:
            return defer.succeed(None)
        return super().acquireLocks(res)

    def releaseLocks(self) -> None:
        release_all(self, self._locks_to_acquire)
        self._tryScheduleBuildsAfterLockUnlock(locks_released=True)

    @defer.inlineCallbacks
    def ensure_begun(self, result: Any) -> Any:
        """End a build whose start went wrong or was cancelled before its first row of a step.

        :param result: what ``startBuild`` came to; a Failure is logged and shown on the build.
        """
        if self.finished:
            return
        if isinstance(result, Failure):
            log.err(result, f'{self} could not begin')
            if self._preparation_step is not None and self._preparation_step.stepid is not None:
                yield self._preparation_step.addLogWithFailure(result)
            yield self.buildFinished(['build', 'could', 'not', 'begin'], EXCEPTION)
        elif self.stopped and self._preparation_step is None:
            metrics.MetricCountEvent.log('active_builds', 1)
            yield self.buildFinished([f'cancelled ({self.stopped_reason})'], CANCELLED)

    @defer.inlineCallbacks
    def _start_next_step_impl(self, step: Any) -> Any:
        try:
            yield super()._start_next_step_impl(step)
        except Exception as e:
            # nobody waits for this method, so the build would go on for ever
            log.err(e, f'{self} after step {step.name!r}')
            yield self.buildFinished(['build', 'exception'], EXCEPTION)

    @defer.inlineCallbacks
    def buildFinished(self, text: list[str], results: int) -> Any:
        yield super().buildFinished(text, results)
        self._give_back(results)

    def _give_back(self, results: int) -> None:
        # An error in the ending (the database, say) leaves what came behind it undone.
        if self._build_finished:
            return
        self.finished = True
        self.results = worst_status(self.results, results)
        for give_back in (
            self.releaseLocks,
            self.workerforbuilder.buildFinished,
            lambda: self.builder.buildFinished(self, self.workerforbuilder),
            lambda: self._tryScheduleBuildsAfterLockUnlock(build_finished=True),
        ):
            try:
                give_back()
            except Exception as e:
                log.err(e, f'while ending {self}')

    def addStepsAfterCurrentStep(self, step_factories: list) -> None:
        """Add steps right behind the one that runs, inside the group that it runs in."""
        group = self.currentStep.innermost_group() if self.currentStep is not None else None
        if group is not None:
            group.add_steps_after_current_step(step_factories)
        else:
            super().addStepsAfterCurrentStep(step_factories)
