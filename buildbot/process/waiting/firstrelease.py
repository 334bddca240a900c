# SPDX-License-Identifier: GPL-2.0-only
"""New: a wake-up at the first of several releases."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Iterable

if TYPE_CHECKING:
    from buildbot.util.subscription import Subscription


class FirstRelease:
    """Calls back once, at the first release of several locks. It is not a claim and is in no queue.

    :param wake: called without arguments. Afterwards no release is awaited until ``wait_for`` is
        called again.
    """

    def __init__(self, wake: Callable[[], Any]) -> None:
        self._wake = wake
        # by the method that subscribes: bound methods of the same lock are equal
        self._subscriptions: dict[Callable[..., Subscription], Subscription] = {}

    @property
    def is_awaited(self) -> bool:
        return bool(self._subscriptions)

    def wait_for(self, releases: Iterable[Callable[..., Subscription]]) -> None:
        """Wait for these releases as well.

        :param releases: methods that subscribe a callable, such as a lock's
            ``subscribeToReleases``.
        """
        for subscribe in releases:
            if subscribe not in self._subscriptions:
                self._subscriptions[subscribe] = subscribe(self._released)

    def _released(self) -> None:
        if self._subscriptions:  # else an earlier release has already called back
            self.forget()
            self._wake()

    def forget(self) -> None:
        """Stop waiting for releases. Calling it again does nothing."""
        subscriptions, self._subscriptions = self._subscriptions, {}
        for subscription in subscriptions.values():
            subscription.unsubscribe()
