# SPDX-License-Identifier: GPL-2.0-only
"""New: a wait for the user's code that can be ended, whatever that code does."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure


def endable(answer: defer.Deferred[Any], what: str) -> defer.Deferred[Any]:
    """Return a Deferred of an answer that can be cancelled at once.

    Cancelling the answer itself may do nothing: a coroutine may catch that and go on waiting.

    :param what: names the question in the log, if an error comes too late.
    :returns: Deferred of the answer; it fails with ``CancelledError`` when it is cancelled.
    """

    def take(result: Any) -> None:
        if not asked.called:
            asked.callback(result)
        elif isinstance(result, Failure) and not result.check(defer.CancelledError):
            log.err(result, f'{what} failed, and nobody waited for it')

    asked: defer.Deferred[Any] = defer.Deferred(lambda _: answer.cancel())
    answer.addBoth(take)
    return asked
