# SPDX-License-Identifier: GPL-2.0-only
"""How long one may wait for a lock and hold it: ``maxWait``, ``maxHold``, ``whenTooLong``."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locking.copies import LocksInUse
from buildbot.locks import BranchLock
from buildbot.locks import LockError
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process.build import Build
from buildbot.process.buildstep import BuildStep
from buildbot.process.groups.step import StepGroup
from buildbot.process.properties import Property
from buildbot.process.properties import renderer
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.process.results import statusToString
from buildbot.test.util.hand import HandTestCase
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase

LOCKS = [
    ('master', lambda **words: MasterLock('L', **words), 'L'),
    ('worker', lambda **words: WorkerLock('L', **words), 'L[w1]'),
    ('branch', lambda **words: BranchLock('L', **words), 'L[x]'),
    ('branch_key', lambda **words: BranchLock('L', key=Property('branch'), **words), 'L[x]'),
]
LEVELS = ['builder', 'step', 'group']


class SlowStep(GatedStep):
    """A step that goes on for a while when it is interrupted."""

    def interrupt(self, reason):
        return BuildStep.interrupt(self, reason)


class Limited(LabTestCase):
    """Builder ``a`` has a lock, at one level or another, and so has builder ``b``."""

    writes_states = True

    @defer.inlineCallbacks
    def start(self, lock, level='step', other=None, workers=('w1',), **config):
        self.lock = lock
        self.gates = {name: Gate() for name in 'ab'}
        self.clean = Gate()
        levels = {'a': level, 'b': level if other is None else other}
        builders = {name: self.words(name, lock, levels[name]) for name in 'ab'}
        yield self.setup_lab(builders, workers, **config)
        in_use = yield LocksInUse.getService(self.master.botmaster)
        self.told: list[Any] = []
        in_use.tell_people = lambda copy, what, text: self.told.append((copy.label, what, text))

    def words(self, name, lock, level):
        locks = [lock.access('exclusive')]
        words = {'locks': locks} if level == 'step' else {}
        step = GatedStep(self.gates[name], name='work', haltOnFailure=True, **words)
        clean = GatedStep(self.clean, name='clean', alwaysRun=True)
        if level == 'group':
            group = StepGroup(name='g', steps=[step, clean], locks=locks, haltOnFailure=True)
            return {'steps': [group]}
        return {'steps': [step, clean], 'locks': locks if level == 'builder' else []}

    def finish(self):
        """Let all that runs end well."""
        gates = (*self.gates.values(), self.clean)
        while any(gate.running for gate in gates):
            self.open(next(gate for gate in gates if gate.running), SUCCESS)

    def after(self, seconds):
        self.reactor.advance(seconds)
        self.settle()

    @defer.inlineCallbacks
    def states(self, buildid):
        rows = yield self.master.data.get(('builds', buildid, 'steps'))
        return [row['state_string'] for row in rows]

    @defer.inlineCallbacks
    def state(self, buildid, name):
        rows = yield self.master.data.get(('builds', buildid, 'steps'))
        return next(row['state_string'] for row in rows if row['name'] == name)

    @defer.inlineCallbacks
    def build_state(self, buildid):
        row = yield self.master.data.get(('builds', buildid))
        return row['state_string']

    @defer.inlineCallbacks
    def nothing_is_left(self):
        """Check that nobody holds the lock or waits for it, and that no limit runs on."""
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        self.assertEqual(self.count_limits(), 0)
        for builder in self.master.botmaster.builders.values():
            limits = builder.reservations._limits
            self.assertEqual((limits._told, limits._gave_up), ({}, {}))

    def count_limits(self):
        """Return how many limits run."""
        calls: Any = self.reactor.getDelayedCalls()
        return sum('bound method Limit.' in repr((call.func, call.args)) for call in calls)


class Waiting(Limited):
    @parameterized.expand(
        [
            (f'{kind}_{level}', make, copy, level)
            for kind, make, copy in LOCKS
            for level in ('step', 'group')
        ]
    )
    @defer.inlineCallbacks
    def test_fails(self, _, make, copy, level):
        """A step or group that waits too long fails, says whom it waited for, and is told of."""
        yield self.start(make(maxWait=600), level, 'step')
        yield self.request('b', 'x')
        yield self.request('a', 'x')
        self.after(590)
        self.assertEqual((yield self.owners(self.lock)), (1, 1))
        self.after(10)
        self.assertEqual((yield self.owners(self.lock)), (1, 0))
        name = {'step': 'work', 'group': 'g'}[level]
        holder = "which was held by step 'work' of b #1"
        why = f"lock 'L': it waited longer than 600 s for {copy}, {holder}"
        self.assertEqual((yield self.state(2, name)), f'{why} (failure)')
        kind = {'step': 'step', 'group': 'step group'}[level]
        text = f"{kind} '{name}' of a #1 waited longer than 600 s for it, {holder}"
        self.assertEqual(self.told, [(copy, 'long_wait', text)])
        self.finish()
        self.assertEqual((yield self.builds()), [SUCCESS, FAILURE])
        self.assertEqual(self.gates['a'].seen, 0)
        yield self.nothing_is_left()

    @parameterized.expand(LOCKS)
    @defer.inlineCallbacks
    def test_request_fails(self, _, make, copy):
        """A request that waits in line too long gets a build that fails and says why."""
        yield self.start(make(maxWait=600), 'builder')
        yield self.request('b', 'x')
        yield self.request('a', 'x')
        self.after(590)
        self.assertEqual((yield self.builds()), [None])
        self.after(10)
        self.assertEqual((yield self.builds()), [None, FAILURE])
        why = f"lock 'L': it waited longer than 600 s for {copy}, which was held by b #1"
        self.assertEqual((yield self.build_state(2)), f'could not begin: {why}')
        text = 'build request 2 of a waited longer than 600 s for it, which was held by b #1'
        self.assertEqual(self.told, [(copy, 'long_wait', text)])
        self.finish()
        self.flushLoggedErrors()
        yield self.nothing_is_left()

    @parameterized.expand(LEVELS)
    @defer.inlineCallbacks
    def test_report(self, level):
        """Where it is only reported, it is told of once, and the wait goes on."""
        yield self.start(MasterLock('L', maxWait=600, whenTooLong='report'), level)
        yield self.request('b', 'x')
        yield self.request('a', 'x')
        self.after(600)
        self.after(6000)
        self.assertEqual([what for _, what, _ in self.told], ['long_wait'])
        self.finish()
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])
        yield self.nothing_is_left()

    @parameterized.expand(LEVELS)
    @defer.inlineCallbacks
    def test_in_time(self, level):
        """Who is granted the lock in time hears of the limit no more."""
        yield self.start(MasterLock('L', maxWait=600), level)
        yield self.request('b', 'x')
        yield self.request('a', 'x')
        self.after(500)
        for gate in (self.gates['b'], self.clean):
            self.open(gate, SUCCESS)
        self.assertEqual(self.count_limits(), 0)
        self.after(6000)
        self.assertEqual(len(self.gates['a'].running), 1)
        self.finish()
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])
        self.assertEqual(self.told, [])
        yield self.nothing_is_left()

    @parameterized.expand([('stopped', CANCELLED), ('lost', RETRY)])
    @defer.inlineCallbacks
    def test_ended_otherwise(self, how, result):
        """A wait that ends in another way ends its limit."""
        yield self.start(MasterLock('L', maxWait=600), 'step')
        yield self.request('b', 'x')
        yield self.request('a', 'x')
        if how == 'stopped':
            yield self.stop_build(2)
        else:
            self.lose_worker()
        self.finish()
        self.flushLoggedErrors(LockError)  # of a step that began right then
        self.assertEqual((yield self.builds())[1], result)
        self.after(6000)
        self.assertEqual(self.told, [])
        yield self.nothing_is_left()

    @defer.inlineCallbacks
    def test_only_what_it_lacks(self):
        """The time for a lock that is free begins anew; what counts is the one that is lacked."""
        free, held = MasterLock('F', maxWait=60), MasterLock('H')
        gates = [Gate(), Gate()]
        h, f = held.access('exclusive'), free.access('exclusive')
        yield self.setup_lab(
            {
                'h': {'steps': [GatedStep(gates[0], locks=[h])]},
                'both': {'steps': [GatedStep(gates[1], locks=[h, f])]},
            }
        )
        yield self.request('h')
        yield self.request('both')
        for _ in range(3):
            self.after(100)
        self.assertEqual((yield self.owners(held)), (1, 1))
        self.open(gates[0], SUCCESS)
        self.open(gates[1], SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])

    @defer.inlineCallbacks
    def test_lacked_later(self):
        """The time for a lock that was free begins anew, and is over if it is lacked then."""
        free, held = MasterLock('F', maxWait=60), MasterLock('H')
        gates = [Gate(), Gate(), Gate()]
        h, f = held.access('exclusive'), free.access('exclusive')
        yield self.setup_lab(
            {
                'h': {'steps': [GatedStep(gates[0], locks=[h])]},
                'both': {'steps': [GatedStep(gates[1], name='both', locks=[h, f])]},
                'f': {'steps': [GatedStep(gates[2], locks=[f])]},
            }
        )
        yield self.request('h')
        yield self.request('both')
        self.after(61)
        yield self.request('f')
        self.assertEqual((yield self.owners(free)), (1, 1))
        self.after(50)
        self.assertEqual((yield self.owners(free)), (1, 1))
        self.after(10)
        self.assertEqual((yield self.owners(free)), (1, 0))
        self.assertEqual(
            (yield self.state(2, 'both')),
            "lock 'F': it waited longer than 60 s for F, which was held by step 'generic' of f #1"
            ' (failure)',
        )
        self.open(gates[0], SUCCESS)
        self.open(gates[2], SUCCESS)

    @defer.inlineCallbacks
    def test_build_that_has_begun(self):
        """A build that has begun without its locks fails, too, when it has waited too long."""
        adopt = Build.adopt

        def begin_without(build, reservation, workerforbuilder):
            if build.builder.name == 'a':
                build._bind(workerforbuilder)
                reservation.give_back()
            else:
                adopt(build, reservation, workerforbuilder)

        self.patch(Build, 'adopt', begin_without)
        yield self.start(MasterLock('L', maxWait=600), 'builder')
        for name in 'bab':
            yield self.request(name, 'x')
        for gate in (self.gates['b'], self.clean):
            self.open(gate, SUCCESS)
        self.assertEqual((yield self.owners(self.lock)), (1, 1))
        self.after(600)
        self.assertEqual((yield self.owners(self.lock)), (1, 0))
        row = yield self.master.data.get(('builders', 'a', 'builds', 1))
        why = "lock 'L': it waited longer than 600 s for L, which was held by b #2"
        self.assertEqual(
            (row['results'], row['state_string']), (FAILURE, f'could not begin: {why}')
        )
        self.flushLoggedErrors(LockError)
        self.finish()
        yield self.nothing_is_left()

    @defer.inlineCallbacks
    def test_another_worker_may_do(self):
        """A request does not give up for the lock of one worker while another's may be had."""
        lock = WorkerLock('L', maxWait=600)
        yield self.start(lock, 'builder', workers=('w1', 'w2'))
        for _ in range(2):
            yield self.request('b', 'x')
        self.after(300)
        yield self.request('a', 'x')
        self.after(400)
        self.assertEqual(len(self.gates['b'].running), 2)
        self.open(self.gates['b'], SUCCESS)
        self.open(self.clean, SUCCESS)
        self.assertEqual(len(self.gates['a'].running), 1)
        self.finish()
        self.assertEqual((yield self.builds()), [SUCCESS] * 3)
        yield self.nothing_is_left()

    @defer.inlineCallbacks
    def wait_for_two_workers(self):
        """Let a request wait for the locks of two workers, only the first of which has a limit."""
        own = [MasterLock('M1', maxWait=600), MasterLock('M2')]
        gates = [Gate(), Gate()]
        workers = [
            self.createLocalWorker(f'w{n}', locks=[lock.access('exclusive')])
            for n, lock in enumerate(own)
        ]
        held = GatedStep(gates[0], locks=[lock.access('exclusive') for lock in own])
        yield self.setup_lab(
            {
                'a': {'steps': [GatedStep(gates[1])], 'workernames': ['w0', 'w1']},
                'b': {'steps': [held], 'workernames': ['w2']},
            },
            workers=[*workers, 'w2'],
        )
        yield self.request('b')
        yield self.request('a')
        return own, gates

    @defer.inlineCallbacks
    def test_no_limit_on_another_worker(self):
        """A request goes on to wait if one worker's locks have no limit."""
        own, gates = yield self.wait_for_two_workers()
        self.assertEqual((yield self.owners(own[1])), (1, 1))
        self.after(6000)
        self.assertEqual((yield self.builds()), [None])
        self.open(gates[0], SUCCESS)
        self.open(gates[1], SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])

    @parameterized.expand([('paused',), ('lost',)])
    @defer.inlineCallbacks
    def test_other_worker_goes_away(self, how):
        """A request that has waited too long for one worker gives up when the other one goes."""
        _, gates = yield self.wait_for_two_workers()
        self.after(600)
        self.assertEqual((yield self.builds()), [None])
        if how == 'lost':
            self.lose_worker('w1')
        else:
            self.lab_workers[1].pause('enough')
            self.settle()
        self.assertEqual((yield self.builds()), [None, FAILURE])
        self.assertEqual(
            [str(error.value) for error in self.flushLoggedErrors(LockError)],
            [
                "lock 'M1': it waited longer than 600 s for M1, which was held by step 'generic' of"
                ' b #1'
            ],
        )
        self.open(gates[0], SUCCESS)

    @defer.inlineCallbacks
    def test_fails_on_each_worker(self):
        """A request that waits for the locks of two workers gives up once, and is told of once."""
        yield self.start(WorkerLock('L', maxWait=600), 'builder', workers=('w1', 'w2'))
        for _ in range(2):
            yield self.request('b', 'x')
        yield self.request('a', 'x')
        self.after(600)
        self.assertEqual((yield self.builds()), [None, None, FAILURE])
        self.assertEqual(len(self.told), 1)
        self.finish()
        self.flushLoggedErrors()
        yield self.nothing_is_left()

    @defer.inlineCallbacks
    def test_away_and_back(self):
        """A request that leaves the line and comes back has waited all the time."""
        yield self.start(MasterLock('L', maxWait=600), 'builder')
        yield self.request('b', 'x')
        brid = yield self.request('a', 'x')
        self.after(400)
        self.master.botmaster.builders['a'].request_changed(brid)
        self.after(190)
        self.assertEqual((yield self.builds()), [None])
        self.after(10)
        self.assertEqual((yield self.builds()), [None, FAILURE])
        self.finish()
        self.flushLoggedErrors()
        yield self.nothing_is_left()

    @defer.inlineCallbacks
    def test_cancelled_request(self):
        """A request that is cancelled while it waits leaves no limit."""
        yield self.start(MasterLock('L', maxWait=600), 'builder')
        yield self.request('b', 'x')
        brid = yield self.request('a', 'x')
        yield self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', brid))
        self.after(6000)
        self.assertEqual(self.told, [])
        self.finish()
        self.assertEqual((yield self.builds()), [SUCCESS])
        yield self.nothing_is_left()

    @parameterized.expand([('longer', 1000, None), ('shorter', 500, FAILURE)])
    @defer.inlineCallbacks
    def test_reconfig(self, _, seconds, result):
        """A request in line comes under the limit of a new configuration, from when it began."""
        yield self.start(MasterLock('L', maxWait=600), 'builder')
        yield self.request('b', 'x')
        yield self.request('a', 'x')
        self.after(100)
        self.lock = MasterLock('L', maxWait=seconds)
        builders = {name: self.words(name, self.lock, 'builder') for name in 'ab'}
        yield self.reconfig_master(self.lab_config(builders))
        self.settle()
        self.after(400)
        self.assertEqual((yield self.builds()), [None, result][: 2 if result else 1])
        self.after(110)
        self.assertEqual((yield self.builds()), [None, result][: 2 if result else 1])
        self.finish()
        self.flushLoggedErrors()
        yield self.nothing_is_left()

    @defer.inlineCallbacks
    def test_stopped_builder(self):
        """A builder that is removed while a request of it waits leaves no limit behind."""
        yield self.start(MasterLock('L', maxWait=600, maxHold=900), 'builder')
        yield self.request('b', 'x')
        yield self.request('a', 'x')
        self.assertEqual(self.count_limits(), 2)
        builders = {'b': self.words('b', self.lock, 'builder')}
        yield self.reconfig_master(self.lab_config(builders))
        self.assertEqual(self.count_limits(), 1)
        self.finish()
        yield self.nothing_is_left()


class Holding(Limited):
    @parameterized.expand([('step', False), ('group', True)])
    @defer.inlineCallbacks
    def test_what_always_runs_already(self, _, in_group):
        """A build that is too long is failed, and a step of it that always runs is left to end."""
        lock = MasterLock('L', maxHold=600)
        yield self.start(lock, 'builder')
        if in_group:
            words = self.words('a', lock, 'builder')
            group = StepGroup(name='g', steps=words['steps'], haltOnFailure=True)
            later = GatedStep(self.gates['b'], name='later')
            words['steps'] = [group, later]
            yield self.reconfig_master(self.lab_config({'a': words}))
        yield self.request('a')
        self.open(self.gates['a'], SUCCESS)
        self.assertEqual(len(self.clean.running), 1)
        self.after(600)
        self.assertEqual(len(self.clean.running), 1)
        self.assertEqual((yield self.owners(self.lock)), (1, 0))
        self.open(self.clean, SUCCESS)
        row = yield self.master.data.get(('builds', 1))
        self.assertEqual(row['results'], FAILURE)
        state = yield self.build_state(1)
        self.assertEqual(state.split(')')[0], "failed (lock 'L': it held L longer than 600 s")
        yield self.nothing_is_left()

    @parameterized.expand(
        [(f'{kind}_{level}', make, copy, level) for kind, make, copy in LOCKS for level in LEVELS]
    )
    @defer.inlineCallbacks
    def test_fails(self, _, make, copy, level):
        """Who holds too long is interrupted and has failed; what always runs still does."""
        yield self.start(make(maxHold=600), level)
        yield self.request('a', 'x')
        self.after(590)
        self.assertEqual(len(self.gates['a'].running), 1)
        self.after(10)
        self.assertEqual((len(self.gates['a'].running), len(self.clean.running)), (0, 1))
        self.assertEqual((yield self.owners(self.lock))[0], 0 if level == 'step' else 1)
        self.after(6000)
        self.finish()
        self.assertEqual((yield self.builds()), [FAILURE])
        why = f"lock 'L': it held {copy} longer than 600 s"
        name = {'builder': 'a #1', 'step': "step 'work' of a #1", 'group': "step group 'g' of a #1"}
        text = f'{name[level]} held it longer than 600 s'
        self.assertEqual(self.told, [(copy, 'long_hold', text)])
        if level == 'builder':
            state = yield self.build_state(1)
            self.assertIn(f'failed ({why})', state)
            self.assertEqual((yield self.state(1, 'work')), f'{why} (cancelled)')
        else:
            row = {'step': 'work', 'group': 'g'}[level]
            self.assertEqual((yield self.state(1, row)), f'{why} (failure)')
            self.assertIn((row, FAILURE), (yield self.step_rows()))
        yield self.nothing_is_left()

    @parameterized.expand(LEVELS)
    @defer.inlineCallbacks
    def test_report(self, level):
        """Where it is only reported, it is told of once, and the work goes on."""
        yield self.start(MasterLock('L', maxHold=600, whenTooLong='report'), level)
        yield self.request('a', 'x')
        self.after(600)
        self.after(6000)
        self.assertEqual([what for _, what, _ in self.told], ['long_hold'])
        self.finish()
        self.assertEqual((yield self.builds()), [SUCCESS])
        yield self.nothing_is_left()

    @parameterized.expand(LEVELS)
    @defer.inlineCallbacks
    def test_from_the_grant(self, level):
        """The time of a hold begins with the grant, not with the wait before it."""
        yield self.start(MasterLock('L', maxHold=600), level)
        yield self.request('b', 'x')
        yield self.request('a', 'x')
        self.after(500)
        for gate in (self.gates['b'], self.clean):
            self.open(gate, SUCCESS)
        self.after(500)
        self.assertEqual(len(self.gates['a'].running), 1)
        self.after(100)
        self.assertEqual(len(self.gates['a'].running), 0)
        self.finish()
        self.assertEqual((yield self.builds()), [SUCCESS, FAILURE])
        yield self.nothing_is_left()

    @parameterized.expand([('stopped', CANCELLED), ('lost', RETRY)])
    @defer.inlineCallbacks
    def test_ended_otherwise(self, how, result):
        """What is stopped or loses its worker before its time is over is not told of."""
        yield self.start(MasterLock('L', maxHold=600), 'step')
        yield self.request('a', 'x')
        if how == 'stopped':
            yield self.stop_build(1)
        else:
            self.lose_worker()
        self.finish()
        self.flushLoggedErrors(LockError)  # of a step that began right then
        self.assertEqual((yield self.builds())[0], result)
        self.after(6000)
        self.assertEqual(self.told, [])
        yield self.nothing_is_left()

    @parameterized.expand(LEVELS)
    @defer.inlineCallbacks
    def test_stopped_before(self, level):
        """What a person has stopped, and cleans up when its time is over, stays cancelled."""
        yield self.start(MasterLock('L', maxHold=600), level)
        yield self.request('a', 'x')
        yield self.stop_build(1)
        self.assertEqual(len(self.clean.running), 1)
        self.after(600)
        self.assertEqual(len(self.clean.running), 1)
        self.finish()
        self.assertEqual((yield self.builds()), [CANCELLED])
        self.assertNotIn('longer', ' '.join((yield self.states(1))))
        yield self.nothing_is_left()

    @defer.inlineCallbacks
    def test_before_it_runs(self):
        """A group whose time is over before it runs cleans up only, and has failed."""
        yield self.start(MasterLock('L', maxHold=600), 'group')
        write = self.hold_write('set_step_locks_acquired_at', lambda *args, **words: True)
        yield self.request('a', 'x')
        self.after(600)
        write.held.callback(None)
        self.settle()
        self.assertEqual((self.gates['a'].seen, len(self.clean.running)), (0, 1))
        self.finish()
        self.assertEqual((yield self.builds()), [FAILURE])
        state = yield self.state(1, 'g')
        self.assertEqual(state, "lock 'L': it held L longer than 600 s (failure)")
        yield self.nothing_is_left()

    @parameterized.expand([('builder', CANCELLED), ('group', FAILURE)])
    @defer.inlineCallbacks
    def test_without_answer(self, level, of_step):
        """The row of what is too long, and has a question without an answer, says the former."""
        lock = self.lock = MasterLock('L', maxHold=600)
        locks = [lock.access('exclusive')]
        group = StepGroup(
            name='g',
            steps=renderer(lambda props: defer.Deferred()),
            locks=locks if level == 'group' else [],
            haltOnFailure=True,
        )
        words = {'locks': locks} if level == 'builder' else {}
        yield self.setup_lab({'a': {'steps': [group], **words}})
        yield self.request('a')
        self.after(600)
        self.assertEqual((yield self.builds()), [FAILURE])
        why = "lock 'L': it held L longer than 600 s"
        self.assertEqual((yield self.state(1, 'g')), f'{why} ({statusToString(of_step)})')
        yield self.nothing_is_left()

    @parameterized.expand([('stopped', CANCELLED), ('lost', RETRY)])
    @defer.inlineCallbacks
    def test_slow_end(self, how, result):
        """A step that takes long to end is cancelled if it was stopped first, or tried again."""
        lock = MasterLock('L', maxHold=600)
        gate = Gate()
        step = SlowStep(gate, locks=[lock.access('exclusive')])
        yield self.setup_lab({'a': {'steps': [step]}})
        yield self.request('a', 'x')
        if how == 'stopped':
            yield self.stop_build(1)
        self.after(600)
        if how == 'lost':
            self.lose_worker()
        self.open(gate, {'stopped': CANCELLED, 'lost': RETRY}[how])
        self.assertEqual((yield self.builds())[0], result)
        self.assertEqual((yield self.step_rows()), [('generic', result)])
        self.lock = lock
        while gate.running:
            self.open(gate, SUCCESS)
        self.flushLoggedErrors(LockError)

    @defer.inlineCallbacks
    def test_nested(self):
        """A step that shares the lock of its build is not limited anew; the build is."""
        lock = MasterLock('L', maxHold=600)
        self.lock, gates = lock, [Gate(), Gate()]
        access = lock.access('exclusive')
        inside = [GatedStep(gates[0]), GatedStep(gates[1], name='inside', locks=[access])]
        yield self.setup_lab({'a': {'steps': inside, 'locks': [access]}})
        yield self.request('a')
        self.after(300)
        self.open(gates[0], SUCCESS)
        self.after(300)
        self.assertEqual((yield self.builds()), [FAILURE])
        state = yield self.build_state(1)
        self.assertIn("failed (lock 'L': it held L longer than 600 s)", state)
        yield self.nothing_is_left()

    @defer.inlineCallbacks
    def test_triggered(self):
        """The builds that a step waits for are stopped when it has held its lock too long."""
        lock = self.lock = MasterLock('L', maxHold=600)
        child = Gate()
        access = lock.access('exclusive')
        trigger = steps.Trigger(
            schedulerNames=['t'], waitForFinish=True, name='trigger', locks=[access]
        )
        yield self.setup_lab(
            {
                'p': {'steps': [trigger]},
                'c': {'steps': [GatedStep(child)], 'locks': [access]},
            },
            schedulers=[schedulers.Triggerable(name='t', builderNames=['c'])],
        )
        yield self.request('p', 'x')
        self.settle()
        self.assertEqual(len(child.running), 1)
        self.after(600)
        self.assertEqual((yield self.builds()), [FAILURE, CANCELLED])
        yield self.nothing_is_left()

    @parameterized.expand([('step',), ('group',), ('group_around',)])
    @defer.inlineCallbacks
    def test_triggered_twice(self, level):
        """Who has ended what it triggered because of one limit waits for that at the next one."""
        one, two = MasterLock('L', maxHold=600), MasterLock('M', maxHold=900)
        locks = [one.access('exclusive'), two.access('exclusive')]
        at_step = {'locks': locks if level == 'step' else []}
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True, **at_step)
        inner: Any = trigger
        if level != 'step':
            inner = StepGroup(name='g', steps=[trigger], locks=locks)
        if level == 'group_around':
            inner = StepGroup(name='h', steps=[inner], maxTime=700)
        child, tidy, clean = Gate(), Gate(), Gate()
        yield self.setup_lab(
            {
                'p': {'steps': [inner, GatedStep(clean, alwaysRun=True)]},
                'c': {'steps': [GatedStep(child), GatedStep(tidy, alwaysRun=True)]},
            },
            schedulers=[schedulers.Triggerable(name='t', builderNames=['c'])],
        )
        yield self.request('p', 'x')
        self.after(600)
        self.assertEqual((len(tidy.running), len(clean.running)), (1, 0))
        self.after(300)
        self.assertEqual((len(tidy.running), len(clean.running)), (1, 0))
        self.open(tidy, SUCCESS)
        self.assertEqual(len(clean.running), 1)
        self.open(clean, SUCCESS)
        self.assertEqual((yield self.builds()), [FAILURE, CANCELLED])

    @parameterized.expand([('builder',), ('step',)])
    @defer.inlineCallbacks
    def test_left_behind(self, level):
        """A build that has shared a lock is limited, too, if it outlives whom it shared it with."""
        lock = self.lock = MasterLock('L', maxHold=600)
        locks, child, parent = [lock.access('exclusive')], Gate(), Gate()
        at_builder, at_step = (locks, []) if level == 'builder' else ([], locks)
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True)
        words = {
            'p': {'steps': [trigger, GatedStep(parent, alwaysRun=True)], 'locks': locks},
            'c': {'steps': [GatedStep(child, locks=at_step)], 'locks': at_builder},
        }
        scheduler = schedulers.Triggerable(name='t', builderNames=['c'])
        yield self.setup_lab(words, schedulers=[scheduler])
        yield self.request('p')
        yield self.reconfig_master(self.lab_config(words))
        self.after(300)
        self.open(parent, SUCCESS)
        self.assertEqual((len(child.running), (yield self.owners(lock))), (1, (1, 0)))
        self.after(300)
        self.assertEqual((len(child.running), (yield self.owners(lock))), (0, (0, 0)))
        self.assertEqual((yield self.builds()), [EXCEPTION, FAILURE])
        yield self.nothing_is_left()

    @defer.inlineCallbacks
    def test_reconfig(self):
        """What is held when a limit changes is held under the old one; the next under the new."""
        yield self.start(MasterLock('L', maxHold=600), 'step')
        yield self.request('a', 'x')
        self.lock = MasterLock('L', maxHold=60)
        builders = {name: self.words(name, self.lock, 'step') for name in 'ab'}
        yield self.reconfig_master(self.lab_config(builders))
        self.after(590)
        self.assertEqual(len(self.gates['a'].running), 1)
        self.finish()
        yield self.request('a', 'x')
        self.after(60)
        self.finish()
        self.assertEqual((yield self.builds()), [SUCCESS, FAILURE])
        yield self.nothing_is_left()


class Costs(Limited):
    @defer.inlineCallbacks
    def test_without_limits(self):
        """Locks without limits need no delayed call."""
        yield self.start(MasterLock('L'), 'step')
        yield self.request('b', 'x')
        yield self.request('a', 'x')
        yield self.request('a', 'x')
        self.assertEqual(self.count_limits(), 0)
        self.finish()


class Circles(LabTestCase):
    @defer.inlineCallbacks
    def test_told_once(self):
        """A circle in which a step fails is told of once."""
        a, b = MasterLock('A'), MasterLock('B')
        gates = [Gate(), Gate()]
        builders = {}
        for i, (outer, inner) in enumerate([(a, b), (b, a)]):
            inside = [GatedStep(gates[i]), GatedStep(Gate(), locks=[inner.access('exclusive')])]
            group = StepGroup(name='g', steps=inside, locks=[outer.access('exclusive')])
            builders[f'b{i}'] = {'steps': [group]}
        yield self.setup_lab(builders)
        in_use = yield LocksInUse.getService(self.master.botmaster)
        told: list[Any] = []
        in_use.tell_people = lambda copy, what, text: told.append((copy.label, what, text))
        yield self.request('b0')
        yield self.request('b1')
        self.open(gates[0], SUCCESS)
        self.open(gates[1], SUCCESS)
        self.flushLoggedErrors()
        [(copy, what, text)] = told
        self.assertEqual((copy, what), ('A', 'circle'))
        self.assertEqual(
            text,
            "step 'g/generic_1' of b1 #1 fails: these would wait for one another forever: step"
            " 'g/generic_1' of b1 #1 on w1 waits for A held by step group 'g' of b0 #1; step"
            " 'g/generic_1' of b0 #1 on w1 waits for B held by step group 'g' of b1 #1",
        )

    @defer.inlineCallbacks
    def test_of_a_build(self):
        """So is one in which a triggered build fails."""
        a, b = (MasterLock(name).access('exclusive') for name in 'AB')
        gates = [Gate(), Gate()]
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True, name='trigger')
        yield self.setup_lab(
            {
                'p': {'steps': [GatedStep(gates[0]), trigger], 'locks': [a]},
                'o': {'steps': [GatedStep(gates[1]), GatedStep(gates[1], locks=[a])], 'locks': [b]},
                'c': {'steps': [GatedStep(Gate())], 'locks': [b]},
            },
            schedulers=[schedulers.Triggerable(name='t', builderNames=['c'])],
        )
        in_use = yield LocksInUse.getService(self.master.botmaster)
        told: list[Any] = []
        in_use.tell_people = lambda copy, what, text: told.append((copy.label, what, text))
        yield self.request('p')
        yield self.request('o')
        self.open(gates[1], SUCCESS)
        self.open(gates[0], SUCCESS)
        self.settle()
        self.assertEqual((yield self.builds()), [FAILURE, None, FAILURE])
        self.flushLoggedErrors()
        [(copy, what, text)] = told
        self.assertEqual((copy, what), ('B', 'circle'))
        self.assertIn('c #1 fails: these would wait for one another forever: ', text)
        self.open(gates[1], SUCCESS)


class Restart(HandTestCase):
    """A master is stopped, and started with its database; a person holds the board."""

    writes_states = True

    def after(self, seconds):
        self.reactor.advance(seconds)
        self.settle()

    @defer.inlineCallbacks
    def test_wait(self):
        """A restart begins a wait anew; who waits too long for a person fails, not the person."""
        yield self.start(WorkerLock('board', maxWait=600))
        yield self.add_builders(x={'locks': [self.board.access('exclusive')]})
        yield self.hold('ann')
        yield self.request('x')
        self.after(500)
        yield self.restart()
        self.after(500)
        self.assertEqual((yield self.builds()), [])
        self.after(100)
        [row] = yield self.master.data.get(('builds',))
        why = "lock 'board': it waited longer than 600 s for board[w1], which was held by "
        state = f'could not begin: {why}ann, by hand (on my desk)'
        self.assertEqual((row['results'], row['state_string']), (FAILURE, state))
        self.flushLoggedErrors(LockError)
        holders = yield self.get('copies', (yield self.copy_row())['copyid'], 'holders')
        self.assertEqual([holder['person'] for holder in holders], ['ann'])
