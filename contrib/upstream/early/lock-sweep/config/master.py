# SPDX-License-Identifier: GPL-2.0-only
"""The keys of a configuration before people hold locks."""

from __future__ import annotations

from typing import Any

from buildbot.config.errors import error
from buildbot.locks import is_span
from buildbot_overlay import release

upstream = release(__name__)


class MasterConfig(upstream.MasterConfig):
    _known_config_keys = upstream.MasterConfig._known_config_keys | {
        'lateBinding',
        'lockSweep',
        'parentLendsPlace',
        'stuckAfter',
    }

    def load_global(self, filename: str, config_dict: dict[str, Any]) -> None:
        super().load_global(filename, config_dict)
        for key in ('lateBinding', 'parentLendsPlace'):
            value = config_dict.get(key, getattr(type(self), key))
            setattr(self, key, value)
            if not isinstance(value, bool):
                error(f"c['{key}'] must be True or False, not {value!r}")
        for key in ('lockSweep', 'stuckAfter'):
            seconds = config_dict.get(key, getattr(type(self), key))
            setattr(self, key, seconds)
            if seconds is not None and not is_span(seconds):
                error(f"c['{key}'] must be a number of seconds above 0, or None, not {seconds!r}")
