# SPDX-License-Identifier: GPL-2.0-only
"""Branch locks on a master: who holds, who waits, who is next."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locks import BranchLock
from buildbot.locks import LockError
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import util
from buildbot.process.buildstep import BuildStep
from buildbot.process.properties import renderer
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase
from buildbot.test.util.lab import set_up

TWO_WORKERS = ['w1', 'w2']


class BuilderLevel(LabTestCase):
    @defer.inlineCallbacks
    def setup_two(self, locks):
        self.gate = Gate()
        steps = [GatedStep(self.gate)]
        yield self.setup_lab(
            {name: {'steps': steps, 'locks': locks} for name in ('a', 'b')}, TWO_WORKERS
        )

    @parameterized.expand(
        [
            # who asks in this order -> who runs -> who runs when the first has finished
            ('exclusive_one_branch', 'exclusive', 1, ['x', 'x'], ['x'], ['x']),
            ('exclusive_two_branches', 'exclusive', 1, ['x', 'y'], ['x', 'y'], ['y']),
            ('exclusive_next_branch', 'exclusive', 1, ['x', 'x', 'y'], ['x', 'y'], ['y', 'x']),
            ('counting_one_branch', 'counting', 2, ['x', 'x', 'x'], ['x', 'x'], ['x', 'x']),
            ('counting_of_one', 'counting', 1, ['x', 'x'], ['x'], ['x']),
            ('no_branch', 'exclusive', 1, [None, None], [None], [None]),
            ('no_branch_is_a_branch_of_its_own', 'exclusive', 1, [None, 'x'], [None, 'x'], ['x']),
        ]
    )
    @defer.inlineCallbacks
    def test_table(self, _, mode, max_count, asked, running, later):
        """Builds of one branch share the copy of that branch; of other branches, theirs."""
        lock = BranchLock('version', maxCount=max_count)
        yield self.setup_two([lock.access(mode)])
        for i, branch in enumerate(asked):
            yield self.request('ab'[i % 2], branch)
        self.assertEqual(self.branches(self.gate), running)
        self.assertEqual(len((yield self.builds())), len(running))

        self.open(self.gate, SUCCESS)
        self.assertEqual(self.branches(self.gate), later)

        while self.gate.running:
            self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS] * len(asked))
        self.assertEqual((yield self.owners(lock)), (0, 0))

    @defer.inlineCallbacks
    def test_default_branch(self):
        """A source stamp that names no branch counts as the default branch."""
        yield self.setup_two([BranchLock('version', defaultBranch='main').access('exclusive')])
        yield self.request('a', None)
        yield self.request('b', 'main')
        self.assertEqual(self.branches(self.gate), [None])

    @defer.inlineCallbacks
    def test_limit_of_a_branch(self):
        """A branch whose name fits a pattern has the limit written for it."""
        lock = BranchLock('version', maxCount=1, maxCountForBranch={'dev/*': 2})
        yield self.setup_two([lock.access('counting')])
        for builder, branch in (('a', 'dev/x'), ('b', 'dev/x'), ('a', 'main'), ('b', 'main')):
            yield self.request(builder, branch)
        self.assertEqual(self.branches(self.gate), ['dev/x', 'dev/x', 'main'])

    @defer.inlineCallbacks
    def test_renderable_sees_the_branch_before_the_build(self):
        """A lock whose name is rendered from the branch is judged with that branch at once."""

        @renderer
        def locks(props):
            return [MasterLock(f'version-{props.getProperty("branch")}').access('exclusive')]

        yield self.setup_two(locks)
        yield self.request('a', 'x')
        yield self.request('b', 'x')
        yield self.request('b', 'y')
        self.assertEqual(self.branches(self.gate), ['x', 'y'])
        self.assertEqual((yield self.builds()), [None, None])

    @defer.inlineCallbacks
    def test_locks_that_cannot_be_rendered(self):
        """A request whose locks cannot be rendered fails and says why; others go on."""

        @renderer
        def locks(props):
            if props.getProperty('branch') == 'bad':
                raise ValueError('no lock for this branch')
            return []

        yield self.setup_two(locks)
        yield self.request('a', 'bad')
        yield self.request('b', 'good')
        self.assertEqual(self.branches(self.gate), ['good'])
        self.assertEqual((yield self.builds()), [FAILURE, None])
        self.assertTrue(self.flushLoggedErrors(ValueError))

    @parameterized.expand(
        [
            (
                'no_list',
                MasterLock('lab'),
                "locks must be a list of locks, not MasterLock('lab', maxCount=1)",
            ),
            ('no_lock', [None], 'None is not a lock'),
        ]
    )
    @defer.inlineCallbacks
    def test_rendered_to_what_is_none(self, _, rendered, sentence):
        """What is rendered and is no list of locks is told in plain words, of builder and step."""
        locks = renderer(lambda props: rendered)
        steps = [BuildStep(name='s', locks=locks)]
        yield self.setup_lab({'a': {'steps': [], 'locks': locks}, 'b': {'steps': steps}}, ['w1'])
        yield self.request('a')
        yield self.request('b')
        self.assertEqual((yield self.builds()), [FAILURE, FAILURE])
        errors = self.flushLoggedErrors(LockError)
        self.assertGreater(len(errors), 1)
        for error in errors:
            self.assertEqual(str(error.value), sentence)

    @parameterized.expand([('builder',), ('step',)])
    @defer.inlineCallbacks
    def test_unlike_when_rendered(self, place):
        """A lock that is rendered otherwise than before fails that build, until a reconfig."""

        @renderer
        def locks(props):
            return [MasterLock('lab', props.getProperty('count'))]

        gate = Gate()
        builders: dict[str, Any]
        if place == 'step':
            builders = {'a': {'steps': [GatedStep(gate, locks=locks)]}}
        else:
            builders = {'a': {'steps': [GatedStep(gate)], 'locks': locks}}
        yield self.setup_lab(builders, ['w1', 'w2'])
        yield self.request('a', properties={'count': (1, 'test')})
        yield self.request('a', properties={'count': (2, 'test')})
        self.assertEqual((yield self.builds()), [None, FAILURE])
        sentence = (
            "lock 'lab': Two locks share this name: MasterLock('lab', maxCount=2), and"
            " MasterLock('lab', maxCount=1), which was there first"
        )
        self.assertEqual({str(e.value) for e in self.flushLoggedErrors(LockError)}, {sentence})

        yield self.reconfig_master(self.lab_config(builders))
        yield self.request('a', properties={'count': (2, 'test')})
        self.reactor.advance(60)  # the quarantine of the worker is over
        self.assertEqual(len(gate.running), 2)
        self.assertEqual((yield self.owners(MasterLock('lab', 2))), (2, 0))

    @defer.inlineCallbacks
    def test_unlike_kinds_when_rendered(self):
        """A rendered lock of another kind than one of its name fails its build, and no other."""
        gate = Gate()
        names = {'a': MasterLock('lab', 5), 'b': WorkerLock('lab', 5)}

        @renderer
        def locks(props):
            return [names[props.getProperty('buildername')]]

        steps = [GatedStep(gate)]
        yield self.setup_lab(
            {
                'a': {'steps': steps, 'locks': [names['a']]},
                'b': {'steps': steps, 'locks': locks},
            },
            ['w1'],
        )
        for builder in 'bab':
            yield self.request(builder)
        self.assertEqual((yield self.builds()), [FAILURE, None, FAILURE])
        self.assertTrue(self.flushLoggedErrors(LockError))

    @defer.inlineCallbacks
    def test_unlike_of_an_older_configuration(self):
        """A build that began before a reconfig takes a lock as the newer configuration has it."""
        gate, inner = Gate(), Gate()

        def builders(count):
            locks = renderer(lambda props: [MasterLock('lab', count)])
            return {
                'a': {'steps': [GatedStep(gate), GatedStep(inner, locks=locks)]},
                'b': {'steps': [GatedStep(inner, locks=locks)]},
            }

        yield self.setup_lab(builders(1), ['w1'])
        yield self.request('a')
        yield self.reconfig_master(self.lab_config(builders(2)))
        yield self.request('b')
        self.open(gate, SUCCESS)
        self.assertEqual(len(inner.running), 2)
        self.assertEqual((yield self.owners(MasterLock('lab', 2))), (2, 0))

    @defer.inlineCallbacks
    def test_rendered_with_the_sources(self):
        """A renderable that asks the build for its sources is judged quietly, and waits in line."""
        lock_of = util.Interpolate('version-%(src::branch)s')

        @renderer
        def locks(props):
            d = props.render(lock_of)
            return d.addCallback(lambda name: [MasterLock(name).access('exclusive')])

        yield self.setup_two(locks)
        claims: Any = []
        claim = self.master.data.updates.claimBuildRequests

        def count(brids, **kwargs):
            claims.append(brids)
            return claim(brids, **kwargs)

        self.patch(self.master.data.updates, 'claimBuildRequests', count)
        for builder in 'ab':
            yield self.request(builder, 'x')
        self.reactor.pump([0.1] * 50)
        self.assertEqual((self.branches(self.gate), len(claims)), (['x'], 1))
        self.open(self.gate, SUCCESS)
        self.assertEqual(self.branches(self.gate), ['x'])

    @defer.inlineCallbacks
    def test_rendered_twice(self):
        """A lock that is rendered twice into one list fails the request and is held by nobody."""
        lock, version = MasterLock('lab'), BranchLock('version')

        @renderer
        def locks(props):
            times = 2 if props.getProperty('branch') == 'twice' else 1
            return [version.access('exclusive')] + [lock.access('exclusive')] * times

        yield self.setup_two(locks)
        yield self.request('a', 'twice')
        yield self.request('b', 'once')
        self.assertEqual(self.branches(self.gate), ['once'])
        self.assertEqual((yield self.builds()), [FAILURE, None])
        (error, *_) = self.flushLoggedErrors(LockError)
        self.assertEqual(str(error.value), "lock 'lab': it is in one list twice")

    @defer.inlineCallbacks
    def test_number_of_build(self):
        """The number of a build, which it has not got yet, is missing where locks are rendered."""
        lock = MasterLock('lab')
        seen = []

        @renderer
        def locks(props):
            seen.append(props.getProperty('buildnumber', 'none'))
            return [lock.access('exclusive')]

        yield self.setup_two(locks)
        yield self.request('a', 'x')
        self.assertEqual(set(seen), {'none'})
        build = self.gate.running[0][0]
        self.assertEqual(build.getProperty('buildnumber'), 1)

    @parameterized.expand([('mere_lock',), ('renderable',)])
    @defer.inlineCallbacks
    def test_list_of(self, what):
        """A builder's list may hold a lock without its access, and a renderable of one."""
        lock = MasterLock('lab')

        @renderer
        def access(props):
            return lock.access('exclusive')

        yield self.setup_two([lock if what == 'mere_lock' else access])
        yield self.request('a', 'x')
        yield self.request('b', 'y')
        self.assertEqual(self.branches(self.gate), ['x'])
        self.open(self.gate, SUCCESS)
        self.assertEqual(self.branches(self.gate), ['y'])

    @defer.inlineCallbacks
    def lose_while(self, do):
        # the first time that the locks are rendered, and that is the one that counts, takes a while
        lock, renderings = MasterLock('lab'), []

        @renderer
        def locks(props):
            d: defer.Deferred[None] = defer.Deferred()
            d.addCallback(lambda _: [lock.access('exclusive')])
            renderings.append(d)
            if len(renderings) != 1:
                d.callback(None)
            return d

        yield self.setup_two(locks)
        yield self.request('a', 'x')
        yield do()
        renderings[0].callback(None)
        self.settle()
        self.assertEqual((yield self.owners(lock))[0], len(self.gate.running))

    def test_worker_lost_while_locks_are_rendered(self):
        """A worker that is lost while the locks are found out leaves no lock held."""

        def lose():
            for name in TWO_WORKERS:
                self.lose_worker(name)

        return self.lose_while(lose)

    def test_builder_removed_while_locks_are_rendered(self):
        """A builder that is removed while the locks are found out leaves no lock held."""
        config = self.lab_config
        steps: dict[str, list] = {'steps': []}
        return self.lose_while(lambda: self.reconfig_master(config({'b': steps})))

    @defer.inlineCallbacks
    def test_build_that_cannot_be_made(self):
        """A request of which no build can be made is completed, and the next one is tried."""
        yield self.setup_two([])
        factory = self.master.botmaster.builders['a'].config.factory
        self.patch(factory, 'newBuild', lambda *args: 1 / 0)
        brid = yield self.request('a', 'x')
        request = yield self.master.data.get(('buildrequests', brid))
        self.assertEqual((request['complete'], request['results']), (True, EXCEPTION))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    @defer.inlineCallbacks
    def test_plugin_names(self):
        """Users find the lock where all locks are."""
        yield self.setup_two([])
        self.assertIs(util.BranchLock, BranchLock)


class NoBuildBeginsToWait(LabTestCase):
    writes_states = True

    @set_up
    def setUp(self) -> Any:
        super().setUp()
        self.lock = MasterLock('lab')
        self.locked, self.free = Gate(), Gate()
        yield self.setup_lab(
            {
                'a': {'steps': [GatedStep(self.locked)], 'locks': [self.lock.access('exclusive')]},
                'b': {'steps': [GatedStep(self.locked)], 'locks': [self.lock.access('exclusive')]},
                'free': {'steps': [GatedStep(self.free)]},
            },
            [self.createLocalWorker(name, max_builds=1) for name in TWO_WORKERS],
        )

    @defer.inlineCallbacks
    def test_worker_is_left_to_others(self):
        """A request that would wait for a lock takes no worker from one that would not."""
        yield self.request('a')
        yield self.request('b')
        yield self.request('free')
        self.assertEqual(len(self.locked.running), 1)
        self.assertEqual(len(self.free.running), 1)
        self.assertEqual((yield self.builds()), [None, None])

    @parameterized.expand([('refused', False), ('failed', None)])
    @defer.inlineCallbacks
    def test_request_that_cannot_be_claimed(self, _, answer):
        """The lock is reserved before the request is claimed, and given back if it cannot be."""
        botmaster = self.master.botmaster
        real = yield botmaster.getLockByID(self.lock, 0)
        access = self.lock.access('exclusive')
        claim = self.master.data.updates.claimBuildRequests
        available = []

        def another_master_was_first(brids, **kwargs):
            available.append(real.isAvailable(self, access))
            self.patch(self.master.data.updates, 'claimBuildRequests', claim)
            return defer.succeed(False) if answer is False else defer.fail(OSError('disk is full'))

        self.patch(self.master.data.updates, 'claimBuildRequests', another_master_was_first)
        yield self.request('a')
        self.assertEqual(available, [False])
        if answer is None:
            self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
            self.assertEqual((yield self.owners(self.lock)), (0, 0))
            self.assertTrue(all(w.isAvailable() for w in botmaster.builders['a'].workers))
            yield self.request('b')  # nothing has come to a stop
        self.assertEqual(len(self.locked.running), 1)

    @parameterized.expand([(-5,), (0,), (5,)])
    @defer.inlineCallbacks
    def test_judged_with_its_priority(self, priority):
        """A request is judged with the priority with which it claims, so no claim is in vain."""
        # a step waits with a priority in between, for more than there is
        step = GatedStep(self.free, locks=[self.lock.access('exclusive')])
        yield self.reconfig_master(
            self.lab_config(
                {
                    'a': {
                        'steps': [GatedStep(self.locked)],
                        'locks': [self.lock.access('exclusive')],
                    },
                    'waits': {'steps': [step]},
                }
            )
        )
        yield self.request('a')
        yield self.request('waits', priority=-3)
        claims: Any = []
        claim = self.master.data.updates.claimBuildRequests
        self.patch(
            self.master.data.updates,
            'claimBuildRequests',
            lambda brids, **kwargs: claims.append(brids) or claim(brids, **kwargs),
        )
        yield self.request('a', priority=priority)
        self.open(self.locked, SUCCESS)
        self.reactor.pump([0.1] * 50)
        self.assertEqual(len(self.locked.running) + len(self.free.running), 1)
        self.assertLessEqual(len(claims), 1)

    @parameterized.expand([('claim',), ('unclaim',)])
    @defer.inlineCallbacks
    def test_cancel_while_the_start_is_in_vain(self, when):
        """A request that is cancelled while its worker is lost, before it starts, is cancelled."""
        claim = self.master.data.updates.claimBuildRequests
        unclaim = self.master.data.updates.unclaimBuildRequests

        def cancel(brid):
            self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', brid))
            self.reactor.advance(0)

        @defer.inlineCallbacks
        def claim_and_lose_workers(brids, **kwargs):
            claimed = yield claim(brids, **kwargs)
            for name in TWO_WORKERS:
                self.lose_worker(name)
            if when == 'claim':
                cancel(brids[0])
            return claimed

        @defer.inlineCallbacks
        def unclaim_and_cancel(brids):
            if when == 'unclaim':
                cancel(brids[0])
            yield unclaim(brids)

        self.patch(self.master.data.updates, 'claimBuildRequests', claim_and_lose_workers)
        self.patch(self.master.data.updates, 'unclaimBuildRequests', unclaim_and_cancel)
        brid = yield self.request('a')
        self.settle()
        request = yield self.master.data.get(('buildrequests', brid))
        self.assertEqual((request['complete'], request['results']), (True, CANCELLED))
        self.assertEqual((yield self.builds()), [])
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @parameterized.expand([('addBuild',), ('addStep',), ('setBuildStateString',)])
    @defer.inlineCallbacks
    def test_worker_lost_while_the_build_begins(self, update):
        """A build whose worker is lost before its first step is tried again."""
        good, waiting = getattr(self.master.data.updates, update), []

        def slowly(*args, **kwargs):
            d: defer.Deferred[None] = defer.Deferred()
            d.addCallback(lambda _: good(*args, **kwargs))
            waiting.append(d)
            return d

        self.patch(self.master.data.updates, update, slowly)
        yield self.request('a')
        self.patch(self.master.data.updates, update, good)
        (build,) = self.master.botmaster.builders['a'].building
        self.lose_worker(build.workerforbuilder.worker.workername)
        waiting.pop().callback(None)
        self.settle()
        self.assertEqual((yield self.builds())[0], RETRY)
        self.assertEqual((yield self.owners(self.lock))[0], len(self.locked.running))
        self.assertTrue(len(self.locked.running), 1)
        self.flushLoggedErrors()

    @defer.inlineCallbacks
    def test_cancel_while_the_build_is_created(self):
        """A request cancelled while its build is created gives back lock and worker."""
        add_build = self.master.data.updates.addBuild
        waiting = []

        def add_build_slowly(**kwargs):
            d: defer.Deferred[None] = defer.Deferred()
            d.addCallback(lambda _: add_build(**kwargs))
            waiting.append(d)
            return d

        self.patch(self.master.data.updates, 'addBuild', add_build_slowly)
        brid = yield self.request('a')
        self.patch(self.master.data.updates, 'addBuild', add_build)
        yield self.request('b')
        self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', brid))
        self.settle()
        waiting.pop().callback(None)
        self.settle()
        self.assertEqual((yield self.builds()), [CANCELLED, None])
        self.assertEqual(len(self.locked.running), 1)
        self.open(self.locked, SUCCESS)
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        for builder in self.master.botmaster.builders.values():
            self.assertEqual(builder.building, [])
            self.assertTrue(all(w.isAvailable() for w in builder.workers))

    @parameterized.expand(
        [
            ('addBuild',),
            ('addStep',),
            ('startStep',),
            ('setBuildProperties',),
            ('finishStep',),
            ('finishBuild',),
        ]
    )
    @defer.inlineCallbacks
    def test_database_error(self, update):
        """A write that fails gives back lock and worker, and the next request goes on."""
        good = getattr(self.master.data.updates, update)
        self.patch(
            self.master.data.updates, update, lambda *a, **k: defer.fail(OSError('disk is full'))
        )
        yield self.request('a')
        if self.locked.running:
            self.open(self.locked, SUCCESS)
        self.patch(self.master.data.updates, update, good)
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        self.assertTrue(self.flushLoggedErrors(OSError))
        self.assertEqual(self.flushLoggedErrors(AttributeError), [])

        self.reactor.advance(60)  # a worker on which a build went wrong rests for a while
        yield self.request('b')
        self.assertEqual(len(self.locked.running), 1)
        self.flushLoggedErrors()

    @defer.inlineCallbacks
    def test_lost_worker(self):
        """A lost worker's build gives back its lock, and the next request goes on."""
        yield self.request('a')
        yield self.request('b')
        name = self.locked.running[0][0].workername
        self.lose_worker(name)
        self.assertEqual(len(self.locked.running), 1)
        self.assertEqual((yield self.owners(self.lock)), (1, 0))

    @parameterized.expand([(SUCCESS,), (FAILURE,), (EXCEPTION,)])
    @defer.inlineCallbacks
    def test_end(self, result):
        """However a build ends, its lock goes to the next request."""
        yield self.request('a')
        yield self.request('b')
        self.open(self.locked, result)
        self.assertEqual(len(self.locked.running), 1)
        self.assertEqual((yield self.builds()), [result, None])

    @defer.inlineCallbacks
    def test_stop(self):
        """A build that is stopped gives its lock to the next request."""
        yield self.request('a')
        yield self.request('b')
        yield self.stop_build(1)
        self.assertEqual((yield self.builds()), [CANCELLED, None])
        self.assertEqual(len(self.locked.running), 1)


class StepLevel(LabTestCase):
    @parameterized.expand(
        [
            ('one_branch', ['x', 'x'], ['x']),
            ('two_branches', ['x', 'y'], ['x', 'y']),
        ]
    )
    @defer.inlineCallbacks
    def test_steps(self, _, asked, running):
        """Steps of one branch exclude each other, of unlike branches do not."""
        gate, lock = Gate(), BranchLock('version')
        yield self.setup_lab(
            {
                name: {'steps': [GatedStep(gate, locks=[lock.access('exclusive')])]}
                for name in ('a', 'b')
            },
        )
        for builder, branch in zip('ab', asked):
            yield self.request(builder, branch)
        self.assertEqual(self.branches(gate), running)
        while gate.running:
            self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])
        self.assertEqual((yield self.owners(lock)), (0, 0))

    @defer.inlineCallbacks
    def test_release_by_a_step_starts_a_request(self):
        """A request that pends for a lock starts when a step of another build lets it go."""
        first, second, rest = Gate(), Gate(), Gate()
        lock = MasterLock('lab')
        access = lock.access('exclusive')
        yield self.setup_lab(
            {
                'a': {'steps': [GatedStep(first, locks=[access]), GatedStep(rest)]},
                'b': {'steps': [GatedStep(second)], 'locks': [access]},
            }
        )
        yield self.request('a')
        yield self.request('b')
        self.assertEqual(second.running, [])
        self.open(first, SUCCESS)
        self.assertEqual(len(second.running), 1)
        self.assertEqual(len(rest.running), 1)

    @defer.inlineCallbacks
    def test_step_shares_the_lock_of_its_build(self):
        """A step that names a lock which its build holds shares it instead of failing."""
        gate, lock = Gate(), MasterLock('lab')
        step = GatedStep(gate, locks=[lock.access('counting')])
        yield self.setup_lab({'a': {'steps': [step], 'locks': [lock.access('exclusive')]}})
        yield self.request('a')
        self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS])
        self.assertEqual((yield self.owners(lock)), (0, 0))

    @defer.inlineCallbacks
    def test_step_wants_more_than_its_build_holds(self):
        """A step has exclusively what its build holds a unit of, once others have let it go."""
        gate, other, lock = Gate(), Gate(), MasterLock('lab', maxCount=2)
        step = GatedStep(gate, locks=[lock.access('exclusive')])
        words = {'locks': [lock.access('counting')]}
        yield self.setup_lab(
            {
                'a': {'steps': [step], **words},
                'b': {'steps': [GatedStep(other)], **words},
                'c': {'steps': [GatedStep(other)], **words},
            }
        )
        yield self.request('b')
        yield self.request('a')
        yield self.request('c')
        self.assertEqual((len(gate.running), len(other.running)), (0, 1))
        self.open(other, SUCCESS)
        self.assertEqual((len(gate.running), len(other.running)), (1, 0))
        self.open(gate, SUCCESS)
        self.open(other, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS] * 3)
        self.assertEqual((yield self.owners(lock)), (0, 0))

    @defer.inlineCallbacks
    def test_rendered_step_lock(self):
        """A step's list of locks may hold a renderable that makes one from the branch."""
        gate = Gate()

        @renderer
        def access(props):
            return MasterLock(f'version-{props.getProperty("branch")}').access('exclusive')

        steps = [GatedStep(gate, locks=[access])]
        yield self.setup_lab({name: {'steps': steps} for name in ('a', 'b')})
        yield self.request('a', 'x')
        yield self.request('b', 'x')
        self.assertEqual(self.branches(gate), ['x'])
