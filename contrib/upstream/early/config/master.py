# SPDX-License-Identifier: GPL-2.0-only
"""What ``checkconfig`` says about locks before it examines steps, and before people hold any."""

from __future__ import annotations

from typing import Any

from buildbot.config.errors import error
from buildbot.config.locks import problems_of
from buildbot_overlay import release

upstream = release(__name__)


class MasterConfig(upstream.MasterConfig):
    _known_config_keys = upstream.MasterConfig._known_config_keys | {'lateBinding'}

    def load_global(self, filename: str, config_dict: dict[str, Any]) -> None:
        super().load_global(filename, config_dict)
        for key in ('lateBinding',):
            value = config_dict.get(key, getattr(type(self), key))
            setattr(self, key, value)
            if not isinstance(value, bool):
                error(f"c['{key}'] must be True or False, not {value!r}")

    def check_locks(self) -> None:
        for builder in self.builders:
            for problem in problems_of(builder.locks):
                error(f'builder {builder.name!r}: {problem}')
        for worker in self.workers:
            for problem in problems_of(worker.access, in_build=False):
                error(f'worker {worker.name!r}: {problem}')

        super().check_locks()
