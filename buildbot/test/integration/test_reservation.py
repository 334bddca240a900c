# SPDX-License-Identifier: GPL-2.0-only
"""A request waits where it can be started, gives way where it cannot, and is never forgotten."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from sqlalchemy.exc import OperationalError
from twisted.internet import defer

from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.properties import Property
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.test.fake.latent import LatentController
from buildbot.test.util.distribution import THREE
from buildbot.test.util.distribution import TWO
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.lab import GatedStep


class UserOrder(DistributionCase):
    """A user's nextBuild, nextWorker and canStartBuild, when the locks are not free."""

    LOCKS = {
        'one_for_all': MasterLock('lab'),
        'found_for_each_worker': BranchLock('lab', key=Property('key')),
    }

    @parameterized.expand(
        [
            (f'{kind}_{count}_{"chosen" if chosen else "any"}', kind, count, chosen)
            for kind in LOCKS
            for count in (1, 2)
            for chosen in (False, True)
        ]
    )
    @defer.inlineCallbacks
    def test_last_goes_first(self, _, kind, count, chosen):
        """Of requests that wait, the one that nextBuild names starts when the lock is free."""
        lock = self.LOCKS[kind]
        workers = [f'w{i}' for i in range(count)]
        words = {'nextWorker': lambda builder, workers, request: workers[-1]} if chosen else {}
        yield self.setup_lab(
            {
                'holds': self.builder('holds', lock.access('exclusive'), workernames=['other']),
                'a': self.builder(
                    'a',
                    lock.access('exclusive'),
                    nextBuild=lambda builder, requests: requests[-1],
                    workernames=workers,
                    **words,
                ),
            },
            [*workers, 'other'],
        )
        for name in ('holds', 'a', 'a', 'a'):
            self.reactor.advance(5)
            yield self.request(name, properties={'key': ('x', 'test')})
        order = []
        for name in ('holds', 'a', 'a'):
            self.end(name)
            order.append(self.gates['a'].running[0][0].requests[0].id)
        self.assertEqual(order, [4, 3, 2])
        yield self.assert_all_done(lock)

    @parameterized.expand([('any', {}), ('chosen', {'nextWorker': lambda b, w, request: w[0]})])
    @defer.inlineCallbacks
    def test_first_may_not_start(self, _, words):
        """If canStartBuild refuses the one that nextBuild names, another one has its turn."""
        access = self.lock.access('exclusive')
        yield self.setup_lab(
            {
                'holds': self.builder('holds', access),
                'a': self.builder(
                    'a',
                    access,
                    nextBuild=lambda builder, requests: requests[-1],
                    canStartBuild=lambda builder, worker, request: request.id != 4,
                    **words,
                ),
                'b': self.builder('b', access),
            },
            ['w1', 'w2', 'w3'],
        )
        for name in ('holds', 'a', 'a', 'a', 'b'):
            self.reactor.advance(5)
            yield self.request(name)
        self.end('holds')
        self.assertEqual(self.running(), 'a')
        self.assertEqual(self.gates['a'].running[0][0].requests[0].id, 3)
        self.end('a')
        self.end('a')
        self.assertEqual(self.running(), 'b')
        self.end('b')
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @defer.inlineCallbacks
    def test_older_request_of_a_chosen_worker(self):
        """A request with nextWorker goes before a younger one that waits for all units."""
        self.lock = MasterLock('lab', 2)
        access = self.lock.access('counting')
        yield self.setup_lab(
            {
                'holds': self.builder('holds', access, workernames=['w1']),
                'busy': self.builder('busy', workernames=['w2']),
                'a': self.builder(
                    'a',
                    access,
                    workernames=['w2'],
                    nextWorker=lambda builder, workers, request: workers[0],
                ),
                'large': self.builder('large', self.lock.access('exclusive'), workernames=['w3']),
            },
            [self.createLocalWorker(name, max_builds=1) for name in ('w1', 'w2', 'w3')],
        )
        for name in ('busy', 'holds', 'a', 'large'):
            self.reactor.advance(10)
            yield self.request(name)
        self.end('busy')
        self.assertEqual(self.running(), 'a holds')
        yield self.assert_all_done()

    @parameterized.expand(
        [('of_builder', {}), ('chosen', {'nextWorker': lambda b, w, request: w[0]})]
    )
    @defer.inlineCallbacks
    def test_is_asked_once(self, _, words):
        """canStartBuild is not asked again for what it kept from starting itself."""
        asked = []

        def can_start(builder, worker, request):
            asked.append(worker.worker.workername)
            return len(asked) > 5

        access = self.lock.access('exclusive')
        yield self.setup_lab(
            {'a': self.builder('a', access, canStartBuild=can_start, **words)},
            [self.createLocalWorker('w1', locks=[MasterLock('own').access('counting')])],
        )
        yield self.request('a')
        self.assertEqual(asked, ['w1'])

    @defer.inlineCallbacks
    def test_can_start_build_of_the_chosen_worker(self):
        """canStartBuild is asked for the worker that nextWorker has chosen, then for the next."""
        told = []

        def next_worker(builder, workers, request):
            names = sorted(worker.worker.workername for worker in workers)
            told.append(names)
            return next(worker for worker in workers if worker.worker.workername == names[-1])

        def can_start(builder, worker, request):
            told.append(worker.worker.workername)
            return worker.worker.workername == 'w2'

        yield self.setup_lab(
            {
                'a': self.builder(
                    'a',
                    self.lock.access('exclusive'),
                    nextWorker=next_worker,
                    canStartBuild=can_start,
                )
            },
            ['w1', 'w2', 'w3'],
        )
        yield self.request('a')
        self.assertEqual(told, [['w1', 'w2', 'w3'], 'w3', ['w1', 'w2'], 'w2'])
        yield self.assert_all_done()

    @parameterized.expand(['nextWorker', 'nextBuild', 'select_next_worker'])
    @defer.inlineCallbacks
    def test_declined(self, what):
        """A request that the user's method declines is offered again when a build has ended."""
        declined: list[Any] = []

        def choose(builder, some, *request):
            if builder.name != 'a' or declined:
                return some[0]
            declined.append(some)
            return None

        of_all = {what: choose} if what.startswith('select') else {}
        yield self.setup_lab(
            {
                'holds': self.builder('holds', self.lock.access('exclusive'), workernames=['w1']),
                'a': self.builder('a', workernames=['w2'], **({} if of_all else {what: choose})),
            },
            TWO,
            **of_all,
        )
        yield self.request('holds')
        yield self.request('a')
        self.assertEqual(self.running(), 'holds')
        self.end('holds')
        self.assertEqual(self.running(), 'a')

    @parameterized.expand([('builder', False), ('all', True)])
    @defer.inlineCallbacks
    def test_chosen_worker_is_not_late(self, _, of_all):
        """A request whose worker the user chooses waits for its lock, however fed the workers."""

        def choose(builder, workers, request):
            return workers[0]

        board = WorkerLock('board').access('exclusive')
        steps = [GatedStep(self.gate('prepare')), GatedStep(self.gate('step'), locks=[board])]
        access = self.lock.access('exclusive')
        words = {} if of_all else {'nextWorker': choose}
        fed = {'steps': steps, 'workernames': ['w1']}
        yield self.setup_lab(
            {
                'holds': self.builder('holds', access, workernames=['w2']),
                'a': {'steps': [*steps], 'locks': [access], 'workernames': ['w1'], **words},
                'f': fed,
                'g': fed,
            },
            TWO,
            **({'select_next_worker': choose} if of_all else {}),
        )
        for name in ('holds', 'a', 'f', 'g'):
            yield self.request(name)
        self.assertEqual(self.running(), 'holds prepare prepare')
        self.end('holds')
        self.assertEqual(self.running(), 'prepare prepare prepare')
        yield self.assert_all_done(self.lock, WorkerLock('board'))


class TooFew(DistributionCase):
    """A worker that can never do does not decide for the others."""

    @parameterized.expand(
        [
            # units of the workers, units wanted -> results
            ('one_has_enough', {'w1': 1, 'w2': 4}, 3, [SUCCESS]),
            ('none_has_enough', {'w1': 1, 'w2': 2}, 3, [FAILURE]),
        ]
    )
    @defer.inlineCallbacks
    def test_units(self, _, limits, units, results):
        """A request fails only if no worker of its builder has the units that it wants."""
        cpu = WorkerLock('cpu', 9, limits)
        yield self.setup_lab({'a': self.builder('a', cpu.access('counting', units))}, TWO)
        yield self.request('a')
        while self.running():
            self.end('a')
        self.assertEqual((yield self.builds()), results)
        self.assertEqual(len(self.flushLoggedErrors()), results.count(FAILURE))
        yield self.assert_all_done(cpu)

    @defer.inlineCallbacks
    def test_locks_of_one_worker(self):
        """A request that can never start ends once, also if one of its workers has locks."""
        own = MasterLock('own').access('counting')
        bad = BranchLock('version', codebase='none').access('exclusive')
        yield self.setup_lab(
            {'a': self.builder('a', bad), 'b': self.builder('b', workernames=['w1'])},
            [self.createLocalWorker('w1', locks=[own]), 'w2'],
        )
        yield self.request('a')
        self.assertEqual((yield self.builds()), [FAILURE])
        self.assertEqual(len((yield self.master.data.get(('builds',)))), 1)
        self.flushLoggedErrors()

    @defer.inlineCallbacks
    def test_large_worker_is_busy(self):
        """A request waits for the worker that has the units, while a small one is idle."""
        cpu = WorkerLock('cpu', 9, {'w1': 1, 'w2': 4})
        yield self.setup_lab(
            {
                'a': self.builder('a', cpu.access('counting', 3)),
                'busy': self.builder('busy', workernames=['w2']),
            },
            [self.createLocalWorker(name, max_builds=1) for name in TWO],
        )
        yield self.request('busy')
        yield self.request('a')
        self.assertEqual(self.running(), 'busy')
        self.end('busy')
        self.assertEqual((self.running(), self.worker_of('a')), ('a', 'w2'))
        yield self.assert_all_done(cpu)


class TakesNoBuilds(DistributionCase):
    """A worker that is there and takes no builds is no idle one."""

    @parameterized.expand(
        [
            ('paused', lambda worker: worker.pause('enough'), lambda worker: worker.unpause()),
            (
                'in_quarantine',
                lambda worker: worker.putInQuarantine(),
                lambda worker: worker.stopQuarantineTimer(),
            ),
            ('leaves', lambda worker: worker.shutdownRequested(), None),
        ]
    )
    @defer.inlineCallbacks
    def test_holds_back_nobody(self, _, stop, go_on):
        """Its requests hold nobody back, and are in line again when it takes builds again."""
        self.lock = MasterLock('lab', 2)
        access = self.lock.access('counting')
        yield self.setup_lab(
            {
                'holds': self.builder('holds', access, workernames=['w1']),
                'large': self.builder('large', self.lock.access('exclusive'), workernames=['w2']),
                'small': self.builder('small', access, workernames=['w3']),
                'other': self.builder('other', workernames=['w2']),
            },
            ['w1', 'w2', 'w3'],
        )
        yield self.request('other')  # a worker that leaves is there until it has ended
        yield self.request('holds')
        yield self.request('large', priority=5)
        yield self.request('small')
        self.assertEqual(self.running(), 'holds other')
        worker = self.master.workers.workers['w2']
        worker.shutdown = lambda: defer.succeed(None)  # one in memory would end twice
        stop(worker)
        self.settle()
        self.assertEqual(self.running(), 'holds other small')
        if go_on is not None:
            yield self.request('small')
            go_on(worker)
            self.settle()
            self.end('small')
            self.end('holds')
            self.assertEqual(self.running(), 'large other')
            yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_fewer_places(self):
        """One that a reconfig leaves without a place holds nobody back, either."""

        def builders():
            self.lock = MasterLock('lab', 2)
            one, both = self.lock.access('counting'), self.lock.access('exclusive')
            return {
                'holds': self.builder('holds', one, workernames=['w1']),
                'large': self.builder('large', both, workernames=['w2']),
                'other': self.builder('other', workernames=['w2']),
                'small': self.builder('small', one, workernames=['w3']),
            }

        @defer.inlineCallbacks
        def reconfig(most):
            self.lab_workers[1] = self.createLocalWorker('w2', max_builds=most)
            yield self.reconfig_master(self.lab_config(builders()))
            self.settle()

        yield self.setup_lab(builders(), ['w1', self.createLocalWorker('w2', max_builds=2), 'w3'])
        for name in ('other', 'holds', 'large', 'small'):
            yield self.request(name)
        self.assertEqual(self.running(), 'holds other')
        yield reconfig(1)
        self.assertEqual(self.running(), 'holds other small')
        yield self.request('small')
        yield reconfig(2)
        self.end('small')
        self.end('holds')
        self.assertEqual(self.running(), 'large other')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_latent_that_is_of_no_use(self):
        """A request whose only worker of its kind is busy holds nobody back."""
        self.lock = MasterLock('lab', 2)
        kinds = [
            LatentController(self, 'l0', kind=Property('kind')),
            LatentController(self, 'l1', kind=Property('kind'), max_builds=1),
        ]
        latent = [controller.worker for controller in kinds]
        access = self.lock.access('counting')
        yield self.setup_lab(
            {
                'x': self.builder('x', workernames=['l0']),
                'y': self.builder('y', workernames=['l1']),
                'large': self.builder(
                    'large', self.lock.access('exclusive'), workernames=['l0', 'l1']
                ),
                'holds': self.builder('holds', access, workernames=TWO),
            },
            [*latent, *TWO],
        )
        yield self.request('holds')
        brids = []
        for name, kind in (('x', 'x'), ('large', 'y'), ('y', 'y')):
            brids.append((yield self.request(name, properties={'kind': (kind, 'test')})))
        # l1 is busy now, and l0 is idle and made for x
        yield self.request('holds')
        self.assertEqual(self.running(), 'holds holds')
        for controller in kinds:
            yield controller.auto_stop(True)
        for brid in (brids[1], brids[0], brids[2]):
            yield self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', brid))
        for controller in kinds:
            if controller.starting:
                yield controller.start_instance(False)
        self.settle()


class Late(DistributionCase):
    """Requests that are left for the first worker on which there is a place."""

    def steps(self):
        board = self.board.access('exclusive')
        return [GatedStep(self.gate('prepare')), GatedStep(self.gate('step'), locks=[board])]

    def setUp(self):
        super().setUp()
        self.board = WorkerLock('board')

    @defer.inlineCallbacks
    def test_one_that_may_not_start(self):
        """One that canStartBuild keeps from the only place leaves it to the next."""
        yield self.setup_lab(
            {
                'f': {'steps': self.steps(), 'workernames': ['w2']},
                'g': {'steps': self.steps(), 'workernames': ['w2']},
                'a': {
                    'steps': self.steps(),
                    'canStartBuild': lambda builder, worker, request: request.id != 3,
                },
            },
            TWO,
        )
        for name in 'fgaa':
            yield self.request(name)
        self.assertEqual(len(self.gates['prepare'].running), 3)
        self.assertEqual(self.worker_of('prepare', 2), 'w1')

    @defer.inlineCallbacks
    def test_skipped_step(self):
        """A build that skips the step with the lock makes a place for the next."""
        board = self.board.access('exclusive')
        skipped = GatedStep(self.gate('skipped'), locks=[board], doStepIf=False)
        tail = GatedStep(self.gate('tail'))
        words = {'steps': [GatedStep(self.gate('prepare')), skipped, tail]}
        yield self.setup_lab(dict.fromkeys('abc', words), ['w1'])
        for name in 'abc':
            yield self.request(name)
        self.assertEqual(self.running(), 'prepare prepare')
        self.end('prepare')
        self.assertEqual(self.running(), 'prepare prepare tail')
        yield self.assert_all_done(self.board)

    @defer.inlineCallbacks
    def test_each_worker_is_heard_of(self):
        """A place on any of the workers is heard of, whatever was looked at in between."""
        yield self.setup_lab(
            {
                **{f'f{i}': {'steps': self.steps(), 'workernames': ['w1']} for i in range(2)},
                **{f'g{i}': {'steps': self.steps(), 'workernames': ['w2']} for i in range(2)},
                'a': {
                    'steps': self.steps(),
                    'locks': [BranchLock('version').access('exclusive')],
                },
            },
            TWO,
        )
        for name in ('f0', 'f1', 'g0', 'g1', 'a', 'a'):
            yield self.request(name)
        self.assertEqual(len(self.gates['prepare'].running), 4)
        for _ in range(2):
            self.end('prepare')  # both of w1
        self.end('step')
        self.assertEqual(len(self.gates['prepare'].running), 3)
        yield self.assert_all_done(self.board)


class Unreadable(DistributionCase):
    @defer.inlineCallbacks
    def test_its_branch(self):
        """A request that can be read again only later stands behind those of its own branch."""
        self.lock = BranchLock('version')
        yield self.start({'x': [self.lock.access('exclusive')]}, ['w1', 'w2', 'w3'])
        make = BuildRequest.fromBrdict
        error = OperationalError('select', {}, Exception('locked'))

        def fail_one(master, brdict):
            return defer.fail(error) if brdict.buildrequestid == 2 else make(master, brdict)

        self.patch(BuildRequest, 'fromBrdict', fail_one)
        for branch in ('main', 'dev', 'main'):
            yield self.request('x', branch)
        self.assertEqual(self.branches(self.gates['x']), ['main'])
        self.patch(BuildRequest, 'fromBrdict', make)
        yield self.request('x', 'main')
        self.assertEqual(self.branches(self.gates['x']), ['main', 'dev'])
        self.assertTrue(self.flushLoggedErrors(OperationalError))
        yield self.assert_all_done()


class Patience(DistributionCase):
    @parameterized.expand([('requests', True), ('steps', False)])
    @defer.inlineCallbacks
    def test_two_of_three(self, _, of_builder):
        """Claims for two locks of three are whole, also when they end the patience of another."""
        locks = {name: MasterLock(name, 9) for name in 'abc'}
        names = {'h': 'c', 'm': 'abc', 'one': 'a', **{f'two{i}': 'ab' for i in range(5)}}
        builders = {}
        for name, wanted in names.items():
            accesses = [locks[i].access('exclusive' if i == 'c' else 'counting') for i in wanted]
            of_step = [] if of_builder else accesses
            builders[name] = {
                'steps': [GatedStep(self.gate(name), locks=of_step)],
                'locks': accesses if of_builder else [],
            }
        yield self.setup_lab(builders, [f'w{i}' for i in range(9)])
        for name in names:
            self.reactor.advance(5)
            yield self.request(name)
        # four have gone past the one that waits for all three, each of them once
        self.assertEqual(self.running(), 'h one two0 two1 two2')
        yield self.assert_all_done(*locks.values())

    @defer.inlineCallbacks
    def start_with_two_workers(self, **words):
        """Let ``a`` wait for ``m`` and a lock of either worker, which ``h`` has on both."""
        m, w = (lock.access('exclusive') for lock in (MasterLock('m'), WorkerLock('w')))
        yield self.setup_lab(
            {
                'h': self.builder('h', w, workernames=TWO),
                'a': self.builder('a', w, m, workernames=TWO, **words),
                'x': self.builder('x', m, workernames=['w3']),
                'z': self.builder('z', workernames=['w1']),
            },
            THREE,
        )
        for name in 'hha':
            yield self.request(name)
        self.assertEqual(self.running(), 'h h')

    def end_on(self, worker):
        at = [self.worker_of('h', i) for i in range(len(self.gates['h'].running))].index(worker)
        self.gates['h'].running.pop(at)[1].callback(SUCCESS)
        self.settle()

    @parameterized.expand([(name,) for name in TWO])
    @defer.inlineCallbacks
    def test_drained_for_itself(self, worker):
        """A lock that drains for a request does so for it on whatever worker."""
        yield self.start_with_two_workers()
        for _ in range(4):
            yield self.request('x')
            self.assertEqual(self.running(), 'h h x')
            self.end('x')
        yield self.request('x')
        self.assertEqual(self.running(), 'h h')
        self.end_on(worker)
        self.assertEqual((self.running(), self.worker_of('a')), ('a h', worker))
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_refused_on_one_worker(self):
        """A request that is refused on one worker does not overtake itself on the other."""
        yield self.start_with_two_workers(canStartBuild=lambda *args: False)
        self.end_on('w1')
        for _ in range(9):
            yield self.request('z')
            self.end('z')
        yield self.request('x')
        self.assertEqual(self.running(), 'h x')


class Behind(DistributionCase):
    """Builds that wait behind a request, for a lock that drains for it, while it waits for them."""

    @defer.inlineCallbacks
    def start_behind(self, *builds, pause=False):
        """Have the request wait for the boards of two workers, and be passed until it drains."""
        board, m = WorkerLock('board').access('exclusive'), self.lock.access('exclusive')
        steps = [GatedStep(self.gate('h')), GatedStep(self.gate('m'), locks=[m])]
        yield self.setup_lab(
            {
                'h': {'steps': steps, 'locks': [board], 'workernames': TWO},
                'y': self.builder('y', workernames=['w2']),
                'a': self.builder('a', board, m, workernames=TWO),
                'x': self.builder('x', m, workernames=['w3']),
            },
            ['w1', self.createLocalWorker('w2', max_builds=2), 'w3'],
        )
        for name in builds:
            yield self.request(name)
        if pause:
            self.pause()
        yield self.request('a')
        for _ in range(4):
            yield self.request('x')
            self.end('x')

    def pause(self):
        self.lab_workers[1].pause('enough')
        self.settle()

    @defer.inlineCallbacks
    def test_worker_is_away(self):
        """A worker that may come back is no reason to keep them waiting."""
        yield self.start_behind('h', 'h', pause=True)
        self.end('h')
        self.end('h')
        self.assertEqual(self.running(), 'm')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_circle_on_the_last(self):
        """If its wait for the last worker closes a circle, it leaves the line of each worker."""
        yield self.start_behind('h', 'h', 'y')
        self.end('h')
        self.end('h')
        self.assertEqual(self.running(), 'y')
        self.end('y')
        self.assertEqual(self.running(), 'm')
        yield self.assert_all_done()

    @parameterized.expand([('paused',), ('lost',)])
    @defer.inlineCallbacks
    def test_worker_goes_away(self, how):
        """They go on when the worker on which it could have started goes away."""
        yield self.start_behind('h', 'h')
        names = [self.worker_of('h', i) for i in range(2)]
        self.gates['h'].running.pop(names.index('w1'))[1].callback(SUCCESS)
        self.settle()
        self.assertEqual(self.running(), 'h')
        if how == 'paused':
            self.pause()
        else:
            self.lose_worker('w2')
        self.assertEqual(self.running().split()[-1], 'm')
        yield self.assert_all_done()


class LostWorker(DistributionCase):
    @defer.inlineCallbacks
    def test_exception(self):
        """A build that comes to grief after its worker is lost is tried again."""
        access = self.lock.access('exclusive')
        yield self.setup_lab({'a': self.builder('a', access)}, TWO)
        yield self.request('a')
        name = self.worker_of('a')
        write = self.hold_write('finishStep', lambda *a, **k: True)
        self.end('a')
        self.lose_worker(name)
        write.held.errback(OSError('disk is full'))
        self.settle()
        self.assertEqual((yield self.builds()), [RETRY, None])
        self.assertTrue(self.flushLoggedErrors(OSError))
        yield self.assert_all_done()
