# SPDX-License-Identifier: GPL-2.0-only
"""New: the first release of any of some locks, which wakes somebody once."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Iterable

if TYPE_CHECKING:
    from buildbot.lockcopy import BaseLock
    from buildbot.util.subscription import Subscription


class FirstRelease:
    """Wakes somebody who does not stand in line when one of some locks is released.

    :param wake: called without arguments, once for all that was waited for until then.
    """

    def __init__(self, wake: Callable[[], Any]) -> None:
        self._wake = wake
        self._subscriptions: list[Subscription] = []

    @property
    def is_awaited(self) -> bool:
        return bool(self._subscriptions)

    def wait_for(self, locks: Iterable[BaseLock]) -> None:
        """Wait for these locks too."""
        for lock in locks:
            self._subscriptions.append(lock.subscribeToReleases(self._released))

    def _released(self) -> None:
        if self._subscriptions:  # else it was told while all were being taken back
            self.forget()
            self._wake()

    def forget(self) -> None:
        """Wait for none of them any more. Done again, it does nothing."""
        subscriptions, self._subscriptions = self._subscriptions, []
        for subscription in subscriptions:
            subscription.unsubscribe()
