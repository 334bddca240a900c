# SPDX-License-Identifier: GPL-2.0-only
"""What one has got of a pool is told to what needs it, and to nobody else."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.plugins import steps
from buildbot.plugins import util
from buildbot.process.results import EXCEPTION
from buildbot.process.results import SUCCESS
from buildbot.schedulers.triggerable import Triggerable
from buildbot.steps.trigger import Trigger
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase


class Told(GatedStep):
    """A step that says what it was told, and waits at its gate.

    :param said: takes a list for each such step: its name, what it was told, and the property.
    :param told: what is rendered.
    """

    renderables = ('told',)

    def __init__(self, gate: Gate, said: list[Any], told: Any, **kwargs: Any) -> None:
        super().__init__(gate, **kwargs)
        self.said = said
        self.told = told

    def run(self) -> Any:
        self.said.append((self.name, self.told, self.getProperty('pool_boards')))
        return super().run()


TTY = util.Interpolate('%(lock:boards:0:tty)s')
NAMES = util.Interpolate('%(lock:boards:-none)s')


class Pools(LabTestCase):
    writes_states = True

    writes_properties = True

    def setUp(self) -> None:
        super().setUp()
        self.gate = Gate()
        self.said: list[Any] = []
        self.boards = util.ResourcePool(
            'boards',
            [
                util.Resource(f'board-{n}', labels=[kind], properties={'tty': f'/dev/tty{n}'})
                for n, kind in enumerate(['old', 'new', 'new'], start=1)
            ],
        )

    def told(self, name: str, what: Any = NAMES, **words: Any) -> Told:
        return Told(self.gate, self.said, what, name=name, **words)

    def heard(self) -> list[Any]:
        said, self.said[:] = list(self.said), []
        return said

    @defer.inlineCallbacks
    def rows_told(self, buildid: int = 1) -> Any:
        rows = yield self.master.data.get(('builds', buildid, 'steps'))
        return [row['state_string'] for row in rows]

    @defer.inlineCallbacks
    def test_of_step(self) -> Any:
        """A step is told what it has got itself, though it was rendered before."""
        one = self.told('one', TTY, locks=[self.boards.access(labels='new')])
        yield self.setup_lab({'b': {'steps': [one, self.told('two')]}})
        yield self.request('b')
        self.assertEqual(self.heard(), [('one', '/dev/tty2', ['board-2'])])
        self.assertIn('running (holds board-2 of boards)', (yield self.rows_told()))
        self.open(self.gate, SUCCESS)
        self.assertEqual(self.heard(), [('two', 'none', None)])
        self.assertIn('finished (had board-2 of boards)', (yield self.rows_told()))
        self.open(self.gate, SUCCESS)
        properties = yield self.master.data.get(('builds', 1, 'properties'))
        self.assertNotIn('pool_boards', properties)

    @defer.inlineCallbacks
    def test_named_twice(self) -> Any:
        """A renderable that a class and its base name both is rendered, and so are those behind."""
        seen = []

        class Twice(Told):
            renderables: Any = ('workdir', 'behind')
            behind = util.Interpolate('%(prop:branch)s')

            def run(self) -> Any:
                seen.append(f'{self.told} {self.workdir} {self.behind}')
                return SUCCESS

        twice = Twice(self.gate, [], TTY, workdir='w', locks=[self.boards.access()])
        yield self.setup_lab({'b': {'steps': [twice]}})
        yield self.request('b', 'main')
        self.assertEqual(seen, ['/dev/tty1 w main'])

    @defer.inlineCallbacks
    def test_after_wait(self) -> Any:
        """A step that has waited is told what it has got in the end."""
        locks = [self.boards.access(labels='old')]
        yield self.setup_lab(
            {name: {'steps': [self.told(name, TTY, locks=locks)]} for name in ('a', 'b')},
            workers=('w1', 'w2'),
        )
        yield self.request('a')
        yield self.request('b')
        self.assertEqual(self.heard(), [('a', '/dev/tty1', ['board-1'])])
        self.open(self.gate, SUCCESS)
        self.assertEqual(self.heard(), [('b', '/dev/tty1', ['board-1'])])
        self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])

    @defer.inlineCallbacks
    def test_of_group(self) -> Any:
        """The steps of a group see what it has, and one that claims of that what it has itself."""
        group = steps.StepGroup(
            name='g',
            locks=[self.boards.access(2, labels='new')],
            env={'BOARDS': NAMES},
            steps=[
                self.told('both'),
                self.told('second', locks=[self.boards.access(labels='board-3')]),
                steps.StepGroup(name='inner', steps=[self.told('deep')]),
            ],
        )
        yield self.setup_lab({'b': {'steps': [group, self.told('after')]}})
        yield self.request('b')
        told = '1 of 3: both (holds board-2, board-3 of boards)'
        self.assertIn(told, (yield self.rows_told()))
        for _ in range(4):
            self.open(self.gate, SUCCESS)
        both = ['board-2', 'board-3']
        self.assertEqual(
            self.heard(),
            [
                ('g/both', 'board-2,board-3', both),
                ('g/second', 'board-3', ['board-3']),
                ('g/inner/deep', 'board-2,board-3', both),
                ('after', 'none', None),
            ],
        )

    @defer.inlineCallbacks
    def test_env_of_group(self) -> Any:
        """The environment of a group is that of the resources that it has got."""
        seen: Any = []
        self.patch(steps.ShellCommand, 'run', lambda step: seen.append(step.env) or SUCCESS)
        group = steps.StepGroup(
            name='g',
            locks=[self.boards.access(labels='old')],
            env={'BOARDS': NAMES, 'TTY': TTY},
            steps=[steps.ShellCommand(name='x', command='x', env={'A': NAMES})],
        )
        yield self.setup_lab({'b': {'steps': [group]}})
        yield self.request('b')
        self.assertEqual(seen, [{'BOARDS': 'board-1', 'TTY': '/dev/tty1', 'A': 'board-1'}])

    @defer.inlineCallbacks
    def test_siblings(self) -> Any:
        """Steps that run beside one another in a group see their own only."""
        one = [self.boards.access()]
        beside = [self.told(name, locks=one) for name in ('a', 'b')] + [self.told('c')]
        group = steps.StepGroup(name='g', parallel=3, steps=beside)
        yield self.setup_lab({'b': {'steps': [group]}})
        yield self.request('b')
        said = dict((name, told) for name, told, _ in self.heard())
        self.assertEqual(said['g/c'], 'none')
        self.assertNotEqual(said['g/a'], said['g/b'])
        self.assertTrue({said['g/a'], said['g/b']} <= {'board-1', 'board-2', 'board-3'})
        for _ in range(3):
            self.open(self.gate, SUCCESS)

    @defer.inlineCallbacks
    def test_of_build(self) -> Any:
        """All steps see what the build has, and its page when it has ended; a rebuild does not."""
        locks = [self.boards.access(labels='old')]
        yield self.setup_lab({'b': {'locks': locks, 'steps': [self.told('one', TTY)]}})
        yield self.request('b')
        self.assertEqual(self.heard(), [('one', '/dev/tty1', ['board-1'])])
        build = self.gate.running[0][0]
        self.assertEqual(build.getProperty('pool_boards'), ['board-1'])
        self.assertIn('pool_boards', build.properties.runtime)
        rendered = yield build.render(TTY)
        self.assertEqual(rendered, '/dev/tty1')
        self.open(self.gate, SUCCESS)
        properties = yield self.master.data.get(('builds', 1, 'properties'))
        self.assertEqual(properties['pool_boards'], (['board-1'], 'lock'))

    @defer.inlineCallbacks
    def test_of_trigger(self) -> Any:
        """A build that is triggered and waited for sees what its trigger has; another does not."""
        inner = {'steps': [self.told('inner')]}
        trigger = Trigger(
            name='trigger',
            schedulerNames=['inner'],
            waitForFinish=True,
            locks=[self.boards.access(labels='old')],
        )
        yield self.setup_lab(
            {'outer': {'steps': [trigger]}, 'inner': inner},
            workers=('w1', 'w2'),
            schedulers=[Triggerable(name='inner', builderNames=['inner'])],
        )
        yield self.request('outer')
        self.assertEqual(self.heard(), [('inner', 'board-1', ['board-1'])])
        self.open(self.gate, SUCCESS)
        yield self.request('inner')
        self.assertEqual(self.heard(), [('inner', 'none', None)])
        self.open(self.gate, SUCCESS)

    @defer.inlineCallbacks
    def test_description(self) -> Any:
        """A description names what the step has got; one that is skipped has got nothing."""
        name = util.Interpolate('flash %(lock:boards:0)s')
        words = {'description': name, 'locks': [self.boards.access(labels='old')]}
        one = self.told('one', **words)
        skipped = self.told('two', doStepIf=False, **words)
        yield self.setup_lab({'b': {'steps': [one, skipped]}})
        yield self.request('b')
        self.assertIn('flash board-1 (holds board-1 of boards)', (yield self.rows_told()))
        self.open(self.gate, SUCCESS)
        rows = yield self.rows_told()
        self.assertEqual(rows[-2:], ['flash board-1 (had board-1 of boards)', 'finished (skipped)'])

    @defer.inlineCallbacks
    def test_missing(self) -> Any:
        """A step that asks for what it has not got does not run, and says why."""
        yield self.setup_lab({'b': {'steps': [self.told('one', TTY)]}})
        yield self.request('b')
        self.assertEqual(self.heard(), [])
        why = "pool 'boards': none of it is held here (exception)"
        self.assertIn(why, (yield self.rows_told()))
        self.assertEqual((yield self.step_rows()), [('one', EXCEPTION)])
        self.flushLoggedErrors()

    @defer.inlineCallbacks
    def test_missing_of_own(self) -> Any:
        """A step that has got something else says so, and gives it back."""
        probe = util.Interpolate('%(lock:boards:0:probe)s')
        one = self.told('one', probe, locks=[self.boards.access(labels='old')])
        yield self.setup_lab(
            {
                'b': {'steps': [one]},
                'c': {'steps': [self.told('two', locks=[self.boards.access(3)])]},
            }
        )
        yield self.request('b')
        why = "pool 'boards': resource 'board-1' has no property 'probe' (exception)"
        self.assertIn(why, (yield self.rows_told()))
        yield self.request('c')
        self.assertEqual([name for name, *_ in self.heard()], ['two'])
        self.open(self.gate, SUCCESS)
        self.flushLoggedErrors()

    @defer.inlineCallbacks
    def test_history(self) -> Any:
        """Who had which resource at what time is kept: a use of each, and one wait."""
        locks = [self.boards.access(2, labels='new')]
        yield self.setup_lab(
            {name: {'steps': [self.told(name, locks=locks)]} for name in ('a', 'b')},
            workers=('w1', 'w2'),
        )
        yield self.request('a')
        yield self.request('b')
        self.open(self.gate, SUCCESS)
        self.open(self.gate, SUCCESS)
        [lock] = yield self.master.data.get(('locks',))
        uses = yield self.master.data.get(('locks', lock['lockid'], 'uses'))
        self.assertEqual(
            sorted((u['copy'], u['text'], u['units'], u['waiting_since'] is None) for u in uses),
            [
                ('boards[board-2]', 'a #1 / a', 1, True),
                ('boards[board-2]', 'b #1 / b', 1, False),
                ('boards[board-3]', 'a #1 / a', 1, True),
                ('boards[board-3]', 'b #1 / b', 1, True),
            ],
        )
