# SPDX-License-Identifier: GPL-2.0-only
"""The master's log says at the start that Interlock is on."""

from __future__ import annotations

from typing import Any

from twisted.python import log

import buildbot_overlay
from buildbot_overlay import release

upstream = release(__name__)


class BuildMaster(upstream.BuildMaster):
    """The master, which starts and stops all its services. It runs no builds; its builders do."""

    def startService(self) -> Any:
        log.msg(f'{buildbot_overlay.DISTRIBUTION} {buildbot_overlay.__version__} is on')
        return super().startService()
