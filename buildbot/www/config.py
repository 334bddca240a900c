# SPDX-License-Identifier: GPL-2.0-only
"""The About page says that the fork is on."""

from __future__ import annotations

import buildbot_overlay
from buildbot_overlay import release

upstream = release(__name__)


def get_environment_versions() -> list[tuple[str, str]]:
    return [*upstream.get_environment_versions(), ('Interlock', buildbot_overlay.__version__)]
