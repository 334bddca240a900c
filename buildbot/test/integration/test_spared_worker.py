# SPDX-License-Identifier: GPL-2.0-only
"""What cannot run for a reason that is none of its worker's says why, and spares the worker."""

from __future__ import annotations

from parameterized import parameterized
from twisted.internet import defer

from buildbot.config import ConfigErrors
from buildbot.locks import BranchLock
from buildbot.locks import LockError
from buildbot.locks import MasterLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process.build import Build
from buildbot.process.buildstep import BuildStep
from buildbot.process.groups.step import StepGroup
from buildbot.process.properties import Property
from buildbot.process.properties import renderer
from buildbot.process.rendering import first_cause
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase


class Odd(Exception):
    """What goes wrong in these tests."""


def fails(props):
    raise Odd('no such pool')


raises = renderer(fails)


@renderer
def too_many(props):
    return [MasterLock('L', 2).access('counting', 3)]


@renderer
def twice(props):
    return [MasterLock('L').access('counting'), MasterLock('L').access('counting')]


@renderer
def no_list(props):
    return 'board'


@renderer
def no_lock(props):
    return ['board']


@renderer
def no_codebase(props):
    return [BranchLock('L', codebase='firmware').access('exclusive')]


BAD = [
    ('raises', raises),
    ('one_raises', [raises]),
    ('too_many', too_many),
    ('twice', twice),
    ('no_list', no_list),
    ('no_lock', no_lock),
    ('no_codebase', no_codebase),
]


class SparedCase(LabTestCase):
    writes_states = True

    @defer.inlineCallbacks
    def states(self, buildid):
        """Return (state, result) of the rows of a build by their names."""
        rows = yield self.master.data.get(('builds', buildid, 'steps'))
        return {row['name']: (row['state_string'], row['results']) for row in rows}

    @defer.inlineCallbacks
    def build_state(self, buildid):
        build = yield self.master.data.get(('builds', buildid))
        return build['state_string']

    def assert_spared(self):
        for worker in self.master.workers.workers.values():
            self.assertIsNone(worker.quarantine_timer)
            self.assertEqual(worker.quarantine_timeout, worker.quarantine_initial_timeout)

    def sentence(self):
        """Return what the one error that was logged says."""
        errors = self.flushLoggedErrors()
        self.assertEqual(len({str(error.value) for error in errors}), 1)
        error = first_cause(errors[0])
        if error.check(LockError):
            return str(error.value)
        return f'its locks cannot be determined: {error.type.__name__}: {error.value}'


class Levels(SparedCase):
    @parameterized.expand(BAD)
    @defer.inlineCallbacks
    def test_builder(self, _, locks):
        """Locks of a builder."""
        yield self.setup_lab({'a': {'steps': [GatedStep(Gate())], 'locks': locks}})
        yield self.request('a')
        error = first_cause(self.flushLoggedErrors()[-1])
        self.assertEqual((yield self.builds()), [FAILURE])
        why = f'could not begin: {error.getErrorMessage()}'
        states = yield self.states(1)
        self.assertEqual(states, {'worker_preparation': (why, FAILURE)})
        self.assertEqual((yield self.build_state(1)), why)
        self.assert_spared()

    @parameterized.expand(BAD)
    @defer.inlineCallbacks
    def test_step(self, _, locks):
        """Locks of a step, which ends its build."""
        step = steps.ShellCommand(name='bad', command=['true'], locks=locks)
        yield self.setup_lab({'a': {'steps': [step, GatedStep(Gate(), name='never')]}})
        yield self.request('a')
        sentence = f'{self.sentence()} (exception)'
        self.assertEqual((yield self.builds()), [FAILURE])
        states = yield self.states(1)
        self.assertEqual(states['bad'], (sentence, EXCEPTION))
        self.assertNotIn('never', states)
        self.assertEqual((yield self.build_state(1)), f'failed {sentence}')
        self.assert_spared()

    @parameterized.expand(BAD)
    @defer.inlineCallbacks
    def test_group(self, _, locks):
        """Locks of a group, whatever it has for a description."""
        group = StepGroup(name='g', steps=[GatedStep(Gate())], locks=locks, description='testing')
        yield self.setup_lab({'a': {'steps': [group]}})
        yield self.request('a')
        sentence = f'{self.sentence()} (exception)'
        self.assertEqual((yield self.builds()), [FAILURE])
        self.assertEqual((yield self.states(1))['g'], (sentence, EXCEPTION))
        self.assert_spared()

    @parameterized.expand(BAD)
    @defer.inlineCallbacks
    def test_step_in_a_group(self, _, locks):
        """Locks of a step in a group in a group, behind which the clean-up runs."""
        inner = [
            steps.ShellCommand(name='bad', command=['true'], locks=locks),
            GatedStep(gate := Gate(), name='clean', alwaysRun=True),
        ]
        group = StepGroup(name='g', steps=[StepGroup(name='i', steps=inner)])
        yield self.setup_lab({'a': {'steps': [group]}})
        yield self.request('a')
        self.open(gate, SUCCESS)
        sentence = f'{self.sentence()} (exception)'
        self.assertEqual((yield self.builds()), [FAILURE])
        states = yield self.states(1)
        self.assertEqual(states['g/i/bad'], (sentence, EXCEPTION))
        self.assertEqual(states['g/i'], ('2 of 2 steps: bad exception', EXCEPTION))
        self.assertEqual((yield self.build_state(1)), f'failed {sentence}')
        self.assert_spared()

    @defer.inlineCallbacks
    def test_child(self):
        """Locks of a triggered build say nothing of the worker of who triggers it, either."""
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True)
        step = GatedStep(Gate(), locks=too_many)
        yield self.setup_lab(
            {'a': {'steps': [trigger]}, 'c': {'steps': [step]}},
            ['w1', 'w2'],
            schedulers=[schedulers.Triggerable(name='t', builderNames=['c'])],
        )
        yield self.request('a')
        self.assertEqual((yield self.builds()), [FAILURE, FAILURE])
        self.assertEqual(len(self.flushLoggedErrors(LockError)), 1)
        self.assert_spared()


class Waits(SparedCase):
    @parameterized.expand([('step', False), ('group', True)])
    @defer.inlineCallbacks
    def test_lowered_limit(self, _, in_group):
        """A limit that is lowered below what somebody waits for."""
        gate, lock = Gate(), MasterLock('L', 2)
        words = {'locks': [lock.access('counting', 2)], 'name': 'waits'}
        inner = GatedStep(gate, **words)
        waits = StepGroup(steps=[GatedStep(gate)], **words) if in_group else inner
        yield self.setup_lab(
            {
                'holds': {'steps': [GatedStep(gate, locks=[lock.access('counting')])]},
                'a': {'steps': [waits]},
            },
            ['w1', 'w2'],
        )
        yield self.request('holds')
        yield self.request('a')
        yield self.master.botmaster.getLockByID(MasterLock('L', 1), 10)
        self.settle()
        sentence = f'{self.sentence()} (exception)'
        self.assertEqual((yield self.states(2))['waits'], (sentence, EXCEPTION))
        self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, FAILURE])
        self.assertEqual((yield self.owners(lock)), (0, 0))
        self.assert_spared()

    @defer.inlineCallbacks
    def test_stop_while_the_error_is_written(self):
        """A stop of a build whose wait has just failed does not stumble over that wait."""
        gate, lock = Gate(), MasterLock('L', 2)
        yield self.setup_lab(
            {
                'holds': {'steps': [GatedStep(gate, locks=[lock.access('counting')])]},
                'a': {'steps': [GatedStep(gate, locks=[lock.access('counting', 2)])]},
            },
            ['w1', 'w2'],
        )
        yield self.request('holds')
        yield self.request('a')
        write = self.hold_write('addLog', lambda stepid, name, type: name == 'err.text')
        yield self.master.botmaster.getLockByID(MasterLock('L', 1), 10)
        self.settle()
        yield self.stop_build(2)
        write.held.callback(None)
        self.settle()
        self.assertEqual((yield self.builds()), [None, CANCELLED])
        self.assertEqual(len(self.flushLoggedErrors(LockError)), 1)
        self.open(gate, SUCCESS)

    @defer.inlineCallbacks
    def test_circle(self):
        """A circle of two builds, of which each is a group that holds what the other wants."""
        a, b = MasterLock('A').access('exclusive'), MasterLock('B').access('exclusive')
        gates = [Gate(), Gate()]

        def builder(gate, outer, inner):
            inside = [GatedStep(gate), GatedStep(gate, name='inner', locks=[inner])]
            return {'steps': [StepGroup(name='g', locks=[outer], steps=inside)]}

        yield self.setup_lab({'x': builder(gates[0], a, b), 'y': builder(gates[1], b, a)})
        yield self.request('x')
        yield self.request('y')
        for gate in gates:
            self.open(gate, SUCCESS)
        sentence = f'{self.sentence()} (exception)'
        self.assertEqual((yield self.states(2))['g/inner'], (sentence, EXCEPTION))
        self.open(gates[0], SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, FAILURE])
        self.assert_spared()

    @defer.inlineCallbacks
    def test_wait_timeout(self):
        """A group that has waited too long says so, whatever it has for a description."""
        access = MasterLock('L').access('exclusive')
        words = {'steps': [GatedStep(Gate())], 'locks': [access], 'waitTimeout': 60}
        group = StepGroup(name='g', description='testing the board', **words)
        yield self.setup_lab(
            {
                'holds': {'steps': [GatedStep(gate := Gate(), locks=[access])]},
                'a': {'steps': [group]},
            },
            ['w1', 'w2'],
        )
        yield self.request('holds')
        yield self.request('a')
        self.reactor.advance(60)
        self.settle()
        self.assertEqual((yield self.builds()), [None, FAILURE])
        state, result = (yield self.states(2))['g']
        why = (
            "waited 60 seconds in vain for L, which was held by step 'generic' of holds #1"
            ' (failure)'
        )
        self.assertEqual((state, result), (why, FAILURE))
        self.open(gate, SUCCESS)
        self.assert_spared()


class BegunWithoutLocks(SparedCase):
    """A build that a plugin has let begin before its locks were claimed."""

    def setUp(self):
        super().setUp()

        def begin(build, reservation, workerforbuilder):
            build.workerforbuilder = workerforbuilder

        self.patch(Build, 'adopt', begin)

    @defer.inlineCallbacks
    def test_cannot_be_found_out(self):
        """Locks that cannot be determined when it has begun."""
        answers = [[MasterLock('L').access('exclusive')]]

        @renderer
        def locks(props):
            return answers.pop() if answers else fails(props)

        yield self.setup_lab({'a': {'steps': [GatedStep(Gate())], 'locks': locks}})
        yield self.request('a')
        self.assertEqual((yield self.builds()), [FAILURE])
        self.assertTrue(self.flushLoggedErrors())
        self.assert_spared()

    @parameterized.expand([('stop', CANCELLED), ('no_more', FAILURE)])
    @defer.inlineCallbacks
    def test_cannot_be_had(self, what, result):
        """Locks that it waits for, and that cannot be had any more."""
        gate, lock = Gate(), MasterLock('L', 2)
        yield self.setup_lab(
            {
                'holds': {'steps': [GatedStep(gate, locks=[lock.access('counting')])]},
                'a': {'steps': [GatedStep(Gate())], 'locks': [lock.access('counting', 2)]},
            },
            ['w1', 'w2'],
        )
        created = self.hold_write('addBuild', lambda **words: True)
        yield self.request('a')
        yield self.request('holds')
        created.held.callback(None)
        self.settle()
        write = self.hold_write('addLog', lambda stepid, name, type: name == 'err.text')
        yield self.master.botmaster.getLockByID(MasterLock('L', 1), 10)
        self.settle()
        if what == 'stop':
            yield self.stop_build(2)
        write.held.callback(None)
        self.settle()
        (error,) = self.flushLoggedErrors(LockError)
        self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, result])
        state = (yield self.states(2))['locks_acquire']
        self.assertEqual(state, (f'could not begin: {error.value}', FAILURE))
        self.assert_spared()


class Ours(SparedCase):
    """Other errors of ours."""

    @parameterized.expand(
        [
            ('limit', {'maxTime': Property('x')}, "maxTime must be a number of seconds, not 'odd'"),
            ('steps', {'steps': Property('x')}, "steps must be a list of steps, not 'odd'"),
        ]
    )
    @defer.inlineCallbacks
    def test_arguments(self, _, words, why):
        """Arguments of a group that turn out wrong when they are rendered."""
        group = StepGroup(name='g', **{'steps': [GatedStep(Gate())], **words})
        yield self.setup_lab({'a': {'steps': [group]}})
        yield self.request('a', properties={'x': ('odd', 'test')})
        self.assertEqual((yield self.builds()), [FAILURE])
        sentence = f"group 'g': {why} (exception)"
        self.assertEqual((yield self.states(1))['g'], (sentence, EXCEPTION))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assert_spared()

    @parameterized.expand([('limit', 'maxTime'), ('steps', 'steps')])
    @defer.inlineCallbacks
    def test_arguments_that_cannot_be_rendered(self, _, name):
        """Arguments of a group whose renderable raises."""
        group = StepGroup(name='g', **{'steps': [GatedStep(Gate())], name: raises})
        yield self.setup_lab({'a': {'steps': [group]}})
        yield self.request('a')
        self.assertEqual((yield self.builds()), [FAILURE])
        self.assertEqual((yield self.states(1))['g'], ('Odd: no such pool (exception)', EXCEPTION))
        self.assertTrue(self.flushLoggedErrors())
        self.assert_spared()

    @defer.inlineCallbacks
    def test_long_path(self):
        """A step whose path in its group turns out too long."""
        name = Property('x')
        group = StepGroup(name='g', steps=[GatedStep(Gate(), name=name)])
        yield self.setup_lab({'a': {'steps': [group]}})
        yield self.request('a', properties={'x': ('x' * 49, 'test')})
        self.assertEqual((yield self.builds()), [FAILURE])
        path = f'g/{"x" * 49}'
        why = (
            f'the path {path!r} is longer than the 50 characters that the name of a step may have'
            ' (exception)'
        )
        self.assertEqual((yield self.states(1))[path[:50]], (why, EXCEPTION))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assert_spared()

    @defer.inlineCallbacks
    def test_steps_that_cannot_be_made(self):
        """Steps that a factory makes only in the build, with a lock that is none."""

        class Bad(BuildStep):
            is_bad = False

            def __init__(self, **kwargs):
                super().__init__(locks=['board'] if Bad.is_bad else [], **kwargs)

        yield self.setup_lab({'a': {'steps': [Bad(name='bad')]}})
        Bad.is_bad = True
        yield self.request('a')
        self.assertEqual((yield self.builds()), [FAILURE])
        (error,) = self.flushLoggedErrors(ConfigErrors)
        why = f'could not begin: {error.getErrorMessage()}'
        states = yield self.states(1)
        self.assertEqual(states, {'worker_preparation': (why, FAILURE)})
        self.assert_spared()


class Others(SparedCase):
    """Errors for which the worker may be to blame put it in quarantine, as before."""

    @parameterized.expand([('alone', False), ('in_a_group', True)])
    @defer.inlineCallbacks
    def test_exception(self, _, in_group):
        """An exception in the work of a step, beside an error of locks too."""
        bad = GatedStep(Gate(), locks=too_many, name='bad')
        step = GatedStep(gate := Gate(), name='step', alwaysRun=True)
        both = [bad, step]
        yield self.setup_lab({'a': {'steps': [StepGroup(steps=both)] if in_group else both}})
        yield self.request('a')
        gate.running.pop(0)[1].errback(Odd('no board'))
        self.settle()
        self.assertEqual((yield self.builds()), [EXCEPTION])
        self.assertIsNotNone(self.master.workers.workers['w1'].quarantine_timer)
        self.assertEqual(len(self.flushLoggedErrors(Odd)), 1)
        self.assertEqual(len(self.flushLoggedErrors(LockError)), 1)
        self.reactor.advance(10)
