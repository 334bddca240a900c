# SPDX-License-Identifier: GPL-2.0-only
"""A botmaster that knows no holds of people."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.process.sweep import Sweep
from buildbot_overlay import release

upstream = release(__name__)


class BotMaster(upstream.BotMaster):
    @defer.inlineCallbacks
    def reconfigServiceWithBuildbotConfig(self, new_config: Any) -> Any:
        self._builders_of = self._asking = None
        yield super().reconfigServiceWithBuildbotConfig(new_config)
        self._builders_of = {}
        sweep = yield Sweep.getService(self)
        sweep.use_config(self.master.config)
        self.knots.use_config(self.master.config)
