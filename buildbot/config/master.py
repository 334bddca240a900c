# SPDX-License-Identifier: GPL-2.0-only
"""``checkconfig`` says which locks and steps are wrong, and which words are Buildbot 0.8's."""

from __future__ import annotations

import os
from typing import Any

from buildbot.config.errors import error
from buildbot.config.locks import locks_of_builder
from buildbot.config.locks import locks_of_worker
from buildbot.config.locks import missing_repairs
from buildbot.config.locks import problems_beside
from buildbot.config.locks import problems_of
from buildbot.config.locks import unlike_locks
from buildbot.config.locks import warn_of_workers
from buildbot.config.oldwords import warned_once
from buildbot.config.oldwords import with_todays_keys
from buildbot.config.orders import warn_of_orders
from buildbot.config.steps import FoundStep
from buildbot.config.steps import check_steps
from buildbot.config.steps import workers_of
from buildbot.locks import BaseLockId
from buildbot.locks import is_span
from buildbot_overlay import release

upstream = release(__name__)


class FileLoader(upstream.FileLoader):
    def loadConfig(self) -> Any:
        with warned_once(os.path.join(self.basedir, self.configFileName)):
            return super().loadConfig()


class MasterConfig(upstream.MasterConfig):
    #: whether a request waits for a worker on which its steps would not only wait for their locks
    lateBinding = True

    #: whether a build that only waits for a child lets it use its place on the worker
    parentLendsPlace = True

    #: where in line people stand who want to hold a lock by hand: among builds of this priority
    holdPriority = 0

    #: after how many seconds it is looked again whether locks are held by what has ended; or None
    lockSweep: float | None = 60

    #: after how many seconds a build ends that holds a lock and waits for what is away; or None
    stuckAfter: float | None = 600

    #: whether who has not logged in may do by hand what those may who have
    handForAnonymous = False

    _known_config_keys = upstream.MasterConfig._known_config_keys | {
        *('lateBinding', 'parentLendsPlace', 'holdPriority', 'handForAnonymous', 'lockSweep'),
        'stuckAfter',
    }

    @classmethod
    def loadFromDict(cls, config_dict: dict[str, Any], filename: str) -> Any:
        with warned_once(filename):
            config_dict = with_todays_keys(config_dict)
            return super().loadFromDict(config_dict, filename)

    def load_global(self, filename: str, config_dict: dict[str, Any]) -> None:
        for key in ('lateBinding', 'parentLendsPlace', 'handForAnonymous'):
            value = config_dict.get(key, getattr(type(self), key))
            setattr(self, key, value)
            if not isinstance(value, bool):
                error(f"c['{key}'] must be True or False, not {value!r}")
        self.holdPriority = config_dict.get('holdPriority', 0)
        if not isinstance(self.holdPriority, int) or isinstance(self.holdPriority, bool):
            error(f"c['holdPriority'] must be a whole number, not {self.holdPriority!r}")

        for key in ('lockSweep', 'stuckAfter'):
            seconds = config_dict.get(key, getattr(type(self), key))
            setattr(self, key, seconds)
            if seconds is not None and not is_span(seconds):
                error(f"c['{key}'] must be a number of seconds above 0, or None, not {seconds!r}")

        super().load_global(filename, config_dict)

    def check_locks(self) -> None:
        """Report lists of locks that are wrong in themselves, and names that mean unlike locks.

        The steps with their groups, which are walked for it, are checked as well. If all is well,
        it is warned of orders in which builds can come to wait for one another for ever.
        """
        problems: list[str] = []
        mentions: list[tuple[BaseLockId, object]] = []
        walked: list[tuple[Any, list[FoundStep]]] = []
        for builder in self.builders:
            where = f'builder {builder.name!r}'
            problems += [
                f'{where}: {problem}'
                for problem in problems_of(builder.locks, workers=workers_of(builder))
            ]
            steps = []
            if not any(builder.factory is factory for factory, _ in walked):
                steps = check_steps(builder, problems.append)
                walked.append((builder.factory, steps))
            mentions += locks_of_builder(builder, steps)
        for worker in self.workers:
            where = f'worker {worker.name!r}'
            problems += [f'{where}: {problem}' for problem in problems_of(worker.access, False)]
            mentions += locks_of_worker(worker)
        problems += unlike_locks(mentions)
        workers = {worker.name for worker in self.workers}
        problems += problems_beside(mentions, workers)
        problems += missing_repairs(mentions, {builder.name for builder in self.builders})
        for problem in dict.fromkeys(problems):  # a step may stand in several builders
            error(problem)
        warn_of_workers([lockid for lockid, _ in mentions], workers)
        if not problems:
            warn_of_orders(self, lambda b: next(s for f, s in walked if f is b.factory))
