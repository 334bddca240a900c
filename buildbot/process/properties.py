# SPDX-License-Identifier: GPL-2.0-only
"""``Interpolate`` knows ``lock:``, the resources held of a pool."""

from __future__ import annotations

from typing import Any

from buildbot.process.heldresources import read_substitution
from buildbot_overlay import release

upstream = release(__name__)


class Interpolate(upstream.Interpolate):
    """A text into which properties are put once a build is known. It is no string before that."""

    def _parseSubstitution(self, fmt: str) -> Any:
        key, colon, arg = fmt.partition(':')
        if key == 'lock' and colon:
            return read_substitution(arg)
        return super()._parseSubstitution(fmt)
