# SPDX-License-Identifier: GPL-2.0-only
"""A worker's builders are found without a search; locks are watched, and held by hand."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.process import metrics
from buildbot.process.awaited import Awaited
from buildbot.process.buildchooser import ReservingBuildChooser
from buildbot.process.builder import Builder
from buildbot.process.eye.history import History
from buildbot.process.eye.watch import Watch
from buildbot.process.hand.hand import Hand
from buildbot.process.knots import Knots
from buildbot.process.latewrite import cancel_later
from buildbot.process.longwaits import LongWaits
from buildbot.process.sweep import Sweep
from buildbot_overlay import release

upstream = release(__name__)


class BotMaster(upstream.BotMaster):
    """Knows the builders of a master and what they share. It does not choose what they build."""

    def __init__(self) -> None:
        super().__init__()
        self.brd.usual_chooser = ReservingBuildChooser
        #: the requests that running builds wait for
        self.awaited: Awaited = Awaited()
        #: finds waits for builds that can never end
        self.knots: Knots = Knots(self)
        # the builders of each worker that was asked for; None while that may change
        self._builders_of: dict[str, list[Builder]] | None = None
        self._asking: list[str] | None = None

    @metrics.countMethod('BotMaster.getBuildersForWorker()')
    def getBuildersForWorker(self, workername: str) -> list[Builder]:
        found = (self._builders_of or {}).get(workername)
        if found is None:
            found = [b for b in self.builders.values() if workername in b.worker_names]
            if self._builders_of is not None:
                self._builders_of[workername] = found
        return [*found]

    @property
    def asking_builders(self) -> list[str]:
        """The names of the builders where one of the user's methods decides what starts."""
        found = self._asking
        if found is None:
            found = [name for name, builder in self.builders.items() if builder.asks_user]
            if self._builders_of is not None:
                self._asking = found
        return found

    @defer.inlineCallbacks
    def startService(self) -> Any:
        yield super().startService()
        yield Watch.getService(self)
        yield History.getService(self)
        yield Hand.getService(self)

    @defer.inlineCallbacks
    def reconfigServiceWithBuildbotConfig(self, new_config: Any) -> Any:
        self._builders_of = self._asking = None
        yield super().reconfigServiceWithBuildbotConfig(new_config)
        self._builders_of = {}
        long_waits = yield LongWaits.getService(self)
        long_waits.use_config(self.master.config)
        sweep = yield Sweep.getService(self)
        sweep.use_config(self.master.config)
        self.knots.use_config(self.master.config)
        hand = yield Hand.getService(self)
        yield hand.restore()  # there is no worker before the first reconfig has ended
        hand.holds.end_overdue()

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        yield super().stopService()
        self.knots.stop()

    @defer.inlineCallbacks
    def _buildrequest_canceled(self, key: tuple[str, ...], msg: dict[str, Any]) -> Any:
        brid, row = int(key[2]), None
        try:
            row = yield self.master.data.get(('buildrequests', brid))
            yield super()._buildrequest_canceled(key, msg)
        except Exception as e:
            log.err(e, f'build request {brid} could not be cancelled; it is tried again soon')
            # a master that stops does not wait for it
            late = cancel_later(self, brid, row, msg.get('reason', 'no reason'))
            late.addErrback(log.err, f'while cancelling build request {brid}')

    def is_in_progress(self, brid: int) -> bool:
        """Tell whether a request has been chosen and has no build yet, or is being given back."""
        return brid in self._starting_brid_to_cancel
