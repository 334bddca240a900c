# SPDX-License-Identifier: GPL-2.0-only
"""New: one run of the steps of a group, from the first to the last."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.process.groups.agenda import Agenda
from buildbot.process.groups.tally import Tally
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import RETRY
from buildbot.util.eventual import fireEventually
from buildbot.worker.lane import LaneConnection

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from buildbot.process.buildstep import BuildStep


class GroupRun:
    """One run of the steps of a group. It starts and ends the steps.

    It has neither row nor locks; those belong to the group, which is a step itself.

    :param group: the group; it holds its locks.
    :param parallel: how many of its steps may run at a time.
    :param interrupts: whether a failure that ends the group interrupts the steps that still run.
    :ivar agenda: the steps still to start, and those that run.
    :ivar tally: the result so far.
    :ivar begun: the steps that have begun, in order.
    :ivar going: whether a step that is added now will run.
    """

    def __init__(self, group: BuildStep, parallel: int, interrupts: bool) -> None:
        self.group = group
        self.build = group.build
        self.interrupts = interrupts
        self.agenda = Agenda(parallel)
        self.tally = Tally()
        self.begun: list[BuildStep] = []
        self.going = True
        self._changed: defer.Deferred[None] | None = None

    @defer.inlineCallbacks
    def run(self) -> Any:
        """Run everything on the agenda.

        :returns: Deferred of the group's result.
        """
        # A turn of the reactor before the first step and after the last keeps deeply nested groups
        # from becoming deeply nested calls.
        yield fireEventually()
        while True:
            if not self.build.conn:
                self.agenda.clear()
            step = self.agenda.start(halted=self._is_halted())
            if step is not None:
                self._begin(step)
            elif self.agenda.running:
                changed = self._changed = defer.Deferred()
                self.build.step_ended()  # only now is it known that no other step begins after it
                yield changed
            else:
                break
        self.going = False
        yield fireEventually()
        if not self.build.conn:
            return RETRY  # the build is tried again, as when any step loses its worker
        return CANCELLED if self.group.stopped else self.tally.result

    @property
    def rests(self) -> bool:
        """Whether no step begins in this run until a running one has ended."""
        ended = any(step.results is not None for step in self.agenda.running)
        return self._changed is not None and not ended

    def _is_halted(self) -> bool:
        return self.tally.halted or self.group.stopped

    def _begin(self, step: BuildStep) -> None:
        # not waited for: `run` waits until any step has ended
        d = self._run_step(step)
        d.addErrback(self._end_in_error, step)
        d.addCallback(self._go_on)

    def _end_in_error(self, why: Failure, step: BuildStep) -> None:
        log.err(why, f'while ending {step.lock_name()}')
        self.agenda.end(step)
        self.tally.halt(EXCEPTION)

    def _go_on(self, _: Any) -> None:
        if self._changed is not None:
            changed, self._changed = self._changed, None
            changed.callback(None)

    @defer.inlineCallbacks
    def _run_step(self, step: BuildStep) -> Any:
        self.begun.append(step)
        self.build.executedSteps.append(step)
        self.group.updateSummary()
        # a step that runs alone needs no lane of its own
        step.worker_lane = (
            self.build.lanes.open() if self.agenda.parallel > 1 else self.group.worker_lane
        )
        try:
            yield self._start_step(step)
        except Exception as e:
            # an error in the master (such as in its database): steps that always run still do
            log.err(e, f'in {step.lock_name()}')
            step.results = EXCEPTION
            yield self._finish_row(step)
        finally:
            self._end_step(step)

    def _end_step(self, step: BuildStep) -> None:
        if step.worker_lane != self.group.worker_lane:
            self.build.lanes.close(step.worker_lane)
        self.agenda.end(step)
        if self.tally.count(step, step.results) and self.interrupts:
            self.cut_short(f'{step.lock_name()} did not succeed')
        self.group.updateSummary()

    @defer.inlineCallbacks
    def _start_step(self, step: BuildStep) -> Any:
        connection: Any = self.build.conn
        worker: Any = step.worker
        if step.worker_lane:
            yield worker.open_lane(self.build.builder.name, step.worker_lane)
            connection = LaneConnection(connection, step.worker_lane)
        if self._is_halted() and not step.alwaysRun:
            step.results = CANCELLED  # the group was halted while the lane was opened
            return
        results = yield step.startStep(connection)
        if not isinstance(results, int):
            raise TypeError(f'the result of {step.lock_name()} is {results!r}, which is none')
        yield self.build.write_properties()
        summary = yield step.getBuildResultSummary()
        if 'build' in summary:
            self.tally.said.append(summary['build'])

    @defer.inlineCallbacks
    def _finish_row(self, step: BuildStep) -> Any:
        if step.stepid is not None:
            try:
                yield self.build.master.data.updates.finishStep(step.stepid, step.results, False)
            except Exception as e:
                self.build.has_lost_rows = True
                log.err(e, f'while ending the row of {step.lock_name()}')

    def cut_short(self, reason: str) -> None:
        """Interrupt the running steps, also in inner groups, except those that always run.

        The group itself goes on: steps that always run still do.
        """
        runs = [self]
        interrupted: list[BuildStep] = []
        for run in runs:  # grows as it goes
            steps = [step for step in run.interruptible() if not step.alwaysRun]
            run.tally.set_aside(steps)
            for step in steps:
                inner = run_inside(step)
                if inner is None:
                    interrupted.append(step)
                else:
                    inner.tally.halt(CANCELLED)
                    runs.append(inner)
        for step in interrupted:
            interrupt(step, reason)

    def interruptible(self) -> list[BuildStep]:
        """Return the running steps that have no result yet."""
        return [step for step in self.agenda.running if step.results is None]


def interrupt(step: BuildStep, reason: str | Failure) -> defer.Deferred[Any]:
    """Interrupt a step. An error is logged.

    :returns: Deferred that fires when the step has been interrupted; it does not fail.
    """
    d = defer.maybeDeferred(step.interrupt, reason)
    return d.addErrback(log.err, f'while interrupting {step.lock_name()}')


def run_inside(step: BuildStep) -> GroupRun | None:
    """Return the present run of a group's steps; None if the step is not a group or has no run."""
    run = getattr(step, 'group_run', None)
    return run if run is not None and run.going else None


def always_running(build: Any) -> Any:
    """Return a running step of a build that always runs; None if there is none."""
    steps = [build.currentStep] if build.currentStep is not None else []
    for step in steps:  # grows as it goes
        if step.alwaysRun and step.results is None:
            return step
        run = run_inside(step)
        steps += run.interruptible() if run is not None else ()
    return None
