# SPDX-License-Identifier: GPL-2.0-only
"""The locks of a worker belong to the builds on it, which claim them before they begin."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot_overlay import release

upstream = release(__name__)


class AbstractWorker(upstream.AbstractWorker):
    @defer.inlineCallbacks
    def reconfigService(self, *args: Any, **kwargs: Any) -> Any:
        before = self.access
        yield super().reconfigService(*args, **kwargs)
        if self.access != before:
            # who was refused for the old locks may be able to start under the new ones
            self.botmaster.maybeStartBuildsForWorker(self.name)

    def locksAvailable(self) -> bool:
        """Return True: whether its locks are free is asked for each request, by the builder.

        The answer is not the same for all requests. A build that another one waits for shares what
        that one holds.
        """
        return True

    def acquireLocks(self) -> bool:
        """Return True: the build that begins on this worker has claimed its locks already."""
        return True

    def releaseLocks(self) -> None:
        """Do nothing: each build releases what it has claimed, when it ends."""


class Worker(upstream.Worker, AbstractWorker):
    pass
