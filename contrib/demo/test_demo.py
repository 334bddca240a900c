# SPDX-License-Identifier: GPL-2.0-only
"""What the demo reports, how it is judged, and what make says about it."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from email.message import Message
from pathlib import Path
from urllib.error import HTTPError

import demo
import hand
import judge
from parameterized import parameterized
from told import WORTH_TELLING
from told import Told
from twisted.trial import unittest

SOURCE = Path(os.environ['INTERLOCK_SOURCE'])
STAMP = '2026-11-24 13:05:01+0000 [-] '
#: a line of the master's log of each kind, and how it is reported
LINES = [
    (
        "starting build <Build firmware-debug number:None results:None> using worker"
        " <WorkerForBuilder builder='firmware-debug' worker='board-2' state=BUILDING>",
        'a build of firmware-debug begins on board-2',
    ),
    (
        'build request 7 of firmware-debug waits for version[release/1.0] (exclusive)',
        'build request 7 of firmware-debug waits for version[release/1.0]',
    ),
    (
        'firmware-debug #3 was granted version[release/1.0] (exclusive) after 6.3 s, in line as'
        ' build request 7 of firmware-debug',
        'firmware-debug #3 was granted version[release/1.0] after 6.3 s',
    ),
    (
        'firmware-release #2 / test waits for jtag[board-2] (exclusive)',
        'firmware-release #2 / test waits for jtag[board-2]',
    ),
    (
        'firmware-release #2 / test was granted jtag[board-2] (exclusive) after 2.1 s',
        'firmware-release #2 / test was granted jtag[board-2] after 2.1 s',
    ),
    (
        'firmware-release #2 / test released jtag[board-2] (exclusive) after 3.2 s',
        'firmware-release #2 / test released jtag[board-2] after 3.2 s',
    ),
    (
        'jtag[board-1]: ann has given it back (on my desk)',
        'jtag[board-1]: ann has given it back (on my desk)',
    ),
    (
        ' <Build firmware-release number:2 results:success>: build finished',
        'firmware-release #2 finished: success',
    ),
]


class Telling(unittest.SynchronousTestCase):
    """Which lines of a log are reported. No demo runs."""

    def setUp(self):
        self.sentences: list[str] = []
        self.told = Told(self.sentences.append)

    def hear(self, lines):
        for line in lines:
            self.told.hear(STAMP + line)

    def test_each_kind(self):
        """Each kind of line that matters is reported, and then nothing is missing."""
        self.hear(line for line, _ in LINES)
        self.assertEqual(self.sentences, [sentence for _, sentence in LINES])
        self.assertEqual(self.told.wrong(), [])

    def test_other_lines(self):
        """Lines that do not matter are not reported: other locks or builders, locks had at once."""
        self.hear(
            [
                'firmware-debug #1 / compile waits for cpu[board-2] (counting, 1 unit)',
                'firmware-debug #1 was granted version[main] (exclusive) after 0.0 s',
                'other #1 / test waits for jtag[board-2] (exclusive)',
                'adding 1 new builders, removing 0',
            ]
        )
        self.assertEqual(self.sentences, [])

    @parameterized.expand([(kind,) for kind in WORTH_TELLING])
    def test_missing(self, missing):
        """A demo that has not shown everything is judged as wrong."""
        pattern, _ = WORTH_TELLING[missing]
        self.hear(line for line, _ in LINES if not pattern.search(STAMP + line))
        self.assertEqual(self.told.wrong(), [f'nothing was told of {missing}'])

    def test_trouble(self):
        """An error in the master's log is reported, and is wrong."""
        self.hear([line for line, _ in LINES] + ['builtins.KeyError: 3'])
        self.assertEqual(self.sentences[-1], f'{STAMP}builtins.KeyError: 3')
        self.assertEqual(self.told.wrong(), [f'the log says: {STAMP}builtins.KeyError: 3'])


class Judging(unittest.SynchronousTestCase):
    """How builds are judged, from rows made up for it."""

    def build(self, number, branch, begin, worker='board-1', results=0, test=None, radio=None):
        test = begin + 2 if test is None else test
        radio = radio or f'radio-{worker[-1]}'.replace('2', '3')
        steps = [
            self.step('git', begin, begin + 1),
            self.step('compile', begin + 1, begin + 2),
            self.step('test', test, test + 3),
            *(
                self.step(f'test/{name}', test + n, test + n + 1)
                for n, name in enumerate(['flash', 'boot', 'measure'])
            ),
            {
                **self.step('range', test + 3, test + 5),
                'state_string': f"'sh' (had {radio} of radios)",
            },
        ]
        return judge.Build(f'b #{number}', branch, worker, results, steps)

    def step(self, name, begin, end, held=None):
        return {'name': name, 'started_at': begin, 'complete_at': end, 'locks_acquired_at': held}

    def judge(self, *builds, number=None):
        return judge.judge(list(builds), len(builds) if number is None else number)

    def good(self):
        return [
            self.build(1, 'main', 0, 'board-1'),
            self.build(2, 'main', 7, 'board-1'),
            self.build(3, 'other', 0, 'board-2'),
        ]

    def test_good(self):
        """Builds of one branch one after the other, and of two branches at a time, are right."""
        self.assertEqual(self.judge(*self.good()), [])

    def test_too_few(self):
        """A run that ended too early is wrong."""
        wrong = self.judge(*self.good(), number=4)
        self.assertEqual(wrong, ['there are 3 builds, and should be 4'])

    def test_failed(self):
        """A build that failed is wrong."""
        wrong = self.judge(*self.good(), self.build(4, 'third', 20, results=2))
        self.assertEqual(wrong, ['b #4 failed with result 2'])

    def test_one_branch_at_a_time(self):
        """Two builds of one branch at a time are wrong."""
        wrong = self.judge(*self.good(), self.build(4, 'main', 8, 'board-2'))
        self.assertEqual(wrong, ['b #2 and b #4 overlap on branch main'])

    def test_one_after_the_other(self):
        """If builds of two branches never run at the same time, the branch lock was not needed."""
        wrong = self.judge(*self.good()[:2], self.build(3, 'other', 20))
        self.assertEqual(wrong, ['no two builds of different branches overlap'])

    def test_shared_board(self):
        """A build that gets the board between the steps of another build's group is wrong."""
        wrong = self.judge(*self.good(), self.build(4, 'third', 1, 'board-2', radio='radio-4'))
        self.assertEqual(wrong, ['b #3 and b #4 share the board of board-2'])

    def test_other_steps(self):
        """A group with steps other than its own is wrong."""
        build = self.build(4, 'third', 20)
        del build.steps[-2]
        wrong = self.judge(*self.good(), build)
        parts = "['test', 'test/flash', 'test/boot']"
        self.assertEqual(wrong, [f'b #4: the steps of the group are {parts}'])

    @parameterized.expand(
        [
            ('shared', {'radio': 'radio-1', 'begin': 8, 'test': 15}, 'b #2 and b #4 share radio-1'),
            (
                'elsewhere',
                {'radio': 'radio-4', 'begin': 20},
                'b #4 had radio-4, which board-1 does not reach',
            ),
            (
                'none',
                {'radio': 'nothing', 'begin': 20},
                'b #4 had not one radio, but says: ["\'sh\' (had nothing of radios)"]',
            ),
        ]
    )
    def test_radios(self, _, words, sentence):
        """A radio that two builds have at a time, or that a build cannot reach, is wrong."""
        build = self.build(4, 'third', words.pop('begin'), **words)
        if 'test' in words:
            build.steps[-1]['started_at'] = 13
        self.assertEqual(self.judge(*self.good(), build), [sentence])

    def test_too_old(self):
        """A release that had an older radio is wrong."""
        build = self.build(4, 'third', 20)._replace(name='firmware-release #4')
        sentence = 'firmware-release #4 had radio-1, which is too old for it'
        self.assertEqual(self.judge(*self.good(), build), [sentence])

    def test_begun_to_wait(self):
        """A build that begins only to wait for its lock is wrong."""
        build = self.build(4, 'third', 20)
        build.steps.insert(0, self.step('locks_acquire', 20, 23, held=23))
        self.assertEqual(self.judge(*self.good(), build), ['b #4 waited 3 s in locks_acquire'])


class Counting(unittest.SynchronousTestCase):
    """How builds are counted, from an event stream made up for it."""

    def test_finished(self):
        """Only builds that are judged are counted in the event stream."""
        rows = [{'builderid': 1, 'name': 'firmware-debug'}, {'builderid': 2, 'name': 'soak-hot'}]
        events = [
            f'event: event\ndata: {json.dumps({"key": [], "message": {"builderid": each}})}\n\n'
            for each in (2, 1, 2, 1)
        ]
        said = {
            'u/api/v2/builders': json.dumps({'builders': rows}),
            'u/sse/listen/builds/*/finished': ''.join(['event: handshake\ndata: 1\n\n', *events]),
        }
        self.patch(judge, 'urlopen', lambda path: io.BytesIO(said[path].encode()))
        self.assertEqual(list(demo.finished('u/')), [0, 1, 2])


class Bench:
    """A person who may do anything, and whose acts are recorded. It is not a real bench.

    :cvar anonymous_may: whether somebody may act who has not logged in.
    """

    anonymous_may = False
    done: list[tuple[str, str, str]] = []

    def __init__(self, url, name=''):
        self.name = name

    def do(self, path, method, **words):
        if not self.name and not self.anonymous_may:
            raise HTTPError(path, 403, 'no', Message(), None)
        self.done.append((self.name, method, words['of']))
        return {'holdid': 1, 'copyid': 7}


class ByHand(unittest.SynchronousTestCase):
    """How acts by hand are judged, with a bench made up for it."""

    def judge(self, reason, anonymous_may=False):
        """Return what is wrong, and what has been done."""
        rows = {
            'locks': {'locks': [{'lockid': 1, 'name': 'jtag'}]},
            'copies/7/waiters': {'waiters': [{'stepid': 5, 'text': 'b #1 / test'}]},
            'copies/7': {'copies': [{'version': '0-1-0'}]},
            'steps/5/reasons': {'reasons': [{'text': reason}]},
        }
        self.patch(judge, 'get', lambda url, path: rows[path])
        event = json.dumps({'key': [], 'message': {'copyid': 7}})
        stream = f'event: handshake\ndata: 1\n\nevent: event\ndata: {event}\n\n'.encode()
        self.patch(judge, 'urlopen', lambda url, timeout: io.BytesIO(stream))
        self.patch(hand, 'Person', Bench)
        self.patch(Bench, 'anonymous_may', anonymous_may)
        self.patch(Bench, 'done', [])
        wrong = hand.judge_hand('u/', ['board-1'], lambda: Bench.done.append(('', 'push', '')))
        return wrong, Bench.done

    def test_good(self):
        """A build comes while ann holds the board, waits for her, and she gives it back."""
        wrong, done = self.judge('waiting for jtag[board-1]: held by ann, by hand (under a minute)')
        self.assertEqual(wrong, [])
        expected = [('ann', 'hold', 'board-1'), ('', 'push', ''), ('ann', 'release', 'board-1')]
        self.assertEqual(done, expected)

    def test_other_reason(self):
        """A build that waits for something else is wrong."""
        wrong, _ = self.judge('it is late')
        self.assertEqual(
            wrong, ["b #1 / test does not wait for ann, but: [{'text': 'it is late'}]"]
        )

    def test_anonymous(self):
        """It is wrong if anybody may hold a board."""
        wrong, _ = self.judge('held by ann, by hand', anonymous_may=True)
        self.assertEqual(wrong, ['somebody who has not logged in can hold a board'])


class Use(unittest.SynchronousTestCase):
    """What make and the demo say about their use."""

    def said(self, *command):
        done = subprocess.run(
            command, cwd=SOURCE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return done.stdout.splitlines()

    def test_help(self):
        """``make help`` lists each target."""
        told = [line.split()[1] for line in self.said('make', '--no-print-directory', 'help')]
        text = (SOURCE / 'Makefile').read_text().replace('\\\n', '')
        _, targets = text.split('\n.PHONY: ')
        self.assertEqual(sorted(told), sorted(targets.partition('\n')[0].split()))

    @parameterized.expand([('word', 'abc'), ('nothing', ''), ('fraction', '80.10')])
    def test_port(self, _, port):
        """An invalid port is refused in one sentence."""
        demo = [sys.executable, 'contrib/demo/demo.py', 'run', '--dir', os.path.abspath('run')]
        sentence = f'demo: {port!r} is no port; choose a number: make run DEMO_PORT=N'
        self.assertEqual(self.said(*demo, f'--port={port}'), [sentence])

    def test_install_fails(self):
        """If pip fails, its output is shown."""
        said = self.said(sys.executable, 'contrib/install.py', 'it', '--no-index', 'no-such-thing')
        self.assertEqual(said[0], 'installing it')
        self.assertIn('no-such-thing', said[-1])

    def test_installed(self):
        """An installation is reported in one line."""
        (line,) = self.said(sys.executable, 'contrib/install.py', 'it', '--no-index', 'twisted')
        self.assertRegex(line, r'^installing it, done in \d+ s$')
