# SPDX-License-Identifier: GPL-2.0-only
"""What a configuration may say of step groups, and what it is told when it says it wrongly."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.config import BuilderConfig
from buildbot.config.errors import ConfigErrors
from buildbot.config.errors import capture_config_errors
from buildbot.config.master import MasterConfig
from buildbot.config.steps import steps_of_builder
from buildbot.config.words import words_for
from buildbot.locks import MasterLock
from buildbot.plugins import steps
from buildbot.process import buildstep
from buildbot.process.buildstep import BuildStep
from buildbot.process.factory import BuildFactory
from buildbot.process.factory import GNUAutoconf
from buildbot.process.groups.step import StepGroup
from buildbot.process.properties import Interpolate
from buildbot.process.properties import Property
from buildbot.process.properties import renderer
from buildbot.worker import Worker


class Bench(StepGroup):
    """A group of a user's own, which brings its steps and its lock."""

    def __init__(self, board, **kwargs):
        lock = MasterLock(f'board-{board}')
        inner = [BuildStep(name='on'), BuildStep(name='off', alwaysRun=True)]
        super().__init__(name=board, steps=inner, locks=[lock.access('exclusive')], **kwargs)


def nest(levels, name, innermost=None):
    group = innermost or StepGroup(name=name, steps=[BuildStep(name='s')])
    for _ in range(levels - 1):
        group = StepGroup(name=name, steps=[group])
    return group


def with_added():
    group = StepGroup(name='g')
    group.addStep(BuildStep(name='a'))
    group.addSteps([BuildStep(name='b'), BuildStep(name='c').get_step_factory()])
    return group


class Errors(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('not_a_list', {'steps': 's'}, "steps must be a list of steps, not 's'"),
            ('not_a_step', {'steps': [1]}, '1 is not a step'),
            ('parallel_0', {'parallel': 0}, 'parallel must be a number of steps, not 0'),
            ('parallel_none', {'parallel': None}, 'parallel must be a number of steps, not None'),
            ('parallel_bool', {'parallel': True}, 'parallel must be a number of steps, not True'),
            ('max_time', {'maxTime': '9'}, "maxTime must be a number of seconds, not '9'"),
            (
                'too_long',
                {'waitTimeout': 10**400},
                f'waitTimeout must be a number of seconds, not {words_for(10**400)}',
            ),
            (
                'no_number',
                {'maxTime': float('nan')},
                'maxTime must be a number of seconds, not nan',
            ),
            (
                'for_ever',
                {'waitTimeout': float('inf')},
                'waitTimeout must be a number of seconds, not inf',
            ),
            ('wait', {'waitTimeout': -1}, 'waitTimeout must be a number of seconds, not -1'),
            (
                'interrupt',
                {'interruptOnFailure': 'yes'},
                "interruptOnFailure must be True or False, not 'yes'",
            ),
            ('env', {'env': 'A=1'}, "env must be a dictionary, not 'A=1'"),
        ]
    )
    def test_argument(self, _, words, sentence):
        """Each wrong argument is one sentence that names the group."""
        error = self.assertRaises(
            ConfigErrors, lambda: StepGroup(**{'name': 'g', 'steps': [BuildStep()], **words})
        )
        self.assertEqual(error.errors, [f"group 'g': {sentence}"])

    @parameterized.expand(
        [
            ('one', lambda g: g.addStep(1), '1'),
            ('none', lambda g: g.addStep(None), 'None'),
            ('list', lambda g: g.addSteps([1]), '1'),
        ]
    )
    def test_added(self, _, add, what):
        """What is added must be a step."""
        error = self.assertRaises(ConfigErrors, add, StepGroup(name='g'))
        self.assertEqual(error.errors, [f"group 'g': {what} is not a step"])

    @parameterized.expand(
        [
            ('error', KeyError('x'), "KeyError('x')"),
            ('of_the_configuration', ConfigErrors(['no x']), "ConfigErrors(['no x'])"),
        ]
    )
    def test_step_that_is_made_once(self, _, error, words):
        """A step that cannot be made a second time is told, since no build could have it."""
        made = []

        class Once(BuildStep):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                made.append(self)
                if len(made) > 1:
                    raise error

        (told,) = self.errors_of(StepGroup(name='g', steps=[Once()]))
        what = f'step Once cannot be made for a build: {words}'
        self.assertEqual(told, f"builder 'lab', group 'g': {what}")

    @parameterized.expand([('itself', 0, 'gg'), ('around', 3, 'ooogo')])
    def test_group_in_itself(self, _, levels, names):
        """A group that is in itself is told, and does not keep checkconfig forever."""
        group = StepGroup(name='g', steps=[BuildStep(name='s')])
        outer = group
        for _ in range(levels):
            outer = StepGroup(name='o', steps=[outer])
        group.addStep(outer)
        (error,) = self.errors_of(outer)
        groups = ', '.join(f'group {name!r}' for name in names)
        self.assertEqual(error, f"builder 'lab', {groups}: it contains itself")

    def test_same_names(self):
        """Paths are measured as they will be when names that are there twice get their number."""
        steps = [BuildStep(name='b' * 29)]
        groups = [StepGroup(name='g' * 20, steps=steps) for _ in range(2)]
        group, step = 'g' * 20, 'b' * 29
        self.assertEqual(
            self.errors_of(*groups),
            [
                f"builder 'lab', group {group!r}, step {step!r}: its path '{group}_1/{step}' is"
                ' longer than the 50 characters that the name of a step may have'
            ],
        )

    def test_own_factory(self):
        """What is no factory is told as ever."""
        with capture_config_errors() as errors:
            MasterConfig.loadFromDict(
                {
                    'builders': [BuilderConfig('lab', workernames=['w'], factory=object())],
                    'workers': [Worker('w', 'secret')],
                    'protocols': {'null': {}},
                    'multiMaster': True,
                },
                '<dict>',
            )
        self.assertEqual(len(errors.errors), 1)
        self.assertIn('factory is not a BuildFactory instance', errors.errors[0])

    def errors_of(self, *inner):
        with capture_config_errors() as errors:
            factory = BuildFactory(list(inner))
            MasterConfig.loadFromDict(
                {
                    'builders': [BuilderConfig('lab', workernames=['w'], factory=factory)],
                    'workers': [Worker('w', 'secret')],
                    'protocols': {'null': {}},
                    'multiMaster': True,
                },
                '<dict>',
            )
        return errors.errors

    def test_no_steps(self):
        """A group without steps is told at checkconfig, with its place."""
        groups = [StepGroup(name='g'), StepGroup(name='h', steps=[StepGroup(name='i', steps=[])])]
        self.assertEqual(
            self.errors_of(*groups),
            [
                "builder 'lab', group 'g': it has no steps",
                "builder 'lab', group 'h', group 'i': it has no steps",
            ],
        )

    def test_long_path(self):
        """A path that is too long is told at checkconfig: once, not for all that is inside."""
        group = nest(3, 'g' * 20, StepGroup(name='h' * 20, steps=[BuildStep(name='s')]))
        names = ['g' * 20, 'g' * 20, 'h' * 20]
        groups, path = ', '.join(f'group {name!r}' for name in names), '/'.join(names)
        self.assertEqual(
            self.errors_of(group),
            [
                f"builder 'lab', {groups}: its path {path!r} is longer than the 50 characters that"
                ' the name of a step may have'
            ],
        )

    def test_deep(self):
        """A thousand groups in one another are an error in one sentence if their path is one."""
        groups, path = ', '.join(["group 'g'"] * 26), '/'.join('g' * 26)
        self.assertEqual(
            self.errors_of(nest(1000, 'g')),
            [
                f"builder 'lab', {groups}: its path {path!r} is longer than the 50 characters that"
                ' the name of a step may have'
            ],
        )

    @parameterized.expand(
        [
            ('deep_without_names', lambda: nest(1000, '')),
            ('names_that_are_rendered', lambda: nest(30, Interpolate('a long name'))),
            ('steps_that_are_rendered', lambda: StepGroup(steps=Property('steps'))),
            ('added', with_added),
            ('own_class', lambda: Bench('b1')),
            ('two_thousand', lambda: StepGroup(steps=[BuildStep() for _ in range(2000)])),
        ]
    )
    def test_good(self, _, make):
        """Nothing is said of what is fine."""
        self.assertEqual(self.errors_of(make()), [])

    def test_locks_of_a_group_class(self):
        """The locks that a user's own kind of group brings are checked like all others."""
        group = StepGroup(name='g', steps=[Bench('b1')], locks=[MasterLock('board-b1', 2)])
        self.assertEqual(
            self.errors_of(group),
            [
                "builder 'lab', group 'g', group 'b1': lock 'board-b1': Two locks share this name:"
                " MasterLock('board-b1', maxCount=1), and MasterLock('board-b1', maxCount=2) of"
                " builder 'lab', group 'g'"
            ],
        )


class Template(unittest.SynchronousTestCase):
    def paths(self, *inner, factory=None):
        builder = BuilderConfig('lab', workernames=['w'], factory=factory or BuildFactory(inner))
        return [place.path for place in steps_of_builder(builder)]

    def test_plugin(self):
        """Users find the group where all steps are."""
        self.assertIs(steps.StepGroup, StepGroup)

    def test_beside_the_base_class(self):
        """Users find the group where the base class of all steps is, too."""
        self.assertIs(buildstep.StepGroup, StepGroup)
        self.assertRaises(AttributeError, lambda: buildstep.StepTroup)

    def test_added(self):
        """Steps can be added to a group as to a factory, behind those that it was made with."""
        group = StepGroup(name='g', steps=[BuildStep(name='first')])
        group.addStep(BuildStep(name='a'))
        group.addSteps([BuildStep(name='b')])
        self.assertEqual(self.paths(group), ['g', 'g/first', 'g/a', 'g/b'])

    def test_added_after(self):
        """What is added to a group that stands in a factory already is in there, too."""
        group = StepGroup(name='g', steps=[BuildStep(name='first')])
        factory = BuildFactory([group])
        group.addStep(BuildStep(name='a'))
        self.assertEqual(self.paths(factory=factory), ['g', 'g/first', 'g/a'])

    def test_added_to_one(self):
        """Two groups made of one list do not share what is added to one of them."""
        inner = [BuildStep(name='a')]
        one, other = (StepGroup(name=n, steps=inner) for n in 'xy')
        one.addStep(BuildStep(name='b'))
        self.assertEqual(self.paths(one, other), ['x', 'x/a', 'x/b', 'y', 'y/a'])
        self.assertEqual(len(inner), 1)

    def test_added_by_the_class(self):
        """What a kind of group adds to itself is in each of its groups once."""

        class Adds(StepGroup):
            def __init__(self, **kwargs):
                super().__init__(**kwargs)
                self.addStep(BuildStep(name='a'))
                self.addSteps([BuildStep(name='b')])

        group = Adds(name='g')
        group.addStep(BuildStep(name='c'))
        for _ in range(3):
            self.assertEqual(self.paths(group), ['g', 'g/a', 'g/b', 'g/c'])
        self.assertEqual(Adds(name='g'), Adds(name='g'))

    def test_own_class(self):
        """A user's own kind of group is walked, and can be added to."""
        group = Bench('b1')
        group.addStep(BuildStep(name='more'))
        self.assertEqual(self.paths(group), ['b1', 'b1/on', 'b1/off', 'b1/more'])

    def test_factory_class(self):
        """A group goes where any step goes in Buildbot's kinds of factories."""
        factory = GNUAutoconf(StepGroup(name='source', steps=[BuildStep(name='git')]), test=None)
        factory.addStep(StepGroup(name='lab', steps=[BuildStep(name='flash')]))
        paths = self.paths(factory=factory)
        self.assertEqual(paths[:3], ['source', 'source/git', 'configure'])
        self.assertEqual(paths[-2:], ['lab', 'lab/flash'])

    def test_group_without_a_name(self):
        """A group without a name is left out of the paths of its steps."""
        group = StepGroup(name='', steps=[BuildStep(name='s')])
        self.assertEqual(self.paths(group), ['group', 's'])
        outer = StepGroup(name='o', steps=[group])
        self.assertEqual(self.paths(outer), ['o', 'o/group', 'o/s'])

    @parameterized.expand(
        [
            ('same', lambda: StepGroup(name='g', steps=[BuildStep(name='x')]), True),
            ('nested', lambda: nest(3, 'g'), True),
            ('deep', lambda: nest(1000, ''), True),
            ('long', lambda: StepGroup(steps=[BuildStep() for _ in range(2000)]), True),
            ('added', with_added, True),
            ('interpolated', lambda: StepGroup(name=Interpolate('%(prop:a)s')), True),
            ('locks', lambda: Bench('b1'), True),
        ]
    )
    def test_equal(self, _, make, equal):
        """A reconfig sees no change of a factory where there is none."""
        one, other = (BuildFactory([make()]) for _ in range(2))
        self.assertTrue(one == other)
        self.assertFalse(one != other)

    @parameterized.expand(
        [
            (
                'step',
                StepGroup(steps=[BuildStep(name='x')]),
                StepGroup(steps=[BuildStep(name='y')]),
            ),
            ('count', StepGroup(steps=[BuildStep()]), StepGroup(steps=[BuildStep(), BuildStep()])),
            ('class', StepGroup(steps=[BuildStep()]), StepGroup(steps=[StepGroup()])),
            ('argument', StepGroup(parallel=2), StepGroup(parallel=3)),
            ('argument_more', StepGroup(), StepGroup(maxTime=3)),
            ('added', StepGroup(name='g'), with_added()),
            (
                'renderable',
                StepGroup(steps=[BuildStep(name=Property('a'))]),
                StepGroup(steps=[BuildStep(name=Property('b'))]),
            ),
            ('locks', Bench('b1'), Bench('b2')),
            ('deep', nest(1000, '', BuildStep(name='a')), nest(1000, '', BuildStep(name='b'))),
            ('group_or_step', StepGroup(name='a'), BuildStep(name='a')),
            ('renderable_or_not', StepGroup(maxTime=5), StepGroup(maxTime=Property('t'))),
            ('not_or_renderable', StepGroup(maxTime=Property('t')), StepGroup(maxTime=5)),
        ]
    )
    def test_unlike(self, _, one, other):
        """A reconfig sees each change of a factory."""
        one, other = BuildFactory([one]), BuildFactory([other])
        self.assertFalse(one == other)
        self.assertTrue(one != other)

    def test_unlike_renderers(self):
        """Two renderers are alike if they are the same function."""

        @renderer
        def steps_of(props):
            return []

        self.assertEqual(StepGroup(steps=steps_of), StepGroup(steps=steps_of))

    def test_set_step_arg(self):
        """Arguments of a group can be changed as those of any step."""
        group = StepGroup(name='g', steps=[BuildStep()])
        group.set_step_arg('name', 'h')
        group.set_step_arg('steps', [BuildStep(name='x')])
        group.addStep(BuildStep(name='y'))
        self.assertEqual(self.paths(group), ['h', 'h/x', 'h/y'])

    def test_repr(self):
        """A group is told in a line that can be read, whatever is in it."""
        self.assertEqual(repr(nest(1000, 'g')), "StepGroup(name='g')")

    def test_each_build_has_its_own_run(self):
        """Two builds of one factory share nothing that changes."""
        factory = StepGroup(name='g', steps=[BuildStep()]).get_step_factory()
        one: Any = factory.buildStep()
        other: Any = factory.buildStep()
        self.assertIsNot(one, other)
        self.assertIsNone(one.group_run)
