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
    """Reads the configuration from a file. It does not check it; ``MasterConfig`` does."""

    def loadConfig(self) -> Any:
        with warned_once(os.path.join(self.basedir, self.configFileName)):
            return super().loadConfig()


class MasterConfig(upstream.MasterConfig):
    """All that a configuration says, after it has been checked. It runs nothing."""

    #: whether a request waits for a worker on which its steps would not only wait for their locks
    lateBinding = True

    #: whether a build that only waits for a child lets the child use its place on the worker
    parentLendsPlace = True

    #: the priority, among builds in line, of people who want to hold a lock by hand
    holdPriority = 0

    #: seconds between two looks for locks that are held by owners that have ended; None: never
    lockSweep: float | None = 60

    #: seconds after which a step fails that holds a lock and waits for a build whose workers are
    #: away; None: never
    stuckAfter: float | None = 600

    #: whether people who have not logged in may act by hand like those who have
    handForAnonymous = False

    _known_config_keys = upstream.MasterConfig._known_config_keys | {
        'handForAnonymous',
        'holdPriority',
        'lateBinding',
        'lockSweep',
        'parentLendsPlace',
        'stuckAfter',
    }

    @classmethod
    def loadFromDict(cls, config_dict: dict[str, Any], filename: str) -> Any:
        with warned_once(filename):
            config_dict = with_todays_keys(config_dict)
            return super().loadFromDict(config_dict, filename)

    def load_global(self, filename: str, config_dict: dict[str, Any]) -> None:
        super().load_global(filename, config_dict)
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

    def check_locks(self) -> None:
        """Report lists of locks that are wrong in themselves, and names that mean different locks.

        The steps and groups that this finds are checked as well. If nothing is wrong, warn of
        orders of locks in which builds can come to wait for one another forever.
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
        for problem in dict.fromkeys(problems):  # several builders may have the same step
            error(problem)
        warn_of_workers([lockid for lockid, _ in mentions], workers)
        if not problems:
            warn_of_orders(self, lambda b: next(s for f, s in walked if f is b.factory))
