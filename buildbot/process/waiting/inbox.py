# SPDX-License-Identifier: GPL-2.0-only
"""New: where the build requests of a builder arrive, and are kept until somebody claims them."""

from __future__ import annotations

from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot.process.waiting.pending import PendingRequests


class Inbox:
    """The pending requests of a builder, read from the database once and kept by messages.

    :param read: called without arguments, returns a Deferred of those that the database has, as the
        data API gives them. From its call on no message is missed.
    :param left: called with the id of a request that waited perhaps, and is pending no longer or
        has another place in line.
    :param now: returns the time, in seconds.
    :cvar read_again_after: seconds after which they are read again when there is anything to do, in
        case a message that told of a change was lost.
    :ivar requests: those that are known now.
    """

    read_again_after = 600

    def __init__(
        self,
        read: Callable[[], defer.Deferred[list[dict[str, Any]]]],
        left: Callable[[int], Any],
        now: Callable[[], float],
    ) -> None:
        self.requests = PendingRequests()
        self._read_all = read
        self._left = left
        self._now = now
        self._reading = defer.DeferredLock()
        self._read_at: float | None = None
        self._has_been_read = False
        self._is_closed = False
        self._is_doubted = False  # since the reading that is under way has begun
        self._told_meanwhile: set[int] | None = None

    def read(self) -> defer.Deferred[PendingRequests]:
        """Return the pending requests, which are up to date as far as anybody knows."""
        if self._told_meanwhile is None and self._is_fresh():
            return defer.succeed(self.requests)
        return self._reading.run(self._read)

    def _is_fresh(self) -> bool:
        if self._read_at is None:
            return self._is_closed
        return self._now() - self._read_at < self.read_again_after

    @defer.inlineCallbacks
    def _read(self) -> Any:
        if self._is_fresh():
            return self.requests
        self._told_meanwhile = set()
        self._is_doubted = False
        try:
            read_at = self._now()
            brdicts = yield self._read_all()
            if self._is_closed:
                return self.requests
            for brid in self.requests.bring_up_to_date(brdicts, self._told_meanwhile):
                self._left(brid)
            self._has_been_read = True
            if not self._is_doubted:
                self._read_at = read_at
        finally:
            self._told_meanwhile = None
        return self.requests

    def is_pending(self, brid: int) -> bool:
        """Tell whether a request is pending still, as far as is known."""
        if brid in self.requests:
            return True
        return not self._has_been_read and brid not in (self._told_meanwhile or ())

    def doubt(self) -> None:
        """Read the requests from the database when they are needed again."""
        self._read_at = None
        self._is_doubted = True

    def close(self) -> None:
        """Know of no requests from now on, for the builder is stopped."""
        self.requests = PendingRequests()
        self._has_been_read = self._is_closed = True
        self._read_at = None

    def tell(self, brdict: dict[str, Any]) -> None:
        """Take over what a message says of a request.

        :param brdict: the build request, as the data API gives it.
        """
        brid = brdict['buildrequestid']
        if self._is_closed:
            return
        if self._told_meanwhile is not None:
            self._told_meanwhile.add(brid)
        if brdict['claimed'] or brdict['complete']:
            self.requests.discard(brid)
            self._left(brid)
            return
        self.requests.add(brdict)
