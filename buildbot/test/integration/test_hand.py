# SPDX-License-Identifier: GPL-2.0-only
"""What people do with locks of a master in memory: holds and their ends, the order, kicks."""

from __future__ import annotations

import random
from typing import Any
from unittest.mock import Mock

from parameterized import parameterized
from sqlalchemy.exc import DatabaseError
from sqlalchemy.exc import OperationalError
from twisted.internet import defer

from buildbot.data.exceptions import InvalidControlException
from buildbot.data.exceptions import InvalidPathError
from buildbot.db.lockhand import LockHandConnectorComponent
from buildbot.db.model import Model
from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import steps
from buildbot.process.eye.history import History
from buildbot.process.hand.hand import Hand
from buildbot.process.properties import renderer
from buildbot.process.results import CANCELLED
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.test.util.hand import HOUR
from buildbot.test.util.hand import MINUTE
from buildbot.test.util.hand import HandTestCase
from buildbot.test.util.lab import GatedStep
from buildbot.util import datetime2epoch
from buildbot.www.authz import Forbidden


class Holds(HandTestCase):
    @defer.inlineCallbacks
    def test_held_at_once(self) -> Any:
        """A free copy is the person's at once, and a build waits for it and says for whom."""
        yield self.start(WorkerLock('board'))
        answer = yield self.hold('ann')
        self.assertEqual(answer['state'], 'held')
        yield self.request('fw')
        self.assertEqual(self.gate.running, [])
        [holder] = yield self.get('copies', answer['copyid'], 'holders')
        self.assertEqual(
            (holder['holderid'], holder['kind'], holder['person'], holder['reason']),
            (f'person-{answer["holdid"]}', 'person', 'ann', 'on my desk'),
        )
        [reason] = yield self.get('builds', 1, 'reasons')
        self.assertEqual(
            reason['text'], 'waiting for board[w1]: held by ann, by hand (under a minute)'
        )

    @defer.inlineCallbacks
    def test_in_line(self) -> Any:
        """A person waits for a build that holds the copy, and has it before one that came later."""
        yield self.start(WorkerLock('board'))
        yield self.request('fw')
        answer = yield self.hold('ann')
        self.assertEqual(answer['state'], 'waiting')
        yield self.request('fw')
        self.gate.open(SUCCESS)
        self.settle()
        [holder] = yield self.get('copies', answer['copyid'], 'holders')
        self.assertEqual(holder['person'], 'ann')
        yield self.act('ann', 'release', holdid=answer['holdid'])
        self.assertEqual(len(self.gate.running), 1)

    @parameterized.expand([(True,), (False,)])
    @defer.inlineCallbacks
    def test_other_worker(self, late: bool) -> Any:
        """A build goes to the worker whose board nobody has on a desk."""
        names = [f'fw{n}' for n in range(6)]
        yield self.start(
            WorkerLock('board'), workers=('w1', 'w2'), builders=names, lateBinding=late
        )
        yield self.hold('ann', of='w1')
        for name in names:
            yield self.request(name)
            self.assertEqual([b.workername for b, _ in self.gate.running], ['w2'])
            self.gate.open(SUCCESS)
            self.settle()

    @defer.inlineCallbacks
    def test_left_for_later(self) -> Any:
        """A person counts as a build that has the board: one more build prepares, others pend."""
        yield self.start(WorkerLock('board'), builders=('fw', 'fw2', 'fw3'), lateBinding=True)
        hold = yield self.hold('ann')
        for name in ('fw', 'fw2', 'fw3'):
            yield self.request(name)
        rows = yield self.get('builds', order=['buildid'])
        self.assertEqual(len(rows), 1)
        [reason] = yield self.get('buildrequests', 2, 'reasons')
        self.assertEqual(
            (reason['kind'], reason['text']),
            (
                'late_binding',
                'left for a worker with room: on w1, it would wait for locks that fw #1, ann, by'
                ' hand want',
            ),
        )
        yield self.act('ann', 'release', holdid=hold['holdid'])
        rows = yield self.get('builds', order=['buildid'])
        self.assertEqual(len(rows), 2)

    @parameterized.expand([(0, ['fw', 'ann', 'low', 'high']), (5, ['fw', 'ann', 'high', 'low'])])
    @defer.inlineCallbacks
    def test_priority(self, priority: int, order: list[str]) -> Any:
        """People stand among builds of the priority that the configuration gives to people."""
        names = ('fw', 'low', 'high')
        yield self.start(WorkerLock('board'), builders=names, holdPriority=priority)
        yield self.request('fw')
        yield self.request('low')
        yield self.request('high', priority=3)
        yield self.hold('ann')
        row = yield self.copy_row()
        waiters = yield self.get('copies', row['copyid'], 'waiters')
        said = [w['person'] or w['builder'] for w in waiters]
        wanted = ['ann', 'high', 'low'] if priority else ['high', 'low', 'ann']
        self.assertEqual(said, wanted)

    @parameterized.expand([('keep', 'overdue', 0), ('release', 'ended', 1)])
    @defer.inlineCallbacks
    def test_end(self, when_overdue: str, what: str, running: int) -> Any:
        """Ten minutes before the end, and at it, the person is told; the lock says what is done."""
        yield self.start(WorkerLock('board', whenOverdue=when_overdue))
        yield self.hold('ann')
        yield self.request('fw')
        self.reactor.advance(HOUR - 11 * MINUTE)
        self.settle()
        self.assertEqual([a for a, _ in (yield self.actions())], ['hold', 'held'])
        self.reactor.advance(MINUTE)
        self.settle()
        self.assertEqual([a for a, _ in (yield self.actions())][2:], ['ends_soon'])
        self.reactor.advance(10 * MINUTE)
        self.settle()
        self.assertEqual([a for a, _ in (yield self.actions())][3:], [what])
        self.assertEqual(len(self.gate.running), running)
        self.reactor.advance(HOUR)
        self.settle()
        self.assertEqual([a for a, _ in (yield self.actions())][4:], [])

    @defer.inlineCallbacks
    def test_end_before_its_turn(self) -> Any:
        """Who is still in line at the end of the hold leaves it, and is told."""
        yield self.start(WorkerLock('board'))
        yield self.request('fw')
        yield self.hold('ann', until=self.reactor.seconds() + MINUTE)
        self.reactor.advance(MINUTE)
        self.settle()
        row = yield self.copy_row()
        self.assertEqual((yield self.get('copies', row['copyid'], 'waiters')), [])
        self.assertEqual(
            (yield self.actions())[-1],
            (
                'ended',
                'ann no longer waits for it: the end of the hold, 1970-01-01 00:01 UTC, has come',
            ),
        )

    @defer.inlineCallbacks
    def test_extended(self) -> Any:
        """A hold with another end is told of at that; an overdue one goes on."""
        yield self.start(WorkerLock('board'))
        held = yield self.hold('ann', until=self.reactor.seconds() + MINUTE)
        self.reactor.advance(2 * MINUTE)
        self.settle()
        self.assertEqual((yield self.actions())[-1][0], 'overdue')
        until = self.reactor.seconds() + HOUR
        yield self.act('ann', 'extend', holdid=held['holdid'], until=until)
        self.reactor.advance(HOUR - 2 * MINUTE)
        self.settle()
        told = [action for action, _ in (yield self.actions())]
        self.assertEqual(told[-3:], ['overdue', 'extend', 'ends_soon'])

    @parameterized.expand([('held', ()), ('waiting', ('fw',))])
    @defer.inlineCallbacks
    def test_extended_at_its_end(self, state: str, before: Any) -> Any:
        """A hold whose end comes while an extension of it is being written is extended."""
        yield self.start(WorkerLock('board', whenOverdue='release'))
        for name in before:
            yield self.request(name)
        yield self.hold('ann', until=MINUTE)
        written: defer.Deferred[None] = defer.Deferred()
        change = self.master.db.lock_hand.change_hold

        def change_later(*args: Any, **columns: Any) -> Any:
            written.addCallback(lambda _: change(*args, **columns))
            return written

        self.patch(self.master.db.lock_hand, 'change_hold', change_later)
        d = self.act('ann', 'extend', holdid=1, until=HOUR)
        self.reactor.advance(2 * MINUTE)
        self.settle()
        written.callback(None)
        self.assertEqual((yield d)['state'], state)
        self.assertEqual((yield self.actions())[-1][0], 'extend')
        self.reactor.advance(HOUR)
        self.settle()
        self.assertEqual((yield self.actions())[-1][0], 'ended')

    @defer.inlineCallbacks
    def test_extended_in_vain(self) -> Any:
        """A wait that is about to end cannot be extended, even if its end cannot be written yet."""
        yield self.start(WorkerLock('board', maxCount=2))
        yield self.request('fw')
        yield self.hold('ann', mode='counting', units=2)
        error = OperationalError('', {}, Exception('locked'))
        self.patch(self.master.db.lock_hand, 'delete_hold', lambda holdid: defer.fail(error))
        yield self.start_anew(WorkerLock('board', maxCount=1))
        self.settle()
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)
        self.assertEqual(
            (yield self.refused(self.act('ann', 'extend', holdid=1, until=2 * HOUR))),
            'board[w1]: ann cannot hold it any more: 2 units of board[w1] can never be granted: it'
            ' has 1',
        )
        del self.master.db.lock_hand.delete_hold
        self.reactor.advance(MINUTE)
        self.settle()
        self.assertEqual((yield self.actions())[-1][0], 'ended')

    @defer.inlineCallbacks
    def test_default_branch(self) -> Any:
        """What is no branch is the default one, as for builds; and no key has a codebase."""
        version, key = BranchLock('version', defaultBranch='main'), BranchLock('key', key='x')
        yield self.start(WorkerLock('board'))
        locks = [version.access('exclusive'), key.access('exclusive')]
        self.lab['make'] = {'steps': [], 'locks': locks}
        yield self.reconfig_master(self.lab_config(self.lab, lateBinding=False))
        self.board = version
        yield self.hold('ann', of=None)
        yield self.request('make')
        rows = yield self.get('buildrequests')
        self.assertEqual([row['complete'] for row in rows], [False])
        self.board = key
        said = yield self.refused(self.hold('ann', of='x', codebase='lib', version='0-0-0'))
        self.assertEqual(said, "lock 'key': it has a copy for each key, and none of 'lib'")
        self.board = version
        for name in ('\ud800', 'a\0b'):
            said = yield self.refused(self.hold('ann', of=name, version='0-0-0'))
            self.assertEqual(said, f"lock 'version': no copy can have the name {name!r}")

    @defer.inlineCallbacks
    def test_handed_over(self) -> Any:
        """It is another person's then: that one can release it, and the first one cannot."""
        yield self.start(WorkerLock('board'))
        held = yield self.hold('ann')
        yield self.master.db.users.findUserByAttr('bob', 'username', 'bob')
        yield self.act('ann', 'handover', holdid=held['holdid'], person='bob')
        row = yield self.copy_row()
        [holder] = yield self.get('copies', row['copyid'], 'holders')
        self.assertEqual(holder['person'], 'bob')
        why = yield self.refused(self.act('ann', 'release', holdid=held['holdid']))
        self.assertEqual(why, 'board[w1]: hold 1 belongs to bob; kick it to end it')
        yield self.act('bob', 'release', holdid=held['holdid'])
        yield self.assert_untouched()

    @defer.inlineCallbacks
    def test_units(self) -> Any:
        """Who holds some units leaves the others to builds."""
        yield self.start(WorkerLock('board', maxCount=3))
        held = yield self.hold('ann', mode='counting', units=2)
        other = yield self.hold('bob', mode='counting', units=1)
        self.assertEqual((held['state'], other['state']), ('held', 'held'))
        yield self.request('fw')
        self.assertEqual(self.gate.running, [])
        yield self.act('ann', 'release', holdid=held['holdid'])
        yield self.act('bob', 'release', holdid=other['holdid'])
        self.assertEqual(len(self.gate.running), 1)

    @defer.inlineCallbacks
    def test_branch_that_nobody_uses(self) -> Any:
        """A branch can be held that no build has ever been of; builds of others go on."""
        version = BranchLock('version')
        yield self.start(WorkerLock('board'))
        self.board = version
        self.lab['make'] = {'steps': [], 'locks': [version.access('exclusive')]}
        yield self.reconfig_master(self.lab_config(self.lab, lateBinding=False))
        answer = yield self.hold('ann', of='release/1')
        self.assertEqual(answer['state'], 'held')
        yield self.request('make', branch='release/1')
        yield self.request('make', branch='main')
        rows = yield self.get('buildrequests', order=['buildrequestid'])
        self.assertEqual([row['complete'] for row in rows], [False, True])

    @defer.inlineCallbacks
    def test_nothing_twice(self) -> Any:
        """The same thing once more is done and told once, and is no error."""
        yield self.start(WorkerLock('board'), builders=('fw', 'fw2'))
        until = self.reactor.seconds() + HOUR
        one = yield self.hold('ann', until=until, version='0-0-0')
        two = yield self.hold('ann', until=until, version='0-0-0')
        self.assertEqual(one['holdid'], two['holdid'])
        for _ in range(2):
            yield self.act('ann', 'extend', holdid=one['holdid'], until=until + 1)
        for _ in range(2):
            yield self.act('ann', 'handover', holdid=one['holdid'], person='ann')
        yield self.request('fw')
        yield self.request('fw2')
        row = yield self.copy_row()
        waiters = yield self.get('copies', row['copyid'], 'waiters')
        for action in ('first', 'first', 'back', 'back'):
            yield self.act('ann', action, waiterid=waiters[1]['waiterid'])
        for _ in range(2):
            yield self.act('ann', 'quarantine')
        for _ in range(2):
            yield self.act('ann', 'release', holdid=one['holdid'])
        for _ in range(2):
            yield self.act('ann', 'restore')
        told = [action for action, _ in (yield self.actions())]
        wanted = 'hold held extend first back quarantined release restored'
        self.assertEqual(told, wanted.split())

    @defer.inlineCallbacks
    def test_ids(self) -> Any:
        """No two holds have one id, also if the first has ended, and after a restart."""
        yield self.start(WorkerLock('board'))
        ids = []
        for _ in range(2):
            for _ in range(2):
                hold = yield self.hold('ann')
                ids.append(hold['holdid'])
                yield self.act('ann', 'release', holdid=hold['holdid'])
                yield self.assert_untouched()
            yield self.restart()
        self.assertEqual(ids, [1, 2, 3, 4])

    @defer.inlineCallbacks
    def test_limit_lowered(self) -> Any:
        """A person who waits for more units than there are now is told, and waits no longer."""
        board = WorkerLock('board', maxCount=2)
        yield self.start(board)
        yield self.request('fw')
        yield self.hold('ann', mode='counting', units=2)
        yield self.start_anew(WorkerLock('board', maxCount=1))
        self.settle()
        self.assertEqual(
            (yield self.actions())[-1],
            (
                'ended',
                'ann cannot hold it any more: 2 units of board[w1] can never be granted: it has 1',
            ),
        )

    @defer.inlineCallbacks
    def test_circle(self) -> Any:
        """A person yields a place in line where builds would wait forever because of it."""
        yield self.start(MasterLock('board', maxCount=2), builders=())
        other = MasterLock('other')
        part = self.board.access('counting')
        yield self.add_builders(
            one={'locks': [part], 'of_step': [other.access('exclusive')]},
            two={'locks': [other.access('exclusive')], 'of_step': [part]},
        )
        yield self.request('one')
        hold = yield self.hold('ann', of=None)
        self.assertEqual(hold['state'], 'waiting')
        yield self.request('two')
        self.end_steps('two')
        self.end_steps('one')  # now each of the three waits for the next
        self.assertEqual(
            (yield self.actions())[-1],
            (
                'aside',
                'ann stands aside for those in line, of whom some would wait for others forever,'
                ' until it is released',
            ),
        )
        self.end_steps('two')
        self.end_steps('one')
        rows = yield self.get('builds', order=['buildid'])
        self.assertEqual([row['results'] for row in rows], [SUCCESS, SUCCESS])
        [holder] = yield self.get('copies', hold['copyid'], 'holders')
        self.assertEqual(holder['person'], 'ann')

    @defer.inlineCallbacks
    def test_circle_again(self) -> Any:
        """A person who would still be in the way at the next release stands aside once more."""
        yield self.start(MasterLock('board', maxCount=5), builders=())
        other = MasterLock('other')
        part, most = self.board.access('counting'), self.board.access('counting', 4)
        yield self.add_builders(
            one={'locks': [part], 'of_step': [other.access('exclusive')]},
            two={'locks': [other.access('exclusive')], 'of_step': [most]},
            three={'locks': [part]},
            four={'locks': [part]},
            late={'locks': [part]},
        )
        for name in ('one', 'three', 'four'):
            yield self.request(name)
        hold = yield self.hold('ann', of=None)
        yield self.request('late')
        yield self.request('two')
        self.end_steps('two', 'one')
        self.assertEqual((yield self.actions())[-1][0], 'aside')
        self.end_steps('three', 'three')
        told = [action for action, _ in (yield self.actions())]
        self.assertEqual(told, ['hold', 'aside', 'aside'])
        self.end_steps('four', 'four', 'two', 'one')
        [holder] = yield self.get('copies', hold['copyid'], 'holders')
        self.assertEqual(holder['person'], 'ann')

    @defer.inlineCallbacks
    def test_refused_write(self) -> Any:
        """What the database does not take is not done; who asked hears of it, and can ask again."""
        yield self.start(WorkerLock('board'))
        error = OperationalError('', {}, Exception('locked'))
        self.patch(self.master.db.lock_hand, 'add_hold', lambda **columns: defer.fail(error))
        yield self.assertFailure(self.hold('ann'), OperationalError)
        yield self.assert_untouched()
        del self.master.db.lock_hand.add_hold
        answer = yield self.hold('ann')
        self.assertEqual(answer['state'], 'held')

    @defer.inlineCallbacks
    def test_refused_write_at_the_end(self) -> Any:
        """A hold that cannot be ended in the database goes on, and is ended when it can be."""
        yield self.start(WorkerLock('board', whenOverdue='release'))
        yield self.hold('ann')
        yield self.request('fw')
        error = OperationalError('', {}, Exception('locked'))
        self.patch(self.master.db.lock_hand, 'delete_hold', lambda holdid: defer.fail(error))
        self.reactor.advance(HOUR)
        self.settle()
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)
        self.assertEqual(self.gate.running, [])
        del self.master.db.lock_hand.delete_hold
        self.reactor.advance(MINUTE)
        self.settle()
        self.assertEqual(len(self.gate.running), 1)

    @defer.inlineCallbacks
    def test_shutdown(self) -> Any:
        """While the master shuts down nothing is taken by hand."""
        yield self.start(WorkerLock('board'))
        yield self.request('fw')
        self.master.botmaster.cleanShutdown(stopReactor=False)
        said = 'board[w1]: the master is shutting down, so nothing can be taken by hand'
        self.assertEqual((yield self.refused(self.hold('ann'))), said)
        self.assertEqual((yield self.refused(self.act('ann', 'quarantine'))), said)
        self.gate.open(SUCCESS)
        self.settle()

    @defer.inlineCallbacks
    def test_nobody(self) -> Any:
        """Who has not logged in can do nothing by hand, unless the configuration says so."""
        yield self.start(WorkerLock('board'))
        yield self.assertFailure(self.hold('anonymous'), Forbidden)
        yield self.assertFailure(self.hold(''), Forbidden)
        self.master.config.handForAnonymous = True
        answer = yield self.hold('anonymous')
        self.assertEqual(answer['state'], 'held')

    @defer.inlineCallbacks
    def test_stop(self) -> Any:
        """When the master is stopped, no build has what was held or in quarantine meanwhile."""
        yield self.start(MasterLock('board'), builders=('fw', 'fw2'))
        other = MasterLock('other')
        yield self.add_builders(other={'of_step': [other.access('exclusive')]})
        yield self.hold('ann', of=None)
        self.board, board = other, self.board
        yield self.act('ann', 'quarantine', of=None)
        self.board = board
        yield self.request('fw')
        yield self.request('other')
        self.end_steps('other')
        yield self.tested_master.shutdown()
        self.settle()
        self.assertEqual(self.gate.running, [])

    @defer.inlineCallbacks
    def test_stop_in_line(self) -> Any:
        """What builds release when holds have been stopped already is written of nobody."""
        yield self.start(WorkerLock('board'))
        yield self.request('fw')
        self.assertEqual((yield self.hold('ann'))['state'], 'waiting')
        hand = yield Hand.getService(self.master.botmaster)
        hand.holds.stop()
        self.end_steps('fw')
        [row] = yield self.master.db.lock_hand.holds_of(self.master.masterid)
        self.assertEqual(row.held_since, None)


class Known(HandTestCase):
    """What is known of the past, and what is expected, when people hold locks."""

    @defer.inlineCallbacks
    def test_estimate(self) -> Any:
        """Who waits for a person is expected to have the lock at the end of the hold."""
        yield self.start(WorkerLock('board'))
        yield self.request('fw')
        self.gate.open(SUCCESS)
        self.settle()
        yield self.hold('ann')
        yield self.request('fw')
        [waiter] = yield self.get('copies', (yield self.copy_row())['copyid'], 'waiters')
        at = [waiter[name] for name in ('estimate_from', 'estimate_at', 'estimate_until')]
        self.assertEqual([round(datetime2epoch(time) / MINUTE) for time in at], [30, 60, 60])

    @parameterized.expand([('quarantine', False), ('overdue', True)])
    @defer.inlineCallbacks
    def test_no_estimate(self, _: str, is_overdue: bool) -> Any:
        """Nothing is expected of a quarantine, or of a hold beyond its end."""
        yield self.start(MasterLock('board'))
        if is_overdue:
            yield self.hold('ann', of=None, until=MINUTE)
            self.reactor.advance(2 * MINUTE)
        else:
            yield self.act('ann', 'quarantine', of=None)
        yield self.request('fw')
        [waiter] = yield self.get('copies', (yield self.copy_row(None))['copyid'], 'waiters')
        self.assertIsNone(waiter['estimate_at'])

    @defer.inlineCallbacks
    def test_history(self) -> Any:
        """A hold is a use of the lock, and costs; it says nothing of how long builds hold it."""
        yield self.start(WorkerLock('board'))
        hold = yield self.hold('ann')
        self.reactor.advance(30 * MINUTE)
        yield self.act('ann', 'release', holdid=hold['holdid'])
        [use] = yield self.get('locks', (yield self.lockid()), 'uses')
        self.assertEqual(
            (use['kind'], use['text'], use['builder']), ('person', 'ann, by hand', None)
        )
        [cost] = yield self.get('lockcosts', 1)
        self.assertEqual((cost['builder'], round(cost['held'] / MINUTE)), (None, 30))
        yield self.request('fw')
        yield self.request('fw')
        self.gate.open(SUCCESS)
        self.settle()
        history = yield History.getService(self.master.botmaster)
        known = yield history.known_holds()
        self.assertEqual(len(known.lasted('board', 'other', None)), 1)


class Precedence(HandTestCase):
    @defer.inlineCallbacks
    def start_with_line(self) -> Any:
        """Start a build that holds the board, and two others that wait for it."""
        yield self.start(WorkerLock('board'), builders=('fw', 'fw2', 'fw3'))
        for name in ('fw', 'fw2', 'fw3'):
            yield self.request(name)
        self.row = yield self.copy_row()

    @defer.inlineCallbacks
    def line(self) -> Any:
        """Return the names of those who wait."""
        waiters = yield self.get('copies', self.row['copyid'], 'waiters')
        return [waiter['person'] or waiter['builder'] for waiter in waiters]

    @defer.inlineCallbacks
    def test_first_and_back(self) -> Any:
        """Who waits can be moved to the front of the line, and has its own place again after it."""
        yield self.start_with_line()
        self.assertEqual((yield self.line()), ['fw2', 'fw3'])
        waiters = yield self.get('copies', self.row['copyid'], 'waiters')
        last = waiters[1]['waiterid']
        yield self.act('ann', 'first', waiterid=last)
        self.assertEqual((yield self.line()), ['fw3', 'fw2'])
        yield self.act('ann', 'back', waiterid=last)
        self.assertEqual((yield self.line()), ['fw2', 'fw3'])

    @defer.inlineCallbacks
    def test_person_first(self) -> Any:
        """A person can be moved to the front as well, and the next in line is that person."""
        yield self.start_with_line()
        hold = yield self.hold('ann')
        yield self.act('bob', 'first', waiterid=f'person-{hold["holdid"]}')
        self.assertEqual((yield self.line()), ['ann', 'fw2', 'fw3'])
        self.gate.open(SUCCESS)
        self.settle()
        [holder] = yield self.get('copies', self.row['copyid'], 'holders')
        self.assertEqual(holder['person'], 'ann')

    @defer.inlineCallbacks
    def test_request_first(self) -> Any:
        """A pending request that was moved to the front stays there when it asks anew."""
        yield self.start(WorkerLock('board'), builders=())
        lock = {'locks': [self.board.access('exclusive')]}
        yield self.add_builders(one=lock, two=lock, three=lock)
        for name in ('one', 'two', 'three'):
            yield self.request(name)
        self.row = yield self.copy_row()
        self.assertEqual((yield self.line()), ['two', 'three'])
        yield self.act('ann', 'first', waiterid='request-3')
        self.assertEqual((yield self.line()), ['three', 'two'])
        self.master.botmaster.builders['three'].reservations.leave_lines(3)
        self.master.botmaster.builders['three'].wake()
        self.settle()
        self.assertEqual((yield self.line()), ['three', 'two'])
        yield self.act('ann', 'back', waiterid='request-3')
        self.assertEqual((yield self.line()), ['two', 'three'])

    @defer.inlineCallbacks
    def test_first_would_wait_for_ever(self) -> Any:
        """Who would wait for one behind it, which waits for it, stays where it is."""
        yield self.start(MasterLock('board', maxCount=2), builders=())
        other = MasterLock('other')
        whole, part = self.board.access('exclusive'), self.board.access('counting')
        yield self.add_builders(
            one={'locks': [part], 'of_step': [other.access('exclusive')]},
            two={'locks': [other.access('exclusive')], 'of_step': [part]},
            three={'of_step': [whole]},
            four={'locks': [part]},
        )
        for name in ('one', 'two', 'three', 'four'):
            yield self.request(name)
        self.end_steps('two', 'three', 'one')
        self.row = yield self.copy_row(None)
        waiters = yield self.get('copies', self.row['copyid'], 'waiters')
        self.assertEqual([w['builder'] for w in waiters], ['two', 'three'])
        last = waiters[1]['waiterid']
        said = yield self.refused(self.act('ann', 'first', of=None, waiterid=last))
        self.assertEqual(
            said,
            'board: three #1 / second cannot stand in front: there it would wait forever for one'
            ' that waits for it',
        )
        self.assertEqual((yield self.line()), ['two', 'three'])
        self.end_steps('four', 'four', 'two', 'one', 'three')
        self.assertEqual(self.gate.running, [])

    @defer.inlineCallbacks
    def test_kick(self) -> Any:
        """The build that holds the copy is stopped, and the next one has it."""
        yield self.start_with_line()
        [holder] = yield self.get('copies', self.row['copyid'], 'holders')
        yield self.act('ann', 'kick', holderid=holder['holderid'])
        self.assertEqual((yield self.get('builds', 1))['results'], CANCELLED)
        [holder] = yield self.get('copies', self.row['copyid'], 'holders')
        self.assertEqual(holder['builder'], 'fw2')

    @parameterized.expand([(False,), (True,)])
    @defer.inlineCallbacks
    def test_kick_spares_what_always_runs(self, in_group: bool) -> Any:
        """A kick interrupts no step that always runs: neither one that runs already, nor twice."""
        yield self.start(WorkerLock('board'), builders=())
        flash = GatedStep(self.gate, name='flash', haltOnFailure=True)
        parts = [flash, GatedStep(self.gate, name='off', alwaysRun=True)]
        locks = [self.board.access('exclusive')]
        if in_group:
            self.lab['fw'] = {'steps': [steps.StepGroup(name='test', locks=locks, steps=parts)]}
        else:
            self.lab['fw'] = {'steps': parts, 'locks': locks}
        yield self.reconfig_master(self.lab_config(self.lab, **self.words))
        yield self.request('fw')
        yield self.request('fw')
        self.gate.open(FAILURE)  # of flash, so off runs
        self.settle()
        [holder] = yield self.get('copies', (yield self.copy_row())['copyid'], 'holders')
        said = yield self.refused(self.act('ann', 'kick', holderid=holder['holderid']))
        name, step = ('fw #1 / test', 'test/off') if in_group else ('fw #1', 'off')
        self.assertEqual(
            said,
            f'board[w1]: {name} is not ended: now {step!r} runs, which always does; to stop the'
            ' build would interrupt it',
        )
        self.gate.open(SUCCESS)
        self.settle()
        [holder] = yield self.get('copies', (yield self.copy_row())['copyid'], 'holders')
        for _ in range(2):
            yield self.act('ann', 'kick', holderid=holder['holderid'])
        self.assertEqual((yield self.get('builds', 2))['complete'], False)
        self.end_steps('fw')
        rows = yield self.get('builds', order=['buildid'])
        self.assertEqual([row['results'] for row in rows], [FAILURE, CANCELLED])
        self.assertEqual([action for action, _ in (yield self.actions())], ['kick'])

    @defer.inlineCallbacks
    def test_kick_person(self) -> Any:
        """The hold of a person ends, and the person is named in what is told."""
        yield self.start(WorkerLock('board'))
        hold = yield self.hold('ann')
        yield self.act('bob', 'kick', holderid=f'person-{hold["holdid"]}', reason='a release')
        self.assertEqual(
            (yield self.actions())[-1], ('kick', 'bob has ended what ann, by hand holds')
        )
        [row] = yield self.get('locks', (yield self.lockid()), 'actions', offset=2)
        self.assertEqual((row['who'], row['reason'], row['person']), ('bob', 'a release', 'ann'))

    @defer.inlineCallbacks
    def test_kick_while_a_build_begins(self) -> Any:
        """The hold of a person is ended, also while a build that was stopped has no id yet."""
        yield self.start(WorkerLock('board'))
        hold = yield self.hold('ann')
        running = self.master.botmaster.awaited.running
        running[Mock(buildid=None, stopped=True)] = None
        yield self.act('bob', 'kick', holderid=f'person-{hold["holdid"]}')
        running.clear()
        yield self.assert_untouched()


class Crowd(HandTestCase):
    @defer.inlineCallbacks
    def test_crowd(self) -> Any:
        """Of 10 people and 20 builds in one line each has the lock once, in the order of the line:
        those who were moved, the last one first; then by priority; then by age.
        """
        chance = random.Random(7)
        names = [f'b{n}' for n in range(20)]
        yield self.start(MasterLock('board'), builders=(), holdPriority=1)
        lock = {'locks': [self.board.access('exclusive')]}
        yield self.add_builders(first=lock, **{name: lock for name in names})
        yield self.request('first')
        places = {}
        for who in chance.sample([*names, *(f'p{n}' for n in range(10))], 30):
            priority = 1 if who[0] == 'p' else chance.choice([0, 1, 2])
            if who[0] == 'p':
                hold = yield self.hold(who, of=None)
                waiterid = f'person-{hold["holdid"]}'
            else:
                brid = yield self.request(who, priority=priority)
                waiterid = f'request-{brid}'
            self.reactor.advance(1)
            places[who] = (-priority, self.reactor.seconds())
            if chance.random() < 0.1:
                yield self.act('ann', 'first', of=None, waiterid=waiterid)
                places[who] = (-99, -self.reactor.seconds())
        had: list[Any] = []
        self.end_steps('first', 'first')
        while len(had) < len(places):
            row = yield self.copy_row(None)
            [holder] = yield self.get('copies', row['copyid'], 'holders')
            had.append(holder['person'] or holder['builder'])
            if holder['person']:
                yield self.act(holder['person'], 'release', of=None, holdid=holder['holdid'])
            else:
                self.end_steps(holder['builder'], holder['builder'])
        self.assertEqual(had, sorted(places, key=places.__getitem__))
        yield self.assert_untouched(None)


class Refusals(HandTestCase):
    """Each thing that cannot be done is refused with one sentence, and nothing has changed."""

    @parameterized.expand(
        [
            ('reason', 'hold', {'reason': ''}, 'the reason must not be empty'),
            ('blank', 'hold', {'reason': ' \n'}, 'the reason must not be empty'),
            ('long', 'hold', {'reason': 'x' * 1001}, 'the reason is longer than 1000 characters'),
            ('past', 'hold', {'until': 0}, 'the end is in the past'),
            ('no_time', 'hold', {'until': 'noon'}, "the end must be a time in seconds, not 'noon'"),
            ('nan', 'hold', {'until': float('nan')}, 'the end must be a time in seconds, not nan'),
            ('far', 'hold', {'until': 1e12}, 'the end is more than 366 days away'),
            ('huge', 'hold', {'until': 10**400}, 'the end is more than 366 days away'),
            (
                *('null', 'hold', {'reason': 'a\0b'}),
                'the reason has a null character, which cannot be stored',
            ),
            (
                *('idle_words', 'release', {'holdid': 7, 'reason': 'x' * 1001}),
                'the reason is longer than 1000 characters',
            ),
            (
                *('units', 'hold', {'mode': 'counting', 'units': 3}),
                '3 units can never be granted: it has 2',
            ),
            (
                'no_units',
                'hold',
                {'mode': 'counting', 'units': 0},
                '0 is not a number of units to hold',
            ),
            (
                *('units_of_all', 'hold', {'units': 2}),
                'an exclusive hold takes all of it, so units have no meaning',
            ),
            ('mode', 'hold', {'mode': 'x'}, "it can be held 'exclusive' or 'counting', not 'x'"),
            (
                *('unseen', 'hold', {'version': None}),
                "the parameter 'version' is missing: which version of it you looked at",
            ),
            ('no_hold', 'extend', {'holdid': 7, 'until': 99}, 'there is no hold 7 of it now'),
            ('no_id', 'release', {'holdid': [7]}, 'there is no hold [7] of it now'),
            ('nobody', 'first', {'waiterid': 'step-7'}, "'step-7' does not wait for it now"),
            ('no_holder', 'kick', {'holderid': 'step-7'}, "'step-7' does not hold it now"),
        ]
    )
    @defer.inlineCallbacks
    def test_refused(self, _: str, action: str, words: dict[str, Any], why: str) -> Any:
        """Bad input is refused."""
        yield self.start(WorkerLock('board', maxCount=2))
        self.reactor.advance(MINUTE)
        given = {'until': self.reactor.seconds() + HOUR} if action == 'hold' else {}
        said = yield self.refused(self.act('ann', action, **{**given, **words}))
        self.assertEqual(said, f'board[w1]: {why}')
        self.assertEqual((yield self.actions()), [])
        yield self.assert_untouched()

    @defer.inlineCallbacks
    def test_too_many_for_the_database(self) -> Any:
        """More units than a database can keep cannot be held, though the lock has them."""
        yield self.start(WorkerLock('board', maxCount=2**64))
        until = self.reactor.seconds() + HOUR
        words: dict[str, Any] = {'until': until, 'mode': 'counting', 'units': 2**63}
        said = yield self.refused(self.act('ann', 'hold', **words))
        most = '2147483647 units'
        self.assertEqual(said, f'board[w1]: nobody can hold more than {most}, except all')

    @parameterized.expand(
        [
            ('hold', 'board[w1]', 'its name'),
            ('hold', 'ann', 'the name of the person'),
            ('quarantine', 'board[w1]', 'its name'),
        ]
    )
    @defer.inlineCallbacks
    def test_not_kept(self, action: str, name: str, what: str) -> Any:
        """What the database would know by another name after a restart is refused."""
        yield self.start(WorkerLock('board'))
        self.patch(self.master.db.lock_hand, 'can_keep', lambda text: text != name)
        given: dict[str, Any] = {}
        if action == 'hold':
            given['until'] = self.reactor.seconds() + HOUR
        said = yield self.refused(self.act('ann', action, **given))
        self.assertEqual(said, f'board[w1]: the database cannot keep {what} as it is')
        self.assertEqual((yield self.actions()), [])
        yield self.assert_untouched()

    @defer.inlineCallbacks
    def test_not_kept_of_another_one(self) -> Any:
        """Nor is a hold handed over to somebody whose name the database cannot keep."""
        yield self.start(WorkerLock('board'))
        hold = yield self.hold('ann')
        self.patch(self.master.db.lock_hand, 'can_keep', lambda text: text != 'bob')
        said = yield self.refused(self.act('ann', 'handover', person='bob', holdid=hold['holdid']))
        why = 'the database cannot keep the name of the person as it is'
        self.assertEqual(said, f'board[w1]: {why}')

    @parameterized.expand(
        [
            (
                'worker',
                {'of': 'w7'},
                "lock 'board': there is no worker 'w7', so it has no such copy",
            ),
            ('no_worker', {'of': None}, "lock 'board': it has a copy for each worker; say which"),
            ('missing', {}, 'extend: holdid is missing'),
            ('unknown', {'holdid': 1, 'until': 9, 'by': 'x'}, 'extend: it takes no by'),
            ('kind', {'holdid': 1, 'until': 9, 'reason': 5}, 'extend: reason must be a string'),
        ]
    )
    @defer.inlineCallbacks
    def test_wrong_words(self, _: str, words: dict[str, Any], why: str) -> Any:
        """A copy that there cannot be is refused, and so are parameters that mean nothing."""
        yield self.start(WorkerLock('board'))
        action = 'quarantine' if 'of' in words else 'extend'
        said = yield self.refused(self.act('ann', action, **{'version': '0-0-0', **words}))
        self.assertEqual(said, why)

    @defer.inlineCallbacks
    def test_unknown(self) -> Any:
        """An unknown id is no path, and an unknown action is none that can be done."""
        yield self.start(WorkerLock('board'))
        control = self.master.data.control
        words = {'owner': 'ann', 'version': '0-0-0', 'reason': 'x'}
        for path in (('copies', 77), ('locks', 77)):
            yield self.assertFailure(control('quarantine', dict(words), path), InvalidPathError)
        path = ('locks', (yield self.lockid()))
        yield self.assertFailure(control('explode', dict(words), path), InvalidControlException)

    @defer.inlineCallbacks
    def test_longest(self) -> Any:
        """A lock's ``maxHold`` is the longest for which a person may hold it."""
        yield self.start(WorkerLock('board', maxHold=2 * HOUR))
        until = self.reactor.seconds() + 3 * HOUR
        said = yield self.refused(self.hold('ann', until=until))
        self.assertEqual(
            said,
            'board[w1]: nobody may hold it for longer than 7200 s, until 1970-01-01 02:00 UTC',
        )
        yield self.start_anew(WorkerLock('board', maxHold=1e300))
        said = yield self.refused(self.hold('ann', until=1e308))
        self.assertEqual(said, 'board[w1]: the end is more than 366 days away')

    @defer.inlineCallbacks
    def test_unknown_person(self) -> Any:
        """A hold is handed over only to somebody who is known."""
        yield self.start(WorkerLock('board'))
        hold = yield self.hold('ann')
        said = yield self.refused(
            self.act('ann', 'handover', holdid=hold['holdid'], person='nobdoy')
        )
        self.assertEqual(said, "board[w1]: there is no known user 'nobdoy' to hand it over to")

    @parameterized.expand([(True,), (1.0,), ('1',)])
    @defer.inlineCallbacks
    def test_no_number(self, holdid: Any) -> Any:
        """What only equals the id of a hold is not that, neither before nor after its end."""
        yield self.start(WorkerLock('board'))
        yield self.hold('ann')
        why = f'board[w1]: there is no hold {holdid!r} of it now'
        for _ in range(2):
            said = yield self.refused(self.act('ann', 'release', holdid=holdid))
            self.assertEqual(said, why)
            yield self.act('ann', 'release', holdid=1)

    @defer.inlineCallbacks
    def test_others_extend(self) -> Any:
        """A hold is extended and released only by the person who holds."""
        yield self.start(WorkerLock('board'))
        hold = yield self.hold('ann')
        for action, until in (('extend', 9 * HOUR), ('release', None)):
            words: dict[str, Any] = {} if until is None else {'until': until}
            said = yield self.refused(self.act('bob', action, holdid=hold['holdid'], **words))
            self.assertEqual(said, 'board[w1]: hold 1 belongs to ann; kick it to end it')


class Versions(HandTestCase):
    """Nobody acts on what they did not see."""

    @parameterized.expand(
        [
            ('holder', 'holder', 'fw #1 / test holds it now'),
            (
                *('hold', 'hold'),
                'bob holds it by hand until 1970-01-01 01:00 UTC',
            ),
            ('quarantine', 'quarantine', 'it is in quarantine now, by bob (bad cable)'),
        ]
    )
    @defer.inlineCallbacks
    def test_stale(self, _: str, what: str, why: str) -> Any:
        """An action on an older state is refused with what has changed."""
        yield self.start(WorkerLock('board'))
        if what == 'holder':
            yield self.request('fw')
        elif what == 'hold':
            yield self.hold('bob')
        else:
            yield self.act('bob', 'quarantine', reason='bad cable')
        said = yield self.refused(self.hold('ann', version='0-0-0'))
        self.assertEqual(said, f'board[w1] has changed since you looked at it: {why}')

    @defer.inlineCallbacks
    def test_all_gone(self) -> Any:
        """Each thing that has changed is told, also if there is none any more."""
        yield self.start(WorkerLock('board', maxCount=2))
        yield self.hold('bob', mode='counting')
        yield self.act('bob', 'quarantine', reason='bad cable')
        version = (yield self.copy_row())['version']
        yield self.act('bob', 'restore')
        yield self.act('bob', 'release', holdid=1)
        said = yield self.refused(self.hold('ann', version=version))
        self.assertEqual(
            said,
            'board[w1] has changed since you looked at it: nobody holds it by hand now; it is not'
            ' in quarantine now',
        )

    @defer.inlineCallbacks
    def test_two_at_once(self) -> Any:
        """Of two people at the same moment one has it, and the other hears of that."""
        yield self.start(WorkerLock('board'))
        one = self.hold('ann', version='0-0-0')
        two = self.refused(self.hold('bob', version='0-0-0'))
        self.assertEqual((yield one)['state'], 'held')
        self.assertEqual(
            (yield two),
            'board[w1] has changed since you looked at it: ann holds it by hand until 1970-01-01'
            ' 01:00 UTC',
        )

    @defer.inlineCallbacks
    def test_what_does_not_matter(self) -> Any:
        """Who waits, and steps that share what their group holds, change nothing."""
        yield self.start(WorkerLock('board'))
        yield self.request('fw')
        version = (yield self.copy_row())['version']
        yield self.request('fw')
        self.assertEqual((yield self.copy_row())['version'], version)
        self.gate.open(FAILURE)
        self.settle()
        self.assertNotEqual((yield self.copy_row())['version'], version)


class Restart(HandTestCase):
    """A master is stopped, and started with its database."""

    @defer.inlineCallbacks
    def test_held(self) -> Any:
        """Who held a copy has it before any build; who waited, waits; the ends are as they were."""
        yield self.start(WorkerLock('board'))
        yield self.hold('ann')
        yield self.hold('bob', until=self.reactor.seconds() + 2 * HOUR)
        yield self.restart()
        yield self.request('fw')
        row = yield self.copy_row()
        holders = yield self.get('copies', row['copyid'], 'holders')
        self.assertEqual([h['person'] for h in holders], ['ann'])
        waiters = yield self.get('copies', row['copyid'], 'waiters')
        self.assertEqual([w['person'] or w['builder'] for w in waiters], ['bob', 'fw'])
        yield self.act('ann', 'release', holdid=1)
        holders = yield self.get('copies', row['copyid'], 'holders')
        self.assertEqual([h['person'] for h in holders], ['bob'])

    @defer.inlineCallbacks
    def test_end_meanwhile(self) -> Any:
        """An end that came while the master was stopped is told when it has started."""
        yield self.start(WorkerLock('board'))
        yield self.hold('ann')
        yield self.stop()
        self.reactor.rightNow += 2 * HOUR  # nothing is done meanwhile
        yield self.restart()
        told = [action for action, _ in (yield self.actions())]
        self.assertEqual(told, ['hold', 'held', 'overdue'])
        yield self.restart()
        self.assertEqual((yield self.actions())[3:], [])
        [holder] = yield self.get('copies', (yield self.copy_row())['copyid'], 'holders')
        self.assertTrue(holder['overdue'])

    @parameterized.expand([('restart',), ('reconfig',)])
    @defer.inlineCallbacks
    def test_released_by_now(self, how: str) -> Any:
        """An overdue hold ends when the lock is configured to be released then."""
        yield self.start(WorkerLock('board'))
        yield self.hold('ann')
        self.reactor.advance(2 * HOUR)
        self.settle()
        self.board = WorkerLock('board', whenOverdue='release')
        self.lab = {name: {'steps': [self.group()]} for name in self.lab}
        if how == 'restart':
            yield self.restart()
        else:
            yield self.start_anew(self.board)
        self.settle()
        told = [action for action, _ in (yield self.actions())]
        self.assertEqual(told[2:], ['overdue', 'ended'])
        yield self.request('fw')
        self.assertEqual(len(self.gate.running), 1)

    @defer.inlineCallbacks
    def test_overdue_and_fewer_units(self) -> Any:
        """An overdue hold that its lock has no units for any more does not wait for them."""
        yield self.start(WorkerLock('board', maxCount=4))
        yield self.hold('ann', mode='counting', units=2, until=self.reactor.seconds() + 2 * HOUR)
        yield self.hold('bob', mode='counting', units=2)
        self.reactor.advance(HOUR)
        self.settle()
        self.board = WorkerLock('board', maxCount=2)
        self.lab = {name: {'steps': [self.group()]} for name in self.lab}
        yield self.restart()
        self.settle()
        row = yield self.copy_row()
        self.assertEqual((yield self.get('copies', row['copyid'], 'waiters')), [])
        (text,) = [t for a, t in (yield self.actions()) if a == 'ended']
        end = '1970-01-01 01:00 UTC'
        self.assertEqual(text, f'bob no longer waits for it: the end of the hold, {end}, has come')

    @defer.inlineCallbacks
    def test_clock_set_back(self) -> Any:
        """What was told of an end that is yet to come is told again when it comes."""
        yield self.start(WorkerLock('board'))
        yield self.hold('ann', until=MINUTE)
        self.reactor.advance(2 * MINUTE)
        self.settle()
        # as if the clock had been wrong
        yield self.master.db.lock_hand.change_hold(1, until=HOUR)
        yield self.restart()
        [holder] = yield self.get('copies', (yield self.copy_row())['copyid'], 'holders')
        self.assertFalse(holder['overdue'])
        self.reactor.advance(HOUR - 11 * MINUTE)
        self.settle()
        self.reactor.advance(10 * MINUTE)
        self.settle()
        told = [action for action, _ in (yield self.actions())]
        self.assertEqual(told[-3:], ['overdue', 'ends_soon', 'overdue'])

    @defer.inlineCallbacks
    def test_fewer_units(self) -> Any:
        """If not all who held a copy can have it any more, the last of them are told so."""
        yield self.start(WorkerLock('board', maxCount=4))
        yield self.hold('ann', mode='counting', units=2)
        yield self.hold('bob', mode='counting', units=2)
        self.board = WorkerLock('board', maxCount=2)
        self.lab = {name: {'steps': [self.group()]} for name in self.lab}
        yield self.restart()
        self.assertEqual(
            (yield self.actions())[4:],
            [('aside', 'bob waits for it again: there are not enough units for all who held it')],
        )
        yield self.act('ann', 'release', holdid=1)
        self.assertEqual((yield self.actions())[-1][0], 'held')

    @defer.inlineCallbacks
    def test_wait_for_fewer_units(self) -> Any:
        """Who waited for more units than there are now is told, and does not wait for all."""
        yield self.start(WorkerLock('board', maxCount=2))
        yield self.hold('bob', mode='counting')
        yield self.hold('ann', mode='counting', units=2)
        self.board = WorkerLock('board', maxCount=1)
        self.lab = {name: {'steps': [self.group()]} for name in self.lab}
        yield self.restart()
        self.assertEqual(
            (yield self.actions())[3:],
            [
                (
                    'ended',
                    'ann cannot hold it any more: 2 units of board[w1] can never be granted: it'
                    ' has 1',
                )
            ],
        )

    @parameterized.expand([('holds_of',), ('quarantines_of',)])
    @defer.inlineCallbacks
    def test_unreadable(self, method: str) -> Any:
        """A master that cannot read who holds what does not start, and no build has it."""
        yield self.start(WorkerLock('board'))
        yield self.hold('ann')
        yield self.stop()
        error = OperationalError('', {}, Exception('locked'))
        self.patch(LockHandConnectorComponent, method, lambda self, masterid: defer.fail(error))
        stopped: list[bool] = []
        self.patch(self.reactor, 'stop', lambda: stopped.append(True))
        yield self.restart()
        self.assertEqual(len(self.flushLoggedErrors(OperationalError)), 1)
        self.assertEqual(stopped, [True])

    @defer.inlineCallbacks
    def test_quarantine(self) -> Any:
        """A quarantine lasts."""
        yield self.start(WorkerLock('board'))
        yield self.act('ann', 'quarantine', reason='bad cable')
        yield self.restart()
        yield self.request('fw')
        self.assertEqual(self.gate.running, [])
        yield self.act('ann', 'restore')
        self.assertEqual(len(self.gate.running), 1)
        yield self.restart()
        yield self.request('fw')
        self.assertEqual((yield self.copy_row())['quarantined_at'], None)

    @defer.inlineCallbacks
    def test_no_tables(self) -> Any:
        """A master that may not make the tables starts without them."""
        yield self.start(WorkerLock('board'))
        yield self.master.db.model.drop_own()
        self.patch(Model, 'upgrade_own', lambda model: defer.succeed(None))
        yield self.restart()
        yield self.request('fw')
        self.assertEqual(len(self.gate.running), 1)
        self.gate.open(SUCCESS)
        self.settle()
        yield self.tested_master.shutdown()
        self.flushLoggedErrors(DatabaseError)  # each database has its own kind

    @defer.inlineCallbacks
    def test_lock_gone(self) -> Any:
        """What is held of a lock that the configuration names no more is held still."""
        yield self.start(WorkerLock('board', maxCount=2))
        yield self.hold('ann', mode='counting', units=2)
        lab, self.lab = self.lab, {'fw': {'steps': []}}
        yield self.restart()
        yield self.reconfig_master(self.lab_config(lab, lateBinding=False))
        yield self.request('fw')
        self.assertEqual(self.gate.running, [])
        yield self.act('ann', 'release', holdid=1)
        self.assertEqual(len(self.gate.running), 1)

    @defer.inlineCallbacks
    def test_lock_unknown_yet(self) -> Any:
        """People hold as many units as before of a lock that only a renderable names."""
        yield self.start(WorkerLock('board', maxCount=3))
        yield self.hold('ann', mode='counting')
        yield self.hold('bob', mode='counting')
        self.lab = {'fw': {'steps': []}}
        yield self.restart()
        part = self.board.access('counting')
        step = GatedStep(self.gate, name='flash', locks=renderer(lambda props: [part]))
        self.lab = {'fw': {'steps': [step]}, 'fw2': {'steps': [step]}}
        yield self.reconfig_master(self.lab_config(self.lab, **self.words))
        yield self.request('fw')
        yield self.request('fw2')
        self.assertEqual([b.builder.name for b, _ in self.gate.running], ['fw'])
        holders = yield self.get('copies', (yield self.copy_row())['copyid'], 'holders')
        self.assertEqual(
            [(h['person'], h['mode'], h['units']) for h in holders],
            [('ann', 'counting', 1), ('bob', 'counting', 1), (None, 'counting', 1)],
        )

    @defer.inlineCallbacks
    def test_wait_for_lock_unknown_yet(self) -> Any:
        """Who waited has nothing of a lock that nobody knows yet while others hold it."""
        yield self.start(WorkerLock('board', maxCount=2))
        yield self.hold('ann', mode='counting', units=2)
        yield self.hold('bob', mode='counting')
        self.lab = {'fw': {'steps': []}}
        yield self.restart()
        copyid = (yield self.copy_row())['copyid']
        holders = yield self.get('copies', copyid, 'holders')
        waiters = yield self.get('copies', copyid, 'waiters')
        self.assertEqual(
            [[h['person'] for h in of] for of in (holders, waiters)], [['ann'], ['bob']]
        )
        yield self.act('ann', 'release', holdid=1)
        holders = yield self.get('copies', copyid, 'holders')
        self.assertEqual([h['person'] for h in holders], ['bob'])

    @defer.inlineCallbacks
    def test_another_kind(self) -> Any:
        """What was held of a worker lock that is a master lock now has ended."""
        yield self.start(WorkerLock('board'))
        yield self.hold('ann')
        yield self.act('ann', 'quarantine')
        self.lab = {'fw': {'steps': [], 'locks': [MasterLock('board').access('exclusive')]}}
        yield self.restart()
        rows = yield self.master.db.lock_hand.holds_of(self.master.masterid)
        self.assertEqual(rows, [])
        yield self.request('fw')
        rows = yield self.get('buildrequests')
        self.assertEqual([row['complete'] for row in rows], [True])
