# SPDX-License-Identifier: GPL-2.0-only
"""One resource of a pool is held by hand, taken out of use and looked at as a copy of a lock is."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locking.copy import CircleError
from buildbot.plugins import steps
from buildbot.plugins import util
from buildbot.process.sweep import Sweep
from buildbot.reporters.lockmetrics import Gauges
from buildbot.reporters.lockmetrics import Labels
from buildbot.test.util.hand import HOUR
from buildbot.test.util.hand import HandTestCase
from buildbot.test.util.lab import GatedStep

NAMES = ['board-1', 'board-2']


def pool(names: Any = NAMES, **words: Any) -> Any:
    return util.ResourcePool('boards', [util.Resource(n, labels=['stm32']) for n in names], **words)


class Hand(HandTestCase):
    def group(self) -> Any:
        gated = GatedStep(self.gate, name='flash')
        return steps.StepGroup(name='test', locks=[self.board.access()], steps=[gated])

    @defer.inlineCallbacks
    def copy_row(self, of: str | None = 'w1') -> Any:
        rows = yield self.get('locks', (yield self.lockid()), 'copies')
        return next((row for row in rows if row['key'] == of), None)

    @defer.inlineCallbacks
    def rows(self, what: str, of: str | None = None) -> Any:
        """Return who holds or waits: its copy, its name and, of a holder, its resources."""
        path = ('locks', (yield self.lockid()))
        if of is not None:
            path = ('copies', (yield self.copy_row(of))['copyid'])
        rows = yield self.get(*path, what)
        return [(row['copy'], row['text']) for row in rows]

    def has(self) -> list[Any]:
        """Return the names of what the running builds have."""
        return [
            [r.name for r in build.currentStep.resources('boards')]
            for build, _ in self.gate.running
        ]

    @defer.inlineCallbacks
    def test_listed(self) -> Any:
        """The pool and each resource have rows, with what is said of them."""
        yield self.start(pool())
        yield self.request('fw')
        rows = yield self.get('locks', (yield self.lockid()), 'copies')
        self.assertEqual(
            [
                (r['name'], r['scope'], r['key'], r['labels'], r['used'], r['capacity'])
                for r in rows
            ],
            [
                ('boards', 'master', None, [], 1, 2),
                ('boards[board-1]', 'resource', 'board-1', ['stm32'], 1, 1),
                ('boards[board-2]', 'resource', 'board-2', ['stm32'], 0, 1),
            ],
        )
        self.assertEqual(
            (yield self.rows('holders', 'board-1')), [('boards[board-1]', 'fw #1 / test')]
        )
        self.assertEqual((yield self.rows('holders', 'board-2')), [])
        self.assertEqual((yield self.rows('holders')), [('boards', 'fw #1 / test')])
        [lock] = yield self.get('locks')
        self.assertEqual(
            (lock['kind'], lock['copies'], lock['used'], lock['capacity']), ('pool', 1, 1, 2)
        )
        self.end_steps('fw')

    @defer.inlineCallbacks
    def test_hold(self) -> Any:
        """Who holds a board by hand has this one, and builds have the others."""
        yield self.start(pool(), workers=('w1', 'w2'), builders=('a', 'b'))
        answer = yield self.hold('ann', 'board-1')
        self.assertEqual(answer['state'], 'held')
        yield self.request('a')
        yield self.request('b')
        self.assertEqual(self.has(), [['board-2']])
        held = [('boards[board-1]', 'ann, by hand'), ('boards', 'a #1 / test')]
        self.assertEqual((yield self.rows('holders')), held)
        [reason] = yield self.get('builds', 2, 'reasons')
        self.assertEqual(
            reason['text'],
            'waiting for boards: held by ann, by hand (under a minute), a #1 / test (under a'
            ' minute)',
        )
        yield self.act('ann', 'release', 'board-1', holdid=answer['holdid'])
        self.assertEqual(self.has(), [['board-2'], ['board-1']])
        self.end_steps('a', 'b')
        yield self.assert_untouched('board-1')

    @defer.inlineCallbacks
    def test_hold_waits(self) -> Any:
        """Who waits for a board by hand waits for this one, in the line of the pool."""
        yield self.start(pool(), workers=('w1', 'w2'), builders=('a', 'b'))
        yield self.request('a')
        self.assertEqual(self.has(), [['board-1']])
        answer = yield self.hold('ann', 'board-1')
        self.assertEqual(answer['state'], 'waiting')
        waits = [('boards[board-1]', 'ann, by hand')]
        self.assertEqual((yield self.rows('waiters')), waits)
        self.assertEqual((yield self.rows('waiters', 'board-1')), waits)
        self.assertEqual((yield self.rows('waiters', 'board-2')), [])
        yield self.request('b')
        self.assertEqual(self.has(), [['board-1'], ['board-2']])
        self.end_steps('a')
        self.assertEqual((yield self.rows('holders', 'board-1')), waits)
        self.end_steps('b')

    @defer.inlineCallbacks
    def test_stands_aside(self) -> Any:
        """Who stood aside for builds is in line again when one of them gives a board back."""
        boards = [util.Resource('board-1', ['one']), util.Resource('board-2', ['two'])]
        yield self.start(util.ResourcePool('boards', boards), builders=())
        other = util.MasterLock('other').access('exclusive')
        yield self.add_builders(
            one={'locks': [self.board.access(labels='one')], 'of_step': [other]},
            two={'locks': [other], 'of_step': [self.board.access(labels='two')]},
            both={'of_step': [self.board.access(2)]},
        )
        for name in ('one', 'two', 'both'):
            yield self.request(name)
        self.end_steps('both')
        yield self.hold('ann', 'board-2')
        self.end_steps('two', 'one')
        self.assertEqual(len(self.flushLoggedErrors(CircleError)), 1)
        self.assertEqual([action for action, _ in (yield self.actions())], ['hold', 'aside'])
        self.end_steps('both', 'two')
        self.assertEqual(
            (yield self.rows('holders', 'board-2')), [('boards[board-2]', 'ann, by hand')]
        )

    @defer.inlineCallbacks
    def test_quarantine(self) -> Any:
        """A board in quarantine goes to nobody, and who has it keeps it; the others are given."""
        yield self.start(pool(), workers=('w1', 'w2'), builders=('a', 'b'))
        yield self.request('a')
        yield self.act('ann', 'quarantine', 'board-1', reason='bad cable')
        [lock] = yield self.get('locks')
        self.assertEqual(lock['quarantined'], 1)
        row = yield self.copy_row('board-1')
        self.assertEqual((row['quarantined_by'], row['quarantine_reason']), ('ann', 'bad cable'))
        self.end_steps('a')
        yield self.request('a')
        yield self.request('b')
        self.assertEqual(self.has(), [['board-2']])
        self.end_steps('a')
        self.assertEqual(self.has(), [['board-2']])
        yield self.act('ann', 'restore', 'board-1')
        self.end_steps('b')
        yield self.request('a')
        self.assertEqual(self.has(), [['board-1']])
        self.end_steps('a')
        self.assertEqual(
            (yield self.actions()),
            [
                ('quarantined', 'ann has taken it out of use'),
                ('restored', 'ann has put it back into use'),
            ],
        )

    @defer.inlineCallbacks
    def test_repaired(self) -> Any:
        """A whole pool in quarantine is back in use when a build of its repairBuilder succeeded."""
        yield self.start(pool(repairBuilder='fix'), builders=('fw', 'fix'), workers=('w1', 'w2'))
        yield self.act('ann', 'quarantine', None)
        yield self.request('fw')
        self.assertEqual(self.has(), [])
        yield self.request('fix')
        self.assertEqual(len(self.has()), 1)
        self.end_steps('fix')
        self.assertEqual(
            (yield self.actions())[-1], ('restored', 'the configuration has put it back into use')
        )
        self.assertEqual(len(self.has()), 1)
        self.end_steps('fw')

    @parameterized.expand(
        [
            (f'{action}_{late}', action, late)
            for action in ('hold', 'quarantine')
            for late in (False, True)
        ]
    )
    @defer.inlineCallbacks
    def test_other_worker(self, _: str, action: str, late: bool) -> Any:
        """A build goes to a worker whose board nobody has on the desk, and that is in use."""
        boards = [util.Resource(f'board-{n}', workers=[f'w{n}']) for n in (1, 2)]
        both = ('w1', 'w2')
        yield self.start(util.ResourcePool('boards', boards), workers=both, lateBinding=late)
        words = {'until': HOUR} if action == 'hold' else {}
        for i in (0, 1):
            yield self.act('ann', action, f'board-{i + 1}', **words)
            yield self.request('fw')
            self.assertEqual(self.has(), [[f'board-{2 - i}']])
            self.end_steps('fw')
            if action == 'hold':
                yield self.act('ann', 'release', f'board-{i + 1}', holdid=i + 1)
            else:
                yield self.act('ann', 'restore', f'board-{i + 1}')

    @defer.inlineCallbacks
    def test_no_other_worker(self) -> Any:
        """A request that would only wait for a board in quarantine is pending, and says so."""
        boards = [util.Resource('board-1', workers=['w1'])]
        yield self.start(util.ResourcePool('boards', boards))
        yield self.act('ann', 'quarantine', 'board-1', reason='bad cable')
        brid = yield self.request('fw')
        [reason] = yield self.get('buildrequests', brid, 'reasons')
        self.assertEqual(reason['text'], 'on w1, boards[board-1] is in quarantine (bad cable)')
        yield self.act('ann', 'restore', 'board-1')
        self.assertEqual(self.has(), [['board-1']])
        self.end_steps('fw')

    @defer.inlineCallbacks
    def test_kick(self) -> Any:
        """Who has a board is ended by the row of the board."""
        yield self.start(pool())
        yield self.request('fw')
        rows = yield self.get('copies', (yield self.copy_row('board-1'))['copyid'], 'holders')
        yield self.act('bob', 'kick', 'board-1', holderid=rows[0]['holderid'])
        self.assertEqual(self.gate.running, [])
        yield self.assert_untouched('board-1')

    @defer.inlineCallbacks
    def test_no_such_board(self) -> Any:
        """A board that is not there cannot be held, and this is said."""
        yield self.start(pool())
        why = yield self.refused(self.hold('ann', 'board-7', version='0-0-0'))
        self.assertEqual(why, "lock 'boards': it has no resource 'board-7'")

    @defer.inlineCallbacks
    def test_sweep(self) -> Any:
        """What people do with a board is nothing that has ended, to who looks for that."""
        yield self.start(pool())
        yield self.hold('ann', 'board-1')
        yield self.act('ann', 'quarantine', 'board-2')
        sweep = yield Sweep.getService(self.master.botmaster)
        self.assertEqual((yield sweep.sweep()), [])
        self.assertEqual((yield sweep.sweep()), [])

    @defer.inlineCallbacks
    def test_restart(self) -> Any:
        """A hold and a quarantine of boards are the same when the master has been restarted."""
        yield self.start(pool(), workers=('w1', 'w2'))
        yield self.hold('ann', 'board-2')
        yield self.act('bob', 'quarantine', 'board-1', reason='bad cable')
        yield self.restart()
        yield self.request('fw')
        self.assertEqual(self.has(), [])
        self.assertEqual(
            (yield self.rows('holders', 'board-2')), [('boards[board-2]', 'ann, by hand')]
        )
        yield self.act('bob', 'restore', 'board-1')
        self.assertEqual(self.has(), [['board-1']])
        self.end_steps('fw')

    @parameterized.expand([(['board-2', 'board-3'],), (['board-2'],)])
    @defer.inlineCallbacks
    def test_same_after_restart(self, names: list[str]) -> Any:
        """Who holds some of a pool has the same boards after a restart, if they are there still."""
        yield self.start(pool([*NAMES, 'board-3']))
        yield self.request('fw')
        self.assertEqual(self.has(), [['board-1']])
        yield self.hold('ann', None, mode='counting', units=2)
        self.end_steps('fw')
        self.board = pool(['board-1', *names])
        self.lab = {'fw': {'steps': [self.group()]}}
        yield self.restart()
        held = [
            (row['person'], [resource['name'] for resource in row['resources']])
            for row in (yield self.get('locks', (yield self.lockid()), 'holders'))
        ]
        self.assertEqual(held, [('ann', names)])

    @defer.inlineCallbacks
    def test_taken_away(self) -> Any:
        """A board that a reconfig takes away stays with who holds it, and is gone then."""
        yield self.start(pool())
        answer = yield self.hold('ann', 'board-1')
        yield self.start_anew(pool(['board-2']))
        self.assertEqual((yield self.rows('holders')), [('boards[board-1]', 'ann, by hand')])
        yield self.act('ann', 'release', 'board-1', holdid=answer['holdid'])
        rows = yield self.get('locks', (yield self.lockid()), 'copies')
        self.assertEqual([row['name'] for row in rows], ['boards', 'boards[board-2]'])
        yield self.request('fw')
        self.assertEqual(self.has(), [['board-2']])
        self.end_steps('fw')

    @parameterized.expand(
        [
            (f'{action}_{when}', action, when == 'after_restart')
            for action in ('hold', 'quarantine')
            for when in ('reconfig', 'after_restart')
        ]
    )
    @defer.inlineCallbacks
    def test_moved(self, _: str, action: str, is_restarted: bool) -> Any:
        """A board that has moved to another pool goes to nobody while a person has it."""
        old = pool(['board-1'])
        yield self.start(old)
        yield (
            self.hold('ann', 'board-1') if action == 'hold' else self.act('ann', action, 'board-1')
        )
        self.board = util.ResourcePool('shelf', [util.Resource('board-1')])
        if is_restarted:
            self.lab = {'fw': {'steps': [self.group()]}}
            yield self.restart()
        else:
            yield self.start_anew(self.board)
        yield self.request('fw')
        self.assertEqual(self.gate.running, [])
        self.board = old
        if action == 'hold':
            yield self.act('ann', 'release', 'board-1', holdid=1)
        else:
            yield self.act('ann', 'restore', 'board-1')
        self.assertEqual(len(self.gate.running), 1)
        self.end_steps('fw')

    @defer.inlineCallbacks
    def test_quarantine_outlasts(self) -> Any:
        """A board that is away for some time, while somebody had it, is out of use afterwards."""
        yield self.start(pool(), workers=('w1', 'w2'), builders=('a', 'b'))
        yield self.request('a')
        yield self.act('ann', 'quarantine', 'board-1')
        yield self.start_anew(pool(['board-2']))
        self.end_steps('a')
        row = yield self.copy_row('board-1')
        self.assertEqual((row['quarantined_by'], row['capacity'], row['used']), ('ann', 0, 0))
        yield self.start_anew(pool())
        yield self.request('a')
        yield self.request('b')
        self.assertEqual(self.has(), [['board-2']])
        yield self.act('ann', 'restore', 'board-1')
        self.assertEqual(self.has(), [['board-2'], ['board-1']])
        self.end_steps('a', 'b')

    @defer.inlineCallbacks
    def test_quarantine_of_what_goes(self) -> Any:
        """Who wants a whole pool waits until a board is gone, though that is to be out of use."""
        yield self.start(pool(), workers=('w1', 'w2', 'w3'), builders=('fw',))
        yield self.request('fw')
        yield self.act('ann', 'quarantine', 'board-1')
        yield self.start_anew(pool(['board-2']))
        other = util.MasterLock('other').access('exclusive')
        whole = self.board.access(exclusive=True)
        yield self.add_builders(all={'locks': [other], 'of_step': [whole]}, b={'locks': [other]})
        yield self.request('all')
        yield self.request('b')
        self.end_steps('all')
        self.assertEqual(len(self.gate.running), 1)
        self.end_steps('fw')
        self.assertEqual(self.has(), [['board-2']])
        self.end_steps('all', 'b', 'b')

    @defer.inlineCallbacks
    def test_quarantine_outlasts_restart(self) -> Any:
        """A board that is not there when the master starts is out of use when it comes back."""
        yield self.start(pool())
        yield self.act('ann', 'quarantine', 'board-1')
        self.board = pool(['board-2'])
        self.lab = {'fw': {'steps': [self.group()]}}
        yield self.restart()
        yield self.start_anew(pool(['board-1']))
        yield self.request('fw')
        self.assertEqual(self.has(), [])
        yield self.act('ann', 'restore', 'board-1')
        self.assertEqual(self.has(), [['board-1']])
        self.end_steps('fw')

    @defer.inlineCallbacks
    def test_hold_ends_at_restart(self) -> Any:
        """A hold of a board that is not there when the master starts has ended, and says so."""
        yield self.start(pool())
        yield self.hold('ann', 'board-1')
        self.board = pool(['board-2'])
        self.lab = {'fw': {'steps': [self.group()]}}
        yield self.restart()
        self.assertEqual(
            (yield self.actions())[2:],
            [
                (
                    'ended',
                    'ann cannot hold it any more: boards[board-1] can never be granted: boards has'
                    ' no such resource',
                )
            ],
        )

    @defer.inlineCallbacks
    def test_restored_when_gone(self) -> Any:
        """A quarantine of a board that is there no more can be ended, and leaves nothing."""
        yield self.start(pool())
        yield self.request('fw')
        yield self.act('ann', 'quarantine', 'board-1')
        yield self.start_anew(pool(['board-2']))
        self.end_steps('fw')
        yield self.act('ann', 'restore', 'board-1')
        self.assertEqual((yield self.rows('waiters')), [])
        rows = yield self.get('locks', (yield self.lockid()), 'copies')
        self.assertEqual([row['name'] for row in rows], ['boards', 'boards[board-2]'])

    @defer.inlineCallbacks
    def test_whole_pool(self) -> Any:
        """All of the pool, or some of it, can be held by hand, too."""
        yield self.start(pool())
        some = yield self.hold('ann', None, mode='counting', units=1)
        yield self.request('fw')
        self.assertEqual(self.has(), [['board-2']])
        self.end_steps('fw')
        yield self.act('ann', 'release', None, holdid=some['holdid'])
        answer = yield self.hold('ann', None)
        self.assertEqual(answer['state'], 'held')
        self.assertEqual((yield self.copy_row('board-2'))['used'], 1)

    @defer.inlineCallbacks
    def test_overdue(self) -> Any:
        """A hold of a board ends as that of a copy does."""
        yield self.start(pool(whenOverdue='release'))
        yield self.hold('ann', 'board-1', until=self.reactor.seconds() + HOUR)
        self.reactor.advance(HOUR)
        self.settle()
        yield self.assert_untouched('board-1')

    @defer.inlineCallbacks
    def test_metrics(self) -> Any:
        """Prometheus is told of each board whether it is used, and whether it is out of use."""
        yield self.start(pool())
        yield self.act('ann', 'quarantine', 'board-1')
        yield self.request('fw')
        gauges = {gauge.name: gauge for gauge in Gauges(self.master, Labels()).collect()}
        self.assertEqual(
            {
                name: [(each.labels['resource'], each.value) for each in gauges[name].samples]
                for name in ('buildbot_pool_resource_used', 'buildbot_pool_resource_quarantined')
            },
            {
                'buildbot_pool_resource_used': [('board-1', 0), ('board-2', 1)],
                'buildbot_pool_resource_quarantined': [('board-1', 1), ('board-2', 0)],
            },
        )
        self.end_steps('fw')
