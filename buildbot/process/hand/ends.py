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
    """Calls back when holds end, and shortly before that. It does not end any.

    An end is a time of day. The clock may be changed meanwhile, so each call checks what is due,
    and there is at least one call a day.

    :param reactor: gives the time.
    :param is_near: called ten minutes before the end of a hold that is held.
    :param has_come: called at the end of a hold, held or not.
    :cvar soon: seconds before its end at which the end of a hold is near.
    :cvar again: seconds after which a failed call is tried again.
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
        """Call back for a hold in time; there are no more calls for a hold that is overdue."""
        self.forget(hold)
        if not hold.is_overdue:
            is_to_be_told = hold.is_held and not hold.told
            at = hold.until - self.soon if is_to_be_told else hold.until
            self._call_at(hold, at, lambda: self._look(hold))

    def try_again(self, hold: Hold, call: Callable[[], Any]) -> None:
        """Repeat a call for a hold, in a while."""
        self.forget(hold)
        self._call_at(hold, self._reactor.seconds() + self.again, call)

    def forget(self, hold: Hold) -> None:
        """Stop calling back for a hold."""
        call = self._calls.pop(hold, None)
        if call is not None:
            call.cancel()

    def stop(self) -> None:
        """Stop calling back for all holds."""
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
