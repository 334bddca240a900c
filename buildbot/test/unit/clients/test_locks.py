# SPDX-License-Identifier: GPL-2.0-only
"""``buildbot locks``: what it writes at any width, what it asks a master, and how it fails."""

from __future__ import annotations

import contextlib
import getpass
import io
import json
import os
import sys
import time
from typing import Any
from unittest import mock

from parameterized import parameterized
from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task
from twisted.trial import unittest

from buildbot.clients.locks import api
from buildbot.clients.locks.address import master_url
from buildbot.clients.locks.address import thing_at
from buildbot.clients.locks.look import Look
from buildbot.clients.locks.look import look_of
from buildbot.clients.locks.look import width_of
from buildbot.clients.locks.look import wrap
from buildbot.clients.locks.stream import Stream
from buildbot.clients.locks.table import Column
from buildbot.clients.locks.table import table
from buildbot.clients.locks.texts import clock
from buildbot.clients.locks.texts import duration
from buildbot.clients.locks.texts import estimate
from buildbot.scripts.locks import LocksOptions
from buildbot.scripts.runner import Options
from buildbot.test.util.answering import NOW
from buildbot.test.util.answering import Terminal
from buildbot.test.util.lockcommand import CommandCase
from buildbot.test.util.lockrows import ACTIONS
from buildbot.test.util.lockrows import BOARDS
from buildbot.test.util.lockrows import LOCKS
from buildbot.test.util.lockrows import copy_row
from buildbot.test.util.lockrows import lock_row
from buildbot.test.util.lockrows import owner_row
from buildbot.test.util.lockrows import reason_row

HOSTILE = [
    '<b>&amp;</b>',
    'a\nb\tc',
    'a\0b',
    'x' * 10_000,
    '\u202eright to left',
    '\x1b[2J\x1b]0;title\x07',
    '../%2f..%2f',
    '\ud800',
]
ROOT = 'api/v2/'

# what is written, by command and width
LIST_WIDE = """\
LOCK     ID  KIND    COPIES  IN USE  WAITING  OLDEST
licence   3  master       1     2/5        0
jtag      1  worker       2     2/2        3  12 min
version   2  branch       0     0/0        0
"""
LIST_40 = """\
licence
  id 3, kind master, copies 1, in use
  2/5, waiting 0
jtag
  id 1, kind worker, copies 2, in use
  2/2, waiting 3, the oldest for 12 min
version
  id 2, kind branch, copies 0, in use
  0/0, waiting 0
"""
SHOW_40 = """\
jtag: worker lock 1, 2 copies, 2 of 2 in
  use, 3 waiting, the oldest for 12 min

jtag[board-1]: 1 of 1 in use, exclusive,
  3 waiting, the oldest for 12 min
  firmware #12 / test
    holds, for 3 min, exclusive
  firmware #12 / test/flash
    holds, for 1 min, exclusive, nested
  request 40 of firmware
    place 1, for 12 min, exclusive,
    priority 5, likely at 08:32 (08:20
    to 09:10)
  nightly #5 / boards/test
    place 2, for 2 min, 2 units
  and 1 other in line; --limit 0 shows
  all

jtag[board-2]: 1 of 1 in use
  WHO                  FOR  HOW
  nightly #4  holds  2.5 h  1 unit
"""
SHOW_80 = """\
jtag: worker lock 1, 2 copies, 2 of 2 in use, 3 waiting, the oldest for 12 min

jtag[board-1]: 1 of 1 in use, exclusive, 3 waiting, the oldest for 12 min
  firmware #12 / test
    holds, for 3 min, exclusive
  firmware #12 / test/flash
    holds, for 1 min, exclusive, nested
  request 40 of firmware
    place 1, for 12 min, exclusive, priority 5, likely at 08:32 (08:20 to 09:10)
  nightly #5 / boards/test
    place 2, for 2 min, 2 units
  and 1 other in line; --limit 0 shows all

jtag[board-2]: 1 of 1 in use
  WHO                  FOR  HOW
  nightly #4  holds  2.5 h  1 unit
"""
SHOW_200 = """\
jtag: worker lock 1, 2 copies, 2 of 2 in use, 3 waiting, the oldest for 12 min

jtag[board-1]: 1 of 1 in use, exclusive, 3 waiting, the oldest for 12 min
  WHO                                    FOR  HOW                PRIORITY  LIKELY AT
  firmware #12 / test        holds     3 min  exclusive
  firmware #12 / test/flash  holds     1 min  exclusive, nested
  request 40 of firmware     place 1  12 min  exclusive                 5  08:32 (08:20 to 09:10)
  nightly #5 / boards/test   place 2   2 min  2 units
  and 1 other in line; --limit 0 shows all

jtag[board-2]: 1 of 1 in use
  WHO                  FOR  HOW
  nightly #4  holds  2.5 h  1 unit
"""
WHY_40 = """\
build request 17 of firmware waits, for
  3 reasons:
1. waiting for jtag[board-1]: held by
   firmware #12 / test (3 min), 2 ahead
   for 12 min; place 3 in line
2. worker board-2 has as many builds as
   its max_builds, which is 1
3. the database was locked; it is tried
   again in under a minute
   tried again at 08:00
"""
WHY_WIDE = """\
build request 17 of firmware waits, for 3 reasons:
1. waiting for jtag[board-1]: held by firmware #12 / test (3 min), 2 ahead
   for 12 min; place 3 in line
2. worker board-2 has as many builds as its max_builds, which is 1
3. the database was locked; it is tried again in under a minute
   tried again at 08:00
"""
BUILD_WAITS = """\
firmware #12 waits, for 1 reason:
1. waiting for jtag[board-1]: held by firmware #12 / test (3 min), 2 ahead
   for 12 min; place 3 in line
"""
BUILDER_WAITS = """\
builder firmware waits, for 1 reason:
1. waiting for jtag[board-1]: held by firmware #12 / test (3 min), 2 ahead
   for 12 min; place 3 in line; build requests 1, 2, 3, 4, 5 and 3 others
"""
TOP_40 = """\
jtag / firmware
  waited 12.3 h, waits 45, median 16
  min, 95 % 36 min, held 1.2 d, holds
  80, median 22 min, 95 % 45 min
version / nightly-with-a-long-name
  waited 50 min, waits 45, median 1 min,
  95 % 2 min, held 5.0 h, holds 80,
  median 3 min, 95 % 7 min
licence / firmware
  waited 0, waits 0, held 2.0 h, holds
  80, median 1 min, 95 % 3 min
"""
TOP_80 = """\
jtag / firmware
  waited 12.3 h, waits 45, median 16 min, 95 % 36 min, held 1.2 d, holds 80,
  median 22 min, 95 % 45 min
version / nightly-with-a-long-name
  waited 50 min, waits 45, median 1 min, 95 % 2 min, held 5.0 h, holds 80,
  median 3 min, 95 % 7 min
licence / firmware
  waited 0, waits 0, held 2.0 h, holds 80, median 1 min, 95 % 3 min
"""
TOP_200 = """\
LOCK     BUILDER                   WAITED  WAITS  MEDIAN    95 %   HELD  HOLDS  MEDIAN    95 %
jtag     firmware                  12.3 h     45  16 min  36 min  1.2 d     80  22 min  45 min
version  nightly-with-a-long-name  50 min     45   1 min   2 min  5.0 h     80   3 min   7 min
licence  firmware                       0      0                  2.0 h     80   1 min   3 min
"""
WRITTEN = [
    ('list_40', ['list'], 40, LIST_40),
    ('list_80', ['list'], 80, LIST_WIDE),
    ('list_200', ['list'], 200, LIST_WIDE),
    ('show_40', ['show', 'jtag'], 40, SHOW_40),
    ('show_80', ['show', 'jtag'], 80, SHOW_80),
    ('show_200', ['show', 'jtag'], 200, SHOW_200),
    ('show_by_id', ['show', '1'], 200, SHOW_200),
    ('why_40', ['why', '17'], 40, WHY_40),
    ('why_80', ['why', '17'], 80, WHY_WIDE),
    ('why_200', ['why', '17'], 200, WHY_WIDE),
    ('why_build', ['why', 'URL#/builders/1/builds/12'], 200, BUILD_WAITS),
    ('why_its_build', ['why', '18'], 200, BUILD_WAITS),
    ('why_builder', ['why', 'URL#/builders/1'], 200, BUILDER_WAITS),
    ('why_complete', ['why', '19'], 80, 'build request 19 of firmware is complete\n'),
    (
        'why_not',
        ['why', 'URL#/builders/1/builds/12/steps/2'],
        80,
        'firmware #12 / test waits for nothing\n',
    ),
    ('top_40', ['top'], 40, TOP_40),
    ('top_80', ['top'], 80, TOP_80),
    ('top_200', ['top'], 200, TOP_200),
]


class Written(CommandCase):
    """What is written."""

    @parameterized.expand(WRITTEN)
    @defer.inlineCallbacks
    def test_text(self, _, arguments, columns, expected):
        """Each answer is written so that it fits into the terminal."""
        os.environ['COLUMNS'] = str(columns)
        yield self.assert_says(arguments, 0, expected, '')
        self.assertLessEqual(max(map(width_of, expected.splitlines())), columns)

    @defer.inlineCallbacks
    def test_of_all_names(self):
        """A lock is found by its name before another's id, and a copy by its own name."""
        self.master.answers['locks'] = {'locks': [*LOCKS, lock_row(9, '1')]}
        self.master.answers['locks/9/copies'] = {'copies': []}
        self.master.answers['locks/9/holders'] = {'holders': []}
        yield self.assert_says(['show', '1'], 0, '1: master lock 9, 1 copy, 0 of 1 in use\n', '')
        self.out.truncate(0)
        self.out.seek(0)
        expected = """\
jtag: worker lock 1, 2 copies, 2 of 2 in use, 3 waiting, the oldest for 12 min

jtag[board-2]: 1 of 1 in use
  WHO                  FOR  HOW
  nightly #4  holds  2.5 h  1 unit
"""
        yield self.assert_says(['show', 'jtag[board-2]'], 0, expected, '')

    @defer.inlineCallbacks
    def test_limit(self):
        """Of many copies and of many who wait some are shown, and the rest counted."""
        yield self.begin('show', 'jtag', '--limit', '1')
        lines = self.out.getvalue().splitlines()
        self.assertIn('  and 2 others in line; --limit 0 shows all', lines)
        self.assertEqual(lines[-1], 'and 1 more in use; --limit 0 shows all')
        self.assertIn(f'{ROOT}copies/7/waiters?limit=1', self.master.asked)
        yield self.begin('show', 'jtag', '--limit', '0')
        self.assertIn(f'{ROOT}copies/7/waiters', self.master.asked)

    @defer.inlineCallbacks
    def test_limit_of_costs(self):
        """Only what costs most is asked for, and the rest counted."""
        yield self.begin('top', '-n', '1')
        self.assertEqual(self.out.getvalue().splitlines()[-1], 'and 2 others; --limit 0 shows all')

    @parameterized.expand(
        [
            ('list', ['list'], 'locks', 'the configuration of this master names no lock'),
            ('top', ['top'], 'costs', 'nobody waited for a lock or held one in 7 days'),
        ]
    )
    def test_nothing(self, _, arguments, kind, sentence):
        """Where there is nothing to show, this is said."""
        path = {'costs': 'lockcosts/7?order=-waited&limit=20'}.get(kind, kind)
        self.master.answers[path] = {kind: []}
        return self.assert_says(arguments, 0, f'{sentence}\n', '')

    @parameterized.expand(
        [
            (
                'list',
                ['list', '--json'],
                ['locks'],
            ),
            (
                'show',
                ['--json', 'show', 'jtag'],
                ['copies', 'holders', 'lockactions', 'locks', 'waiters'],
            ),
            ('why', ['why', '-j', '17'], ['reasons']),
            ('top', ['top', '--json'], ['costs']),
        ]
    )
    @defer.inlineCallbacks
    def test_json(self, _, arguments, kinds):
        """JSON is what the data API says, by its own words."""
        self.master.answers['locks/1/actions?order=-at&limit=5'] = {'lockactions': ACTIONS}
        yield self.begin(*arguments)
        content = json.loads(self.out.getvalue())
        self.assertEqual(sorted(content), kinds)
        said = [answer for answer in self.master.answers.values()]
        for kind, rows in content.items():
            known = [row for answer in said for row in answer.get(kind, ())]
            self.assertTrue(rows and all(row in known for row in rows), kind)

    @defer.inlineCallbacks
    def test_json_of_one_copy(self):
        """JSON of one copy has its holders only."""
        yield self.begin('show', 'jtag[board-2]', '--json')
        content = json.loads(self.out.getvalue())
        self.assertEqual([row['copyid'] for row in content['copies'] + content['holders']], [8, 8])

    @parameterized.expand([(str(n), name) for n, name in enumerate(HOSTILE)])
    @defer.inlineCallbacks
    def test_hostile(self, _, name):
        """Whatever a name is, it is text in a line of its own, and no longer than a name can be."""
        self.master.answers['locks'] = {'locks': [lock_row(1, name, waiting=3)]}
        copy = copy_row(7, name, f'{name}[{name}]', waiting=2, used=1)
        holder = owner_row(7, name, 3)
        self.master.answers['locks/1/copies'] = {'copies': [copy]}
        self.master.answers['locks/1/holders'] = {'holders': [holder]}
        self.master.answers['copies/7/waiters?limit=20'] = {'waiters': [{**holder, 'place': 1}]}
        self.master.answers['builders/1'] = {'builders': [{'name': name}]}
        reasons = [reason_row(1, 'user', name, worker=f'{name}!')]
        self.master.answers['buildrequests/17/reasons'] = {'reasons': reasons}
        for columns in ('40', '200'):
            os.environ['COLUMNS'] = columns
            for arguments in (['list'], ['show', '1'], ['why', '17'], ['why', '17', '--json']):
                yield self.begin(*arguments)
            text = self.out.getvalue()
            self.assertEqual([c for c in text if c != '\n' and not c.isprintable()], [])
            text.encode()
        self.assertEqual(self.err.getvalue(), '')

    @defer.inlineCallbacks
    def test_wide_letters(self):
        """Letters that are two columns wide do not shift what is beside them."""
        self.master.answers['locks'] = {
            'locks': [lock_row(1, '\u9396\u9396'), lock_row(2, 'e\u0301')]
        }
        yield self.begin('list')
        self.assertEqual(
            self.out.getvalue().splitlines()[1:],
            [
                '\u9396\u9396   1  master       1     0/1        0',
                'e\u0301      2  master       1     0/1        0',
            ],
        )

    @defer.inlineCallbacks
    def test_colours(self):
        """Titles and those who wait stand out on a terminal, and nowhere else."""
        self.out = Terminal(is_terminal=True)
        yield self.begin('list')
        lines = self.out.getvalue().splitlines()
        self.assertEqual(
            lines[0], '\x1b[1mLOCK     ID  KIND    COPIES  IN USE  WAITING  OLDEST\x1b[0m'
        )
        self.assertIn('\x1b[33m      3\x1b[0m', lines[2])
        self.assertNotIn('\x1b', lines[1])


class LookOf(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('terminal', True, {'COLUMNS': '70'}, Look(70, True)),
            ('no_colour', True, {'COLUMNS': '70', 'NO_COLOR': '1'}, Look(70, False)),
            ('dumb', True, {'COLUMNS': '70', 'TERM': 'dumb'}, Look(70, False)),
            ('file', False, {}, Look()),
            ('file_of_width', False, {'COLUMNS': '40'}, Look(40, False)),
            ('narrow', True, {'COLUMNS': '3'}, Look(20, True)),
        ]
    )
    def test_look(self, _, is_terminal, environment, expected):
        """Colours are for terminals that want them; a file has lines of any length."""
        with mock.patch.dict(os.environ, environment, clear=True):
            self.assertEqual(look_of(Terminal(is_terminal)), expected)

    def test_names_are_cut(self):
        """A name gives way before the table does."""
        columns = (Column('A', is_name=True), Column('B', 'b'))
        lines = table(columns, [('x' * 100, '1'), ('y', '2')], Look(30))
        self.assertEqual(lines[1:], [f'{"x" * 24}...  1', f'y{" " * 28}2'])
        lines = table(columns, [('x' * 31, 'z' * 30)], Look(30))
        self.assertEqual(lines, ['x' * 30, '    x', '  b', f'  {"z" * 28}', '  zz'])

    @parameterized.expand(
        [
            ('none', '', 10, ['']),
            ('fits', 'one two', 10, ['one two']),
            ('breaks', 'one two three', 7, ['one two', '  three']),
            ('long', 'abcdefghijkl', 5, ['abcde', '  fgh', '  ijk', '  l']),
            ('wide', '\u9396\u9396\u9396', 5, ['\u9396\u9396', '  \u9396']),
        ]
    )
    def test_wrap(self, _, text, width, expected):
        """Lines are broken between words, and inside of words that are too long."""
        self.assertEqual(wrap(text, width, '', '  '), expected)

    def test_clock(self):
        """A time of another day names the day."""
        noon = time.mktime((2027, 1, 15, 12, 0, 0, 0, 0, -1))
        told = [clock(noon + hours * 3600, noon) for hours in (0.5, 20)]
        self.assertEqual(told, ['12:30', 'Sat 08:00'])

    @parameterized.expand(
        [
            ('none', [None, None, None], ''),
            ('one', [0, None, None], '08:00'),
            ('the_same', [0, 1, 2], '08:00'),
            ('between', [60, 0, 120], '08:01 (08:00 to 08:02)'),
        ]
    )
    def test_estimate(self, _, times, expected):
        """An estimate says how sure it is, if that can be seen."""
        keys = ('estimate_at', 'estimate_from', 'estimate_until')
        noon = time.mktime((2027, 1, 15, 8, 0, 0, 0, 0, -1))
        row = {key: at if at is None else noon + at for key, at in zip(keys, times)}
        self.assertEqual(estimate(row, noon), expected)

    @parameterized.expand(
        [
            (-5, '0 s'),
            (0.4, '0 s'),
            (59, '59 s'),
            (60, '1 min'),
            (3599, '59 min'),
            (3600, '1.0 h'),
            (86399, '24.0 h'),
            (86400, '1.0 d'),
            (None, ''),
        ]
    )
    def test_duration(self, seconds, expected):
        """How long something lasts is said in few letters."""
        self.assertEqual(duration(seconds), expected)


class Failing(CommandCase):
    """What is said when there is no answer, and the exit status."""

    @parameterized.expand(
        [
            ('show', ['show', 'nix'], 'no lock has the name or id nix'),
            ('copy', ['show', 'jtag[x]'], 'nobody uses a copy named jtag[x]'),
            ('watch', ['watch', 'nix\x1b'], 'no lock has the name or id nix\\x1b'),
            ('why', ['why', '99'], 'this master has no build request at buildrequests/99'),
            (
                'build',
                ['why', 'URL#/builders/1/builds/99'],
                'this master has no build at builders/1/builds/99',
            ),
            (
                'days',
                ['top', '--days', '999'],
                'this master does not know what locks cost: Invalid path:'
                ' api/v2/lockcosts/999?order=-waited&limit=20',
            ),
        ]
    )
    def test_not_there(self, _, arguments, sentence):
        """What the master does not have is said to be so."""
        return self.assert_fails(arguments, sentence)

    @parameterized.expand([(what,) for what in ('list', 'show x', 'why 17', 'watch', 'top')])
    def test_plain_release(self, arguments):
        """A Buildbot without locks in its data API is said to be one."""
        kept = ('builders', 'buildrequests/17')
        self.master.answers = {
            path: answer for path, answer in self.master.answers.items() if path in kept
        }
        sentence = 'this master does not tell of its locks: its Buildbot has no "buildbot locks"'
        return self.assert_fails(arguments.split(), sentence)

    @defer.inlineCallbacks
    def test_nobody_there(self):
        """A master that does not run is said not to answer, and why."""
        yield self.master.port.stopListening()
        yield self.assert_fails(
            ['list'],
            'no master answers at URL: Connection was refused by other side: 111:'
            ' Connection refused',
        )

    @parameterized.expand(
        [
            (
                'html',
                (200, 'text/html; charset=utf-8', '<html>'),
                'URL is not the address of a Buildbot master: it answers with text/html, status'
                ' 200; --master takes what a browser shows before the #',
            ),
            (
                'html_not_found',
                (404, 'text/html', '<html>'),
                'URL is not the address of a Buildbot master: it answers with text/html, status'
                ' 404; --master takes what a browser shows before the #',
            ),
            (
                'other_json',
                (200, 'application/json', '{"locks": 3}'),
                'URL does not say what locks it has',
            ),
            (
                'forbidden',
                (403, 'text/plain', '{"error": "no"}'),
                'URL does not show this to a user who has not logged in (see --user)',
            ),
            (
                'error',
                (500, 'text/plain', '{"error": "KeyError(3)\\u001b"}'),
                'URL answers with status 500: KeyError(3)\\x1b',
            ),
            (
                'moved',
                (302, 'text/html', ''),
                'URL redirects to another address; give --master the right address',
            ),
        ]
    )
    def test_other_answers(self, _, answer, sentence):
        """Whatever else answers, one sentence says what it is."""
        self.master.answers['locks'] = answer
        return self.assert_fails(['list'], sentence)

    @defer.inlineCallbacks
    def test_slow(self):
        """Who waits for long is told so, and after a minute that it is over."""
        self.master.answers['locks'] = None
        self.patch(api, 'SLOW', 0)
        self.patch(api, 'PATIENCE', 0.2)
        yield self.assert_says(
            ['list'],
            1,
            '',
            'buildbot locks: waiting for URL to answer\n'
            'buildbot locks: URL has not answered for 0.2 s\n',
        )

    @defer.inlineCallbacks
    def test_interrupted(self):
        """Ctrl-C ends it with the status of an interrupted command, and without a word."""
        self.master.answers['locks'] = None
        d = self.begin('list')
        clock: Any = reactor
        while not self.master.unanswered:
            yield task.deferLater(clock, 0.01)
        d.cancel()
        self.assertEqual((yield d), 130)
        self.assertEqual(self.err.getvalue(), '')

    @defer.inlineCallbacks
    def test_nobody_reads(self):
        """If nobody reads it any more, it ends without a word."""

        def broken(text):
            raise BrokenPipeError

        self.patch(self.out, 'write', broken)
        self.assertEqual((yield self.begin('list')), 1)
        self.assertEqual(self.err.getvalue(), '')


class LogIn(CommandCase):
    @defer.inlineCallbacks
    def test_cookie(self):
        """The password is sent as the log-in wants it, and the cookie of the log-in then."""
        os.environ['BUILDBOT_LOCKS_PASSWD'] = 'p:w\u00e9'
        self.master.answers['auth/login'] = (302, 'text/html', '')
        self.master.cookies = ['TWISTED_SESSION=abc; Path=/; HttpOnly']
        self.assertEqual((yield self.begin('list', '--user', 'joe')), 0)
        first, second = self.master.headers
        self.assertEqual(self.master.asked, ['auth/login', f'{ROOT}locks'])
        self.assertEqual(first['authorization'], 'Basic am9lOnA6d8Op')
        self.assertEqual(second['authorization'], first['authorization'])
        self.assertEqual((first.get('cookie'), second['cookie']), (None, 'TWISTED_SESSION=abc'))

    @defer.inlineCallbacks
    def test_wrong(self):
        """A password that is not taken is said to be so, and nothing else is asked."""
        os.environ['BUILDBOT_LOCKS_PASSWD'] = 'no'
        self.master.answers['auth/login'] = (401, 'text/html', 'Unauthorized')
        yield self.assert_fails(
            ['list', '-u', 'joe'], 'URL does not accept this password for the user joe'
        )
        self.assertEqual(self.master.asked, ['auth/login'])

    @defer.inlineCallbacks
    def test_no_log_in(self):
        """A master without a log-in is asked all the same, since a proxy may want the password."""
        os.environ['BUILDBOT_LOCKS_PASSWD'] = 'pw'
        self.assertEqual((yield self.begin('list', '-u', 'joe')), 0)
        self.assertEqual(self.master.asked, ['auth/login', f'{ROOT}locks'])

    @defer.inlineCallbacks
    def test_forbidden(self):
        """What this user may not see is not said to be for others."""
        os.environ['BUILDBOT_LOCKS_PASSWD'] = 'pw'
        self.master.answers['locks'] = (403, 'text/plain', '{"error": "no"}')
        yield self.assert_fails(['list', '-u', 'joe'], 'URL does not show this to this user')


class Watching(CommandCase):
    EXPECTED = [
        'claimed   jtag[board-1]: 1 of 1 in use, exclusive, 3 waiting, the oldest for 12 min',
        'released  jtag[board-2]: 1 of 1 in use',
    ]

    def setUp(self):
        self.patch(time, 'time', lambda: NOW)
        return super().setUp()

    def send(self, copy: Any, news: str) -> None:
        self.master.send(['locks', '1', 'copies', str(copy['copyid']), news], copy)

    @defer.inlineCallbacks
    def watch(self, *arguments: str) -> Any:
        d = self.begin('watch', *arguments)
        yield self.err.hear('watching; press Ctrl-C to stop\n')
        self.assertFalse(d.called)
        return [d]

    @defer.inlineCallbacks
    def test_all(self):
        """What happens is a line each, behind what is; Ctrl-C is its good end."""
        os.environ['COLUMNS'] = '200'
        [d] = yield self.watch()
        events = ['sse/listen/locks/*/copies/*/*', 'sse/add/1/lockactions/*/*']
        self.assertEqual(self.master.asked[-3:], [*events, f'{ROOT}locks'])
        self.send(BOARDS[1], 'claimed')
        self.send(BOARDS[0], 'released')
        yield self.out.hear(self.EXPECTED[1])
        d.cancel()
        self.assertEqual((yield d), 0)
        lines = [f'08:00:00  {line}\n' for line in self.EXPECTED]
        self.assertEqual(self.out.getvalue(), ''.join([LIST_WIDE, *lines]))

    @defer.inlineCallbacks
    def test_one(self):
        """Of one lock only its events are asked for; of one copy others are not shown."""
        [d] = yield self.watch('jtag[board-2]')
        self.assertIn('sse/listen/locks/1/copies/*/*', self.master.asked)
        self.send(BOARDS[1], 'claimed')
        self.send(BOARDS[0], 'released')
        yield self.out.hear(self.EXPECTED[1])
        d.cancel()
        yield d
        self.assertNotIn('claimed', self.out.getvalue())

    @defer.inlineCallbacks
    def test_narrow(self):
        """On a narrow terminal an event is a paragraph."""
        os.environ['COLUMNS'] = '40'
        expected = """\
08:00:00  claimed jtag[board-1]: 1 of 1
  in use, exclusive, 3 waiting, the
  oldest for 12 min
"""
        [d] = yield self.watch()
        self.send(BOARDS[1], 'claimed')
        yield self.out.hear(expected)
        d.cancel()
        yield d
        self.assertEqual(self.out.getvalue(), LIST_40 + expected)

    @defer.inlineCallbacks
    def test_json(self):
        """As JSON an event is a line, and nothing else is written."""
        [d] = yield self.watch('--json')
        self.send(BOARDS[0], 'left')
        yield self.out.hear('\n')
        d.cancel()
        yield d
        event = {'key': ['locks', '1', 'copies', '8', 'left'], 'message': BOARDS[0]}
        self.assertEqual(json.loads(self.out.getvalue()), event)

    @defer.inlineCallbacks
    def test_lost(self):
        """When the master ends, so does the command, with a word."""
        [d] = yield self.watch()
        self.master.hang_up()
        self.assertEqual((yield d), 1)
        self.assertEqual(
            self.err.getvalue().splitlines()[-1],
            'buildbot locks: the connection to the master is lost',
        )

    @defer.inlineCallbacks
    def test_no_events(self):
        """A master behind something that does not pass events on is said to tell none."""
        self.master.answers['sse/listen/locks/*/copies/*/*'] = (200, 'text/plain', '{}')
        yield self.assert_fails(['watch'], 'URL sends no events')

    def test_split_anywhere(self):
        """Events are the same wherever what is sent is split, and others are left out."""
        data = (
            'event: handshake\ndata: 1\n\nevent: event\ndata: {"key": ["\u00e9"]}\n\n: ping\n\n'
            'event: event\r\ndata: {"key":\r\ndata: 2}\r\n\r\n'
        ).encode()
        for size in range(1, len(data)):
            stream = Stream()
            for i in range(0, len(data), size):
                stream.dataReceived(data[i : i + size])
            found = [self.successResultOf(stream.next()) for _ in range(2)]
            self.assertEqual(found, [{'key': ['\u00e9']}, {'key': 2}])
            self.assertNoResult(stream.next())


class Usage(CommandCase):
    """How the command may be called."""

    def refused(self, *arguments: str) -> str:
        with contextlib.redirect_stderr(io.StringIO()) as said:
            e = self.assertRaises(SystemExit, self.options, *arguments)
        self.assertEqual(e.code, 2)
        return said.getvalue().replace(self.url, 'URL')

    @parameterized.expand(
        [
            ('nothing', [], 'no command was given; see buildbot locks --help'),
            ('unknown', ['frob'], 'Unknown command: frob; see buildbot locks --help'),
            (
                'option',
                ['list', '--frob'],
                'option --frob not recognized; see buildbot locks list --help',
            ),
            ('more', ['list', 'x'], 'Wrong number of arguments; see buildbot locks list --help'),
            ('less', ['show'], 'Wrong number of arguments; see buildbot locks show --help'),
            (
                'days',
                ['top', '--days', '0'],
                '--days must be a number from 1; see buildbot locks top --help',
            ),
            (
                'limit',
                ['show', 'x', '-n', 'x'],
                '--limit must be a number from 0; see buildbot locks show --help',
            ),
            (
                'address',
                ['--master', 'ftp://x', 'list'],
                "'ftp://x' is not the address of a web page, such as http://localhost:8010/;"
                ' see buildbot locks list --help',
            ),
            (
                'thing',
                ['why', 'x\x1b'],
                "'x\\x1b' is neither the address of a builder, build request, build or step nor the"
                ' id of a build request; see buildbot locks why --help',
            ),
            (
                'colon',
                ['list', '-u', 'a:b'],
                'the name of a user cannot contain a colon; see buildbot locks list --help',
            ),
            (
                'two_masters',
                ['why', '-m', 'http://a/', 'http://b/#/buildrequests/1'],
                'http://b/ is not the master http://a/; name only one of them;'
                ' see buildbot locks why --help',
            ),
            (
                'password_to_a_link',
                ['why', '-u', 'joe', 'http://b/#/buildrequests/1'],
                'to log in there, give it yourself: --master http://b/; see buildbot locks why'
                ' --help',
            ),
        ]
    )
    def test_wrong(self, _, arguments, sentence):
        """A wrong use is told in one line, with status 2."""
        self.assertEqual(self.refused(*arguments), f'buildbot locks: {sentence}\n')

    def test_no_terminal(self):
        """Without a terminal, the password must be in the environment."""
        self.patch(sys, 'stdin', io.StringIO())
        self.assertEqual(
            self.refused('list', '-u', 'joe'),
            'buildbot locks: there is no terminal to ask for the password; set'
            ' BUILDBOT_LOCKS_PASSWD; see buildbot locks list --help\n',
        )

    def test_prompt(self):
        """On a terminal the password is asked for, and where it will be sent."""
        self.patch(sys, 'stdin', Terminal(is_terminal=True))
        asked: Any = []
        self.patch(getpass, 'getpass', lambda words: asked.append(words) or 'secret')
        options = self.options('list', '-u', 'joe')
        self.assertEqual(options['credentials'], ('joe', 'secret'))
        self.assertEqual(asked, ['Password of joe at http://localhost:8010/: '])

    @parameterized.expand(
        [
            ('default', [], {}, {}, 'http://localhost:8010/'),
            ('file', [], {}, {'locks_master': 'http://f'}, 'http://f/'),
            ('environment', [], {'MASTER': 'e:1'}, {'locks_master': 'http://f'}, 'http://e:1/'),
            ('option', ['-m', 'https://o/ci'], {'MASTER': 'e'}, {}, 'https://o/ci/'),
        ]
    )
    def test_master(self, _, arguments, environment, file, expected):
        """The master is that of the option, the environment, the options file, or ours."""
        os.environ.update({f'BUILDBOT_LOCKS_{k}': v for k, v in environment.items()})
        self.options_file = file
        self.assertEqual(self.options('list', *arguments)['master'], expected)
        self.assertEqual(self.options(*arguments, 'list')['master'], expected)

    @parameterized.expand(
        [
            ('17', None, 'buildrequests/17', 'buildrequests'),
            ('http://a/#/buildrequests/17', 'http://a/', 'buildrequests/17', 'buildrequests'),
            ('http://a/ci/#builders/2', 'http://a/ci/', 'builders/2', 'builders'),
            (
                'https://a/#/builders/2/builds/3/steps/4?x=1',
                'https://a/',
                'builders/2/builds/3/steps/4',
                'steps',
            ),
            ('http://a/api/v2/builds/9', 'http://a/', 'builds/9', 'builds'),
            ('http://a/#/why/builds/9', 'http://a/', 'builds/9', 'builds'),
            (
                'http://a/#/builders/\u00e9 x/builds/3',
                'http://a/',
                'builders/%C3%A9%20x/builds/3',
                'builds',
            ),
        ]
    )
    def test_thing(self, text, *expected):
        """An address of the web page or of the data API is found as the row it shows."""
        self.assertEqual(thing_at(text), tuple(expected))

    @parameterized.expand(
        [
            '',
            'x',
            '-1',
            '\u0661',
            'http://a/',
            'http://a/#/builders',
            'http://a/#/workers/3',
            '#/builds/1',
        ]
    )
    def test_no_thing(self, text):
        """Anything else is refused."""
        self.assertRaises(ValueError, thing_at, text)

    @parameterized.expand(
        [
            '',
            'ftp://a',
            'http://',
            'http://u:p@a/',
            'http://a b/',
            'http://a:x/',
            'http://[/',
            '\u00e9',
        ]
    )
    def test_no_address(self, text):
        """What a request cannot be sent to is refused."""
        self.assertRaises(ValueError, master_url, text)

    def test_runner(self):
        """The command stands among those of Buildbot."""
        commands: Any = Options.subCommands
        names = [name for name, *_ in commands]
        self.assertIn('locks', names)
        self.assertIn('checkconfig', names)
        options = Options()
        options.parseOptions(['locks', 'list'])
        self.assertEqual(
            options.subOptions.subcommandFunction, 'buildbot.clients.locks.command.locks'
        )

    def test_help(self):
        """Each sub command tells its options and arguments."""
        for name, _, kind, _ in LocksOptions.subCommands:
            text = str(kind())
            self.assertTrue(text.startswith(f'Usage:    buildbot locks {name} [options]'), text)
            self.assertEqual(text.count('--master='), 1, name)
