# SPDX-License-Identifier: GPL-2.0-only
"""Reports of locks: what the configuration refuses, and what a message says."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer
from twisted.internet.task import Clock
from twisted.trial import unittest

from buildbot.config.errors import ConfigErrors
from buildbot.config.errors import capture_config_errors
from buildbot.plugins import reporters
from buildbot.reporters.generators.lock import LockGenerator
from buildbot.reporters.generators.lock import in_time
from buildbot.reporters.lockmessage import EVENTS
from buildbot.reporters.lockmessage import LockMessageFormatter
from buildbot.util import epoch2datetime

ACTION = {
    'actionid': 5,
    'lock': 'jtag',
    'copy': 'jtag[board-3]',
    'at': epoch2datetime(1000),
    'action': 'held',
    'who': None,
    'reason': 'bring-up',
    'text': 'ann holds it exclusively until 15:00',
    'person': 'ann@example.org',
    'until_at': epoch2datetime(3600),
}


def raises():
    raise ValueError('no')


class Users:
    """Stands for the table of users.

    :ivar known: addresses by name; an error in the place of one is raised.
    """

    known: dict[str, Any] = {'ann': 'ann@lab.example', 'bob': None}

    def getUserByUsername(self, name: str) -> defer.Deferred[Any]:
        if name == 'broken':
            return defer.fail(OSError('no database'))
        if name not in self.known:
            return defer.succeed(None)
        user = User()
        user.attributes = {'email': self.known[name]} if self.known[name] else None
        return defer.succeed(user)


class User:
    attributes: dict[str, str] | None


class Config:
    title = 'Lab'
    buildbotURL = 'http://lab.example/'


class Db:
    users = Users()


class Master:
    config = Config()
    db = Db()

    def __init__(self) -> None:
        self.reactor = Clock()


def problems_of(*args: Any, **words: Any) -> list[str]:
    with capture_config_errors() as errors:
        generator = LockGenerator(*args, **words)
        generator.check()
        generator.generate_name()
    return errors.errors


class Arguments(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            (
                'locks',
                {'locks': 'jtag'},
                "locks must be a list of names of locks, or None, not 'jtag'",
            ),
            (
                'number',
                {'locks': [5]},
                'locks must be a list of names of locks, or None, not [5]',
            ),
            ('events', {'events': 5}, 'events must be a list of names of events, not 5'),
            (
                'event',
                {'events': ['helt']},
                f"'helt' is not an event of a lock; events are {', '.join(EVENTS)}",
            ),
            (
                'formatter',
                {'message_formatter': 5},
                'message_formatter must have format_message_for_lock, as LockMessageFormatter has,'
                ' and 5 has not',
            ),
            ('person', {'to_person': 1}, 'to_person must be True or False, not 1'),
            (
                'wait',
                {'wait_over': '5'},
                "wait_over must be a number of seconds above 0, or None, not '5'",
            ),
            (
                'no_wait',
                {'wait_over': 0},
                'wait_over must be a number of seconds above 0, or None, not 0',
            ),
        ]
    )
    def test_refused(self, _, words, problem):
        """What is wrong with an argument is one sentence."""
        self.assertEqual(problems_of(**words), [f'LockGenerator: {problem}'])

    @parameterized.expand(
        [
            ('nothing', {}),
            ('all', {'events': list(EVENTS)}),
            ('some', {'locks': ['jtag'], 'events': ('held',), 'to_person': False}),
            ('wait', {'wait_over': 0.5}),
        ]
    )
    def test_right(self, _, words):
        """What is right is not complained of."""
        self.assertEqual(problems_of(**words), [])

    def test_in_a_reporter(self):
        """A reporter whose generator has a fault tells it, and nothing else."""
        with capture_config_errors() as errors:
            wrong: dict[str, Any] = {'locks': 5, 'events': ['helt']}
            generators = [LockGenerator(**wrong)]
            reporters.MailNotifier(fromaddr='a@lab.example', generators=generators)
        self.assertEqual(
            errors.errors,
            [
                'LockGenerator: locks must be a list of names of locks, or None, not 5',
                "LockGenerator: 'helt' is not an event of a lock; events are " + ', '.join(EVENTS),
            ],
        )

    def test_names(self):
        """Generators of other reports have other names, and equal ones are equal."""
        words: list[dict[str, Any]] = [
            {},
            {'locks': ['a']},
            {'locks': ['b']},
            {'events': ['held']},
            {'wait_over': 60},
        ]
        names = [LockGenerator(**each).generate_name() for each in words]
        self.assertEqual(len(set(names)), len(words))
        self.assertEqual(names, [LockGenerator(**each).generate_name() for each in words])

    def test_plugins(self):
        """They are found where Buildbot's are."""
        self.assertIs(reporters.LockGenerator, LockGenerator)
        self.assertIs(reporters.LockMessageFormatter, LockMessageFormatter)

    @parameterized.expand(
        [
            (
                'type',
                {'template_type': 'json'},
                "template_type must be 'plain' or 'html', not 'json'",
            ),
            ('template', {'template': 5}, 'template must be a string, not 5'),
            (
                'syntax',
                {'subject': '{% if %}'},
                "a template cannot be read: Expected an expression, got 'end of statement block'"
                ' (line 1 of it)',
            ),
        ]
    )
    def test_bad_template(self, _, words, problem):
        """A template that cannot be used is refused in one sentence."""
        error = self.assertRaises(ConfigErrors, LockMessageFormatter, **words)
        self.assertEqual(error.errors, [f'LockMessageFormatter: {problem}'])


class Messages(unittest.SynchronousTestCase):
    def setUp(self):
        self.master = Master()

    def report(self, action=ACTION, key=None, **words):
        generator = LockGenerator(**words)
        key = key or ('lockactions', '5', action['action'])
        return generator.generate(self.master, None, key, action)

    def test_plain(self):
        """The usual message says what it is about, why, until when, and where to look."""
        report = self.successResultOf(self.report())
        self.assertEqual(report['subject'], 'jtag[board-3]: it is held by hand (Lab)')
        self.assertEqual(
            report['body'].split('\n'),
            [
                'jtag[board-3]: ann holds it exclusively until 15:00.',
                'Reason: bring-up',
                'The hold is until 1970-01-01 01:00:00+00:00.',
                '',
                'The locks: http://lab.example/#/locks',
            ],
        )
        self.assertEqual((report['type'], report['users']), ('plain', ['ann@example.org']))

    def test_html(self):
        """In HTML, what others have written is escaped."""
        hostile = '<script>alert("x")</script>'
        action = {**ACTION, 'copy': f'a[{hostile}]', 'reason': hostile, 'text': hostile}
        formatter = LockMessageFormatter(template_type='html')
        report = self.successResultOf(self.report(action, message_formatter=formatter))
        self.assertEqual(report['type'], 'html')
        self.assertNotIn('<script', report['body'])
        self.assertEqual(report['body'].count('&lt;script&gt;'), 3)

    def test_one_line(self):
        """What others have chosen moves no cursor and makes no lines; a reason may have several."""
        hostile = 'x\x1b[2J\u202e\nReason: none'
        action = {**ACTION, 'copy': hostile, 'text': hostile, 'reason': 'bring-up\n\x1b[2Jof it'}
        report = self.successResultOf(self.report(action))
        name = 'x\\x1b[2J\\u202e\\nReason: none'
        self.assertEqual(
            report['body'].split('\n')[:3],
            [f'{name}: {name}.', 'Reason: bring-up', '\\x1b[2Jof it'],
        )
        self.assertEqual(report['subject'], f'{name}: it is held by hand (Lab)')

    def test_own_template(self):
        """A template has what is known of the event, and what ctx has; a subject is one line."""
        formatter = LockMessageFormatter(
            template='{{ where }} {{ lock }} {{ action }} {{ person }}',
            subject='{{ reason }}\nX',
            ctx={'where': 'lab'},
        )
        report = self.successResultOf(self.report(message_formatter=formatter))
        self.assertEqual(report['body'], 'lab jtag held ann@example.org')
        self.assertEqual(report['subject'], 'bring-up X')

    @parameterized.expand(
        [
            ('lock', {'locks': ['other']}, 'held', False),
            ('its_lock', {'locks': ['jtag']}, 'held', True),
            ('event', {'events': ['overdue']}, 'held', False),
            ('usual', {}, 'extend', False),
            ('all', {'events': list(EVENTS)}, 'extend', True),
        ]
    )
    def test_wanted(self, _, words, what, is_told):
        """Only what is asked for is told."""
        report = self.successResultOf(self.report({**ACTION, 'action': what}, **words))
        self.assertEqual(report is not None, is_told)

    @parameterized.expand(
        [
            ('address', 'cec@example.org', True, ['cec@example.org']),
            ('known', 'ann', True, ['ann@lab.example']),
            ('without_address', 'bob', True, ['bob']),
            ('unknown', 'dan', True, ['dan']),
            ('nobody', None, True, []),
            ('not_wanted', 'ann', False, []),
        ]
    )
    def test_person(self, _, person, to_person, users):
        """It goes to the address of the person, or to the name, which the reporter may know."""
        report = self.report({**ACTION, 'person': person}, to_person=to_person)
        self.assertEqual(self.successResultOf(report)['users'], users)

    def test_without_database(self):
        """If the users cannot be read, that is logged, and it is told all the same."""
        report = self.successResultOf(self.report({**ACTION, 'person': 'broken'}))
        self.assertEqual(report['users'], ['broken'])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)

    def told_with(self, answer):
        class Formatter:
            def format_message_for_lock(self, master, action):
                return answer() if callable(answer) else answer

        return self.report(message_formatter=Formatter())

    @parameterized.expand(
        [
            ('raises', raises),
            ('fails', lambda: defer.fail(ValueError('no'))),
            ('no_message', 'hello'),
            ('no_body', {'body': None}),
            ('bad_type', {'body': 'x', 'type': 'pdf'}),
            ('bad_subject', {'body': 'x', 'subject': 5}),
        ]
    )
    def test_bad_formatter(self, _, answer):
        """A formatter that fails is logged, and the usual message takes the place of its own."""
        report = self.successResultOf(self.told_with(answer))
        self.assertEqual(report['subject'], 'jtag[board-3]: it is held by hand (Lab)')
        self.assertEqual(len(self.flushLoggedErrors()), 1)

    def test_no_message(self):
        """A formatter that answers None has nothing told."""
        self.assertIsNone(self.successResultOf(self.told_with(None)))

    def test_parts(self):
        """What a formatter leaves out is as usual."""
        report = self.successResultOf(self.told_with({'body': 'x', 'type': 'plain'}))
        self.assertEqual(report['subject'], 'jtag[board-3]: it is held by hand (Lab)')
        self.assertEqual(report['body'], 'x')

    @parameterized.expand([('never', None), ('late', 'x'), ('late_error', ValueError('no'))])
    def test_late_formatter(self, _, answer):
        """One that does not answer is waited for no longer than a minute."""
        asked: defer.Deferred[Any] = defer.Deferred()
        report = self.told_with(lambda: asked)
        self.master.reactor.advance(59)
        self.assertNoResult(report)
        self.master.reactor.advance(1)
        self.assertIn('ann holds it', self.successResultOf(report)['body'])
        self.assertEqual(len(self.flushLoggedErrors(TimeoutError)), 1)
        if answer is not None:
            asked.callback(answer) if isinstance(answer, str) else asked.errback(answer)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), isinstance(answer, ValueError))

    def test_in_time(self):
        """An answer in time leaves no delayed call."""
        clock = Clock()
        self.assertEqual(self.successResultOf(in_time(clock, 60, lambda: 5)), 5)
        self.assertEqual(clock.getDelayedCalls(), [])
