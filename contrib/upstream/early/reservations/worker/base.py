# SPDX-License-Identifier: GPL-2.0-only
"""A worker that forgets a removed builder at once."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot_overlay import release

upstream = release(__name__)


class AbstractWorker(upstream.AbstractWorker):
    @defer.inlineCallbacks
    def add_build(self, build: Any) -> Any:
        """Take note of a build that begins on the worker, until it has ended."""
        self.builds[build] = None
        try:
            self.announce_occupied(build.builder)
        except Exception as e:
            log.err(e, f'worker {self.name!r}: while telling its builders that it is taken')
        yield build.waitUntilFinished()
        del self.builds[build]
