# SPDX-License-Identifier: GPL-2.0-only
"""Upstream's tests and linter at each commit of a series, in a checkout made up for it."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import shutil
import subprocess
from pathlib import Path

from twisted.trial import unittest

from series.suite import main
from series.tree import Tree

ON, NEVER = 'buildbot.test.test_lamp.Lamp.test_on', 'buildbot.test.test_lamp.Lamp.test_never'


class Commits(unittest.SynchronousTestCase):
    """Commits with made-up outcomes of their tests."""

    def setUp(self):
        self.folder = Path(self.mktemp()).absolute()
        self.root = self.folder / 'checkout'
        self.tools = self.folder / 'tools' / 'bin'
        self.tools.mkdir(parents=True)
        self.numbers = itertools.count()
        # a commit contains the outcomes of its own tests; there is nothing to install
        self.program(
            'python', 'case "$1" in *outcomes.py) cat "${PYTHONPATH%%:*}/ends" > $2;; esac'
        )
        self.program('ruff', '[ "$1" = format ] || cat faults 2> /dev/null; true')
        self.git('init', '--quiet', str(self.root), cwd=self.folder)
        self.git('config', 'user.name', 'A. Person')
        self.git('config', 'user.email', 'a@person.example')
        self.write('master/buildbot/__init__.py', '')
        self.write('master/buildbot/test/__init__.py', '')
        self.write('master/buildbot/test/test_lamp.py', '')
        self.write('master/buildbot/master.py', '# header\nimport os\n')
        self.write('master/buildbot/locks.py', '')
        self.write('.gitignore', '_version.py\n*.pyc\n')
        self.commit('success')

    def program(self, name, text):
        (self.tools / name).write_text(f'#!/bin/sh\n{text}\n')
        (self.tools / name).chmod(0o755)

    def git(self, *words, cwd=None):
        subprocess.run(['git', *words], cwd=cwd or self.root, check=True, capture_output=True)

    def write(self, name, text):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_text(text)

    def commit(self, end, title='Change the lamp'):
        ends = {ON: end, NEVER: 'failure'}
        self.write('master/ends', ''.join(f'{json.dumps(item)}\n' for item in ends.items()))
        self.write('master/buildbot/lamp.py', f'# {next(self.numbers)}')
        self.git('add', '--all')
        self.git('commit', '--quiet', '--message', title)

    def try_series(self, count, *words):
        self.patch(os, 'cpu_count', lambda: 1)
        tree = Tree(self.root, self.folder / 'tools')
        with contextlib.redirect_stdout(io.StringIO()) as output:
            status = main(tree, count, self.folder / 'suite', words)
        told = output.getvalue().replace('buildbot.test', 'B')
        return status, [line for line in told.splitlines() if 'testing' not in line]

    def test_good(self):
        """Failures without the series are named and do not count."""
        self.commit('success')
        expected = ['series: running B without the series']
        expected += ['  fails without the series: B.test_lamp.Lamp.test_never']
        self.assertEqual(self.try_series(1), (0, [*expected, 'series: none failed']))

    def test_failed(self):
        """A test that newly fails is named at the commit where it begins to fail."""
        self.commit('failure')
        self.commit('error')
        self.commit('success')
        status, told = self.try_series(3)
        self.assertEqual(status, 1)
        self.assertEqual(told[2:], ['  1: B.test_lamp.Lamp.test_on', 'series: 1 failed'])

    def test_linter(self):
        """So is what the linter newly says, wherever the line is."""
        self.write('faults', 'lamp.py:1:2: E1 old\n')
        self.commit('success')
        self.write('faults', 'lamp.py:3:4: E1 old\nlamp.py:5:6: E2 new\n')
        self.commit('success')
        status, told = self.try_series(1, '--only', 'buildbot.test.test_lamp')
        self.assertEqual(
            (status, told[2:]), (1, ['  1: ruff: lamp.py: E2 new', 'series: 1 failed'])
        )

    def test_goes_on(self):
        """A commit that was good is not tried again; one that failed is."""
        self.commit('success')
        self.commit('failure')
        self.assertEqual(self.try_series(2)[0], 1)
        self.git('checkout', '--quiet', 'HEAD~')
        self.program('python', 'case "$1" in *outcomes.py) exit 1;; esac')
        self.assertEqual(self.try_series(1), (0, ['series: none failed']))

    def test_no_outcome(self):
        """A run without any result is a failure, and names its log."""
        self.commit('success')
        self.assertEqual(self.try_series(1, '--to', '1')[0], 0)
        self.commit('success')
        self.program('python', 'case "$1" in *outcomes.py) exit 1;; esac')
        told = f'trial ends without an outcome: {self.folder}/suite/log-0'
        expected = [f'  2: {told}', 'series: 2 failed']
        self.assertEqual(self.try_series(2), (1, expected))

    def test_changed(self):
        """If asked for, a test module runs again only if a function that it called is changed."""
        calls = {'': [], 'buildbot.test.test_lamp': ['master/buildbot/bulb.py:on']}
        ends = 'grep test_on "${PYTHONPATH%%:*}/ends" > $2'
        run = f"{ends}; echo '{json.dumps(calls)}' > $2.calls; echo $5 >> {self.folder}/runs"
        self.program('python', f'case "$1" in *outcomes.py) {run};; esac')
        for text in ('', 'def off(): pass', 'def on(): pass', 'def on(): return 1'):
            self.write('master/buildbot/bulb.py', f'{text}\n')
            self.commit('success')
        status, told = self.try_series(4, '--changed')
        self.assertEqual((status, told[-1]), (0, 'series: none failed'))
        lines = [line for line in told if 'test modules' in line]
        self.assertEqual(lines, [f'  {count} of 1 test modules' for count in (0, 0, 1)])
        ran = (self.folder / 'runs').read_text().split()
        self.assertEqual(ran, ['buildbot.test', 'buildbot.test', 'buildbot.test.test_lamp'])
        self.assertEqual(self.try_series(4, '--changed'), (0, ['series: none failed']))

    def test_no_package(self):
        """A test module that trial does not find does not run if it is changed."""
        calls = {'': [], 'buildbot.test.test_lamp': []}
        ends = 'grep test_on "${PYTHONPATH%%:*}/ends" > $2'
        run = f"{ends}; echo '{json.dumps(calls)}' > $2.calls; echo $5 >> {self.folder}/runs"
        self.program('python', f'case "$1" in *outcomes.py) {run};; esac')
        for folder in ('first', 'odd', 'even'):
            self.write(f'master/buildbot/test/{folder}/test_bulb.py', '')
            self.commit('success')
            self.write('master/buildbot/test/even/__init__.py', '')
        self.assertEqual(self.try_series(3, '--changed')[0], 0)
        ran = (self.folder / 'runs').read_text().split()
        self.assertEqual(ran, ['buildbot.test', 'buildbot.test', 'buildbot.test.even.test_bulb'])

    def test_made_anew(self):
        """A commit of a series made anew is compared with itself of before, if that is less."""
        calls = {'': [], 'buildbot.test.test_lamp': ['master/buildbot/bulb.py:on']}
        ends = 'grep test_on "${PYTHONPATH%%:*}/ends" > $2'
        run = f"{ends}; echo '{json.dumps(calls)}' > $2.calls"
        self.program('python', f'case "$1" in *outcomes.py) {run};; esac')
        told = []
        for text in ('1', '2', '3'):
            for part, function in (('Turn it on', 'on'), ('Turn it off', 'off')):
                with open(self.root / 'master/buildbot/bulb.py', 'a', encoding='utf-8') as f:
                    f.write(f'def {function}(): return {text}\n')
                self.commit('success', part)
            told += [line for line in self.try_series(2, '--changed')[1] if 'modules' in line]
            self.git('reset', '--hard', '--quiet', 'HEAD~2')
            if text == '2':
                # nobody has what has run any more
                shutil.rmtree(self.folder / 'suite' / 'tree')
                self.git('reflog', 'expire', '--expire=now', '--all')
                self.git('gc', '--quiet', '--prune=now')
        self.assertEqual(told, [f'  {count} of 1 test modules' for count in (0, 1, 0, 0)])

    def test_manual(self):
        """The manual alone can be asked for; it is built where a commit may make it another one."""
        self.program('sphinx-build', f'cat master/docs/*; echo built >> {self.folder}/built')
        (self.root / 'master' / 'docs').mkdir()
        for file, text in (
            ('docs/a.rst', 'old'),
            ('b.py', ''),
            ('docs/b.rst', 'new'),
            ('c.py', ''),
        ):
            self.write(f'master/{file}', f'{text}\n')
            self.commit('failure')
        words = ('--changed', '--manual', '--only', 'none')
        told = ['  2: sphinx-build: new', 'series: 2 failed']
        self.assertEqual(self.try_series(3, *words), (1, told))
        self.assertEqual((self.folder / 'built').read_text().split(), ['built'] * 2)

    def test_once(self):
        """A test that fails only once does not count."""
        self.commit('failure')
        once = 'sed s/failure/success/ "${PYTHONPATH%%:*}/ends"'
        every = 'cat "${PYTHONPATH%%:*}/ends"'
        run = f'if [ "$5" = {ON} ]; then {once}; else {every}; fi > $2'
        self.program('python', f'case "$1" in *outcomes.py) {run};; esac')
        self.assertEqual(self.try_series(1)[0], 0)

    def test_from_to(self):
        """Only the commits that are asked for are tried."""
        self.commit('failure')
        self.commit('success')
        self.commit('failure')
        self.assertEqual(self.try_series(3, '--from', '2', '--to', '2')[0], 0)
