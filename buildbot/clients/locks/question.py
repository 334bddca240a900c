# SPDX-License-Identifier: GPL-2.0-only
"""New: a question on a terminal, and its answer."""

from __future__ import annotations

import os
from typing import Any

from twisted.internet import defer
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

#: how many bytes of an answer are looked at
LONGEST = 1000


@implementer(IReadDescriptor)
class Answer:
    """The next line that somebody types. It does not say whether that is a yes.

    The reactor reads it, so that Ctrl-C works meanwhile.

    :param source: of lines, with a ``fileno``.
    :ivar line: Deferred of the line as bytes, empty at the end of input; cancelling it stops
        reading.
    """

    def __init__(self, reactor: Any, source: Any) -> None:
        self._reactor = reactor
        self._number = source.fileno()
        self._heard = b''
        self.line: defer.Deferred[bytes] = defer.Deferred(lambda _: reactor.removeReader(self))
        reactor.addReader(self)

    def fileno(self) -> int:
        return self._number

    def logPrefix(self) -> str:
        return 'answer'

    def doRead(self) -> None:
        part = os.read(self._number, LONGEST)
        self._heard += part
        if not part or b'\n' in self._heard or len(self._heard) >= LONGEST:
            self._reactor.removeReader(self)
            self.line.callback(self._heard)

    def connectionLost(self, reason: Failure) -> None:
        if not self.line.called:
            self.line.callback(b'')


async def is_yes(reactor: Any, source: Any) -> bool:
    """Return whether the next line says yes; anything else, and no line, means no."""
    line = await Answer(reactor, source).line
    return line.strip().lower() in (b'y', b'yes')
