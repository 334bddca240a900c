# SPDX-License-Identifier: GPL-2.0-only
"""New: writes to the database that are slow or fail, and time that goes by."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import OperationalError
from twisted.internet import defer

from buildbot.process.builder import Builder
from buildbot.test.util.memorydb import known_database
from buildbot.test.util.storm.user import UserError
from buildbot.test.util.storm.workers import Workers

#: what a write begins with
WRITES = ('INSERT', 'UPDATE', 'DELETE')


class DiskFullError(OperationalError):
    """What a write to the database fails with."""

    def __init__(self) -> None:
        super().__init__('insert', {}, Exception('disk is full'))


class Database(Workers):
    """What happens to writes, and to builds that a plugin does not let begin.

    :ivar failures: how many writes have failed.
    :ivar plugin: whether a plugin lets builds begin.
    """

    def setUp(self) -> None:
        super().setUp()
        engine = known_database().engine
        sa.event.listen(engine, 'before_cursor_execute', self._before_statement)
        self.addCleanup(sa.event.remove, engine, 'before_cursor_execute', self._before_statement)
        self._to_fail: list[bool] = []

    def make_lab(self, configuration: dict[str, Any]) -> defer.Deferred[Any]:
        self.failures = 0
        self.plugin = 'yes'
        if configuration['plugin']:
            start = Builder.maybeStartBuild
            self.patch(Builder, 'maybeStartBuild', lambda *args: self._start_build(start, *args))
        return super().make_lab(configuration)

    def _before_statement(
        self, conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool
    ) -> None:
        if self._to_fail and statement.startswith(WRITES) and self._to_fail.pop(0):
            self.note_failure()
            raise DiskFullError()

    def note_failure(self) -> None:
        """Take note that a write fails, which may be tried again for some time."""
        self.failures += 1
        self.trouble_until = self.reactor.seconds() + 15

    def on_fail_writes(self, after: int, count: int) -> str:
        """Let some writes fail, after some that do not."""
        self._to_fail = [False] * after + [True] * count
        return f'{count} after {after}'

    def on_slow_write(self, kind: str) -> str | None:
        if self.held is not None:
            return None
        if self.plan['collapseRequests'] and kind == 'claimBuildRequests':
            return None  # who asks for a build would wait as well
        self.held = self.hold_write(kind, lambda *args, **kwargs: True)
        return kind

    def on_slow_answer(self) -> str | None:
        """Let a step learn late, or never, of what it has triggered, though that is stored."""
        if self.held is not None:
            return None
        self.held = self.hold_write('addBuildset', lambda **words: words['waited_for'], True)
        return 'addBuildset'

    def on_write(self, fails: bool) -> str | None:
        if self.held is None or self.held.held is None:
            return None
        self._let_write(DiskFullError() if fails else None)
        return 'fails' if fails else 'goes on'

    def _let_write(self, error: Exception | None) -> None:
        held, self.held = self.held, None
        if held.held is None:
            held.held = defer.succeed(None)  # it is not meant any more
        elif error is None:
            held.held.callback(None)
        else:
            self.note_failure()
            held.held.errback(error)

    def write_all(self) -> None:
        """Let no write be slow or fail from now on."""
        self._to_fail = []
        if self.held is not None:
            self._let_write(None)

    def _start_build(self, start: Any, builder: Any, worker: Any, requests: list[Any]) -> Any:
        # what a plugin makes of maybeStartBuild
        if self.plugin == 'yes':
            return start(builder, worker, requests)
        for request in requests:
            self.failed[request.id] = self.reactor.seconds() + 15
        if self.plugin == 'error':
            return defer.fail(UserError('maybeStartBuild'))
        return defer.succeed(False)

    def on_wait(self, seconds: int) -> str:
        if self.plugin != 'yes':
            # what fails is tried again now and then
            seconds = min(seconds, 60)
            self.begin(**{what: 6 * most for what, most in self.pace.most.items()})
        self.let_time_go(seconds)
        return f'{seconds} s'
