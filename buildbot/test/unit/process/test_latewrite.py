# SPDX-License-Identifier: GPL-2.0-only
"""What is written until that succeeds."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.internet import task
from twisted.python import log
from twisted.trial import unittest

from buildbot.process.latewrite import write_at_last


class Master:
    running = True

    def __init__(self) -> None:
        self.reactor = task.Clock()


class WriteAtLast(unittest.SynchronousTestCase):
    def test_log(self) -> None:
        """An error is logged once as long as it is the same one, and so is its end."""
        master: Any = Master()
        errors = [ValueError('full'), ValueError('full'), ValueError('away'), None]
        texts: list[str] = []

        def hear(event: dict[str, Any]) -> None:
            texts.append(event.get('why') or ' '.join(event['message']))

        def write() -> defer.Deferred[None]:
            error = errors.pop(0)
            return defer.succeed(None) if error is None else defer.fail(error)

        log.addObserver(hear)
        self.addCleanup(log.removeObserver, hear)
        written = write_at_last(master, 'a row', write)
        for _ in range(3):
            self.assertNoResult(written)
            master.reactor.advance(10)
        self.successResultOf(written)
        told = [str(why.value) for why in self.flushLoggedErrors(ValueError)]
        self.assertEqual(told, ['full', 'away'])
        again = 'cannot write a row; it is tried again every 10 seconds'
        self.assertEqual(texts, [again, again, 'a row: written now'])
