# SPDX-License-Identifier: GPL-2.0-only
"""Who leaves a line is followed by who stood behind it, and what was not used wakes nobody else."""

from __future__ import annotations

import os
import random
from itertools import product
from typing import Any
from typing import Sequence

from parameterized import parameterized
from sqlalchemy.exc import OperationalError
from twisted.internet import defer

from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.builder import Builder
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from buildbot.process.properties import Property
from buildbot.process.properties import renderer
from buildbot.process.results import FAILURE
from buildbot.process.results import SKIPPED
from buildbot.test.util.distribution import TWO
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.elsewhere import claim_elsewhere
from buildbot.test.util.elsewhere import complete_elsewhere
from buildbot.test.util.idle import copies_of
from buildbot.test.util.pace import PacedCase

HOUR = 3600
# of the lock that all want
LOCKS = ('master', 'branch', 'rendered', 'worker', 'own')
# what all want: a lock of some kind, or only a worker
NEEDS = ('master', 'branch', 'worker', 'own', 'none')
# who stands behind: the next request of the same builder, or of another one
BEHIND = {'same': 'a', 'other': 'c'}
LAB = (MasterLock('lab'), BranchLock('lab'), WorkerLock('lab'))
HEARD = ('cancelled', 'taken', 'done_elsewhere', 'collapsed', 'completed')
WAYS = (*HEARD, 'taken_unheard')


def locks_of_kind(kind: str, units: int = 1) -> tuple[Any, list[Any]]:
    """Return what builders and their workers take of one lock, alone."""
    lock = MasterLock('lab', units)
    if kind == 'none':
        return [], []
    if kind == 'master':
        return [lock.access('exclusive')], []
    if kind == 'branch':
        return [BranchLock('lab', units).access('exclusive')], []
    if kind == 'key':
        return [BranchLock('lab', units, key=Property('buildername_')).access('exclusive')], []
    if kind == 'rendered':
        return renderer(lambda props: [lock.access('exclusive')]), []
    if kind == 'worker':
        return [WorkerLock('lab', units).access('exclusive')], []
    return [], [lock.access('exclusive')]


def table(*axes: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a table of tests, with their names.

    That is all combinations if ``REST_TABLES=all`` is set. Else each is there at least once, with
    those of the other axes in turn.
    """
    rows = list(product(*axes))
    if os.environ.get('REST_TABLES') != 'all':
        count = max(map(len, axes))
        rows = [
            tuple(axis[(i + i // len(axis) * n) % len(axis)] for n, axis in enumerate(axes))
            for i in range(count)
        ]
    return [('_'.join(map(str, row)), *row) for row in rows]


class RestCase(PacedCase, DistributionCase):
    """A lab that must come to rest after whatever happens, with a limit for each."""

    def setUp(self):
        super().setUp()
        self.questions: list[Any] = []

    def builder(self, name, locks, **words):
        return {**super().builder(name, **words), 'locks': locks}

    @defer.inlineCallbacks
    def start(self, builders, workers=TWO, **config):
        self.builders = builders
        yield self.setup_lab(builders, workers, **config)
        self.addCleanup(self.answer_all, False)

    def ask(self, name, **words):
        self.limit()
        return self.at_once(self.request(name, 'main', **words))

    def end(self, name):
        self.limit()
        super().end(name)
        self.assert_rests()

    def requests_running(self):
        return sorted(b.requests[0].id for g in self.gates.values() for b, _ in g.running)

    def limit(self):
        """Let no more be done than the builders and their pending requests are worth."""
        rows = self.at_once(self.master.data.get(('buildrequests',)))
        busy = len(self.builders) + sum(not row['claimed'] for row in rows)
        self.begin(looks=4 * busy, asks=4 * busy, claims=4 * busy)

    def let_hour_pass(self, looks=0):
        """Fail if anybody looks what can be started, in an hour in which nothing happens.

        :param looks: how often it is looked at a builder all the same.
        """
        self.begin(looks=looks)
        self.let_time_go(HOUR)
        self.assert_rests()

    def let_trouble_last(self):
        """Fail if it is tried more often than now and then while nothing goes well."""
        times = 5
        self.begin(looks=4 * times)
        self.let_time_go(times * BuildRequestDistributor.again_after)
        self.assert_rests()

    def later(self, answer=True):
        """Return the Deferred of an answer that ``answer_all`` gives."""
        self.pace.step('asks')
        self.questions.append(defer.Deferred())
        return self.questions[-1]

    def answer_all(self, answer):
        """Answer all that has been asked, and what is asked because of that."""
        for _ in range(20):
            if not self.questions:
                return
            question = self.questions.pop(0)
            if isinstance(answer, Exception):
                question.errback(answer)
            else:
                question.callback(answer)
            self.settle()
        self.fail('it asks without end')

    def assert_runs_out(self):
        """Let all builds end one after the other, and fail unless nothing is left then."""
        for _ in range(50):
            if not self.running():
                break
            self.end(self.running().split()[0])
        rows = self.at_once(self.master.data.get(('buildrequests',)))
        self.assertEqual([r['buildrequestid'] for r in rows if not r['complete']], [])
        self.assertEqual(self.master.botmaster._starting_brid_to_cancel, {})
        for copy in copies_of(self.master, LAB):
            self.assertEqual((copy.owners, copy.waiting), ([], []), f'{copy}')


class Leaves(RestCase):
    """Whoever leaves a line, in whatever way, is followed by who stood behind it."""

    @defer.inlineCallbacks
    def start_line(self, kind, behind, **words):
        """Let ``h`` hold the lock, and two requests wait for it."""
        locks, of_worker = locks_of_kind(kind)
        # whose worker has a build that ends is looked at anyway
        is_of_worker = kind in ('worker', 'own')
        workers = dict(zip('hac', ['w1'] * 3 if is_of_worker else ['w1', 'w2', 'w3']))
        builders = {
            name: self.builder(name, locks, workernames=[worker])
            for name, worker in workers.items()
        }
        builders['a'].update(words)
        yield self.start(builders, [self.createLocalWorker('w1', locks=of_worker), 'w2', 'w3'])
        self.ask('h')
        self.first = self.ask('a')
        self.second = self.ask(behind)
        self.assertEqual(self.running(), 'h')
        self.limit()

    def leave(self, way, brid):
        getattr(self, f'be_{way}')(brid)
        self.settle()
        self.assert_rests()

    def be_cancelled(self, brid):
        path = ('buildrequests', brid)
        self.at_once(self.master.data.control('cancel', {'reason': 'enough'}, path))

    def be_taken(self, brid):
        claim_elsewhere(self, brid)

    def be_taken_unheard(self, brid):
        claim_elsewhere(self, brid, is_told=False)

    def be_done_elsewhere(self, brid):
        claim_elsewhere(self, brid, is_told=False)
        complete_elsewhere(self, brid)

    def be_collapsed(self, brid):
        self.complete(brid, SKIPPED)

    def be_completed(self, brid):
        self.complete(brid, FAILURE)

    def complete(self, brid, results):
        self.assertTrue(self.at_once(self.master.data.updates.claimBuildRequests([brid])))
        self.at_once(self.master.data.updates.completeBuildRequests([brid], results))

    @parameterized.expand(table(list(product(WAYS, BEHIND)), LOCKS))
    @defer.inlineCallbacks
    def test_is_followed(self, _, what, kind):
        """When the lock is free, the next request starts, whatever has become of the first."""
        way, behind = what
        yield self.start_line(kind, BEHIND[behind])
        self.leave(way, self.first)
        self.assertEqual(self.running(), 'h')
        self.let_hour_pass()
        self.end('h')
        self.assertEqual(self.running(), BEHIND[behind])
        self.assertEqual(self.requests_running(), [self.second])
        self.let_hour_pass()
        if way.startswith('taken'):
            complete_elsewhere(self, self.first)
        self.assert_runs_out()

    @parameterized.expand(table(HEARD, ('master', 'branch', 'worker')))
    @defer.inlineCallbacks
    def test_lets_go_on(self, _, way, kind):
        """Who waited only because of the place of one that leaves starts at once."""
        locks, _ = locks_of_kind(kind, 2)
        small = [locks[0].lockid.access('counting')]
        yield self.start(
            {
                'h': self.builder('h', small, workernames=['w1']),
                'a': self.builder('a', locks, workernames=['w1']),
                'c': self.builder('c', small, workernames=['w1']),
            },
            ['w1'],
        )
        self.ask('h')
        first = self.ask('a')
        self.ask('c')
        self.assertEqual(self.running(), 'h')
        self.limit()
        self.leave(way, first)
        self.assertEqual(self.running(), 'c h')
        self.let_hour_pass()
        if way == 'taken':
            complete_elsewhere(self, first)
        self.assert_runs_out()

    @parameterized.expand(table(LOCKS, list(BEHIND)))
    @defer.inlineCallbacks
    def test_priority(self, _, kind, behind):
        """One that is made less urgent lets the next one go first."""
        yield self.start_line(kind, BEHIND[behind])
        path = ('buildrequests', self.first)
        self.at_once(self.master.data.control('set_priority', {'priority': -5}, path))
        self.end('h')
        self.assertEqual(self.requests_running(), [self.second])
        self.end(BEHIND[behind])
        self.assertEqual(self.requests_running(), [self.first])
        self.let_hour_pass()
        self.assert_runs_out()

    @parameterized.expand(
        table(list(product(LOCKS, ('canStartBuild', 'nextWorker'))), list(BEHIND))
    )
    @defer.inlineCallbacks
    def test_refused(self, _, what, behind):
        """One that the user's method refuses when its turn has come lets the next one go first."""
        kind, method = what
        refused: list[int] = []

        def can_start(builder, worker, request):
            self.pace.step('asks')
            return request.id not in refused

        def next_worker(builder, workers, request):
            return workers[0] if can_start(builder, workers, request) else None

        words = {method: can_start if method == 'canStartBuild' else next_worker}
        yield self.start_line(kind, BEHIND[behind], **words)
        refused.append(self.first)
        self.end('h')
        self.assertEqual(self.requests_running(), [self.second])
        self.let_hour_pass()
        refused.clear()
        self.end(BEHIND[behind])
        self.assertEqual(self.requests_running(), [self.first])
        self.assert_runs_out()

    @parameterized.expand(table(('canStartBuild', 'nextWorker'), ('master', 'branch')))
    @defer.inlineCallbacks
    def test_given_back_and_refused(self, _, what, kind):
        """One that is given back when the next has its turn, and is refused, lets that go on."""
        locks, _ = locks_of_kind(kind)
        refused: list[int] = []

        def can_start(builder, worker, request):
            self.pace.step('asks')
            return request.id not in refused

        def next_worker(builder, workers, request):
            self.pace.step('asks')
            return None if request.id in refused else workers[0]

        words = {what: can_start if what == 'canStartBuild' else next_worker}
        yield self.start({'a': self.builder('a', locks, **words)}, ['w1', 'w2'])
        refused.append(self.ask('a', priority=5))
        second = self.ask('a')
        self.assertEqual(self.requests_running(), refused)
        self.limit()
        self.lose_worker(self.gates['a'].running[0][0].workername)
        self.assertEqual(self.requests_running(), [second])
        self.let_hour_pass()
        refused.clear()
        self.end('a')
        self.assert_runs_out()

    @parameterized.expand(table(('other_locks', 'removed'), LOCKS[:4]))
    @defer.inlineCallbacks
    def test_reconfig(self, _, way, kind):
        """One whose builder needs the lock no longer, or is gone, lets the next one go first."""
        yield self.start_line(kind, 'c')
        if way == 'removed':
            del self.builders['a']
        else:
            self.builders['a']['locks'] = []
        self.at_once(self.reconfig_master(self.lab_config(self.builders)))
        self.assertEqual(self.running(), 'h' if way == 'removed' else 'a h')
        self.end('h')
        self.assertEqual(self.running(), 'c' if way == 'removed' else 'a c')
        self.let_hour_pass()

    @parameterized.expand(
        table(
            ('lost', 'paused', 'quarantine', 'full'),
            ('master', 'branch', 'rendered'),
            ('exclusive', 'counting'),
        )
    )
    @defer.inlineCallbacks
    def test_worker_gone(self, _, way, kind, size):
        """One whose worker is gone lets the next one go first, and has its turn afterwards."""
        locks, _ = locks_of_kind(kind, 2)
        lock = MasterLock('lab', 2) if kind == 'rendered' else locks[0].lockid
        small = [lock.access('counting')]
        behind = small if size == 'counting' else locks
        workers = [self.createLocalWorker(f'w{i}', max_builds=1) for i in range(4)]
        yield self.start(
            {
                'h': self.builder('h', small, workernames=['w0']),
                'a': self.builder('a', locks, workernames=['w1']),
                'c': self.builder('c', behind, workernames=['w2']),
                'full': self.builder('full', [], workernames=['w1']),
            },
            workers,
        )
        self.ask('h')
        self.ask('a')
        self.ask('c')
        self.assertEqual(self.running(), 'h')
        worker = self.master.workers.workers['w1']
        self.limit()
        if way == 'lost':
            self.lose_worker('w1')
        elif way == 'paused':
            worker.pause('enough')
        elif way == 'quarantine':
            worker.putInQuarantine()
        else:
            self.ask('full')
        self.reactor.advance(1)
        self.assert_rests()
        if size == 'counting':
            self.assertIn('c', self.running())
        self.end('h')
        self.assertIn('c', self.running())
        self.let_hour_pass(looks=4)  # a quarantine ends by itself
        if way == 'lost':
            return
        if way == 'paused':
            worker.unpause()
        self.settle()
        self.assert_runs_out()

    @parameterized.expand([('same', 'a'), ('other', 'c')])
    @defer.inlineCallbacks
    def test_hopeless(self, _, behind):
        """One that can never have its units any more fails, and lets the next one go first."""
        lock = MasterLock('lab', 3)

        def config(lock):
            locks = renderer(lambda props: [lock.access('counting', props.getProperty('units'))])
            return {
                'h': self.builder('h', [lock.access('counting', 1)]),
                'a': self.builder('a', locks),
                'c': self.builder('c', [lock.access('counting', 2)]),
            }

        yield self.start(config(lock), ['w1'])
        self.ask('h')
        self.ask('a', properties={'units': (3, 'test')})
        second = self.ask(behind, properties={'units': (2, 'test')})
        self.assertEqual(self.running(), 'h')
        self.builders = config(MasterLock('lab', 2))
        self.at_once(self.reconfig_master(self.lab_config(self.builders)))
        self.end('h')
        self.assertEqual(self.requests_running(), [second])
        self.flushLoggedErrors()
        self.let_hour_pass()
        self.assert_runs_out()


class OtherWorker(RestCase):
    """What the user says of one worker keeps a request from no other one."""

    @parameterized.expand(
        table(
            list(product(('canStartBuild', 'nextWorker'), ('w1', 'w2', 'w3', 'w4'))),
            ('first', 'last'),
            ('master', 'branch', 'rendered', 'none'),
        )
    )
    @defer.inlineCallbacks
    def test_only_one_will_do(self, _, what, chance, kind):
        """A request starts on the worker that the user wants, whichever has been looked at first.

        Two have a lock of their own. Two are busy when the request comes, and are idle before its
        lock is free.
        """
        method, wanted = what
        self.patch(random, 'choice', lambda some: some[0 if chance == 'first' else -1])
        locks, _ = locks_of_kind(kind)
        own = [MasterLock('own', 9).access('counting')]
        workers = [
            self.createLocalWorker(name, max_builds=1, locks=own if name in ('w2', 'w4') else [])
            for name in ('w1', 'w2', 'w3', 'w4', 'w5')
        ]

        def can_start(builder, worker, request):
            self.pace.step('asks')
            return worker.worker.workername == wanted

        def next_worker(builder, workers, request):
            self.pace.step('asks')
            fitting = [w for w in workers if w.worker.workername == wanted]
            return fitting[0] if fitting else None

        words = {method: can_start if method == 'canStartBuild' else next_worker}
        names = ['w1', 'w2', 'w3', 'w4']
        builders = {
            'h': self.builder('h', locks, workernames=['w5']),
            'a': self.builder('a', locks, workernames=names, **words),
            **{f'z{i}': self.builder(f'z{i}', [], workernames=[f'w{i}']) for i in (3, 4)},
        }
        yield self.start(builders, workers)
        for name in ('h', 'z3', 'z4', 'a'):
            self.ask(name)
        self.end('z3')
        self.end('z4')
        self.end('h')
        self.assertEqual(self.running(), 'a')
        self.assertEqual(self.gates['a'].running[0][0].workername, wanted)
        self.let_hour_pass()
        self.assert_runs_out()


class Unused(RestCase):
    """A reservation that ends without a build wakes nobody but who waited because of it."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.flushLoggedErrors, ZeroDivisionError, OperationalError)

    @defer.inlineCallbacks
    def start_pair(self, kind, each=1, **words):
        """Let ``h`` hold the lock and requests of a and b wait for it; z does something else.

        :param each: how many requests each of them has.
        """
        locks, of_worker = locks_of_kind(kind)
        shared = kind in ('worker', 'own')  # a lock of one worker
        of_a = of_b = of_h = ['w1']
        if not shared:
            of_h, of_a, of_b = ['w2'], ['w1', 'w3'], ['w1', 'w3']
        most = 1 if kind == 'none' else None
        if kind == 'none':
            of_h, of_a, of_b = ['w1'], ['w1'], ['w1']
        worker = self.createLocalWorker('w1', locks=of_worker, max_builds=most)
        yield self.start(
            {
                'h': self.builder('h', locks, workernames=of_h),
                'a': self.builder('a', locks, workernames=of_a, **words),
                'b': self.builder('b', locks, workernames=of_b, **words),
                'z': self.builder('z', [], workernames=['w4']),
            },
            [worker, 'w2', 'w3', 'w4'],
        )
        self.ask('z')
        self.ask('h')
        self.brids = [self.ask(name) for _ in range(each) for name in 'ab']
        self.assertEqual(self.running(), 'h z')

    def assert_goes_on(self):
        """Let something happen, and fail unless all has its turn then."""
        self.ask('a')
        self.ask('b')
        self.assert_runs_out()

    @parameterized.expand(
        table(
            list(
                product(
                    ('canStartBuild', 'nextWorker', 'nextBuild'),
                    ('no', 'raises', 'later_no', 'later_raises'),
                )
            ),
            NEEDS,
            (1, 2),
        )
    )
    @defer.inlineCallbacks
    def test_refused(self, _, what, kind, each):
        """A method of the user's that says no to all is asked again when something happens."""
        method, says = what
        is_no = [False]

        def answer(builder, some, request=None):
            self.pace.step('asks')
            if not is_no[0]:
                return True if method == 'canStartBuild' else some[0]
            if says == 'raises':
                raise ZeroDivisionError
            return self.answer(method, says)

        yield self.start_pair(kind, each, **{method: answer})
        is_no[0] = True
        no = False if method == 'canStartBuild' else None
        self.end('h')
        self.answer_all(ZeroDivisionError() if says == 'later_raises' else no)
        self.assert_rests()
        self.assertEqual(self.running(), 'z')
        for copy in copies_of(self.master, LAB):
            self.assertEqual(copy.owners, [])
        self.let_hour_pass()
        is_no[0] = False
        self.assert_goes_on()

    def answer(self, method, says):
        if says == 'no':
            return False if method == 'canStartBuild' else None
        self.questions.append(defer.Deferred())
        return self.questions[-1]

    @parameterized.expand(table(('master', 'branch'), (1, 2)))
    @defer.inlineCallbacks
    def test_one_refuses(self, _, kind, each):
        """What one builder does not use goes to the other."""
        is_no = [False]

        def answer(builder, worker, request):
            self.pace.step('asks')
            return not (is_no[0] and builder.name == 'a')

        yield self.start_pair(kind, each, canStartBuild=answer)
        is_no[0] = True
        self.end('h')
        self.assertEqual(self.running(), 'b z')
        self.let_hour_pass()
        is_no[0] = False
        self.assert_goes_on()

    @parameterized.expand(
        table(('lost', 'paused', 'taken', 'taken_unheard', 'cancelled', 'reconfig', 'none'), NEEDS)
    )
    @defer.inlineCallbacks
    def test_meanwhile(self, _, way, kind):
        """What happens while canStartBuild thinks comes to rest, and its late yes counts or not."""
        thinks = [False]

        def can_start(builder, worker, request):
            return self.later() if thinks[0] else True

        yield self.start_pair(kind, canStartBuild=can_start)
        thinks[0] = True
        self.end('h')
        # if there is no lock that is held meanwhile, the other builder asks as well
        self.assertEqual(len(self.questions), 2 if kind == 'none' else 1)
        thinks[0] = False
        brid = self.brids[0]
        self.limit()
        if way == 'lost':
            for name in ('w1', 'w3'):
                self.lose_worker(name)
        elif way == 'paused':
            for name in ('w1', 'w3'):
                self.master.workers.workers[name].pause('enough')
        elif way.startswith('taken'):
            claim_elsewhere(self, brid, is_told=way == 'taken')
        elif way == 'cancelled':
            path = ('buildrequests', brid)
            self.at_once(self.master.data.control('cancel', {'reason': 'enough'}, path))
        elif way == 'reconfig':
            self.reconfig_master(self.lab_config(self.builders))
        self.settle()
        self.answer_all(True)
        self.assert_rests()
        if way in ('lost', 'paused'):
            self.let_hour_pass()
            # a yes that comes after a pause may count
            at_most = 1 if way == 'paused' else 0
            running = self.running().split()
            self.assertLessEqual(len(running), 1 + at_most)
            for copy in copies_of(self.master, LAB):
                self.assertEqual(len(copy.owners), len(running) - 1)
            return
        self.let_hour_pass()
        running = self.running().split()
        self.assertEqual(len(running), 2, running)  # z and another one
        if way.startswith('taken'):
            self.assertNotIn(brid, self.requests_running())
            complete_elsewhere(self, brid)
        self.assert_goes_on()

    @parameterized.expand(table(('taken', 'taken_unheard', 'cancelled', 'fails', 'none'), NEEDS))
    @defer.inlineCallbacks
    def test_while_it_is_claimed(self, _, way, kind):
        """What happens while a request is claimed comes to rest, and its lock is not kept."""
        yield self.start_pair(kind)
        brid = self.brids[0]
        held = self.hold_write('claimBuildRequests', lambda brids, **words: True)
        self.end('h')
        self.assertEqual(self.running(), 'z')
        self.limit()
        if way.startswith('taken'):
            claim_elsewhere(self, brid, is_told=way == 'taken')
        elif way == 'cancelled':
            path = ('buildrequests', brid)
            self.at_once(self.master.data.control('cancel', {'reason': 'enough'}, path))
        if way == 'fails':
            held.held.errback(OperationalError('select', {}, Exception('locked')))
        else:
            held.held.callback(None)
        self.settle()
        self.assert_rests()
        self.let_time_go(BuildRequestDistributor.again_after)
        self.settle()
        self.let_hour_pass()
        self.assertEqual(len(self.running().split()), 2, self.running())  # z and another one
        if way.startswith('taken'):
            self.assertNotIn(brid, self.requests_running())
            complete_elsewhere(self, brid)
        self.assert_goes_on()

    @parameterized.expand(table(NEEDS, (1, 2)))
    @defer.inlineCallbacks
    def test_shutdown(self, _, kind, each):
        """Before a clean shutdown nothing is looked at over and over, and it can be taken back."""
        yield self.start_pair(kind, each)
        d = self.master.botmaster.cleanShutdown(stopReactor=False)
        self.end('h')
        self.assertEqual(self.running(), 'z')
        for copy in copies_of(self.master, LAB):
            self.assertEqual(copy.owners, [])
        self.let_hour_pass()
        self.master.botmaster.cancelCleanShutdown()
        self.end('z')
        self.assertTrue(d.called)
        self.assertIn(self.running(), ('a', 'b'))  # nothing else has to happen for that
        self.let_hour_pass()
        self.assert_goes_on()

    @parameterized.expand(table(('refuses', 'raises', 'refuses_once', 'raises_once'), NEEDS))
    @defer.inlineCallbacks
    def test_plugin(self, _, what, kind):
        """A plugin's maybeStartBuild that starts nothing is not asked without end."""
        yield self.start_pair(kind)
        start = Builder.maybeStartBuild
        times = [0]

        def refuse(builder, worker, requests):
            times[0] += 1
            self.pace.step('asks')
            if what.endswith('once') and times[0] > 1:
                return start(builder, worker, requests)
            if what.startswith('raises'):
                return defer.fail(ZeroDivisionError())
            return defer.succeed(False)

        self.patch(Builder, 'maybeStartBuild', refuse)
        self.end('h')
        self.let_trouble_last()
        self.patch(Builder, 'maybeStartBuild', start)
        self.assert_goes_on()

    @defer.inlineCallbacks
    def test_workers_of_sisters(self):
        """A plugin whose builders lend one another their workers runs as many as there are."""
        names = [f'p{i}' for i in range(3)]
        lock = WorkerLock('lab', 3)
        locks = renderer(lambda props: [lock.access('counting')])
        available, start = Builder.getAvailableWorkers, Builder.maybeStartBuild

        def of_all(builder):
            sisters = (builder.botmaster.builders[name] for name in names)
            return [worker for sister in sisters for worker in available(sister)]

        def start_there(builder, worker, requests):
            return start(worker.builder, worker, requests)

        self.patch(Builder, 'getAvailableWorkers', of_all)
        self.patch(Builder, 'maybeStartBuild', start_there)
        yield self.start({name: self.builder(name, locks) for name in names}, ['w1'])
        for _ in range(4):
            self.ask('p0')
        self.assertEqual(len(self.running().split()), 3)
        self.let_hour_pass()
        self.assert_runs_out()

    @parameterized.expand(table(('make', 'read'), NEEDS))
    @defer.inlineCallbacks
    def test_error(self, _, error, kind):
        """What the database fails at once is tried again a little later, and not all the time."""
        yield self.start_pair(kind)
        trouble = OperationalError('select', {}, Exception('locked'))
        failing = [True]
        make = BuildRequest.fromBrdict

        def read(master, brdict):
            return defer.fail(trouble) if failing[0] else make(master, brdict)

        factories = [self.master.botmaster.builders[name].config.factory for name in 'ab']
        for factory in factories:
            new = factory.newBuild

            def fail(requests, builder, new=new):
                if failing[0]:
                    raise trouble
                return new(requests, builder)

            if error == 'make':
                factory.newBuild = fail
        if error == 'read':
            self.patch(BuildRequest, 'fromBrdict', read)
            for name in 'ab':
                self.ask(name)
        self.end('h')
        self.let_trouble_last()
        failing[0] = False
        self.limit()
        self.let_time_go(60)
        self.assertEqual(len(self.running().split()), 2)  # z and another one
        self.assert_goes_on()
