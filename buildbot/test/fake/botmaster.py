# SPDX-License-Identifier: GPL-2.0-only
"""The fake botmaster has what builds ask of the real one: who waits, and which builders ask."""

from __future__ import annotations

from typing import Any

from buildbot.process.awaited import Awaited
from buildbot_overlay import release

upstream = release(__name__)


class FakeBotMaster(upstream.FakeBotMaster):
    def __init__(self) -> None:
        super().__init__()
        self.awaited = Awaited()
        self.asking_builders: list[str] = []

    def getBuilderById(self, builderid: int) -> Any:
        """Return None: it has no builders."""
        return None
