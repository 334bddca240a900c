# SPDX-License-Identifier: GPL-2.0-only
"""What is kept of waits and holds, and what is answered from it."""

from __future__ import annotations

import gc
from datetime import timedelta
from typing import Any

from parameterized import parameterized
from sqlalchemy import event
from twisted.internet import defer
from twisted.python import log
from twisted.trial import unittest

from buildbot.config.errors import ConfigErrors
from buildbot.configurators.janitor import JanitorConfigurator
from buildbot.data import resultspec
from buildbot.data.exceptions import InvalidPathError
from buildbot.locking.copies import RealMasterLock
from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.build import Build
from buildbot.process.eye.history import History
from buildbot.process.eye.lockids import LockIds
from buildbot.process.groups.step import StepGroup
from buildbot.process.hand.hand import Hand
from buildbot.process.results import SUCCESS
from buildbot.test.util import validation
from buildbot.test.util.idle import copies_of
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase


class HistoryCase(LabTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.gate = Gate()

    def want(self, *locks: Any, **words: Any) -> dict[str, Any]:
        """Return a builder that holds locks until the gate is opened."""
        return {'steps': [GatedStep(self.gate, name='s')], 'locks': list(locks), **words}

    @defer.inlineCallbacks
    def get(self, *path: Any, filters: Any = (), **words: Any) -> Any:
        spec = resultspec.ResultSpec(filters=list(filters), **words)
        endpoint, _ = self.master.data.getEndpoint(path)
        rows = yield self.master.data.get_with_resultspec(path, spec)
        if 'fields' not in words:
            for row in rows:
                validation.verifyData(self, endpoint.rtype.entityType, {}, row)
        return rows

    @defer.inlineCallbacks
    def uses(self, lock: str, *names: str, **words: Any) -> Any:
        """Return the uses of a lock that are kept, oldest first, as seconds since the start."""
        lockid = yield self.master.db.locks.find_lock_id(lock)
        words.setdefault('order', ['useid'])
        rows = yield self.get('locks', lockid, 'uses', **words)
        times = ('waiting_since', 'held_since', 'until')
        seconds = lambda time: time and time.timestamp()
        return [
            tuple(seconds(row[name]) if name in times else row[name] for name in names)
            for row in rows
        ]

    @defer.inlineCallbacks
    def history(self) -> Any:
        return (yield History.getService(self.master.botmaster))

    @defer.inlineCallbacks
    def written(self) -> Any:
        """Return how many uses are in the database."""
        uses = self.master.db.model.lock_uses
        rows = yield self.master.db.pool.do(lambda conn: conn.execute(uses.select()).fetchall())
        return len(rows)

    @defer.inlineCallbacks
    def act(self) -> Any:
        """Have somebody do something by hand."""
        hand = yield Hand.getService(self.master.botmaster)
        lock = yield RealMasterLock.getService(self.master.botmaster, 'L')
        hand.tell(lock, 'kick', 'ann has ended what fw #1 holds', who='ann', reason='hurry')

    @defer.inlineCallbacks
    def acted(self) -> Any:
        """Return how many things are known that were done by hand."""
        lockid = yield self.master.db.locks.find_lock_id('L')
        rows = yield self.get('locks', lockid, 'actions')
        return len(rows)


class Recorded(HistoryCase):
    @parameterized.expand([('of_some', 2**31), ('of_any', 2**64)])
    @defer.inlineCallbacks
    def test_unlimited(self, _: str, units: int) -> Any:
        """A use of all units is kept, though a database cannot keep how many there are."""
        yield self.setup_lab({'a': self.want(MasterLock('L', units).access('exclusive'))})
        yield self.request('a')
        self.open(self.gate, SUCCESS)
        uses = yield self.uses('L', 'kind', 'units')
        self.assertEqual(uses, [('build', 2**31 - 1)])

    @defer.inlineCallbacks
    def test_build_and_request(self) -> Any:
        """A request that waits and the build that it becomes are one use, that of the build."""
        lock = MasterLock('L', 2)
        want = self.want(lock.access('counting', 2))
        yield self.setup_lab({'a': want, 'b': want})
        yield self.request('a')
        yield self.request('b', 'main')
        self.reactor.advance(100)
        self.open(self.gate, SUCCESS)
        self.open(self.gate, SUCCESS)
        names = ('kind', 'text', 'builder', 'buildrequestid', 'buildid', 'worker', 'branch')
        self.assertEqual(
            (yield self.uses('L', *names)),
            [
                ('build', 'a #1', 'a', 1, 1, 'w1', None),
                ('build', 'b #1', 'b', 2, 2, 'w1', 'main'),
            ],
        )
        names = ('mode', 'units', 'waiting_since', 'held_since', 'until', 'result', 'nested')
        self.assertEqual(
            (yield self.uses('L', *names)),
            [
                ('counting', 2, None, 1, 107, 'released', False),
                ('counting', 2, 4, 107, 110, 'released', False),
            ],
        )

    @defer.inlineCallbacks
    def test_group_and_step(self) -> Any:
        """A group and the step that shares its lock are two uses, of which one is nested."""
        board = WorkerLock('board')
        step = GatedStep(self.gate, name='flash', locks=[board.access('counting')])
        group = StepGroup(name='hw', locks=[board.access('exclusive')], steps=[step])
        yield self.setup_lab({'a': {'steps': [group]}}, ['lab-1'])
        yield self.request('a')
        self.open(self.gate, SUCCESS)
        names = ('copy', 'kind', 'path', 'stepid', 'mode', 'nested')
        self.assertEqual(
            (yield self.uses('board', *names)),
            [
                ('board[lab-1]', 'step', 'hw/flash', 3, 'counting', True),
                ('board[lab-1]', 'group', 'hw', 2, 'exclusive', False),
            ],
        )

    @defer.inlineCallbacks
    def test_several_locks(self) -> Any:
        """A list of locks is one use of each of them, but of none of which no unit is taken."""
        version, none = BranchLock('version'), MasterLock('none')
        want = self.want(version.access('exclusive'), MasterLock('L'), none.access('counting', 0))
        yield self.setup_lab({'a': want})
        yield self.request('a', 'main')
        self.open(self.gate, SUCCESS)
        for lock, copies in (('version', ['version[main]']), ('L', ['L']), ('none', [])):
            self.assertEqual((yield self.uses(lock, 'copy')), [(copy,) for copy in copies])

    @defer.inlineCallbacks
    def test_left(self) -> Any:
        """A request that is cancelled while it waits has left, whether in line or not."""
        want = self.want(MasterLock('L').access('exclusive'))
        other = Gate()
        builders = {'a': {**want, 'workernames': ['w1']}, 'b': {**want, 'workernames': ['w2']}}
        builders['busy'] = {'steps': [GatedStep(other)], 'workernames': ['w2']}
        workers = [self.createLocalWorker(name, max_builds=1) for name in ('w1', 'w2')]
        yield self.setup_lab(builders, workers)
        yield self.request('a')
        for busy in (False, True):
            brid = yield self.request('b')
            if busy:
                yield self.request('busy')
            path = ('buildrequests', brid)
            yield self.master.data.control('cancel', {'reason': 'enough'}, path)
            self.settle()
        self.assertEqual(
            (yield self.uses('L', 'text', 'waiting_since', 'held_since', 'until', 'result')),
            [
                ('build request 2 of b', 4, None, 6, 'left'),
                ('build request 3 of b', 10, None, 15, 'left'),
            ],
        )

    @defer.inlineCallbacks
    def test_on_any_worker(self) -> Any:
        """A request that waits for either of two copies has waited once: for the one it gets."""
        want = self.want(WorkerLock('board').access('exclusive'))
        yield self.setup_lab({name: want for name in 'abcd'}, ['w1', 'w2'])
        for name in 'abcd':
            yield self.request(name)
        yield self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', 4))
        self.settle()
        while self.gate.running:
            self.open(self.gate, SUCCESS)
        found = yield self.uses('board', 'text', 'waiting_since', 'held_since', 'result')
        self.assertEqual(
            sorted(found, key=str),
            [
                ('a #1', None, 1, 'released'),
                ('b #1', None, 4, 'released'),
                ('build request 4 of d', 10, None, 'left'),
                ('c #1', 7, 16, 'released'),
            ],
        )

    @defer.inlineCallbacks
    def test_lost(self) -> Any:
        """What a build and a step hold when their worker is lost is lost, and the wait is new."""
        step = GatedStep(self.gate, name='s', locks=[MasterLock('S').access('exclusive')])
        words = {'steps': [step], 'locks': [MasterLock('B').access('exclusive')]}
        yield self.setup_lab({'a': words})
        yield self.request('a')
        self.lose_worker()
        names = ('text', 'waiting_since', 'held_since', 'result')
        self.assertEqual((yield self.uses('S', *names)), [('a #1 / s', None, 1, 'lost')])
        self.assertEqual((yield self.uses('B', *names)), [('a #1', None, 1, 'lost')])

    @defer.inlineCallbacks
    def test_refused_by_the_user(self) -> Any:
        """What is reserved and given back without a build is no use."""
        want = self.want(MasterLock('L'), canStartBuild=lambda *_: False)
        yield self.setup_lab({'a': want})
        yield self.request('a')
        self.assertEqual((yield self.uses('L', 'text')), [])

    @defer.inlineCallbacks
    def test_removed_builder(self) -> Any:
        """The wait of a request whose builder is removed is lost; the build that runs goes on."""
        want = self.want(MasterLock('L').access('exclusive'))
        yield self.setup_lab({'a': want, 'b': want})
        yield self.request('a')
        yield self.request('b')
        yield self.reconfig_master(self.lab_config({'c': want}))
        self.open(self.gate, SUCCESS)
        self.assertEqual(
            (yield self.uses('L', 'text', 'builder', 'result')),
            [('build request 2 of b', 'b', 'lost'), ('a #1', 'a', 'released')],
        )

    @defer.inlineCallbacks
    def test_owner_that_does_not_say(self) -> Any:
        """An owner that fails to say what it is still releases its locks, and is kept."""
        yield self.setup_lab({'a': self.want(MasterLock('L'))})

        def fail(build: Any) -> Any:
            raise ValueError('I shall not say')

        self.patch(Build, 'lock_facts', fail)
        yield self.request('a')
        self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.owners(MasterLock('L'))), (0, 0))
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual((yield self.uses('L', 'kind', 'text')), [('other', 'a #1')])

    @defer.inlineCallbacks
    def test_hostile_names(self) -> Any:
        """Whatever stands in a branch is kept and told as text."""
        yield self.setup_lab({'a': self.want(BranchLock('v'))})
        branch = "../%2f<b>'\n\u202e\ud83d\ude00".encode('utf-16', 'surrogatepass').decode('utf-16')
        yield self.request('a', branch + 'x' * 5000)
        self.open(self.gate, SUCCESS)
        [(copy, told)] = yield self.uses('v', 'copy', 'branch')
        self.assertEqual((copy, told), (f'v[{branch}{"x" * 5000}]', f'{branch}{"x" * 5000}'))


class Kept(HistoryCase):
    """When it is written, and when it cannot be."""

    @defer.inlineCallbacks
    def start(self) -> Any:
        yield self.setup_lab({'a': self.want(MasterLock('L'))})
        self.told: list[str] = []
        log.addObserver(self.hear)
        self.addCleanup(log.removeObserver, self.hear)

    def hear(self, event: dict[str, Any]) -> None:
        text = log.textFromEventDict(event) or ''
        if 'history' in text:
            self.told.append(text.splitlines()[0])

    @defer.inlineCallbacks
    def use(self, times: int = 1) -> Any:
        for _ in range(times):
            yield self.request('a')
            self.open(self.gate, SUCCESS)

    @defer.inlineCallbacks
    def test_in_time(self) -> Any:
        """It is written half a minute after the first use has ended, and never for nothing."""
        yield self.start()
        yield self.use(2)
        self.assertEqual((yield self.written()), 0)
        self.reactor.advance(30)
        self.assertEqual((yield self.written()), 2)
        engine = self.master.db.pool.engine
        statements: list[str] = []
        note = lambda *args: statements.append(args[2])
        event.listen(engine, 'before_cursor_execute', note)
        self.addCleanup(event.remove, engine, 'before_cursor_execute', note)
        history = yield self.history()
        yield history.write()
        self.assertEqual(statements, [])
        yield self.use()
        del statements[:]
        yield history.write()
        self.assertEqual([text.split()[0] for text in statements], ['INSERT'])

    @defer.inlineCallbacks
    def test_many(self) -> Any:
        """Many uses are written before half a minute has passed."""
        self.patch(History, 'at_once', 2)
        yield self.start()
        yield self.use(3)
        self.assertEqual((yield self.written()), 2)

    @defer.inlineCallbacks
    def test_failing_write(self) -> Any:
        """A write that fails is told once, stops no build, and is made up for."""
        self.patch(History, 'most', 3)
        yield self.start()
        add = self.master.db.lock_uses.add
        fail = lambda uses: defer.fail(OSError('the disk is full'))
        self.patch(self.master.db.lock_uses, 'add', fail)
        for _ in range(5):
            yield self.use()
            self.reactor.advance(30)
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.patch(self.master.db.lock_uses, 'add', add)
        self.reactor.advance(30)
        self.assertEqual((yield self.written()), 3)
        self.assertEqual((yield self.builds()), [SUCCESS] * 5)
        self.assertEqual(
            self.told,
            [
                'the history of locks cannot be written; it is tried again until it can',
                'the history of locks can be written again',
                '2 uses of locks are missing from the history, the oldest of that time',
            ],
        )

    @defer.inlineCallbacks
    def test_refused(self) -> Any:
        """What the database does not take keeps nothing else from being written."""
        yield self.start()
        add = self.master.db.lock_uses.add

        def refuse(rows: Any) -> Any:
            bad = any(row['buildid'] == 2 for row in rows)
            return defer.fail(ValueError('what a name')) if bad else add(rows)

        self.patch(self.master.db.lock_uses, 'add', refuse)
        yield self.use(4)
        self.reactor.advance(30)
        self.assertEqual((yield self.written()), 3)
        self.reactor.advance(300)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(self.told, ['1 use of locks is refused by the database and not kept'])

    @defer.inlineCallbacks
    def test_emptied(self) -> Any:
        """If the tables have been emptied, the copies get new ids."""
        yield self.start()
        yield self.use()
        history = yield self.history()
        yield history.write()
        model = self.master.db.model

        def empty(conn: Any) -> None:
            for table in (model.lock_uses, model.lock_copies, model.locks):
                conn.execute(table.delete())
            conn.commit()

        yield self.master.db.pool.do(empty)
        history._rows.forget()
        yield self.use()
        self.assertEqual((yield self.uses('L', 'text')), [('a #2',)])

    @defer.inlineCallbacks
    def stop(self) -> Any:
        yield self.master.botmaster.cleanShutdown(quickMode=True, stopReactor=False)
        self.settle()  # to the database of a real master this takes longer than one turn
        yield self.tested_master.shutdown()

    @defer.inlineCallbacks
    def test_stop(self) -> Any:
        """When the master stops, what runs is lost, and all is written before that."""
        yield self.start()
        yield self.use()
        yield self.request('a')
        kept: list[Any] = []
        add = self.master.db.lock_uses.add

        def keep(uses: Any) -> Any:
            kept.extend((use['text'], use['result']) for use in uses)
            return add(uses)

        self.patch(self.master.db.lock_uses, 'add', keep)
        yield self.stop()
        self.assertEqual(kept, [('a #1', 'released'), ('a #2', 'lost')])

    @defer.inlineCallbacks
    def test_stop_without_database(self) -> Any:
        """What cannot be written when the master stops is counted."""
        yield self.start()
        yield self.use(2)
        fail = lambda uses: defer.fail(OSError('the disk is full'))
        self.patch(self.master.db.lock_uses, 'add', fail)
        yield self.stop()
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
        self.assertEqual(self.told[-1], '2 uses of locks are missing from the history')

    @parameterized.expand([('last', False), ('earlier', True)])
    @defer.inlineCallbacks
    def test_stop_while_database_hangs(self, _: str, is_earlier: bool) -> Any:
        """A write that never ends does not keep the master from stopping, and is told of."""
        yield self.start()
        yield self.use(2)
        hangs: defer.Deferred[None] = defer.Deferred()
        self.patch(self.master.db.lock_uses, 'add', lambda uses: hangs)
        if is_earlier:
            self.reactor.advance(30)
            yield self.use()
        yield self.master.botmaster.cleanShutdown(quickMode=True, stopReactor=False)
        self.settle()
        stopped = self.tested_master.shutdown()
        self.reactor.advance(29)
        self.assertNoResult(stopped)
        self.reactor.advance(1)
        yield stopped
        hangs.callback(None)
        uses = f'{2 + is_earlier} uses of locks are missing from the history'
        self.assertEqual(self.told, [f'{uses}; the database has not answered for 30 seconds'])

    @defer.inlineCallbacks
    def test_old(self) -> Any:
        """What is older than thirty days is deleted, with what was done by hand."""
        yield self.start()
        yield self.use()
        yield self.act()
        self.reactor.advance(29 * 86400)
        yield self.use()
        yield self.act()
        self.reactor.advance(30)
        self.assertEqual(((yield self.written()), (yield self.acted())), (2, 2))
        self.reactor.advance(86400)
        yield self.use()
        self.reactor.advance(30)
        self.assertEqual(((yield self.written()), (yield self.acted())), (2, 1))

    @defer.inlineCallbacks
    def test_old_of_another_master(self) -> Any:
        """What is old, but of another master on the database, is left to that."""
        yield self.start()
        yield self.use()
        yield self.act()
        self.reactor.advance(30)
        other = yield self.master.db.masters.findMasterId('other')
        self.patch(self.master, 'masterid', other)
        self.reactor.advance(31 * 86400)
        yield self.use()
        self.reactor.advance(30)
        self.assertEqual(((yield self.written()), (yield self.acted())), (2, 1))


class Unused(HistoryCase):
    """What becomes of the ids of locks and copies of which nothing is left."""

    @defer.inlineCallbacks
    def start(self, **words: Any) -> Any:
        self.held = Gate()
        held = {'steps': [GatedStep(self.held)], 'locks': [BranchLock('v').access('counting')]}
        self.config = {
            'a': self.want(BranchLock('v').access('counting')),
            'held': held,
            'rare': self.want(MasterLock('rare')),
            'gone': self.want(MasterLock('gone')),
        }
        yield self.setup_lab(self.config, **words)
        yield self.request('held', 'held')
        for builder, branch in (('gone', None), ('a', 'dead'), ('a', 'main')):
            yield self.use(builder, branch)

    @defer.inlineCallbacks
    def use(self, builder: str, branch: str | None) -> Any:
        yield self.request(builder, branch)
        self.open(self.gate, SUCCESS)
        yield (yield self.history()).write()

    @defer.inlineCallbacks
    def ids(self) -> Any:
        """Return the ids in the database, by name."""
        model = self.master.db.model

        def read(conn: Any) -> Any:
            tables = (model.locks, model.lock_copies)
            rows = [conn.execute(table.select()).fetchall() for table in tables]
            return [{row.name: row.id for row in each} for each in rows]

        return (yield self.master.db.pool.do(read))

    def wait(self, days: int) -> None:
        self.reactor.advance(days * 86400)
        gc.collect()  # what is in a cycle is still in use

    @defer.inlineCallbacks
    def let_days_pass(self, days: int = 31) -> Any:
        self.wait(days)
        yield self.use('a', 'main')

    @defer.inlineCallbacks
    def remove_lock(self) -> Any:
        self.config['gone'] = self.want()
        yield self.reconfig_master(self.lab_config(self.config))

    @defer.inlineCallbacks
    def test_deleted(self) -> Any:
        """A copy and a lock that nobody uses, and of which no use is kept, lose their ids."""
        yield self.start()
        yield self.remove_lock()
        yield self.get('locks')
        [before_locks, before] = yield self.ids()
        self.assertEqual(sorted(before_locks), ['gone', 'rare', 'v'])
        yield self.let_days_pass(29)
        self.assertLessEqual({'gone', 'v[dead]', 'v[main]'}, set((yield self.ids())[1]))
        yield self.let_days_pass(2)
        [locks, copies] = yield self.ids()
        self.assertEqual(sorted(locks), ['rare', 'v'])
        self.assertEqual(sorted(copies), ['rare', 'v[held]', 'v[main]'])
        for name in locks:
            self.assertEqual(locks[name], before_locks[name])
        self.assertEqual(copies['v[main]'], before['v[main]'])

    @defer.inlineCallbacks
    def test_comes_back(self) -> Any:
        """A branch that comes back has an id that none has had before, with its uses."""
        yield self.start()
        [_, before] = yield self.ids()
        yield self.let_days_pass()
        yield self.use('a', 'dead')
        [_, copies] = yield self.ids()
        self.assertNotIn(copies['v[dead]'], before.values())
        rows = yield self.get('copies', copies['v[dead]'], 'uses')
        self.assertEqual([row['branch'] for row in rows], ['dead'])
        yield self.assertFailure(self.get('copies', before['v[dead]'], 'uses'), InvalidPathError)

    @defer.inlineCallbacks
    def test_newest_stays(self) -> Any:
        """The newest id stays, which some databases would give again."""
        yield self.start()
        yield self.use('a', 'newest')
        [_, before] = yield self.ids()
        yield self.let_days_pass()
        [_, copies] = yield self.ids()
        self.assertEqual(copies['v[newest]'], before['v[newest]'])
        self.assertNotIn('v[dead]', copies)

    @parameterized.expand([('active', 1), ('inactive', 0)])
    @defer.inlineCallbacks
    def test_another_master(self, _: str, active: int) -> Any:
        """Nothing is deleted while another master is active, which may use it."""
        yield self.start()
        row = {'id': 99, 'name': 'other', 'name_hash': 'x', 'active': active, 'last_active': 10**9}
        other = self.master.db.model.masters.insert().values(**row)
        yield self.master.db.pool.do_with_transaction(lambda conn: conn.execute(other).rowcount)
        yield self.let_days_pass()
        self.assertEqual('v[dead]' in (yield self.ids())[1], bool(active))

    @defer.inlineCallbacks
    def test_asked_meanwhile(self) -> Any:
        """An id is not found while it may be about to be deleted."""
        yield self.start()
        [_, before] = yield self.ids()
        delete = self.master.db.locks.delete_unused
        held: defer.Deferred[None] = defer.Deferred()

        @defer.inlineCallbacks
        def delete_slowly(*but: Any) -> Any:
            deleted = yield delete(*but)
            yield held
            return deleted

        self.patch(self.master.db.locks, 'delete_unused', delete_slowly)
        self.wait(31)
        yield self.request('a', 'main')
        self.open(self.gate, SUCCESS)
        written = (yield self.history()).write()
        self.assertNoResult(written)
        yield self.request('a', 'dead')
        [copy] = [c for c in copies_of(self.master, [BranchLock('v')]) if c.label == 'v[dead]']
        ids = yield LockIds.getService(self.master.botmaster)
        asked = ids.learn([copy])
        self.assertNoResult(asked)
        held.callback(None)
        yield written
        yield asked
        [_, copies] = yield self.ids()
        self.assertEqual(ids.of(copy)[1], copies['v[dead]'])
        self.assertNotEqual(copies['v[dead]'], before['v[dead]'])

    @defer.inlineCallbacks
    def test_by_the_janitor(self) -> Any:
        """The janitor deletes them with the uses."""
        yield self.start()
        config = self.lab_config(self.config)
        config['configurators'] = [JanitorConfigurator(lock_history_horizon=timedelta(days=7))]
        yield self.reconfig_master(config)
        self.wait(8)
        yield self.use('a', 'main')
        self.wait(1)
        self.settle()
        [_, copies] = yield self.ids()
        self.assertNotIn('v[dead]', copies)
        self.assertIn('v[held]', copies)


class Janitor(HistoryCase):
    writes_states = True

    @defer.inlineCallbacks
    def start(self, **horizons: Any) -> Any:
        yield self.setup_lab({'a': self.want(MasterLock('L'))})
        words = {'a': self.want(MasterLock('L'))}
        config = self.lab_config(words)
        config['configurators'] = [JanitorConfigurator(**horizons)]
        yield self.reconfig_master(config)

    @defer.inlineCallbacks
    def use(self, days: int) -> Any:
        yield self.request('a')
        self.open(self.gate, SUCCESS)
        self.reactor.advance(days * 86400)

    @parameterized.expand([('alone', {}), ('with_others', {'logHorizon': timedelta(days=7)})])
    @defer.inlineCallbacks
    def test_deletes(self, _: str, others: dict[str, Any]) -> Any:
        """The janitor deletes what is older than its horizon, which may be long."""
        yield self.start(lock_history_horizon=timedelta(days=60), **others)
        for days in (40, 15, 0):
            yield self.act()
            yield self.use(days)
        self.reactor.advance(30)
        self.assertEqual(((yield self.written()), (yield self.acted())), (3, 3))
        self.reactor.advance(10 * 86400)
        self.settle()
        self.assertEqual(((yield self.written()), (yield self.acted())), (2, 2))
        told = set()
        for build in (yield self.master.data.get(('builds',))):
            rows = yield self.master.data.get(('builds', build['buildid'], 'steps'))
            told |= {row['state_string'] for row in rows}
        deleted = {f'uses of locks deleted: {n}, actions: {n}' for n in (0, 1)}
        self.assertLessEqual(deleted, told)

    @defer.inlineCallbacks
    def test_without_horizon(self) -> Any:
        """A janitor of something else leaves the uses to the master, and one of nothing is none."""
        yield self.start(logHorizon=timedelta(days=7))
        for days in (40, 0):
            yield self.use(days)
        self.reactor.advance(30)
        self.assertEqual((yield self.written()), 1)
        nothing: dict[str, Any] = {}
        JanitorConfigurator().configure(nothing)
        self.assertEqual(nothing, {})


class Horizon(unittest.SynchronousTestCase):
    def test_no_timedelta(self) -> None:
        """A horizon that is only a number is refused."""
        with self.assertRaises(ConfigErrors) as caught:
            JanitorConfigurator(lock_history_horizon=30)
        refused = 'lock_history_horizon is 30; it must be a datetime.timedelta, or None'
        self.assertEqual(caught.exception.errors, [f'JanitorConfigurator: {refused}'])


class Asked(HistoryCase):
    @defer.inlineCallbacks
    def test_filters(self) -> Any:
        """Uses can be filtered, sorted and paged by what they tell, in the database."""
        want = self.want(BranchLock('v').access('exclusive'))
        yield self.setup_lab({'a': want, 'b': want})
        for builder, branch in (('a', 'x'), ('b', 'y'), ('a', 'y')):
            yield self.request(builder, branch)
        while self.gate.running:
            self.open(self.gate, SUCCESS)
        for field, op, value, texts in (
            ('builder', 'eq', 'b', ['b #1']),
            ('copy', 'eq', 'v[x]', ['a #1']),
            ('branch', 'contains', 'y', ['b #1', 'a #2']),
            ('mode', 'eq', 'counting', []),
            ('until', 'ge', 13, ['b #1', 'a #2']),
            ('nested', 'eq', True, []),
        ):
            only = [resultspec.Filter(field, op, [value])]
            found = yield self.uses('v', 'text', filters=only)
            self.assertEqual(found, [(text,) for text in texts], field)
        lockid = yield self.master.db.locks.find_lock_id('v')
        rows = yield self.get('locks', lockid, 'uses', order=['-until'], limit=1, offset=1)
        self.assertEqual([row['text'] for row in rows], ['b #1'])
        self.assertEqual((rows.total, rows.offset, rows.limit), (3, 1, 1))
        copyid = rows[0]['copyid']
        words = {'order': ['-until'], 'limit': 1, 'offset': 1, 'fields': ['text']}
        rows = yield self.get('locks', lockid, 'uses', **words)
        self.assertEqual((list(rows), rows.total), ([{'text': 'b #1'}], 3))
        rows = yield self.get('copies', copyid, 'uses', order=['useid'])
        self.assertEqual([row['text'] for row in rows], ['b #1', 'a #2'])

    @defer.inlineCallbacks
    def test_unknown(self) -> Any:
        """What there never was is not found, nor is a time that is too long."""
        yield self.setup_lab({'a': self.want(MasterLock('L'))})
        lockid = yield self.master.db.locks.find_lock_id('L')
        for path in (
            ('locks', 99, 'uses'),
            ('copies', 99, 'uses'),
            ('locks', 99, 'timeline', 1),
            ('locks', lockid, 'timeline', 0),
            ('locks', lockid, 'timeline', 10**6),
            ('lockcosts', 0),
            ('lockcosts', 367),
        ):
            yield self.assertFailure(self.get(*path), InvalidPathError)

    @defer.inlineCallbacks
    def test_timeline(self) -> Any:
        """A time line tells means of what was used and waited for, and what is so now."""
        lock = MasterLock('L', 4)
        want = self.want(lock.access('counting', 3))
        yield self.setup_lab({'a': want, 'b': want})
        yield self.request('a')
        yield self.request('b')
        self.reactor.advance(60 * 30 - 6 + 1)
        self.open(self.gate, SUCCESS)
        self.reactor.advance(60 * 30 - 3)
        lockid = yield self.master.db.locks.find_lock_id('L')
        points = yield self.get('locks', lockid, 'timeline', 2)
        self.assertEqual(len(points), 120)
        self.assertEqual({point['capacity'] for point in points}, {4})
        self.assertEqual(
            [(point['used'], round(point['waiting'], 1)) for point in points[59::15]],
            [(0.0, 0.0), (3.0, 1.0), (3.0, 1.0), (3.0, 0.0), (3.0, 0.0)],
        )
        self.assertEqual(points[0]['at'].timestamp(), 3601 - 7200)

    @defer.inlineCallbacks
    def test_costs(self) -> Any:
        """Costs tell for how long each builder waited and held, the longest waits first."""
        lock, rare = MasterLock('L'), MasterLock('rare')
        builders = {name: self.want(lock.access('exclusive')) for name in 'ab'}
        builders['c'] = self.want(rare)
        yield self.setup_lab(builders)
        for name in 'cabb':
            yield self.request(name)
        for wait in (0, 10, 20, 30):
            self.reactor.advance(wait)
            self.open(self.gate, SUCCESS)
        rows = yield self.get('lockcosts', 1)
        names = ('lock', 'builder', 'waits', 'waited', 'wait_median', 'wait_p95')
        self.assertEqual(
            [tuple(row[name] for name in names) for row in rows],
            [
                ('L', 'b', 2, 20.0, 1.0, 19.0),
                ('L', 'a', 0, 0.0, 0.0, 0.0),
                ('rare', 'c', 0, 0.0, 0.0, 0.0),
            ],
        )
        self.assertEqual(
            [(r['holds'], r['held'], r['hold_median'], r['hold_p95']) for r in rows],
            [(2, 56.0, 23.0, 33.0), (1, 22.0, 22.0, 22.0), (1, 12.0, 12.0, 12.0)],
        )

    @defer.inlineCallbacks
    def test_estimate(self) -> Any:
        """Who waits is told when it is likely to have its turn, once holds are known."""
        want = self.want(MasterLock('L').access('exclusive'))
        yield self.setup_lab({name: want for name in 'abcd'})
        yield self.request('a')
        yield self.request('b')
        lockid = yield self.master.db.locks.find_lock_id('L')
        names = ('estimate_at', 'estimate_from', 'estimate_until')
        [row] = yield self.get('locks', lockid, 'waiters')
        self.assertEqual([row[name] for name in names], [None] * 3)
        for wait, name in zip((100, 200, 100, 100), 'cdab'):
            yield self.request(name)
            self.reactor.advance(wait)
            self.open(self.gate, SUCCESS)
        yield self.request('c')
        rows = yield self.get('locks', lockid, 'waiters', order=['place'])
        now = self.reactor.seconds()
        told = [[round(row[name].timestamp() - now) for name in names] for row in rows]
        self.assertEqual(told, [[101, 101, 201], [233, 207, 357]])

    @defer.inlineCallbacks
    def test_estimate_without_database(self) -> Any:
        """If the history cannot be read, that is told once, and later holds are gone by."""
        want = self.want(MasterLock('L').access('exclusive'))
        yield self.setup_lab({'a': want, 'b': want})
        fail = lambda *args: defer.fail(OSError('it is locked'))
        self.patch(self.master.db.lock_uses, 'newest', fail)
        lockid = yield self.master.db.locks.find_lock_id('L')
        yield self.request('a')
        yield self.request('b')
        told = []
        for _ in range(2):
            [row] = yield self.get('locks', lockid, 'waiters')
            told.append(row['estimate_at'] is not None)
            self.open(self.gate, SUCCESS)
            yield self.request('a')
        self.assertEqual(told, [False, True])
        self.assertEqual(len(self.flushLoggedErrors(OSError)), 1)
