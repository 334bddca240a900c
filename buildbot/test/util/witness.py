# SPDX-License-Identifier: GPL-2.0-only
"""New: a witness outside of master and workers, to whom each command of a step is connected."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import threading
import time
from typing import Any
from typing import NamedTuple

from buildbot.test.util.processes import PATIENCE

#: what a step runs, with a port, the lock that it is under, and its own words
COMMAND = """
import os, socket, sys
with socket.create_connection(('127.0.0.1', int(sys.argv[1]))) as s:
    s.sendall(' '.join([*sys.argv[2:], str(os.getpid())]).encode() + b'\\n')
    sys.exit(int(s.recv(10) or 1))
"""


class Words(NamedTuple):
    """What a command says of itself."""

    lock: str
    step: str
    worker: str
    build: str
    pid: str

    def __str__(self) -> str:
        return f'{self.step} of {self.build}'


class Command:
    """A command that runs, as the witness knows it."""

    def __init__(self, words: Words, connection: socket.socket) -> None:
        self.words = words
        self.connection = connection
        self.is_gone = False
        self.is_known = False  # whether the test has waited for it

    def kill(self) -> None:
        """Kill it, as ``kill -9`` does."""
        os.kill(int(self.words.pid), signal.SIGKILL)

    def let_go(self, status: int = 0) -> None:
        """Let it end with an exit status."""
        try:
            self.connection.sendall(str(status).encode())
        except OSError:  # it is gone
            pass


class Witness:
    """Sees which commands run, also those of workers and masters that are dead.

    A command is connected from its start to its end, however it ends, so no clock is compared.

    :ivar clashes: sentences for each two commands that ran under one lock at one time.
    """

    def __init__(self, test: Any) -> None:
        self.test = test
        self.clashes: list[str] = []
        self.seen: list[Command] = []
        self._lets_go = False
        self._changed = threading.Condition()
        self._selector = selectors.DefaultSelector()
        self._server = socket.create_server(('127.0.0.1', 0), backlog=100)
        self._selector.register(self._server, selectors.EVENT_READ)
        self._stop, other_end = socket.socketpair()
        self._selector.register(other_end, selectors.EVENT_READ)
        self._sockets = [self._server, self._stop, other_end]
        self.port: int = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._watch, args=[other_end], daemon=True)
        self._thread.start()
        test.addCleanup(self.end)

    def _watch(self, other_end: socket.socket) -> None:
        while True:
            ready = [key for key, _ in self._selector.select()]
            if any(key.fileobj is other_end for key in ready):
                return
            # who has ended before another one began is heard before it
            for key in sorted(ready, key=lambda key: key.fileobj is self._server):
                if key.fileobj is self._server:
                    self._accept()
                else:
                    self._hear(key.fileobj, key.data)

    def _accept(self) -> None:
        connection, _ = self._server.accept()
        line = b''
        while not line.endswith(b'\n'):  # it sends it at once
            more = connection.recv(1000)
            if not more:
                connection.close()
                return
            line += more
        command = Command(Words(*line.decode().split()), connection)
        with self._changed:
            for other in self.seen:
                if other.words.lock == command.words.lock and not other.is_gone:
                    self.clashes.append(f'{command.words} began while {other.words} ran')
            self.seen.append(command)
            self._changed.notify_all()
            if self._lets_go:
                command.let_go()
        self._selector.register(connection, selectors.EVENT_READ, command)

    def _hear(self, connection: Any, command: Command) -> None:
        try:
            data = connection.recv(100)
        except OSError:
            data = b''
        if not data:
            self._selector.unregister(connection)
            connection.close()
            with self._changed:
                command.is_gone = True
                self._changed.notify_all()

    def _wait(self, what: str, find: Any, patience: float) -> Any:
        deadline = time.monotonic() + patience
        with self._changed:
            while True:
                found = find()
                left = deadline - time.monotonic()
                if found:
                    return found
                if left <= 0:
                    seen = [(command.words, command.is_gone) for command in self.seen]
                    raise self.test.failureException(f'not seen: {what}, but {seen}')
                self._changed.wait(left)

    def wait_for(self, step: str, patience: float = PATIENCE) -> Command:
        """Wait until a command of a step runs that was not waited for before; return it."""

        def find() -> Command | None:
            for command in self.seen:
                if command.words.step == step and not (command.is_gone or command.is_known):
                    command.is_known = True
                    return command
            return None

        return self._wait(f'a command of {step}', find, patience)

    def wait_until_gone(self, command: Command, patience: float = PATIENCE) -> None:
        """Wait until a command has ended."""
        self._wait(f'the end of {command.words}', lambda: command.is_gone, patience)

    def running(self) -> list[Words]:
        """Return what runs."""
        with self._changed:
            return [command.words for command in self.seen if not command.is_gone]

    def let_all_go(self) -> None:
        """Let all commands end well, those that run and those that come."""
        with self._changed:
            self._lets_go = True
            for command in self.seen:
                if not command.is_gone:
                    command.let_go()

    def end(self) -> None:
        """End all commands."""
        self._stop.send(b'.')
        self._thread.join()
        for command in self.seen:
            if not command.is_gone:
                command.connection.close()
        for each in self._sockets:
            each.close()
        self._selector.close()
