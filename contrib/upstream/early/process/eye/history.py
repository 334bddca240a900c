# SPDX-License-Identifier: GPL-2.0-only
"""The history before people can do anything by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.process.eye.history import DAY
from buildbot.process.eye.history import HOUR
from buildbot.process.eye.history import has_janitor
from buildbot.util.service import SharedService


class History(SharedService):
    @defer.inlineCallbacks
    def _delete_old(self) -> Any:
        now = self.master.reactor.seconds()
        if self._deleted_at is not None and now < self._deleted_at + HOUR:
            return
        self._deleted_at = now
        if not has_janitor(self.master.config):
            # another master on this database may keep its own for longer
            long_ago, masterid = now - self.days * DAY, self.master.masterid
            try:
                yield self._delete_before(long_ago, masterid)
            except Exception as e:
                log.err(e, 'while deleting the old history of locks')
