# SPDX-License-Identifier: GPL-2.0-only
"""A step before the log tells of its locks."""

from __future__ import annotations

from buildbot.process.locks import release_all
from buildbot_overlay import release

upstream = release(__name__)


class BuildStep(upstream.BuildStep):
    def releaseLocks(self) -> None:
        """Release the locks that the step holds; doing it again does nothing."""
        release_all(self, self._locks_to_acquire)
