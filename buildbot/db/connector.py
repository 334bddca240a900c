# SPDX-License-Identifier: GPL-2.0-only
"""The database has tables for locks, which are made when the master starts."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.db.lockhand import LockHandConnectorComponent
from buildbot.db.locks import LocksConnectorComponent
from buildbot.db.lockuses import LockUsesConnectorComponent
from buildbot_overlay import release

upstream = release(__name__)


class DBConnector(upstream.DBConnector):
    """The database of a master. It reads and writes no rows itself; its components do."""

    @defer.inlineCallbacks
    def set_master(self, master: Any) -> Any:
        yield super().set_master(master)
        self.locks = LocksConnectorComponent(self)
        yield self.locks.setServiceParent(self)
        self.lock_hand = LockHandConnectorComponent(self)
        yield self.lock_hand.setServiceParent(self)
        self.lock_uses = LockUsesConnectorComponent(self)
        yield self.lock_uses.setServiceParent(self)

    @defer.inlineCallbacks
    def setup(self, check_version: bool = True, verbose: bool = True) -> Any:
        yield super().setup(check_version, verbose)
        if check_version:
            # These are new tables that Buildbot does not know, so nobody needs a warning.
            try:
                yield self.model.upgrade_own()
            except Exception as e:
                log.err(
                    e,
                    'the tables for locks cannot be created, so the data API has no locks and their'
                    ' history is not kept; "buildbot upgrade-master" creates them, too',
                )
