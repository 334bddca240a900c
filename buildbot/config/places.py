# SPDX-License-Identifier: GPL-2.0-only
"""New: the places of a configuration where locks are claimed, and what is held around them."""

from __future__ import annotations

from itertools import islice
from typing import Any
from typing import Callable
from typing import Iterable
from typing import Iterator
from typing import Sequence

from buildbot.config.steps import FoundStep
from buildbot.config.steps import workers_of
from buildbot.interfaces import IRenderable
from buildbot.locks import BaseLockId
from buildbot.locks import LockAccess
from buildbot.locks import WorkerLock
from buildbot.locks import in_access
from buildbot.process.groups.step import StepGroup
from buildbot.schedulers.triggerable import Triggerable
from buildbot.steps.trigger import Trigger

#: how many nested builds are followed: a build, those that it triggers, and so on
DEPTH = 4

#: how many ways to trigger a build are followed in all
WAYS = 1000


class Place:
    """A builder, group or step, in the builds of one way to reach it. It is not a build.

    :param builder: the configuration of its builder.
    :param step: as it was found in the configuration.
    :param of_workers: names of the locks that its workers claim for a build of it.
    :param around: the place that it is in: a group, the builder, or for a triggered builder the
        step that waits for it; None if it is in none.
    :ivar step: the step or group; None for the builder itself.
    :ivar accesses: what it claims, as far as known without a build; accesses with count 0 are left
        out.
    :ivar names: the locks that it may claim: these, and for a builder those of its workers.
    :ivar held: the names of the locks that may be held around it.
    :ivar way: the places around it, from the outside in, and then itself.
    :ivar builds: those of them that stand for a whole build.
    :ivar width: how many of the places directly in it may be active at one time.
    """

    def __init__(
        self,
        builder: Any,
        step: FoundStep | None,
        around: Place | None,
        of_workers: Iterable[str] = (),
    ) -> None:
        self.builder = builder
        self.around = around
        self.width: float = 1
        self.step = step
        self.way: tuple[Place, ...] = (self,) if around is None else (*around.way, self)
        self.builds: tuple[Place, ...] = () if around is None else around.builds
        if step is None:
            self.builds += (self,)
        self.accesses = known_accesses(builder.locks if step is None else step.step.locks)
        own = [access.lockid.name for access in self.accesses]
        self.names = dict.fromkeys([*own, *of_workers])
        self.held: dict[str, None] = around.names_within if around is not None else {}
        #: the names of the locks that may be held in it
        self.names_within: dict[str, None] = (
            {**self.held, **self.names} if self.names else self.held
        )
        if step is not None and isinstance(step.step, StepGroup):
            parallel = step.step.parallel
            self.width = parallel if isinstance(parallel, int) else 1

    def __str__(self) -> str:
        cause = self.cause
        return self.words if cause is None else f'{self.words} (triggered by {cause})'

    @property
    def words(self) -> str:
        """What it is, without what has triggered its build."""
        words = f'builder {self.builder.name!r}'
        if self.step is not None:
            step = self.step.step
            kind = step.kind_of_step.split()[-1]
            words += f', {kind} {self.step.path!r}' if self.step.path else f', {step.own_words}'
        return words

    @property
    def is_build(self) -> bool:
        """Whether it stands for a whole build."""
        return self.step is None

    @property
    def may_wait(self) -> bool:
        """Whether somebody may wait there without leaving the line for the sake of others."""
        return self.around is not None and bool(self.names)

    @property
    def cause(self) -> Place | None:
        """The step that has triggered its build and waits for it; None if there is none."""
        return next(place.around for place in self.inside_out() if place.is_build)

    def inside_out(self) -> Iterator[Place]:
        """Return it and the places around it."""
        return reversed(self.way)

    def around_it(self) -> Iterator[Place]:
        """Yield the places around it, from the inside out."""
        return islice(self.inside_out(), 1, None)

    def shares(self, access: LockAccess) -> bool:
        """Tell whether what is wanted is already held around, where nobody else can take it."""
        of_build = True
        for inner, place in zip(self.inside_out(), self.around_it()):
            of_build = of_build and not inner.is_build
            if place.width > 1:
                return False  # places beside it may have it
            for held in place.accesses:
                if held.lockid.name == access.lockid.name and is_within(access, held):
                    # a triggered build may have another worker
                    return of_build or not isinstance(held.lockid, WorkerLock)
        return False


def known_accesses(locks: Any) -> list[LockAccess]:
    """Return the accesses of a list of locks that are known without a build."""
    if not locks or not isinstance(locks, (list, tuple)):
        return []
    known = [
        in_access(lock)
        for lock in locks
        if not IRenderable.providedBy(lock) and isinstance(lock, (LockAccess, BaseLockId))
    ]
    return [access for access in known if access.mode == 'exclusive' or access.count]


def is_within(access: LockAccess, held: LockAccess) -> bool:
    """Tell whether one access wants no more than another one has."""
    return held.mode == 'exclusive' or (access.mode == 'counting' and access.count <= held.count)


def places_of(config: Any, steps_of: Callable[[Any], Iterable[FoundStep]]) -> Iterator[Place]:
    """Yield all places of a configuration, each after the places around it.

    :param config: a ``MasterConfig``.
    :param steps_of: takes the configuration of a builder, and returns its steps.
    """
    schedulers = config.schedulers
    by_name = {builder.name: builder for builder in config.builders}
    steps = {name: list(steps_of(builder)) for name, builder in by_name.items()}
    of_worker = {
        worker.name: [access.lockid.name for access in known_accesses(worker.access)]
        for worker in config.workers
    }
    of_workers = {
        name: [n for worker in workers_of(builder) for n in of_worker.get(worker, ())]
        for name, builder in by_name.items()
    }

    def build_of(builder: Any, around: Place | None) -> Place:
        return Place(builder, None, around, of_workers[builder.name])

    todo = [build_of(builder, None) for builder in reversed(by_name.values())]
    ways = WAYS
    while todo:
        build = todo.pop()
        yield build
        way: list[tuple[FoundStep, Place]] = []
        for found in steps[build.builder.name]:
            if any(each.step.doStepIf is False for each in (found, *found.around())):
                continue
            while way and way[-1][0] is not found.group:
                way.pop()
            place = Place(build.builder, found, way[-1][1] if way else build)
            way.append((found, place))
            yield place
            named = [by_name.get(name) for name in triggered_by(found.step, schedulers)]
            inner = [builder for builder in named if may_be_in(builder, place)][:ways]
            ways -= len(inner)
            if inner:
                place.width = len(inner)
            todo += [build_of(builder, place) for builder in reversed(inner)]


def triggered_by(step: Any, schedulers: dict[str, Any]) -> Sequence[str]:
    """Return the names of the builders whose builds a step triggers and waits for.

    :returns: none if that is not known without a build.
    """
    if not isinstance(step, Trigger) or step.waitForFinish is not True:
        return ()
    if type(step).getSchedulersAndProperties is not Trigger.getSchedulersAndProperties:
        return ()
    names = step.schedulerNames
    if not isinstance(names, (list, tuple)) or any(map(IRenderable.providedBy, names)):
        return ()
    found: dict[str, None] = {}
    for name in names:
        scheduler = schedulers.get(name)
        builders = scheduler.listBuilderNames() if isinstance(scheduler, Triggerable) else ()
        if not IRenderable.providedBy(builders):
            found.update(dict.fromkeys(b for b in builders if isinstance(b, str)))
    return list(found)


def may_be_in(builder: Any, place: Place) -> bool:
    # a build that triggers itself never ends anyway; and where nothing is held around it, a
    # triggered build is like any other
    if builder is None:
        return False
    if len(place.builds) >= DEPTH or any(each.builder is builder for each in place.builds):
        return False
    return bool(place.names_within)
