# SPDX-License-Identifier: GPL-2.0-only
"""What people do with locks of a master in memory: holds, their ends, and the order."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locks import WorkerLock
from buildbot.process.results import CANCELLED
from buildbot.process.results import SUCCESS
from buildbot.test.util.hand import HOUR
from buildbot.test.util.hand import MINUTE
from buildbot.test.util.hand import HandTestCase


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

    @defer.inlineCallbacks
    def test_first_and_back(self) -> Any:
        """Who waits can be moved to the front of the line, and has its own place again after it."""
        yield self.start(WorkerLock('board'), builders=('fw', 'fw2', 'fw3'))
        for name in ('fw', 'fw2', 'fw3'):
            yield self.request(name)
        row = yield self.copy_row()
        waiters = yield self.get('copies', row['copyid'], 'waiters')
        self.assertEqual([w['builder'] for w in waiters], ['fw2', 'fw3'])
        yield self.act('ann', 'first', waiterid=waiters[1]['waiterid'])
        waiters = yield self.get('copies', row['copyid'], 'waiters')
        self.assertEqual([w['builder'] for w in waiters], ['fw3', 'fw2'])
        yield self.act('ann', 'back', waiterid=waiters[0]['waiterid'])
        waiters = yield self.get('copies', row['copyid'], 'waiters')
        self.assertEqual([w['builder'] for w in waiters], ['fw2', 'fw3'])

    @defer.inlineCallbacks
    def test_kick(self) -> Any:
        """The build that holds the copy is stopped, and the next one has it."""
        yield self.start(WorkerLock('board'), builders=('fw', 'fw2'))
        yield self.request('fw')
        yield self.request('fw2')
        row = yield self.copy_row()
        [holder] = yield self.get('copies', row['copyid'], 'holders')
        yield self.act('ann', 'kick', holderid=holder['holderid'])
        self.assertEqual((yield self.get('builds', 1))['results'], CANCELLED)
        [holder] = yield self.get('copies', row['copyid'], 'holders')
        self.assertEqual(holder['builder'], 'fw2')

    @defer.inlineCallbacks
    def test_quarantine(self) -> Any:
        """Nothing of a copy in quarantine is granted until it is put to use again."""
        yield self.start(WorkerLock('board'))
        yield self.act('ann', 'quarantine', reason='bad cable')
        yield self.request('fw')
        self.assertEqual(self.gate.running, [])
        [reason] = yield self.get('builds', 1, 'reasons')
        self.assertEqual(reason['text'], 'waiting for board[w1]: in quarantine (bad cable)')
        yield self.act('ann', 'restore')
        self.assertEqual(len(self.gate.running), 1)
