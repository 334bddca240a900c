# SPDX-License-Identifier: GPL-2.0-only
"""New: where the build requests of a builder arrive, and are kept until somebody claims them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer

from buildbot.data import resultspec
from buildbot.process.pending import PendingRequests
from buildbot.util.service import SharedService

if TYPE_CHECKING:
    from buildbot.process.builder import Builder


class Inbox:
    """The pending requests of a builder, read from the database once and kept by messages.

    :param builder: the builder.
    :cvar read_again_after: seconds after which they are read again when there is anything to do, in
        case a message that told of a change was lost.
    :ivar requests: those that are known now.
    """

    read_again_after = 600

    def __init__(self, builder: Builder) -> None:
        self.requests = PendingRequests()
        self._builder = builder
        self._reading = defer.DeferredLock()
        self._read_at: float | None = None
        self._has_been_read = False
        self._is_closed = False
        self._is_doubted = False  # since the reading that is under way has begun
        self._told_meanwhile: set[int] | None = None

    def read(self) -> defer.Deferred[PendingRequests]:
        """Return the pending requests, which are up to date as far as anybody knows."""
        if self.is_fresh:
            return defer.succeed(self.requests)
        return self._reading.run(self._read)

    @property
    def is_fresh(self) -> bool:
        """Whether they are up to date as far as anybody knows."""
        if self._told_meanwhile is not None:
            return False
        if self._read_at is None:
            return self._is_closed
        return self._builder.master.reactor.seconds() - self._read_at < self.read_again_after

    @defer.inlineCallbacks
    def _read(self) -> Any:
        if self.is_fresh:
            return self.requests
        master = self._builder.master
        messages = yield RequestMessages.getService(self._builder.botmaster)
        yield messages.listen()
        self._told_meanwhile = set()
        self._is_doubted = False
        try:
            read_at = master.reactor.seconds()
            brdicts = yield master.data.get(
                ('builders', (yield self._builder.getBuilderId()), 'buildrequests'),
                [resultspec.Filter('claimed', 'eq', [False])],
            )
            if self._is_closed:
                return self.requests
            for brid in self.requests.bring_up_to_date(brdicts, self._told_meanwhile):
                if self._builder.reservations.is_in_line(brid):
                    self._builder.reservations.leave_lines(brid)
                    self._builder.wake()
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

    def tell(self, brdict: dict[str, Any], is_update: bool) -> None:
        """Take over what a message says of a request.

        :param brdict: the build request, as the data API gives it.
        :param is_update: whether it is pending as before, and something of it has been changed.
        """
        brid = brdict['buildrequestid']
        if self._is_closed:
            return
        if self._told_meanwhile is not None:
            self._told_meanwhile.add(brid)
        if brdict['claimed'] or brdict['complete']:
            self.requests.discard(brid)
            if self._builder.reservations.is_in_line(brid):
                self._builder.reservations.leave_lines(brid)
                self._builder.wake()  # who stood behind it in its group is not in line yet
            return
        self.requests.add(brdict)
        if is_update:
            self._builder.reservations.leave_lines(brid)  # it has another place in line now
            self._builder.wake()


class RequestMessages(SharedService):
    """Hears all that is told of build requests, and passes it to the inboxes of their builders."""

    def __init__(self) -> None:
        super().__init__()
        self._starting = defer.DeferredLock()
        self._messages: Any = None

    def listen(self) -> defer.Deferred[None]:
        """Make sure that no message is missed from when this fires."""
        return self._starting.run(self._listen)

    @defer.inlineCallbacks
    def _listen(self) -> Any:
        if self._messages is None:
            self._messages = yield self.master.mq.startConsuming(
                self._pass_on, ('buildrequests', None, None)
            )

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        yield super().stopService()
        if self._messages is not None:
            messages, self._messages = self._messages, None
            yield messages.stopConsuming()

    def _pass_on(self, key: tuple[str, ...], brdict: dict[str, Any]) -> None:
        if key[2] == 'cancel':
            return  # that it is complete has been told already
        builder = self.parent.getBuilderById(brdict['builderid'])
        if builder is not None:
            builder.inbox.tell(brdict, key[2] == 'update')
