# SPDX-License-Identifier: GPL-2.0-only
"""New: the events that a master sends, one after the other."""

from __future__ import annotations

import json
from typing import Any
from typing import Iterator

from twisted.internet import defer
from twisted.internet import protocol
from twisted.python.failure import Failure


class Lost(Exception):
    """The master sends no more events."""


def data_of(block: bytes, kind: bytes) -> Iterator[bytes]:
    """Yield the data of a block of the stream, if it is of this kind.

    :param block: lines, without the empty one at the end.
    """
    fields: dict[bytes, list[bytes]] = {}
    for line in block.split(b'\n'):
        name, _, value = line.rstrip(b'\r').partition(b':')
        fields.setdefault(name, []).append(value[1:] if value.startswith(b' ') else value)
    if fields.get(b'event') == [kind]:
        yield b'\n'.join(fields.get(b'data', []))


def events_of(block: bytes) -> Iterator[Any]:
    """Yield the event that a block of the stream brings: a dict of ``key`` and ``message``."""
    for data in data_of(block, b'event'):
        yield json.loads(data)


class Stream(protocol.Protocol):
    """Events in the order in which they came, for one reader that asks for the next one."""

    def __init__(self) -> None:
        self._begun = b''
        self._waiting: list[Any] = []
        self._asked: defer.Deferred[Any] | None = None
        self._is_lost = False
        #: fires when the master has accepted the stream, with the name by which it knows it; no
        #: later event is missed
        self.is_heard: defer.Deferred[str] = defer.Deferred()

    def dataReceived(self, data: bytes) -> None:
        *blocks, self._begun = (self._begun + data).replace(b'\r\n', b'\n').split(b'\n\n')
        for block in blocks:
            if not self.is_heard.called:
                names = data_of(block, b'handshake')
                self.is_heard.callback(next(names, b'').decode('utf-8', 'replace'))
            self._waiting += events_of(block)
        self._answer()

    def connectionLost(self, reason: Failure = protocol.connectionDone) -> None:
        self._is_lost = True
        if not self.is_heard.called:
            self.is_heard.errback(Lost())
        self._answer()

    def next(self) -> defer.Deferred[Any]:
        """Return a Deferred of the next event; it fails with ``Lost`` if no more can come."""
        asked: defer.Deferred[Any] = defer.Deferred()
        self._asked = asked
        self._answer()
        return asked

    def _answer(self) -> None:
        if self._asked is None or not (self._waiting or self._is_lost):
            return
        asked, self._asked = self._asked, None
        if self._waiting:
            asked.callback(self._waiting.pop(0))
        else:
            asked.errback(Lost())

    def stop(self) -> None:
        """Stop listening."""
        if self.transport is not None and not self._is_lost:
            self.transport.loseConnection()
