# SPDX-License-Identifier: GPL-2.0-only
"""New: workers in memory that latent workers start, of any release of the worker."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.test.fake import latent

RemoteWorker: Any = latent.RemoteWorker


class Remote(RemoteWorker):
    """A worker in memory: the controller of Buildbot waits for a Deferred."""

    def setServiceParent(self, parent: Any) -> Any:
        return defer.maybeDeferred(super().setServiceParent, parent)

    def disownServiceParent(self) -> Any:
        return defer.maybeDeferred(super().disownServiceParent)
