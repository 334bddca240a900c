# SPDX-License-Identifier: GPL-2.0-only
"""Copies of locks that are out of use: by hand, after failures, and until they are repaired."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from sqlalchemy.exc import OperationalError
from twisted.internet import defer
from twisted.trial import unittest

from buildbot.config import ConfigErrors
from buildbot.locking.copy import CircleError
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import steps
from buildbot.process.buildchooser import ReservingBuildChooser
from buildbot.process.hand.wishes import Refused
from buildbot.process.properties import Property
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS
from buildbot.schedulers.triggerable import Triggerable
from buildbot.test.util.hand import HandTestCase
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep

BAD, GOOD = FAILURE, SUCCESS


class Quarantine(HandTestCase):
    writes_states = True

    @defer.inlineCallbacks
    def test_nothing_is_granted(self) -> Any:
        """Nobody is granted a copy in quarantine, and it is said, until it is put to use again."""
        yield self.start(WorkerLock('board'))
        yield self.act('ann', 'quarantine', reason='bad cable')
        yield self.request('fw')
        self.assertEqual(self.gate.running, [])
        [reason] = yield self.get('buildrequests', 1, 'reasons')
        self.assertEqual(reason['text'], 'on w1, board[w1] is in quarantine (bad cable)')
        row = yield self.copy_row()
        self.assertEqual((row['quarantined_by'], row['quarantine_reason']), ('ann', 'bad cable'))
        [lock] = yield self.get('locks')
        self.assertEqual(lock['quarantined'], 1)
        yield self.act('ann', 'restore', reason='new cable')
        self.assertEqual(len(self.gate.running), 1)
        self.assertEqual(
            (yield self.actions()),
            [
                ('quarantined', 'ann has taken it out of use'),
                ('restored', 'ann has put it back into use'),
            ],
        )

    @defer.inlineCallbacks
    def test_holder_goes_on(self) -> Any:
        """Who holds the copy keeps it, with what is nested in it; those who wait wait on."""
        yield self.start(WorkerLock('board', maxCount=2), builders=())
        part = self.board.access('counting')
        yield self.add_builders(one={'locks': [part], 'of_step': [part]}, two={'of_step': [part]})
        yield self.request('one')
        yield self.request('two')
        yield self.act('ann', 'quarantine')
        self.end_steps('two', 'one')
        self.assertEqual([b.builder.name for b, _ in self.gate.running], ['one'])
        self.end_steps('one')
        rows = yield self.get('builds', order=['buildid'])
        self.assertEqual([row['results'] for row in rows], [SUCCESS, None])
        yield self.act('ann', 'restore')
        self.end_steps('two')

    @defer.inlineCallbacks
    def test_waiting_step(self) -> Any:
        """A step of a build that runs already says that its lock is in quarantine."""
        yield self.start(MasterLock('board'))
        yield self.act('ann', 'quarantine', of=None, reason='bad cable')
        yield self.request('fw')
        [reason] = yield self.get('builds', 1, 'reasons')
        self.assertEqual(reason['text'], 'waiting for board: in quarantine (bad cable)')

    @defer.inlineCallbacks
    def test_in_front_of_people(self) -> Any:
        """Who was moved to the front waits behind a quarantine all the same."""
        yield self.start(WorkerLock('board'), builders=('fw', 'fw2'))
        yield self.request('fw')
        yield self.request('fw2')
        yield self.act('ann', 'quarantine')
        row = yield self.copy_row()
        waiters = yield self.get('copies', row['copyid'], 'waiters')
        self.assertEqual([w['waiterid'] for w in waiters][:1], ['quarantine'])
        yield self.act('bob', 'first', waiterid=waiters[1]['waiterid'])
        self.gate.open(SUCCESS)
        self.settle()
        self.assertEqual(self.gate.running, [])
        said = yield self.refused(self.act('ann', 'kick', holderid='quarantine'))
        self.assertEqual(
            said, 'board[w1]: nobody holds it, it is in quarantine; restore it instead'
        )

    @defer.inlineCallbacks
    def test_already(self) -> Any:
        """A copy that somebody else has taken out of use is not taken out of use once more."""
        yield self.start(WorkerLock('board'))
        yield self.act('ann', 'quarantine', reason='bad cable')
        said = yield self.refused(self.act('bob', 'quarantine', reason='smoke'))
        self.assertEqual(said, 'board[w1]: it is in quarantine already, by ann (bad cable)')

    @defer.inlineCallbacks
    def test_ends_circle(self) -> Any:
        """A step that would wait forever because of a quarantine fails, and says for whom."""
        yield self.start(MasterLock('board', maxCount=2), builders=())
        other = MasterLock('other')
        part, whole = self.board.access('counting'), other.access('exclusive')
        yield self.add_builders(
            one={'locks': [part], 'of_step': [whole]},
            two={'locks': [whole], 'of_step': [part]},
            three={'locks': [part]},
        )
        for name in ('one', 'three', 'two'):
            yield self.request(name)
        self.end_steps('two', 'one')  # two waits for three, and one for two
        yield self.act('ann', 'quarantine', of=None, reason='bad cable')
        self.assertEqual(len(self.flushLoggedErrors(CircleError)), 1)
        self.end_steps('one', 'three', 'three')
        rows = yield self.get('builds', order=['buildid'])
        self.assertEqual([row['results'] for row in rows], [SUCCESS, SUCCESS, FAILURE])
        steps = yield self.get('builds', 3, 'steps')
        self.assertEqual(
            steps[-1]['state_string'],
            "these would wait for one another forever: step 'second' of two #1 on w1 waits for"
            " board held by one #1 and three #1; step 'second' of one #1 on w1 waits for other held"
            ' by two #1; quarantine by ann (bad cable) waits for board held by one #1 and three #1'
            ' (exception)',
        )

    @defer.inlineCallbacks
    def test_ends_circle_of_places(self) -> Any:
        """So does one for a build whose place on a worker is that of a build in line."""
        self.gate, self.board = Gate(), MasterLock('board', maxCount=2)
        part = self.board.access('counting')
        child = steps.Trigger(schedulerNames=['child'], waitForFinish=True)
        first, second = (GatedStep(self.gate, name=name) for name in ('first', 'second'))
        builders = {
            'one': {'steps': [first, child], 'locks': [part], 'workernames': ['w2']},
            'two': {'steps': [first, GatedStep(self.gate, locks=[part])], 'workernames': ['w1']},
            'three': {'steps': [second], 'locks': [part], 'workernames': ['w2']},
            'child': {'steps': [second], 'workernames': ['w1']},
        }
        places = {'w1': 1, 'w2': 2}
        workers = [self.createLocalWorker(w, max_builds=n) for w, n in places.items()]
        triggered = [Triggerable('child', builderNames=['child'])]
        yield self.setup_lab(builders, workers, schedulers=triggered)
        for name in ('one', 'three', 'two'):
            yield self.request(name)
        self.end_steps('two', 'one')  # two waits for three, and one for its child behind two
        yield self.act('ann', 'quarantine', of=None, reason='bad cable')
        rows = yield self.get('builds', order=['buildid'])
        self.assertEqual([row['results'] for row in rows], [FAILURE, None, None])
        self.end_steps('three')
        yield self.act('ann', 'restore', of=None)
        self.assertEqual([b.builder.name for b, _ in self.gate.running], ['two'])

    @parameterized.expand([(True,), (False,)])
    @defer.inlineCallbacks
    def test_other_worker(self, late: bool) -> Any:
        """Requests go to other workers, bound late or not; without one they say why they pend."""
        yield self.start(WorkerLock('board'), workers=('w1', 'w2'), lateBinding=late)
        yield self.act('ann', 'quarantine', of='w1', reason='bad cable')
        for _ in range(2):
            yield self.request('fw')
        self.assertEqual([b.workername for b, _ in self.gate.running], ['w2'])
        building = self.master.botmaster.builders['fw'].building
        self.assertEqual([b.workername for b in building], ['w2'])

    @defer.inlineCallbacks
    def test_after_all_others(self) -> Any:
        """A worker that has had its turn goes before one whose board is in quarantine."""
        yield self.start(WorkerLock('board'), workers=('w1', 'w2'))
        yield self.act('ann', 'quarantine', of='w1')
        self.patch(self.master.botmaster.brd, 'maybeStartBuildsOn', lambda names: None)
        yield self.request('fw')
        chooser = ReservingBuildChooser(self.master.botmaster.builders['fw'], self.master)
        workers: list[Any] = chooser.workerpool
        chooser.workerpool = [w for w in workers if w.worker.workername == 'w1']
        worker, request = yield chooser.popNextBuild()
        self.assertEqual((worker.worker.workername, request.id), ('w2', 1))

    @defer.inlineCallbacks
    def test_left_for_later(self) -> Any:
        """A request is left until the only board is in use again, says so, and starts then."""
        yield self.start(WorkerLock('board'), lateBinding=True)
        yield self.act('ann', 'quarantine', reason='bad cable')
        brid = yield self.request('fw')
        self.assertEqual(self.master.botmaster.builders['fw'].building, [])
        [reason] = yield self.get('buildrequests', brid, 'reasons')
        self.assertEqual(
            (reason['kind'], reason['text']),
            ('quarantine', 'on w1, board[w1] is in quarantine (bad cable)'),
        )
        yield self.act('ann', 'restore')
        self.assertEqual(len(self.gate.running), 1)


class AfterFailures(HandTestCase):
    @parameterized.expand(
        [
            ('enough', [BAD, BAD, BAD], True),
            ('too_few', [BAD, BAD], False),
            ('not_in_a_row', [BAD, BAD, GOOD, BAD, BAD], False),
            ('warnings', [BAD, BAD, WARNINGS, BAD], False),
            ('says_nothing', [BAD, CANCELLED, BAD, EXCEPTION], True),
        ]
    )
    @defer.inlineCallbacks
    def test_table(self, _: str, results: list[int], is_out: bool) -> Any:
        """So many failures in a row take a copy out of use; what says nothing does not count."""
        yield self.start(WorkerLock('board', quarantineAfter=3))
        yield self.run_through(results)
        self.assertEqual((yield self.is_out()), is_out)

    @defer.inlineCallbacks
    def run_through(self, results: list[int]) -> Any:
        for result in results:
            yield self.request('fw')
            self.gate.open(result)
            self.settle()

    @defer.inlineCallbacks
    def is_out(self) -> Any:
        row = yield self.copy_row()
        return row is not None and row['quarantined_at'] is not None

    @defer.inlineCallbacks
    def test_at_once(self) -> Any:
        """Who is next in line does not have it after the last failure; it says what has failed."""
        yield self.start(WorkerLock('board', quarantineAfter=2))
        for _ in range(3):
            yield self.request('fw')
        for _ in range(2):
            self.gate.open(FAILURE)
            self.settle()
        self.assertEqual(self.gate.running, [])
        reasons = yield self.get('buildrequests', 3, 'reasons')
        self.assertEqual(
            [reason['text'] for reason in reasons],
            ['on w1, board[w1] is in quarantine (2 failures in a row, the last of fw #2 / test)'],
        )

    @defer.inlineCallbacks
    def test_counted_anew(self) -> Any:
        """After it was put to use again, as many failures are needed as before."""
        yield self.start(WorkerLock('board', quarantineAfter=2))
        yield self.run_through([BAD, BAD])
        yield self.act('ann', 'restore')
        yield self.run_through([BAD])
        self.assertFalse((yield self.is_out()))
        yield self.run_through([BAD])
        self.assertTrue((yield self.is_out()))

    @defer.inlineCallbacks
    def test_not_written(self) -> Any:
        """A quarantine that the database does not take is one all the same, until a restart."""
        yield self.start(WorkerLock('board', quarantineAfter=1))
        error = OperationalError('', {}, Exception('locked'))
        self.patch(self.master.db.lock_hand, 'add_quarantine', lambda **columns: defer.fail(error))
        yield self.run_through([BAD])
        self.assertTrue((yield self.is_out()))
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)

    @defer.inlineCallbacks
    def test_not_kept(self) -> Any:
        """So is one of a copy whose name the database cannot keep."""
        yield self.start(WorkerLock('board', quarantineAfter=1))
        self.patch(self.master.db.lock_hand, 'can_keep', lambda name: name != 'board[w1]')
        yield self.run_through([BAD])
        self.assertTrue((yield self.is_out()))
        [error] = self.flushLoggedErrors(Refused)
        why = 'the database cannot keep its name as it is'
        self.assertEqual(str(error.value), f'board[w1]: {why}')

    @parameterized.expand(
        [
            ('says_yes', lambda results: results == SUCCESS, True, 0),
            ('says_no', lambda results: False, False, 0),
            ('says_none', lambda results: None, False, 0),
            ('fails', lambda results: 1 / 0, False, 1),
            ('never', lambda results: defer.Deferred(), False, 0),
        ]
    )
    @defer.inlineCallbacks
    def test_judged(self, _: str, judge: Any, is_out: bool, errors: int) -> Any:
        """The user's function says what a failure is; if it does not, nothing is counted."""
        yield self.start(WorkerLock('board', quarantineAfter=1, quarantineWhen=judge))
        yield self.run_through([SUCCESS])
        self.assertEqual((yield self.is_out()), is_out)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), errors)

    @defer.inlineCallbacks
    def test_judged_late(self) -> Any:
        """A late answer counts when it comes."""
        answer: defer.Deferred[bool] = defer.Deferred()
        yield self.start(
            WorkerLock('board', quarantineAfter=1, quarantineWhen=lambda results: answer)
        )
        yield self.run_through([FAILURE])
        self.assertFalse((yield self.is_out()))
        answer.callback(True)
        self.assertTrue((yield self.is_out()))

    @defer.inlineCallbacks
    def test_judged_too_late(self) -> Any:
        """A late answer does not count if the lock is no longer put out of use after failures."""
        answer: defer.Deferred[bool] = defer.Deferred()
        words: dict[str, Any] = {'quarantineWhen': lambda results: answer}
        yield self.start(WorkerLock('board', quarantineAfter=1, **words))
        yield self.run_through([FAILURE])
        yield self.start_anew(WorkerLock('board'))
        yield self.request('fw')
        answer.callback(True)
        self.assertFalse((yield self.is_out()))


class Repair(HandTestCase):
    @defer.inlineCallbacks
    def start_broken(self, **words: Any) -> Any:
        """Start a master whose board is in quarantine, with a builder that repairs it."""
        yield self.start(
            WorkerLock('board', repairBuilder='repair', **words), builders=('fw', 'repair')
        )
        yield self.act('ann', 'quarantine', reason='bad cable')
        yield self.request('fw')
        self.assertEqual(self.gate.running, [])

    @parameterized.expand([(SUCCESS, ['fw']), (FAILURE, []), (CANCELLED, [])])
    @defer.inlineCallbacks
    def test_repaired(self, result: int, running: list[str]) -> Any:
        """A build of the repair builder may have the copy; it is in use again if that ends well."""
        yield self.start_broken()
        yield self.request('repair')
        self.assertEqual([b.builder.name for b, _ in self.gate.running], ['repair'])
        self.gate.open(result)
        self.settle()
        self.assertEqual([b.builder.name for b, _ in self.gate.running], running)

    @defer.inlineCallbacks
    def test_repaired_without_a_database(self) -> Any:
        """The end of a quarantine that cannot be written is tried again, and then told."""
        yield self.start_broken()
        yield self.request('repair')
        hand = self.master.db.lock_hand
        delete, error = hand.delete_quarantines, OperationalError('', {}, Exception('locked'))
        self.patch(hand, 'delete_quarantines', lambda **c: defer.fail(error))
        self.gate.open(SUCCESS)
        self.settle()
        self.assertNotEqual((yield self.copy_row())['quarantined_at'], None)
        self.patch(hand, 'delete_quarantines', delete)
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((yield self.copy_row())['quarantined_at'], None)
        self.assertEqual((yield self.actions())[-1][0], 'restored')
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)

    @defer.inlineCallbacks
    def test_told(self) -> Any:
        """It is told which build has repaired it."""
        yield self.start_broken()
        yield self.request('repair')
        self.gate.open(SUCCESS)
        self.settle()
        rows = yield self.get('locks', (yield self.lockid()), 'actions')
        self.assertEqual(
            (rows[-1]['text'], rows[-1]['reason']),
            ('the configuration has put it back into use', 'repair #1 succeeded'),
        )

    @defer.inlineCallbacks
    def test_while_held(self) -> Any:
        """A repair that waits for who holds the copy still has it after that one."""
        yield self.start(WorkerLock('board', repairBuilder='repair'), builders=('fw', 'repair'))
        yield self.request('fw')
        yield self.act('ann', 'quarantine')
        yield self.request('repair')
        yield self.request('fw')
        self.gate.open(SUCCESS)
        self.settle()
        self.assertEqual([b.builder.name for b, _ in self.gate.running], ['repair'])

    @defer.inlineCallbacks
    def test_restored_meanwhile(self) -> Any:
        """A copy that is put to use by hand during the repair stays with it till its end."""
        yield self.start_broken()
        yield self.request('repair')
        yield self.act('ann', 'restore')
        self.assertEqual([b.builder.name for b, _ in self.gate.running], ['repair'])
        self.gate.open(SUCCESS)
        self.settle()
        self.assertEqual([b.builder.name for b, _ in self.gate.running], ['fw'])

    @defer.inlineCallbacks
    def test_out_of_use_again(self) -> Any:
        """A quarantine outlasts a restart even if the one before it was ended twice at once."""
        yield self.start(WorkerLock('board', repairBuilder='repair'), builders=('fw', 'repair'))
        yield self.act('ann', 'quarantine', reason='bad cable')
        yield self.request('repair')
        hand = self.master.db.lock_hand
        slow: defer.Deferred[None] = defer.Deferred()
        delete = hand.delete_quarantines
        self.patch(hand, 'delete_quarantines', lambda **c: slow.addCallback(lambda _: delete(**c)))
        restored = self.act('bob', 'restore')
        again = self.act('ann', 'quarantine', reason='smoke', version='0-0-0')
        self.gate.open(SUCCESS)
        self.settle()
        self.patch(hand, 'delete_quarantines', delete)
        slow.callback(None)
        yield restored
        yield again
        yield self.restart()
        row = yield self.copy_row()
        self.assertEqual(row['quarantine_reason'], 'smoke')

    @defer.inlineCallbacks
    def test_of_child(self) -> Any:
        """A build that a repair has triggered and waits for may have the copy as well."""
        yield self.start(MasterLock('board', repairBuilder='repair'), builders=())
        lock = self.board.access('exclusive')
        yield self.add_builders(fw={'locks': [lock]}, child={'locks': [lock]})
        self.lab['repair'] = {
            'steps': [steps.Trigger(schedulerNames=['child'], waitForFinish=True)]
        }
        self.words['schedulers'] = [Triggerable('child', builderNames=['child'])]
        yield self.reconfig_master(self.lab_config(self.lab, **self.words))
        yield self.act('ann', 'quarantine', of=None)
        yield self.request('fw')
        yield self.request('repair')
        self.assertEqual([b.builder.name for b, _ in self.gate.running], ['child'])

    @defer.inlineCallbacks
    def test_of_builder(self) -> Any:
        """A repair may have the copy for its whole build, too."""
        yield self.start(MasterLock('board', repairBuilder='repair'), builders=())
        lock = {'locks': [self.board.access('exclusive')]}
        yield self.add_builders(fw=lock, repair=lock)
        yield self.act('ann', 'quarantine', of=None)
        yield self.request('fw')
        yield self.request('repair')
        self.end_steps('repair', 'repair')
        self.assertEqual([b.builder.name for b, _ in self.gate.running], ['fw'])

    @parameterized.expand([('fw', None), ('fw', 'repair'), ('repair', 'repair')])
    @defer.inlineCallbacks
    def test_not_by_others(self, builder: str, repairs: str | None) -> Any:
        """Who has held the copy since before the quarantine repairs nothing by ending well."""
        yield self.start(MasterLock('board', repairBuilder=repairs), builders=())
        lock = {'locks': [self.board.access('exclusive')]}
        yield self.add_builders(fw=lock, repair=lock, next=lock)
        yield self.request(builder)
        yield self.act('ann', 'quarantine', of=None)
        yield self.request('next')
        self.end_steps(builder, builder)
        self.assertEqual((yield self.get('builds', 1))['results'], SUCCESS)
        self.assertEqual(self.gate.running, [])
        self.assertEqual([action for action, _ in (yield self.actions())], ['quarantined'])


class Words(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('whenOverdue', 'never', "whenOverdue must be 'keep' or 'release', not 'never'"),
            (
                *('whenOverdue', Property('how')),
                "whenOverdue must be 'keep' or 'release', not Property(how)",
            ),
            ('quarantineAfter', 0, 'quarantineAfter must be a number of failures, or None, not 0'),
            (
                'quarantineAfter',
                '3',
                "quarantineAfter must be a number of failures, or None, not '3'",
            ),
            (
                *('quarantineWhen', 3),
                'quarantineWhen must be a function of results, or None, not 3',
            ),
            ('repairBuilder', '', "repairBuilder must be the name of a builder, not ''"),
        ]
    )
    def test_wrong(self, name: str, value: Any, why: str) -> None:
        """What cannot be said of a lock is an error that names the lock."""
        with self.assertRaises(ConfigErrors) as caught:
            MasterLock('board', **{name: value})
        self.assertEqual(caught.exception.errors, [f"lock 'board': {why}"])

    def test_unknown(self) -> None:
        """A misspelt argument is none."""
        with self.assertRaises(TypeError) as caught:
            MasterLock('board', whenOverdu='keep')
        self.assertEqual(
            str(caught.exception), "MasterLock() got an unexpected keyword argument 'whenOverdu'"
        )
