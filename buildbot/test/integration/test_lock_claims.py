# SPDX-License-Identifier: GPL-2.0-only
"""Locks of every kind, taken in every way that there is."""

from __future__ import annotations

import gc
import os
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
from buildbot.plugins import util
from buildbot.process.buildstep import BuildStep
from buildbot.process.groups.step import StepGroup
from buildbot.process.properties import Property
from buildbot.process.properties import renderer
from buildbot.process.results import CANCELLED
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase
from buildbot.test.util.lab import set_up

LOCKS = [
    ('master', lambda n: MasterLock('l', n)),
    ('worker', lambda n: WorkerLock('l', n)),
    ('branch', lambda n: BranchLock('l', n)),
    ('branch_key', lambda n: BranchLock('l', n, key=Property('branch'))),
]
# units, access, how many of three run at a time
MODES = [
    ('exclusive', 3, lambda lock: lock.access('exclusive'), 1),
    ('counting', 2, lambda lock: lock.access('counting'), 2),
    ('counting_more', 3, lambda lock: lock.access('counting', 2), 1),
    ('counting_nothing', 1, lambda lock: lock.access('counting', 0), 3),
    ('default', 2, lambda lock: lock, 2),
]
LEVELS = ['builder', 'step', 'group']
# any two of these in all combinations; with ``LOCK_TABLES=all``, as CI has it, all three
TABLE = [
    (f'{kind}_{mode}_{level}', make(units), access, running, level)
    for i, (kind, make) in enumerate(LOCKS)
    for j, (mode, units, access, running) in enumerate(MODES)
    for k, level in enumerate(LEVELS)
    if os.environ.get('LOCK_TABLES') == 'all' or (i + j + k) % len(LEVELS) == 0
]


class EveryKind(LabTestCase):
    @parameterized.expand(TABLE)
    @defer.inlineCallbacks
    def test_table(self, _, lock, access, running, level):
        """Of three builds, as many run at a time as the lock allows, and nothing is left of it."""
        gate = Gate()
        locks = [access(lock)]
        step: BuildStep = GatedStep(gate, locks=locks if level == 'step' else [])
        if level == 'group':
            step = StepGroup(name='g', locks=locks, steps=[step])
        words = {'steps': [step], 'locks': locks if level == 'builder' else []}
        yield self.setup_lab({name: words for name in 'abc'})
        for builder in 'abc':
            yield self.request(builder, 'x')
        for left in (3, 2, 1):
            self.assertEqual(len(gate.running), min(running, left))
            self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS] * 3)
        self.assertEqual((yield self.owners(lock)), (0, 0))


class SeveralLocks(LabTestCase):
    @set_up
    def setUp(self) -> Any:
        super().setUp()
        self.a, self.b = MasterLock('A'), MasterLock('B')
        self.gates = {name: Gate() for name in ('holder', 'other', 'ab', 'ba')}
        a, b = self.a.access('exclusive'), self.b.access('exclusive')
        yield self.setup_lab(
            {
                'holder': {'steps': [GatedStep(self.gates['holder'], locks=[b])]},
                'other': {'steps': [GatedStep(self.gates['other'], locks=[a])]},
                'ab': {'steps': [GatedStep(self.gates['ab'], locks=[a, b])]},
                'ba': {'steps': [GatedStep(self.gates['ba'], locks=[b, a])]},
            }
        )

    @defer.inlineCallbacks
    def test_each_way_round(self):
        """Two steps that name two locks each way round both end."""
        yield self.request('ab')
        yield self.request('ba')
        self.open(self.gates['ab'], SUCCESS)
        self.open(self.gates['ba'], SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])

    @defer.inlineCallbacks
    def test_each_way_round_in_line(self):
        """Two steps that wait for two locks each way round keep neither from each other."""
        names = ['other', 'holder', 'ab', 'ba']
        for name in names:
            yield self.request(name)
        for name in names:
            self.open(self.gates[name], SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS] * 4)

    @parameterized.expand([('stopped', CANCELLED), ('lost', RETRY)])
    @defer.inlineCallbacks
    def test_no_trace(self, how, result):
        """A build that ends while its step waits for the second lock leaves no trace in either."""
        yield self.request('holder')
        yield self.request('ab')
        if how == 'stopped':
            yield self.stop_build(2)
            yield self.stop_build(2)
        else:
            self.lose_worker()
        self.assertEqual((yield self.builds())[1], result)
        for gate in self.gates.values():
            while gate.running:
                self.open(gate, SUCCESS)
        for lock in (self.a, self.b):
            self.assertEqual((yield self.owners(lock)), (0, 0))

    @defer.inlineCallbacks
    def test_stopped_while_it_is_woken(self):
        """A step that is stopped just when it is granted its locks gives them to the next."""
        yield self.request('holder')
        yield self.request('ab')
        yield self.request('ba')
        self.gates['holder'].open(SUCCESS)  # granted now, told a turn of the reactor later
        yield self.stop_build(2)
        yield self.stop_build(2)
        self.assertEqual((yield self.builds()), [SUCCESS, CANCELLED, None])
        self.assertEqual(len(self.gates['ba'].running), 1)


class DeafStep(GatedStep):
    """A step whose way of being interrupted is not to be."""

    def interrupt(self, reason: Any) -> Any:
        raise AssertionError('it has not begun')


class Stops(LabTestCase):
    @parameterized.expand([(False,), (True,)])
    @defer.inlineCallbacks
    def test_step_with_an_interrupt_of_its_own(self, in_group):
        """A step that waits can be stopped, whatever it does to be interrupted when it runs."""
        lock = MasterLock('L')
        access = lock.access('exclusive')
        gate = Gate()
        step = DeafStep(gate, locks=[access])
        yield self.setup_lab(
            {
                'a': {'steps': [GatedStep(gate, locks=[access])]},
                'b': {'steps': [StepGroup(name='g', steps=[step]) if in_group else step]},
            }
        )
        yield self.request('a')
        yield self.request('b')
        yield self.stop_build(2)
        self.assertEqual((yield self.builds()), [None, CANCELLED])
        self.assertEqual((yield self.owners(lock)), (1, 0))
        *_, last = yield self.master.data.get(('builds', 2, 'steps'))
        (log,) = yield self.master.data.get(('steps', last['stepid'], 'logs'))
        self.assertEqual(log['name'], 'cancelled while waiting for locks')

    @defer.inlineCallbacks
    def test_while_it_is_written_that_it_holds(self):
        """A step that is stopped right after it was granted its locks does not begin."""
        lock = MasterLock('L')
        gate = Gate()
        yield self.setup_lab({'a': {'steps': [GatedStep(gate, locks=[lock.access('exclusive')])]}})
        write = self.hold_write('set_step_locks_acquired_at', lambda *args, **words: True)
        yield self.request('a')
        yield self.stop_build(1)
        write.held.callback(None)
        self.settle()
        self.assertEqual(gate.seen, 0)
        self.assertEqual((yield self.builds()), [CANCELLED])
        self.assertEqual((yield self.owners(lock)), (0, 0))


class Circles(LabTestCase):
    @defer.inlineCallbacks
    def test_two_builds(self):
        """Of two builds that wait for what the other holds, the later fails and says in what."""
        a, b = MasterLock('A'), MasterLock('B')
        gates = [Gate(), Gate()]

        def builder(gate, first, second):
            inner = GatedStep(gate, name='inner', locks=[second.access('exclusive')])
            return {
                'steps': [GatedStep(gate, name='first'), inner],
                'locks': [first.access('exclusive')],
            }

        yield self.setup_lab({'x': builder(gates[0], a, b), 'y': builder(gates[1], b, a)})
        yield self.request('x')
        yield self.request('y')
        self.open(gates[0], SUCCESS)
        self.open(gates[1], SUCCESS)
        self.assertEqual((yield self.builds()), [None, FAILURE])
        (error,) = self.flushLoggedErrors(LockError)
        self.assertEqual(
            str(error.value),
            "these would wait for one another forever: step 'inner' of y #1 on w1 waits for A"
            " held by x #1; step 'inner' of x #1 on w1 waits for B held by y #1",
        )
        self.open(gates[0], SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, FAILURE])

    @defer.inlineCallbacks
    def test_more_than_there_will_ever_be(self):
        """A step that wants more units than there are fails and says so, instead of waiting."""

        @renderer
        def access(props):
            return MasterLock('L', maxCount=2).access('counting', 3)

        yield self.setup_lab({'a': {'steps': [GatedStep(Gate(), locks=[access])]}})
        yield self.request('a')
        self.assertEqual((yield self.builds()), [FAILURE])
        (error,) = self.flushLoggedErrors(LockError)
        self.assertEqual(str(error.value), '3 units of L can never be granted: it has 2')

    @defer.inlineCallbacks
    def setup_line(self, x_locks):
        self.gates = {name: Gate() for name in 'xyzw'}
        a, b = MasterLock('A', 3).access('counting'), MasterLock('B').access('exclusive')
        gates = self.gates
        yield self.setup_lab(
            {
                'y': {
                    'steps': [GatedStep(gates['y']), GatedStep(gates['y'], locks=[b])],
                    'locks': [a],
                },
                'z': {
                    'steps': [GatedStep(gates['z']), GatedStep(gates['z'], locks=[a])],
                    'locks': [b],
                },
                'x': {'steps': [GatedStep(gates['x'], locks=x_locks)]},
                'w': {'steps': [GatedStep(gates['w'], locks=[a])]},
            }
        )
        yield self.request('y')
        yield self.request('z')

    def open_all(self, gates):
        while any(gate.running for gate in gates):
            for gate in gates:
                if gate.running:
                    self.open(gate, SUCCESS)

    @defer.inlineCallbacks
    def test_behind_who_waits_for_all(self):
        """A circle that comes of the order in line is found, too."""
        yield self.setup_line([MasterLock('A', 3).access('exclusive')])
        yield self.request('x')
        self.open(self.gates['z'], SUCCESS)
        self.open(self.gates['y'], SUCCESS)
        self.assertEqual((yield self.builds())[0], FAILURE)
        self.assertEqual(len(self.flushLoggedErrors(LockError)), 1)
        self.open_all(self.gates.values())
        self.assertEqual((yield self.builds()), [FAILURE, SUCCESS, SUCCESS])

    @defer.inlineCallbacks
    def test_behind_who_drains(self):
        """Who waits for several locks lets who is behind go first, if it waits for that."""
        a, d = MasterLock('A', 3), MasterLock('D')
        yield self.setup_line([a.access('exclusive'), d.access('exclusive')])
        yield self.request('x')
        self.open(self.gates['y'], SUCCESS)  # it waits for z
        for _ in range(6):  # these go past x, until it drains
            yield self.request('w')
        self.open_all([self.gates['w']])
        self.open(self.gates['z'], SUCCESS)  # it waits behind x, which waits for y
        self.open_all(self.gates.values())
        self.assertNotIn(None, (yield self.builds()))
        self.flushLoggedErrors(LockError)

    @defer.inlineCallbacks
    def test_behind_who_drained_before(self):
        """No step fails because a lock drains for an owner that waits for its build."""
        a, b = (MasterLock(name).access('exclusive') for name in 'AB')
        gates = self.gates = {name: Gate() for name in 'xyw'}
        yield self.setup_lab(
            {
                'y': {
                    'steps': [GatedStep(gates['y']), GatedStep(gates['y'], locks=[a])],
                    'locks': [b],
                },
                'x': {'steps': [GatedStep(gates['x'], locks=[a, b])]},
                'w': {'steps': [GatedStep(gates['w'], locks=[a])]},
            }
        )
        for name in 'yx':
            yield self.request(name)
        for _ in range(4):  # these go past x, until it drains
            yield self.request('w')
            self.open(gates['w'], SUCCESS)
        self.open(gates['y'], SUCCESS)
        self.assertEqual(len(gates['y'].running), 1)
        self.open_all(gates.values())
        self.assertEqual((yield self.builds()), [SUCCESS] * 6)

    @defer.inlineCallbacks
    def test_circle_by_a_lowered_limit(self):
        """A circle that a lowered limit closes is found, too."""
        a, b = MasterLock('A', 3), MasterLock('B')
        gates = [Gate(), Gate(), Gate()]

        def builder(gate, own, *inner):
            steps = [GatedStep(gate), *(GatedStep(gate, locks=[access]) for access in inner)]
            return {'steps': steps, 'locks': [own]}

        yield self.setup_lab(
            {
                'y': builder(gates[0], a.access('counting'), b.access('exclusive')),
                'z': builder(gates[1], b.access('exclusive'), a.access('counting', 2)),
                'v': builder(gates[2], a.access('counting')),
            }
        )
        for name in 'yzv':
            yield self.request(name)
        self.open(gates[0], SUCCESS)
        self.open(gates[1], SUCCESS)
        self.assertEqual((yield self.builds()), [None] * 3)
        yield self.master.botmaster.getLockByID(MasterLock('A', 2), 10)
        self.settle()
        self.assertEqual(len(self.flushLoggedErrors(LockError)), 1)
        self.open_all(gates)
        self.assertEqual(sorted((yield self.builds())), [SUCCESS, SUCCESS, FAILURE])


class Limits(LabTestCase):
    @defer.inlineCallbacks
    def setup_limit(self, count, wanted):
        self.gates = {name: Gate() for name in wanted}
        self.config = lambda count: {
            name: {
                'steps': [
                    GatedStep(
                        self.gates[name],
                        locks=[MasterLock('L', count).access('counting', units)],
                    )
                ]
            }
            for name, units in wanted.items()
        }
        yield self.setup_lab(self.config(count))
        for name in wanted:
            yield self.request(name)

    def running(self):
        return ''.join(name for name, gate in self.gates.items() if gate.running)

    @defer.inlineCallbacks
    def test_raised(self):
        """A limit raised by a new configuration reaches those who wait, once it is known."""
        yield self.setup_limit(1, {'a': 1, 'b': 1, 'c': 1})
        self.assertEqual(self.running(), 'a')
        real = yield self.master.botmaster.getLockByID(MasterLock('L', 3), 10)
        self.settle()
        self.assertEqual((self.running(), real.maxCount), ('abc', 3))

    @defer.inlineCallbacks
    def test_lowered_below_a_waiter(self):
        """A waiter that wants more than a lowered limit fails and says so, and blocks nobody."""
        yield self.setup_limit(3, {'a': 1, 'b': 3, 'c': 1})
        self.assertEqual(self.running(), 'a')
        yield self.master.botmaster.getLockByID(MasterLock('L', 2), 10)
        self.settle()
        self.assertEqual(self.running(), 'ac')
        self.assertEqual((yield self.builds()), [None, FAILURE, None])
        (error,) = self.flushLoggedErrors(LockError)
        self.assertEqual(str(error.value), '3 units of L can never be granted: it has 2')

    @defer.inlineCallbacks
    def test_lowered_below_several_of_a_group(self):
        """A limit is lowered though the first who fails of it makes the others wait no more."""
        gate = Gate()
        hold, want = (MasterLock('L', 3).access('counting', units) for units in (1, 3))
        waiting = [GatedStep(Gate(), name=name, locks=[want]) for name in 'xyz']
        group = StepGroup(name='g', steps=waiting, parallel=3, interruptOnFailure=True)
        yield self.setup_lab(
            {'a': {'steps': [GatedStep(gate, locks=[hold])]}, 'b': {'steps': [group]}}
        )
        yield self.request('a')
        yield self.request('b')
        yield self.master.botmaster.getLockByID(MasterLock('L', 2), 10)
        self.settle()
        rows = yield self.step_rows(2)
        self.assertEqual(rows[2:], [('g/y', CANCELLED), ('g/z', CANCELLED)])
        (error,) = self.flushLoggedErrors(LockError)
        self.assertEqual(str(error.value), '3 units of L can never be granted: it has 2')
        self.open(gate, SUCCESS)
        self.assertEqual((yield self.owners(MasterLock('L', 2))), (0, 0))

    @defer.inlineCallbacks
    def test_reconfig(self):
        """A reconfig that raises a limit lets a waiting step go on without any release."""
        yield self.setup_limit(1, {'a': 1, 'b': 1})
        self.assertEqual(self.running(), 'a')
        yield self.reconfig_master(self.lab_config(self.config(2)))
        self.settle()
        self.assertEqual(self.running(), 'ab')


class WorkersLocks(LabTestCase):
    @defer.inlineCallbacks
    def setup_workers(self, builders, **words):
        self.lock = MasterLock('L')
        self.gate = Gate()
        words.setdefault('locks', [self.lock.access('exclusive')])
        workers = [self.createLocalWorker(name, **words) for name in ('w1', 'w2')]
        builders = {name: {'steps': [GatedStep(self.gate)], **b} for name, b in builders.items()}
        yield self.setup_lab(builders, workers)

    @defer.inlineCallbacks
    def test_one_at_a_time(self):
        """Two workers that share a lock never both build, and nothing is tried again for it."""
        yield self.setup_workers({'a': {}, 'b': {}, 'c': {}})
        for name in 'abc':
            yield self.request(name)
        for _ in range(3):
            self.assertEqual(len(self.gate.running), 1)
            self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS] * 3)
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        for worker in self.master.workers.workers.values():
            self.assertIsNone(worker.quarantine_timer)

    @defer.inlineCallbacks
    def test_skipped_build_releases_nothing_of_others(self):
        """A build that is skipped leaves the lock to the build that holds it."""
        shared = WorkerLock('S', maxCount=2)
        yield self.setup_workers(
            {
                'a': {'workernames': ['w1']},
                'skipped': {'workernames': ['w1'], 'do_build_if': lambda build: False},
                'c': {'workernames': ['w1'], 'locks': [shared.access('exclusive')]},
            },
            locks=[shared.access('counting')],
        )
        yield self.request('a')
        yield self.request('skipped')
        yield self.request('c')
        self.assertEqual((yield self.builds()), [None, SKIPPED])
        self.assertEqual(len(self.gate.running), 1)
        self.open(self.gate, SUCCESS)
        self.assertEqual(len(self.gate.running), 1)

    @defer.inlineCallbacks
    def test_shared_with_the_builder(self):
        """A lock of both worker and builder is claimed once, not waited for forever."""
        lock = MasterLock('L')
        yield self.setup_workers({'a': {'locks': [lock.access('exclusive')]}})
        yield self.request('a')
        self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS])
        self.assertEqual((yield self.owners(lock)), (0, 0))

    @defer.inlineCallbacks
    def test_two_builds_on_a_lost_worker(self):
        """A worker that is lost with two builds on it leaves nothing held."""
        lock = MasterLock('L', maxCount=2)
        yield self.setup_workers(
            {'a': {'workernames': ['w1']}, 'b': {'workernames': ['w1']}},
            locks=[lock.access('counting')],
        )
        yield self.request('a')
        yield self.request('b')
        self.assertEqual((yield self.owners(lock)), (2, 0))
        self.lose_worker('w1')
        self.assertEqual((yield self.builds())[:2], [RETRY, RETRY])
        self.assertEqual((yield self.owners(lock))[0], len(self.gate.running))

    @defer.inlineCallbacks
    def test_request_goes_on_when_the_lock_is_removed(self):
        """A request refused for a worker's lock starts when a new configuration has it no more."""
        yield self.setup_workers({'a': {'workernames': ['w1']}, 'b': {'workernames': ['w2']}})
        yield self.request('a')
        yield self.request('b')
        self.assertEqual(len(self.gate.running), 1)
        self.lab_workers = [self.createLocalWorker(name) for name in ('w1', 'w2')]
        steps = [GatedStep(self.gate)]
        builders = {
            'a': {'steps': steps, 'workernames': ['w1']},
            'b': {'steps': steps, 'workernames': ['w2']},
        }
        yield self.reconfig_master(self.lab_config(builders))
        self.settle()
        self.assertEqual(len(self.gate.running), 2)

    @parameterized.expand([('removed', []), ('changed', [MasterLock('M').access('exclusive')])])
    @defer.inlineCallbacks
    def test_reconfig_while_a_build_runs(self, _, locks):
        """A worker's lock that a new configuration removes or changes is not lost by its build."""
        yield self.setup_workers({'a': {'workernames': ['w1']}})
        yield self.request('a')
        self.lab_workers = [self.createLocalWorker(name, locks=locks) for name in ('w1', 'w2')]
        steps = {'steps': [GatedStep(self.gate)], 'workernames': ['w1']}
        yield self.reconfig_master(self.lab_config({'a': steps}))
        self.settle()
        while self.gate.running:
            self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        self.assertEqual((yield self.owners(MasterLock('M'))), (0, 0))


class OtherKind(LabTestCase):
    @parameterized.expand(
        [
            ('held', MasterLock('l'), WorkerLock('l'), True),
            ('of_workers', WorkerLock('l'), BranchLock('l'), True),
            ('idle', MasterLock('l'), BranchLock('l'), False),
        ]
    )
    @defer.inlineCallbacks
    def test_held_as_it_was(self, _, before, after, is_held):
        """A reconfig that makes another kind of lock of one says if builds hold what it was."""
        gate = Gate()
        builders = {'a': {'steps': [GatedStep(gate)], 'locks': [before]}}
        yield self.setup_lab(builders, ['w1', 'w2'])
        if is_held:
            yield self.request('a')
        heard = self.listen()
        builders['a']['locks'] = [after]
        yield self.reconfig_master(self.lab_config(builders))
        yield self.request('a')
        kinds = [type(lock).__name__ for lock in (after, before)]
        sentence = (
            "lock 'l' is a {} now, and was a {}: until the builds end that hold it as such, others"
            ' can have it beside them'
        )
        self.assertEqual(heard, [sentence.format(*kinds)] if is_held else [])
        self.assertEqual(len(gate.running), 2 if is_held else 1)
        for _ in range(len(gate.running)):
            self.open(gate, SUCCESS)
        self.assertEqual(set((yield self.builds())), {SUCCESS})


class Lowered(LabTestCase):
    @defer.inlineCallbacks
    def test_nested_under_a_lowered_limit(self):
        """A lowered limit takes nothing from what is nested in a holder of more."""
        lock, other = MasterLock('L', 3), MasterLock('K')
        gate, inner = Gate(), Gate()
        locks = [other.access('exclusive'), lock.access('counting', 3)]
        steps = [GatedStep(gate), GatedStep(inner, locks=locks)]
        yield self.setup_lab({'p': {'steps': steps, 'locks': [lock.access('counting', 3)]}})
        yield self.request('p')
        yield self.master.botmaster.getLockByID(MasterLock('L', 2), 10)
        self.open(gate, SUCCESS)
        self.assertEqual(len(inner.running), 1)
        self.open(inner, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS])
        self.assertEqual((yield self.owners(lock)), (0, 0))
        self.assertEqual((yield self.owners(other)), (0, 0))


class Children(LabTestCase):
    """A build triggers another and waits for it; both name one lock."""

    @defer.inlineCallbacks
    def setup_family(self, parent, children, limit=1, outsider=None, group=None):
        self.lock = MasterLock('L', limit)
        self.child, self.other = Gate(), Gate()
        names = [f'c{i}' for i in range(len(children))]
        step = steps.Trigger(schedulerNames=['t'], waitForFinish=True, name='trigger')
        access = [parent(self.lock)]
        if group:
            step = StepGroup(name='g', locks=access, steps=[step])
        builders = {
            'p': {'steps': [step], 'locks': [] if group else access},
            'x': {'steps': [GatedStep(self.other)], 'locks': [(outsider or parent)(self.lock)]},
        }
        for name, child in zip(names, children):
            builders[name] = {'steps': [GatedStep(self.child)], 'locks': [child(self.lock)]}
        triggerable = schedulers.Triggerable(name='t', builderNames=names)
        yield self.setup_lab(builders, schedulers=[triggerable])
        yield self.request('p', 'main')
        yield self.request('x', 'main')
        self.settle()

    @parameterized.expand(
        [
            ('counting_in_counting', 1, 'counting', 'counting', 'exclusive', False),
            ('exclusive_in_exclusive', 1, 'exclusive', 'exclusive', 'exclusive', False),
            ('counting_in_exclusive', 2, 'exclusive', 'counting', 'counting', False),
            ('exclusive_in_counting', 2, 'counting', 'exclusive', 'exclusive', False),
            ('in_a_group', 1, 'exclusive', 'exclusive', 'exclusive', True),
        ]
    )
    @defer.inlineCallbacks
    def test_child_shares(self, _, limit, parent, child, outsider, group):
        """A child that is waited for goes past an outsider that waits, and the outsider is next."""
        yield self.setup_family(
            lambda lock: lock.access(parent),
            [lambda lock: lock.access(child)],
            limit,
            lambda lock: lock.access(outsider),
            group,
        )
        self.assertEqual((len(self.child.running), len(self.other.running)), (1, 0))
        self.open(self.child, SUCCESS)
        self.assertEqual((len(self.child.running), len(self.other.running)), (0, 1))
        self.open(self.other, SUCCESS)
        self.assertEqual(sorted((yield self.builds())), [SUCCESS] * 3)
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @defer.inlineCallbacks
    def test_two_children(self):
        """Two children that both want the parent's lock exclusively run one after the other."""

        def exclusive(lock):
            return lock.access('exclusive')

        yield self.setup_family(exclusive, [exclusive, exclusive])
        for _ in range(2):
            self.assertEqual((len(self.child.running), len(self.other.running)), (1, 0))
            self.open(self.child, SUCCESS)
        self.assertEqual((len(self.child.running), len(self.other.running)), (0, 1))

    @defer.inlineCallbacks
    def test_stopped_parent(self):
        """When the parent is stopped, nothing is left held by it or its child."""

        def exclusive(lock):
            return lock.access('exclusive')

        yield self.setup_family(exclusive, [exclusive])
        yield self.stop_build(1)
        self.settle()
        self.assertEqual((len(self.child.running), len(self.other.running)), (0, 1))
        self.open(self.other, SUCCESS)
        self.assertEqual((yield self.owners(self.lock)), (0, 0))


class RemovedBuilder(LabTestCase):
    @defer.inlineCallbacks
    def test_its_build_ends_properly(self):
        """A build whose builder is removed ends with its request, and its lock and worker go on."""
        gate, other, lock = Gate(), Gate(), MasterLock('L')
        access = lock.access('exclusive')
        kept = {'b': {'steps': [GatedStep(other)], 'locks': [access]}}
        yield self.setup_lab({'a': {'steps': [GatedStep(gate)], 'locks': [access]}, **kept})
        brid = yield self.request('a')
        yield self.request('b')
        yield self.reconfig_master(self.lab_config(kept))
        self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, None])
        self.assertEqual(len(other.running), 1)
        request = yield self.master.data.get(('buildrequests', brid))
        self.assertEqual((request['complete'], request['results']), (True, SUCCESS))

    @defer.inlineCallbacks
    def test_its_children_share(self):
        """A child that is triggered after its parent's builder was removed shares its locks."""
        gate, child, lock = Gate(), Gate(), MasterLock('L')
        access = lock.access('exclusive')
        kept = {'c': {'steps': [GatedStep(child)], 'locks': [access]}}
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True)
        words = {'schedulers': [schedulers.Triggerable(name='t', builderNames=['c'])]}
        parent = {'steps': [GatedStep(gate), trigger], 'locks': [access]}
        yield self.setup_lab({'p': parent, **kept}, **words)
        yield self.request('p')
        yield self.reconfig_master(self.lab_config(kept, **words))
        self.open(gate, SUCCESS)
        self.settle()
        self.assertEqual(len(child.running), 1)
        self.open(child, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])


class Branches(LabTestCase):
    @defer.inlineCallbacks
    def start(self, lock, *stamps):
        self.gate = Gate()
        words = {'steps': [GatedStep(self.gate)], 'locks': [lock.access('exclusive')]}
        yield self.setup_lab({'a': words, 'b': words})
        for builder, codebases in zip('ab', stamps):
            builderid = yield self.master.data.updates.findBuilderId(builder)
            sources = [
                {
                    'codebase': codebase,
                    'branch': branch,
                    'repository': 'r',
                    'revision': None,
                    'project': '',
                }
                for codebase, branch in codebases.items()
            ]
            yield self.master.data.updates.addBuildset(
                waited_for=False, builderids=[builderid], sourcestamps=sources
            )
            self.settle()

    @parameterized.expand(
        [
            ('same', {}, {'app': 'x'}, {'app': 'x'}, 1),
            ('other_codebase', {}, {'app': 'x'}, {'lib': 'x'}, 2),
            ('one_in_common', {}, {'app': 'x', 'lib': 'y'}, {'lib': 'y'}, 1),
            (
                'only_one_counts',
                {'codebase': 'app'},
                {'app': 'x', 'lib': 'y'},
                {'app': 'z', 'lib': 'y'},
                2,
            ),
            (
                'only_one_counts_same',
                {'codebase': 'app'},
                {'app': 'x', 'lib': 'y'},
                {'app': 'x'},
                1,
            ),
            ('key', {'key': util.Interpolate('%(src:app:branch)s')}, {'app': 'x'}, {'app': 'x'}, 1),
            (
                'other_key',
                {'key': util.Interpolate('%(src:app:branch)s')},
                {'app': 'x'},
                {'app': 'y'},
                2,
            ),
        ]
    )
    @defer.inlineCallbacks
    def test_table(self, _, words, one, other, running):
        """Builds exclude each other exactly where a (codebase, branch) or key is the same."""
        yield self.start(BranchLock('version', **words), one, other)
        self.assertEqual(len(self.gate.running), running)
        while self.gate.running:
            self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])

    @defer.inlineCallbacks
    def test_missing_codebase(self):
        """A build without the codebase of the lock is refused with a sentence; others go on."""
        yield self.start(BranchLock('version', codebase='app'), {'lib': 'x'}, {'app': 'x'})
        self.assertEqual((yield self.builds()), [FAILURE, None])
        errors = {str(error.value) for error in self.flushLoggedErrors(LockError)}
        sentence = (
            "the lock 'version' is for the codebase 'app', but this build has no source of it"
        )
        self.assertEqual(errors, {sentence})

    @defer.inlineCallbacks
    def test_dead_branches_leave_nothing(self):
        """Branches that come and go leave no copy behind."""
        lock = BranchLock('version')
        yield self.start(lock)
        real = yield self.master.botmaster.getLockByID(lock, 0)
        for i in range(8):
            yield self.request('a', f'branch-{i}')
            self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS] * 8)
        gc.collect()
        self.assertLessEqual(len(real.copies), 1)  # a build's last frame may still be around


class RenderedNames(LabTestCase):
    @defer.inlineCallbacks
    def in_use(self):
        gc.collect()
        in_use = yield LocksInUse.getService(self.master.botmaster)
        return sorted(name for _, name in in_use.locks)

    @parameterized.expand([('builder',), ('step',), ('group',)])
    @defer.inlineCallbacks
    def test_leave_nothing(self, place):
        """Locks whose names are rendered are gone when nobody needs them, without a reconfig."""
        gate, kept = Gate(), MasterLock('kept')

        @renderer
        def locks(props):
            branch = props.getProperty('branch')
            names = MasterLock(f'm-{branch}'), WorkerLock(f'w-{branch}'), BranchLock(f'b-{branch}')
            return [name.access('exclusive') for name in (*names, kept)]

        step: BuildStep = GatedStep(gate, locks=locks if place == 'step' else [])
        if place == 'group':
            step = StepGroup(name='g', locks=locks, steps=[step])
        last = GatedStep(gate, locks=[kept])
        words = {'steps': [step, last], 'locks': locks if place == 'builder' else []}
        yield self.setup_lab({name: words for name in 'ab'})
        services = None
        for i in range(4):
            yield self.request('a', f'x{i}')
            yield self.request('b', f'x{i}')  # waits for the first
            services = services or len(self.master.botmaster.services)
            while gate.running:
                self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS] * 8)
        yield self.request('a', 'last')
        yield self.stop_build(9)
        in_use = yield self.in_use()
        self.assertLessEqual(len(in_use), 1 + 2 * 3)  # a build's last frame may still be around
        self.assertIn('kept', in_use)
        self.assertEqual(len(self.master.botmaster.services), services)

    @defer.inlineCallbacks
    def test_held_while_others_come(self):
        """A rendered lock is the same one for all, however long one of them holds it."""
        gate = Gate()
        locks = renderer(lambda props: [MasterLock(f'm-{props.getProperty("branch")}')])
        step = GatedStep(gate, locks=locks)
        yield self.setup_lab({name: {'steps': [step]} for name in 'ab'})
        yield self.request('a', 'x')
        for _ in range(3):
            gc.collect()
            yield self.request('b', 'x')
        self.assertEqual(len(gate.running), 1)
        self.assertEqual((yield self.owners(MasterLock('m-x'))), (1, 1))
        yield self.reconfig_master(self.lab_config({'b': {'steps': [step]}}))
        gc.collect()
        self.settle()
        self.assertEqual((yield self.owners(MasterLock('m-x'))), (1, 1))
        while gate.running:
            self.assertEqual(len(gate.running), 1)
            self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS] * 4)

    @defer.inlineCallbacks
    def test_limit_of_one_that_has_ended(self):
        """A rendered lock may have another limit when nobody holds it or waits for it any more."""
        gate = Gate()
        locks = renderer(lambda props: [MasterLock('m', props.getProperty('count'))])
        yield self.setup_lab({'a': {'steps': [GatedStep(gate, locks=locks)]}})
        for count in (1, 2, 1):
            yield self.request('a', properties={'count': (count, 'test')})
            self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS] * 3)

    @parameterized.expand([('builder',), ('step',), ('worker',)])
    @defer.inlineCallbacks
    def test_limit_of_a_configured_one(self, place):
        """A lock that is rendered with another limit than the configuration's is refused."""
        gate, lock = Gate(), MasterLock('m', 1)
        rendered = renderer(lambda props: [MasterLock('m', 2)])
        configured: dict[str, Any] = {
            'steps': [GatedStep(gate, locks=[lock] if place == 'step' else [])]
        }
        configured['locks'] = [lock] if place == 'builder' else []
        worker = self.createLocalWorker('w1', locks=[lock] if place == 'worker' else [])
        other = self.createLocalWorker('w2')
        names = {'workernames': ['w2']}
        builders = {'a': configured, 'b': {'steps': [], 'locks': rendered, **names}}
        yield self.setup_lab(builders, [worker, other])
        yield self.request('b')
        self.assertEqual((yield self.builds()), [FAILURE])
        sentence = (
            "lock 'm': Two locks share this name: MasterLock('m', maxCount=2), and"
            " MasterLock('m', maxCount=1), which was there first"
        )
        self.assertEqual({str(e.value) for e in self.flushLoggedErrors(LockError)}, {sentence})
