# SPDX-License-Identifier: GPL-2.0-only
"""A botmaster before people can hold locks by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.process.awaited import Awaited
from buildbot.process.eye.history import History
from buildbot.process.eye.watch import Watch
from buildbot.process.hand.hand import Hand
from buildbot.process.sweep import Sweep
from buildbot_overlay import release

upstream = release(__name__)


class BotMaster(upstream.BotMaster):
    def __init__(self) -> None:
        super().__init__()
        #: the requests that running builds wait for
        self.awaited: Awaited = Awaited()

    @defer.inlineCallbacks
    def startService(self) -> Any:
        yield super().startService()
        yield Watch.getService(self)
        yield History.getService(self)

    @defer.inlineCallbacks
    def reconfigServiceWithBuildbotConfig(self, new_config: Any) -> Any:
        self._builders_of = self._asking = None
        yield super().reconfigServiceWithBuildbotConfig(new_config)
        self._builders_of = {}
        sweep = yield Sweep.getService(self)
        sweep.use_config(self.master.config)
        self.knots.use_config(self.master.config)
        hand = yield Hand.getService(self)
        yield hand.restore()  # there is no worker before the first reconfig has ended
        hand.holds.end_overdue()
