# SPDX-License-Identifier: GPL-2.0-only
"""Things that change while it is being found out whether a request can start."""

from __future__ import annotations

import itertools
from typing import Any

from parameterized import parameterized
from sqlalchemy.exc import TimeoutError
from twisted.internet import defer

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process import builder
from buildbot.process import locks
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildrequestdistributor import BasicBuildChooser
from buildbot.process.buildrequestdistributor import BuildChooserBase
from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from buildbot.process.buildstep import BuildStep
from buildbot.process.properties import renderer
from buildbot.process.questions import Questions
from buildbot.process.results import SUCCESS
from buildbot.process.waiting.inbox import Inbox
from buildbot.test.util.distribution import THREE
from buildbot.test.util.distribution import TWO
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.distribution import Slow
from buildbot.test.util.lab import GatedStep


class Chooser(BuildChooserBase):
    """As a user may write it: it does not ask whether locks are free."""

    @defer.inlineCallbacks
    def popNextBuild(self):
        yield self._fetchUnclaimedBrdicts()
        workers = self.bldr.getAvailableWorkers()
        if not self.unclaimedBrdicts or not workers:
            return None, None
        request = yield self._getBuildRequestForBrdict(self.unclaimedBrdicts[0])
        self._removeBuildRequest(request)
        return workers[0], request


class AskingChooser(BasicBuildChooser):
    """As a user may write it: it asks whether a build can start, and changes nothing else."""


class Meanwhile(DistributionCase):
    def setUp(self):
        super().setUp()
        self.slow = Slow()
        self.lock = MasterLock('lab', 2)
        self.one, self.all = self.lock.access('counting'), self.lock.access('exclusive')

    @defer.inlineCallbacks
    def control(self, action, brid, **params):
        yield self.master.data.control(
            action, {'reason': 'enough', **params}, ('buildrequests', brid)
        )
        self.settle()

    def answer(self, answer, i=0):
        self.slow.asked[i][0].callback(answer)
        self.settle()

    @parameterized.expand(['nextBuild', 'locks'])
    @defer.inlineCallbacks
    def test_cancelled(self, what):
        """A request that is cancelled meanwhile does not stand in line."""
        large = self.builder('large', self.all, workernames=['w2'])
        large[what] = self.slow if what == 'nextBuild' else renderer(self.slow)
        yield self.setup_lab(
            {
                'holds': self.builder('holds', self.one, workernames=['w1']),
                'large': large,
                'small': self.builder('small', self.one, workernames=['w3']),
            },
            THREE,
        )
        yield self.request('holds')
        brid = yield self.request('large')
        yield self.control('cancel', brid)
        requests = self.slow.asked[0][1][-1]
        self.answer(requests[0] if what == 'nextBuild' else [self.all])
        yield self.request('small')
        self.assertEqual(self.running(), 'holds small')
        yield self.assert_all_done()

    @parameterized.expand(['canStartBuild', 'claim'])
    @defer.inlineCallbacks
    def test_reconfig(self, what):
        """A build that is made after a reconfig has the locks that its builder wants now."""

        def builders(*locks):
            words = {'canStartBuild': self.slow} if what == 'canStartBuild' else {}
            return {
                'holds': self.builder('holds', self.all, workernames=['w1']),
                'a': self.builder('a', *locks, workernames=['w2'], **words),
            }

        yield self.setup_lab(builders(), TWO)
        yield self.request('holds')
        write = self.hold_write('claimBuildRequests', lambda *a, **k: what == 'claim')
        yield self.request('a')
        yield self.reconfig_master(self.lab_config(builders(self.all)))
        self.settle()
        if what == 'claim':
            write.held.callback(None)
            self.settle()
        else:
            self.answer(True)
        self.assertEqual(self.running(), 'holds')
        self.end('holds')
        if what != 'claim':
            self.answer(True, 1)
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()

    @parameterized.expand([('before', 'a', 'b'), ('behind', 'b', 'a')])
    @defer.inlineCallbacks
    def test_reconfig_of_nothing(self, _, small, large):
        """Nobody overtakes a request that waits when a reconfig changes nothing for it."""

        def builders():
            lock = MasterLock('lab', 2)
            accesses = {small: lock.access('counting'), large: lock.access('exclusive')}
            return {name: self.builder(name, accesses[name]) for name in 'ab'}

        yield self.setup_lab(builders(), THREE)
        for name in (small, large, small):
            yield self.request(name)
        yield self.reconfig_master(self.lab_config(builders()))
        self.settle()
        self.assertEqual(self.running(), small)
        self.end(small)
        self.assertEqual(self.running(), large)
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_locks_of_worker(self):
        """A build that begins after its worker has been given a lock has it."""

        def builders():
            return {
                'a': self.builder('a', canStartBuild=self.slow, workernames=['w1']),
                'holds': self.builder('holds', self.all, workernames=['w2']),
            }

        yield self.setup_lab(builders(), TWO)
        yield self.request('holds')
        yield self.request('a')
        self.lab_workers = [self.createLocalWorker('w1', locks=[self.all]), self.lab_workers[1]]
        yield self.reconfig_master(self.lab_config(builders()))
        self.settle()
        self.answer(True)
        self.assertEqual(self.running(), 'holds')
        self.end('holds')
        self.answer(True, 1)
        yield self.assert_all_done()

    @parameterized.expand(['reading', 'nextBuild'])
    @defer.inlineCallbacks
    def test_priority(self, what):
        """A request whose priority is changed meanwhile has its new place in line."""

        def first(builder, requests):
            return requests[0] if self.slow.asked else self.slow()

        words = {'nextBuild': first} if what == 'nextBuild' else {}
        yield self.setup_lab(
            {
                'h': self.builder('h', self.all, workernames=['w1']),
                'a': self.builder('a', self.all, workernames=['w2']),
                'b': self.builder('b', self.all, workernames=['w3'], **words),
            },
            THREE,
        )
        yield self.request('h')
        make = BuildRequest.fromBrdict

        def slowly(master, brdict):
            if what == 'reading' and brdict.buildername == 'b' and not self.slow.asked:
                return self.slow().addCallback(lambda _: make(master, brdict))
            return make(master, brdict)

        self.patch(BuildRequest, 'fromBrdict', slowly)
        self.reactor.advance(5)
        brid = yield self.request('b')
        yield self.control('set_priority', brid, priority=10)
        request = self.master.botmaster.builders['b'].inbox.requests.request(brid)
        request = request or (
            yield make(self.master, (yield self.master.db.buildrequests.getBuildRequest(brid)))
        )
        self.answer(request)
        self.reactor.advance(5)
        yield self.request('a', priority=5)
        self.end('h')
        self.assertEqual(self.running(), 'b')
        yield self.assert_all_done()

    @parameterized.expand(['canStartBuild', 'find_owner_around'])
    @defer.inlineCallbacks
    def test_lost_worker(self, what):
        """A request whose worker is lost meanwhile starts on another one at once."""

        def first(builder, workers, request):
            return min(workers, key=lambda worker: worker.worker.workername)

        words = {'canStartBuild': self.slow} if what == 'canStartBuild' else {}
        yield self.setup_lab({'a': self.builder('a', self.all, nextWorker=first, **words)}, TWO)
        if what == 'find_owner_around':
            self.patch(locks, 'find_owner_around', self.slow)
            self.patch(builder, 'find_owner_around', self.slow)
        yield self.request('a')
        if what == 'find_owner_around':
            for i in range(3):  # it is asked for each worker, for the chosen one, for the build
                self.answer(None, i)
        self.lose_worker('w1')
        for d, _ in self.slow.asked:  # which become more
            if not d.called:
                d.callback(what == 'canStartBuild' or None)
                self.settle()
        self.assertEqual(self.worker_of('a'), 'w2')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_removed_worker(self):
        """A request whose worker a reconfig removes meanwhile starts on another one at once."""

        def first(builder, workers, request):
            return min(workers, key=lambda worker: worker.worker.workername)

        words = {'nextWorker': first, 'canStartBuild': self.slow}
        yield self.setup_lab({'a': self.builder('a', self.all, **words)}, TWO)
        yield self.request('a')
        del self.lab_workers[0]
        config = self.lab_config({'a': self.builder('a', self.all, **words)})
        yield self.reconfig_master(config)
        self.settle()
        self.answer(True, -1)
        self.assertEqual(self.worker_of('a'), 'w2')
        yield self.assert_all_done()

    @parameterized.expand(['taken', 'lost'])
    @defer.inlineCallbacks
    def test_chosen_worker(self, what):
        """If the chosen worker is of no use any more, the user chooses among the others."""
        cpu = WorkerLock('cpu')
        chosen = []

        def next_worker(builder, workers, request):
            chosen.append(sorted(worker.worker.workername for worker in workers))
            return workers[0] if self.slow.asked else self.slow(workers)

        busy = [
            GatedStep(self.gate('before')),
            GatedStep(self.gate('busy'), locks=[cpu.access('exclusive')]),
        ]
        yield self.setup_lab(
            {
                'f': {'steps': busy, 'workernames': ['w1']},
                'a': self.builder('a', cpu.access('exclusive'), nextWorker=next_worker),
            },
            TWO,
        )
        yield self.request('f')
        yield self.request('a')
        (worker,) = (w for w in self.slow.asked[0][1][0] if w.worker.workername == 'w1')
        if what == 'taken':
            self.end('before')
        else:
            self.lose_worker('w1')
        self.answer(worker)
        self.assertEqual(self.worker_of('a'), 'w2')
        self.assertEqual(chosen, [['w1', 'w2'], ['w2']])

    @defer.inlineCallbacks
    def test_fed(self):
        """A request whose workers are all fed meanwhile holds nobody back."""
        board = WorkerLock('board').access('exclusive')

        def steps():
            return [GatedStep(self.gate('prepare')), GatedStep(self.gate('board'), locks=[board])]

        yield self.setup_lab(
            {
                'holds': self.builder('holds', self.one, workernames=['w2']),
                'a': {'steps': steps(), 'locks': [self.all], 'workernames': ['w1']},
                'f': {'steps': steps(), 'workernames': ['w1']},
                'g': {'steps': steps(), 'workernames': ['w1']},
                'small': self.builder('small', self.one, workernames=['w3']),
            },
            THREE,
        )
        for name in ('holds', 'a', 'f', 'g', 'small'):
            yield self.request(name)
        self.assertEqual(self.running(), 'holds prepare prepare small')
        yield self.assert_all_done(self.lock, WorkerLock('board'))

    @defer.inlineCallbacks
    def test_lent_place(self):
        """An urgent request that nextBuild puts behind another one keeps its own place."""
        yield self.setup_lab(
            {
                'h': self.builder('h', self.all),
                'a': self.builder('a', self.all, nextBuild=lambda builder, requests: requests[-1]),
                'b': self.builder('b', self.all),
            },
            [f'w{i}' for i in range(4)],
        )
        for name, priority in (('h', 0), ('a', 10), ('a', 0), ('b', 5)):
            self.reactor.advance(5)
            yield self.request(name, priority=priority)
        self.end('h')
        (build,) = (build for build, _ in self.gates['a'].running)
        self.assertEqual((build.requests[0].id, build.lock_priority), (3, 0))
        self.end('a')
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_next_build_and_no_worker(self):
        """If nextWorker chooses none, the next request is looked at, with nextBuild too."""
        asked = []

        def next_worker(builder, workers, request):
            asked.append(request.id)

        yield self.setup_lab(
            {
                'a': self.builder(
                    'a', nextBuild=lambda builder, requests: requests[0], nextWorker=next_worker
                )
            }
        )
        yield self.request('a')
        yield self.request('a')
        self.assertEqual(asked, [1, 1, 2])

    @defer.inlineCallbacks
    def test_added_steps(self):
        """Steps that a build adds do not count among those that come to a lock."""
        board = WorkerLock('board')
        tail = [GatedStep(self.gate('tail')) for _ in range(2)]

        class Adds(BuildStep):
            def run(step):
                step.build.addStepsAfterCurrentStep(tail)
                return defer.succeed(SUCCESS)

        words = {'steps': [GatedStep(self.gate('b'), locks=[board.access('exclusive')]), Adds()]}
        yield self.setup_lab({name: words for name in 'abc'}, ['w1'])
        yield self.request('a')
        yield self.request('b')
        self.end('b')
        self.end('b')
        yield self.request('c')
        self.assertEqual(self.running(), 'b tail tail')
        yield self.assert_all_done(board)

    @defer.inlineCallbacks
    def test_chooser_of_a_user(self):
        """A user's chooser that does not ask waits for a release before it is tried again."""
        yield self.start({'h': [self.all], 'a': [self.all]})
        self.patch(BuildRequestDistributor, 'BuildChooser', Chooser)
        claims = []
        claim = self.master.data.updates.claimBuildRequests

        def count(brids, **words):
            claims.extend(brids)
            return claim(brids, **words)

        self.patch(self.master.data.updates, 'claimBuildRequests', count)
        yield self.request('h')
        yield self.request('a')
        self.assertLess(len(claims), 6)
        self.end('h')
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()

    @parameterized.expand([('of_builders', False), ('of_workers', True)])
    @defer.inlineCallbacks
    def test_asking_chooser_of_a_user(self, _, of_workers):
        """What a user's chooser was told cannot start is tried again when the lock is released."""
        of_worker, of_builder = ([self.all], []) if of_workers else ([], [self.all])
        workers = [self.createLocalWorker(name, locks=of_worker) for name in TWO]
        yield self.setup_lab(
            {
                name: self.builder(name, *of_builder, workernames=[worker])
                for name, worker in zip('ab', TWO)
            },
            workers,
        )
        self.patch(BuildRequestDistributor, 'BuildChooser', AskingChooser)
        yield self.request('a')
        yield self.request('b')
        self.assertEqual(self.running(), 'a')
        self.end('a')
        self.assertEqual(self.running(), 'b')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_late_answer_after_a_reconfig(self):
        """A build that was given up while its locks were being determined takes none of them."""
        yield self.setup_lab({'a': {**self.builder('a'), 'locks': renderer(self.slow)}}, ['w1'])
        self.patch(BuildRequestDistributor, 'BuildChooser', Chooser)
        yield self.request('a')
        self.assertEqual((len(self.slow.asked), self.running()), (1, ''))
        yield self.reconfig_master(self.lab_config({'a': self.builder('a', self.one)}))
        self.settle()
        self.assertEqual(self.running(), 'a')
        self.answer([self.one])
        self.assertEqual((yield self.owners(self.lock)), (1, 0))
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_worker_taken_while_locks_are_rendered(self):
        """A build does not begin on a worker that was taken while its locks were rendered."""
        worker = self.createLocalWorker('w1', max_builds=1)
        builders = {
            'a': {**self.builder('a'), 'locks': renderer(self.slow)},
            'b': self.builder('b'),
        }
        yield self.setup_lab(builders, [worker])
        self.patch(BuildRequestDistributor, 'BuildChooser', Chooser)
        yield self.request('a')
        self.reactor.advance(5)  # longer than the other builders wait for the renderable
        yield self.request('b')
        self.assertEqual(self.running(), 'b')
        self.answer([self.one])
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('b', (0, 0)))
        self.end('b')
        self.answer([self.one], 1)
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_order_that_does_not_end(self):
        """A prioritizeBuilders that catches its cancelling and goes on keeps no builder waiting."""

        async def order(master, builders):
            while True:
                try:
                    return await self.slow(builders)
                except Exception:
                    pass

        yield self.start({'a': [self.all]}, prioritizeBuilders=order)
        yield self.request('a')
        self.assertEqual(self.running(), '')
        for _ in range(10):  # it is asked again for each change
            self.reactor.advance(Questions.logged_after)
            self.settle()
        self.assertEqual(self.running(), 'a')
        self.master.config.prioritizeBuilders = None
        self.assertTrue(self.flushLoggedErrors(defer.CancelledError))
        self.end('a')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_looks_at_others(self):
        """A canStartBuild that looks at other builders is asked when one of those has built."""

        def can_start(builder, worker, request):
            return not builder.botmaster.builders['holds'].building

        yield self.setup_lab(
            {
                'holds': self.builder('holds', self.all, workernames=['w1']),
                'a': self.builder('a', workernames=['w2'], canStartBuild=can_start),
            },
            TWO,
        )
        yield self.request('holds')
        yield self.request('a')
        self.assertEqual(self.running(), 'holds')
        self.end('holds')
        self.assertEqual(self.running(), 'a')

    @defer.inlineCallbacks
    def test_lost_message(self):
        """A request of which no message has told is found later, when there is anything to do."""
        yield self.start({'a': []})
        yield self.request('a')
        produce = self.master.mq.produce
        self.master.mq.produce = lambda key, data: None
        yield self.request('a')
        self.master.mq.produce = produce
        self.assertEqual(self.running(), 'a')
        self.reactor.advance(Inbox.read_again_after)
        self.master.botmaster.maybeStartBuildsForAllBuilders()
        self.settle()
        self.assertEqual(self.running(), 'a a')

    @defer.inlineCallbacks
    def test_shutdown(self):
        """Before a clean shutdown only those are started that a running build waits for."""
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True)
        yield self.setup_lab(
            {'p': {'steps': [GatedStep(self.gate('p')), trigger]}, 'c': self.builder('c')},
            ['w1', 'w2', 'w3'],
            schedulers=[schedulers.Triggerable(name='t', builderNames=['c'])],
        )
        yield self.request('p')
        self.master.botmaster.cleanShutdown(stopReactor=False)
        self.settle()
        yield self.request('c')
        self.end('p')
        (child,) = (build.requests[0] for build, _ in self.gates['c'].running)
        self.assertEqual(child.id, 3)
        self.end('c')
        requests = yield self.master.data.get(('buildrequests',))
        self.assertEqual([r['complete'] for r in requests], [True, False, True])

    @defer.inlineCallbacks
    def test_shutdown_is_taken_back(self):
        """A stop waits for no prioritizeBuilders; what it was asked about is looked at later."""

        def order(master, builders):
            return builders if self.slow.asked else self.slow(builders)

        yield self.start({'a': [self.all]}, prioritizeBuilders=order)
        yield self.request('a')
        distributor = self.master.botmaster.brd
        stopped = distributor.disownServiceParent()
        self.settle()
        self.assertTrue(stopped.called)
        self.assertEqual(self.running(), '')
        yield distributor.setServiceParent(self.master.botmaster)
        self.settle()
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()

    @parameterized.expand(['canStartBuild', 'claim'])
    @defer.inlineCallbacks
    def test_order_of_builders(self, what):
        """The user's order takes no lock from a request whose build is about to begin."""
        first = ['b']

        def order(master, builders):
            return sorted(builders, key=lambda builder: builder.name not in first)

        words = {'canStartBuild': self.slow} if what == 'canStartBuild' else {}
        builders = {name: self.builder(name, self.all) for name in 'xa'}
        builders['b'] = self.builder('b', self.all, **words)
        yield self.setup_lab({**builders, 'c': self.builder('c')}, THREE, prioritizeBuilders=order)
        for name in 'xcba':
            yield self.request(name)
        write = self.hold_write('claimBuildRequests', lambda *a, **k: what == 'claim')
        self.end('x')
        self.reactor.advance(5)  # longer than a look waits for canStartBuild
        first[0] = 'a'
        self.end('c')  # its worker has room now, so all of them are put in order
        if what == 'claim':
            write.held.callback(None)
            self.settle()
        else:
            self.answer(True)
        self.assertEqual(self.running(), 'b')
        self.end('b')
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()

    @parameterized.expand(itertools.product(('reserved', 'claimed'), ('whole', 'part')))
    @defer.inlineCallbacks
    def test_locks_and_failing_database(self, when, what):
        """A request whose locks the database does not tell is tried again, and does not fail."""
        answers = [TimeoutError('all connections are in use')]

        @renderer
        def locks(props):
            if answers:
                raise answers.pop()
            return [self.all] if what == 'whole' else self.all

        if when == 'claimed':
            self.patch(BuildRequestDistributor, 'BuildChooser', Chooser)
        rendered = locks if what == 'whole' else [locks]
        yield self.setup_lab({'a': {**self.builder('a'), 'locks': rendered}})
        yield self.request('a')
        self.reactor.advance(BuildRequestDistributor.again_after)
        self.settle()
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('a', (1, 0)))
        self.assertEqual(len(self.flushLoggedErrors(TimeoutError)), 1)
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_removed_builder(self):
        """A builder that is removed is not woken by what it lets go of."""
        yield self.start({'h': [self.all], 'a': [self.all]})
        yield self.request('h')
        yield self.request('a')
        real = yield self.master.botmaster.getLockByID(self.lock, 0)
        builder = self.master.botmaster.builders['a']
        builder._refused.wait_for([real.subscribeToReleases])
        yield self.reconfig_master(self.lab_config({'h': self.builder('h', self.all)}))
        self.settle()
        self.assertFalse(builder._refused.is_awaited)
        self.assertEqual((yield self.owners(self.lock)), (1, 0))

    @defer.inlineCallbacks
    def test_has_no_parent(self):
        """A request that has to be waited for, and has no parent, is no child of a new build."""
        yield self.start({'a': [self.all], 'b': [self.all]})
        write = self.hold_write('addBuild', lambda **words: True)
        yield self.request('a')
        yield self.request('b', waited_for=True)
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('', (1, 1)))
        write.held.callback(None)
        self.settle()
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_added_builder(self):
        """A builder that has requests before it is configured keeps no other from its worker."""
        yield self.start({'h': [self.all], 'a': [self.all], 'b': []})
        yield self.request('h')
        yield self.request('a')
        self.patch(self.master.botmaster.builders['a'], 'config', None)
        yield self.request('b')
        self.assertEqual(self.running(), 'b h')

    @defer.inlineCallbacks
    def test_failed_claim(self):
        """A request that could not be claimed is tried again, when the error may be over."""
        yield self.start({'a': [self.all]})
        write = self.hold_write('claimBuildRequests', lambda *a, **k: True)
        yield self.request('a')
        write.held.errback(OSError('disk is full'))
        self.settle()
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('', (0, 0)))
        self.reactor.advance(BuildRequestDistributor.again_after)
        self.assertEqual(self.running(), 'a')
        self.assertTrue(self.flushLoggedErrors(OSError))
        yield self.assert_all_done()


class RequestingStep(GatedStep):
    """As a user may write it: it requests a build of builder ``c``, and keeps its id to itself."""

    @defer.inlineCallbacks
    def run(self):
        builder = self.build.builder.botmaster.builders['c']
        yield self.master.data.updates.addBuildset(
            waited_for=True,
            builderids=[(yield builder.getBuilderId())],
            sourcestamps=[s.asDict() for s in self.build.getAllSourceStamps()],
            parent_buildid=self.build.buildid,
        )
        return (yield super().run())


class LeftBehind(DistributionCase):
    """A triggered build for which nobody waits any longer has not begun yet."""

    @defer.inlineCallbacks
    def start_family(self, of_parent, of_clean, **words):
        """Start a master on which builder ``p`` triggers ``c`` and ``d``, and then cleans up.

        :param of_parent: the locks of ``p``.
        :param of_clean: the locks of its step that always runs.
        :param words: what builder ``c`` has besides the lock.
        """
        access = self.lock.access('exclusive')
        self.builders = {
            'p': {
                'steps': [
                    steps.Trigger(schedulerNames=['c', 'd'], waitForFinish=True),
                    GatedStep(self.gate('clean'), alwaysRun=True, locks=of_clean),
                ],
                'locks': of_parent,
                'workernames': ['w1'],
            },
            'c': self.builder('c', access, workernames=['w2'], **words),
            'd': self.builder('d', access, workernames=['w3']),
            'x': self.builder('x', workernames=['w2', 'w3']),
        }
        workers = [self.createLocalWorker(name, max_builds=1) for name in THREE]
        triggered = [schedulers.Triggerable(name=name, builderNames=[name]) for name in 'cd']
        yield self.setup_lab(self.builders, workers, schedulers=triggered)

    @defer.inlineCallbacks
    def leave_behind(self):
        """Let a reconfig remove the schedulers, so that the parent does not wait any longer."""
        yield self.reconfig_master(self.lab_config(self.builders))
        self.settle()

    @parameterized.expand([('builder',), ('step',)])
    @defer.inlineCallbacks
    def test_shares_nothing(self, level):
        """It waits for a lock that the build which has triggered it holds."""
        locks = [self.lock.access('exclusive')]
        yield self.start_family(*((locks, []) if level == 'builder' else ([], locks)))
        for _ in 'cd':
            yield self.request('x')
        yield self.request('p')
        self.assertEqual(self.running(), 'x x')
        yield self.leave_behind()
        self.end('x')
        self.end('x')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('clean', (1, 2)))
        self.end('clean')
        self.assertEqual((len(self.running()), (yield self.owners(self.lock))), (1, (1, 1)))
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_in_line(self):
        """If it has waited for a sibling to share that with, it waits for the parent now, too."""
        yield self.start_family([self.lock.access('exclusive')], [])
        yield self.request('p')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('c', (2, 1)))
        yield self.leave_behind()
        self.end('c')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('clean', (1, 1)))
        self.end('clean')
        self.assertEqual(self.running(), 'd')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_not_known(self):
        """So does one of which the parent has not been told, because its URL was not written."""
        yield self.start_family([self.lock.access('exclusive')], [])
        write = self.hold_write('addStepURL', lambda _, name, url: name.startswith('d'))
        yield self.request('p')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('c', (2, 1)))
        write.held.errback(OSError('disk is full'))
        self.settle()
        self.assertEqual(self.running(), 'c clean')
        self.end('c')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('clean', (1, 1)))
        self.end('clean')
        self.assertEqual(self.running(), 'd')
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        yield self.assert_all_done()

    @parameterized.expand([('in line',), ('not looked at',), ('begun',)])
    @defer.inlineCallbacks
    def test_never_known(self, then):
        """So does one that is stored although its step is told that this has failed."""
        exclusive, other = self.lock.access('exclusive'), MasterLock('other').access('exclusive')
        then_lock = GatedStep(self.gate('d'), name='d', locks=[exclusive])
        builders: dict[str, Any] = {
            'p': {
                'steps': [
                    steps.Trigger(schedulerNames=['c'], waitForFinish=True),
                    GatedStep(self.gate('clean'), alwaysRun=True),
                ],
                'locks': [exclusive],
            },
            'x': self.builder('x', other),
            'c': {'steps': [GatedStep(self.gate('c')), then_lock]},
        }
        if then != 'begun':
            builders['c'] = self.builder('c', exclusive, other)
        workers = ['w1', 'w2', 'w3'] if then == 'in line' else ['w1', 'w2']
        triggered = [schedulers.Triggerable(name='c', builderNames=['c'])]
        yield self.setup_lab(builders, workers, schedulers=triggered)
        if then != 'begun':
            yield self.request('x')
        write = self.hold_write('addBuildset', lambda **words: words['waited_for'], is_done=True)
        yield self.request('p')
        write.held.errback(OSError('connection is lost'))
        self.settle()
        self.assertEqual(self.running(), 'c clean' if then == 'begun' else 'clean x')
        self.end(self.running().replace('clean', '').strip())
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('clean', (1, 1)))
        self.end('clean')
        self.assertEqual(self.running(), 'd' if then == 'begun' else 'c')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_of_other_step(self):
        """One that a step of the user's own requests shares the locks of that step."""
        access = self.lock.access('exclusive')
        step = RequestingStep(self.gate('p'), locks=[access])
        yield self.setup_lab({'p': {'steps': [step]}, 'c': self.builder('c', access)}, TWO)
        yield self.request('p')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('c p', (2, 0)))
        yield self.assert_all_done()

    @parameterized.expand([('begun',), ('in line',)])
    @defer.inlineCallbacks
    def test_of_other_step_that_has_ended(self, then):
        """It shares nothing more that is around the build of that step when that has ended."""
        exclusive, other = self.lock.access('exclusive'), MasterLock('other').access('exclusive')
        later = GatedStep(self.gate('d'), name='d', locks=[exclusive])
        builders: dict[str, Any] = {
            'p': {
                'steps': [
                    steps.Trigger(schedulerNames=['m'], waitForFinish=True),
                    GatedStep(self.gate('clean'), alwaysRun=True),
                ],
                'locks': [exclusive],
            },
            'm': {'steps': [RequestingStep(self.gate('m'))]},
            'c': {'steps': [GatedStep(self.gate('c')), later]},
            'x': self.builder('x', other),
        }
        if then == 'in line':
            builders['c'] = self.builder('c', exclusive, other)
        triggered = [schedulers.Triggerable(name='m', builderNames=['m'])]
        yield self.setup_lab(builders, [*THREE, 'w4'], schedulers=triggered)
        if then == 'in line':
            yield self.request('x')
        yield self.request('p')
        self.assertEqual(self.running(), 'c m' if then == 'begun' else 'm x')
        self.end('m')
        self.end('c' if then == 'begun' else 'x')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('clean', (1, 1)))
        self.end('clean')
        self.assertEqual(self.running(), 'd' if then == 'begun' else 'c')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_about_to_begin(self):
        """It does not begin if the parent has left while the user was asked whether it may."""
        slow = Slow()
        yield self.start_family([self.lock.access('exclusive')], [], canStartBuild=slow)
        yield self.request('p')
        self.assertEqual((self.running(), len(slow.asked)), ('', 1))
        yield self.leave_behind()
        slow.asked.pop(0)[0].callback(True)
        self.settle()
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('clean', (1, 2)))
        self.end('clean')
        self.end('d')
        slow.asked.pop(0)[0].callback(True)
        self.settle()
        self.assertEqual(self.running(), 'c')
        yield self.assert_all_done()

    @parameterized.expand([('trigger',), ('other',)])
    @defer.inlineCallbacks
    def test_child_about_to_begin(self, kind):
        """Nor does what a build that has been left behind has triggered."""
        slow, access = Slow(), self.lock.access('exclusive')
        children: BuildStep = steps.Trigger(schedulerNames=['c'], waitForFinish=True)
        if kind == 'other':
            children = RequestingStep(self.gate('m'))
        builders = {
            'p': {
                'steps': [
                    steps.Trigger(schedulerNames=['m'], waitForFinish=True),
                    GatedStep(self.gate('clean'), alwaysRun=True),
                ],
                'locks': [access],
            },
            'm': {'steps': [children]},
            'c': self.builder('c', access, canStartBuild=slow),
        }
        triggered = [schedulers.Triggerable(name=name, builderNames=[name]) for name in 'cm']
        yield self.setup_lab(builders, THREE, schedulers=triggered)
        yield self.request('p')
        rest = '' if kind == 'trigger' else ' m'
        self.assertEqual((self.running(), len(slow.asked)), (rest.strip(), 1))
        yield self.reconfig_master(self.lab_config(builders, schedulers=triggered[:1]))
        self.settle()
        self.assertEqual(self.running(), f'clean{rest}')
        slow.asked.pop(0)[0].callback(True)
        self.settle()
        self.assertEqual((self.running(), (yield self.owners(self.lock))), (f'clean{rest}', (1, 1)))
        self.end('clean')
        slow.asked.pop(0)[0].callback(True)
        self.settle()
        self.assertEqual(self.running(), f'c{rest}')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_locks_are_rendered(self):
        """Nor if it has left while the locks were rendered for a chooser of the user."""
        slow = Slow()
        yield self.start_family([self.lock.access('exclusive')], [])
        self.builders['c']['locks'] = renderer(slow)
        triggered = [schedulers.Triggerable(name=name, builderNames=[name]) for name in 'cd']
        yield self.reconfig_master(self.lab_config(self.builders, schedulers=triggered))
        self.patch(BuildRequestDistributor, 'BuildChooser', Chooser)
        yield self.request('p')
        self.assertEqual((self.running(), len(slow.asked)), ('d', 1))
        self.end('d')
        yield self.leave_behind()
        slow.asked.pop(0)[0].callback([self.lock.access('exclusive')])
        self.settle()
        self.assertEqual(
            (self.running(), (yield self.owners(self.lock)), len(slow.asked)), ('clean', (1, 0), 1)
        )
        self.end('clean')
        slow.asked.pop(0)[0].callback([self.lock.access('exclusive')])
        self.settle()
        self.assertEqual(self.running(), 'c')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def start_steps(self, of_first):
        """Start a master whose builder ``d`` takes locks at a step, and another one at the next."""
        exclusive = self.lock.access('exclusive')
        first = GatedStep(self.gate('d'), name='first', locks=of_first)
        second = GatedStep(self.gate('second'), name='second', locks=[exclusive])
        self.builders = {
            'p': {
                'steps': [
                    steps.Trigger(schedulerNames=['c', 'd'], waitForFinish=True),
                    GatedStep(self.gate('clean'), alwaysRun=True),
                ],
                'locks': [exclusive],
            },
            'c': self.builder('c', exclusive),
            'd': {'steps': [first, second]},
        }
        triggered = [schedulers.Triggerable(name=name, builderNames=[name]) for name in 'cd']
        yield self.setup_lab(self.builders, THREE, schedulers=triggered)

    @defer.inlineCallbacks
    def test_shares_nothing_else(self):
        """If its build has begun, that waits for what its steps need and the parent holds."""
        yield self.start_steps([])
        yield self.request('p')
        self.end('c')
        yield self.leave_behind()
        self.end('d')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('clean', (1, 1)))
        self.end('clean')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('second', (1, 0)))
        yield self.assert_all_done()

    @parameterized.expand([('request',), ('build',), ('step',)])
    @defer.inlineCallbacks
    def test_none_is_let_through(self, first):
        """Nor does it take what one before it in line, which is left behind, too, leaves over."""
        lock = MasterLock('lab', 2)
        one, both = lock.access('counting'), lock.access('exclusive')
        second: list[Any] = [
            GatedStep(self.gate('first'), name='first'),
            GatedStep(self.gate('second'), name='second', locks=[one]),
        ]
        large = GatedStep(self.gate('c'), locks=[both])
        if first == 'step':
            second[1:] = [steps.StepGroup(name='both', parallel=2, steps=[large, second[1]])]
        builders: dict[str, Any] = {
            'p': {
                'steps': [
                    steps.Trigger(schedulerNames=['b', 'c', 'd'], waitForFinish=True),
                    GatedStep(self.gate('clean'), alwaysRun=True),
                ],
                'locks': [both],
            },
            'b': self.builder('b', one),
            'c': self.builder('none') if first == 'step' else self.builder('c', both),
            'd': {'steps': second},
        }
        if first == 'build':
            builders['c'] = {'steps': [large]}
        triggered = [schedulers.Triggerable(name=name, builderNames=[name]) for name in 'bcd']
        yield self.setup_lab(builders, [*THREE, 'w4'], schedulers=triggered)
        yield self.request('p')
        if first == 'step':
            self.end('none')
        self.assertEqual(self.running(), 'b first')
        self.end('first')
        self.assertEqual(self.running(), 'b')
        yield self.reconfig_master(self.lab_config(builders))
        self.settle()
        self.assertEqual(self.running(), 'b clean')
        self.end('b')
        self.assertEqual((self.running(), (yield self.owners(lock))), ('clean', (1, 2)))
        yield self.assert_all_done(lock)

    @defer.inlineCallbacks
    def test_in_line_of_parent(self):
        """A step of its build that waits for a sibling waits for the parent now, too."""
        yield self.start_steps([self.lock.access('exclusive')])
        yield self.request('p')
        self.assertEqual(self.running(), 'c')
        yield self.leave_behind()
        self.end('c')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('clean', (1, 1)))
        self.end('clean')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('d', (1, 0)))
        yield self.assert_all_done()
