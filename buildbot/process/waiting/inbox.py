# SPDX-License-Identifier: GPL-2.0-only
"""New: the pending requests of a builder, read once and then kept up to date by messages."""

from __future__ import annotations

from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot.process.waiting.pending import PendingRequests


class Inbox:
    """Keeps the pending requests of a builder as the database has them. It does not order them.

    :param read: called without arguments; returns a Deferred of the pending requests in the
        database, as the data API gives them. From the first call on, ``update`` gets each change.
    :param left: called with the id of a request that is no longer pending or whose priority has
        changed.
    :param changed: called without arguments when the requests may have changed.
    :param now: returns the time, in seconds.
    :cvar read_again_after: seconds after which the requests are read again the next time they are
        needed, in case a message was lost; 0 if messages are likely to be lost.
    :ivar requests: the pending requests as last known.
    """

    read_again_after = 600

    def __init__(
        self,
        read: Callable[[], defer.Deferred[list[dict[str, Any]]]],
        left: Callable[[int], Any],
        changed: Callable[[], Any],
        now: Callable[[], float],
    ) -> None:
        self.requests = PendingRequests()
        self._read_all = read
        self._left = left
        self._changed = changed
        self._now = now
        self._reading = defer.DeferredLock()
        self._read_at: float | None = None
        self._has_been_read = False
        self._is_closed = False
        self._is_doubted = False  # whether ``doubt`` was called after the current reading began
        self._changed_meanwhile: set[int] | None = None
        # requests that are being given back, each as the last message about it says
        self._set_aside: dict[int, dict[str, Any] | None] = {}

    def read(self) -> defer.Deferred[PendingRequests]:
        """Return the pending requests, after reading them again if they may be out of date.

        :returns: Deferred of ``PendingRequests``.
        """
        if self.is_fresh:
            return defer.succeed(self.requests)
        return self._reading.run(self._read)

    @property
    def is_fresh(self) -> bool:
        """Whether the requests need not be read again."""
        if self._changed_meanwhile is not None:
            return False
        if self._read_at is None:
            return self._is_closed
        return self._now() < self.fresh_until

    @property
    def fresh_until(self) -> float:
        """The time from which the requests must be read again, in seconds."""
        return 0.0 if self._read_at is None else self._read_at + self.read_again_after

    @defer.inlineCallbacks
    def _read(self) -> Any:
        if self.is_fresh:
            return self.requests
        self._changed_meanwhile = set()
        self._is_doubted = False
        try:
            read_at = self._now()
            brdicts = yield self._read_all()
            if self._is_closed:
                return self.requests
            changed = self._changed_meanwhile
            # of these a message has said something newer since they were set aside
            told = {brid for brid in changed if self._set_aside.get(brid) is not None}
            there = [b for b in brdicts if b['buildrequestid'] in told or not self._puts_aside(b)]
            for brid in self.requests.bring_up_to_date(there, changed):
                self._left(brid)
            self._changed()
            self._has_been_read = True
            if not self._is_doubted:
                self._read_at = read_at
        finally:
            self._changed_meanwhile = None
        return self.requests

    def is_pending(self, brid: int) -> bool:
        """Tell whether a request is pending; before the first reading it is assumed to be."""
        if brid in self.requests:
            return True
        return not self._has_been_read and brid not in (self._changed_meanwhile or ())

    def is_behind(self, brid: int, other: int) -> bool:
        """Tell whether two requests want the same locks, and the first is behind the other."""
        return self.requests.is_behind(brid, other)

    def set_aside(self, brid: int) -> None:
        """Treat a request as not pending, whatever messages say, until ``put_back``.

        A request may be given back in the database late. If it were started before that write, the
        write would make it pending again, and it would be built twice.
        """
        self._set_aside[brid] = None
        self.requests.discard(brid)
        self._left(brid)

    def put_back(self, brid: int) -> None:
        """Treat a request again as messages say, including those that came while it was aside."""
        brdict = self._set_aside.pop(brid, None)
        if brdict is not None:
            self.update(brdict)

    def is_set_aside(self, brid: int) -> bool:
        """Tell whether a request is being given back."""
        return brid in self._set_aside

    def _puts_aside(self, brdict: dict[str, Any]) -> bool:
        brid = brdict['buildrequestid']
        if brid not in self._set_aside:
            return False
        self._set_aside[brid] = brdict
        return True

    def doubt(self) -> None:
        """Have the requests read from the database the next time they are needed."""
        self._read_at = None
        self._is_doubted = True

    def close(self) -> None:
        """Forget all requests and ignore later messages, because the builder is stopped."""
        self.requests = PendingRequests()
        self._has_been_read = self._is_closed = True
        self._read_at = None
        self._changed()

    def update(self, brdict: dict[str, Any]) -> None:
        """Add, change or remove a request, which a message gives as the data API does."""
        brid = brdict['buildrequestid']
        if self._is_closed:
            return
        if self._changed_meanwhile is not None:
            self._changed_meanwhile.add(brid)
        if self._puts_aside(brdict):
            return
        if brdict['claimed'] or brdict['complete']:
            self.requests.discard(brid)
            self._left(brid)
        else:
            self.requests.add(brdict)
        self._changed()
