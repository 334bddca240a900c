# SPDX-License-Identifier: GPL-2.0-only
"""New: the ends of holds by hand, and the time shortly before them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from buildbot.process.hand.hold import Hold

DAY = 86400


class Ends:
    """Calls back when holds end, and shortly before that. It ends none.

    An end is a time of day. The clock may be set meanwhile, so what is due is found out when a call
    comes, and one comes each day at least.

    :param reactor: gives the time.
    :param is_near: called with a hold that is held, ten minutes before its end.
    :param has_come: called with a hold, held or not, at its end.
    :cvar soon: how many seconds before its end the end of a hold is near.
    :cvar again: after how many seconds something that has failed is tried again.
    """

    soon = 600
    again = 60

    def __init__(
        self, reactor: Any, is_near: Callable[[Hold], Any], has_come: Callable[[Hold], Any]
    ) -> None:
        self._reactor = reactor
        self._is_near = is_near
        self._has_come = has_come
        self._calls: dict[Hold, IDelayedCall] = {}

    def watch(self, hold: Hold) -> None:
        """Call back when it is time to; nothing more comes for a hold that is overdue."""
        self.forget(hold)
        if not hold.is_overdue:
            is_to_be_told = hold.is_held and not hold.told
            at = hold.until - self.soon if is_to_be_told else hold.until
            self._call_at(hold, at, lambda: self._look(hold))

    def try_again(self, hold: Hold, call: Callable[[], Any]) -> None:
        """Call something for a hold once more, in a while."""
        self.forget(hold)
        self._call_at(hold, self._reactor.seconds() + self.again, call)

    def forget(self, hold: Hold) -> None:
        """Call back for it no more."""
        call = self._calls.pop(hold, None)
        if call is not None:
            call.cancel()

    def stop(self) -> None:
        """Call back for none any more."""
        for hold in list(self._calls):
            self.forget(hold)

    def _call_at(self, hold: Hold, at: float, call: Callable[[], Any]) -> None:
        wait = min(max(at - self._reactor.seconds(), 0), DAY)
        self._calls[hold] = self._reactor.callLater(wait, self._called, hold, call)

    def _called(self, hold: Hold, call: Callable[[], Any]) -> None:
        del self._calls[hold]
        call()

    def _look(self, hold: Hold) -> None:
        now = self._reactor.seconds()
        if now >= hold.until:
            self._has_come(hold)
        elif now >= hold.until - self.soon and hold.is_held and not hold.told:
            self._is_near(hold)
        else:
            self.watch(hold)
