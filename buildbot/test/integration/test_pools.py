# SPDX-License-Identifier: GPL-2.0-only
"""Resource pools on a master: builds, steps and groups get resources, on workers that have them."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copy import CircleError
from buildbot.locking.copy import LockError
from buildbot.locking.copy import would_do
from buildbot.locking.resource import Resource
from buildbot.locks import MasterLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.pools import ResourcePool
from buildbot.process.groups.step import StepGroup
from buildbot.process.properties import renderer
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.lab import GatedStep
from buildbot.util.eventual import flushEventualQueue


def boards(*names, **words):
    """Return a pool of boards: ``1b@w1`` has the label ``b`` and is on the worker ``w1``."""
    resources = []
    for name in names:
        name, _, worker = name.partition('@')
        resources.append(Resource(name, list(name[1:]), {}, [worker] if worker else None))
    return ResourcePool('boards', resources, **words)


class PoolCase(DistributionCase):
    @defer.inlineCallbacks
    def real(self, pool):
        return (yield self.master.botmaster.getLockByID(pool, 0))

    @defer.inlineCallbacks
    def reconfig(self, builders):
        yield self.reconfig_master(self.lab_config(builders))
        yield flushEventualQueue()  # what it does last may be a turn of that queue
        self.settle()

    def got(self, gate):
        """Return for each build that is at a gate what its step or the build has got."""
        found = []
        for build, _ in self.gates[gate].running:
            owner = build.currentStep if build.currentStep is not None else build
            found.append(''.join(r.name for r in owner.resources('boards')))
        return ' '.join(found)


class Builders(PoolCase):
    """Pools among the locks of builders."""

    @defer.inlineCallbacks
    def test_by_label(self):
        """Each build has boards of its own that fit; who waits for others is passed."""
        pool = boards('1a', '2b', '3a')
        yield self.setup_lab(
            {
                'all': self.builder('all', pool.access(2, 'a')),
                'b': self.builder('b', pool.access(labels='b')),
                'any': self.builder('any', pool),
            },
            workers=['w1', 'w2', 'w3'],
        )
        for name in ('any', 'all', 'b'):
            yield self.request(name)
        self.assertEqual((self.running(), self.got('any'), self.got('b')), ('any b', '1a', '2b'))
        self.end('any')
        self.assertEqual(self.got('all'), '1a3a')
        yield self.assert_all_done(pool)

    @defer.inlineCallbacks
    def test_given_back(self):
        """What a build gives back goes to the next one, and nothing is left."""
        pool = boards('1a', '2a')
        yield self.start({'x': [pool.access(2)], 'y': [pool.access(labels='a')]})
        yield self.request('x')
        yield self.request('y')
        self.assertEqual((self.running(), self.got('x')), ('x', '1a2a'))
        self.end('x')
        self.assertEqual((self.running(), self.got('y')), ('y', '1a'))
        yield self.assert_all_done(pool)

    @defer.inlineCallbacks
    def test_two_accesses(self):
        """Several accesses to one pool in a list are had all together, and none twice."""
        pool = boards('1ab', '2a', '3b')
        yield self.start({'x': [pool.access(labels='a'), pool.access(labels='b & !1ab')]})
        yield self.request('x')
        self.assertEqual(self.got('x'), '1ab3b')
        yield self.assert_all_done(pool)

    @defer.inlineCallbacks
    def test_on_its_worker(self):
        """A build begins on the worker that has the board, whichever is idle."""
        pool = boards('1a@w1', '2b@w2', '3a@w1')
        yield self.start({'a': [pool.access(labels='a')], 'b': [pool.access(labels='b')]})
        for name in 'aabb':
            yield self.request(name)
        self.assertEqual(self.running(), 'a b')
        self.assertEqual((self.worker_of('a'), self.worker_of('b')), ('w1', 'w2'))
        self.end('b')
        self.assertEqual((self.worker_of('b'), self.got('b')), ('w2', '2b'))
        yield self.assert_all_done(pool)

    @defer.inlineCallbacks
    def test_pair(self):
        """Of worker and board the pair is chosen that is free now."""
        pool = boards('1@w1', '2@w2')
        yield self.start({'x': [pool], 'y': [pool]})
        yield self.request('x')
        yield self.request('y')
        self.assertEqual(self.running(), 'x y')
        pairs = {self.got('x') + self.worker_of('x'), self.got('y') + self.worker_of('y')}
        self.assertEqual(pairs, {'1w1', '2w2'})
        yield self.assert_all_done(pool)

    @defer.inlineCallbacks
    def test_worker_away(self):
        """The board of a worker that is not connected is not waited for nor offered."""
        pool = boards('1@w1', '2@w2')
        yield self.start({'x': [pool]})
        self.lose_worker('w1')
        for _ in range(2):
            yield self.request('x')
        self.assertEqual((self.running(), self.got('x')), ('x', '2'))
        yield self.assert_all_done(pool)

    @defer.inlineCallbacks
    def test_exclusive(self):
        """The whole pool is for one alone."""
        pool = boards('1', '2')
        yield self.start({'x': [pool.access(exclusive=True)], 'y': [pool]})
        yield self.request('x')
        yield self.request('y')
        self.assertEqual((self.running(), self.got('x')), ('x', '12'))
        yield self.assert_all_done(pool)

    @defer.inlineCallbacks
    def test_rendered(self):
        """Which boards are wanted may depend on the build; what can never be granted fails it."""
        pool = boards('1a', '2b')

        @renderer
        def locks(props):
            return [pool.access(labels=props.getProperty('board'))]

        yield self.setup_lab({'x': {**self.builder('x'), 'locks': locks}})
        yield self.request('x', properties={'board': ('b', 'test')})
        self.assertEqual(self.got('x'), '2b')
        self.end('x')
        yield self.request('x', properties={'board': ('c', 'test')})
        self.assertEqual((yield self.builds()), [SUCCESS, FAILURE])
        self.flushLoggedErrors(LockError)

    @defer.inlineCallbacks
    def test_pick_fails(self):
        """What a user's function does wrong is told with the name of the pool; builds go on."""
        pool = boards('1', '2', pick=lambda resources: 1 // 0)
        heard: Any = []
        log.addObserver(heard.append)
        self.addCleanup(log.removeObserver, heard.append)
        yield self.start({'x': [pool]})
        yield self.request('x')
        self.assertEqual(self.got('x'), '1')
        self.assertEqual(
            [event['why'] for event in heard if event['isError']],
            ["lock 'boards': its function pick failed, and is ignored this time"],
        )
        self.flushLoggedErrors(ZeroDivisionError)
        yield self.assert_all_done(pool)


class Steps(PoolCase):
    """Pools among the locks of steps and groups."""

    def step(self, gate, *locks, **words):
        return GatedStep(self.gate(gate), name=gate, locks=list(locks), **words)

    @defer.inlineCallbacks
    def test_nested(self):
        """What a step wants is of what its build has, and each step has one of its own."""
        pool = boards('1', '2', '3')
        group = StepGroup(
            name='g',
            locks=[pool.access(2)],
            parallel=2,
            steps=[self.step('s', pool), self.step('t', pool)],
        )
        yield self.setup_lab({'x': {'steps': [group]}})
        yield self.request('x')
        real = yield self.real(pool)
        names = [
            (h.owner.thing.name, ''.join(r.name for r in h.resources)) for h in real.holdings()
        ]
        self.assertEqual(names, [('g', '12'), ('g/s', '1'), ('g/t', '2')])
        self.assertEqual([r.name for r in real.free_resources()], ['3'])
        yield self.assert_all_done(pool)

    @defer.inlineCallbacks
    def test_triggered(self):
        """A triggered build gets of what the step that waits for it has got."""
        pool = boards('1a', '2b')
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True)
        yield self.setup_lab(
            {
                'p': {'steps': [trigger], 'locks': [pool.access(labels='b')]},
                'c': self.builder('c', pool),
            },
            workers=['w1', 'w2'],
            schedulers=[schedulers.Triggerable(name='t', builderNames=['c'])],
        )
        yield self.request('p')
        self.assertEqual(self.got('c'), '2b')
        yield self.assert_all_done(pool)

    @defer.inlineCallbacks
    def test_late_binding(self):
        """A build goes where its step can have a board, and each worker is kept fed, no more."""
        pool = boards('1@w1', '2@w2')
        yield self.setup_lab(
            {'x': {'steps': [self.step('s', pool)]}, 'y': {'steps': [self.step('t', pool)]}},
            workers=['w1', 'w2', 'w3'],
        )
        for name in 'xxyxy':
            yield self.request(name)
        workers = [b.workername for gate in 'st' for b, _ in self.gates[gate].running]
        self.assertEqual(sorted(workers), ['w1', 'w2'])
        builds = {name: len(worker.builds) for name, worker in self.master.workers.workers.items()}
        self.assertEqual(builds['w3'], 0)
        self.assertTrue(builds['w1'] <= 2 and builds['w2'] <= 2, builds)
        while self.running():
            self.end(self.running().split()[0])
        self.assertEqual((yield self.builds()), [SUCCESS] * 5)

    @defer.inlineCallbacks
    def test_cannot_be_had(self):
        """A step that wants what there is not fails and says which."""
        pool = boards('1a', '2a')
        locks = renderer(lambda props: [pool.access(3, 'a')])
        yield self.setup_lab(
            {'x': {'steps': [self.step('s'), GatedStep(self.gate('t'), locks=locks)]}}
        )
        yield self.request('x')
        self.end('s')
        self.assertEqual((yield self.builds()), [FAILURE])
        (error,) = {str(e.value) for e in self.flushLoggedErrors(LockError)}
        self.assertEqual(
            error,
            "3 that fit 'a' of boards can never be granted: there are too few such resources",
        )

    @parameterized.expand([('waits', False), ('comes_later', True)])
    @defer.inlineCallbacks
    def test_now_on_a_worker(self, _, is_late):
        """A build from before its pool had boards on workers gets one that is on its worker."""

        def builders(pool):
            locked = [self.step('s', pool), self.step('t', pool.access(labels='b'))]
            early = [self.step('early')] if is_late else []
            return {
                'h': self.builder('h', pool.access(2), workernames=['w2']),
                'x': {'steps': [*early, *locked], 'workernames': ['w1']},
            }

        yield self.setup_lab(builders(boards('1', '2b')), workers=['w1', 'w2'])
        yield self.request('h')
        yield self.request('x')
        yield self.reconfig(builders(boards('1', '2b', '3@w2', '4@w1', '5b@w2')))
        if is_late:
            self.end('early')
        self.assertEqual(self.got('s'), '4')
        yield self.reconfig({'h': self.builder('h', boards('2b@w2', '4@w1'))})
        self.end('s')
        self.end('h')
        self.assertEqual((yield self.builds()), [SUCCESS, FAILURE])
        (error,) = {str(e.value) for e in self.flushLoggedErrors(LockError)}
        self.assertEqual(
            error,
            "1 that fits 'b' of boards can never be granted on worker 'w1': there are too few such"
            ' resources',
        )


class Moved(PoolCase):
    """A board that a reconfig moves to another pool while somebody has it, or may ask for it."""

    @defer.inlineCallbacks
    def start_moving(self, first):
        self.old = ResourcePool('bench', [Resource('1'), Resource('2')])
        self.new = ResourcePool('shelf', [Resource('1')])
        wanted = self.old.access(labels='1')
        locked = [GatedStep(self.gate('first')), GatedStep(self.gate('x'), locks=[wanted])]
        builders = {'x': {'steps': locked}, 'y': self.builder('y', wanted)}
        yield self.setup_lab(builders, workers=['w1', 'w2', 'w3'])
        yield self.request(first)

    @defer.inlineCallbacks
    def move(self, is_kept=False):
        left = ResourcePool('bench', [Resource('2')])
        kept = {'kept': self.builder('kept', left)} if is_kept else {}
        yield self.reconfig({'y': self.builder('y', self.new), **kept})

    @parameterized.expand([('from_a_pool', True), ('with_its_pool', False)])
    @defer.inlineCallbacks
    def test_held(self, _, is_kept):
        """Nobody gets it from the new pool before it is given back to the old one."""
        yield self.start_moving('y')
        yield self.move(is_kept)
        brid = yield self.request('y')
        self.assertEqual(len(self.gates['y'].running), 1)
        reasons = yield self.master.data.get(('buildrequests', brid, 'reasons'))
        told = [reason['text'] for reason in reasons]
        self.assertEqual(told, ['waiting for shelf: held by y #1 (under a minute)'])
        self.end('y')
        self.assertEqual(len(self.gates['y'].running), 1)
        self.end('y')
        yield self.assert_all_done(self.new)

    @defer.inlineCallbacks
    def test_would_not_do(self):
        """Nobody gives up a lock for who could not go on, since it also waits for the board."""
        yield self.start_moving('y')
        yield self.move()
        lock = yield self.real(self.new)
        wanted = [(lock, self.new.access())]
        self.assertFalse(would_do('somebody', wanted, []))
        self.end('y')
        self.assertTrue(would_do('somebody', wanted, []))

    @defer.inlineCallbacks
    def test_older_build(self):
        """A build from before the reconfig does not get it while a build of the new pool has it."""
        yield self.start_moving('x')
        yield self.move()
        yield self.request('y')
        self.end('first')
        self.assertEqual(self.running(), 'y')
        self.end('y')
        self.assertEqual(self.running(), 'x')
        yield self.request('y')
        self.assertEqual(self.running(), 'x')
        self.end('x')
        self.assertEqual(self.running(), 'y')
        yield self.assert_all_done(self.new)

    @parameterized.expand([('former', 'x', 'all'), ('new', 'all', 'x y')])
    @defer.inlineCallbacks
    def test_into_pool_held_whole(self, _, first, left):
        """Who has all of a pool does not have a board of it that is still held elsewhere."""
        bench, shelf = (
            ResourcePool('bench', [Resource('1')]),
            ResourcePool('shelf', [Resource('2')]),
        )
        yield self.start(
            {'x': [bench.access()], 'all': [shelf.access(exclusive=True)]},
            workers=['w1', 'w2', 'w3'],
        )
        yield self.request('x')
        yield self.request('all')
        shelf = ResourcePool('shelf', [Resource('1'), Resource('2')])
        yield self.reconfig({'y': self.builder('y', shelf.access())})
        [(build, _)] = self.gates['all'].running
        self.assertEqual([r.name for r in build.resources('shelf')], ['2'])
        yield self.request('y')
        self.end(first)
        self.assertEqual(self.running(), left)
        if first == 'x':
            self.assertEqual([r.name for r in build.resources('shelf')], ['2', '1'])
        yield self.assert_all_done(shelf)

    @defer.inlineCallbacks
    def test_at_once(self):
        """If a lock is released for which owners of both pools wait, one of them gets the board."""
        old, new = (ResourcePool(name, [Resource('1')]) for name in ('bench', 'shelf'))
        lock = MasterLock('other', maxCount=2)
        of_x = [old.access(), lock.access('counting')]
        builders = {
            'x': {'steps': [GatedStep(self.gate('first')), GatedStep(self.gate('x'), locks=of_x)]},
            'z': self.builder('z', lock.access('exclusive')),
        }
        yield self.setup_lab(builders, workers=['w1', 'w2', 'w3'])
        yield self.request('z')
        yield self.request('x')
        yield self.reconfig(
            {
                'z': builders['z'],
                'y': self.builder('y', new.access(), lock.access('counting')),
            }
        )
        yield self.request('y')
        self.end('first')
        self.assertEqual(self.running(), 'z')
        self.end('z')
        self.assertEqual(len(self.running().split()), 1)
        yield self.assert_all_done(new)

    @defer.inlineCallbacks
    def test_circle(self):
        """Of builds that would wait for each other's locks forever, one fails."""
        old, new = (ResourcePool(name, [Resource('1')]) for name in ('bench', 'shelf'))
        other = MasterLock('other').access('exclusive')

        def builder(name, first, second):
            later = GatedStep(self.gate(name), locks=[second])
            return {'steps': [GatedStep(self.gate(f'at {name}')), later], 'locks': [first]}

        yield self.setup_lab({'x': builder('x', old.access(), other)}, workers=['w1', 'w2'])
        yield self.request('x')
        yield self.reconfig({'y': builder('y', other, new.access())})
        yield self.request('y')
        self.end('at y')
        self.end('at x')
        self.assertEqual(len(self.flushLoggedErrors(CircleError)), 1)
        self.assertEqual(self.running(), 'y')
        yield self.assert_all_done(new)

    @defer.inlineCallbacks
    def test_circle_by_move(self):
        """Of builds that would wait forever since a board is in a pool held whole, one fails."""
        bench = ResourcePool('bench', [Resource('1'), Resource('3')])
        shelf = ResourcePool('shelf', [Resource('2')])
        other = MasterLock('other').access('exclusive')
        last = [GatedStep(self.gate('x'), locks=[other])]
        all_of_bench = [GatedStep(self.gate('y'), locks=[bench.access(2)])]
        yield self.setup_lab(
            {
                'x': {'steps': last, 'locks': [shelf.access(exclusive=True)]},
                'y': {'steps': all_of_bench, 'locks': [other]},
                'z': self.builder('z', bench.access(labels='3')),
            },
            workers=['w1', 'w2', 'w3'],
        )
        for name in 'zyx':
            yield self.request(name)
        self.assertEqual(self.running(), 'z')
        shelf = ResourcePool('shelf', [Resource('1'), Resource('2')])
        yield self.reconfig({'new': self.builder('new', shelf.access())})
        self.assertEqual(len(self.flushLoggedErrors(CircleError)), 1)
        self.assertEqual(self.running(), 'x z')
        yield self.assert_all_done(bench, shelf)

    @defer.inlineCallbacks
    def test_circle_by_return(self):
        """A step fails that would wait for a board which its build has, since it was given back."""
        bench, shelf = (
            ResourcePool('bench', [Resource('1')]),
            ResourcePool('shelf', [Resource('2')]),
        )
        other = MasterLock('other').access('exclusive')
        later = GatedStep(self.gate('later'), name='later', locks=[bench.access(), other])
        of_all = {'steps': [GatedStep(self.gate('all')), later]}
        yield self.setup_lab(
            {
                'x': self.builder('x', bench.access()),
                'y': self.builder('y', other),
                'all': {**of_all, 'locks': [shelf.access(exclusive=True)]},
            },
            workers=['w1', 'w2', 'w3'],
        )
        for name in ('x', 'y', 'all'):
            yield self.request(name)
        worker = self.worker_of('all')
        self.end('all')
        self.assertEqual(self.running(), 'x y')
        shelf = ResourcePool('shelf', [Resource('1'), Resource('2')])
        yield self.reconfig({'new': self.builder('new', shelf.access())})
        self.end('x')
        yield flushEventualQueue()
        [error] = self.flushLoggedErrors(CircleError)
        self.assertEqual(
            str(error.value),
            "these would wait for one another forever: step 'later' of all #1 on"
            f' {worker} waits for bench held by all #1, other held by y #1',
        )
        yield self.assert_all_done(bench, shelf)

    @defer.inlineCallbacks
    def test_circle_of_triggered(self):
        """A build that would wait for a board which the build around it has fails, and says so."""
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True)
        scheduler = schedulers.Triggerable(name='t', builderNames=['y'])

        def config(pool):
            of_x = [GatedStep(self.gate('x')), trigger]
            return self.lab_config(
                {'x': {'steps': of_x, 'locks': [pool.access()]}, 'y': self.builder('y', pool)},
                schedulers=[scheduler],
            )

        yield self.setup_lab({}, workers=['w1', 'w2', 'w3'])
        yield self.reconfig_master(config(ResourcePool('bench', [Resource('1')])))
        yield self.request('x')
        new = ResourcePool('shelf', [Resource('1')])
        yield self.reconfig_master(config(new))
        self.settle()
        self.end('x')
        [error] = self.flushLoggedErrors(CircleError)
        self.assertEqual(
            str(error.value),
            'these would wait for one another forever: build request 2 of y, for which step'
            " 'trigger' of x #1 waits, waits for shelf held by x #1",
        )
        self.assertEqual((yield self.builds()), [FAILURE, FAILURE])
        yield self.assert_all_done(new)


class Look(PoolCase):
    """What those who look on are told."""

    @defer.inlineCallbacks
    def test_rows(self):
        """The API tells which resources are free, and who has which."""
        pool = boards('1a', '2b')
        yield self.start({'x': [pool.access(labels='b')]})
        yield self.request('x')
        (lock,) = yield self.master.data.get(('locks',))
        self.assertEqual((lock['kind'], lock['capacity'], lock['used']), ('pool', 2, 1))
        copies = yield self.master.data.get(('locks', lock['lockid'], 'copies'))
        self.assertEqual([c['name'] for c in copies], ['boards', 'boards[1a]', 'boards[2b]'])
        copy = copies[0]
        self.assertEqual(copy['free'], [{'name': '1a', 'labels': ['a']}])
        (holder,) = yield self.master.data.get(('locks', lock['lockid'], 'holders'))
        self.assertEqual(holder['resources'], [{'name': '2b', 'labels': ['b']}])
        yield self.assert_all_done(pool)

    @defer.inlineCallbacks
    def test_reconfig(self):
        """A resource that is taken away stays with its holder, and one that is added is used."""
        pool = boards('1', '2')
        yield self.start({'x': [pool], 'y': [pool]})
        yield self.request('x')
        yield self.request('x')
        pool = boards('2', '3')
        builders = {name: self.builder(name, pool) for name in 'xy'}
        self.lab_workers = [self.createLocalWorker(name) for name in ('w1', 'w2')]
        yield self.reconfig_master(self.lab_config(builders))
        self.assertEqual(self.got('x'), '1 2')
        self.end('x')
        yield self.request('x')
        real = yield self.real(pool)
        self.assertEqual([r.name for r in real.free_resources()], [])
        self.assertEqual(self.got('x'), '2 3')
        yield self.assert_all_done(pool)
