# SPDX-License-Identifier: GPL-2.0-only
"""``buildbot locks``, where it does something: whom it means, what it asks and sends, and says."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
from typing import Any

from parameterized import parameterized
from twisted.internet import defer
from twisted.internet import reactor
from twisted.trial import unittest

from buildbot.clients.locks import api
from buildbot.clients.locks.command import is_yes
from buildbot.clients.locks.until import end_at
from buildbot.clients.locks.until import moment
from buildbot.scripts.lockhand import COMMANDS
from buildbot.scripts.locks import LocksOptions
from buildbot.test.util.answering import NOW
from buildbot.test.util.answering import Terminal
from buildbot.test.util.lab import set_up
from buildbot.test.util.lockcommand import CommandCase
from buildbot.test.util.lockrows import ACTIONS
from buildbot.test.util.lockrows import LOCKS
from buildbot.test.util.lockrows import action_row
from buildbot.test.util.lockrows import copy_row
from buildbot.test.util.lockrows import lock_row
from buildbot.test.util.lockrows import owner_row

MINUTE, HOUR = 60, 3600

HOSTILE = ['<b>', 'a\nb', 'x' * 10_000, '\u202eright to left', '\x1b[2J', '../%2f..', 'a]b[c', "'"]


def user_row(copyid: int, idname: str, ident: str, text: str, **words: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(('buildid', 'holdid', 'person', 'reason', 'until_at', 'first_at'))
    return owner_row(copyid, text, 3, **{**nothing, 'overdue': False, idname: ident, **words})


def person_row(copyid: int, idname: str, holdid: int, person: str, **words: Any) -> dict[str, Any]:
    words = {'person': person, 'holdid': holdid, 'until_at': NOW + HOUR, **words}
    text = f'{person}, by hand'
    words.setdefault('reason', 'on my desk')
    return user_row(copyid, idname, f'person-{holdid}', text, kind='person', **words)


COPIES = [
    copy_row(7, 'jtag', 'jtag[board-1]', worker='board-1', used=1, waiting=3, version='a1-0-0'),
    copy_row(8, 'jtag', 'jtag[board-2]', worker='board-2', used=1, version='0-b1-0'),
]
HOLDERS = [
    user_row(7, 'holderid', 'group-5', 'fw #12 / test', buildid=34),
    user_row(7, 'holderid', 'step-6', 'fw #12 / test/flash', buildid=34, nested=True),
]
WAITERS = [
    user_row(7, 'waiterid', 'request-17', 'build request 17 of fw', place=1, first_at=NOW - 30),
    user_row(7, 'waiterid', 'request-18', 'build request 18 of fw', place=2),
    person_row(7, 'waiterid', 3, 'ann', place=3),
]
BOARD_2 = [person_row(8, 'holderid', 4, 'ann', until_at=NOW - 5 * MINUTE, overdue=True)]
VERSIONS = [
    copy_row(20, 'version', 'version[main]', branch='main', codebase='', version='c1-0-0'),
    copy_row(21, 'version', 'version[fw:main]', branch='main', codebase='fw', version='d1-0-0'),
    copy_row(22, 'version', 'version[tools:x]', branch='x', codebase='tools', version='e1-0-0'),
]
NEW = {'copyid': 7, 'version': 'zz-0-0'}


def of_bench() -> dict[str, Any]:
    """Return what a master answers whose copies people hold."""
    no_users: dict[str, Any] = {
        f'copies/{n}/{kind}': {kind: []} for n in (20, 21, 22, 30) for kind in USERS
    }
    chamber = copy_row(30, 'chamber', 'chamber', version='0-0-0')
    return {
        **no_users,
        'config': {'user': {'username': 'ann', 'email': 'ann'}},
        'locks': {'locks': [*LOCKS[1:], lock_row(4, 'chamber')]},
        'locks/1/copies': {'copies': COPIES},
        'locks/2/copies': {'copies': VERSIONS},
        'locks/4/copies': {'copies': [chamber]},
        'copies/7/holders': {'holders': HOLDERS},
        'copies/7/waiters': {'waiters': WAITERS},
        'copies/8/holders': {'holders': BOARD_2},
        'copies/8/waiters': {'waiters': []},
        **{f'do locks/{n}': dict(NEW) for n in (1, 2, 4)},
    }


USERS = ('holders', 'waiters')
YES = ['--yes', '--reason', 'why not']
BOARD_1 = {'of': 'board-1', 'reason': 'why not', 'version': 'a1-0-0'}

DONE = [
    # arguments, parameters that are sent, what is said
    (
        'hold',
        ['hold', 'jtag[board-1]', '--until', '15:00'],
        {**BOARD_1, 'until': NOW + 7 * HOUR, 'mode': 'exclusive'},
        'jtag[board-1]: you are in line for it until 15:00 (hold 9)',
    ),
    (
        'hold_units',
        ['hold', 'jtag[board-1]', '--until', '2h', '--units', '2'],
        {**BOARD_1, 'until': NOW + 2 * HOUR, 'mode': 'counting', 'units': 2},
        'jtag[board-1]: you are in line for it until 10:00 (hold 9)',
    ),
    (
        'extend',
        ['extend', 'jtag', '--worker', 'board-2', '--until', '2027-01-16 09:00'],
        {
            'of': 'board-2',
            'reason': 'why not',
            'version': '0-b1-0',
            'holdid': 4,
            'until': NOW + 25 * HOUR,
        },
        'jtag[board-2]: hold 4 ends 09:00 tomorrow',
    ),
    (
        'release',
        ['release', 'jtag[board-1]'],
        {**BOARD_1, 'holdid': 3},
        'jtag[board-1]: hold 3 has ended',
    ),
    (
        'release_by_number',
        ['release', 'jtag[board-1]', '--hold', '77'],
        {**BOARD_1, 'holdid': 77},
        'jtag[board-1]: hold 77 has ended',
    ),
    (
        'handover',
        ['handover', 'jtag[board-1]', 'bob'],
        {**BOARD_1, 'holdid': 3, 'person': 'bob'},
        'jtag[board-1]: hold 3 belongs to bob now',
    ),
    (
        'first',
        ['first', 'jtag[board-1]', 'build request 18'],
        {**BOARD_1, 'waiterid': 'request-18'},
        'jtag[board-1]: build request 18 of fw goes first',
    ),
    (
        'back',
        ['back', 'jtag[board-1]', 'request-17'],
        {**BOARD_1, 'waiterid': 'request-17'},
        'jtag[board-1]: build request 17 of fw has its own place again',
    ),
    (
        'kick',
        ['kick', 'jtag[board-1]', 'fw #12'],
        {**BOARD_1, 'holderid': 'group-5'},
        'jtag[board-1]: the build of fw #12 / test is being stopped',
    ),
    (
        'kick_the_only_one',
        ['kick', 'jtag[board-1]'],
        {**BOARD_1, 'holderid': 'group-5'},
        'jtag[board-1]: the build of fw #12 / test is being stopped',
    ),
    (
        'kick_a_step',
        ['kick', 'jtag[board-1]', 'fw #12 / test/flash'],
        {**BOARD_1, 'holderid': 'step-6'},
        'jtag[board-1]: the build of fw #12 / test/flash is being stopped',
    ),
    (
        'kick_a_person',
        ['kick', 'jtag[board-2]', 'ann'],
        {'of': 'board-2', 'reason': 'why not', 'version': '0-b1-0', 'holderid': 'person-4'},
        'jtag[board-2]: the hold of ann, by hand has ended',
    ),
    (
        'quarantine',
        ['quarantine', 'jtag[board-1]'],
        BOARD_1,
        'jtag[board-1]: in quarantine; nobody else gets it',
    ),
    ('restore', ['restore', 'jtag[board-1]'], BOARD_1, 'jtag[board-1]: in use again'),
    (
        'not_in_use',
        ['quarantine', 'jtag[board-9]'],
        {'of': 'board-9', 'reason': 'why not', 'version': '0-0-0'},
        'jtag[board-9]: in quarantine; nobody else gets it',
    ),
    (
        'branch',
        ['quarantine', 'version', '--branch', 'main'],
        {'of': 'main', 'reason': 'why not', 'version': 'c1-0-0'},
        'version[main]: in quarantine; nobody else gets it',
    ),
    (
        'codebase',
        ['quarantine', 'version', '--branch', 'main', '--codebase', 'fw'],
        {'of': 'main', 'codebase': 'fw', 'reason': 'why not', 'version': 'd1-0-0'},
        'version[fw:main]: in quarantine; nobody else gets it',
    ),
    (
        'branch_not_in_use',
        ['quarantine', 'version[release/1.0]'],
        {'of': 'release/1.0', 'reason': 'why not', 'version': '0-0-0'},
        'version[release/1.0]: in quarantine; nobody else gets it',
    ),
    (
        'key_not_in_use',
        ['quarantine', 'version', '--key', 'a:b'],
        {'of': 'a:b', 'reason': 'why not', 'version': '0-0-0'},
        'version[a:b]: in quarantine; nobody else gets it',
    ),
    (
        'master_lock',
        ['quarantine', 'chamber'],
        {'reason': 'why not', 'version': '0-0-0'},
        'chamber: in quarantine; nobody else gets it',
    ),
    (
        'version',
        ['quarantine', 'jtag[board-1]', '--version', 'q-0-0'],
        {**BOARD_1, 'version': 'q-0-0'},
        'jtag[board-1]: in quarantine; nobody else gets it',
    ),
]

SEEN = """\
jtag[board-1]: 1 of 1 in use, 3 waiting
  fw #12 / test
    holds, for 3 min, exclusive
  fw #12 / test/flash
    holds, for 3 min, exclusive, nested
  build request 17 of fw
    place 1, moved to the front, for 3 min, exclusive
  build request 18 of fw
    place 2, for 3 min, exclusive
  ann, by hand
    place 3, for 3 min, exclusive, until 09:00, reason: on my desk
jtag[board-1]: put it back into use; continue? [y/N] """


class BenchCase(CommandCase):
    @set_up
    def setUp(self) -> Any:
        yield super().setUp()
        self.master.answers = of_bench()
        self.patch(time, 'time', lambda: NOW)


class Done(BenchCase):
    @parameterized.expand(DONE)
    @defer.inlineCallbacks
    def test_done(self, name, arguments, words, sentence):
        """Who and what are meant is found out, sent with the version, and told in one line."""
        for path in ('do locks/1', 'do locks/2', 'do locks/4'):
            self.master.answers[path].update(holdid=9, state='waiting')
        yield self.assert_says([*arguments, *YES], 0, f'{sentence}\n', '')
        self.assertEqual([(m, w) for _, m, w in self.master.done], [(arguments[0], words)])

    @defer.inlineCallbacks
    def test_held_at_once(self):
        """Who has the copy at once is told so."""
        self.master.answers['do locks/4'].update(holdid=9, state='held')
        arguments = ['hold', 'chamber', '--until', '07:00', *YES]
        yield self.assert_says(arguments, 0, 'chamber: yours until 07:00 tomorrow (hold 9)\n', '')

    @defer.inlineCallbacks
    def test_json(self):
        """JSON is what the master answers."""
        yield self.begin('restore', 'jtag[board-1]', '--json', *YES)
        self.assertEqual(json.loads(self.out.getvalue()), NEW)

    @parameterized.expand(
        [
            (
                'several_copies',
                ['restore', 'jtag'],
                'jtag has several copies; say which with --worker',
            ),
            (
                'several_branches',
                ['restore', 'version', '--codebase', 'fw'],
                'version has several copies; say which with --branch',
            ),
            (
                'twice',
                ['restore', 'jtag[board-1]', '--worker', 'board-2'],
                'jtag[board-1] names a copy already; leave --worker out',
            ),
            (
                'other_kind',
                ['restore', 'chamber', '--branch', 'main'],
                'chamber is a master lock, and has no copy that --branch could name',
            ),
            (
                'codebase',
                ['restore', 'version', '--branch', 'x'],
                'for x there is version[tools:x]; say which with --codebase',
            ),
            (
                'colon',
                ['restore', 'version[fw:x]'],
                'nobody uses a copy named version[fw:x]; to use a new one, name it with --branch',
            ),
            (
                'no_copies',
                ['restore', 'chamber[x]'],
                'nobody uses a copy named chamber[x]',
            ),
            ('no_lock', ['restore', 'nix'], 'no lock has the name or id nix'),
            (
                'nobody',
                ['kick', 'jtag[board-1]', 'fw #1'],
                'jtag[board-1]: fw #1 does not hold it',
            ),
            ('no_holder', ['kick', 'jtag[board-9]'], 'jtag[board-9]: nobody holds it'),
            ('no_waiter', ['first', 'jtag[board-2]'], 'jtag[board-2]: nobody waits for it'),
            (
                'several',
                ['first', 'jtag[board-1]', 'build request'],
                'jtag[board-1]: say who: build request 17 of fw (request-17), build request 18 of'
                ' fw (request-18)',
            ),
            (
                'no_hold',
                ['release', 'chamber'],
                'chamber: ann neither holds it by hand nor waits for it',
            ),
        ]
    )
    @defer.inlineCallbacks
    def test_not_clear(self, _, arguments, sentence):
        """What is not clear, or not there, is said in one sentence, and nothing is done."""
        yield self.assert_fails([*arguments, *YES], sentence)
        self.assertEqual(self.master.done, [])

    @defer.inlineCallbacks
    def test_several_holds(self):
        """Who has several holds of a copy says which."""
        rows = [*WAITERS, person_row(7, 'waiterid', 5, 'ann', place=4)]
        self.master.answers['copies/7/waiters'] = {'waiters': rows}
        yield self.assert_fails(
            ['release', 'jtag[board-1]', *YES],
            'jtag[board-1]: ann has several holds of it: say which with --hold: 3, 5',
        )

    @defer.inlineCallbacks
    def test_quarantine_is_nobody(self):
        """A quarantine is neither kicked nor moved."""
        row = user_row(8, 'holderid', 'quarantine-1', 'quarantine by bob', kind='quarantine')
        self.master.answers['copies/8/holders'] = {'holders': [row]}
        yield self.assert_fails(['kick', 'jtag[board-2]', *YES], 'jtag[board-2]: nobody holds it')

    @parameterized.expand(
        [
            ('anonymous', {'user': {'anonymous': True}}, 'anonymous'),
            ('email', {'user': {'username': 'a', 'email': 'ann@x'}}, 'ann@x'),
            ('full_name', {'user': {'full_name': 'Ann'}}, 'Ann'),
        ]
    )
    def test_who_asks(self, _, answer, name):
        """One's own hold is that of the name by which the master knows one."""
        self.master.answers['config'] = answer
        return self.assert_fails(
            ['release', 'jtag[board-1]', *YES],
            f'jtag[board-1]: {name} neither holds it by hand nor waits for it',
        )

    @parameterized.expand([(str(n), name) for n, name in enumerate(HOSTILE)])
    @defer.inlineCallbacks
    def test_hostile(self, _, name):
        """Whatever a name or a reason is, it is sent as it is, and shown in a line of its own."""
        self.master.answers['locks'] = {'locks': [lock_row(1, name, kind='worker')]}
        copy = copy_row(7, name, f'{name}[{name}]', worker=name, version='a1-0-0')
        self.master.answers['locks/1/copies'] = {'copies': [copy]}
        holder = person_row(7, 'holderid', 3, name, reason=name)
        self.master.answers['copies/7/holders'] = {'holders': [holder]}
        self.master.answers['locks/1/holders'] = {'holders': [holder]}
        actions = [action_row(1, name, name, copy=name, reason=name)]
        self.master.answers['copies/7/actions?order=-at&limit=5'] = {'lockactions': actions}
        yield self.begin('kick', f'{name}[{name}]', name, '--yes', '--reason', name)
        yield self.begin('show', f'{name}[{name}]')
        [(_, _, words)] = self.master.done
        self.assertEqual((words['of'], words['reason']), (name, name))
        text = self.out.getvalue()
        self.assertEqual([c for c in text if c != '\n' and not c.isprintable()], [])
        self.assertEqual(self.err.getvalue(), '')


class Refused(BenchCase):
    @parameterized.expand(
        [
            (
                'stale',
                400,
                'jtag[board-1] has changed since you looked at it: fw #13 holds it now',
                'jtag[board-1] has changed since you looked at it: fw #13 holds it now',
            ),
            ('hostile', 400, 'a\x1b[2J', 'a\\x1b[2J'),
            (
                'role',
                403,
                "you need to have role 'lab'",
                'URL does not let a user who has not logged in (see --user) do this: you need to'
                " have role 'lab'",
            ),
            ('error', 500, 'KeyError(3)', 'URL answers with status 500: KeyError(3)'),
            (
                'gone',
                404,
                'Invalid path: no lock has the id 1',
                'Invalid path: no lock has the id 1',
            ),
        ]
    )
    def test_sentence(self, _, code, message, sentence):
        """The sentence with which the master refuses is what is said."""
        error = json.dumps({'jsonrpc': '2.0', 'error': {'code': -32600, 'message': message}})
        self.master.answers['do locks/1'] = (code, 'application/json', error)
        return self.assert_fails(['restore', 'jtag[board-1]', *YES], sentence)

    @defer.inlineCallbacks
    def test_role_of_a_user(self):
        """Who has logged in is not told to do so."""
        os.environ['BUILDBOT_LOCKS_TOKEN'] = 'a.b-c_d='
        error = json.dumps({'error': {'message': "you need to have role 'lab'"}})
        self.master.answers['do locks/1'] = (403, 'application/json', error)
        yield self.assert_fails(
            ['restore', 'jtag[board-1]', *YES],
            "URL does not let this user do this: you need to have role 'lab'",
        )

    @defer.inlineCallbacks
    def test_no_answer(self):
        """If the master does not answer, it is said that it may have been done."""
        self.master.answers['do locks/1'] = None
        self.patch(api, 'PATIENCE', 0.2)
        yield self.assert_fails(
            ['restore', 'jtag[board-1]', *YES],
            'URL has not answered for 0.2 s; it may have been done; run the command again: nothing'
            ' is done twice',
        )

    def test_no_result(self):
        """An answer that says nothing is not taken for a yes."""
        self.master.answers['do locks/1'] = (200, 'application/json', '{}')
        return self.assert_fails(
            ['restore', 'jtag[board-1]', *YES], 'URL does not say what it has done'
        )


class Asking(BenchCase):
    """The question before anything is done."""

    @set_up
    def setUp(self) -> Any:
        yield super().setUp()
        self.patch(sys, 'stdin', Terminal(is_terminal=True))
        self.patch(sys, 'stderr', Terminal(is_terminal=True))
        heard, told = os.pipe()
        self.source = os.fdopen(heard, 'rb')
        self.terminal = os.fdopen(told, 'wb', buffering=0)
        self.addCleanup(self.source.close)
        self.addCleanup(self.terminal.close)
        self.restore = ('restore', 'jtag[board-1]', '--reason', 'mended')

    @defer.inlineCallbacks
    def test_yes(self):
        """What the copy is now is shown, and with a yes the version of that is sent."""
        d = self.begin(*self.restore)
        yield self.err.hear(SEEN)
        self.assertEqual(self.master.done, [])
        self.terminal.write(b'yes\n')
        self.assertEqual((yield d), 0)
        self.assertEqual(self.out.getvalue(), 'jtag[board-1]: in use again\n')
        self.assertEqual(self.err.getvalue(), SEEN)
        words = {**BOARD_1, 'reason': 'mended'}
        self.assertEqual(self.master.done, [('locks/1', 'restore', words)])

    @parameterized.expand([('no', b'n\n'), ('enter', b'\n'), ('nothing', b'x' * 2000)])
    @defer.inlineCallbacks
    def test_no(self, _, answer):
        """With anything else nothing is done, and that is said."""
        self.terminal.write(answer)
        self.assertEqual((yield self.begin(*self.restore)), 1)
        self.assertEqual(self.err.getvalue(), f'{SEEN}buildbot locks: nothing was done\n')
        self.assertEqual(self.master.done, [])

    @defer.inlineCallbacks
    def test_end(self):
        """Who types nothing any more says no."""
        self.terminal.close()
        self.assertFalse((yield defer.Deferred.fromCoroutine(is_yes(reactor, self.source))))

    @defer.inlineCallbacks
    def test_interrupted(self):
        """Ctrl-C at the question ends the command, and nothing is done."""
        d = self.begin(*self.restore)
        yield self.err.hear('continue? [y/N] ')
        d.cancel()
        self.assertEqual((yield d), 130)
        self.assertEqual(self.master.done, [])

    @defer.inlineCallbacks
    def test_nobody(self):
        """That nobody uses a copy is shown, too."""
        d = self.begin('hold', 'jtag[board-9]', '--until', '9:00', '--reason', 'x')
        yield self.err.hear(
            'jtag[board-9]: nobody uses it\n'
            'jtag[board-9]: hold all of it until 09:00; continue? [y/N] '
        )
        d.cancel()
        yield d

    @defer.inlineCallbacks
    def test_some(self):
        """Of many who wait the first are shown, and the rest counted."""
        rows = [
            user_row(7, 'waiterid', f'request-{n}', f'build request {n} of fw', place=n)
            for n in range(1, 9)
        ]
        self.master.answers['copies/7/waiters'] = {'waiters': rows}
        d = self.begin('first', 'jtag[board-1]', 'build request 8', '--reason', 'x')
        yield self.err.hear('  and 3 others in line\n')
        d.cancel()
        yield d

    @parameterized.expand([('stdin',), ('stderr',)])
    def test_no_terminal(self, name):
        """Without a terminal nobody can say yes, so it must have been said before."""
        self.patch(sys, name, io.StringIO())
        with contextlib.redirect_stderr(io.StringIO()) as said:
            e = self.assertRaises(SystemExit, self.options, *self.restore)
        self.assertEqual(e.code, 2)
        if name == 'stdin':
            self.assertEqual(
                said.getvalue(),
                'buildbot locks: there is no terminal to ask for confirmation; give --yes, or the'
                ' --version of the copy that you looked at; see buildbot locks restore --help\n',
            )


class Shown(BenchCase):
    """What is shown of what was done by hand."""

    @defer.inlineCallbacks
    def test_show(self):
        """Holds by hand with reason and end, quarantines, who was moved, and the last actions."""
        os.environ['COLUMNS'] = '200'
        quarantine = user_row(7, 'holderid', 'quarantine-1', 'quarantine by bob', reason='cable')
        quarantine['kind'] = 'quarantine'
        out = {'quarantined_at': NOW - 60, 'quarantined_by': 'bob', 'quarantine_reason': 'cable'}
        copies = [{**COPIES[0], **out}, COPIES[1]]
        self.master.answers['locks/1/copies'] = {'copies': copies}
        holders = [quarantine, *BOARD_2]
        self.master.answers['locks/1/holders'] = {'holders': holders}
        waiters = [{**w, 'estimate_at': None} for w in WAITERS]
        self.master.answers['copies/7/waiters?limit=20'] = {'waiters': waiters}
        self.master.answers['locks/1/actions?order=-at&limit=5'] = {'lockactions': ACTIONS}
        expected = """\
jtag: worker lock 1, 2 copies, 2 of 2 in use, 3 waiting, the oldest for 12 min

jtag[board-1]: 1 of 1 in use, 3 waiting, in quarantine for 1 min by bob (cable)
  WHO                                                    FOR  HOW        UNTIL  REASON
  quarantine by bob       holds                        3 min  exclusive         cable
  build request 17 of fw  place 1, moved to the front  3 min  exclusive
  build request 18 of fw  place 2                      3 min  exclusive
  ann, by hand            place 3                      3 min  exclusive  09:00  on my desk

jtag[board-2]: 1 of 1 in use
  WHO                    FOR  HOW        UNTIL           REASON
  ann, by hand  holds  3 min  exclusive  07:55, overdue  on my desk

By hand:
  WHEN   COPY           WHAT                                        REASON
  07:55  jtag[board-1]  ann lets nightly #5 / boards/test go first  release
"""
        yield self.assert_says(['show', 'jtag'], 0, expected, '')

    @defer.inlineCallbacks
    def test_list(self):
        """A lock of which copies are in quarantine says how many."""
        row = {**LOCKS[1], 'quarantined': 1}
        self.master.answers['locks'] = {'locks': [row, lock_row(4, 'chamber', quarantined=0)]}
        expected = """\
LOCK     ID  KIND    COPIES  IN USE  WAITING  OLDEST  QUARANTINED
jtag      1  worker       2     2/2        3  12 min            1
chamber   4  master       1     0/1        0
"""
        yield self.assert_says(['list'], 0, expected, '')

    @defer.inlineCallbacks
    def test_watch(self):
        """What is done by hand is told as it is done, of the lock and copy that is watched."""
        self.master.answers['locks/1/holders'] = {'holders': HOLDERS}
        self.master.answers['copies/7/waiters?limit=20'] = {'waiters': []}
        d = self.begin('watch', 'jtag[board-1]')
        yield self.err.hear('watching; press Ctrl-C to stop\n')
        others = {'other_lock': {'lock': 'x'}, 'other_copy': {'copy': 'jtag[board-2]'}}
        for what, words in (*others.items(), ('kick', {'reason': 'hurry'}), ('ended', {})):
            row = action_row(0, what, f'it is {what}', **words)
            self.master.send(['lockactions', '1', what], row)
        yield self.out.hear('ended')
        d.cancel()
        yield d
        self.assertEqual(
            self.out.getvalue().splitlines()[-2:],
            [
                '08:00:00  kick      jtag[board-1]: it is kick (hurry)',
                '08:00:00  ended     jtag[board-1]: it is ended',
            ],
        )


class Until(unittest.SynchronousTestCase):
    def setUp(self):
        self.patch(os, 'environ', {**os.environ, 'TZ': 'Europe/Berlin'})
        os.putenv('TZ', 'Europe/Berlin')
        time.tzset()
        self.addCleanup(time.tzset)
        self.addCleanup(os.unsetenv, 'TZ')
        # a Friday, 09:00 in Berlin
        self.now = NOW

    @parameterized.expand(
        [
            ('2h', 2 * HOUR, '11:00'),
            ('90m', 90 * MINUTE, '10:30'),
            ('1h30m', 90 * MINUTE, '10:30'),
            ('0.5d', 12 * HOUR, '21:00'),
            ('45s', 45, '09:00'),
            (' 15:00 ', 6 * HOUR, '15:00'),
            ('9:00', 24 * HOUR, '09:00 tomorrow'),
            ('08:59:30', 24 * HOUR - 30, '08:59 tomorrow'),
            ('2027-01-17 15:00', 54 * HOUR, '2027-01-17 15:00'),
            ('2027-01-17T15:00:30', 54 * HOUR + 30, '2027-01-17 15:00'),
            ('2027-01-14 15:00', -18 * HOUR, '2027-01-14 15:00'),
        ]
    )
    def test_end(self, text, seconds, said):
        """An end is a span, the next such time of day, or a date with a time, where one is."""
        at = end_at(text, self.now)
        self.assertEqual((at - self.now, moment(at, self.now)), (seconds, said))

    def test_summer(self):
        """Over the change to summer time, a time of day stays one."""
        evening = end_at('2027-03-27 20:00', self.now)
        self.assertEqual(end_at('08:00', evening) - evening, 11 * HOUR)

    @parameterized.expand(
        [
            *('', 'x', '25:00', '2', '-2h', '2h x', '2027-01-17', '15:00 x', '\u0661h'),
            *('9' * 50 + 'h', '999999d' * 3),
        ]
    )
    def test_no_end(self, text):
        """Anything else is refused, with what there is."""
        e = self.assertRaises(ValueError, end_at, text, self.now)
        self.assertEqual(
            str(e),
            f'{text!a} is not an end: give a time of day (15:00), a date with a time'
            ' (2027-01-15 15:00), or for how long (2h, 90m)',
        )


class Usage(BenchCase):
    @parameterized.expand(
        [
            ('reason', ['restore', 'x', '--yes'], '--reason must say why', 'restore'),
            ('blank', ['kick', 'x', '--yes', '-r', ' '], '--reason must say why', 'kick'),
            ('until', ['hold', 'x', *YES], '--until must say when it ends', 'hold'),
            (
                'end',
                ['extend', 'x', '--until', 'noon', *YES],
                "'noon' is not an end: give a time of day (15:00), a date with a time"
                ' (2027-01-15 15:00), or for how long (2h, 90m)',
                'extend',
            ),
            (
                'units',
                ['hold', 'x', '--until', '1h', '--units', '0', *YES],
                '--units must be a number from 1',
                'hold',
            ),
            (
                'hold',
                ['release', 'x', '--hold', 'x', *YES],
                '--hold must be a number from 1',
                'release',
            ),
            (
                'two',
                ['restore', 'x', '--worker', 'a', '--branch', 'b', *YES],
                '--worker and --branch cannot be used together',
                'restore',
            ),
            ('person', ['handover', 'x', *YES], 'Wrong number of arguments', 'handover'),
        ]
    )
    def test_wrong(self, _, arguments, sentence, name):
        """A wrong use is told in one line, with status 2, before anybody is asked."""
        with contextlib.redirect_stderr(io.StringIO()) as said:
            e = self.assertRaises(SystemExit, self.options, *arguments)
        self.assertEqual(e.code, 2)
        self.assertEqual(
            said.getvalue(), f'buildbot locks: {sentence}; see buildbot locks {name} --help\n'
        )

    def test_token(self):
        """A token of the environment is sent as the cookie of a log-in; a user goes before it."""
        os.environ['BUILDBOT_LOCKS_TOKEN'] = 'a.b-c_d='
        options = self.options('list')
        self.assertEqual(
            options['credentials'].cookie,
            'TWISTED_SESSION=a.b-c_d=; TWISTED_SECURE_SESSION=a.b-c_d=',
        )
        os.environ['BUILDBOT_LOCKS_PASSWD'] = 'pw'
        self.assertEqual(self.options('list', '-u', 'joe')['credentials'], ('joe', 'pw'))

    def test_no_token(self):
        """What cannot be a token is not sent."""
        os.environ['BUILDBOT_LOCKS_TOKEN'] = 'a; b'
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertRaises(SystemExit, self.options, 'list')
        self.assertEqual(
            said.getvalue(),
            'buildbot locks: BUILDBOT_LOCKS_TOKEN does not contain a token; see buildbot locks list'
            ' --help\n',
        )

    def test_token_to_a_link(self):
        """A token is never sent to a master that only a link names."""
        os.environ['BUILDBOT_LOCKS_TOKEN'] = 'abc'
        with contextlib.redirect_stderr(io.StringIO()) as said:
            self.assertRaises(SystemExit, self.options, 'why', 'http://b/#/buildrequests/1')
        self.assertEqual(
            said.getvalue(),
            'buildbot locks: to log in there, give it yourself: --master http://b/; see buildbot'
            ' locks why --help\n',
        )

    @defer.inlineCallbacks
    def test_token_is_sent(self):
        """With a token there is no log-in."""
        os.environ['BUILDBOT_LOCKS_TOKEN'] = 'abc'
        yield self.begin('list')
        self.assertEqual(self.master.asked, ['api/v2/locks'])
        cookie = self.master.headers[0]['cookie']
        self.assertEqual(cookie, 'TWISTED_SESSION=abc; TWISTED_SECURE_SESSION=abc')

    def test_help(self):
        """Each sub command says that it asks, and how not to be asked."""
        self.assertEqual(LocksOptions.subCommands[-len(COMMANDS) :], COMMANDS)
        for _, _, kind, _ in COMMANDS:
            text = str(kind())
            for option in ('--yes', '--version=', '--worker=', '--reason=', '--version='):
                self.assertEqual(text.count(option), 1, option)
