# SPDX-License-Identifier: GPL-2.0-only
"""New: which workers are idle is known without asking them, and at once when it changes."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from sqlalchemy import event
from twisted.internet import defer

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.builder import Builder
from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from buildbot.process.results import SUCCESS
from buildbot.process.waiting.pending import PendingRequests
from buildbot.process.workerforbuilder import AbstractWorkerForBuilder
from buildbot.process.workerforbuilder import States
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase
from buildbot.worker.base import AbstractWorker
from buildbot.worker.local import LocalWorker
from buildbot.worker.protocols.null import Connection

#: the locks of a builder, by what they are
LOCKS = {
    'no_lock': [],
    'master_lock': [MasterLock('lab').access('exclusive')],
    'worker_lock': [WorkerLock('board').access('exclusive')],
}


def pause(case):
    case.worker.pause('enough')


def unpause(case):
    case.worker.unpause()


def set_paused(case):
    case.worker._paused = True  # as a plugin may


def unset_paused(case):
    case.worker._paused = False
    case.poke()


def put_in_quarantine(case):
    case.worker.putInQuarantine()


def end_quarantine(case):
    case.reactor.advance(case.worker.quarantine_initial_timeout)


def leave(case):
    case.worker.shutdown = lambda: defer.succeed(None)  # one in memory would end twice
    case.worker.shutdownRequested()


def come_back(case):
    case.lose_worker()
    case.connect()


def lose(case):
    case.lose_worker()


def connect(case):
    case.connect()


def build(case):
    case.successResultOf(case.request('other'))
    case.assertEqual(len(case.others.running), 1)


def end_build(case):
    case.open(case.others, SUCCESS)


def lower_limit(case):
    build(case)
    case.worker.max_builds = 1


def raise_limit(case):
    case.worker.max_builds = 2
    case.poke()


def end_build_under_limit(case):
    case.assertEqual(case.worker.max_builds, 1)
    end_build(case)


def refuse(case):
    case.worker.canStartBuild = lambda: False  # as a user may


def agree(case):
    case.worker.canStartBuild = lambda: True
    case.poke()


def detach_one(case):
    case.of_builder.state = States.DETACHED


def attach_one(case):
    case.of_builder.state = States.AVAILABLE
    case.poke()


def refuse_builder(case):
    case.builder.getAvailableWorkers = list


def agree_with_builder(case):
    del case.builder.getAvailableWorkers
    case.poke()


def refuse_one(case):
    case.of_builder.isAvailable = lambda: False


def agree_with_one(case):
    del case.of_builder.isAvailable
    case.poke()


def refuse_by_class(case):
    case.refusal = case.patch(
        AbstractWorker, 'locksAvailable', lambda worker: worker is not case.worker
    )


def agree_by_class(case):
    case.refusal.restore()
    case.poke()


def lower_own_limit(case):
    build(case)
    case.worker.__class__ = Moody
    case.worker.limit = 1


def raise_own_limit(case):
    case.worker.limit = 2
    case.poke()


class Moody(LocalWorker):
    """A worker of a user's, who finds the limit anew each time."""

    limit = None

    @property
    def max_builds(self):
        return self.limit

    @max_builds.setter
    def max_builds(self, most):
        self.limit = most


EVENTS = [
    (pause, unpause),
    (set_paused, unset_paused),
    (put_in_quarantine, end_quarantine),
    (leave, come_back),
    (lose, connect),
    (lower_limit, raise_limit),
    (lower_limit, end_build_under_limit),
    (refuse, agree),
    (detach_one, attach_one),
    (refuse_builder, agree_with_builder),
    (refuse_one, agree_with_one),
    (refuse_by_class, agree_by_class),
    (lower_own_limit, raise_own_limit),
]


class IdleCase(LabTestCase):
    @property
    def worker(self):
        return self.master.workers.workers['w1']

    @property
    def builder(self):
        return self.master.botmaster.builders['b']

    @property
    def of_builder(self):
        return self.worker.workerforbuilders['b']

    def poke(self):
        """Tell the master that something has changed, as who changes it has to."""
        self.master.botmaster.maybeStartBuildsForWorker('w1')

    def connect(self):
        conn = Connection(self.worker.remote_worker)
        self.successResultOf(self.master.workers.newConnection(conn, 'w1'))
        self.worker.attached(conn)


class Events(IdleCase):
    """A worker becomes busy or idle, and a request waits, or starts."""

    @defer.inlineCallbacks
    def start(self, locks):
        self.gate, self.others = Gate(), Gate()
        yield self.setup_lab(
            {
                'b': {'steps': [GatedStep(self.gate)], 'locks': locks},
                'other': {'steps': [GatedStep(self.others)]},
            }
        )
        # one build, so that all has been asked that is asked of an idle worker
        yield self.request('b')
        self.open(self.gate, SUCCESS)

    @parameterized.expand(
        [
            (f'{kind}_{i}_{busy.__name__}_{idle.__name__}', kind, busy, idle)
            for kind in ('no_lock', 'worker_lock')  # for the other see test_in_line
            for i, (busy, idle) in enumerate(EVENTS)
        ]
    )
    @defer.inlineCallbacks
    def test_event(self, _, kind, busy, idle):
        """A request waits while its only worker takes no builds, and starts when it does again."""
        yield self.start(LOCKS[kind])
        for _ in range(2):  # the second time it is known as it was after the first
            busy(self)
            self.settle()
            yield self.request('b')
            self.assertEqual(len(self.gate.running), 0)
            idle(self)
            self.settle()
            self.assertEqual(len(self.gate.running), 1)
            self.open(self.gate, SUCCESS)
            while self.others.running:
                self.open(self.others, SUCCESS)
            self.worker.max_builds = None
        self.assertNotIn(None, (yield self.builds()))

    @parameterized.expand([(kind,) for kind in LOCKS])
    @defer.inlineCallbacks
    def test_own_build(self, kind):
        """A worker builds once for a builder at a time, and again when that has ended."""
        yield self.start(LOCKS[kind])
        for _ in range(3):
            yield self.request('b')
        for left in (1, 1, 1, 0):
            self.assertEqual(len(self.gate.running), left)
            if left:
                self.open(self.gate, SUCCESS)

    @parameterized.expand(
        [(f'{i}_{busy.__name__}', busy, idle) for i, (busy, idle) in enumerate(EVENTS)]
    )
    @defer.inlineCallbacks
    def test_in_line(self, _, busy, idle):
        """Who is in line for a lock when its worker becomes busy starts when it is idle again."""
        self.gate, self.others, holds = Gate(), Gate(), Gate()
        locks = LOCKS['master_lock']
        yield self.setup_lab(
            {
                'b': {'steps': [GatedStep(self.gate)], 'locks': locks, 'workernames': ['w1']},
                'other': {'steps': [GatedStep(self.others)], 'workernames': ['w1']},
                'holds': {'steps': [GatedStep(holds)], 'locks': locks, 'workernames': ['w2']},
            },
            ['w1', 'w2'],
        )
        yield self.request('holds')
        yield self.request('b')
        busy(self)
        self.settle()
        self.open(holds, SUCCESS)
        self.assertEqual(len(self.gate.running), 0)
        yield self.request('holds')
        self.assertEqual(len(holds.running), 1)
        idle(self)
        self.settle()
        self.assertEqual(len(self.gate.running), 0)
        self.open(holds, SUCCESS)
        self.assertEqual(len(self.gate.running), 1)
        self.open(self.gate, SUCCESS)
        while self.others.running:
            self.open(self.others, SUCCESS)

    @defer.inlineCallbacks
    def test_limit_of_reconfig(self):
        """A request starts on a worker whose limit a reconfig raises."""
        self.gate, self.others = Gate(), Gate()
        builders = {
            'b': {'steps': [GatedStep(self.gate)]},
            'other': {'steps': [GatedStep(self.others)]},
        }
        yield self.setup_lab(builders, [self.createLocalWorker('w1', max_builds=1)])
        yield self.request('other')
        yield self.request('b')
        self.assertEqual(len(self.gate.running), 0)
        self.lab_workers = [self.createLocalWorker('w1', max_builds=2)]
        yield self.reconfig_master(self.lab_config(builders))
        self.settle()
        self.assertEqual(len(self.gate.running), 1)
        self.open(self.gate, SUCCESS)
        self.open(self.others, SUCCESS)

    @defer.inlineCallbacks
    def test_lower_limit_of_reconfig(self):
        """A reconfig that lowers the limit of a worker looks for nothing to start there."""
        builders: dict[str, Any] = {'b': {'steps': []}}
        yield self.setup_lab(builders, [self.createLocalWorker('w1', max_builds=2)])
        asked: list[str] = []
        self.patch(self.master.botmaster, 'maybeStartBuildsForWorker', asked.append)
        self.lab_workers = [self.createLocalWorker('w1', max_builds=1)]
        yield self.reconfig_master(self.lab_config(builders))
        self.settle()
        self.assertEqual(asked, [])

    @defer.inlineCallbacks
    def test_worker_of_reconfig(self):
        """A request starts on a worker that a reconfig gives to its builder."""
        self.gate, self.others = Gate(), Gate()
        builders: dict[str, Any] = {
            'b': {'steps': [GatedStep(self.gate)], 'workernames': ['w1']},
            'other': {'steps': [GatedStep(self.others)]},
        }
        yield self.setup_lab(builders, ['w1', 'w2'])
        for names in (['w2'], ['w1', 'w2'], ['w1']):
            builders['b']['workernames'] = names
            yield self.reconfig_master(self.lab_config(builders))
            self.settle()
            yield self.request('b')
            ((running, _),) = self.gate.running
            self.assertIn(running.workerforbuilder.worker.name, names)
            self.open(self.gate, SUCCESS)


class Cost(IdleCase):
    """What a started build takes does not grow with builders and workers."""

    @defer.inlineCallbacks
    def counts(self, builders, workers):
        gate = Gate()
        names = [f'b{i}' for i in range(builders)]
        words = {'locks': LOCKS['master_lock']}
        yield self.setup_lab(
            {name: {'steps': [GatedStep(gate)], **words} for name in names},
            [f'w{i}' for i in range(workers)],
        )
        for name in names * 2:
            yield self.request(name)
        self.open(gate, SUCCESS)
        counts = dict.fromkeys(('availabilities', 'looks', 'told', 'judged', 'statements'), 0)

        def count(kind, name, what):
            method = getattr(kind, name)

            def counted(*args):
                counts[what] += 1
                return method(*args)

            self.patch(kind, name, counted)

        def count_statement(*args):
            counts['statements'] += 1

        count(AbstractWorkerForBuilder, 'isAvailable', 'availabilities')
        count(BuildRequestDistributor, '_look_at', 'looks')
        count(Builder, 'worker_occupied', 'told')
        count(PendingRequests, 'all_wait', 'judged')
        engine = self.master.db.pool.engine
        event.listen(engine, 'before_cursor_execute', count_statement)
        starts = 4
        for _ in range(starts):
            self.open(gate, SUCCESS)
        event.remove(engine, 'before_cursor_execute', count_statement)
        return {what: n / starts for what, n in counts.items()}

    @parameterized.expand([('small', 3, 3), ('builders', 9, 3), ('workers', 3, 9)])
    @defer.inlineCallbacks
    def test_start(self, _, builders, workers):
        """A started build asks one worker if it is available, and no other builder is looked at."""
        counts = yield self.counts(builders, workers)
        statements = counts.pop('statements')
        self.assertEqual(counts, {'availabilities': 1, 'looks': 1, 'told': 1, 'judged': 2})
        self.assertLess(statements, 110)


class Reconfigs(IdleCase):
    """A reconfig changes which workers a builder has, or what decides over its requests."""

    @defer.inlineCallbacks
    def start(self, workers=('w1', 'w2'), **words):
        self.gate, self.others = Gate(), Gate()
        self.words = {
            'b': {'steps': [GatedStep(self.gate)], 'workernames': ['w1'], **words},
            'other': {'steps': [GatedStep(self.others)]},
        }
        yield self.setup_lab(self.words, workers)

    @defer.inlineCallbacks
    def reconfig(self, **words):
        self.words['b'].update(words)
        yield self.reconfig_master(self.lab_config(self.words))
        self.settle()

    def end_all(self):
        while self.gate.running:
            self.open(self.gate, SUCCESS)

    @parameterized.expand([(kind,) for kind in LOCKS])
    @defer.inlineCallbacks
    def test_connected_worker(self, kind):
        """A request that pends starts on a connected worker that a reconfig gives its builder."""
        yield self.start(locks=LOCKS[kind])
        pause(self)
        yield self.request('b')
        self.assertEqual(len(self.gate.running), 0)
        yield self.reconfig(workernames=['w1', 'w2'])
        self.assertEqual(len(self.gate.running), 1)
        self.end_all()

    @defer.inlineCallbacks
    def test_worker_taken_and_given(self):
        """A builder whose worker is taken from it, and given back, builds on it again."""
        yield self.start()
        for names in (['w2'], ['w1']):
            yield self.reconfig(workernames=names)
            yield self.request('b')
            ((running, _),) = self.gate.running
            self.assertEqual(running.workerforbuilder.worker.name, names[0])
            self.end_all()

    @defer.inlineCallbacks
    def test_worker_added_again(self):
        """A worker that is removed and added again takes what has pended meanwhile."""
        yield self.start()
        both = list(self.lab_workers)
        yield self.request('b')
        self.end_all()
        self.lab_workers = both[1:]
        yield self.reconfig(workernames=['w2'])
        self.worker_of('w2').pause('enough')
        yield self.request('b')
        self.assertEqual(len(self.gate.running), 0)
        self.lab_workers = [self.createLocalWorker('w1'), both[1]]
        yield self.reconfig(workernames=['w1', 'w2'])
        self.assertEqual(len(self.gate.running), 1)
        self.end_all()

    def worker_of(self, name):
        return self.master.workers.workers[name]

    @parameterized.expand([('set', None, True), ('removed', True, None)])
    @defer.inlineCallbacks
    def test_next_build(self, _, before, after):
        """A request in line for a lock starts though ``nextBuild`` is set or removed meanwhile."""
        words = {None: None, True: lambda builder, requests: requests[-1]}
        yield self.start(locks=LOCKS['master_lock'], nextBuild=words[before])
        self.words['other']['locks'] = LOCKS['master_lock']
        yield self.reconfig()
        yield self.request('other')
        for _ in range(2):
            yield self.request('b')
        yield self.reconfig(nextBuild=words[after])
        self.assertEqual(len(self.gate.running), 0)
        self.open(self.others, SUCCESS)
        ((running, _),) = self.gate.running
        self.assertEqual(running.requests[0].id, 3 if after else 2)
        self.end_all()
        self.assertNotIn(None, (yield self.builds()))

    @parameterized.expand([('locks', {'locks': []})])
    @defer.inlineCallbacks
    def test_waits_no_longer(self, _, words):
        """A request starts when a reconfig takes away what it waits for."""
        yield self.start(locks=LOCKS['master_lock'])
        self.words['other']['locks'] = LOCKS['master_lock']
        yield self.reconfig()
        yield self.request('other')
        yield self.request('b')
        yield self.reconfig(**words)
        self.assertEqual(len(self.gate.running), 1)
        self.end_all()
        self.open(self.others, SUCCESS)


class Orders(IdleCase):
    @defer.inlineCallbacks
    def test_other_order(self):
        """Who waits goes before whom the user hesitates about, if that is the order by now."""
        gates = {name: Gate() for name in 'abh'}
        locks = LOCKS['master_lock']
        answer: defer.Deferred[Any] = defer.Deferred()
        order = ['b', 'a', 'h']
        builders = {
            name: {'steps': [GatedStep(gate)], 'locks': locks} for name, gate in gates.items()
        }
        builders['b']['nextWorker'] = lambda builder, workers, _: (
            workers[0] if answer.called else answer
        )
        yield self.setup_lab(
            builders,
            ['w1', 'w2'],
            prioritizeBuilders=lambda _, found: sorted(found, key=lambda b: order.index(b.name)),
        )
        yield self.request('h')
        yield self.request('b')
        yield self.request('a')
        self.open(gates['h'], SUCCESS)
        self.assertEqual([len(gates[name].running) for name in 'ab'], [0, 0])
        order.reverse()
        self.poke()
        self.settle()
        self.assertEqual([len(gates[name].running) for name in 'ab'], [1, 0])
        answer.callback(self.master.botmaster.builders['b'].workers[0])
        self.settle()
        self.open(gates['a'], SUCCESS)
        self.assertEqual([len(gates[name].running) for name in 'ab'], [0, 1])
        self.open(gates['b'], SUCCESS)
