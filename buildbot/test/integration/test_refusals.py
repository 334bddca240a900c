# SPDX-License-Identifier: GPL-2.0-only
"""What is done with requests that could start and do not: nothing goes to and fro forever."""

from __future__ import annotations

from random import Random

from parameterized import parameterized
from twisted.internet import defer

from buildbot.data.buildrequests import BuildRequest as RequestData
from buildbot.locks import LockError
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.builder import Builder
from buildbot.process.properties import renderer
from buildbot.process.results import CANCELLED
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.test.util.distribution import THREE
from buildbot.test.util.distribution import TWO
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.distribution import Slow
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.pace import PacedCase


class Lost(Exception):
    """An error of the database."""


class RefusalCase(PacedCase, DistributionCase):
    """A lab whose builders are looked at; a test in which that has no end is ended."""

    def setUp(self):
        super().setUp()
        self.one = self.lock.access('exclusive')

    def looks(self):
        """Return how often builders have been looked at since the test said ``begin``."""
        self.assert_rests()
        return self.pace.counts['looks']

    @defer.inlineCallbacks
    def control(self, action, brid, **params):
        yield self.master.data.control(
            action, {'reason': 'enough', **params}, ('buildrequests', brid)
        )
        self.settle()

    def looks_of_an_hour(self):
        self.begin()
        self.let_time_go(3600)
        return self.looks()


class Refused(RefusalCase):
    @parameterized.expand([(kind, n) for kind in ('master', 'worker') for n in (1, 2)])
    @defer.inlineCallbacks
    def test_everybody(self, kind, count):
        """A lock that comes free goes to each whom the user refuses once, and comes to rest."""
        self.lock = MasterLock('lab') if kind == 'master' else WorkerLock('lab')
        access = self.lock.access('exclusive')
        asked = []

        def refuse(builder, worker, request):
            asked.append((builder.name, worker.worker.workername, request.id))
            return False

        words = {'canStartBuild': refuse}
        builders = {name: self.builder(name, access, **words) for name in 'ab'}
        yield self.setup_lab({**builders, 'holds': self.builder('holds', access)}, THREE)
        yield self.request('holds')
        for name in 'ab' * count:
            yield self.request(name)
        asked.clear()
        self.begin()
        self.end('holds')
        self.assertLessEqual(self.looks(), 6 * count + 2)
        self.assertEqual({brid for _, _, brid in asked}, set(range(2, 2 + 2 * count)))
        self.assertLessEqual(max(map(asked.count, asked)), 2)
        self.assertEqual(self.looks_of_an_hour(), 0)
        yield self.request('holds')  # which gets the lock, though the others came first
        self.assertEqual(self.running(), 'holds')

    @defer.inlineCallbacks
    def test_held_while_asked(self):
        """While the user is asked about one worker after another, nobody else gets the lock."""
        answers = Slow()
        yield self.setup_lab(
            {
                'holds': self.builder('holds', self.one),
                'a': self.builder('a', self.one, canStartBuild=answers),
                'b': self.builder('b', self.one),
            },
            THREE,
        )
        for name in ('holds', 'a', 'b'):
            yield self.request(name)
        self.end('holds')
        for i in range(3):
            self.assertEqual((len(answers.asked), self.running()), (i + 1, ''))
            answers.asked[i][0].callback(False)
            self.settle()
        self.assertEqual((len(answers.asked), self.running()), (3, 'b'))

    @defer.inlineCallbacks
    def test_changed_while_asked(self):
        """What the user says of a request does not count for what has changed meanwhile."""
        answers = Slow()
        words = self.builder('a', self.one, canStartBuild=answers)
        yield self.setup_lab({'a': words}, ['w1'])
        yield self.request('a')
        self.master.botmaster.maybeStartBuildsForBuilder('a')
        self.settle()
        answers.asked[0][0].callback(False)
        self.settle()
        self.assertEqual(len(answers.asked), 2)
        answers.asked[1][0].callback(True)
        self.settle()
        self.assertEqual(self.running(), 'a')
        self.end('a')

    @parameterized.expand([('none', []), ('master', [MasterLock]), ('worker', [WorkerLock])])
    @defer.inlineCallbacks
    def test_no_worker_for_the_first(self, _, kinds):
        """A request for which nextWorker names no worker does not keep the next from its turn."""
        locks = [kind('lab', 9).access('counting') for kind in kinds]

        def by_pool(builder, workers, request):
            pool = request.properties.getProperty('pool')
            return next((w for w in workers if w.worker.workername.startswith(pool)), None)

        def not_a(builder, worker, request):
            return request.properties.getProperty('pool') != 'A'

        words = self.builder('a', *locks, nextWorker=by_pool, canStartBuild=not_a)
        workers = [self.createLocalWorker(name, max_builds=1) for name in ('A1', 'B1')]
        yield self.setup_lab({'a': words}, workers)
        for pool in 'AB':
            yield self.request('a', properties={'pool': (pool, 'test')})
        self.assertEqual((self.running(), self.worker_of('a')), ('a', 'B1'))
        self.end('a')

    @parameterized.expand(THREE)
    @defer.inlineCallbacks
    def test_granted_for_another_worker(self, wanted):
        """What a request has been granted for one worker hides no other from nextWorker."""
        own = MasterLock('own', 9).access('counting')
        words = {
            'nextWorker': lambda b, workers, request: next(
                (w for w in workers if w.worker.workername == wanted), None
            )
        }
        workers = [self.createLocalWorker(name, locks=[own]) for name in THREE]
        yield self.setup_lab(
            {
                'holds': self.builder('holds', self.one, workernames=['w1']),
                'a': self.builder('a', self.one, **words),
            },
            workers,
        )
        yield self.request('holds')
        yield self.request('a')
        self.end('holds')
        self.assertEqual((self.running(), self.worker_of('a')), ('a', wanted))
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_clean_shutdown(self):
        """A lock that comes free before a clean shutdown is taken by nobody, and that is all."""
        yield self.setup_lab(
            {
                'holds': self.builder('holds', self.one),
                'free': self.builder('free'),
                **{name: self.builder(name, self.one) for name in 'ab'},
            },
            THREE,
        )
        for name in ('holds', 'free', 'a', 'b', 'a', 'b'):
            yield self.request(name)
        d = self.master.botmaster.cleanShutdown(stopReactor=False)
        self.begin()
        self.end('holds')
        self.assertLessEqual(self.looks(), 8)
        self.assertEqual(self.looks_of_an_hour(), 0)
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        self.master.botmaster.cancelCleanShutdown()
        self.end('free')
        yield d
        self.settle()
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_never_on_the_chosen_worker(self):
        """A request whose locks cannot be found on the only worker that the user chooses fails."""

        def choose(builder, workers, request):
            return next((w for w in workers if w.worker.workername == 'w1'), None)

        def fail(props):
            raise KeyError('board')

        words = self.builder('a', nextWorker=choose)
        yield self.setup_lab({'a': {**words, 'locks': renderer(fail)}}, TWO)
        yield self.request('a')
        self.assertEqual((yield self.builds()), [FAILURE])
        self.assertTrue(self.flushLoggedErrors(KeyError))
        yield self.assert_all_done()


class Plugins(RefusalCase):
    @defer.inlineCallbacks
    def test_sister_builders(self):
        """A plugin may let a builder build on the workers of its sisters what it was asked for."""
        lock = WorkerLock('lab', 9)
        own_workers, own_start = Builder.getAvailableWorkers, Builder.maybeStartBuild

        def of_all(builder):
            sisters = builder.botmaster.builders.values()
            return [worker for sister in sisters for worker in own_workers(sister)]

        def start(builder, worker, requests):
            sisters = builder.botmaster.builders.values()
            return own_start(next(b for b in sisters if worker in b.workers), worker, requests)

        self.patch(Builder, 'getAvailableWorkers', of_all)
        self.patch(Builder, 'maybeStartBuild', start)
        locks = renderer(lambda props: [lock.access('counting')])
        names = ['p0', 'p1', 'p2']
        yield self.setup_lab(
            {name: {**self.builder('p'), 'locks': locks} for name in names}, ['w1']
        )
        for _ in range(4):
            yield self.request('p0')
        self.assertEqual(self.running(), 'p p p')
        self.assertLessEqual(self.looks_of_an_hour(), 3)
        self.end('p')
        self.assertEqual(self.running(), 'p p p')
        yield self.assert_all_done(lock)

    @defer.inlineCallbacks
    def test_never_begins(self):
        """What a plugin keeps from beginning is tried again every ten seconds, and told."""
        self.patch(
            Builder, 'maybeStartBuild', lambda builder, worker, requests: defer.succeed(False)
        )
        yield self.setup_lab({'a': self.builder('a', self.one)}, ['w1'])
        told = self.listen()
        yield self.request('a')
        self.begin()
        self.let_time_go(600)
        self.assertLessEqual(self.looks(), 3 * 60)
        self.assertEqual(
            told[0],
            "builder 'a': build requests [1] did not start on worker 'w1'; they are tried again"
            ' in 10 seconds',
        )


def by_name(master, builders):
    return sorted(builders, key=lambda builder: builder.name)


class Order(DistributionCase):
    """The user puts builders in order."""

    @parameterized.expand(
        [
            # units of the lock; those that ask, in this order, with the units -> who starts
            ('age', None, 1, 'z1 b1 a1', 'z b a'),
            ('name', by_name, 1, 'z1 b1 a1', 'a b z'),
            ('those_that_fit', by_name, 2, 'z1 b1 a1', 'ab z'),
            ('large_first', by_name, 2, 'z1 b1 a2', 'a bz'),
            ('small_first', by_name, 2, 'z2 b2 a1', 'a b z'),
        ]
    )
    @defer.inlineCallbacks
    def test_next(self, _, order, limit, asking, starts):
        """It decides among requests at a lock, before priority and age, where it is set."""
        self.lock = MasterLock('lab', limit)
        builders = {'x': self.builder('x', self.lock.access('exclusive'))}
        for name, units in asking.split():
            builders[name] = self.builder(name, self.lock.access('counting', int(units)))
        yield self.setup_lab(builders, ['w1', 'w2', 'w3', 'w4'], prioritizeBuilders=order)
        for name in ('x', *(name for name, _ in asking.split())):
            self.reactor.advance(5)
            yield self.request(name)
        self.end('x')
        seen = []
        while self.running():
            seen.append(self.running().replace(' ', ''))
            for name in seen[-1]:
                self.end(name)
        self.assertEqual(' '.join(seen), starts)
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_limit_of_who_waits_again(self):
        """A request that has to give up what it was granted waits no longer than it may."""
        self.lock = MasterLock('lab', maxWait=100)
        access = self.lock.access('exclusive')
        yield self.start({name: [access] for name in 'xza'}, THREE, prioritizeBuilders=by_name)
        for name in 'xza':
            self.reactor.advance(5)
            yield self.request(name)
        self.end('x')
        self.assertEqual(self.running(), 'a')
        self.reactor.advance(100)
        self.settle()
        self.assertEqual((yield self.builds()), [SUCCESS, None, FAILURE])
        (error,) = self.flushLoggedErrors(LockError)
        self.assertEqual(
            error.getErrorMessage(),
            "lock 'lab': it waited longer than 100 s for lab, which was held by a #1",
        )
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_steps_keep_their_places(self):
        """A step that came before the request whose turn it is said to be keeps its place."""
        access = self.lock.access('exclusive')
        step = GatedStep(self.gate('s'), locks=[access])
        names = ['x', 's', 'z', 'a']
        builders = {name: self.builder(name, access) for name in names if name != 's'}
        yield self.setup_lab(
            {**builders, 's': {'steps': [step]}},
            ['w1', 'w2', 'w3', 'w4'],
            prioritizeBuilders=by_name,
        )
        for name in names:
            self.reactor.advance(5)
            yield self.request(name)
        seen = []
        while self.running():
            seen.append(self.running())
            self.end(seen[-1])
        self.assertEqual(seen, ['x', 's', 'a', 'z'])
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_left_out(self):
        """A builder that is left out keeps no locks from others; later it has its turn again."""
        left_out = []

        def order(master, builders):
            return [builder for builder in builders if builder.name not in left_out]

        access = self.lock.access('exclusive')
        builders = {name: self.builder(name, access) for name in 'xab'}
        yield self.setup_lab(builders, ['w1', 'w2', 'w3'], prioritizeBuilders=order)
        for name in 'xab':
            self.reactor.advance(5)
            yield self.request(name)
        left_out.append('a')
        self.end('x')
        self.assertEqual(self.running(), 'b')
        left_out.clear()
        self.end('b')
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_no_rest(self):
        """An order that is another one each time does not go on without end."""
        shuffle = Random(1).shuffle

        def any_order(master, builders):
            shuffle(builders)
            return builders

        access = self.lock.access('exclusive')
        names = ['x', 'a', 'b', 'c', 'd']
        builders = {name: self.builder(name, access) for name in names}
        yield self.setup_lab(builders, ['w1', 'w2'], prioritizeBuilders=any_order)
        for name in names:
            yield self.request(name)
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_no_answer(self):
        """If no order comes, it is done without after a minute, and that is told."""
        answers = Slow()
        yield self.setup_lab({'a': self.builder('a')}, prioritizeBuilders=answers)
        told = self.listen()
        yield self.request('a')
        self.assertEqual(self.running(), '')
        self.reactor.advance(60)
        self.settle()
        self.assertEqual(
            told[0],
            'prioritizeBuilders has not answered for 60 seconds; the builders are processed in no'
            ' particular order',
        )
        while len(self.flushLoggedErrors(defer.CancelledError)) and not self.running():
            self.reactor.advance(60)
        self.assertEqual(self.running(), 'a')
        self.end('a')
        self.reactor.advance(300)
        self.flushLoggedErrors(defer.CancelledError)

    @defer.inlineCallbacks
    def test_no_list(self):
        """If what is given is no list, it is done without it too, and the log says what it was."""
        yield self.setup_lab({'a': self.builder('a')}, prioritizeBuilders=lambda *args: None)
        told = self.listen()
        yield self.request('a')
        self.assertEqual(self.running(), 'a')
        self.reactor.advance(300)
        self.assertEqual(told, [])
        self.assertTrue(self.flushLoggedErrors(TypeError))
        self.end('a')
        self.flushLoggedErrors(TypeError)


class Late(DistributionCase):
    """What the user wrote answers late, or never."""

    def words(self, what, answers):
        return {what: renderer(answers) if what == 'locks' else answers}

    @parameterized.expand(
        [
            ('nextBuild', 'nextBuild'),
            ('nextWorker', 'nextWorker'),
            ('canStartBuild', 'canStartBuild'),
            ('locks', 'a renderable of its locks'),
        ]
    )
    @defer.inlineCallbacks
    def test_never(self, what, name):
        """It holds up its own builder only, which is told after a minute, and no shutdown."""
        answers = Slow()
        builder = {**self.builder('a'), **self.words(what, answers)}
        yield self.setup_lab({'a': builder, 'b': self.builder('b')}, TWO)
        told = self.listen()
        yield self.request('a')
        for _ in range(2):
            yield self.request('b')
        self.assertEqual(self.running(), 'b b')
        self.assertEqual(len(answers.asked), 1)
        self.reactor.advance(60)
        self.assertEqual(
            told,
            [
                f"builder 'a': {name} has not answered for 60 seconds; the builder starts nothing"
                ' until it does'
            ],
        )
        for _ in range(2):
            self.end('b')

    @parameterized.expand(
        [
            ('nextBuild', lambda builder, requests: requests[0]),
            ('nextWorker', lambda builder, workers, request: workers[0]),
            ('canStartBuild', lambda builder, worker, request: True),
            ('locks', lambda props: []),
        ]
    )
    @defer.inlineCallbacks
    def test_reconfig(self, what, better):
        """A reconfig that brings another method waits no longer for the answer of the old one."""
        builders = {'a': {**self.builder('a', self.lock), **self.words(what, Slow())}}
        yield self.setup_lab(builders, TWO)
        yield self.request('a')
        self.assertEqual(self.running(), '')
        builders['a'].update(self.words(what, better))
        yield self.reconfig_master(self.lab_config(builders))
        self.settle()
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()

    @parameterized.expand([('stop',), ('lose',)])
    @defer.inlineCallbacks
    def test_locks_of_a_step(self, way):
        """A build can be stopped, and is ended if its worker is lost, while they are found out."""
        answers = Slow()
        steps = [
            GatedStep(self.gate('a'), locks=renderer(answers), name='a'),
            GatedStep(self.gate('clean'), alwaysRun=True),
        ]
        yield self.setup_lab({'a': {'steps': steps}}, ['w1'])
        yield self.request('a')
        if way == 'stop':
            yield self.stop_build(1)
            self.assertEqual((yield self.step_rows())[0], ('a', CANCELLED))
            self.end('clean')
            self.assertEqual((yield self.builds()), [CANCELLED])
        else:
            self.lose_worker()
            self.assertEqual((yield self.builds()), [RETRY])
        answers.asked[0][0].callback([])
        self.settle()
        self.assertEqual(self.running(), '')

    @parameterized.expand(
        [
            ('nextBuild', lambda args: args[1][0]),
            ('nextWorker', lambda args: args[1][0]),
            ('canStartBuild', lambda args: True),
            ('locks', lambda args: []),
        ]
    )
    @defer.inlineCallbacks
    def test_worker_taken_meanwhile(self, what, answer):
        """A request whose worker another builder has taken meanwhile starts when that is idle."""
        answers = Slow()
        builder = {**self.builder('a'), **self.words(what, answers)}
        workers = [self.createLocalWorker('w1', max_builds=1)]
        yield self.setup_lab({'a': builder, 'b': self.builder('b')}, workers)
        yield self.request('a')
        yield self.request('b')
        self.assertEqual(self.running(), 'b')
        for asked in list(answers.asked):
            asked[0].callback(answer(asked[1]))
        self.settle()
        self.assertEqual(self.running(), 'b')
        seen = len(answers.asked)
        self.end('b')
        for d, args in answers.asked[seen:]:
            d.callback(answer(args))
        self.settle()
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()


class Database(DistributionCase):
    """What the database could not do is done later."""

    @defer.inlineCallbacks
    def keep_claimed(self):
        """Return the id of a request that has not been started, and could not be given back."""
        yield self.setup_lab({'a': self.builder('a')}, ['w1'])
        self.patch(Builder, 'maybeStartBuild', lambda builder, worker, requests: defer.fail(Lost()))
        write = self.hold_write('unclaimBuildRequests', lambda brids: True)
        brid = yield self.request('a')
        write.held.errback(Lost())
        self.settle()
        return brid

    @defer.inlineCallbacks
    def test_unclaim(self):
        """A request that could not be given back is, as soon as the database can be written."""
        brid = yield self.keep_claimed()
        self.assertEqual((yield self.claimed(brid)), True)
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((yield self.claimed(brid)), False)
        self.assertTrue(self.flushLoggedErrors(Lost))

    @defer.inlineCallbacks
    def test_claim_that_could_not_be_told(self):
        """A request that was claimed before an error is given back, and tried again later."""
        yield self.setup_lab({'a': self.builder('a')}, ['w1'])
        generate = RequestData.generateEvent
        failed: list[str] = []

        def fail_to_tell(instance, brids, event):
            if event == 'claimed' and len(failed) < 2:
                failed.append(event)
                return defer.fail(Lost())
            return generate(instance, brids, event)

        self.patch(RequestData, 'generateEvent', fail_to_tell)
        heard = self.listen()
        brid = yield self.request('a')
        self.assertEqual((failed, (yield self.claimed(brid))), (['claimed'], False))
        self.assertEqual(
            heard,
            [
                f"builder 'a': build requests [{brid}] could not be claimed; they are tried again"
                ' in 10 seconds'
            ],
        )
        for _ in range(2):
            self.assertEqual(self.running(), '')
            self.reactor.advance(10)
            self.settle()
        self.assertEqual(self.running(), 'a')
        self.assertEqual(len(self.flushLoggedErrors(Lost)), 2)
        self.end('a')
        self.assertEqual(self.master.botmaster._starting_brid_to_cancel, {})

    @defer.inlineCallbacks
    def test_no_start_before_it_is_given_back(self):
        """A request is not started while it is being given back, so it is built once."""
        yield self.setup_lab({'a': self.builder('a')}, TWO)
        claim = self.master.data.updates.claimBuildRequests
        answers = [defer.fail(Lost())]

        def claim_second_time(*args, **kwargs):
            return answers.pop() if answers else claim(*args, **kwargs)

        self.patch(self.master.data.updates, 'claimBuildRequests', claim_second_time)
        write = self.hold_write('unclaimBuildRequests', lambda brids: True)
        yield self.request('a')
        self.reactor.advance(10)
        self.settle()
        self.assertEqual(self.running(), '')
        write.held.callback(None)
        self.settle()
        self.assertEqual(self.running(), 'a')
        self.end('a')
        self.assertEqual(self.running(), '')
        self.assertEqual((yield self.builds()), [SUCCESS])
        self.assertTrue(self.flushLoggedErrors(Lost))

    @defer.inlineCallbacks
    def test_unclaim_of_cancelled(self):
        """A request that is cancelled before it could be given back is cancelled then."""
        brid = yield self.keep_claimed()
        yield self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', brid))
        self.reactor.advance(10)
        self.settle()
        request = yield self.master.data.get(('buildrequests', brid))
        self.assertEqual(request['results'], CANCELLED)
        self.assertEqual(self.master.botmaster._starting_brid_to_cancel, {})
        self.assertTrue(self.flushLoggedErrors(Lost))

    @defer.inlineCallbacks
    def test_unclaim_of_retry(self):
        """A build is tried again, though its request could not be given back at once."""
        yield self.setup_lab({'a': self.builder('a')}, TWO)
        brid = yield self.request('a')
        write = self.hold_write('unclaimBuildRequests', lambda brids: True)
        self.lose_worker(self.worker_of('a'))
        write.held.errback(Lost())
        self.settle()
        self.assertEqual((yield self.claimed(brid)), True)
        self.gates['a'].running.clear()
        self.reactor.advance(10)
        self.settle()
        self.assertEqual(self.running(), 'a')
        self.assertEqual(len(self.flushLoggedErrors(Lost)), 1)
        self.end('a')

    @defer.inlineCallbacks
    def claimed(self, brid):
        return (yield self.master.data.get(('buildrequests', brid)))['claimed']

    @defer.inlineCallbacks
    def test_lost_message_of_priority(self):
        """A request whose new priority was not told has its place in line with the next reading."""
        access = self.lock.access('exclusive')
        yield self.start({name: [access] for name in 'xyz'}, ['w1', 'w2', 'w3'])
        for name in 'xyz':
            self.reactor.advance(5)
            brid = yield self.request(name)
        yield self.master.db.buildrequests.set_build_requests_priority([brid], 9)
        self.master.botmaster.builders['z'].inbox.doubt()
        self.master.botmaster.maybeStartBuildsForBuilder('z')
        self.settle()
        self.end('x')
        self.assertEqual(self.running(), 'z')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_first_in_line_is_cancelled(self):
        """If the first of like requests in line is cancelled, the next one takes its place."""
        access = self.lock.access('exclusive')
        yield self.setup_lab(
            {
                'a': self.builder('a', access, workernames=['w1']),
                'b': self.builder('b', access, workernames=['w2']),
            },
            TWO,
        )
        yield self.request('b')
        first = yield self.request('a')
        yield self.request('a')
        yield self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', first))
        self.settle()
        self.assertEqual((yield self.owners(self.lock)), (1, 1))
        self.end('b')
        self.assertEqual(self.running(), 'a')
        yield self.assert_all_done()
