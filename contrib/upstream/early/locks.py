# SPDX-License-Identifier: GPL-2.0-only
"""A lock before anything limits it, and one before people hold any."""

from __future__ import annotations

from typing import Any
from typing import ClassVar

from buildbot import util
from buildbot.locks import Rule
from buildbot.locks import is_span


class BaseLockId(util.ComparableMixin):
    #: what may be said about a lock of any kind, by name of the argument
    RULES: ClassVar[dict[str, Rule]] = {
        'maxWait': Rule(None, is_span, 'a number of seconds above 0, or None'),
        'maxHold': Rule(None, is_span, 'a number of seconds above 0, or None'),
        'whenTooLong': Rule('fail', lambda v: v == 'report', "'fail' or 'report'"),
    }

    def _take_rules(self, rules: dict[str, Any]) -> None:
        for name in rules:
            raise TypeError(f'{type(self).__name__}() got an unexpected keyword argument {name!r}')
