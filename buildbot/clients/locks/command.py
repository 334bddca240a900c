# SPDX-License-Identifier: GPL-2.0-only
"""New: one run of ``buildbot locks``, and its exit status."""

from __future__ import annotations

import os
import sys
from typing import Any
from typing import NoReturn
from typing import Sequence

from twisted.internet import defer
from twisted.internet import task
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from buildbot.clients.locks.answers import answer
from buildbot.clients.locks.api import Api
from buildbot.clients.locks.api import NoAnswer
from buildbot.clients.locks.asked import Asked
from buildbot.clients.locks.look import look_of

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


#: what a shell expects of a command that was interrupted
INTERRUPTED = 130


async def run(reactor: Any, config: Any, out: Any, err: Any, source: Any = None) -> int:
    """Do what the command says, and return its exit status.

    :param config: options of the sub command.
    :param out: where the answer is written.
    :param err: where everything else is written.
    :param source: where the answer to a question is read.
    """

    def say(words: str) -> None:
        print(f'buildbot locks: {words}', file=err, flush=True)

    def write(lines: Sequence[str]) -> None:
        print('\n'.join(lines), file=out, flush=True)

    async def agree(lines: Sequence[str], question: str) -> bool:
        print('\n'.join(lines), file=err)
        print(question, end='', file=err, flush=True)
        return await is_yes(reactor, source)

    api = Api(config['master'], config['credentials'], say, reactor)
    try:
        asked = Asked(api, write, say, agree, look_of(out), bool(config['json']))
        await answer(asked, config)
    except NoAnswer as e:
        say(str(e))
        return 1
    except BrokenPipeError:  # nobody reads it any more
        return 1
    except defer.CancelledError:
        return 0 if config.name == 'watch' else INTERRUPTED
    finally:
        api.stop()
    return 0


def locks(config: Any) -> NoReturn:
    """Do what the command line says, and end with its exit status."""
    stdout: Any = sys.stdout
    stdout.reconfigure(errors='backslashreplace')

    async def status(d: defer.Deferred[int]) -> None:
        code = await d
        if code:
            raise SystemExit(code)

    def main(reactor: Any) -> defer.Deferred[None]:
        streams = sys.stdout, sys.stderr, sys.stdin
        d = defer.Deferred.fromCoroutine(run(reactor, config.subOptions, *streams))
        reactor.addSystemEventTrigger('before', 'shutdown', d.cancel)
        return defer.Deferred.fromCoroutine(status(d))

    try:
        task.react(main)
    finally:
        try:
            sys.stdout.flush()
        except BrokenPipeError:  # otherwise the interpreter reports it when it ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
