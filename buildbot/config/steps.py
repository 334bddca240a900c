# SPDX-License-Identifier: GPL-2.0-only
"""New: the steps that a configuration names, as far as they are known without a build."""

from __future__ import annotations

from typing import Any
from typing import Iterator
from typing import NamedTuple

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


def steps_of_builder(builder: Any) -> Iterator[Place]:
    """Yield the steps of a builder, and behind each group those in it.

    What a user's own kind of factory makes is not known without a build.
    """
    around: tuple[str | None, str] = ('', f'of builder {builder.name!r}')
    todo = [(factory, *around) for factory in reversed(builder.factory.steps)]
    while todo:
        factory, prefix, where = todo.pop()
        if not isinstance(factory, _BuildStepFactory):
            continue
        step = factory.buildStep()
        name = None if IRenderable.providedBy(step.name) else step.name
        is_group = isinstance(step, StepGroup)
        row = name or StepGroup.name if name is not None and is_group else name
        path = None if prefix is None or row is None else '/'.join(filter(None, (prefix, row)))
        place = Place(step, path, where)
        yield place
        if is_group:
            inner_prefix = prefix if name == '' else path
            inner = f'in group {step.name!r} {where}' if where.count(' in ') < 3 else where
            todo += [(f, inner_prefix, inner) for f in reversed(step.step_factories)]


def check_steps(builder: Any) -> None:
    """Report groups of a builder without steps, and paths that are too long to be shown."""
    limit = model_config.step_name_length
    too_long = ''  # what is inside of it is too long as well, and need not be told
    for step, path, where in steps_of_builder(builder):
        if isinstance(step, StepGroup) and not step.has_steps():
            error(f'step group {step.name!r} {where} has no steps')
        if (
            path is not None
            and len(path) > limit
            and not (too_long and path.startswith(f'{too_long}/'))
        ):
            too_long = path
            error(
                f'step {step.name!r} {where}: its path {path!r} is longer than the {limit}'
                ' characters that the name of a step may have'
            )
