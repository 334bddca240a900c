# SPDX-License-Identifier: GPL-2.0-only
"""Why pending requests, steps, groups and builds wait, in whole sentences, from the data API."""

from __future__ import annotations

import json
from typing import Any

from parameterized import parameterized
from twisted.internet import defer
from twisted.python.failure import Failure

from buildbot.data.exceptions import InvalidPathError
from buildbot.data.reasons import Reason
from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.build import Build
from buildbot.process.builder import Builder
from buildbot.process.buildrequestdistributor import BuildRequestDistributor
from buildbot.process.groups.step import StepGroup
from buildbot.process.locks import Resolved
from buildbot.process.properties import renderer
from buildbot.process.waiting.reservation import Reservation
from buildbot.test.fake.latent import LatentController
from buildbot.test.util import validation
from buildbot.test.util.distribution import THREE
from buildbot.test.util.distribution import TWO
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.distribution import Slow
from buildbot.test.util.elsewhere import claim_elsewhere
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.pace import PacedCase
from buildbot.test.util.www import FakeRequest
from buildbot.test.util.www import FakeSession
from buildbot.util import epoch2datetime
from buildbot.worker.protocols.null import Connection
from buildbot.www.rest import V2RootResource


class UserError(Exception):
    """What a user's method raises."""


def raises(*args):
    raise UserError('no idea')


class FakeRequestOf:
    def __init__(self, brid):
        self.id = brid
        self.waitedFor = False
        self.priority = 0
        self.submittedAt = None


class ReasonsCase(PacedCase, DistributionCase):
    def setUp(self):
        super().setUp()
        self.one = self.lock.access('exclusive')

    def reasons(self, *path):
        """Return the reasons at a path, which are as the data API's types say."""
        found = self.successResultOf(self.master.data.get((*path, 'reasons')))
        for row in found:
            validation.verifyData(self, Reason.entityType, {}, row)
        self.assertEqual([row['reasonid'] for row in found], list(range(1, len(found) + 1)))
        return found

    def told(self, *path):
        return [(row['kind'], row['text']) for row in self.reasons(*path)]

    def assert_waits(self, brid, *told):
        """Check the kinds and sentences of the reasons why a request is pending."""
        self.assertEqual(self.told('buildrequests', brid), list(told))

    @defer.inlineCallbacks
    def ask_for(self, *names):
        brids = []
        for name in names:
            brids.append((yield self.request(name)))
        return brids

    def builderid(self, name):
        return self.successResultOf(self.master.data.updates.findBuilderId(name))

    def worker(self, name='w1'):
        return self.master.workers.workers[name]


class Locks(ReasonsCase):
    @defer.inlineCallbacks
    def test_held(self):
        """A request in line names who holds the copy, for how long, and how many are ahead."""
        yield self.start({name: [self.one] for name in 'abc'}, THREE)
        yield self.ask_for('a', 'b', 'c')
        self.assert_waits(1)
        held = 'waiting for lab: held by a #1 ({})'
        self.assert_waits(2, ('lock', held.format('under a minute')))
        self.reactor.advance(300)
        self.assert_waits(2, ('lock', held.format('5 min')))
        (row,) = self.reasons('buildrequests', 3)
        self.assertEqual(
            row,
            {
                'reasonid': 1,
                'kind': 'lock',
                'text': f'{held.format("5 min")}, 1 ahead',
                'buildrequestids': [3],
                'buildid': None,
                'stepid': None,
                'lockid': 1,
                'copyid': 1,
                'copy': 'lab',
                'place': 2,
                'worker': None,
                'workerid': None,
                'builderid': self.builderid('c'),
                'since_at': epoch2datetime(7),
                'again_at': None,
            },
        )
        self.end('a')
        self.assert_waits(3, ('lock', 'waiting for lab: held by b #1 (under a minute)'))

    @defer.inlineCallbacks
    def test_on_each_worker(self):
        """A request in line for a lock of each worker has a reason for each of them."""
        board = WorkerLock('board').access('exclusive')
        yield self.start({name: [board] for name in 'abc'})
        yield self.ask_for('a', 'b', 'c')
        rows = self.reasons('buildrequests', 3)
        self.assertEqual(
            {(r['worker'], r['copy']) for r in rows}, {(name, f'board[{name}]') for name in TWO}
        )
        self.assertEqual(
            {r['workerid'] for r in rows}, {self.worker(name).workerid for name in TWO}
        )

    @defer.inlineCallbacks
    def test_several(self):
        """A request that wants several locks has a reason for each that it does not get."""
        other = BranchLock('version').access('exclusive')
        yield self.start({'a': [self.one], 'b': [other], 'c': [self.one, other]}, THREE)
        yield self.ask_for('a')
        yield self.request('b', 'main')
        yield self.request('c', 'main')
        self.assert_waits(
            3,
            ('lock', 'waiting for lab: held by a #1 (under a minute)'),
            ('lock', 'waiting for version[main]: held by b #1 (under a minute)'),
        )

    @defer.inlineCallbacks
    def test_left_the_line(self):
        """A request that has left the line because it kept others waiting forever says so."""
        yield self.start({name: [self.one] for name in 'ab'}, TWO)
        yield self.ask_for('a', 'b')
        (reservation,) = self.master.botmaster.builders['b'].reservations.in_line(2)
        reservation.yield_place()
        said = 'waiting for a release of lab outside of the line, in which it kept others waiting'
        self.assert_waits(2, ('lock', said))
        self.end('a')
        self.assertEqual(self.running(), 'b')

    @defer.inlineCallbacks
    def test_reserved(self):
        """A copy that is reserved while the user is asked is held by the request, since then."""
        answers = Slow()
        builders = {'a': self.builder('a', self.one, canStartBuild=answers)}
        yield self.setup_lab({**builders, 'b': self.builder('b', self.one)}, TWO)
        yield self.ask_for('a', 'b')
        self.reactor.advance(300)
        said = 'waiting for lab: held by build request 1 of a (5 min)'
        self.assert_waits(2, ('lock', said))
        for _ in range(2):
            answers.asked.pop()[0].callback(False)
            self.settle()
        self.assertEqual(self.running(), 'b')
        self.end('b')

    @defer.inlineCallbacks
    def test_behind(self):
        """A request names the one of its builder that waits for the same locks before it."""
        yield self.start({name: [self.one] for name in 'ab'}, THREE)
        yield self.ask_for('a', 'b', 'b', 'b')
        behind = 'behind build request 2 of b, which waits for the same locks'
        self.assert_waits(3, ('behind', behind))
        self.assert_waits(4, ('behind', behind))
        self.end('a')
        self.assertEqual(self.running(), 'b')
        behind = 'behind build request 3 of b, which waits for the same locks'
        self.assert_waits(4, ('behind', behind))

    @defer.inlineCallbacks
    def test_never(self):
        """What a request can never have on a worker is told while it may start elsewhere."""
        board = WorkerLock('board', 1, maxCountForWorker={'w2': 2})
        yield self.setup_lab(
            {
                'a': self.builder('a', board.access('counting', 2)),
                'b': self.builder('b', workernames=['w2']),
            },
            [self.createLocalWorker(name, max_builds=1) for name in TWO],
        )
        yield self.ask_for('b', 'a')
        never = '2 units of board[w1] can never be granted: it has 1'
        self.assert_waits(2, ('lock', f'it cannot get its locks: {never}'))

    @defer.inlineCallbacks
    def test_cannot_be_found_out(self):
        """Of an error in a renderable of locks only the kind is told, which is no secret."""

        @renderer
        def locks(props):
            return raises()

        yield self.setup_lab({'a': {**self.builder('a'), 'locks': locks}})
        self.worker().pause(None)
        yield self.ask_for('a')
        # it is about to fail, and this is told only until its build begins
        builder = self.master.botmaster.builders['a']
        request: Any = FakeRequestOf(1)
        resolved = Resolved([], [], None, None, locks, Failure(UserError('hunter2')))
        reservation = Reservation(request, 'a', resolved, lambda: None)
        reservation.why_never = resolved.why_never
        builder.reservations.keep(reservation)
        self.assert_waits(
            1,
            ('worker_paused', 'worker w1 is paused'),
            ('lock', 'it cannot get its locks: they cannot be determined (UserError)'),
        )
        builder.reservations.leave_lines(1)

    @defer.inlineCallbacks
    def test_user_s_locks(self):
        """A renderable of locks that has not answered is named, with for how long."""
        answers = Slow()

        @renderer
        def locks(props):
            return answers()

        yield self.setup_lab({'a': {**self.builder('a'), 'locks': locks}})
        yield self.ask_for('a')
        self.reactor.advance(180)
        self.assert_waits(1, ('user', 'a renderable of its locks has not answered for 3 min'))
        answers.asked.pop()[0].callback([])
        self.settle()
        self.assertEqual(self.running(), 'a')


#: how a worker is made to take no build, the reasons of then, and how it takes some again
WORKERS: list[Any] = [
    (
        'missing',
        lambda case: case.lose_worker(),
        'worker_missing',
        'worker w1 is not connected',
        lambda case: case.connect(),
    ),
    (
        'paused',
        lambda case: case.worker().pause(None),
        'worker_paused',
        'worker w1 is paused',
        lambda case: case.worker().unpause(),
    ),
    (
        'paused_for',
        lambda case: case.worker().pause('new\nboard'),
        'worker_paused',
        'worker w1 is paused: new\\nboard',
        lambda case: case.worker().unpause(),
    ),
    (
        'quarantined',
        lambda case: case.worker().putInQuarantine(),
        'worker_quarantined',
        'worker w1 is in quarantine, which ends in under a minute',
        lambda case: case.reactor.advance(10),
    ),
    (
        'full',
        lambda case: case.ask_for('other'),
        'worker_full',
        'worker w1 runs as many builds as its max_builds allows: other #1',
        lambda case: case.end('other'),
    ),
    (
        'busy',
        lambda case: case.ask_for('a'),
        'worker_busy',
        'worker w1 runs a #1, and runs one build of a builder at a time',
        lambda case: case.end('a'),
    ),
]


class Workers(ReasonsCase):
    @defer.inlineCallbacks
    def start_one(self, **words):
        yield self.setup_lab(
            {'a': self.builder('a'), 'other': self.builder('other')},
            [self.createLocalWorker('w1', **words)],
        )

    def connect(self):
        conn = Connection(self.worker().remote_worker)
        self.at_once(self.master.workers.newConnection(conn, 'w1'))
        self.at_once(self.worker().attached(conn))

    @parameterized.expand(WORKERS)
    @defer.inlineCallbacks
    def test_takes_no_build(self, _, take_away, kind, said, give_back):
        """A worker that is not idle says why, and with the reason the wait has gone."""
        yield self.start_one(max_builds=1 if kind == 'worker_full' else None)
        take_away(self)
        self.settle()
        brid = yield self.request('a')
        (row,) = self.reasons('buildrequests', brid)
        self.assertEqual((row['kind'], row['text']), (kind, said))
        self.assertEqual((row['worker'], row['workerid']), ('w1', self.worker().workerid))
        ends_at = epoch2datetime(10) if kind == 'worker_quarantined' else None
        self.assertEqual(row['again_at'], ends_at)
        give_back(self)
        self.settle()
        self.assertEqual(self.running(), 'a')
        self.assert_waits(brid)

    @defer.inlineCallbacks
    def test_shut_down(self):
        """A worker that is being shut down says so."""
        yield self.start_one()
        yield self.ask_for('other')
        self.worker().shutdown = lambda: defer.succeed(None)
        self.worker().shutdownRequested()
        yield self.ask_for('a')
        self.assert_waits(2, ('stopping', 'worker w1 is being shut down'))

    @defer.inlineCallbacks
    def test_says_so_itself(self):
        """A worker whose own canStartBuild says no is named."""
        yield self.start_one()
        self.worker().canStartBuild = lambda: False
        yield self.ask_for('a')
        text = 'worker w1 takes no build now, according to its canStartBuild'
        self.assert_waits(1, ('user', text))

    @defer.inlineCallbacks
    def test_latent(self):
        """A latent worker that is being started for a build is not idle, and says so."""
        controller = LatentController(self, 'l1')
        yield self.setup_lab({'a': self.builder('a')}, [controller.worker])
        yield self.ask_for('a', 'a')
        self.assert_waits(1)
        name = 'a #1' if self.successResultOf(self.builds()) else 'build request 1 of a'
        self.assert_waits(2, ('worker_substantiating', f'worker l1 is being started for {name}'))
        self.assertEqual(
            self.told('builds', 1), [('worker_substantiating', 'worker l1 is being started')]
        )
        yield controller.auto_stop(True)
        for brid in (2, 1):
            yield self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', brid))
        yield controller.start_instance(False)
        self.settle()
        self.assertEqual(self.told('builds', 1), [])

    @defer.inlineCallbacks
    def test_each_of_them(self):
        """If no worker is idle each of them says why; if one is, none does."""
        yield self.start({'a': [], 'b': []}, TWO)
        self.lose_worker('w2')
        self.worker().pause(None)
        yield self.ask_for('a')
        self.assert_waits(
            1,
            ('worker_paused', 'worker w1 is paused'),
            ('worker_missing', 'worker w2 is not connected'),
        )

    @defer.inlineCallbacks
    def test_late_binding(self):
        """A request that is left for a worker with room names the builds that it would wait for."""
        board = WorkerLock('board').access('exclusive')

        def steps(name):
            prepare = GatedStep(self.gate('prepare'))
            return {'steps': [prepare, GatedStep(self.gate(name), locks=[board])]}

        yield self.setup_lab({name: steps(name) for name in 'abc'}, ['w1'])
        yield self.ask_for('a', 'b', 'c')
        said = 'left for a worker with room: on w1, it would wait for locks that a #1, b #1 want'
        (row,) = self.reasons('buildrequests', 3)
        self.assertEqual((row['kind'], row['text'], row['worker']), ('late_binding', said, 'w1'))

    @defer.inlineCallbacks
    def test_in_line_on_a_worker_without_room(self):
        """A request that is in line on a worker already is not left for later there."""
        board, kit = (WorkerLock(name).access('exclusive') for name in ('board', 'kit'))

        def steps(name):
            return [GatedStep(self.gate('prepare')), GatedStep(self.gate(name), locks=[board])]

        builders = {name: self.builder(name, kit) for name in ('h', 'i')}
        for name in 'ab':
            builders[name] = {'steps': steps(name), 'workernames': ['w1']}
        yield self.setup_lab({**builders, 'c': {'steps': steps('c'), 'locks': [kit]}}, TWO)
        yield self.ask_for('h', 'i', 'c', 'a', 'b')
        rows = self.reasons('buildrequests', 3)
        self.assertEqual({(r['kind'], r['worker']) for r in rows}, {('lock', w) for w in TWO})


class Users(ReasonsCase):
    @parameterized.expand(
        [
            ('no', lambda *_: False, 'canStartBuild said no (worker w1)'),
            ('error', raises, 'canStartBuild raised an error (worker w1)'),
        ]
    )
    @defer.inlineCallbacks
    def test_can_start_build(self, _, answer, said):
        """What canStartBuild said of a worker is told."""
        yield self.setup_lab({'a': self.builder('a', canStartBuild=answer)})
        yield self.ask_for('a')
        self.assert_waits(1, ('user', said))
        self.flushLoggedErrors(UserError)

    @defer.inlineCallbacks
    def test_of_each_worker(self):
        """What was said of several workers is one reason, but each question one of its own."""
        answers = Slow()
        yield self.setup_lab({'a': self.builder('a', canStartBuild=answers)}, TWO)
        yield self.ask_for('a')
        self.assert_waits(1, ('user', 'canStartBuild has not answered for under a minute'))
        answers.asked[0][0].callback(False)
        self.settle()
        first = answers.asked[0][1][1].worker.workername
        self.assert_waits(
            1,
            ('user', 'canStartBuild has not answered for under a minute'),
            ('user', f'canStartBuild said no (worker {first})'),
        )
        answers.asked[1][0].callback(False)
        self.settle()
        self.assert_waits(1, ('user', 'canStartBuild said no (workers w1, w2)'))

    @parameterized.expand(
        [
            ('none', lambda *_: None, 'nextWorker chose none of its workers (workers w1, w2)'),
            ('error', raises, 'nextWorker raised an error (workers w1, w2)'),
        ]
    )
    @defer.inlineCallbacks
    def test_next_worker(self, _, answer, said):
        """What nextWorker said is told."""
        yield self.setup_lab({'a': self.builder('a', nextWorker=answer)}, TWO)
        yield self.ask_for('a')
        self.assert_waits(1, ('user', said))
        self.flushLoggedErrors(UserError)

    @parameterized.expand(
        [
            ('none', lambda *_: None, 'nextBuild chose no request'),
            ('error', raises, 'nextBuild raised an error'),
        ]
    )
    @defer.inlineCallbacks
    def test_next_build(self, _, answer, said):
        """What nextBuild said is told."""
        yield self.setup_lab({'a': self.builder('a', nextBuild=answer)}, TWO)
        yield self.ask_for('a')
        self.assert_waits(1, ('user', said))
        self.flushLoggedErrors(UserError)

    @defer.inlineCallbacks
    def test_next_build_chose_another(self):
        """A request that nextBuild passes over names the one that was chosen."""
        answers = Slow()
        yield self.setup_lab(
            {'a': self.builder('a', canStartBuild=answers, nextBuild=lambda b, rs: rs[-1])}
        )
        self.worker().pause(None)
        yield self.ask_for('a', 'a')
        self.worker().unpause()
        self.settle()
        self.assert_waits(
            1,
            ('user', 'canStartBuild has not answered for under a minute'),
            ('user', 'nextBuild chose build request 2'),
        )
        answers.asked[0][0].callback(True)
        self.settle()
        self.assert_waits(1, ('worker_busy', WORKERS[-1][3]))

    @defer.inlineCallbacks
    def test_next_build_has_changed_its_mind(self):
        """What nextBuild said is told until it is asked again."""
        choice: list[Any] = [None]
        words = {'nextBuild': lambda builder, requests: choice[0] and requests[0]}
        builders = {'a': self.builder('a', self.one, **words)}
        yield self.setup_lab({**builders, 'h': self.builder('h', self.one)}, TWO)
        yield self.ask_for('h', 'a')
        self.assert_waits(2, ('user', 'nextBuild chose no request'))
        choice[0] = True
        self.master.botmaster.maybeStartBuildsForBuilder('a')
        self.settle()
        self.assert_waits(2, ('lock', 'waiting for lab: held by h #1 (under a minute)'))

    @defer.inlineCallbacks
    def test_prioritize_builders(self):
        """A prioritizeBuilders that has not answered yet is named."""
        answers = Slow()
        yield self.setup_lab({'a': self.builder('a')}, prioritizeBuilders=answers)
        yield self.ask_for('a')
        self.assert_waits(1, ('user', 'prioritizeBuilders has not answered for under a minute'))
        while answers.asked:
            d, (_, builders) = answers.asked.pop(0)
            d.callback(builders)
            self.settle()
        self.assertEqual(self.running(), 'a')

    @defer.inlineCallbacks
    def test_builder_left_out_by_prioritize_builders(self):
        """A prioritizeBuilders that has left out the builder is named until it does so no more."""
        left_out = ['a']

        def choose(_, builders):
            return [builder for builder in builders if builder.name not in left_out]

        yield self.setup_lab({'a': self.builder('a')}, prioritizeBuilders=choose)
        yield self.ask_for('a')
        self.assert_waits(1, ('user', 'prioritizeBuilders left out its builder'))
        left_out.clear()
        self.master.botmaster.maybeStartBuildsForBuilder('a')
        self.settle()
        self.assertEqual(self.running(), 'a')

    @defer.inlineCallbacks
    def test_worker_that_does_not_fit(self):
        """A worker that a build of the request does not fit is named."""
        yield self.setup_lab({'a': self.builder('a')})
        worker = self.worker()
        worker.builds_may_be_incompatible = True
        worker.isCompatibleWithBuild = lambda props: defer.succeed(False)
        yield self.ask_for('a')
        self.assert_waits(1, ('user', 'its build does not fit there (worker w1)'))


class Masters(ReasonsCase):
    @defer.inlineCallbacks
    def test_error(self):
        """A request that could not be started says when it is tried again."""
        self.patch(Builder, 'maybeStartBuild', lambda *_: defer.succeed(False))
        yield self.setup_lab({'a': self.builder('a')})
        yield self.ask_for('a')
        (row,) = self.reasons('buildrequests', 1)
        said = "it did not start on worker 'w1'; it is tried again in under a minute"
        self.assertEqual((row['kind'], row['text']), ('error', said))
        again_at = self.master.botmaster.brd.again_at('a')
        self.assertEqual(row['again_at'], epoch2datetime(again_at))
        self.assertGreater(again_at, self.reactor.seconds())

    @defer.inlineCallbacks
    def test_error_of_the_database(self):
        """If the requests cannot be read now, they say when that is tried again."""
        yield self.start({'a': []})
        inbox = self.master.botmaster.builders['a'].inbox
        read = self.patch(inbox, '_read_all', lambda: defer.fail(UserError('no disk')))
        inbox.doubt()
        yield self.ask_for('a')
        (row,) = self.reasons('buildrequests', 1)
        said = 'there was an error while its builder was processed; it is tried again in {}'
        self.assertEqual((row['kind'], row['text']), ('error', said.format('under a minute')))
        again_at = self.master.botmaster.brd.again_at('a')
        self.assertEqual(row['again_at'], epoch2datetime(again_at))
        read.restore()
        self.let_time_go(10)
        self.settle()
        self.assertEqual(self.running(), 'a')
        self.flushLoggedErrors(UserError)

    @parameterized.expand(
        [
            ('next', {}, 'starting', 'it is next, and is started'),
            (
                'refused',
                {'waits_to_try_again': True},
                'lock',
                'its locks were taken meanwhile; it is tried again when they are released',
            ),
            ('removed', {'running': False}, 'stopping', 'the builder is being removed'),
        ]
    )
    @defer.inlineCallbacks
    def test_not_looked_at(self, _, state, kind, said):
        """What is told of a request that could start, and at whose builder nobody has looked."""

        async def look_at(*args):
            return

        self.patch(BuildRequestDistributor, '_look_at', look_at)
        yield self.start({'a': []})
        builder = self.master.botmaster.builders['a']
        yield self.ask_for('a')
        yield builder.inbox.read()
        patches = [
            self.patch(builder if name in vars(builder) else Builder, name, value)
            for name, value in state.items()
        ]
        self.assert_waits(1, (kind, said))
        for patch in patches:
            patch.restore()

    @defer.inlineCallbacks
    def test_clean_shutdown(self):
        """Before a clean shutdown a request says that it is not started."""
        yield self.start({'a': [], 'b': []}, TWO)
        yield self.ask_for('a')
        self.master.botmaster.cleanShutdown(stopReactor=False)
        yield self.ask_for('b')
        said = 'the master is shutting down, and starts only what running builds wait for'
        self.assert_waits(2, ('stopping', said))
        self.master.botmaster.cancelCleanShutdown()
        self.end('a')
        self.assertEqual(self.running(), 'b')

    @defer.inlineCallbacks
    def test_stopped(self):
        """When nothing is started any more a request says so."""
        yield self.start({'a': []})
        self.master.botmaster.cleanShutdown(quickMode=True, stopReactor=False)
        yield self.ask_for('a')
        self.assert_waits(1, ('stopping', 'the master is shutting down, and starts nothing'))

    @defer.inlineCallbacks
    def test_elsewhere(self):
        """A request for a builder of another master says so."""
        yield self.start({'a': []})
        builderid = yield self.master.data.updates.findBuilderId('fw\nx')
        stamp: dict[str, Any] = dict.fromkeys(('codebase', 'repository', 'project'), '')
        stamp.update(branch=None, revision=None)
        yield self.master.data.updates.addBuildset(
            waited_for=False, builderids=[builderid], sourcestamps=[stamp]
        )
        said = ('elsewhere', 'builder fw\\nx is not one of this master')
        self.assert_waits(1, said)
        self.assertEqual(self.told('builders', builderid), [said])

    @defer.inlineCallbacks
    def test_starting(self):
        """A request whose build is about to begin is being started."""
        yield self.start({'a': []})
        claim = self.hold_write('claimBuildRequests', lambda *args, **kwargs: True)
        yield self.ask_for('a')
        self.assert_waits(1, ('starting', 'it is being started'))
        claim.held.callback(None)
        self.settle()
        self.assertEqual(self.running(), 'a')

    @defer.inlineCallbacks
    def test_not_waiting(self):
        """What does not wait has no reasons: it runs, has ended, or runs on another master."""
        yield self.start({'a': [self.one], 'b': [self.one]}, TWO)
        yield self.ask_for('a', 'b')
        claim_elsewhere(self, 2)
        for _ in range(2):
            for path in [('buildrequests', 1), ('buildrequests', 2), ('builds', 1), ('steps', 1)]:
                self.assertEqual(self.told(*path), [])
            if self.running():
                self.end('a')
        self.assertEqual(self.told('builders', 1), [])

    @parameterized.expand([(what,) for what in ('buildrequest', 'build', 'step', 'builder')])
    @defer.inlineCallbacks
    def test_unknown(self, what):
        """There is nothing at an id that is none."""
        yield self.start({'a': []})
        why = self.failureResultOf(
            self.master.data.get((f'{what}s', 4711, 'reasons')), InvalidPathError
        )
        self.assertEqual(why.getErrorMessage(), f'there is no {what} 4711')


class Running(ReasonsCase):
    writes_states = True

    @defer.inlineCallbacks
    def test_group_and_step(self):
        """A group and a step that wait have reasons of their own, and their build has both."""
        board, cpu = WorkerLock('board').access('exclusive'), MasterLock('cpu')
        inner = [
            GatedStep(self.gate('in'), name=name, locks=[cpu.access('exclusive')]) for name in 'xyz'
        ]
        group = StepGroup(name='hw', locks=[board], steps=inner, parallel=3)
        yield self.setup_lab({name: {'steps': [group]} for name in 'ab'})
        yield self.ask_for('a', 'b')
        on_cpu = ('lock', 'waiting for cpu: held by a #1 / hw/x (under a minute)')
        on_board = ('lock', 'waiting for board[w1]: held by a #1 / hw (under a minute)')
        self.assertEqual(self.told('builds', 1), [on_cpu, ('lock', f'{on_cpu[1]}, 1 ahead')])
        self.assertEqual(self.told('builds', 2), [on_board])
        build = self.master.botmaster.builders['b'].building[0]
        build.properties.useSecret('a #1', 'holder')
        self.assertEqual(
            self.told('builds', 2), [('lock', on_board[1].replace('a #1', '<holder>'))]
        )
        build.properties._used_secrets.clear()
        for buildid, name, said in [(1, 'hw/y', on_cpu), (2, 'hw', on_board)]:
            rows = yield self.master.data.get(('builds', buildid, 'steps'))
            (step,) = [row for row in rows if row['name'] == name]
            (row,) = self.reasons('steps', step['stepid'])
            self.assertEqual((row['kind'], row['text']), said)
            ids = {key: row[key] for key in ('buildid', 'stepid', 'buildrequestids', 'worker')}
            self.assertEqual(
                ids,
                {
                    'buildid': buildid,
                    'stepid': step['stepid'],
                    'buildrequestids': [buildid],
                    'worker': 'w1',
                },
            )
            self.assertEqual(step['state_string'], said[1])

    @defer.inlineCallbacks
    def test_build(self):
        """A build that a plugin let begin without its locks says what it waits for, in its row."""

        def begin(build, reservation, workerforbuilder):
            build.workerforbuilder = workerforbuilder

        self.patch(Build, 'adopt', begin)
        holds = {'steps': [GatedStep(self.gate('holds'), locks=[self.one])]}
        yield self.setup_lab({'holds': holds, 'a': self.builder('a', self.one)}, TWO)
        created = self.hold_write('addBuild', lambda **words: True)
        yield self.request('a')
        yield self.request('holds')
        created.held.callback(None)
        self.settle()
        said = 'waiting for lab: held by holds #1 / generic (under a minute)'
        self.assertEqual(self.told('builds', 2), [('lock', said)])
        self.assertEqual((yield self.row_of_locks()), said)
        told = self.hold_write('setStepStateString', lambda stepid, text: 'lab' in text)
        self.reactor.pump([5] * 20)
        self.end('holds')
        self.assertEqual(self.running(), '')  # else it would say afterwards that it waits
        told.held.callback(None)
        self.settle()
        self.assertEqual(self.running(), 'a')
        self.assertEqual((yield self.row_of_locks()), 'locks acquired')

    @defer.inlineCallbacks
    def row_of_locks(self):
        rows = yield self.master.data.get(('builds', 2, 'steps'))
        return next(row['state_string'] for row in rows if row['name'] == 'locks_acquire')

    @defer.inlineCallbacks
    def test_locks_being_found_out(self):
        """A step whose locks are not known yet says so."""
        answers = Slow()

        @renderer
        def locks(props):
            return answers()

        yield self.setup_lab({'a': {'steps': [GatedStep(self.gate('a'), locks=locks)]}})
        yield self.ask_for('a')
        self.assertEqual(self.told('builds', 1), [('lock', 'its locks are being determined')])
        answers.asked.pop()[0].callback([])
        self.settle()
        self.assertEqual(self.told('builds', 1), [])


class Builders(ReasonsCase):
    @defer.inlineCallbacks
    def test_like_reasons_are_one(self):
        """The reasons of a builder's requests are told once, with all that wait for them."""
        yield self.start({name: [self.one] for name in 'ab'}, TWO)
        yield self.ask_for('a', 'b', 'b', 'b')
        path = ('builders', self.builderid('b'))
        rows = self.reasons(*path)
        self.assertEqual(
            [(row['kind'], row['buildrequestids']) for row in rows],
            [('lock', [2]), ('behind', [3, 4])],
        )
        for name in TWO:
            self.lose_worker(name)
        self.assertEqual(
            [(row['kind'], row['buildrequestids']) for row in self.reasons(*path)],
            [('worker_missing', [2, 3, 4])] * 2,
        )


class Web(ReasonsCase):
    """The endpoints as a browser sees them."""

    @defer.inlineCallbacks
    def get(self, path):
        request: Any = FakeRequest(path)
        request.session = FakeSession()
        resource = V2RootResource(self.master)
        resource.reconfigResource(self.master.config)
        resource.render(request)
        answer = yield request.deferred
        return request.responseCode, json.loads(answer)

    @defer.inlineCallbacks
    def test_filters(self):
        """Filters, fields, order and limit are those of all endpoints."""
        yield self.setup_lab({'a': self.builder('a')}, THREE)
        self.worker('w1').pause('<b>')
        for name in ('w2', 'w3'):
            self.lose_worker(name)
        yield self.ask_for('a')
        code, answer = yield self.get(
            b'/buildrequests/1/reasons?kind=worker_missing&field=kind&field=worker'
            b'&order=-worker&limit=1'
        )
        said = {'reasons': [{'kind': 'worker_missing', 'worker': 'w3'}], 'meta': {'total': 2}}
        self.assertEqual((code, answer), (200, said))
        _, answer = yield self.get(b'/buildrequests/1/reasons?kind=worker_paused')
        self.assertEqual([row['text'] for row in answer['reasons']], ['worker w1 is paused: <b>'])

    @defer.inlineCallbacks
    def test_unknown(self):
        """What there is not is an error 404."""
        yield self.start({'a': []})
        for path, code in [(b'/steps/99/reasons', 404), (b'/steps/x/reasons', 404)]:
            self.assertEqual((yield self.get(path))[0], code)
        self.assertEqual(
            (yield self.get(b'/buildrequests/99/reasons')),
            (404, {'error': 'there is no buildrequest 99'}),
        )
