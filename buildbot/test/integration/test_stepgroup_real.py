# SPDX-License-Identifier: GPL-2.0-only
"""Groups of Buildbot's own steps, and examples of groups, on real workers."""

from __future__ import annotations

import os
from pathlib import Path

from parameterized import parameterized_class
from twisted.internet import defer

from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.plugins import util
from buildbot.process.buildstep import BuildStep
from buildbot.process.results import FAILURE
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS
from buildbot.test.util.git_repository import TestGitRepository
from buildbot.test.util.real import RealCase

EXAMPLES = Path(__file__).parent / 'examples'

TRIAL = """
from twisted.trial import unittest

class T(unittest.TestCase):
    def test_one(self):
        pass
"""


@parameterized_class([{'proto': 'null'}, {'proto': 'pb'}, {'proto': 'msgpack'}])
class Steps(RealCase):
    @defer.inlineCallbacks
    def test_buildbot_s_own(self):
        """Buildbot's kinds of steps do in a group, on a worker, what they do outside of one."""
        repository = TestGitRepository(self.mktemp())
        repository.create_file_text('test_it.py', TRIAL)
        repository.exec_git(['add', 'test_it.py'])
        repository.commit(message='first', files=[Path('test_it.py')])

        class Custom(BuildStep):
            def run(self):
                self.setProperty('custom', 'done', 'test')
                return SUCCESS

        inner = [
            steps.Git(repourl=os.path.abspath(repository.repository_path), mode='full', name='git'),
            steps.P4(
                p4port='lab:1666',
                p4base='//depot',
                p4branch='x',
                p4bin=str(self.bin / 'p4'),
                workdir='p4',
                name='p4',
            ),
            steps.StringDownload('text', workerdest='text', name='download'),
            steps.ShellSequence(
                [
                    util.ShellArg(['echo', 'one'], logname='one'),
                    util.ShellArg(['echo', 'two'], logname='two'),
                ],
                name='sequence',
            ),
            steps.SetProperties({'a': 'b'}, name='properties'),
            steps.SetPropertyFromCommand(
                command=['echo', 'x'], property='from_command', name='command'
            ),
            steps.FileUpload('test_it.py', str(self.bin / 'uploaded'), name='upload'),
            steps.MakeDirectory('build/new', name='mkdir'),
            steps.Compile(command=['echo', 'a.c:1: warning: odd'], name='compile'),
            steps.ShellCommand(command=['false'], flunkOnFailure=False, name='fails'),
            steps.Trigger(schedulerNames=['t'], waitForFinish=True, name='trigger'),
            Custom(name='custom'),
            steps.RemoveDirectory('build/new', name='rmdir'),
        ]
        if self.proto == 'null':  # it reads a log, however that has come
            inner.append(steps.Trial(tests='test_it', testpath='.', name='trial'))
        lock = util.MasterLock('lab')
        group = steps.StepGroup(name='g', steps=inner, locks=[lock.access('exclusive')])
        child = {
            'factory': util.BuildFactory([steps.ShellCommand(command=['true'])]),
            'locks': [lock.access('exclusive')],
        }
        build = yield self.run_build(
            util.BuildFactory([group]),
            [('child', child)],
            [schedulers.Triggerable(name='t', builderNames=['child'])],
        )
        expected = {f'g/{step.name}': SUCCESS for step in inner}
        expected.update({'g': SUCCESS, 'g/compile': WARNINGS, 'g/fails': FAILURE})
        self.assertEqual(dict(self.rows(build)), expected)
        self.assertEqual((self.bin / 'uploaded').read_text(), TRIAL)

    @defer.inlineCallbacks
    def test_parallel(self):
        """Commands of steps that run at a time run at a time on the worker, each with its log."""
        place = self.pipes('abc')
        names = ['a', 'b', 'c']
        inner = [
            steps.ShellCommand(name=n, command=['meet', str(place / n), str(place / m)], timeout=50)
            for n, m in zip(names, ['b', 'c', 'a'])
        ]
        last = steps.ShellCommand(name='last', command=['echo', 'last'], alwaysRun=True)
        group = steps.StepGroup(name='g', steps=[*inner, last], parallel=3)
        build = yield self.run_build(
            util.BuildFactory([group, steps.ShellCommand(command=['true'])])
        )
        self.assertEqual(build['results'], SUCCESS)
        for name in names:
            output = self.output(build, f'g/{name}')
            self.assertIn(f'{place / name} met', output)
            for other in names:
                self.assertEqual(f'{place / other} came' in output, other == name)

    @defer.inlineCallbacks
    def test_interrupted(self):
        """An interrupted step's command ends on the worker, while those of its siblings go on."""
        place = self.pipes('ab')
        halts = steps.ShellCommand(name='bad', command=['false'], haltOnFailure=True)
        waits = steps.ShellCommand(
            name='waits', command=['meet', str(place / 'a'), str(place / 'b')]
        )
        clean = steps.ShellCommand(name='clean', command=['true'], alwaysRun=True)
        group = steps.StepGroup(
            name='g', steps=[waits, halts, clean], parallel=2, interruptOnFailure=True
        )
        build = yield self.run_build(util.BuildFactory([group]))
        rows = dict(self.rows(build))
        self.assertEqual((rows['g'], rows['g/bad'], rows['g/clean']), (FAILURE, FAILURE, SUCCESS))
        self.assertEqual(build['results'], FAILURE)
        (step,) = [step for step in build['steps'] if step['name'] == 'g']
        self.assertEqual(step['state_string'], '3 of 3 steps: bad failure, waits cancelled')


class Examples(RealCase):
    """What the manual shows, run as it stands there."""

    @defer.inlineCallbacks
    def run_example(self, name):
        names: dict = {}
        exec((EXAMPLES / f'{name}.cfg').read_text(), names)
        more = [('upload', names['upload'])] if 'upload' in names else []
        scheduler = [names['uploads']] if 'uploads' in names else []
        build = yield self.run_build(names['factory'], more, scheduler)
        return build

    @defer.inlineCallbacks
    def assert_rows(self, name, words, result=SUCCESS):
        build = yield self.run_example(name)
        rows = self.rows(build)
        special = {w.split('=')[0]: w.split('=')[1] for w in words.split('; ') if '=' in w}
        codes = {'failure': FAILURE, 'skipped': SKIPPED, 'warnings': WARNINGS}
        names = [w.split('=')[0] for w in words.split('; ')]
        expected = [(n, codes[special[n]] if n in special else SUCCESS) for n in names]
        self.assertEqual(rows, expected)
        self.assertEqual(build['results'], result)
        return build

    def test_board(self):
        """Three parts of a test hold the probe from the first to the last."""
        return self.assert_rows('group_board', 'compile; test; test/flash; test/boot; test/measure')

    def test_cleanup(self):
        """A board is powered off after a failure, and the build goes on."""
        return self.assert_rows(
            'group_cleanup',
            'bench=failure; bench/on; bench/boot=failure; bench/off; report',
            WARNINGS,
        )

    @defer.inlineCallbacks
    def test_parallel(self):
        """Three tests on two boards."""
        build = yield self.run_example('group_parallel')
        inner = [f'boards/{board}{step}' for board in 'abc' for step in ('', '/flash', '/run')]
        expected = dict.fromkeys(['boards', *inner, 'boards/power off'], SUCCESS)
        self.assertEqual(dict(self.rows(build)), expected)
        self.assertEqual(self.rows(build)[-1][0], 'boards/power off')

    def test_dynamic(self):
        """A step adds a step for each part that the board lists."""
        return self.assert_rows(
            'group_dynamic', 'test; test/list; test/camera; test/radio; test/off'
        )

    @defer.inlineCallbacks
    def test_rendered(self):
        """A group is made of the boards that a property names."""
        build = yield self.run_example('group_rendered')
        self.assertEqual([name for name, _ in self.rows(build)], ['boards', 'boards/a', 'boards/b'])

    @defer.inlineCallbacks
    def test_limits(self):
        """Steps have the group's directory and variables, beside their own."""
        build = yield self.assert_rows('group_limits', 'synthesis; synthesis/map; synthesis/route')
        self.assertIn('map in fpga with floating \n', self.output(build, 'synthesis/map'))
        self.assertIn('route in fpga with floating 7\n', self.output(build, 'synthesis/route'))

    def test_class(self):
        """A kind of group of one's own."""
        return self.assert_rows(
            'group_class', 'smoke; smoke/on; smoke/boot; smoke/off; long=skipped'
        )

    def test_children(self):
        """A triggered build has the lock of the group that waits for it."""
        return self.assert_rows(
            'group_children', 'deploy; deploy/announce; deploy/parts; deploy/check'
        )

    def test_all_are_tested(self):
        """Each example has its test."""
        names = {path.stem.replace('group_', 'test_') for path in EXAMPLES.glob('group_*.cfg')}
        self.assertEqual(names - set(dir(self)), set())
        self.assertGreater(len(names), 5)
