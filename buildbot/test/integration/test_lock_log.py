# SPDX-License-Identifier: GPL-2.0-only
"""What the log tells of locks: who waits for one, is granted it and releases it, and when."""

from __future__ import annotations

from twisted.internet import defer
from twisted.python import log

from buildbot.locks import BranchLock
from buildbot.locks import LockError
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.groups.step import StepGroup
from buildbot.process.results import CANCELLED
from buildbot.process.results import RETRY
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase


class LogCase(LabTestCase):
    def setUp(self):
        super().setUp()
        self.lines: list[str] = []
        log.addObserver(self.keep)
        self.addCleanup(log.removeObserver, self.keep)
        self.gate = Gate()

    def keep(self, event):
        line = log.textFromEventDict(event) or ''
        if '(exclusive)' in line or '(counting, ' in line:
            self.lines.append(line)

    def words_for(self):
        told, self.lines[:] = list(self.lines), []
        return told


class Steps(LogCase):
    @defer.inlineCallbacks
    def test_waits_granted_released(self):
        """A wait is told, its end with how long it was, and the release with how long it held."""
        board = WorkerLock('board').access('exclusive')
        licence = MasterLock('licence', 3).access('counting', 2)
        flash = GatedStep(self.gate, name='flash', locks=[licence])
        group = StepGroup(name='hw', locks=[board], steps=[flash])
        yield self.setup_lab({name: {'steps': [group]} for name in ('fw', 'fw-debug')}, ['lab-2'])
        yield self.request('fw')
        self.assertEqual(
            self.words_for(),
            [
                'fw #1 / hw was granted board[lab-2] (exclusive) after 0.0 s',
                'fw #1 / hw/flash was granted licence (counting, 2 units) after 0.0 s',
            ],
        )
        yield self.request('fw-debug')
        self.assertEqual(self.words_for(), ['fw-debug #1 / hw waits for board[lab-2] (exclusive)'])
        self.reactor.advance(340.25)
        self.open(self.gate, SUCCESS)
        self.assertEqual(
            self.words_for(),
            [
                'fw #1 / hw/flash released licence (counting, 2 units) after 345.2 s',
                'fw #1 / hw released board[lab-2] (exclusive) after 346.2 s',
                'fw-debug #1 / hw was granted board[lab-2] (exclusive) after 343.2 s',
                'fw-debug #1 / hw/flash was granted licence (counting, 2 units) after 0.0 s',
            ],
        )

    @defer.inlineCallbacks
    def test_several_in_one_list(self):
        """There is a line for each lock of a list, but not for one of which nothing is taken."""
        version, cpu, none = BranchLock('version'), MasterLock('cpu', 2), MasterLock('none')
        locks = [version.access('exclusive'), cpu, none.access('counting', 0)]
        yield self.setup_lab({'a': {'steps': [GatedStep(self.gate, name='s', locks=locks)]}})
        yield self.request('a', 'main')
        self.open(self.gate, SUCCESS)
        self.assertEqual(
            self.words_for(),
            [
                'a #1 / s was granted version[main] (exclusive) after 0.0 s',
                'a #1 / s was granted cpu (counting, 1 unit) after 0.0 s',
                'a #1 / s released version[main] (exclusive) after 2.0 s',
                'a #1 / s released cpu (counting, 1 unit) after 2.0 s',
            ],
        )

    @defer.inlineCallbacks
    def test_waits_in_vain(self):
        """A wait that ends without the lock is told to have ended, however it does."""
        lock = MasterLock('L', 3)
        step = GatedStep(self.gate, name='s', locks=[lock.access('counting', 3)])
        group = StepGroup(name='g', locks=step.locks, steps=[step], waitTimeout=100)
        builders = {
            'holder': {'steps': [GatedStep(self.gate, locks=[lock])]},
            'stopped': {'steps': [step]},
            'tired': {'steps': [group]},
            'hopeless': {'steps': [step]},
        }
        yield self.setup_lab(builders)
        for builder in builders:
            yield self.request(builder)
        self.words_for()
        yield self.stop_build(2)
        self.assertEqual(
            self.words_for(),
            ['stopped #1 / s stopped waiting for L (counting, 3 units) after 8.0 s'],
        )
        self.reactor.advance(100 - 8)
        self.settle()
        self.assertEqual(
            self.words_for(),
            ['tired #1 / g stopped waiting for L (counting, 3 units) after 100.0 s'],
        )
        yield self.master.botmaster.getLockByID(MasterLock('L', 2), 10)
        self.settle()
        self.assertEqual(
            self.words_for(),
            ['hopeless #1 / s stopped waiting for L (counting, 3 units) after 100.0 s'],
        )
        self.assertEqual(len(self.flushLoggedErrors(LockError)), 1)
        self.assertEqual((yield self.builds())[1:2], [CANCELLED])

    @defer.inlineCallbacks
    def test_lost_worker(self):
        """A step whose worker is lost tells that it has released."""
        step = GatedStep(self.gate, name='s', locks=[MasterLock('L')])
        yield self.setup_lab({'a': {'steps': [step]}})
        yield self.request('a')
        self.lose_worker()
        self.assertEqual(
            self.words_for(),
            [
                'a #1 / s was granted L (counting, 1 unit) after 0.0 s',
                'a #1 / s released L (counting, 1 unit) after 2.0 s',
            ],
        )
        self.assertEqual((yield self.builds()), [RETRY])


class Builds(LogCase):
    @defer.inlineCallbacks
    def test_requests_in_line(self):
        """A request waits under its own name, and its build tells how long and who waited."""
        lock = MasterLock('licence', 2)
        words = {'steps': [GatedStep(self.gate)], 'locks': [lock.access('counting', 2)]}
        yield self.setup_lab({'fw': words, 'other': words})
        yield self.request('other')
        yield self.request('fw')
        self.assertEqual(
            self.words_for(),
            [
                'other #1 was granted licence (counting, 2 units) after 0.0 s',
                'build request 2 of fw waits for licence (counting, 2 units)',
            ],
        )
        self.reactor.advance(600)
        self.open(self.gate, SUCCESS)
        self.assertEqual(
            self.words_for(),
            [
                'other #1 released licence (counting, 2 units) after 606.0 s',
                'fw #1 was granted licence (counting, 2 units) after 603.0 s,'
                ' in line as build request 2 of fw',
            ],
        )
        self.open(self.gate, SUCCESS)
        self.assertEqual(
            self.words_for(), ['fw #1 released licence (counting, 2 units) after 3.0 s']
        )

    @defer.inlineCallbacks
    def test_request_that_comes_back(self):
        """A request that leaves the line while no worker is idle tells once that it waits."""
        lock = MasterLock('L')
        want = {'steps': [GatedStep(self.gate)], 'locks': [lock.access('exclusive')]}
        other = Gate()
        on = [{'workernames': [name]} for name in ('w1', 'w2')]
        builders = {'h': {**want, **on[0]}, 'a': {**want, **on[1]}}
        builders['b'] = {'steps': [GatedStep(other)], **on[1]}
        workers = [self.createLocalWorker(name, max_builds=1) for name in ('w1', 'w2')]
        yield self.setup_lab(builders, workers)
        yield self.request('h')
        yield self.request('a')
        for _ in range(3):
            yield self.request('b')
            self.assertEqual((yield self.owners(lock)), (1, 0))
            self.open(other, SUCCESS)
            self.assertEqual((yield self.owners(lock)), (1, 1))
        self.assertEqual(
            self.words_for(),
            [
                'h #1 was granted L (exclusive) after 0.0 s',
                'build request 2 of a waits for L (exclusive)',
            ],
        )
        self.open(self.gate, SUCCESS)
        self.assertEqual(
            self.words_for(),
            [
                'h #1 released L (exclusive) after 24.0 s',
                'a #1 was granted L (exclusive) after 21.0 s, in line as build request 2 of a',
            ],
        )

    @defer.inlineCallbacks
    def test_on_each_worker(self):
        """A request that waits for a lock of each worker tells each of them, once."""
        lock = WorkerLock('board')
        words = {'steps': [GatedStep(self.gate)], 'locks': [lock.access('exclusive')]}
        yield self.setup_lab({name: words for name in 'abc'}, ['w1', 'w2'])
        yield self.request('a')
        yield self.request('b')
        self.words_for()
        yield self.request('c')
        self.assertEqual(
            sorted(self.words_for()),
            [f'build request 3 of c waits for board[w{n}] (exclusive)' for n in (1, 2)],
        )

    @defer.inlineCallbacks
    def test_worker_s_own(self):
        """The locks of the worker are told with those of the builder."""
        worker = self.createLocalWorker('w1', locks=[MasterLock('host', 2).access('counting')])
        words = {'steps': [GatedStep(self.gate)], 'locks': [MasterLock('L').access('exclusive')]}
        yield self.setup_lab({'a': words}, [worker])
        yield self.request('a')
        self.open(self.gate, SUCCESS)
        self.assertEqual(
            self.words_for(),
            [
                'a #1 was granted L (exclusive) after 0.0 s',
                'a #1 was granted host (counting, 1 unit) after 0.0 s',
                'a #1 released L (exclusive) after 3.0 s',
                'a #1 released host (counting, 1 unit) after 3.0 s',
            ],
        )

    @defer.inlineCallbacks
    def test_refused_by_the_user(self):
        """What is reserved and given back without a build, because the user says no, is no news."""
        words = {'steps': [], 'locks': [MasterLock('L')], 'canStartBuild': lambda *_: False}
        yield self.setup_lab({'a': words})
        yield self.request('a')
        self.assertEqual(self.words_for(), [])

    @defer.inlineCallbacks
    def test_build_without_a_number(self):
        """A build that never gets its number tells of its locks under the name of its request."""
        yield self.setup_lab({'a': {'steps': [], 'locks': [MasterLock('L')]}})
        held = self.hold_write('addBuild', lambda *a, **k: True)
        yield self.request('a')
        self.assertEqual(self.words_for(), [])
        held.held.errback(ValueError('the database is gone'))
        self.settle()
        self.assertEqual(
            self.words_for(),
            [
                'build request 1 of a was granted L (counting, 1 unit) after 0.0 s',
                'build request 1 of a released L (counting, 1 unit) after 2.0 s',
            ],
        )
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    @defer.inlineCallbacks
    def test_skipped(self):
        """A build that is skipped when it has begun tells what it held."""
        words = {'steps': [], 'locks': [MasterLock('L')], 'do_build_if': lambda build: False}
        yield self.setup_lab({'a': words})
        yield self.request('a')
        self.assertEqual((yield self.builds()), [SKIPPED])
        self.assertEqual(
            self.words_for(),
            [
                'a #1 was granted L (counting, 1 unit) after 0.0 s',
                'a #1 released L (counting, 1 unit) after 0.0 s',
            ],
        )


class Rows(LabTestCase):
    writes_states = True

    @defer.inlineCallbacks
    def setup_rows(self):
        self.gate = Gate()
        board = WorkerLock('board').access('exclusive')
        soak = GatedStep(self.gate, name='soak')
        group = StepGroup(name='hw', locks=[board], steps=[soak, GatedStep(self.gate)])
        yield self.setup_lab({name: {'steps': [group]} for name in ('fw', 'fw-debug')})
        yield self.request('fw')
        yield self.request('fw-debug')

    @defer.inlineCallbacks
    def rows(self):
        rows = []
        for buildid in (1, 2):
            steps = yield self.master.data.get(('builds', buildid, 'steps'))
            own = ('worker_preparation', 'locks_acquire')
            rows += [(s['name'], s['state_string']) for s in steps if s['name'] not in own]
        return rows

    @defer.inlineCallbacks
    def test_master_that_was_killed(self):
        """When a master starts, rows that were left behind say that they were interrupted."""
        yield self.setup_rows()
        waiting = 'waiting for board[w1]: held by fw #1 / hw (under a minute)'
        self.assertEqual(
            (yield self.rows()),
            [('hw', '1 of 2: soak (holds board[w1])'), ('hw/soak', 'running'), ('hw', waiting)],
        )
        for _ in range(2):  # it may be killed while it starts
            write = self.hold_write('finishStep', lambda *a, **k: True)
            self.master.data.updates.masterStopped(self.master.name, self.master.masterid)
            self.assertIsNotNone(write.held)
            yield self.master.db.masters.setMasterState(self.master.masterid, active=True)
        self.assertEqual(
            (yield self.rows()),
            [
                ('hw', 'interrupted; 1 of 2: soak'),
                ('hw/soak', 'interrupted; running'),
                ('hw', f'interrupted; {waiting}'),
            ],
        )

    @defer.inlineCallbacks
    def test_worker_that_is_lost(self):
        """The row of a group whose worker is lost does not say that it holds anything."""
        yield self.setup_rows()
        self.lose_worker()
        self.assertEqual(
            (yield self.rows()),
            [
                ('hw', '1 of 2 steps: soak cancelled'),
                ('hw/soak', 'finished (cancelled)'),
                ('hw', 'finished (cancelled)'),
            ],
        )
