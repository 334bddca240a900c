# SPDX-License-Identifier: GPL-2.0-only
"""New: the steps that a configuration names, as far as they are known without a build."""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import Iterator
from typing import NamedTuple
from typing import Sequence

from buildbot.config.errors import ConfigErrors
from buildbot.config.errors import capture_config_errors
from buildbot.config.fileline import FileLine
from buildbot.config.fileline import at
from buildbot.config.locks import problems_of
from buildbot.db import model_config
from buildbot.process.buildstep import BuildStep
from buildbot.process.buildstep import _BuildStepFactory
from buildbot.process.groups.step import StepGroup


class FoundStep(NamedTuple):
    """A step of a configuration, and where it is. It belongs to no build.

    :param step: the step, made as it would be for a build.
    :param path: its name, after those of the groups around it; None if one of them is rendered.
    :param builder: the configuration of its builder.
    :param group: the group that it is in; None if it is in none.
    """

    step: BuildStep
    path: str | None
    builder: Any
    group: FoundStep | None

    def __str__(self) -> str:
        words = [self.step.own_words]
        for found in self.around():
            words.append(found.step.own_words)
        words.append(f'builder {self.builder.name!r}')
        return ', '.join(reversed(words))

    def around(self) -> Iterator[FoundStep]:
        """Yield the groups around it, from the inside out."""
        found = self.group
        while found is not None:
            yield found
            found = found.group

    @property
    def is_nested(self) -> bool:
        """Whether it is in a group."""
        return self.group is not None

    @property
    def line(self) -> FileLine | None:
        """The line of the configuration that has the step; None if it is not known."""
        return self.step._factory.written_at


class _Standing(NamedTuple):
    """A step factory that is yet to be examined. It is not a step."""

    factory: Any
    prefix: str | None
    group: FoundStep | None


def steps_of_builder(
    builder: Any, report: Callable[[str], Any] = lambda what_is_wrong: None
) -> Iterator[FoundStep]:
    """Yield the steps of a builder, and after each group those in it.

    What a user's own factory class makes is not known without a build.

    :param report: called with a sentence for each step that cannot be examined.
    """
    factories = getattr(builder.factory, 'steps', ())
    names: dict[str, int] = {}
    todo = [_Standing(factory, '', None) for factory in reversed(factories)]
    while todo:
        factory, prefix, group = todo.pop()
        if not isinstance(factory, _BuildStepFactory):
            continue
        try:
            step = _make(factory)
        except Exception as e:
            where = f'builder {builder.name!r}' if group is None else str(group)
            what = f'step {factory.step_class.__name__} cannot be made for a build: {e!r}'
            report(f'{where}: {what}{at(factory.written_at)}')
            continue
        name = step.name if isinstance(step.name, str) else None  # else rendered or refused
        row = StepGroup.name if name == '' else name
        path = None
        if prefix is not None and row is not None:
            path = _unique('/'.join(filter(None, (prefix, row))), names)
        found = FoundStep(step, path, builder, group)
        yield found
        if not isinstance(step, StepGroup):
            continue
        if any(outer.step._factory is factory for outer in found.around()):
            report(f'{found}: it contains itself{at(found.line)}')
            continue
        prefix = prefix if name == '' else path
        todo += [_Standing(inner, prefix, found) for inner in reversed(step.step_factories)]


def _make(factory: _BuildStepFactory) -> BuildStep:
    with capture_config_errors() as errors:
        return factory.buildStep()  # its faults are reported elsewhere
    raise ConfigErrors(errors.errors)  # one of them was raised


def _unique(path: str, names: dict[str, int]) -> str:
    # as a build does
    if path not in names:
        names[path] = 0
        return path
    names[path] += 1
    return f'{path}_{names[path]}'


def workers_of(builder: Any) -> Sequence[str]:
    """Return the names of the workers of a builder; none if it has another form than Buildbot's."""
    names = builder.workernames
    return names if isinstance(names, (list, tuple)) else ()


def check_steps(builder: Any, report: Callable[[str], Any]) -> list[FoundStep]:
    """Report what is wrong with the steps of a builder: their locks, arguments of groups, paths.

    :param report: called with a sentence for each fault.
    :returns: the steps, all of which have been examined.
    """
    found_steps = []
    too_long = ''  # paths inside it are too long as well
    for found in steps_of_builder(builder, report):
        found_steps.append(found)
        problems = problems_of(found.step.locks, workers=workers_of(builder))
        if isinstance(found.step, StepGroup):
            problems += found.step.wrong_arguments() or _lack_of_steps(found.step)
        if found.path is not None and not (too_long and found.path.startswith(f'{too_long}/')):
            if len(found.path) > model_config.step_name_length:
                too_long = found.path
                problems += _length_of_path(found)
        for problem in problems:
            report(f'{found}: {problem}{at(found.line)}')
    return found_steps


def _lack_of_steps(group: StepGroup) -> list[str]:
    return [] if group.has_steps() else ['it has no steps']


def _length_of_path(found: FoundStep) -> list[str]:
    limit = model_config.step_name_length
    if len(str(found.step.name)) > limit:
        return []  # this was reported when it was made
    return [
        f'its path {found.path!r} is longer than the {limit} characters that the name of a step'
        ' may have'
    ]
