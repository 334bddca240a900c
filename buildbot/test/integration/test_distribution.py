# SPDX-License-Identifier: GPL-2.0-only
"""Which request is started next, on which worker, who waits in line, and who is woken."""

from __future__ import annotations

import json
import random
from typing import Any

from parameterized import parameterized
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError
from twisted.internet import defer

from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process.builder import Builder
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from buildbot.process.groups.step import StepGroup
from buildbot.process.metrics import MetricLogObserver
from buildbot.process.properties import renderer
from buildbot.process.requestmessages import RequestMessages
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.process.waiting.reservations import Reservations
from buildbot.test.fake.latent import LatentController
from buildbot.test.util.distribution import TWO
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.lab import GatedStep
from buildbot.util import toJson


class Line(DistributionCase):
    """Requests for workers of which there are enough wait for a lock."""

    def claims(self, text):
        names = {'A': self.lock, 'B': MasterLock('other', 2)}
        found = []
        for word in text.split():
            mode = 'exclusive' if word.endswith('!') else 'counting'
            count = int(word[1:].strip('!') or 1)
            found.append(names[word[0]].access(mode, count))
        return found

    @parameterized.expand(
        [
            # units of A; (builder, locks, priority) in the order of their requests -> who is next
            ('by_age', 1, 'x A!/0 y A!/0 z A!/0', 'x y z'),
            ('by_priority', 1, 'x A!/0 y A!/0 z A!/5', 'x z y'),
            ('one_builder', 1, 'x A!/0 x A!/0 y A!/0', 'x x y'),
            ('two_units', 2, 'x A/0 y A2/0 z A/0 u A/0', 'x y'),
            ('exclusive', 3, 'x A/0 y A!/0 z A/0', 'x y z'),
            ('two_locks', 1, 'x A!/0 y A! B2/0 z A!/0', 'x y z'),
        ]
    )
    @defer.inlineCallbacks
    def test_next(self, _, limit, requests, order):
        """Requests are served by priority, then by age; what is free for the first is kept."""
        self.lock = MasterLock('lab', limit)
        words = requests.split()
        asked = []
        name, claims = None, ''
        for word in words:
            if name is None:
                name = word
                continue
            claim, _, priority = word.partition('/')
            claims += f' {claim}'
            if priority:
                asked.append((name, claims, int(priority)))
                name, claims = None, ''
        builders = {name: self.claims(claims) for name, claims, _ in asked}
        yield self.start(builders, [f'w{i}' for i in range(5)])
        for name, _, priority in asked:
            self.reactor.advance(5)
            yield self.request(name, priority=priority)
        seen = []
        while self.running():
            name = self.running().split()[0]
            seen.append(name)
            self.end(name)
        self.assertEqual(' '.join(seen[: len(order.split())]), order)
        yield self.assert_all_done()

    @parameterized.expand([('exclusive', 'A!'), ('all', 'A4'), ('two_locks', 'A! B2')])
    @defer.inlineCallbacks
    def test_stream(self, _, claims):
        """A stream of small requests does not keep a large, urgent one waiting."""
        self.lock = MasterLock('lab', 4)
        yield self.start(
            {'small': self.claims('A'), 'large': self.claims(claims)}, [f'w{i}' for i in range(9)]
        )
        for _ in range(4):
            yield self.request('small')
        yield self.request('large', priority=100)
        for _ in range(10):
            yield self.request('small')
            if 'large' in self.running():
                break
            self.end('small')
        self.assertIn('large', self.running())
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_without_a_worker(self):
        """A request that has no idle worker holds back nothing, until it has one."""
        self.lock = MasterLock('lab', 2)
        access = self.lock.access('counting')
        yield self.setup_lab(
            {
                'holds': self.builder('holds', access, workernames=['w1']),
                'large': self.builder('large', self.lock.access('exclusive'), workernames=['w2']),
                'busy': self.builder('busy', workernames=['w2']),
                'small': self.builder('small', access, workernames=['w3']),
            },
            [self.createLocalWorker(name, max_builds=1) for name in ('w1', 'w2', 'w3')],
        )
        yield self.request('holds')
        yield self.request('large', priority=5)
        yield self.request('busy')  # takes the worker of the large one
        yield self.request('small')
        self.assertEqual(self.running(), 'busy holds small')
        self.end('busy')
        yield self.request('small')
        self.end('small')  # now the large one has a worker, and what is free is kept for it
        self.assertEqual(self.running(), 'holds')
        self.end('holds')
        self.assertEqual(self.running(), 'large')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_worker_lost_in_line(self):
        """A request whose last idle worker is lost leaves the line."""
        yield self.setup_lab(
            {
                'x': self.builder('x', self.lock.access('exclusive'), workernames=['w1']),
                'y': self.builder('y', self.lock.access('exclusive'), workernames=['w2']),
                'z': self.builder('z', self.lock.access('exclusive'), workernames=['w1']),
            },
            TWO,
        )
        for name in 'xyz':
            yield self.request(name)
        self.assertEqual((yield self.owners(self.lock)), (1, 2))
        self.lose_worker('w2')
        self.assertEqual((yield self.owners(self.lock)), (1, 1))
        self.end('x')
        self.assertEqual(self.running(), 'z')
        self.end('z')
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @defer.inlineCallbacks
    def test_step_and_request(self):
        """A step and a request stand in one line, and a step's release wakes the request."""
        access = self.lock.access('exclusive')
        step = GatedStep(self.gate('step'), locks=[access])
        yield self.setup_lab(
            {'a': {'steps': [step, GatedStep(self.gate('behind'))]}, 'b': self.builder('b', access)}
        )
        yield self.request('a')
        yield self.request('b')
        self.assertEqual(self.running(), 'step')
        self.end('step')
        self.assertEqual(self.running(), 'b behind')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_changed_priority(self):
        """A request whose priority is changed while it waits has its new place in line at once."""
        access = self.lock.access('exclusive')
        yield self.start({name: [access] for name in 'xyz'})
        for name in 'xy':
            yield self.request(name)
        brid = yield self.request('z')
        yield self.master.data.control('set_priority', {'priority': 9}, ('buildrequests', brid))
        self.settle()
        self.end('x')
        self.assertEqual(self.running(), 'z')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_cancelled(self):
        """A request that is cancelled while it waits leaves the line, and the next one is woken."""
        self.lock = MasterLock('lab', 2)
        yield self.start(
            {
                'x': [self.lock.access('counting')],
                'large': [self.lock.access('exclusive')],
                'y': [self.lock.access('counting')],
            },
            ['w1', 'w2', 'w3'],
        )
        yield self.request('x')
        brid = yield self.request('large')
        yield self.request('y')
        self.assertEqual(self.running(), 'x')
        yield self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', brid))
        self.settle()
        self.assertEqual(self.running(), 'x y')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_collapsed(self):
        """Requests that wait are collapsed as ever, and the newest takes the place in line."""
        access = self.lock.access('exclusive')
        yield self.start({'x': [access], 'y': [access]}, collapseRequests=True)
        yield self.request('x')
        for _ in range(3):
            yield self.request('y')
        self.assertEqual((yield self.owners(self.lock)), (1, 1))
        self.end('x')
        self.end('y')
        requests = yield self.master.data.get(('buildrequests',))
        results = sorted(request['results'] for request in requests)
        self.assertEqual(results, sorted([SUCCESS, SUCCESS, SKIPPED, SKIPPED]))
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_branches(self):
        """Requests for one branch are behind one another, and those for another are not."""
        self.lock = BranchLock('version')
        yield self.start({'x': [self.lock.access('exclusive')]}, ['w1', 'w2', 'w3'])
        for branch in ('main', 'main', 'dev', 'main', 'dev'):
            yield self.request('x', branch)
        self.assertEqual(self.branches(self.gates['x']), ['main', 'dev'])
        self.assertEqual((yield self.owners(self.lock)), (2, 2))  # the first of each branch waits
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_worker_locks(self):
        """A request that each idle worker's lock keeps waiting starts where it is free first."""
        lock = WorkerLock('board')
        access = lock.access('exclusive')
        step = GatedStep(self.gate('step'), locks=[access])
        yield self.setup_lab(
            {'a': {'steps': [step]}, 'b': self.builder('b', access), 'c': {'steps': [step]}}, TWO
        )
        yield self.request('a')
        yield self.request('c')
        self.assertEqual(self.running(), 'step step')
        yield self.request('b')
        free = self.worker_of('step', 1)
        self.gates['step'].running.reverse()
        self.end('step')
        self.assertEqual((self.running(), self.worker_of('b')), ('b step', free))
        yield self.assert_all_done(lock)

    @defer.inlineCallbacks
    def test_removed_builder(self):
        """A builder that is removed while it builds and waits leaves nothing behind."""
        access = self.lock.access('exclusive')
        yield self.start({'x': [access], 'y': [access], 'z': [access]})
        for name in 'xyz':
            yield self.request(name)
        yield self.reconfig_master(self.lab_config({'z': self.builder('z', access)}))
        self.settle()
        self.end('x')
        self.assertEqual(self.running(), 'z')
        self.end('z')
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @defer.inlineCallbacks
    def test_changed_locks(self):
        """A request that waits for a lock its builder needs no longer starts at once."""
        access = self.lock.access('exclusive')
        yield self.start({'x': [access], 'y': [access]})
        yield self.request('x')
        yield self.request('y')
        self.assertEqual(self.running(), 'x')
        config = {'x': self.builder('x', access), 'y': self.builder('y')}
        yield self.reconfig_master(self.lab_config(config))
        self.settle()
        self.assertEqual(self.running(), 'x y')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_shutdown(self):
        """A master that shuts down lets no request hold or wait for a lock."""
        access = self.lock.access('exclusive')
        yield self.start({'x': [access], 'y': [access]})
        yield self.request('x')
        yield self.request('y')
        d = self.master.botmaster.cleanShutdown(quickMode=True, stopReactor=False)
        self.settle()
        yield d
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @defer.inlineCallbacks
    def test_never(self):
        """A request for more than there will ever be fails with a sentence, and stops nobody."""
        lock = MasterLock('lab', 2)

        def locks(props):
            return [lock.access('counting', props.getProperty('units'))]

        words = self.builder('x')
        words['locks'] = renderer(locks)
        yield self.setup_lab({'x': words}, TWO)
        yield self.request('x', properties={'units': (3, 'test')})
        yield self.request('x', properties={'units': (2, 'test')})
        self.assertEqual((yield self.builds()), [FAILURE, None])
        errors = {str(error.value) for error in self.flushLoggedErrors()}
        self.assertEqual(errors, {'3 units of lab can never be granted: it has 2'})
        yield self.assert_all_done(lock)


class BetweenMasters(DistributionCase):
    """Messages go over a router, as those of ``WampMQ`` do: as JSON, and some are lost."""

    @defer.inlineCallbacks
    def start(self, builders, workers=TWO, **config):
        yield super().start(builders, workers, **config)
        produce = self.master.mq.produce
        self.lost: list[tuple[str, ...]] = []

        def route(key, data):
            if key not in self.lost:
                produce(key, json.loads(json.dumps(data, default=toJson)))

        self.patch(self.master.mq, 'produce', route)

    @defer.inlineCallbacks
    def test_times(self):
        """A request is told of in numbers of seconds, and is built as any other."""
        yield self.start({'a': [self.lock.access('exclusive')]})
        for _ in range(3):
            yield self.request('a')
        self.assertEqual(self.running(), 'a')
        a = self.master.botmaster.builders['a']
        second = yield self.master.data.get(('buildrequests', 2))
        self.assertEqual((yield a.getOldestRequestTime()), second['submitted_at'])
        yield self.assert_all_done()
        self.assertEqual((yield self.builds()), [SUCCESS] * 3)

    @defer.inlineCallbacks
    def test_lost_message(self):
        """A request that was not heard of is built when the next one is."""
        self.patch(RequestMessages, 'misses_none', False)
        yield self.start({'a': [self.lock.access('exclusive')]})
        yield self.request('a')
        self.end('a')
        self.lost.append(('buildrequests', '2', 'new'))
        yield self.request('a')
        self.assertEqual(self.running(), '')
        yield self.request('a')
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()
        self.assertEqual((yield self.builds()), [SUCCESS] * 3)


class Circles(DistributionCase):
    @defer.inlineCallbacks
    def test_by_place_in_line(self):
        """A request that nobody waits for lets a step go first that could never go on else."""
        a, b = MasterLock('a', 2), MasterLock('b')
        inner = GatedStep(self.gate('inner'), locks=[a.access('counting')])
        other = GatedStep(self.gate('other'), locks=[b.access('exclusive')])
        yield self.setup_lab(
            {
                'x': {
                    'steps': [GatedStep(self.gate('x')), inner],
                    'locks': [b.access('exclusive')],
                },
                'y': {
                    'steps': [GatedStep(self.gate('y')), other],
                    'locks': [a.access('counting')],
                },
                'whole': self.builder('whole', a.access('exclusive')),
            },
            ['w1', 'w2', 'w3'],
        )
        yield self.request('x')
        yield self.request('y')
        yield self.request('whole', priority=9)  # waits for y; one unit of a is kept for it
        self.end('y')  # waits for b, which x holds
        self.end('x')  # wants the unit of a, behind the request
        self.assertEqual(self.running(), 'inner')
        yield self.assert_all_done(a, b)

    @defer.inlineCallbacks
    def test_through_a_child(self):
        """A circle through a triggered build that has not begun is found, and told."""
        a, b = MasterLock('a'), MasterLock('b')
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True)
        last = GatedStep(self.gate('last'), locks=[a.access('exclusive')])
        yield self.setup_lab(
            {
                'p': {
                    'steps': [GatedStep(self.gate('p')), trigger],
                    'locks': [a.access('exclusive')],
                },
                'c': self.builder('c', b.access('exclusive')),
                'x': {
                    'steps': [GatedStep(self.gate('x')), last],
                    'locks': [b.access('exclusive')],
                },
            },
            ['w1', 'w2', 'w3'],
            schedulers=[schedulers.Triggerable(name='t', builderNames=['c'])],
        )
        yield self.request('p')
        yield self.request('x')
        self.end('p')  # its child waits for b, which x holds
        worker = self.worker_of('x')
        self.end('x')  # wants a, which p holds
        self.reactor.advance(600)
        self.settle()
        yield self.assert_all_done(a, b)
        results = yield self.builds()
        self.assertEqual(sorted(results), sorted([SUCCESS, SUCCESS, FAILURE]))
        (error,) = self.flushLoggedErrors()
        self.assertEqual(
            str(error.value),
            f"these would wait for one another forever: step 'generic_1' of x #1 on {worker} waits"
            " for a held by p #1; build request 3 of c, for which step 'trigger' of p #1 waits,"
            ' waits for b held by x #1',
        )


class Workers(DistributionCase):
    @defer.inlineCallbacks
    def test_latent(self):
        """For three requests that want one lock, one instance is started."""
        controllers = [LatentController(self, f'w{i}') for i in range(3)]
        yield self.start(
            {'a': [self.lock.access('exclusive')]},
            [controller.worker for controller in controllers],
        )
        for _ in range(3):
            yield self.request('a')
        self.assertEqual(sum(controller.starting for controller in controllers), 1)
        for controller in controllers:
            yield controller.auto_stop(True)
        for brid in (2, 3, 1):
            yield self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', brid))
        for controller in controllers:
            if controller.starting:
                yield controller.start_instance(False)
        self.settle()
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @parameterized.expand([(seed,) for seed in range(5)])
    @defer.inlineCallbacks
    def test_who_needs_it_more(self, seed):
        """Builder a can use both workers, b only one of them: both run."""
        self.patch(random, 'choice', random.Random(seed).choice)
        yield self.setup_lab(
            {'a': self.builder('a', workernames=TWO), 'b': self.builder('b', workernames=['w1'])},
            [self.createLocalWorker(name, max_builds=1) for name in TWO],
        )
        for order in ('ab', 'ba'):
            builderids = []
            for name in order:
                builderids.append((yield self.master.data.updates.findBuilderId(name)))
            stamp: dict[str, Any] = dict.fromkeys(('codebase', 'repository', 'project'), '')
            stamp.update(branch=None, revision=None)
            yield self.master.data.updates.addBuildset(
                waited_for=False, builderids=builderids, sourcestamps=[stamp]
            )
            self.settle()
            self.assertEqual(self.running(), 'a b')
            self.end('a')
            self.end('b')

    @defer.inlineCallbacks
    def test_least_contended(self):
        """A build goes where the locks of its steps are not in use."""
        board = WorkerLock('board')
        step = GatedStep(self.gate('step'), locks=[board.access('exclusive')])
        yield self.setup_lab({name: {'steps': [step]} for name in 'abc'}, ['w1', 'w2', 'w3'])
        for name in 'abc':
            yield self.request(name)
        self.assertEqual({self.worker_of('step', i) for i in range(3)}, {'w1', 'w2', 'w3'})
        yield self.assert_all_done(board)

    @parameterized.expand(
        [
            # lateBinding, units of the lock, of the access -> how many builds two workers are given
            ('by_default', {}, 1, 'exclusive', 4),
            ('counting', {}, 2, 'counting', 6),
            ('exclusive_of_two', {}, 2, 'exclusive', 4),
            ('bound_at_once', {'lateBinding': False}, 1, 'exclusive', 8),
        ]
    )
    @defer.inlineCallbacks
    def test_late_binding(self, _, config, limit, mode, count):
        """A worker is fed, no more: those who hold its lock, and one that prepares."""
        board = WorkerLock('board', limit)
        group = StepGroup(
            name='g', locks=[board.access(mode)], steps=[GatedStep(self.gate('inside'))]
        )
        builders = {f'b{i}': {'steps': [GatedStep(self.gate('prepare')), group]} for i in range(8)}
        yield self.setup_lab(builders, TWO, **config)
        for name in builders:
            yield self.request(name)
        self.assertEqual(len(self.gates['prepare'].running), count)
        while self.gates['prepare'].running:
            self.end('prepare')
        ran = 0
        while self.gates['inside'].running:
            self.end('inside')
            ran += 1
            while self.gates['prepare'].running:
                self.end('prepare')
        self.assertEqual(ran, 8)
        yield self.assert_all_done(board)

    @defer.inlineCallbacks
    def test_child_is_not_late(self):
        """A build that another one waits for does not wait for that one to let go."""
        board = WorkerLock('board')
        access = board.access('exclusive')
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True)
        group = StepGroup(name='g', locks=[access], steps=[trigger])
        child = GatedStep(self.gate('child'), locks=[access])
        yield self.setup_lab(
            {'p': {'steps': [group]}, 'q': {'steps': [group]}, 'c': {'steps': [child]}},
            ['w1'],
            schedulers=[schedulers.Triggerable(name='t', builderNames=['c'])],
        )
        yield self.request('p')
        yield self.request('q')
        self.settle()
        self.assertEqual(self.running(), 'child')
        yield self.assert_all_done(board)


class UserChoice(DistributionCase):
    """What a user has set keeps its contract."""

    @defer.inlineCallbacks
    def test_next_worker(self):
        """nextWorker is called once for each start, with the workers on which it can start now."""
        board = WorkerLock('board')
        calls = []

        def next_worker(builder, workers, request):
            calls.append((sorted(w.worker.workername for w in workers), request.id))
            return workers[0]

        step = GatedStep(self.gate('step'), locks=[board.access('exclusive')])
        yield self.setup_lab(
            {
                'holds': {'steps': [step], 'workernames': ['w1']},
                'a': self.builder('a', board.access('exclusive'), nextWorker=next_worker),
            },
            ['w1', 'w2', 'w3'],
        )
        yield self.request('holds')
        for _ in range(3):
            yield self.request('a')
        left = 'w3' if self.worker_of('a') == 'w2' else 'w2'
        self.assertEqual(calls, [(['w2', 'w3'], 2), ([left], 3)])
        self.end('step')
        self.assertEqual(calls[2:], [(['w1'], 4)])
        yield self.assert_all_done(board)

    @parameterized.expand(
        [
            ('none', lambda builder, workers, request: None),
            ('bogus', lambda builder, workers, request: 'w9'),
            ('raises', lambda builder, workers, request: 1 / 0),
            ('later', lambda builder, workers, request: defer.fail(ZeroDivisionError())),
        ]
    )
    @defer.inlineCallbacks
    def test_next_worker_that_chooses_none(self, _, next_worker):
        """Without a choice the request pends, holds nothing, and keeps nobody else."""
        access = self.lock.access('exclusive')
        yield self.setup_lab(
            {'a': self.builder('a', access, nextWorker=next_worker), 'b': self.builder('b', access)}
        )
        yield self.request('a')
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        yield self.request('b')
        self.assertEqual(self.running(), 'b')
        self.flushLoggedErrors(ZeroDivisionError)

    @parameterized.expand([('yes', True), ('no', False), ('raises', None)])
    @defer.inlineCallbacks
    def test_slow_can_start_build(self, _, answer):
        """The lock is held while canStartBuild thinks, and given back unless it says yes."""
        questions: list[Any] = []

        def can_start(builder, worker, request):
            questions.append(defer.Deferred())
            return questions[-1]

        access = self.lock.access('exclusive')
        yield self.setup_lab(
            {
                'a': self.builder('a', access, canStartBuild=can_start, workernames=['w1']),
                'b': {'steps': [GatedStep(self.gate('b'), locks=[access])], 'workernames': ['w2']},
            },
            TWO,
        )
        yield self.request('a')
        self.assertEqual((yield self.owners(self.lock)), (1, 0))
        if answer is None:
            questions[0].errback(ZeroDivisionError())
        else:
            questions[0].callback(answer)
        self.settle()
        self.assertEqual(self.running(), 'a' if answer else '')
        self.assertEqual((yield self.owners(self.lock)), (int(bool(answer)), 0))
        self.assertEqual(len(questions), 1)
        yield self.request('b')
        self.assertEqual('b' in self.running(), not answer)
        self.flushLoggedErrors(ZeroDivisionError)

    @defer.inlineCallbacks
    def test_can_start_build_of_one(self):
        """A request that canStartBuild does not let start keeps no other one of its builder."""
        yield self.setup_lab(
            {'a': self.builder('a', canStartBuild=lambda builder, worker, request: request.id != 1)}
        )
        yield self.request('a')
        yield self.request('a')
        (build,) = (build for build, _ in self.gates['a'].running)
        self.assertEqual(build.requests[0].id, 2)

    @defer.inlineCallbacks
    def test_next_build(self):
        """nextBuild chooses among all that are pending, those that wait included."""
        seen = []

        def last(builder, requests):
            seen.append([request.id for request in requests])
            return requests[-1]

        access = self.lock.access('exclusive')
        yield self.setup_lab({'a': self.builder('a', access, nextBuild=last)}, ['w1', 'w2'])
        for _ in range(3):
            yield self.request('a')
        self.assertEqual(seen[0], [1])
        self.end('a')
        self.assertEqual(self.gates['a'].running[0][0].requests[0].id, 3)
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_prioritize_builders(self):
        """prioritizeBuilders decides between builders whose locks are free."""

        def backwards(master, builders):
            return sorted(builders, key=lambda builder: builder.name, reverse=True)

        yield self.setup_lab(
            {name: self.builder(name) for name in 'ab'},
            [self.createLocalWorker('w1', max_builds=1)],
            prioritizeBuilders=backwards,
        )
        ids = []
        for name in 'ab':
            ids.append((yield self.master.data.updates.findBuilderId(name)))
        stamp: dict[str, Any] = dict.fromkeys(('codebase', 'repository', 'project'), '')
        stamp.update(branch=None, revision=None)
        yield self.master.data.updates.addBuildset(
            waited_for=False, builderids=ids, sourcestamps=[stamp]
        )
        self.settle()
        self.assertEqual(self.running(), 'b')


class OddRequests(DistributionCase):
    @defer.inlineCallbacks
    def test_locks_that_cannot_be_rendered(self):
        """A request whose locks cannot be rendered fails, and the next one starts."""
        lock = BranchLock('v', key=self.bad_key())
        yield self.start({'a': [lock.access('exclusive')]})
        yield self.request('a', properties={'bad': (True, 'test')})
        yield self.request('a', properties={'bad': (False, 'test')})
        self.assertEqual((yield self.builds()), [FAILURE, None])
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))

    @parameterized.expand(
        [
            ('wrong', ValueError('no steps today'), EXCEPTION),
            ('database', OperationalError('select', {}, Exception('locked')), SUCCESS),
            ('no_connection', TimeoutError('all connections are in use'), SUCCESS),
        ]
    )
    @defer.inlineCallbacks
    def test_build_that_cannot_be_made(self, _, error, results):
        """A request of which no build can be made ends; if the database fails it is tried again."""
        yield self.start({'a': [self.lock.access('exclusive')]})
        factory = self.master.botmaster.builders['a'].config.factory
        make = factory.newBuild

        def fail_once(requests, builder):
            factory.newBuild = make
            raise error

        factory.newBuild = fail_once
        brid = yield self.request('a')
        self.reactor.advance(BuildRequestDistributor.again_after)
        self.settle()
        yield self.assert_all_done()
        self.assertEqual(self.master.botmaster._starting_brid_to_cancel, {})
        request = yield self.master.data.get(('buildrequests', brid))
        self.assertEqual(request['results'], results)
        self.assertTrue(self.flushLoggedErrors(type(error)))

    @staticmethod
    def bad_key():
        @renderer
        def key(props):
            return 1 / 0 if props.getProperty('bad') else 'fine'

        return key

    @parameterized.expand(
        [
            ('wrong', ValueError('no source stamp'), True),
            ('database', OperationalError('select', {}, Exception('locked')), False),
            ('no_connection', TimeoutError('all connections are in use'), False),
        ]
    )
    @defer.inlineCallbacks
    def test_request_that_cannot_be_made(self, _, error, ends):
        """A request that cannot be understood ends; one that cannot be read now waits."""
        yield self.start({'a': []})
        make = BuildRequest.fromBrdict

        def fail_one(master, brdict):
            return defer.fail(error) if brdict.buildrequestid == 1 else make(master, brdict)

        self.patch(BuildRequest, 'fromBrdict', fail_one)
        brid = yield self.request('a')
        yield self.request('a')
        self.assertEqual(self.running(), 'a')
        request = yield self.master.data.get(('buildrequests', brid))
        self.assertEqual(request['complete'], ends)
        self.assertTrue(self.flushLoggedErrors(type(error)))
        if ends:
            self.assertEqual(request['results'], EXCEPTION)
        else:
            self.patch(BuildRequest, 'fromBrdict', make)
            self.end('a')
            self.assertEqual(self.gates['a'].running[0][0].requests[0].id, brid)


class Metric(DistributionCase):
    measures = True

    @defer.inlineCallbacks
    def test_metric(self):
        """The metric of active builds counts a build up and down, also one that cannot begin."""
        observer = MetricLogObserver()
        self.addCleanup(observer.disable)
        observer.enable()
        lock = BranchLock('v', key=OddRequests.bad_key())
        yield self.start({'a': [lock.access('exclusive')]})
        seen = []
        for bad in (True, False):
            yield self.request('a', properties={'bad': (bad, 'test')})
            seen.append(observer.asDict()['counters'].get('active_builds', 0))
        self.end('a')
        seen.append(observer.asDict()['counters']['active_builds'])
        self.assertEqual(seen, [0, 1, 0])
        self.assertTrue(self.flushLoggedErrors(ZeroDivisionError))


class Cost(DistributionCase):
    """What it takes to decide does not grow with who waits."""

    def count(self):
        counts = {'asked': 0, 'read': 0}
        reserve, can_start = Reservations.reserve, Builder.canStartBuild
        get = self.master.data.get

        def count_reserve(reservations, *args):
            counts['asked'] += 1
            return reserve(reservations, *args)

        def count_can_start(builder, *args):
            counts['asked'] += 1
            return can_start(builder, *args)

        def count_get(path, *args, **kwargs):
            counts['read'] += path[0] == 'builders' and path[-1] == 'buildrequests'
            return get(path, *args, **kwargs)

        self.patch(Reservations, 'reserve', count_reserve)
        self.patch(Builder, 'canStartBuild', count_can_start)
        self.patch(self.master.data, 'get', count_get)
        return counts

    @parameterized.expand([(False, 0), (True, 1)])
    @defer.inlineCallbacks
    def test_new_request(self, may_merge, read):
        """Those that wait are read for a new one only if it may be merged with them."""
        yield self.start({'a': [self.lock.access('exclusive')]}, collapseRequests=may_merge)
        for branch in 'xyz':
            yield self.request('a', branch)
        self.patch(self.master.botmaster.brd, 'maybeStartBuildsOn', lambda names: None)
        counts = self.count()
        yield self.request('a', 'u')
        self.assertEqual(counts['read'], read)

    @defer.inlineCallbacks
    def test_release_of_another_lock(self):
        """Who waits for one lock is not looked at when another one is released."""
        a, b = MasterLock('a'), MasterLock('b')
        names = [f'b{i}' for i in range(4)]
        builders = {name: self.builder(name, a.access('exclusive')) for name in names}
        builders['holds'] = self.builder('holds', a.access('exclusive'))
        builders['b'] = {'steps': [GatedStep(self.gate('b'), locks=[b.access('exclusive')])]}
        builders['c'] = self.builder('c', b.access('exclusive'))
        yield self.setup_lab(builders, [f'w{i}' for i in range(4)])
        yield self.request('holds')
        yield self.request('b')
        for name in names:
            for _ in range(5):
                yield self.request(name)
        yield self.request('c')
        counts = self.count()
        self.end('b')
        self.assertEqual(self.running(), 'c holds')
        self.assertEqual(counts, {'asked': 1, 'read': 0})  # that is of c itself
        self.end('c')
        self.assertEqual(counts, {'asked': 1, 'read': 0})

    @parameterized.expand(
        [
            # builders, requests of each, workers
            ('few', 2, 3, 2),
            ('builders', 9, 3, 2),
            ('requests', 2, 9, 2),
            ('workers', 2, 3, 12),
        ]
    )
    @defer.inlineCallbacks
    def test_start(self, _, builders, requests, workers):
        """Each start takes two questions at most, and no look into the database for requests."""
        access = self.lock.access('exclusive')
        names = [f'b{i}' for i in range(builders)]
        yield self.start({n: [access] for n in names}, [f'w{i}' for i in range(workers)])
        for _ in range(requests):
            for name in names:
                yield self.request(name)
        counts = self.count()
        for _ in range(4):
            self.end(self.running())
        self.assertEqual(counts['read'], 0)
        self.assertLessEqual(counts['asked'], 8)
        yield self.assert_all_done()


class Claims(DistributionCase):
    writes_states = True

    @parameterized.expand(
        [
            # the write that fails -> how the rows of the worker and of the locks end
            ('startStep', [EXCEPTION]),
            ('set_step_locks_acquired_at', [SUCCESS, EXCEPTION]),
        ]
    )
    @defer.inlineCallbacks
    def test_write_fails_while_it_begins(self, write, results):
        """Each row of a build that could not begin has an end, and one that ended keeps its own."""
        yield self.start({'a': [self.lock.access('exclusive')]}, ['w1'])
        held = self.hold_write(write, lambda *_, **words: True)
        yield self.request('a')
        held.held.errback(OSError('disk is full'))
        self.settle()
        rows = yield self.master.data.get(('builds', 1, 'steps'))
        self.assertEqual([row['results'] for row in rows], results)
        self.assertTrue(all(row['complete'] for row in rows))
        self.assertTrue(self.flushLoggedErrors(OSError))
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_cancel_while_it_is_created(self):
        """A request that is cancelled while its build is created wedges no worker."""
        yield self.setup_lab(
            {'a': self.builder('a', self.lock.access('exclusive'))},
            [self.createLocalWorker('w1', max_builds=1)],
        )
        held = self.hold_write('addBuild', lambda **words: True)
        brid = yield self.request('a')
        yield self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', brid))
        self.settle()
        held.held.callback(None)
        self.settle()
        self.assertEqual((yield self.builds()), [CANCELLED])
        yield self.request('a')
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()
