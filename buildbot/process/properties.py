# SPDX-License-Identifier: GPL-2.0-only
"""``Interpolate`` knows ``lock:``, the resources held of a pool."""

from __future__ import annotations

from buildbot.process.heldresources import read_substitution
from buildbot_overlay import release

upstream = release(__name__)


class Interpolate(upstream.Interpolate):
    """A text into which properties are put once a build is known. It is no string before that."""

    _substitutions = {
        **upstream.Interpolate._substitutions,
        'lock': lambda self, arg: read_substitution(arg),
    }
