# SPDX-License-Identifier: GPL-2.0-only
"""Locks, copies, holders and waiters in the data API of a master in memory."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.data import resultspec
from buildbot.data.exceptions import InvalidPathError
from buildbot.data.locks import Copy
from buildbot.locking.copies import LocksInUse
from buildbot.locks import BranchLock
from buildbot.locks import LockError
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import steps
from buildbot.process.properties import Property
from buildbot.process.results import SUCCESS
from buildbot.test.util import validation
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase
from buildbot.util import epoch2datetime


class LocksApi(LabTestCase):
    """A builder whose group needs the board of its worker, and one that needs a branch."""

    @defer.inlineCallbacks
    def start(self, boards: int = 2) -> Any:
        self.gate, self.branch_gate = Gate(), Gate()
        self.firmware = ['firmware', *(f'firmware{n}' for n in range(2, boards + 1))]
        self.board = WorkerLock('board', maxCount=2)
        self.version = BranchLock('version')
        self.link = MasterLock('link')
        group = steps.StepGroup(
            name='test',
            locks=[self.board.access('exclusive')],
            steps=[GatedStep(self.gate, name='flash')],
        )
        yield self.setup_lab(
            {
                **{
                    name: {'steps': [group], 'workernames': ['w1']}
                    for name in self.firmware[:boards]
                },
                'numbered': {
                    'steps': [GatedStep(self.branch_gate, name='make')],
                    'locks': [self.version.access('counting')],
                },
                'linked': {
                    'steps': [GatedStep(self.branch_gate, name='make')],
                    'locks': [self.link.access('counting')],
                },
            },
            workers=[self.createLocalWorker(w, max_builds=200) for w in ('w1', 'w2', 'w3')],
            lateBinding=False,
        )

    @defer.inlineCallbacks
    def get(self, *path: Any, **words: Any) -> Any:
        """Ask the data API, and check the types of what it says."""
        spec = resultspec.ResultSpec(**words)
        endpoint, _ = self.master.data.getEndpoint(path)
        rows = yield self.master.data.get_with_resultspec(path, spec)
        if not words:
            for row in [rows] if isinstance(rows, dict) else rows or ():
                validation.verifyData(self, endpoint.rtype.entityType, {}, row)
        return rows

    @defer.inlineCallbacks
    def id_of(self, name: str) -> Any:
        rows = yield self.get('locks')
        return next(row['lockid'] for row in rows if row['name'] == name)

    @defer.inlineCallbacks
    def test_all(self) -> Any:
        """Each lock tells how much of it is used and how many wait."""
        yield self.start()
        for name in self.firmware:
            yield self.request(name)
        yield self.request('numbered', 'main')
        yield self.request('numbered', 'main')
        yield self.request('numbered', 'next')
        rows = yield self.get('locks')
        keys = ('name', 'kind', 'copies', 'used', 'capacity', 'waiting')
        self.assertEqual(
            [[row[key] for key in keys] for row in rows],
            [
                ['board', 'worker', 1, 2, 2, 1],
                ['link', 'master', 1, 0, 1, 0],
                ['version', 'branch', 2, 2, 2, 1],
            ],
        )

    @defer.inlineCallbacks
    def test_copies(self) -> Any:
        """A copy tells whose it is, and how it is used."""
        yield self.start()
        yield self.request('firmware')
        yield self.request('numbered', 'main')
        yield self.request('numbered', 'main')
        rows = []
        for name in ('board', 'version', 'link'):
            rows += yield self.get('locks', (yield self.id_of(name)), 'copies')
        keys: tuple[str, ...] = ('lock', 'name', 'scope', 'worker', 'branch')
        keys += ('capacity', 'used', 'exclusive', 'waiting')
        self.assertEqual(
            [[row[key] for key in keys] for row in rows],
            [
                ['board', 'board[w1]', 'worker', 'w1', None, 2, 2, True, 0],
                ['version', 'version[main]', 'branch', None, 'main', 1, 1, False, 1],
                ['link', 'link', 'master', None, None, 1, 0, False, 0],
            ],
        )
        for row in rows:
            self.assertEqual((yield self.get('copies', row['copyid'])), row)

    @defer.inlineCallbacks
    def test_holders_and_waiters(self) -> Any:
        """Who holds a copy and who waits for it are told with the names of what they are."""
        yield self.start()
        yield self.request('firmware')
        yield self.request('firmware2', priority=7)
        lockid = yield self.id_of('board')
        self.reactor.advance(60)
        [holder] = yield self.get('locks', lockid, 'holders')
        [waiter] = yield self.get('locks', lockid, 'waiters')
        same = {'lockid': lockid, 'copy': 'board[w1]', 'kind': 'group'}
        same.update(path='test', worker='w1', mode='exclusive', units=2, nested=False)
        for row, builder, buildid, priority in (
            (holder, 'firmware', 1, 0),
            (waiter, 'firmware2', 2, 7),
        ):
            self.assertEqual({key: row[key] for key in same}, same)
            self.assertEqual(row['text'], f'{builder} #1 / test')
            self.assertEqual(
                [row[k] for k in ('builder', 'buildid', 'number', 'buildrequestid', 'priority')],
                [builder, buildid, 1, buildid, priority],
            )
        self.assertEqual(waiter['place'], 1)
        self.assertEqual(waiter['waiterid'], f'group-{waiter["stepid"]}')
        self.assertEqual(holder['since_at'], epoch2datetime(1))

    @defer.inlineCallbacks
    def test_version(self) -> Any:
        """Who holds a copy and who waits for it are told with the version of it that was seen."""
        yield self.start()
        for name in (*self.firmware, 'firmware'):
            yield self.request(name)
        lockid = yield self.id_of('board')
        seen = set()
        for _ in range(2):
            [copy] = yield self.get('locks', lockid, 'copies')
            rows = yield self.get('locks', lockid, 'holders')
            rows += yield self.get('locks', lockid, 'waiters')
            self.assertEqual({row['version'] for row in rows}, {copy['version']})
            seen.add(copy['version'])
            self.open(self.gate, SUCCESS)
        self.assertEqual(len(seen), 2)

    @defer.inlineCallbacks
    def test_own(self) -> Any:
        """A build tells what it and its groups hold, and a group what itself holds."""
        yield self.start()
        yield self.request('firmware')
        yield self.request('numbered', 'main')
        [holder] = yield self.get('builds', 1, 'holders')
        self.assertEqual((holder['copy'], holder['text']), ('board[w1]', 'firmware #1 / test'))
        self.assertEqual((yield self.get('steps', holder['stepid'], 'holders')), [holder])
        [holder] = yield self.get('builds', 2, 'holders')
        self.assertEqual((holder['copy'], holder['text']), ('version[main]', 'numbered #1'))

    @defer.inlineCallbacks
    def test_pending(self) -> Any:
        """A request that has no build yet stands in the list of those who wait."""
        yield self.start()
        yield self.request('numbered', 'main')
        brid = yield self.request('numbered', 'main')
        lockid = yield self.id_of('version')
        [waiter] = yield self.get('locks', lockid, 'waiters')
        self.assertEqual(
            [waiter[k] for k in ('kind', 'text', 'buildrequestid', 'buildid', 'branch')],
            ['request', f'build request {brid} of numbered', brid, None, 'main'],
        )

    @parameterized.expand(
        [
            ('markup', '<script>alert(1)</script>&amp;'),
            ('lines', 'two\nlines\ttab'),
            ('reversed', '\u202egnp.exe'),
            ('path', '../../%2f..'),
            ('long', 10000 * 'x'),
        ]
    )
    @defer.inlineCallbacks
    def test_hostile(self, _: str, branch: str) -> Any:
        """The name of a branch is told as it is, whatever is in it."""
        yield self.start()
        yield self.request('numbered', branch)
        yield self.request('numbered', branch)
        lockid = yield self.id_of('version')
        [copy] = yield self.get('locks', lockid, 'copies')
        self.assertEqual((copy['name'], copy['branch']), (f'version[{branch}]', branch))
        for kind in ('holders', 'waiters'):
            [row] = yield self.get('copies', copy['copyid'], kind)
            self.assertEqual((row['copy'], row['branch']), (f'version[{branch}]', branch))

    @defer.inlineCallbacks
    def test_page(self) -> Any:
        """A page of those who wait says how many there are."""
        yield self.start(boards=4)
        for name in self.firmware:
            yield self.request(name)
        lockid = yield self.id_of('board')
        rows = yield self.get('locks', lockid, 'waiters', offset=1, limit=1)
        self.assertEqual([row['place'] for row in rows], [2])
        self.assertEqual((rows.offset, rows.total, rows.limit), (1, 3, 1))
        words = {'offset': 1, 'limit': 1, 'fields': ['place', 'builder']}
        rows = yield self.get('locks', lockid, 'waiters', **words)
        self.assertEqual(list(rows), [{'place': 2, 'builder': 'firmware3'}])
        self.assertEqual((rows.offset, rows.total, rows.limit), (1, 3, 1))

    @parameterized.expand(
        [
            ('far', {'offset': 10**30}, []),
            ('large', {'offset': 1, 'limit': 10**30}, [2, 3]),
            ('negative', {'limit': -1}, [1, 2]),
            ('negative_offset', {'offset': -1}, [3]),
        ]
    )
    @defer.inlineCallbacks
    def test_odd_page(self, _: str, words: dict[str, int], places: list[int]) -> Any:
        """A page that there cannot be is what it is for a list in Python."""
        yield self.start(boards=4)
        for name in self.firmware:
            yield self.request(name)
        rows = yield self.get('locks', (yield self.id_of('board')), 'waiters', **words)
        self.assertEqual([row['place'] for row in rows], places)

    @defer.inlineCallbacks
    def test_unwritable_key(self) -> Any:
        """A copy that was refused for its key is not among the copies of the lock."""
        gate = Gate()
        lock = BranchLock('phone', key=Property('key'))
        want = {'steps': [GatedStep(gate, name='s')], 'locks': [lock.access('counting')]}
        config = {n: {**want, 'properties': {'key': n}} for n in ('x', 'x\udc80')}
        config['bad'] = config.pop('x\udc80')
        yield self.setup_lab(config)
        yield self.request('x')
        yield self.request('bad')
        lockid = yield self.id_of('phone')
        copies = yield self.get('locks', lockid, 'copies')
        self.assertEqual([copy['name'] for copy in copies], ['phone[x]'])
        self.flushLoggedErrors(LockError)

    @defer.inlineCallbacks
    def test_ids_stay(self) -> Any:
        """The ids of a lock and of a copy belong to their names."""
        yield self.start()
        yield self.request('numbered', 'main')
        lockid = yield self.id_of('version')
        [copy] = yield self.get('locks', lockid, 'copies')
        names = [(lockid, 'version[main]'), (lockid, 'version[x]')]
        found = yield self.master.db.locks.find_copy_ids(names)
        self.assertEqual((yield self.master.db.locks.find_lock_id('version')), lockid)
        self.assertEqual(found[names[0]], copy['copyid'])

    @defer.inlineCallbacks
    def test_unknown(self) -> Any:
        """An id that nothing has is not found."""
        yield self.start()
        self.assertIsNone((yield self.get('locks', 99)) or None)
        self.assertIsNone((yield self.get('copies', 99)) or None)
        paths = [('locks', 99, 'copies'), ('copies', 99, 'holders'), ('copies', 99, 'waiters')]
        for path in (*paths, ('builds', 99, 'holders'), ('steps', 99, 'holders')):
            yield self.assertFailure(self.get(*path), InvalidPathError)

    @defer.inlineCallbacks
    def test_events(self) -> Any:
        """What happens to a copy is told once for each turn, with the copy as it is then."""
        yield self.start()
        heard = []
        yield self.master.mq.startConsuming(
            lambda key, msg: heard.append((msg['name'], key[4], msg['used'], msg['waiting'])),
            ('locks', None, 'copies', None, None),
        )
        yield self.request('linked')
        yield self.request('linked')
        self.open(self.branch_gate, SUCCESS)
        self.assertEqual(
            heard,
            [
                ('link', 'claimed', 1, 0),
                ('link', 'waiting', 1, 1),
                ('link', 'released', 1, 0),
                ('link', 'claimed', 1, 0),
            ],
        )

    @defer.inlineCallbacks
    def test_unheard_events(self) -> Any:
        """A lock is looked at only for those who listen to what happens to it."""
        looked_at: list[Any] = []
        row = Copy.row

        def look(rtype: Any, copy: Any, ids: Any) -> Any:
            looked_at.append(copy)
            return row(rtype, copy, ids)

        self.patch(Copy, 'row', look)
        yield self.start()
        yield self.request('linked')
        yield self.request('linked')
        self.assertEqual(looked_at, [])
        yield self.master.mq.startConsuming(
            lambda key, msg: None, ('locks', None, 'copies', None, 'released')
        )
        self.open(self.branch_gate, SUCCESS)
        self.assertEqual([str(copy) for copy in looked_at], ['link'])

    @defer.inlineCallbacks
    def test_failing_watch(self) -> Any:
        """A watch that fails is logged, and keeps nobody from a lock."""
        yield self.start()

        def fail(*_: Any) -> None:
            raise ValueError('I cannot look')

        in_use = yield LocksInUse.getService(self.master.botmaster)
        in_use.tell = in_use.record = fail
        for _ in range(2):
            yield self.request('linked')
        for _ in range(2):
            self.open(self.branch_gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])
        self.assertEqual((yield self.owners(self.link)), (0, 0))
        # twice claimed and released, one wait; two uses
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 7)

    @defer.inlineCallbacks
    def test_many_move_up(self) -> Any:
        """Thirty who wait move up by one with as few events as one does."""
        yield self.start(boards=30)
        for name in self.firmware:
            yield self.request(name)
        heard = []
        yield self.master.mq.startConsuming(
            lambda key, msg: heard.append(key[4]), ('locks', None, 'copies', None, None)
        )
        self.open(self.gate, SUCCESS)
        self.assertEqual(heard, ['released', 'claimed'])
