# SPDX-License-Identifier: GPL-2.0-only
"""What cannot be written, or is written late, keeps nobody from going on."""

from __future__ import annotations

import gc
import os
import random
from types import SimpleNamespace
from typing import Any

from parameterized import parameterized
from sqlalchemy.exc import OperationalError
from twisted.internet import defer

from buildbot.db.buildrequests import NotClaimedError
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process import builder
from buildbot.process.buildrequestdistributor import BuildChooserBase
from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from buildbot.process.buildstep import BuildStep
from buildbot.process.groups.step import StepGroup
from buildbot.process.groups.tally import Tally
from buildbot.process.latewrite import cancel_later
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase
from buildbot.worker.protocols.null import Connection as NullConnection

#: ``FAILED_WRITES=50`` tells more of the histories at the end
SEEDS = int(os.environ.get('FAILED_WRITES', '3'))


def no_database():
    return OperationalError('INSERT', {}, Exception('disk is full'))


class FailedWrite:
    """A write to the database that fails for a while.

    :param updates: the master's ``data.updates``.
    :param name: which kind of write.
    :ivar fails: whether it does now.
    :ivar failed: how often it has.
    """

    def __init__(self, updates, name):
        self.fails = True
        self.failed = 0
        self._write = getattr(updates, name)

    def __call__(self, *args, **kwargs):
        if not self.fails:
            return self._write(*args, **kwargs)
        self.failed += 1
        return defer.fail(no_database())


class LoggingStep(GatedStep):
    @defer.inlineCallbacks
    def run(self):
        yield self.addLog('stdio')
        return (yield super().run())


class FailingCase(LabTestCase):
    def setUp(self):
        super().setUp()
        # what tests before this one have left is logged when it is collected
        gc.collect()
        self.flushLoggedErrors(OperationalError)

    def fail_write(self, name):
        updates = self.master.data.updates
        failing = FailedWrite(updates, name)
        self.patch(updates, name, failing)
        return failing

    def starting(self):
        return self.master.botmaster._starting_brid_to_cancel

    @defer.inlineCallbacks
    def requests(self):
        """Return (complete, results) of all build requests, in order."""
        rows = yield self.master.data.get(('buildrequests',), order=['buildrequestid'])
        return [(row['complete'], row['results']) for row in rows]


class TakesAll(BuildChooserBase):
    """As a user may write it: a build is made of all that is pending."""

    @defer.inlineCallbacks
    def chooseNextBuild(self):
        yield self._fetchUnclaimedBrdicts()
        workers = self.bldr.getAvailableWorkers()
        if not self.unclaimedBrdicts or not workers:
            return None, None
        requests = []
        for brdict in self.unclaimedBrdicts:
            requests.append((yield self._getBuildRequestForBrdict(brdict)))
        self.unclaimedBrdicts = []
        return workers[0], requests


class Group(FailingCase):
    @defer.inlineCallbacks
    def start(self, **words):
        self.lock, self.gate, self.clean = MasterLock('L'), Gate(), Gate()
        inner = [GatedStep(self.gate, name=name, haltOnFailure=True) for name in 'xy']
        inner.append(GatedStep(self.clean, name='clean', alwaysRun=True))
        group = StepGroup(
            name='g', locks=[self.lock.access('exclusive')], steps=inner, parallel=2, **words
        )
        yield self.setup_lab({'a': {'steps': [group]}})
        yield self.request('a')

    @defer.inlineCallbacks
    def assert_ended(self, result):
        self.assertEqual((yield self.builds()), [result])
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @parameterized.expand([('count',), ('cut_short',)])
    @defer.inlineCallbacks
    def test_error_at_the_end_of_a_step(self, what):
        """If a step cannot be ended, that is logged, and the group goes on and cleans up."""
        yield self.start(interruptOnFailure=True)
        group = self.gate.running[0][0].currentStep

        def fail(*args):
            raise ValueError('no way')

        self.patch(Tally if what == 'count' else group.group_run, what, fail)
        self.open(self.gate, FAILURE if what == 'cut_short' else SUCCESS)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.patch(Tally, 'count', lambda *args: False)
        self.open(self.gate, SUCCESS)
        self.open(self.clean, SUCCESS)
        self.assertEqual((yield self.step_rows())[0], ('g', EXCEPTION))
        yield self.assert_ended(FAILURE)

    @parameterized.expand([('addLog',), ('appendLog',), ('finishLog',)])
    @defer.inlineCallbacks
    def test_time_that_is_over(self, name):
        """A group ends when it is written that its time was over, however long that takes."""
        yield self.start(maxTime=60)
        write = self.hold_write(name, lambda *args: True)
        self.reactor.advance(60)
        self.settle()
        self.assertIsNotNone(write.held)
        self.open(self.clean, SUCCESS)
        write.held.callback(None)
        self.settle()
        yield self.assert_ended(FAILURE)
        rows = yield self.master.data.get(('builds', 1, 'steps'))
        (row,) = [row for row in rows if row['name'] == 'g']
        (log,) = yield self.master.data.get(('steps', row['stepid'], 'logs'))
        self.assertEqual((log['name'], log['complete']), ('timed out', True))

    @defer.inlineCallbacks
    def test_time_that_is_over_cannot_be_written(self):
        """It ends, too, if that cannot be written."""
        yield self.start(maxTime=60)
        self.fail_write('addLog')
        self.reactor.advance(60)
        self.settle()
        self.open(self.clean, SUCCESS)
        yield self.assert_ended(FAILURE)
        self.assertTrue(self.flushLoggedErrors(OperationalError))

    @defer.inlineCallbacks
    def test_stop_that_cannot_be_written(self):
        """A stop reaches what runs, though its log cannot be written."""
        yield self.start()
        self.fail_write('addLog')
        yield self.stop_build(1)
        self.open(self.clean, SUCCESS)
        yield self.assert_ended(CANCELLED)
        self.assertTrue(self.flushLoggedErrors(OperationalError))


class Rows(FailingCase):
    writes_states = True

    @parameterized.expand(
        [
            ('of_a_build', 'finishBuild', False),
            ('of_a_step', 'finishStep', False),
            ('of_a_step_in_a_group', 'finishStep', True),
        ]
    )
    @defer.inlineCallbacks
    def test_ended_at_last(self, _, write, in_group):
        """Rows whose end cannot be written have one as soon as it can be."""
        gate = Gate()
        step: BuildStep = LoggingStep(gate)
        if in_group:
            step = StepGroup([step])
        yield self.setup_lab({'a': {'steps': [step]}})
        yield self.request('a')
        failing = self.fail_write(write)
        self.open(gate, SUCCESS)
        self.reactor.advance(10)
        failing.fails = False
        self.reactor.advance(10)
        self.settle()
        build = yield self.master.data.get(('builds', 1))
        rows = yield self.master.data.get(('builds', 1, 'steps'))
        logs = yield self.master.data.get(('builds', 1, 'steps', rows[-1]['number'], 'logs'))
        self.assertEqual(
            [row['complete'] for row in [build, *rows, *logs]], [True] * (4 + in_group)
        )
        self.assertNotEqual(build['state_string'], 'building')
        self.assertTrue(self.flushLoggedErrors(OperationalError))

    @defer.inlineCallbacks
    def test_known_ends_stay(self):
        """What has an end already keeps it, and its sentence."""
        gate = Gate()
        yield self.setup_lab({'a': {'steps': [GatedStep(gate, name=name) for name in 'xy']}})
        yield self.request('a')
        self.open(gate, SUCCESS)
        failing = self.fail_write('finishBuild')
        self.open(gate, SUCCESS)
        failing.fails = False
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((yield self.step_rows()), [('x', SUCCESS), ('y', SUCCESS)])
        rows = yield self.master.data.get(('builds', 1, 'steps'))
        self.assertNotIn('its end could not be written', [row['state_string'] for row in rows])
        self.assertEqual((yield self.builds()), [SUCCESS])
        self.assertTrue(self.flushLoggedErrors(OperationalError))


class Beginning(FailingCase):
    @defer.inlineCallbacks
    def start(self, **words):
        self.lock, self.gate = MasterLock('L'), Gate()
        builder = {
            'steps': [GatedStep(self.gate)],
            'locks': [self.lock.access('exclusive')],
            **words,
        }
        yield self.setup_lab({'a': builder})

    @defer.inlineCallbacks
    def assert_done(self, *results):
        self.reactor.advance(3600)  # a worker rests after an error
        self.settle()
        while self.gate.running:
            self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.requests()), [(True, result) for result in results])
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        self.assertEqual(self.starting(), {})
        self.assertTrue(self.flushLoggedErrors(OperationalError))

    @parameterized.expand(
        [('addBuild', EXCEPTION), ('addStep', EXCEPTION), ('setBuildProperties', EXCEPTION)]
    )
    @defer.inlineCallbacks
    def test_build_that_cannot_begin(self, write, result):
        """A build that cannot begin leaves nothing of its start behind."""
        yield self.start()
        failing = self.fail_write(write)
        yield self.request('a')
        failing.fails = False
        yield self.assert_done(result)

    @defer.inlineCallbacks
    def test_cancelled_while_it_cannot_begin(self):
        """A request that is cancelled while its build cannot begin is cancelled."""
        yield self.start()
        held = self.hold_write('addBuild', lambda **words: True)
        brid = yield self.request('a')
        yield self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', brid))
        self.settle()
        held.held.errback(no_database())
        self.settle()
        yield self.assert_done(CANCELLED)

    @defer.inlineCallbacks
    def test_one_of_several_is_cancelled(self):
        """If one of a build's requests is cancelled while it begins, nothing is left of them."""
        self.patch(BuildRequestDistributor, 'BuildChooser', TakesAll)
        yield self.start()
        held = self.hold_write('addBuild', lambda **words: True)
        kept_back = self.patch(self, 'settle', lambda: None)
        brids = [(yield self.request('a')), (yield self.request('a'))]
        kept_back.restore()
        self.settle()
        self.assertEqual(sorted(self.starting()), brids)
        path = ('buildrequests', brids[0])
        yield self.master.data.control('cancel', {'reason': 'enough'}, path)
        self.settle()
        held.held.callback(None)
        self.settle()
        self.assertEqual((yield self.requests()), [(True, CANCELLED)] * 2)
        self.assertEqual(self.starting(), {})


class Starting(FailingCase):
    @parameterized.expand([('refused', lambda: False), ('error', lambda: 1 / 0)])
    @defer.inlineCallbacks
    def test_given_back_at_last(self, _, answer):
        """A request whose build does not start is given back as soon as that can be written."""
        gate = Gate()
        yield self.setup_lab({'a': {'steps': [GatedStep(gate)]}})
        builder = self.master.botmaster.builders['a']
        start = lambda *args: defer.execute(answer)
        not_now = self.patch(builder, 'maybeStartBuild', start)
        failing = self.fail_write('unclaimBuildRequests')
        yield self.request('a')
        not_now.restore()
        failing.fails = False
        self.reactor.advance(10)
        self.settle()
        self.master.botmaster.maybeStartBuildsForBuilder('a')
        self.settle()
        self.open(gate, SUCCESS)
        self.assertEqual((yield self.requests()), [(True, SUCCESS)])
        self.assertEqual(self.starting(), {})
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)
        self.flushLoggedErrors(ZeroDivisionError)


class Completion(FailingCase):
    """Build p waits for a build c that it triggers, and holds a lock meanwhile."""

    @defer.inlineCallbacks
    def start(self):
        self.lock, self.gate = MasterLock('L'), Gate()
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True)
        yield self.setup_lab(
            {
                'p': {'steps': [trigger], 'locks': [self.lock.access('exclusive')]},
                'c': {'steps': [GatedStep(self.gate)]},
            },
            ['w1', 'w2'],
            schedulers=[schedulers.Triggerable(name='t', builderNames=['c'])],
        )
        yield self.request('p')
        self.settle()

    @parameterized.expand([('completeBuildRequests',), ('maybeBuildsetComplete',)])
    @defer.inlineCallbacks
    def test_written_at_last(self, write):
        """Who waits for a build goes on when it can be written that its request is complete."""
        yield self.start()
        failing = self.fail_write(write)
        self.open(self.gate, SUCCESS)
        for _ in range(12):
            self.reactor.advance(10)
        self.assertGreater(failing.failed, 10)
        self.assertEqual((yield self.builds()), [None, SUCCESS])
        failing.fails = False
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        self.assertEqual((yield self.requests()), [(True, SUCCESS)] * 2)
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)
        self.flushLoggedErrors(NotClaimedError)

    @defer.inlineCallbacks
    def test_never_asked_for(self):
        """Who could not ask for the build that it wants to wait for fails, and lets its lock go."""
        yield self.start()
        self.open(self.gate, SUCCESS)
        held = self.hold_write('addBuildset', lambda **words: words['waited_for'])
        yield self.request('p')
        held.held.errback(no_database())
        self.settle()
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS, EXCEPTION])
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @defer.inlineCallbacks
    def test_removed_builder(self):
        """So it is if its builder has been removed meanwhile."""
        yield self.start()
        failing = self.fail_write('completeBuildRequests')
        self.open(self.gate, SUCCESS)
        kept = {'kept': {'steps': [GatedStep(self.gate)]}}
        triggerable = schedulers.Triggerable(name='t', builderNames=['kept'])
        yield self.reconfig_master(self.lab_config(kept, schedulers=[triggerable]))
        failing.fails = False
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])
        self.assertTrue(self.flushLoggedErrors(OperationalError))

    @defer.inlineCallbacks
    def test_stopped_twice(self):
        """A second stop ends the wait for a build whose end is never written."""
        yield self.start()
        failing = self.fail_write('completeBuildRequests')
        self.open(self.gate, SUCCESS)
        yield self.stop_build(1)
        self.assertEqual((yield self.builds()), [None, SUCCESS])
        yield self.stop_build(1)
        self.assertEqual((yield self.builds()), [CANCELLED, SUCCESS])
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        failing.fails = False
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((yield self.requests()), [(True, CANCELLED), (True, SUCCESS)])
        self.assertTrue(self.flushLoggedErrors(OperationalError))

    @defer.inlineCallbacks
    def test_master_that_stops(self):
        """A master that stops tries no more."""
        yield self.start()
        failing = self.fail_write('completeBuildRequests')
        self.open(self.gate, SUCCESS)
        yield self.stop_build(1)
        yield self.stop_build(1)
        yield self.tested_master.shutdown()
        failed = failing.failed
        self.reactor.advance(3600)
        self.assertEqual(failing.failed, failed)
        self.assertTrue(self.flushLoggedErrors(OperationalError))


class Cancelling(FailingCase):
    """A request that is claimed only to be completed at once."""

    @defer.inlineCallbacks
    def start(self, **config):
        self.gate = Gate()
        yield self.setup_lab({'a': {'steps': [GatedStep(self.gate)]}}, **config)
        for worker in self.lab_workers:
            worker.pause('enough')

    @parameterized.expand([('completeBuildRequests',), ('unclaimBuildRequests',)])
    @defer.inlineCallbacks
    def test_cancelled_at_last(self, late):
        """If a cancel cannot be written, the request is given back, and cancelled later."""
        yield self.start()
        brid = yield self.request('a')
        failing = [self.fail_write(name) for name in {'completeBuildRequests', late}]
        yield self.master.data.control('cancel', {'reason': 'x'}, ('buildrequests', brid))
        self.settle()
        self.lab_workers[0].unpause()
        self.reactor.advance(5)
        self.settle()
        self.assertEqual(self.gate.running, [])
        for write in failing:
            self.reactor.advance(10)
            self.settle()
            write.fails = False
        self.reactor.advance(30)
        self.settle()
        self.assertEqual((yield self.requests()), [(True, CANCELLED)])
        self.assertEqual(self.starting(), {})
        self.assertGreaterEqual(len(self.flushLoggedErrors(OperationalError)), 1)

    @defer.inlineCallbacks
    def test_buildset(self):
        """If only the end of its buildset cannot be written, that is written later."""
        yield self.start()
        brid = yield self.request('a')
        failing = self.fail_write('maybeBuildsetComplete')
        yield self.master.data.control('cancel', {'reason': 'x'}, ('buildrequests', brid))
        self.settle()
        failing.fails = False
        self.reactor.advance(10)
        self.settle()
        [buildset] = yield self.master.data.get(('buildsets',))
        self.assertEqual((buildset['complete'], buildset['results']), (True, CANCELLED))
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(NotClaimedError)), 1)

    @parameterized.expand([('completeBuildRequests',), ('maybeBuildsetComplete',)])
    @defer.inlineCallbacks
    def test_before_its_build(self, write):
        """A request that is cancelled while its build is made, in vain, is complete at last."""
        yield self.start()
        slow: defer.Deferred[None] = defer.Deferred()
        self.patch(builder, 'find_owner_around', lambda *args: slow)
        self.lab_workers[0].unpause()
        brid = yield self.request('a')
        yield self.master.data.control('cancel', {'reason': 'x'}, ('buildrequests', brid))
        self.lab_workers[0].pause('enough')
        failing = self.fail_write(write)
        slow.callback(None)
        self.settle()
        self.assertEqual(self.starting(), {brid: False})
        failing.fails = False
        self.lab_workers[0].unpause()
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((yield self.requests()), [(True, CANCELLED)])
        [buildset] = yield self.master.data.get(('buildsets',))
        self.assertTrue(buildset['complete'])
        self.assertEqual((yield self.builds()), [])
        self.assertEqual(self.starting(), {})
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)
        self.flushLoggedErrors(NotClaimedError)

    @defer.inlineCallbacks
    def test_claimed_before(self):
        """If it cannot even be claimed, it is cancelled later."""
        yield self.start()
        brid = yield self.request('a')
        claim = self.master.db.buildrequests.claimBuildRequests
        fails = lambda brids: defer.fail(no_database())
        self.patch(self.master.db.buildrequests, 'claimBuildRequests', fails)
        yield self.master.data.control('cancel', {'reason': 'x'}, ('buildrequests', brid))
        self.settle()
        self.patch(self.master.db.buildrequests, 'claimBuildRequests', claim)
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((yield self.requests()), [(True, CANCELLED)])
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)

    @defer.inlineCallbacks
    def test_begun_meanwhile(self):
        """If its build has begun since the row was read, that build is stopped."""
        yield self.start()
        brid = yield self.request('a')
        row = yield self.master.data.get(('buildrequests', brid))
        self.lab_workers[0].unpause()
        self.settle()
        late = cancel_later(self.master.botmaster, brid, row, 'x')
        self.reactor.advance(9)
        self.settle()
        yield late
        self.assertEqual((yield self.requests()), [(True, CANCELLED)])
        self.assertEqual((yield self.builds()), [CANCELLED])

    @defer.inlineCallbacks
    def test_read_before(self):
        """If it cannot even be read, it is cancelled later, too."""
        yield self.start()
        brid = yield self.request('a')
        get = self.master.data.get
        fails = lambda *args: defer.fail(no_database())
        self.patch(self.master.data, 'get', fails)
        yield self.master.data.control('cancel', {'reason': 'x'}, ('buildrequests', brid))
        self.settle()
        self.patch(self.master.data, 'get', get)
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((yield self.requests()), [(True, CANCELLED)])
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)

    @defer.inlineCallbacks
    def test_merged(self):
        """If requests cannot be merged into a new one, that and they are built."""
        yield self.start(collapseRequests=True)
        yield self.request('a')
        failing = self.fail_write('completeBuildRequests')
        yield self.request('a')
        failing.fails = False
        self.lab_workers[0].unpause()
        for _ in range(2):
            self.reactor.advance(10)
            self.settle()
            self.gate.open(SUCCESS)
        self.settle()
        self.assertEqual((yield self.requests()), [(True, SUCCESS)] * 2)
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)

    @defer.inlineCallbacks
    def test_merged_in_part(self):
        """If only the end of a merged request's buildset cannot be written, it is later."""
        yield self.start(collapseRequests=True)
        yield self.request('a')
        failing = self.fail_write('maybeBuildsetComplete')
        yield self.request('a')
        failing.fails = False
        self.reactor.advance(10)
        self.settle()
        rows = yield self.master.data.get(('buildsets',), order=['bsid'])
        self.assertEqual([row['complete'] for row in rows], [True, False])
        self.assertGreaterEqual(len(self.flushLoggedErrors(OperationalError)), 1)


class Disconnection(FailingCase):
    @defer.inlineCallbacks
    def test_written_at_last(self):
        """A worker is gone for its builders at once, and in the database when that can be."""
        gate = Gate()
        yield self.setup_lab({'a': {'steps': [GatedStep(gate)]}})
        failing = self.fail_write('workerDisconnected')
        self.lose_worker()
        self.assertEqual(self.master.botmaster.builders['a'].workers, [])
        yield self.request('a')
        self.assertEqual((yield self.builds()), [])
        failing.fails = False
        self.reactor.advance(10)
        self.settle()
        worker = yield self.master.data.get(('workers', 'w1'))
        self.assertEqual(worker['connected_to'], [])
        self.assertTrue(self.flushLoggedErrors(OperationalError))


class Connection(FailingCase):
    @defer.inlineCallbacks
    def test_connects_again(self):
        """A worker of which it cannot be written that it is there is lost, and comes again."""
        yield self.setup_lab({'a': {'steps': []}})
        worker = self.master.workers.workers['w1']
        worker.conn.loseConnection()
        self.settle()
        failing = self.fail_write('workerConnected')
        conn = NullConnection(worker.remote_worker)
        yield self.master.workers.newConnection(conn, 'w1')
        yield worker.attached(conn)
        self.assertIs(worker.conn, None)
        failing.fails = False
        conn = NullConnection(worker.remote_worker)
        yield self.master.workers.newConnection(conn, 'w1')
        yield worker.attached(conn)
        yield self.request('a')
        self.assertEqual((yield self.builds()), [SUCCESS])
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)

    @defer.inlineCallbacks
    def test_not_by_its_builders(self):
        """A worker that its builders cannot attach is lost, and comes again for all of them."""
        yield self.setup_lab({'a': {'steps': []}, 'b': {'steps': []}})
        worker = self.master.workers.workers['w1']
        worker.conn.loseConnection()
        self.settle()
        for fails in (True, False):
            conn: Any = NullConnection(worker.remote_worker)
            yield self.master.workers.newConnection(conn, 'w1')
            if fails:
                conn.remotePrint = lambda message: defer.fail(OSError('no space left'))
            yield worker.attached(conn)
            self.settle()
            self.assertEqual(worker.conn is conn, not fails)
        yield self.request('a')
        yield self.request('b')
        self.assertEqual((yield self.builds()), [SUCCESS] * 2)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 2)

    @defer.inlineCallbacks
    def test_not_told_by_a_builder(self):
        """A builder of the user's that does not say that it has a worker does not lose it."""
        yield self.setup_lab({'a': {'steps': []}})
        worker = self.master.workers.workers['w1']
        worker.conn.loseConnection()
        self.settle()
        builder = self.master.botmaster.builders['a']
        attached = builder.attached
        builder.attached = lambda *args: attached(*args).addCallback(lambda _: None)
        conn = NullConnection(worker.remote_worker)
        yield self.master.workers.newConnection(conn, 'w1')
        yield worker.attached(conn)
        self.settle()
        self.assertIs(worker.conn, conn)
        yield self.request('a')
        self.assertEqual((yield self.builds()), [SUCCESS])


class LostEarly(NullConnection):
    """A connection that was lost during the log-in, after which it tells nobody."""

    mind = SimpleNamespace(broker=SimpleNamespace(disconnected=True))

    def loseConnection(self):
        """Do nothing, since it is lost."""


class LostInLogin(FailingCase):
    @parameterized.expand([('attached', False), ('could_not_be_attached', True)])
    @defer.inlineCallbacks
    def test_connects_again(self, _, fails):
        """A worker that is lost while it logs in is known to be lost, and can come again."""
        yield self.setup_lab({'a': {'steps': []}})
        worker = self.master.workers.workers['w1']
        worker.conn.loseConnection()
        self.settle()
        failing = self.fail_write('workerConnected')
        failing.fails = fails
        for kind in (LostEarly, NullConnection):
            conn = kind(worker.remote_worker)
            yield self.master.workers.newConnection(conn, 'w1')
            yield worker.attached(conn)
            self.settle()
            is_there = kind is NullConnection
            self.assertEqual((worker.conn is conn, self.workers_of_builder()), (is_there, is_there))
            failing.fails = False
        yield self.request('a')
        self.assertEqual((yield self.builds()), [SUCCESS])
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), int(fails))

    def workers_of_builder(self):
        return bool(self.master.botmaster.builders['a'].workers)


class Histories(FailingCase, DistributionCase):
    """Whatever cannot be written: in the end all has run, and nothing is left."""

    writes_states = True

    WRITES = (
        'addBuild',
        'addBuildset',
        'addLog',
        'addStep',
        'addStepURL',
        'add_build_locks_duration',
        'appendLog',
        'claimBuildRequests',
        'completeBuildRequests',
        'finishBuild',
        'finishLog',
        'finishStep',
        'generateNewBuildEvent',
        'maybeBuildsetComplete',
        'setBuildProperties',
        'setBuildStateString',
        'setStepStateString',
        'set_step_locks_acquired_at',
        'startStep',
    )

    def fail_some(self, rng):
        updates, names = self.master.data.updates, self.WRITES
        self.fails = True

        def failing(name, write):
            def fail_or_write(*args, **kwargs):
                if self.fails and rng.random() < 0.05:
                    self.failed.append((name, args))
                    return defer.fail(no_database())
                return write(*args, **kwargs)

            return fail_or_write

        self.failed: list[tuple[str, tuple]] = []
        for name in names:
            self.patch(updates, name, failing(name, getattr(updates, name)))

    @defer.inlineCallbacks
    def start_history(self):
        self.locks = [MasterLock('m', 2), MasterLock('n'), WorkerLock('w')]
        m, n, w = (lock.access('counting') for lock in self.locks)
        inner = [GatedStep(self.gate('inner'), locks=[m], name=name) for name in 'xy']
        clean = GatedStep(self.gate('clean'), alwaysRun=True)
        group = StepGroup(name='g', locks=[m, w], parallel=2, steps=[*inner, clean], maxTime=300)
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True)
        builders = {
            'a': {'steps': [GatedStep(self.gate('a')), group], 'locks': [n]},
            'b': {'steps': [StepGroup(locks=[w], waitTimeout=300, steps=[group, trigger])]},
            'c': {'steps': [GatedStep(self.gate('c'), locks=[w])], 'locks': [m]},
            'p': {'steps': [trigger], 'locks': [n]},
        }
        yield self.setup_lab(
            builders,
            ['w1', 'w2', 'w3'],
            schedulers=[schedulers.Triggerable(name='t', builderNames=['c'])],
        )
        self.builds_that_run = self.master.botmaster.awaited.running

    @defer.inlineCallbacks
    def cancel(self, brid):
        path = ('buildrequests', brid)
        yield self.master.data.control('cancel', {'reason': 'enough'}, path)
        self.settle()

    @defer.inlineCallbacks
    def happen(self, rng):
        what = rng.random()
        gates = [gate for _, gate in sorted(self.gates.items()) if gate.running]
        try:
            if what < 0.35:
                yield self.request(rng.choice('abcp'), priority=rng.choice([0, 5]))
            elif what < 0.75 and gates:
                self.open(rng.choice(gates), rng.choice([SUCCESS, SUCCESS, FAILURE]))
            elif what < 0.85:
                running = [b.buildid for b in self.builds_that_run if b.buildid is not None]
                if running:
                    yield self.stop_build(rng.choice(running))
            elif what < 0.9:
                requests = yield self.requests()
                pending = [brid for brid, (ended, _) in enumerate(requests, 1) if not ended]
                if pending:
                    yield self.cancel(rng.choice(pending))
            else:
                self.reactor.advance(rng.choice([1, 10, 400]))
        except OperationalError:
            pass  # the request could not be made

    @parameterized.expand([(seed,) for seed in range(SEEDS)])
    @defer.inlineCallbacks
    def test_all_runs_out(self, seed):
        """Each build ends, by itself or when it is stopped, and its locks are free."""
        rng = random.Random(seed)
        self.patch(random, 'choice', rng.choice)
        yield self.start_history()
        self.fail_some(rng)
        for _ in range(60):
            yield self.happen(rng)
        self.fails = False
        yield self.run_out()
        self.assertEqual(list(self.builds_that_run), [])
        self.assertEqual(self.starting(), {})
        for lock in self.locks:
            self.assertEqual((yield self.owners(lock)), (0, 0))
        requests = yield self.requests()
        left = [brid for brid, (ended, _) in enumerate(requests, 1) if not ended]
        self.assertEqual(left, [])
        self.flushLoggedErrors()

    @defer.inlineCallbacks
    def run_out(self):
        running = self.builds_that_run
        for _ in range(3):
            for _ in range(50):
                self.reactor.advance(100)
                gates = [gate for _, gate in sorted(self.gates.items()) if gate.running]
                for gate in gates:
                    self.open(gate, SUCCESS)
                if not gates:
                    break
            for build in list(running):
                # it may wait for a triggered build that has been cancelled, and is not complete
                yield self.stop_build(build.buildid)
