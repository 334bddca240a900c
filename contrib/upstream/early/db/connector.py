# SPDX-License-Identifier: GPL-2.0-only
"""The database before it stores what people do with locks."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.db.locks import LocksConnectorComponent
from buildbot.db.lockuses import LockUsesConnectorComponent
from buildbot_overlay import release

upstream = release(__name__)


class DBConnector(upstream.DBConnector):
    @defer.inlineCallbacks
    def set_master(self, master: Any) -> Any:
        yield super().set_master(master)
        self.locks = LocksConnectorComponent(self)
        yield self.locks.setServiceParent(self)
        self.lock_uses = LockUsesConnectorComponent(self)
        yield self.lock_uses.setServiceParent(self)
