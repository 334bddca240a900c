# SPDX-License-Identifier: GPL-2.0-only
"""New: the steps that a configuration names, as far as they are known without a build."""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import Iterator
from typing import NamedTuple

from buildbot.config.errors import capture_config_errors
from buildbot.config.errors import error
from buildbot.db import model_config
from buildbot.interfaces import IRenderable
from buildbot.process.buildstep import BuildStep
from buildbot.process.buildstep import _BuildStepFactory
from buildbot.process.stepgroup import StepGroup


class Place(NamedTuple):
    """Where a step stands.

    :param step: the step, made as it would be for a build.
    :param path: its name, behind those of the groups around it; None if one of them is rendered.
    :param where: words for where it stands.
    """

    step: BuildStep
    path: str | None
    where: str

    @property
    def is_nested(self) -> bool:
        """Whether it stands in a group."""
        return self.where.startswith('in group')


class _Standing(NamedTuple):
    # a factory that is to be looked at
    factory: Any
    prefix: str | None
    where: str
    around: _Standing | None

    def is_in_itself(self) -> bool:
        outer = self.around
        while outer is not None:
            if outer.factory is self.factory:
                return True
            outer = outer.around
        return False


def steps_of_builder(
    builder: Any, report: Callable[[str], Any] = lambda what_is_wrong: None
) -> Iterator[Place]:
    """Yield the steps of a builder, and behind each group those in it.

    What a user's own kind of factory makes is not known without a build.

    :param report: called with a sentence for each step that cannot be looked at.
    """
    where = f'of builder {builder.name!r}'
    factories = getattr(builder.factory, 'steps', ())
    names: dict[str, int] = {}
    todo = [_Standing(factory, '', where, None) for factory in reversed(factories)]
    while todo:
        standing = todo.pop()
        step = _make(standing.factory, standing.where, report)
        if step is None:
            continue
        name = None if IRenderable.providedBy(step.name) else step.name
        row = StepGroup.name if name == '' else name
        path = None
        if standing.prefix is not None and row is not None:
            path = _unique('/'.join(filter(None, (standing.prefix, row))), names)
        yield Place(step, path, standing.where)
        if not isinstance(step, StepGroup):
            continue
        if standing.is_in_itself():
            report(f'step group {step.name!r} {standing.where} is in itself')
            continue
        prefix = standing.prefix if name == '' else path
        where = standing.where
        if where.count(' in ') < 3:
            where = f'in group {step.name!r} {where}'
        todo += [_Standing(f, prefix, where, standing) for f in reversed(step.step_factories)]


def _make(factory: Any, where: str, report: Callable[[str], Any]) -> BuildStep | None:
    if not isinstance(factory, _BuildStepFactory):
        return None
    try:
        with capture_config_errors():  # they have been reported when it was written down
            return factory.buildStep()
    except Exception as e:
        report(f'step {factory.step_class.__name__} {where} cannot be made for a build: {e!r}')
    return None


def _unique(path: str, names: dict[str, int]) -> str:
    # as a build does it
    if path not in names:
        names[path] = 0
        return path
    names[path] += 1
    return f'{path}_{names[path]}'


def check_steps(builder: Any) -> list[Place]:
    """Report groups of a builder without steps, and paths that are too long to be shown.

    :returns: the steps of the builder, all of which have been looked at.
    """
    places = []
    limit = model_config.step_name_length
    too_long = ''  # what is inside of it is too long as well, and need not be told
    for place in steps_of_builder(builder, error):
        places.append(place)
        step, path, where = place
        if isinstance(step, StepGroup) and not step.has_steps():
            error(f'step group {step.name!r} {where} has no steps')
        if (
            path is not None
            and len(path) > limit
            and not (too_long and path.startswith(f'{too_long}/'))
        ):
            too_long = path
            error(
                f'{step.kind_of_step} {step.name!r} {where}: its path {path!r} is longer than the'
                f' {limit} characters that the name of a step may have'
            )
    return places
