# SPDX-License-Identifier: GPL-2.0-only
"""New: the builds that run on this master."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.util.service import SharedService


class RunningBuilds(SharedService):
    """The builds that run on this master, including those of removed builders. It starts none."""

    def __init__(self) -> None:
        super().__init__()
        self.builds: dict[Any, None] = {}

    @defer.inlineCallbacks
    def add(self, build: Any) -> Any:
        """Keep a build, which begins now, until it has ended."""
        self.builds[build] = None
        try:
            yield build.waitUntilFinished()
        except Exception as e:
            log.err(e, f'while waiting for the end of {build}')
        del self.builds[build]
