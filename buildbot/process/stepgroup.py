# SPDX-License-Identifier: GPL-2.0-only
"""New: a step made of steps, which holds its locks from before the first to after the last."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from typing import Any
from typing import Iterator
from typing import Sequence

from twisted.internet import defer
from twisted.python import log

from buildbot import config
from buildbot.db import model_config
from buildbot.interfaces import IBuildStep
from buildbot.interfaces import IBuildStepFactory
from buildbot.process import buildstep
from buildbot.process.results import EXCEPTION
from buildbot.process.results import RETRY
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS
from buildbot.process.results import computeResultAndTermination
from buildbot.process.results import statusToString

if TYPE_CHECKING:
    from twisted.python.failure import Failure


class StepGroup(buildstep.BuildStep):
    """Steps that run one after another under the locks of the group.

    The locks are claimed once, before the first step, and let go after the last one, whatever
    happens in between; nobody else gets them between two steps. A step in the group that names a
    lock which the group holds shares it.

    Inside the group the flags of its steps (``haltOnFailure``, ``flunkOnFailure``, ``alwaysRun``
    and the others) mean to the group what they otherwise mean to the build. The group's own flags
    then say what its result means to what is around it. It is not a build of its own: its steps run
    on the build's worker with the build's properties, and are rows ``group/step`` of the build.

    :param steps: the steps, step factories or groups in it, at least one.
    :param kwargs: what every step takes, such as ``name``, ``locks``, ``doStepIf``,
        ``haltOnFailure``.
    :raises ConfigErrors: there are no steps, one of them is not a step, or the path of one is
        longer than the database can hold.
    """

    name = 'group'

    def __init__(self, steps: Sequence[Any] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        steps = list(self._check_steps(steps))
        self.step_factories = [buildstep.get_factory_from_step_or_factory(step) for step in steps]
        self.longest_path = self._check_paths(steps)
        self.current: buildstep.BuildStep | None = None
        self._to_come: deque[buildstep.BuildStep] = deque()
        self._going = False  # whether there will be a next step, if one is added
        self._begun = 0
        self._total = len(self.step_factories)
        self._not_well: list[str] = []

    def _check_steps(self, steps: Any) -> Iterator[Any]:
        if not isinstance(steps, (list, tuple, type(None))):
            config.error(f'step group {self.name!r}: steps must be a list of steps, not {steps!r}')
        elif not steps:
            config.error(f'step group {self.name!r} has no steps')
        else:
            for step in steps:
                if IBuildStep.providedBy(step) or IBuildStepFactory.providedBy(step):
                    yield step
                else:
                    config.error(f'step group {self.name!r}: {step!r} is not a step')

    def _check_paths(self, steps: list[Any]) -> str:
        # names that are rendered are known in a build only, and measured there by the database
        longest = ''
        for step in steps:
            if not IBuildStep.providedBy(step):
                step = step.buildStep()
            name = step.longest_path if isinstance(step, StepGroup) else step.name
            if isinstance(self.name, str) and isinstance(name, str):
                longest = max(longest, f'{self.name}/{name}', key=len)
        limit = model_config.step_name_length
        if len(longest) > limit:
            config.error(
                f'step group {self.name!r}: the path {longest!r} is longer than the {limit}'
                ' characters that the name of a step may have'
            )
        return longest

    def innermost_group(self) -> StepGroup | None:
        if not self._going:
            return self.group  # steps added before or after its own come behind it
        return (self.current and self.current.innermost_group()) or self

    @defer.inlineCallbacks
    def run(self) -> Any:
        self._to_come.extend(self._create(self.step_factories))
        results, halted = SUCCESS, False
        self._going = True
        while True:
            step = self._next_step(halted)
            if step is None:
                break
            try:
                result = yield self._run_step(step)
            except Exception as e:
                # an error of the master's own (the database, say): what always runs still does
                log.err(e, f'in step {step.name!r}')
                result = EXCEPTION

            if result not in (SUCCESS, WARNINGS, SKIPPED):
                self._not_well.append(f'{step.name.rpartition("/")[2]} {statusToString(result)}')
            results, terminate = computeResultAndTermination(step, result, results)
            halted = halted or terminate
        self._going = False
        # without a connection the build is tried again, as when it is lost inside a mere step
        return results if self.build.conn else RETRY

    @defer.inlineCallbacks
    def _run_step(self, step: buildstep.BuildStep) -> Any:
        self.current = step
        self._begun += 1
        self.updateSummary()
        self.build.executedSteps.append(step)
        try:
            result = yield step.startStep(self.build.conn)
        finally:
            self.current = None
        yield self.master.data.updates.setBuildProperties(self.build.buildid, self.build)
        return result

    def _create(self, step_factories: list) -> list[buildstep.BuildStep]:
        steps = self.build.setupBuildSteps(step_factories)
        for step in steps:
            step.group = self
        return steps

    def _next_step(self, halted: bool) -> buildstep.BuildStep | None:
        while self._to_come and self.build.conn:
            step = self._to_come.popleft()
            if step.alwaysRun or not (halted or self.stopped):
                return step
        return None

    def add_steps_after_current_step(self, step_factories: list) -> None:
        """Run further steps right behind the one that runs now.

        :param step_factories: steps or step factories.
        """
        self._to_come.extendleft(reversed(self._create(step_factories)))
        self._total += len(step_factories)

    def interrupt(self, reason: str | Failure) -> defer.Deferred[None]:
        # The group is marked as stopped first, so that the end of the step starts no other; and the
        # step hears of it even if the group cannot write its log.
        ds = [super().interrupt(reason)]
        if self.current is not None and self.current.results is None:
            ds.append(defer.maybeDeferred(self.current.interrupt, reason))
        return defer.gatherResults(ds, consumeErrors=True).addCallback(lambda _: None)

    def getCurrentSummary(self) -> dict[str, str]:
        if self.description is not None or self.current is None:
            return super().getCurrentSummary()
        name = str(self.current.name).rpartition('/')[2]
        return {'step': f'{self._begun} of {self._total}: {name}'}

    def getResultSummary(self) -> dict[str, str]:
        if self.results is None:
            return {'step': 'waiting to start'}
        if self.description is not None or self.descriptionDone is not None:
            return super().getResultSummary()
        summary = f'{self._begun} of {self._total} steps'
        if self._not_well:
            summary += f': {", ".join(self._not_well)}'
        elif self.results != SUCCESS:
            summary += f' ({statusToString(self.results)})'
        return {'step': summary}
