# SPDX-License-Identifier: GPL-2.0-only
"""``checkconfig`` says which locks and steps are wrong, and which words are Buildbot 0.8's."""

from __future__ import annotations

import os
from typing import Any

from buildbot.config.errors import error
from buildbot.config.locks import locks_of_builder
from buildbot.config.locks import locks_of_worker
from buildbot.config.oldwords import told_once
from buildbot.config.oldwords import with_todays_keys
from buildbot.config.steps import check_steps
from buildbot.locks import BaseLockId
from buildbot.locks import check_accesses
from buildbot_overlay import release

upstream = release(__name__)


class FileLoader(upstream.FileLoader):
    def loadConfig(self) -> Any:
        with told_once(os.path.join(self.basedir, self.configFileName)):
            return super().loadConfig()


class MasterConfig(upstream.MasterConfig):
    #: whether a request waits for a worker on which its steps would not only wait for their locks
    lateBinding = True

    _known_config_keys = upstream.MasterConfig._known_config_keys | {'lateBinding'}

    @classmethod
    def loadFromDict(cls, config_dict: dict[str, Any], filename: str) -> Any:
        with told_once(filename):
            config_dict = with_todays_keys(config_dict)
            return super().loadFromDict(config_dict, filename)

    def load_global(self, filename: str, config_dict: dict[str, Any]) -> None:
        self.lateBinding = config_dict.get('lateBinding', True)
        if not isinstance(self.lateBinding, bool):
            error(f"c['lateBinding'] must be True or False, not {self.lateBinding!r}")

        super().load_global(filename, config_dict)

    def check_locks(self) -> None:
        """Report lists of locks that are wrong in themselves, and names that mean unlike locks.

        The steps with their groups, which are walked for it, are checked as well.
        """
        places: list[tuple[BaseLockId, str]] = []
        for builder in self.builders:
            steps = check_steps(builder)
            check_accesses(builder.locks, f'builder {builder.name!r}')
            places += locks_of_builder(builder, steps)
        for worker in self.workers:
            check_accesses(worker.access, f'worker {worker.name!r}', in_build=False)
            places += locks_of_worker(worker)

        known: dict[str, tuple[BaseLockId, str]] = {}
        for lockid, where in places:
            first, first_where = known.setdefault(lockid.name, (lockid, where))
            if lockid != first:
                error(
                    f'Two locks share the name {lockid.name!r}: {first!r} of {first_where}, and'
                    f' {lockid!r} of {where}'
                )
