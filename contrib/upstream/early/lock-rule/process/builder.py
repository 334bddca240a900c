# SPDX-License-Identifier: GPL-2.0-only
"""A builder keeps its configured locks. When steps are looked into, it also keeps theirs."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.locks import BaseLockId
from buildbot.process.locks import ids_of
from buildbot_overlay import release

upstream = release(__name__)


class Builder(upstream.Builder):
    @defer.inlineCallbacks
    def reconfigServiceWithBuildbotConfig(self, new_config: Any) -> Any:
        yield super().reconfigServiceWithBuildbotConfig(new_config)
        configured = self.config.locks
        locks = []
        for lockid in ids_of(configured if isinstance(configured, list) else ()):
            if isinstance(lockid, BaseLockId):  # or it is to be rendered
                locks.append((yield self.botmaster.getLockByID(lockid, self.config_version)))
        self.configured_locks = locks
