# SPDX-License-Identifier: GPL-2.0-only
"""New: the first of some events, a release of a lock or the like, which wakes somebody once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Iterable

if TYPE_CHECKING:
    from buildbot.util.subscription import Subscription


class FirstRelease:
    """Wakes somebody who does not stand in line when something he could use is released.

    :param wake: called without arguments, once for all that was waited for until then.
    """

    def __init__(self, wake: Callable[[], Any]) -> None:
        self._wake = wake
        # by the method with which it was made, which is the same for the same lock
        self._subscriptions: dict[Callable[..., Subscription], Subscription] = {}

    @property
    def is_awaited(self) -> bool:
        return bool(self._subscriptions)

    def wait_for(self, releases: Iterable[Callable[..., Subscription]]) -> None:
        """Wait for these releases too.

        :param releases: methods that subscribe a callable, ``subscribeToReleases`` of a lock, say.
        """
        for subscribe in releases:
            if subscribe not in self._subscriptions:
                self._subscriptions[subscribe] = subscribe(self._released)

    def _released(self) -> None:
        if self._subscriptions:  # else it was told while all were being taken back
            self.forget()
            self._wake()

    def forget(self) -> None:
        """Wait for none of them any more. Done again, it does nothing."""
        subscriptions, self._subscriptions = self._subscriptions, {}
        for subscription in subscriptions.values():
            subscription.unsubscribe()
