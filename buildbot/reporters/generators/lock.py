# SPDX-License-Identifier: GPL-2.0-only
"""New: reports of what people do with locks, and of waits and holds that are too long."""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import ClassVar
from typing import Sequence

from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure
from zope.interface import implementer

from buildbot import config
from buildbot import interfaces
from buildbot import util
from buildbot.locks import is_span
from buildbot.process.results import SUCCESS
from buildbot.reporters.lockmessage import EVENTS
from buildbot.reporters.lockmessage import LockMessageFormatter

#: what is reported unless the user says otherwise
USUAL = (
    *('held', 'aside', 'handover', 'ends_soon', 'overdue', 'ended', 'kick'),
    *('quarantined', 'restored', 'long_wait', 'long_hold', 'circle'),
)


@implementer(interfaces.IReportGenerator)
class LockGenerator(util.ComparableMixin):
    """Makes a report of each event about a lock, for any reporter. It does not send it.

    :param locks: names of the locks to report on; None stands for all.
    :param events: what is reported, names of ``EVENTS``.
    :param message_formatter: has ``format_message_for_lock``, as ``LockMessageFormatter`` has.
    :param to_person: whether a report also goes to the person whom it concerns.
    :param wait_over: seconds. Each wait that lasts longer is reported once, whatever limits its
        locks have.
    :cvar answers_within: seconds after which the usual message replaces one that is not ready.
    """

    compare_attrs: ClassVar[Sequence[str]] = (
        'locks',
        'events',
        'formatter',
        'to_person',
        'wait_over',
    )
    answers_within = 60

    def __init__(
        self,
        locks: Sequence[str] | None = None,
        events: Sequence[str] = USUAL,
        message_formatter: Any = None,
        to_person: bool = True,
        wait_over: float | None = None,
    ) -> None:
        self.locks = locks
        self.events = events
        self.formatter = LockMessageFormatter() if message_formatter is None else message_formatter
        self.to_person = to_person
        self.wait_over = wait_over

    @property
    def wanted_event_keys(self) -> list[tuple[str | None, ...]]:
        """The routing keys of the events that are reported."""
        keys: list[tuple[str | None, ...]] = [('lockactions', None, None)]
        if self.wait_over is not None:
            keys.append(key_of_long_wait(self.wait_over))
        return keys

    def check(self) -> None:
        """Report what is wrong with the arguments, one sentence for each fault."""
        if self.locks is not None and not are_names(self.locks):
            complain(f'locks must be a list of names of locks, or None, not {self.locks!r}')
        if not are_names(self.events):
            complain(f'events must be a list of names of events, not {self.events!r}')
        else:
            for event in self.events:
                if event not in EVENTS:
                    complain(f'{event!r} is not an event of a lock; events are {", ".join(EVENTS)}')
        if not callable(getattr(self.formatter, 'format_message_for_lock', None)):
            complain(
                'message_formatter must have format_message_for_lock, as LockMessageFormatter has,'
                f' and {self.formatter!r} has not'
            )
        if not isinstance(self.to_person, bool):
            complain(f'to_person must be True or False, not {self.to_person!r}')
        if self.wait_over is not None and not is_span(self.wait_over):
            complain(
                f'wait_over must be a number of seconds above 0, or None, not {self.wait_over!r}'
            )

    def generate_name(self) -> str:
        """Return a name that generators of other reports do not have."""
        name = type(self).__name__
        if self.locks is not None:
            name += f'_locks_{joined(self.locks)}'
        if self.events is not USUAL:
            name += f'_events_{joined(self.events)}'
        if self.wait_over is not None:
            name += f'_over_{self.wait_over}'
        return name

    @defer.inlineCallbacks
    def generate(self, master: Any, reporter: Any, key: tuple[str, ...], action: Any) -> Any:
        """Make the report of one event.

        :param action: what has happened, as the event tells it.
        :returns: Deferred of the report; of None if there is to be none.
        """
        if self.locks is not None and action['lock'] not in self.locks:
            return None
        if key[0] == 'lockactions' and action['action'] not in self.events:
            return None
        message = yield self._format(master, action)
        if message is None:
            return None
        users = yield self._find_users(master, action)
        return {
            'body': message['body'],
            'subject': ' '.join(message['subject'].split()),  # the subject of a mail is one line
            'type': message['type'],
            'results': SUCCESS,  # some reporters need results
            'builds': None,
            'buildset': None,
            'users': users,
            'patches': None,
            'logs': None,
            'extra_info': message.get('extra_info'),
        }

    @defer.inlineCallbacks
    def _format(self, master: Any, action: Any) -> Any:
        # a user's formatter may fail or never answer, but people must be told all the same
        formatter = self.formatter
        usual = yield LockMessageFormatter().format_message_for_lock(master, action)
        try:
            message = yield in_time(
                master.reactor,
                self.answers_within,
                lambda: formatter.format_message_for_lock(master, action),
            )
            if message is not None:
                message = {**usual, 'extra_info': None, **message}
                if message['subject'] is None:
                    message['subject'] = usual['subject']
                check_message(message)
        except Exception as e:
            log.err(e, f'{formatter!r}: the usual message is sent instead')
            return usual
        return message

    @defer.inlineCallbacks
    def _find_users(self, master: Any, action: Any) -> Any:
        person = action['person']
        if not self.to_person or not person:
            return []
        if '@' in person:
            return [person]
        try:
            user = yield master.db.users.getUserByUsername(person)
        except Exception as e:
            log.err(e, f'while the address of {person!r} was looked up')
            user = None
        # a reporter may know an address for the name itself
        return [((user and user.attributes) or {}).get('email', person)]


def key_of_long_wait(seconds: float) -> tuple[str, ...]:
    """Return the routing key of the events about waits that last longer than this."""
    # of several generators that ask for the same time, one may say 600 and another one 600.0
    return ('lockwaits', f'{float(seconds)}', 'long_wait')


def complain(problem: str) -> None:
    config.error(f'LockGenerator: {problem}')


def are_names(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(name, str) for name in value)


def joined(names: Any) -> str:
    return '+'.join(names) if are_names(names) else repr(names)


def check_message(message: dict[str, Any]) -> None:
    """Check that a message can be reported.

    :raises TypeError: it cannot.
    """
    kind, body = message['type'], message['body']
    if kind not in ('plain', 'html', 'json'):
        raise TypeError(f"the type of a message is 'plain', 'html' or 'json', not {kind!r}")
    if not isinstance(message['subject'], str):
        raise TypeError(f'the subject of a message is a string, not {message["subject"]!r}')
    if kind != 'json' and not isinstance(body, str):
        raise TypeError(f'the body of a message of type {kind} is a string, not {body!r}')


def in_time(clock: Any, seconds: float, ask: Callable[[], Any]) -> defer.Deferred[Any]:
    """Return the answer to a question that may be answered late or never.

    :returns: Deferred of the answer. It fails with ``TimeoutError`` after this time; a later answer
        is dropped, and a later error is logged.
    """
    asked: defer.Deferred[Any] = defer.Deferred()
    late = clock.callLater(
        seconds, asked.errback, TimeoutError(f'there was no answer for {seconds} seconds')
    )

    def answered(answer: Any) -> None:
        if late.active():
            late.cancel()
            asked.callback(answer)
        elif isinstance(answer, Failure):
            log.err(answer, 'an answer that was late')

    defer.maybeDeferred(ask).addBoth(answered)
    return asked
