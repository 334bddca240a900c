# SPDX-License-Identifier: GPL-2.0-only
"""The fake botmaster knows which requests running builds wait for, as the real one does."""

from __future__ import annotations

from buildbot.process.awaited import Awaited
from buildbot_overlay import release

upstream = release(__name__)


class FakeBotMaster(upstream.FakeBotMaster):
    def __init__(self) -> None:
        super().__init__()
        self.awaited = Awaited()
