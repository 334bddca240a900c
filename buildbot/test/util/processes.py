# SPDX-License-Identifier: GPL-2.0-only
"""New: a process that a test starts, and what it has said until now."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from typing import Any

PATIENCE = 180  # seconds after which what does not come is given up


class Process:
    """A process whose lines are read as they come, so that it never waits for a reader.

    :param test: ends it, whatever happens.
    :param command: its words.
    :param words: for ``subprocess.Popen``.
    :ivar said: its lines until now.
    """

    def __init__(self, test: Any, *command: Any, **words: Any) -> None:
        self.test = test
        self.said: list[str] = []
        self._came = threading.Condition()
        self._is_over = False
        self._read_to = 0
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            **words,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        test.addCleanup(self.end)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._came:
                self.said.append(line.rstrip('\n'))
                self._came.notify_all()
        with self._came:
            self._is_over = True
            self._came.notify_all()

    def mark(self) -> int:
        """Return how much it has said, to be given to ``wait_for`` later."""
        with self._came:
            return len(self.said)

    def wait_for(
        self, pattern: str, after: int | None = None, patience: float = PATIENCE
    ) -> re.Match[str]:
        """Wait until it says something.

        :param pattern: a regular expression that a line must contain.
        :param after: the mark from which on lines count; without it, lines count from behind the
            one that was waited for last.
        :param patience: seconds after which the test fails.
        :returns: the match.
        """
        at = self._read_to if after is None else after
        deadline = time.monotonic() + patience
        with self._came:
            while True:
                for i in range(at, len(self.said)):
                    found = re.search(pattern, self.said[i])
                    if found:
                        self._read_to = i + 1
                        return found
                at = len(self.said)
                left = deadline - time.monotonic()
                if self._is_over or left <= 0:
                    break
                self._came.wait(left)
        why = 'it has ended' if self._is_over else f'not in {patience} seconds'
        tail = '\n'.join(self.said[-40:])
        raise self.test.failureException(f'no {pattern!r}, {why}:\n{tail}')

    def lines(self, pattern: str, after: int = 0) -> list[str]:
        """Return what it has said that contains a pattern, from a mark on."""
        with self._came:
            return [line for line in self.said[after:] if re.search(pattern, line)]

    def cpu(self) -> float:
        """Return for how many seconds it has used a processor."""
        with open(f'/proc/{self.process.pid}/stat', encoding='utf-8') as stat:
            fields = stat.read().rpartition(')')[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')

    def send(self, number: int) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Kill it, as ``kill -9`` does, and wait until it is gone."""
        self.process.kill()
        self.process.wait()

    def end(self) -> None:
        """End it, also if it has been stopped by a signal."""
        if self.process.poll() is None:
            self.send(signal.SIGKILL)
        self.process.wait()
        self._reader.join(PATIENCE)
        if not self._reader.is_alive():  # else what it has started has its pipe
            assert self.process.stdout is not None
            self.process.stdout.close()
