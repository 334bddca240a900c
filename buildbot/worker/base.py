# SPDX-License-Identifier: GPL-2.0-only
"""The locks of a worker belong to the builds on it, which claim them before they begin."""

from __future__ import annotations

from buildbot_overlay import release

upstream = release(__name__)


class AbstractWorker(upstream.AbstractWorker):
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
