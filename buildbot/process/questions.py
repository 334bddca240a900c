# SPDX-License-Identifier: GPL-2.0-only
"""New: calls of a user's methods and renderables, which may answer late or never."""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import Collection

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

    def end(_: Any) -> None:
        try:
            answer.cancel()
        except Exception as e:  # it is waited for no longer all the same
            log.err(e, f'{what} cannot be cancelled')

    asked: defer.Deferred[Any] = defer.Deferred(end)
    answer.addBoth(take)
    return asked


class GivenUp(defer.CancelledError):
    """Nobody waits for an answer any more. It is not an error of the user's code."""


class Questions:
    """The calls of the user's methods and renderables that one builder waits for.

    While an answer is late, only this builder waits: the distributor goes on with the others.
    Answers are passed on unchecked.

    :param name: name of the builder.
    :param reactor: the master's reactor.
    :cvar late_after: seconds for which the other builders wait, too, so that an answer that takes a
        database query does not change the order of the builders.
    :cvar logged_after: seconds after which a late answer is logged.
    """

    late_after = 1
    logged_after = 60

    def __init__(self, name: str, reactor: Any) -> None:
        self._name = name
        self._reactor = reactor
        # by the Deferred of the answer: what was asked, when, and about what
        self._open: dict[defer.Deferred[Any], tuple[str, float, Collection[Any]]] = {}
        self._is_over = False
        self._late: Callable[[], Any] = lambda: None

    @property
    def unanswered(self) -> list[tuple[str, float]]:
        """The questions without an answer yet, each with the time since when it is asked."""
        return [(what, since) for what, since, _ in self._open.values()]

    def begin_look(self, late: Callable[[], Any]) -> None:
        """Note that a look at the builder begins.

        :param late: called without arguments when an answer is late.
        """
        self._late = late
        self._is_over = False

    @defer.inlineCallbacks
    def ask(
        self, what: str, function: Callable[..., Any], *args: Any, about: Collection[Any] = ()
    ) -> Any:
        """Call one of the user's methods.

        :param what: the method's name for the log, such as ``nextWorker``.
        :param about: the ids of requests and names of workers without which the answer is useless.
        :returns: Deferred of the method's result. It fails as the method does, and with
            ``GivenUp`` after ``give_up``.
        """
        answer = defer.maybeDeferred(function, *args)
        if answer.called and not answer.paused:
            return (yield answer)
        asked = endable(answer, f'builder {self._name!r}: {what}')
        self._open[asked] = (what, self._reactor.seconds(), about)
        if self._is_over:
            self._end([asked])
        calls = [
            self._reactor.callLater(self.late_after, self._is_late),
            self._reactor.callLater(self.logged_after, self._log_lateness, what),
        ]
        try:
            return (yield asked)
        finally:
            self._open.pop(asked, None)
            for call in calls:
                if call.active():
                    call.cancel()

    def _is_late(self) -> None:
        self._late()  # that of the look which is under way now

    def _log_lateness(self, what: str) -> None:
        log.msg(
            f'builder {self._name!r}: {what} has not answered for {self.logged_after} seconds; the'
            ' builder starts nothing until it does'
        )

    def give_up(self) -> None:
        """Stop waiting for answers, until the next look at the builder."""
        self._is_over = True
        self._end(list(self._open))

    def give_up_about(self, thing: Any) -> bool:
        """Stop waiting for answers that are useless without a request or a worker.

        :param thing: the id of a request that is no longer pending, or the name of a lost worker.
        :returns: whether there were such questions.
        """
        given_up = [asked for asked, (_, _, about) in self._open.items() if thing in about]
        self._end(given_up)
        return bool(given_up)

    def _end(self, given_up: list[defer.Deferred[Any]]) -> None:
        for asked in given_up:
            if self._open.pop(asked, None) is not None:
                asked.errback(GivenUp())
