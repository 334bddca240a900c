# SPDX-License-Identifier: GPL-2.0-only
"""The janitor before anything is done by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.process.buildstep import BuildStep
from buildbot.process.eye.history import History
from buildbot.process.results import SUCCESS


class LockHistoryJanitor(BuildStep):
    @defer.inlineCallbacks
    def run(self) -> Any:
        horizon = self.master.reactor.seconds() - self.lock_history_horizon.total_seconds()
        history = yield History.getService(self.master.botmaster)
        deleted = yield history.delete_before(horizon)
        self.descriptionDone = [f'uses of locks deleted: {deleted}']
        return SUCCESS
