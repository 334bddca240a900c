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
    """The steps of a group while they run; each run of a group has its own.

    It starts and ends them, and is neither the group's row nor its locks: these the group has,
    which is a step like others.

    :param group: the step that they are in; it holds its locks.
    :param parallel: how many of them may run at a time.
    :param interrupts: whether a failure that ends the group interrupts those that still run.
    :ivar agenda: the steps to come, and those that run.
    :ivar tally: the result so far.
    :ivar begun: the steps that were begun, in order.
    :ivar going: whether a step that is added now will be run.
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
        """Run all there is on the agenda.

        :returns: Deferred of the result of the group.
        """
        # A turn of the reactor before the first step and after the last keeps groups in groups from
        # being calls in calls.
        yield fireEventually()
        while True:
            if not self.build.conn:
                self.agenda.clear()
            step = self.agenda.start(halted=self._is_halted())
            if step is not None:
                self._begin(step)
            elif self.agenda.running:
                changed = self._changed = defer.Deferred()
                self.build.step_ended()  # only now it is known that no other begins behind it
                yield changed
            else:
                break
        self.going = False
        yield fireEventually()
        if not self.build.conn:
            return RETRY  # the build is tried again, as when the worker is lost inside a mere step
        return CANCELLED if self.group.stopped else self.tally.result

    @property
    def rests(self) -> bool:
        """Whether no step begins in it until one of those that run has ended."""
        ended = any(step.results is not None for step in self.agenda.running)
        return self._changed is not None and not ended

    def _is_halted(self) -> bool:
        return self.tally.halted or self.group.stopped

    def _begin(self, step: BuildStep) -> None:
        # `run` waits until any step has ended, not for this one
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
        # lane 0 is for what runs alone
        step.worker_lane = (
            self.build.lanes.open() if self.agenda.parallel > 1 else self.group.worker_lane
        )
        try:
            yield self._start_step(step)
        except Exception as e:
            # an error of the master's own (the database, say): what always runs still does
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
            step.results = CANCELLED  # while its lane was opened
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
        """Interrupt the steps that run, in groups inside too, but for those that always run.

        The group itself goes on: what always runs still does.
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
        """Return the steps that run and have no result yet."""
        return [step for step in self.agenda.running if step.results is None]


def interrupt(step: BuildStep, reason: str | Failure) -> defer.Deferred[Any]:
    """Interrupt a step; if that goes wrong it is logged.

    :returns: Deferred that fires, without an error, when that has been done.
    """
    d = defer.maybeDeferred(step.interrupt, reason)
    return d.addErrback(log.err, f'while interrupting {step.lock_name()}')


def run_inside(step: BuildStep) -> GroupRun | None:
    """Return the run of a group's steps; None if it is no group, or none of them runs now."""
    run = getattr(step, 'group_run', None)
    return run if run is not None and run.going else None


def always_running(build: Any) -> Any:
    """Return the step of a build that runs now and always does; None if there is none."""
    steps = [build.currentStep] if build.currentStep is not None else []
    for step in steps:  # grows as it goes
        if step.alwaysRun and step.results is None:
            return step
        run = run_inside(step)
        steps += run.interruptible() if run is not None else ()
    return None
