# SPDX-License-Identifier: GPL-2.0-only
"""New: a wait for what a user wrote that can be ended, whatever that does then."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure


def endable(answer: defer.Deferred[Any], what: str) -> defer.Deferred[Any]:
    """Return a Deferred of an answer that can be cancelled at once.

    To cancel the answer itself may do nothing: a coroutine that catches that waits on.

    :param what: the words for the question in the log, where an error is told that comes too late.
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
