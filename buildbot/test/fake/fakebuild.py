# SPDX-License-Identifier: GPL-2.0-only
"""The fake build owns locks, as a build does, and is told what a build is told by its steps."""

from __future__ import annotations

from typing import Iterable

from buildbot.locking.owner import LockOwner
from buildbot_overlay import release

upstream = release(__name__)


class FakeBuild(upstream.FakeBuild, LockOwner):
    stopped = False

    def has_triggered(self, brid: int, is_awaited: bool = False) -> None:
        pass

    def awaits_no_more(self, brids: Iterable[int]) -> None:
        pass

    def step_ended(self) -> None:
        pass
