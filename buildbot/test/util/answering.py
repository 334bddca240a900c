# SPDX-License-Identifier: GPL-2.0-only
"""New: a master that answers what a test says, over HTTP, and a terminal to which one writes."""

from __future__ import annotations

import io
import json
from typing import Any

from twisted.internet import defer
from twisted.internet import reactor
from twisted.web import resource
from twisted.web import server
from twisted.web.http import datetimeToString

NOW = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC

CLOCK: Any = reactor  # a module, say its types


class Terminal(io.StringIO):
    """Takes what is written.

    :param is_terminal: whether it says that it is one.
    """

    def __init__(self, is_terminal: bool = False) -> None:
        super().__init__()
        self._is_terminal = is_terminal
        self._heard: list[tuple[str, defer.Deferred[None]]] = []

    def isatty(self) -> bool:
        return self._is_terminal

    def write(self, text: str) -> int:
        done = super().write(text)
        for words, d in list(self._heard):
            if words in self.getvalue():
                self._heard.remove((words, d))
                CLOCK.callLater(0, d.callback, None)  # not amidst of who writes
        return done

    def hear(self, words: str) -> defer.Deferred[None]:
        """Return a Deferred that fires when the words have been written."""
        d: defer.Deferred[None] = defer.Deferred()
        self._heard.append((words, d))
        self.write('')
        return d


class FakeMaster(resource.Resource):
    """Answers as Buildbot's web server does, with what stands in ``answers``.

    :ivar answers: for each path of the data API its rows, by their plural, or a tuple of status,
        content type and text. What is not there is not found. ``None`` stands for no answer. What
        is done there is at ``do`` and the path.
    :ivar asked: what was asked, in order.
    :ivar done: what was to be done, in order: path, method and parameters.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []
        self.done: list[tuple[str, str, dict[str, Any]]] = []
        self.headers: list[dict[str, str]] = []
        self.listeners: list[server.Request] = []
        self.unanswered: list[server.Request] = []
        self.cookies: list[str] = []

    @defer.inlineCallbacks
    def start(self, test: Any) -> Any:
        """Listen at a free port for as long as a test runs; return the address."""
        site = server.Site(self)
        self.port = CLOCK.listenTCP(0, site, interface='127.0.0.1')
        test.addCleanup(self.stop)
        yield defer.succeed(None)
        return f'http://127.0.0.1:{self.port.getHost().port}/'

    @defer.inlineCallbacks
    def stop(self) -> Any:
        for request in [*self.listeners, *self.unanswered]:
            if request.channel is not None:
                request.channel.forceAbortClient()
        yield self.port.stopListening()

    def render_POST(self, request: server.Request) -> Any:
        path = request.uri.decode().partition('/')[2].replace('api/v2/', '')
        assert request.getHeader('content-type') == 'application/json'
        content: Any = request.content
        call = json.load(content)
        self.done.append((path, call['method'], call['params']))
        found = self.answers.get(f'do {path}', (404, 'application/json', '{}'))
        if isinstance(found, dict):
            found = (200, 'application/json', json.dumps({'jsonrpc': '2.0', 'result': found}))
        return self.send_answer(request, found)

    def render_GET(self, request: server.Request) -> Any:
        path = request.uri.decode().partition('/')[2]
        self.asked.append(path)
        self.headers.append(
            {
                name.decode().lower(): values[0].decode()
                for name, values in request.requestHeaders.getAllRawHeaders()
            }
        )
        request.setHeader('date', datetimeToString(NOW))
        found = self.answers.get(path.replace('api/v2/', ''), ...)
        if found is ...:
            if path.startswith('sse/listen/'):
                return self.begin_events(request)
            found = (404, 'text/plain', json.dumps({'error': f'Invalid path: {path}'}))
        if isinstance(found, dict):
            found = (200, 'application/json; charset=utf-8', json.dumps({'meta': {}, **found}))
        return self.send_answer(request, found)

    def send_answer(self, request: server.Request, found: Any) -> Any:
        if found is None:
            self.unanswered.append(request)
            return server.NOT_DONE_YET
        code, kind, text = found
        request.setResponseCode(code)
        request.setHeader('content-type', kind)
        for cookie in self.cookies:
            request.responseHeaders.addRawHeader('set-cookie', cookie)
        return text.encode()

    def begin_events(self, request: server.Request) -> Any:
        request.setHeader('content-type', 'text/event-stream')
        request.write(b'event: handshake\ndata: 1\n\n')
        self.listeners.append(request)
        return server.NOT_DONE_YET

    def send(self, key: list[str], message: Any) -> None:
        """Send an event to all who listen, in two parts."""
        text = json.dumps({'key': key, 'message': message})
        data = f'event: event\ndata: {text}\n\n'.encode()
        for request in self.listeners:
            request.write(data[:20])
            request.write(data[20:])

    def hang_up(self) -> None:
        for request in self.listeners:
            request.finish()
        self.listeners = []
