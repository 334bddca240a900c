# SPDX-License-Identifier: GPL-2.0-only
"""Step groups on a master: what runs, under which locks, and what is left when it ends."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import steps
from buildbot.process.buildstep import BuildStep
from buildbot.process.groups.step import StepGroup
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase


class Ends(BuildStep):
    """A step that ends at once with a result."""

    def __init__(self, result=SUCCESS, **kwargs):
        super().__init__(**kwargs)
        self.result = result

    def run(self):
        return self.result


class Raises(BuildStep):
    def run(self) -> Any:
        raise ValueError('the probe is not there')


class Adds(BuildStep):
    """A step that adds others behind itself."""

    def __init__(self, added, **kwargs):
        super().__init__(**kwargs)
        self.added = added

    def run(self):
        self.build.addStepsAfterCurrentStep(self.added)
        return SUCCESS


class Order(LabTestCase):
    writes_states = True

    @defer.inlineCallbacks
    def run_group(self, group, **words):
        yield self.setup_lab({'a': {'steps': [group, Ends(name='behind')], **words}})
        yield self.request('a')
        return (yield self.step_rows())

    @parameterized.expand(
        [
            # results of the steps in the group -> rows in it, result of group, result of build
            ('success', [SUCCESS, SUCCESS], 2, SUCCESS, SUCCESS),
            ('warnings', [WARNINGS, SUCCESS], 2, SUCCESS, SUCCESS),
            ('failure_goes_on', [FAILURE, SUCCESS], 2, FAILURE, FAILURE),
            ('exception_ends', [EXCEPTION, SUCCESS], 1, EXCEPTION, EXCEPTION),
            ('skipped', [SKIPPED, SUCCESS], 2, SUCCESS, SUCCESS),
        ]
    )
    @defer.inlineCallbacks
    def test_results(self, _, results, count, of_group, of_build):
        """The results of the steps make that of the group, and this that of the build."""
        inner = [Ends(result, name=f's{i}') for i, result in enumerate(results)]
        rows = yield self.run_group(StepGroup(name='g', steps=inner))
        expected = [('g', of_group), *((f'g/s{i}', r) for i, r in enumerate(results[:count]))]
        self.assertEqual(rows[: count + 1], expected)
        self.assertEqual((yield self.builds()), [of_build])

    @parameterized.expand(
        [
            ('halts_group_not_build', {}, ['g', 'g/bad', 'g/clean', 'behind'], FAILURE),
            ('halts_both', {'haltOnFailure': True}, ['g', 'g/bad', 'g/clean'], FAILURE),
            (
                'build_is_well',
                {'flunkOnFailure': False},
                ['g', 'g/bad', 'g/clean', 'behind'],
                SUCCESS,
            ),
        ]
    )
    @defer.inlineCallbacks
    def test_halt(self, _, flags, names, result):
        """A step's haltOnFailure ends the group but for alwaysRun; the group's flags say more."""
        inner = [
            Ends(FAILURE, name='bad', haltOnFailure=True),
            Ends(name='never'),
            Ends(name='clean', alwaysRun=True),
        ]
        rows = yield self.run_group(StepGroup(name='g', steps=inner, **flags))
        self.assertEqual([name for name, _ in rows], names)
        self.assertEqual((yield self.builds()), [result])

    @defer.inlineCallbacks
    def test_nested(self):
        """Groups in groups run in order, and their steps are named by their whole path."""
        inner = StepGroup(name='i', steps=[Ends(name='x'), Ends(name='y')])
        outer = StepGroup(name='o', steps=[Ends(name='w'), inner, Ends(name='z')])
        rows = yield self.run_group(outer)
        names = ['o', 'o/w', 'o/i', 'o/i/x', 'o/i/y', 'o/z', 'behind']
        self.assertEqual(rows, [(name, SUCCESS) for name in names])

    @defer.inlineCallbacks
    def test_added_steps(self):
        """Steps that a step adds behind itself run right behind it, inside its group."""
        adds = Adds([Ends(name='new1'), Ends(name='new2')], name='adds')
        rows = yield self.run_group(StepGroup(name='g', steps=[adds, Ends(name='last')]))
        names = ['g', 'g/adds', 'g/new1', 'g/new2', 'g/last', 'behind']
        self.assertEqual([name for name, _ in rows], names)

    @defer.inlineCallbacks
    def test_skipped_group(self):
        """A group that doStepIf leaves out runs none of its steps."""
        rows = yield self.run_group(StepGroup(name='g', steps=[Ends()], doStepIf=lambda _: False))
        self.assertEqual(rows, [('g', SKIPPED), ('behind', SUCCESS)])

    @defer.inlineCallbacks
    def test_summary(self):
        """The group's row says how far it came and what was not well."""
        group = StepGroup(name='g', steps=[Ends(FAILURE, name='flash'), Ends(name='boot')])
        yield self.run_group(group)
        rows = yield self.master.data.get(('builds', 1, 'steps'))
        summary = {row['name']: row['state_string'] for row in rows}
        self.assertEqual(summary['g'], '2 of 2 steps: flash failure')

    @defer.inlineCallbacks
    def test_same_names(self):
        """Two groups of one name, and two steps of one name, get names of their own."""
        group = StepGroup(name='g', steps=[Ends(name='s'), Ends(name='s')])
        yield self.setup_lab({'a': {'steps': [group, group]}})
        yield self.request('a')
        names = [name for name, _ in (yield self.step_rows())]
        self.assertEqual(names, ['g', 'g/s', 'g/s_1', 'g_1', 'g_1/s', 'g_1/s_1'])

    @defer.inlineCallbacks
    def test_plugin_name(self):
        """Users find the group where all steps are."""
        yield self.setup_lab({'a': {'steps': []}})
        self.assertIs(steps.StepGroup, StepGroup)


class Ownership(LabTestCase):
    """Two builders whose groups want one lock; the first build runs in its group."""

    def setUp(self):
        super().setUp()
        self.lock = WorkerLock('jtag')
        self.first, self.second = Gate(), Gate()
        self.clean = Gate()

    @defer.inlineCallbacks
    def start_two(self, first_steps, **words):
        access = self.lock.access('exclusive')
        last = GatedStep(self.second, name='other')
        yield self.setup_lab(
            {
                'a': {'steps': [StepGroup(name='g', locks=[access], steps=first_steps, **words)]},
                'b': {'steps': [StepGroup(name='g', locks=[access], steps=[last])]},
            }
        )
        yield self.request('a')
        yield self.request('b')

    @defer.inlineCallbacks
    def assert_second_goes_on(self, first_result):
        self.assertEqual(len(self.second.running), 1)
        self.open(self.second, SUCCESS)
        self.assertEqual((yield self.builds()), [first_result, SUCCESS])
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @parameterized.expand(
        [
            ('plain', {}),
            ('naming_the_lock', {'locks': True}),
        ]
    )
    @defer.inlineCallbacks
    def test_held_between_steps(self, _, words):
        """Nobody gets the lock between two steps, whether or not they name it themselves."""
        if words:
            words = {'locks': [self.lock.access('exclusive')]}
        yield self.start_two([GatedStep(self.first, name=n, **words) for n in ('x', 'y', 'z')])
        for _ in range(3):
            self.assertEqual((len(self.first.running), len(self.second.running)), (1, 0))
            self.open(self.first, SUCCESS)
        yield self.assert_second_goes_on(SUCCESS)

    @defer.inlineCallbacks
    def test_held_around_hidden_skipped_and_added(self):
        """The lock stays held while steps are skipped, hidden or added."""
        yield self.start_two(
            [
                Ends(name='skipped', doStepIf=False),
                Ends(name='hidden', hideStepIf=True),
                Adds([GatedStep(self.first, name='added')], name='adds'),
            ]
        )
        self.assertEqual((len(self.first.running), len(self.second.running)), (1, 0))
        self.open(self.first, SUCCESS)
        yield self.assert_second_goes_on(SUCCESS)

    @defer.inlineCallbacks
    def test_nested_group_shares(self):
        """A group in a group that names the same lock shares it, and does not let it go."""
        inner = StepGroup(
            name='i',
            locks=[self.lock.access('exclusive')],
            steps=[GatedStep(self.first, name='x')],
        )
        yield self.start_two([inner, GatedStep(self.first, name='y')])
        self.open(self.first, SUCCESS)
        self.assertEqual((len(self.first.running), len(self.second.running)), (1, 0))
        self.open(self.first, SUCCESS)
        yield self.assert_second_goes_on(SUCCESS)

    @parameterized.expand([(SUCCESS,), (FAILURE,), (EXCEPTION,), (CANCELLED,), (RETRY,)])
    @defer.inlineCallbacks
    def test_end(self, result):
        """However a step ends the group, the lock goes to who waits."""
        yield self.start_two([GatedStep(self.first)])
        self.open(self.first, result)
        if result == RETRY:  # the build is tried again, behind the one that waited
            self.assertEqual((len(self.first.running), len(self.second.running)), (0, 1))
            self.open(self.second, SUCCESS)
            result = SUCCESS
            self.assertEqual(len(self.first.running), 1)
        else:
            yield self.assert_second_goes_on(result)

    @defer.inlineCallbacks
    def test_exception_in_a_step(self):
        """A step that raises ends the group; the lock goes to who waits."""
        yield self.start_two([Raises(), GatedStep(self.first)])
        self.assertEqual(self.first.seen, 0)
        self.reactor.advance(60)  # a worker on which a build went wrong rests for a while
        yield self.assert_second_goes_on(EXCEPTION)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    @defer.inlineCallbacks
    def test_stop_while_running(self):
        """A stopped group cleans up with the lock held, and then lets it go."""
        yield self.start_two(
            [
                GatedStep(self.first, name='x'),
                GatedStep(self.first, name='never'),
                GatedStep(self.clean, name='power off', alwaysRun=True),
            ]
        )
        yield self.stop_build(1)
        self.assertEqual(
            (len(self.first.running), len(self.clean.running), len(self.second.running)), (0, 1, 0)
        )
        self.open(self.clean, SUCCESS)
        rows = yield self.step_rows()
        self.assertEqual(rows, [('g', CANCELLED), ('g/x', CANCELLED), ('g/power off', SUCCESS)])
        yield self.assert_second_goes_on(CANCELLED)

    @defer.inlineCallbacks
    def test_stop_while_waiting(self):
        """A group stopped while it waits for its lock runs none of its steps."""
        yield self.start_two([GatedStep(self.first)])
        yield self.stop_build(2)
        self.assertEqual((yield self.step_rows(2)), [('g', CANCELLED)])
        self.open(self.first, SUCCESS)
        self.assertEqual(self.second.seen, 0)
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @defer.inlineCallbacks
    def test_stop_twice(self):
        """Stopping a second time, while the clean-up runs, stops that too and loses no lock."""
        yield self.start_two(
            [
                GatedStep(self.first, name='x'),
                GatedStep(self.clean, name='power off', alwaysRun=True),
            ]
        )
        yield self.stop_build(1)
        yield self.stop_build(1)
        self.assertEqual(self.clean.running, [])
        yield self.assert_second_goes_on(CANCELLED)

    @defer.inlineCallbacks
    def test_lost_worker(self):
        """With a lost worker, no step of the group runs any more, and no holding is left."""
        yield self.start_two(
            [
                GatedStep(self.first, name='x'),
                GatedStep(self.clean, name='power off', alwaysRun=True),
            ]
        )
        self.lose_worker()
        self.assertEqual(self.clean.seen, 0)
        self.assertEqual((yield self.builds())[:2], [RETRY, RETRY])
        # the worker connects again; the requests are tried again, one after the other
        for gate in (self.second, self.first, self.clean):
            running = len(self.first.running) + len(self.second.running) + len(self.clean.running)
            self.assertEqual((yield self.owners(self.lock))[0], running)
            if gate.running:
                self.open(gate, SUCCESS)
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @parameterized.expand([('addStep',), ('startStep',), ('finishStep',), ('setBuildProperties',)])
    @defer.inlineCallbacks
    def test_database_error(self, update):
        """A write that fails for a step inside leaves the lock to who waits."""
        yield self.start_two([GatedStep(self.first, name='x'), GatedStep(self.first, name='y')])
        updates = self.master.data.updates
        good = getattr(updates, update)
        self.patch(updates, update, lambda *a, **k: defer.fail(OSError('disk is full')))
        self.first.running.pop(0)[1].callback(SUCCESS)
        self.patch(updates, update, good)
        self.settle()
        self.assertTrue(self.flushLoggedErrors(OSError))
        yield self.assert_second_goes_on(EXCEPTION)

    @defer.inlineCallbacks
    def test_group_in_a_build_that_holds_the_lock(self):
        """A group that names a lock of its build shares it."""
        lock = MasterLock('lab')
        group = StepGroup(name='g', locks=[lock.access('exclusive')], steps=[GatedStep(self.first)])
        yield self.setup_lab({'a': {'steps': [group], 'locks': [lock.access('exclusive')]}})
        yield self.request('a')
        self.open(self.first, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS])
        self.assertEqual((yield self.owners(lock)), (0, 0))
