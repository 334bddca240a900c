# SPDX-License-Identifier: GPL-2.0-only
"""New: a step made of steps, which holds its locks from before the first until after the last."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING
from typing import Any
from typing import Iterable
from typing import Iterator
from typing import Sequence

from twisted.internet import defer
from twisted.python import log

from buildbot import config
from buildbot.config.fileline import at
from buildbot.config.fileline import line_that_runs
from buildbot.config.words import hint
from buildbot.config.words import words_for
from buildbot.interfaces import IBuildStep
from buildbot.interfaces import IBuildStepFactory
from buildbot.interfaces import IRenderable
from buildbot.process import buildstep
from buildbot.process.groups.run import GroupRun
from buildbot.process.groups.run import interrupt
from buildbot.process.groups.run import run_inside
from buildbot.process.groups.tally import short_name
from buildbot.process.locks import names_of_locks
from buildbot.process.rendering import render
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS
from buildbot.process.results import statusToString

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall
    from twisted.python.failure import Failure

    from buildbot.worker.protocols.base import Connection


class StepGroup(buildstep.BuildStep):
    """Steps that run one after another, or several at a time, under the locks of the group.

    The group claims its locks once, before the first step, and releases them after the last one,
    whatever happens in between. Nobody else gets them between two steps. A step in the group that
    names a lock held by the group shares it.

    The flags of the steps (``haltOnFailure``, ``flunkOnFailure``, ``alwaysRun`` and the others)
    apply to the group as they would otherwise apply to the build. The group's own flags say what
    its result means to the build or group around it. A group is not a build: its steps run on the
    build's worker with the build's properties, and are rows ``group/step`` of the build.

    :param steps: the steps, step factories or groups in the group; or a renderable of such a list.
        ``addStep`` and ``addSteps`` add more, as with a factory.
    :param parallel: how many of the steps may run at a time, on the one worker. A step that always
        runs starts when all steps before it have ended.
    :param interruptOnFailure: whether a failure that ends the group interrupts the steps that run
        beside the failed one, except those that always run.
    :param maxTime: seconds after which the group is ended and fails, counted from when it holds its
        locks. Steps that always run still run, for as long as they take.
    :param waitTimeout: seconds after which the group stops waiting for its locks and fails.
    :param env: environment variables for the steps. A step's own variables take precedence.
    :param kwargs: what every step takes, such as ``name``, ``locks``, ``doStepIf``,
        ``haltOnFailure``. ``workdir`` is for steps without a directory of their own. ``hideStepIf``
        hides the rows of the steps, too. With ``name=''`` the group is left out of their paths.
    :raises ConfigErrors: something in ``steps`` is not a step, or an argument is invalid.
    """

    name = 'group'
    kind_of_step = 'step group'
    renderables = ('env', 'interruptOnFailure', 'maxTime', 'parallel', 'waitTimeout')

    def __init__(
        self,
        steps: Any = (),
        parallel: Any = 1,
        interruptOnFailure: Any = False,
        maxTime: Any = None,
        waitTimeout: Any = None,
        env: Any = None,
        **kwargs: Any,
    ) -> None:
        self.steps = steps
        self.parallel = parallel
        self.interruptOnFailure = interruptOnFailure
        self.maxTime = maxTime
        self.waitTimeout = waitTimeout
        self.env = env
        self._added: list[Any] = []
        super().__init__(**kwargs)
        self._report(self.wrong_arguments())
        #: prefix of the names of its steps, before a slash
        self.path = ''
        #: the run of its steps; None before it has begun
        self.group_run: GroupRun | None = None
        # the timer of waitTimeout while it waits for its locks, of maxTime while it runs
        self._timer: IDelayedCall | None = None

    def __str__(self) -> str:
        # with all its steps the line would be unreadable
        return f'StepGroup(name={self.name!r})'

    __repr__ = __str__

    def wrong_arguments(self) -> list[str]:
        """Return a sentence for each invalid argument."""
        problems = [f'{what}, not {words_for(x)}{hint(x)}' for what, x in self._unfit_arguments()]
        return problems + [f'{words_for(s)} is not a step' for s in self._known() if not is_step(s)]

    def _known(self) -> Sequence[Any]:
        # the steps given to the constructor, as far as they are known without a build
        return self.steps if isinstance(self.steps, (list, tuple)) else ()

    def _unfit_arguments(self) -> Iterator[tuple[str, Any]]:
        def is_known(value: Any) -> bool:
            return value is not None and not IRenderable.providedBy(value)

        if is_known(self.steps) and not isinstance(self.steps, (list, tuple)):
            yield 'steps must be a list of steps', self.steps
        if not IRenderable.providedBy(self.parallel) and (
            type(self.parallel) is not int or self.parallel < 1
        ):
            yield 'parallel must be a number of steps', self.parallel
        if is_known(self.interruptOnFailure) and not isinstance(self.interruptOnFailure, bool):
            yield 'interruptOnFailure must be True or False', self.interruptOnFailure
        for name in ('maxTime', 'waitTimeout'):
            value = getattr(self, name)
            if is_known(value) and (
                type(value) not in (int, float) or not 0 <= value <= sys.float_info.max
            ):
                yield f'{name} must be a number of seconds', value
        if is_known(self.env) and not isinstance(self.env, dict):
            yield 'env must be a dictionary', self.env

    @property
    def step_factories(self) -> list[Any]:
        """The factories of the steps, as far as they are known without a build."""
        steps = [*self._known(), *self._added, *self._factory.added_steps]
        return [buildstep.get_factory_from_step_or_factory(s) for s in steps if is_step(s)]

    def has_steps(self) -> bool:
        """Tell whether it was given any steps, or a renderable of them."""
        if IRenderable.providedBy(self.steps):
            return True
        return bool(self.steps or self._added or self._factory.added_steps)

    def addStep(self, step: Any = None) -> Any:
        """Add a step at the end of the group, in the configuration.

        In a build it is called without a step, as for every step, and writes the group's row.

        :raises ConfigErrors: ``step`` is not a step.
        """
        if step is None and self.build is not None:
            return self._add_row()
        return self.addSteps([step])

    def addSteps(self, steps: Sequence[Any]) -> None:
        """Add steps at the end of the group, in the configuration.

        :raises ConfigErrors: one of them is not a step.
        """
        # A subclass may add steps in its constructor: these belong to the instance. Steps that are
        # added later must be known to the factory.
        is_made = getattr(self, '_BuildStepWrapperMixin__init_completed', False)
        for step in steps:
            (self._factory.added_steps if is_made else self._added).append(step)
            if not is_step(step):
                line = at(line_that_runs())
                config.error(f'{self.own_words}: {words_for(step)} is not a step{line}')

    @defer.inlineCallbacks
    def _add_row(self) -> Any:
        around = self.step_group.path if self.step_group is not None else ''
        yield self._render_name()
        name, self.name = self.name, self.name or StepGroup.name
        yield super().addStep()
        self.path = self.name if name else around

    @defer.inlineCallbacks
    def _set_rendered(self, names: Iterable[str], rendered: list[defer.Deferred[Any]]) -> Any:
        yield super()._set_rendered(names, rendered)
        self._check_rendered()

    def _check_rendered(self) -> None:
        problems = self.wrong_arguments()
        if problems:
            self.why_not_run = f'{self.own_words}: {problems[0]}'
            raise ValueError(self.why_not_run)

    @property
    def spares_worker(self) -> bool:
        """True, because only the steps of the group run on the worker."""
        return True

    def addLogWithFailure(self, why: Failure, logprefix: str = '') -> Any:
        if self.why_not_run is None:
            self.why_not_run = buildstep.name_and_message(why)
        return super().addLogWithFailure(why, logprefix)

    def give_defaults(self, step: Any) -> None:
        env = getattr(step, 'env', self)  # not every step has one
        if self.env and (env is None or isinstance(env, dict)):
            step.env = {**self.env, **(env or {})}
        if self.hideStepIf is True:
            step.hideStepIf = True

    @defer.inlineCallbacks
    def startStep(self, remote: Connection) -> Any:
        try:
            results = yield super().startStep(remote)
        finally:
            self._stop_timer()
        if callable(self.hideStepIf):
            stepid: Any = self.stepid
            row = yield self.master.data.get(('steps', stepid))
            if row['hidden']:
                yield self._hide_rows()
        return results

    @defer.inlineCallbacks
    def _hide_rows(self) -> Any:
        # hideStepIf depends on how the group ended, so the rows can be hidden only now
        groups = [self]
        while groups:
            run = groups.pop().group_run
            for step in run.begun if run is not None else ():
                if step.stepid is not None:
                    yield self.master.data.updates.hide_step(step.stepid)
                if isinstance(step, StepGroup):
                    groups.append(step)

    def acquireLocks(self, res: Any = None) -> Any:
        d = super().acquireLocks(res)
        if self._waitingForLocks and self.waitTimeout is not None:
            self._timer = self.master.reactor.callLater(self.waitTimeout, self._has_timed_out)
        return d

    def addTestResultSets(self) -> defer.Deferred[None]:
        """Let the group go on, even if it has been stopped: steps that always run still do."""
        return defer.succeed(None)

    def _has_waited(self, result: Any) -> Any:
        self._stop_timer()
        return super()._has_waited(result)

    def _has_timed_out(self) -> None:
        claim = self._claim
        if claim is not None and claim.waiting:  # else it has been granted them just now
            self.give_up(f'waited {self.waitTimeout} seconds in vain for {self.locks_in_the_way()}')

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    @defer.inlineCallbacks
    def run(self) -> Any:
        if self.maxTime is not None:
            self._timer = self.master.reactor.callLater(self.maxTime, self._out_of_time)
        if IRenderable.providedBy(self.steps):
            rendered = render(self.build, self.steps)
            self.steps = yield self.ask('a renderable of its steps', rendered)
            self._check_rendered()
        if not self.build.conn:
            return RETRY  # the worker was lost meanwhile, and the steps would be made for it
        run = GroupRun(self, self.parallel, self.interruptOnFailure)
        run.agenda.add(self._create(self.step_factories))
        self.group_run = run
        return (yield run.run())

    def _out_of_time(self) -> None:
        why = f'step group {self.name!r} was ended after {self.maxTime} seconds'
        if self.group_run is None:
            super().end_hold(why)  # it is not yet known what its steps are
        else:
            self._cut_short(why)

    def end_hold(self, why: str) -> None:
        """Interrupt the steps and fail for this reason: the group has held its locks for too long.

        Steps that always run still do, with the locks held.
        """
        if self.group_run is None:
            super().end_hold(why)
        elif self.group_run.going and not self.stopped:
            self.why_not_run = why
            self._cut_short(f'step group {self.name!r} was ended; {why}')

    def _cut_short(self, why: str) -> None:
        run = self.group_run
        if run is None or not run.going:
            return  # all steps have ended already
        self.timed_out = True
        run.tally.halt(FAILURE)
        d = self.addCompleteLog('timed out', f'{why}\n')
        d.addErrback(log.err, f'while writing that {why}')
        self._interrupt_deferwaiter.add(d)  # the step's logs are closed only after this write
        run.cut_short(why)

    def group_to_add_to(self) -> buildstep.Group | None:
        run = run_inside(self)
        if run is None:
            return self.step_group  # without a run, added steps come after the group
        group: Any = self
        while len(run.agenda.running) == 1 and (inner := run_inside(run.agenda.running[0])):
            group, run = inner.group, inner
        return group

    def add_steps(self, step_factories: list, after: buildstep.BuildStep) -> None:
        """Run more steps right after one that runs now.

        :param step_factories: steps or step factories.
        :param after: the step; if it is not one of the group's own, they run as soon as they can.
        """
        assert self.group_run is not None
        self.group_run.agenda.add_next(self._create(step_factories), after)

    def _create(self, step_factories: list) -> list[buildstep.BuildStep]:
        steps = self.build.setupBuildSteps(step_factories)
        for step in steps:
            step.step_group = step.lock_parent = self
        return steps

    def interrupt(self, reason: str | Failure) -> defer.Deferred[None]:
        # All groups are marked as stopped first, so that no step starts when another one ends. The
        # steps are interrupted even if a group cannot write its log.
        groups: list[buildstep.BuildStep] = [self]
        steps: list[buildstep.BuildStep] = []
        for group in groups:  # grows as it goes
            run = run_inside(group)
            for step in run.interruptible() if run is not None else ():
                inner = run_inside(step)
                # a group that overrides interrupt is left to its own method
                if inner is not None and type(step).interrupt is StepGroup.interrupt:
                    groups.append(inner.group)
                else:
                    steps.append(step)
        ds = [buildstep.BuildStep.interrupt(group, reason) for group in groups]
        ds += [interrupt(step, reason) for step in steps]
        return defer.gatherResults(ds, consumeErrors=True).addCallback(lambda _: None)

    def getCurrentSummary(self) -> dict[str, str]:
        agenda = self.group_run.agenda if self.group_run is not None else None
        if self.description is not None or agenda is None or not agenda.running:
            return super().getCurrentSummary()
        names = ', '.join(map(short_name, agenda.running))
        summary = f'{agenda.begun} of {agenda.total}: {names}'
        held = names_of_locks([at for at in self._locks_to_acquire if not at[0].resources_of(self)])
        if held:
            summary += f' (holds {held})'
        return {'step': summary}

    def getResultSummary(self) -> dict[str, str]:
        if self.results is None:
            return {'step': 'waiting to start'}
        own_words = self.description is not None or self.descriptionDone is not None
        if own_words or self.group_run is None:
            return super().getResultSummary()
        agenda, tally = self.group_run.agenda, self.group_run.tally
        summary = f'{agenda.begun} of {agenda.total} steps'
        if tally.not_well:
            summary += f': {", ".join(tally.not_well)}'
        elif self.results != SUCCESS:
            summary += f' ({statusToString(self.results)})'
        if self.timed_out:
            summary += ' (timed out)'
        return {'step': summary}

    @defer.inlineCallbacks
    def getBuildResultSummary(self) -> Any:
        summary = yield super().getBuildResultSummary()
        said = self.group_run.tally.said if self.group_run is not None else []
        if said and ('build' in summary or self.results in (SUCCESS, WARNINGS)):
            summary['build'] = ' '.join(said)  # the steps' own words say more
        return summary


def is_step(thing: Any) -> bool:
    return IBuildStep.providedBy(thing) or IBuildStepFactory.providedBy(thing)
