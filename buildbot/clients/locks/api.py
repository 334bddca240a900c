# SPDX-License-Identifier: GPL-2.0-only
"""New: what a master answers over HTTP, or why it does not, in one sentence."""

from __future__ import annotations

import base64
import io
import json
import time
from email.utils import parsedate_to_datetime
from typing import Any
from typing import Callable
from typing import NamedTuple
from urllib.parse import quote
from urllib.parse import urlencode

import treq
from twisted.internet import defer
from twisted.web.client import Agent
from twisted.web.client import FileBodyProducer
from twisted.web.client import HTTPConnectionPool
from twisted.web.http_headers import Headers

from buildbot.clients.locks.look import harmless
from buildbot.clients.locks.stream import Lost
from buildbot.clients.locks.stream import Stream
from buildbot.process.eye.words import plain

#: seconds after which the user is told that the master has not answered
SLOW = 2

#: seconds after which the command stops waiting for an answer
PATIENCE = 60


class NoAnswer(Exception):
    """The master does not give the answer; the text says why."""


class NotThere(NoAnswer):
    """The master has nothing of that name."""


class Credentials(NamedTuple):
    """A user name and a password. It does not say whether the master accepts them."""

    user: str
    password: str

    @property
    def header(self) -> str:
        words = f'{self.user}:{self.password}'.encode()
        return f'Basic {base64.b64encode(words).decode("ascii")}'


class Token(NamedTuple):
    """A log-in made in a browser: the contents of the master's cookie. It is no password."""

    text: str

    @property
    def cookie(self) -> str:
        # the second name is for a master that serves TLS itself
        return f'TWISTED_SESSION={self.text}; TWISTED_SECURE_SESSION={self.text}'


class Answer(NamedTuple):
    """A master's answer to one HTTP request. It may be a refusal."""

    code: int
    headers: Headers
    body: bytes

    @property
    def content(self) -> Any:
        """The JSON in the answer; None if there is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def kind(self) -> str:
        return (self.headers.getRawHeaders('content-type') or ['text of no kind'])[0].split(';')[0]


class Api:
    """The data API of a master, as a client uses it. It is not the command, and prints nothing.

    :param url: of its web page, with a slash at the end.
    :param credentials: for its log-in; a password is also for a proxy in front of it.
    :param say: called with words for a user who waits.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials | Token | None,
        say: Callable[[str], object],
        reactor: Any,
    ) -> None:
        self._reactor = reactor
        self._url = url
        self._say = say
        self._agent = Agent(
            reactor, connectTimeout=30, pool=HTTPConnectionPool(reactor, persistent=False)
        )
        self._headers = Headers({'Accept': ['application/json']})
        self._credentials = credentials
        self._streams: list[Stream] = []
        #: the time of the master's clock when it last answered
        self.now = time.time()

    async def log_in(self) -> None:
        """Log the user in, if there are credentials.

        A proxy in front of the master takes the credentials with each request. The master takes
        them once, and gives a cookie, unless it has no log-in with a password.
        """
        if self._credentials is None:
            return
        if isinstance(self._credentials, Token):
            self._headers.setRawHeaders('Cookie', [self._credentials.cookie])
            return
        self._headers.setRawHeaders('Authorization', [self._credentials.header])
        answer = await self._ask('auth/login')
        if answer.code == 401:
            user = plain(self._credentials.user)
            raise NoAnswer(f'{self._url} does not accept this password for the user {user}')
        cookies = answer.headers.getRawHeaders('set-cookie') or []
        if cookies:
            self._headers.setRawHeaders('Cookie', ['; '.join(c.split(';')[0] for c in cookies)])

    async def rows(self, kind: str, path: str, **query: Any) -> list[Any]:
        """Return rows of the data API.

        :param kind: of the rows, in the plural.
        :param query: filters, order and limit.
        :raises NotThere: there is nothing at this path.
        :raises NoAnswer: the master does not answer, or not with such rows.
        """
        rows, _ = await self.page(kind, path, **query)
        return rows

    async def page(self, kind: str, path: str, **query: Any) -> tuple[list[Any], int]:
        """Return some rows of the data API, and how many there are in all."""
        given = {key: value for key, value in query.items() if value is not None}
        parameters = f'?{urlencode(given)}' if given else ''
        answer = await self._ask(f'api/v2/{path}{parameters}')
        content = self._check(answer)
        rows = content.get(kind)
        if not isinstance(rows, list):
            raise NoAnswer(f'{self._url} does not say what {kind} it has')
        return rows, content.get('meta', {}).get('total', len(rows))

    async def name_of_user(self) -> str:
        """Return the name by which the master knows the user."""
        content = self._check(await self._ask('config'))
        user = content.get('user') or {}
        for key in ('email', 'username', 'full_name'):
            if user.get(key) and not user.get('anonymous'):
                return str(user[key])
        return 'anonymous'

    async def do(self, path: str, action: str, words: dict[str, Any]) -> Any:
        """Have the master do something.

        :param path: of the data API.
        :param action: one of those that the path has.
        :param words: parameters.
        :returns: the master's answer.
        :raises NoAnswer: it is refused, or it is not known whether it was done.
        """
        call = {'jsonrpc': '2.0', 'method': action, 'params': words, 'id': 1}
        try:
            answer = await self._ask(f'api/v2/{path}', json.dumps(call).encode())
        except NoAnswer as e:
            more = 'it may have been done; run the command again: nothing is done twice'
            raise NoAnswer(f'{e}; {more}') from None
        content = answer.content
        error = content.get('error') if isinstance(content, dict) else None
        if isinstance(error, dict) and answer.code in (400, 403):
            sentence = harmless(error.get('message', 'no reason'))[:2000]
            raise NoAnswer(sentence if answer.code == 400 else self._not_allowed(sentence))
        if isinstance(error, dict):
            error = error.get('message', 'no reason')
            answer = answer._replace(body=json.dumps({'error': error}).encode())
        result = self._check(answer).get('result')
        if not isinstance(result, dict):
            raise NoAnswer(f'{self._url} does not say what it has done')
        return result

    def _not_allowed(self, why: str) -> str:
        how = '' if self._credentials else ' (see --user)'
        return f'{self._url} does not let {self._who}{how} do this: {why}'

    @property
    def _who(self) -> str:
        return 'this user' if self._credentials else 'a user who has not logged in'

    def _check(self, answer: Answer) -> Any:
        content, url = answer.content, self._url
        if answer.code in (401, 403):
            how = '' if self._credentials else ' (see --user)'
            raise NoAnswer(f'{url} does not show this to {self._who}{how}')
        if 300 <= answer.code < 400:
            there = (answer.headers.getRawHeaders('location') or ['another address'])[0]
            raise NoAnswer(f'{url} redirects to {plain(there)}; give --master the right address')
        if not isinstance(content, dict):
            what = f'{plain(answer.kind)}, status {answer.code}'
            raise NoAnswer(
                f'{url} is not the address of a Buildbot master: it answers with {what};'
                ' --master takes what a browser shows before the #'
            )
        if answer.code == 404:
            raise NotThere(harmless(content.get('error', '')))
        if answer.code != 200:
            error = harmless(content.get('error', 'no reason'))[:500]
            raise NoAnswer(f'{url} answers with status {answer.code}: {error}')
        return content

    async def listen(self, path: str, *others: str) -> Stream:
        """Return the events of paths with stars, from now on."""
        response = await self._request(f'sse/listen/{path}')
        kind = (response.headers.getRawHeaders('content-type') or [''])[0]
        if response.code != 200 or not kind.startswith('text/event-stream'):
            self._check(await self._read(response))
            raise NoAnswer(f'{self._url} sends no events')
        stream = Stream()
        response.deliverBody(stream)
        self._streams.append(stream)
        try:
            known_as = await stream.is_heard
        except Lost:
            raise NoAnswer(f'{self._url} sends no events') from None
        for other in others:
            await self._ask(f'sse/add/{quote(known_as, safe="")}/{other}')
        return stream

    def stop(self) -> None:
        """Stop listening for events."""
        for stream in self._streams:
            stream.stop()

    async def _ask(self, path: str, body: bytes | None = None) -> Answer:
        answer = await self._read(await self._request(path, body))
        said = answer.headers.getRawHeaders('date')
        self.now = time.time()
        if said:
            try:
                self.now = parsedate_to_datetime(said[0]).timestamp()
            except (TypeError, ValueError):
                pass  # a proxy's page, say
        return answer

    async def _read(self, response: Any) -> Answer:
        parts: list[bytes] = []
        await self._wait(treq.collect(response, parts.append))
        return Answer(response.code, response.headers, b''.join(parts))

    async def _request(self, path: str, body: bytes | None = None) -> Any:
        url = f'{self._url}{path}'.encode('ascii')
        if body is None:
            return await self._wait(self._agent.request(b'GET', url, self._headers))
        headers = self._headers.copy()
        headers.setRawHeaders('Content-Type', ['application/json'])
        sent = FileBodyProducer(io.BytesIO(body))
        return await self._wait(self._agent.request(b'POST', url, headers, sent))

    async def _wait(self, d: defer.Deferred[Any]) -> Any:
        later = self._reactor.callLater
        slow = later(SLOW, self._say, f'waiting for {self._url} to answer')
        late = later(PATIENCE, d.cancel)
        try:
            return await d
        except Exception as e:
            cause = cause_of(e)
            if not isinstance(cause, defer.CancelledError):
                words = harmless(cause).strip().rstrip('.')[:300] or type(cause).__name__
                raise NoAnswer(f'no master answers at {self._url}: {words}') from None
            if late.active():  # it was cancelled by somebody else
                raise cause from None
            raise NoAnswer(f'{self._url} has not answered for {PATIENCE} s') from None
        finally:
            for call in (slow, late):
                if call.active():
                    call.cancel()


def cause_of(e: BaseException) -> BaseException:
    """Return the cause of an exception of the HTTP client."""
    reasons = getattr(e, 'reasons', None)
    return cause_of(reasons[-1].value) if reasons else e
