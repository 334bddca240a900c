# SPDX-License-Identifier: GPL-2.0-only
"""The rule of resource pools: who gets which resources; and generated histories against a model."""

from __future__ import annotations

import os
from itertools import combinations
from itertools import product
from typing import Any

from hypothesis import HealthCheck
from hypothesis import Phase
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import invariant
from hypothesis.stateful import precondition
from hypothesis.stateful import rule
from hypothesis.stateful import run_state_machine_as_test
from parameterized import parameterized
from twisted.trial import unittest

from buildbot.locking.claim import Claim
from buildbot.locking.deadlock import find_deadlock
from buildbot.locking.matching import match
from buildbot.locking.named import NamedLock
from buildbot.locking.named import NamedWant
from buildbot.locking.named import set_resources
from buildbot.locking.pool import Lock
from buildbot.locking.pool import Want
from buildbot.locking.queue import PATIENCE
from buildbot.locking.resource import Part
from buildbot.locking.resource import Resource

ALL = 'all'
EXAMPLES = int(os.environ.get('LOCK_HISTORIES', '30'))

#: two boards of each kind of hardware, of which the last one is on one worker only
BOARDS = [
    Resource('1', ['a', 'x', 'hw-a'], {'speed': 1}),
    Resource('2', ['a', 'hw-c'], {'speed': 2}),
    Resource('3', ['b', 'x', 'hw-a'], {'speed': 2}),
    Resource('4', ['b', 'hw-c'], {'speed': 1}, ['lab']),
]


def parts_of(text: str) -> list[Part]:
    """Return what is asked for as ``2 of a same hw + 1 of b``."""
    parts = []
    for part in text.split(' + '):
        part, _, same = part.partition(' same ')
        count, _, labels = part.partition(' of ')
        parts.append(Part(int(count), labels or None, same or None))
    return parts


class Pool:
    """A pool, an ordinary lock beside it, and owners by name who claim and end.

    An owner ``a.b`` is nested in the owner ``a``.
    """

    def __init__(self, resources: Any = BOARDS) -> None:
        self.lock = NamedLock()
        self.other = Lock(1)
        set_resources(self.lock, resources)
        self.claims: dict[str, Claim] = {}

    def ask(
        self,
        owner: str,
        text: str | None,
        worker: str | None = None,
        choice: Any = None,
        other: bool = False,
        name: str | None = None,
        priority: int = 0,
    ) -> Claim:
        outer = owner.split('.')[:-1]
        wants: list[Want] = []
        if text == ALL:
            wants.append(self.lock.whole)
        elif text is not None:
            wants.append(NamedWant(self.lock, False, parts_of(text), worker))
        if other:
            wants.append(self.other.whole)
        ancestors = ['.'.join(outer[:i]) for i in range(len(outer), 0, -1)]
        claim = Claim(owner, wants, priority, ancestors, choice=choice)
        self.claims[name or owner] = claim
        claim.enter()
        return claim

    def got(self, owner: str) -> str:
        claim = self.claims[owner]
        found = [r.name for h in claim.holdings if h.pool.lock is self.lock for r in h.resources]
        return ''.join(found) if claim.holds else '-'

    def waits_of(self, owner: Any) -> list[Claim]:
        return [c for c in self.claims.values() if c.waiting and owner in (c.owner, *c.ancestors)]

    @property
    def all_got(self) -> str:
        live = [n for n, c in self.claims.items() if c.waiting or c.holds]
        return ' '.join(f'{name}:{self.got(name)}' for name in live)


class Tables(unittest.SynchronousTestCase):
    """Each row: who asks in turn for what, who has what then; who ends, who has what then."""

    @parameterized.expand(
        [
            ('in_order', ['a 1', 'b 1', 'c 3'], 'a:1 b:2 c:-', 'a', 'b:2 c:134'),
            ('by_label', ['a 1 of b', 'b 2 of b', 'c 1 of a'], 'a:3 b:- c:1', 'a', 'b:34 c:1'),
            (
                'other_labels_pass',
                ['a 3', 'b 2 of a', 'c 1 of b'],
                'a:123 b:- c:4',
                'a',
                'b:12 c:4',
            ),
            ('what_is_waited_for_is_kept', ['a 1', 'b 4', 'c 1'], 'a:1 b:- c:-', 'a', 'b:1234 c:-'),
            ('same_property', ['a 1', 'b 2 same speed'], 'a:1 b:23', 'a', 'b:23'),
            ('same_label', ['a 1', 'b 2 same hw'], 'a:1 b:24', 'a', 'b:24'),
            ('not_the_same', ['a 1 of a & hw-a', 'b 2 of hw-a same hw'], 'a:1 b:-', 'a', 'b:13'),
            ('two_kinds', ['a 1 of a + 1 of x'], 'a:21', 'a', ''),
            ('moved_by_the_matching', ['a 1 of a | x + 1 of hw-a + 1 of b'], 'a:213', 'a', ''),
            ('compared', ['a 2 of speed == 2', 'b 1 of speed > 1'], 'a:23 b:-', 'a', 'b:2'),
            ('by_name', ['a 1 of 3', 'b 1 of 3'], 'a:3 b:-', 'a', 'b:3'),
            ('whole', ['a 1', 'b all', 'c 1'], 'a:1 b:- c:-', 'a', 'b:1234 c:-'),
            ('whole_first', ['a all', 'b 1'], 'a:1234 b:-', 'a', 'b:1'),
            ('worn_least', ['a 1 of 1', 'z 1', 'y 1'], 'a:1 z:2 y:3', 'z a', 'y:3'),
            ('wanted_least', ['a 1 of 2', 'b 2 of a', 'c 1 of x'], 'a:2 b:- c:3', 'a', 'b:12 c:3'),
            (
                'nested',
                ['a 2', 'a.b 1', 'a.c 1', 'a.d 1'],
                'a:12 a.b:1 a.c:2 a.d:3',
                'a.d',
                'a:12 a.b:1 a.c:2',
            ),
            (
                'nested_not_the_same',
                ['a 4', 'a.b 3', 'a.c 2'],
                'a:1234 a.b:123 a.c:-',
                'a.b',
                'a:1234 a.c:12',
            ),
            ('nested_takes_more', ['a 1 of b', 'a.b 2'], 'a:3 a.b:31', 'a.b', 'a:3'),
            (
                'nested_goes_first',
                ['a 1', 'x 1 of 2', 'y 4', 'a.b 3 of 1 | 2 | 3'],
                'a:1 x:2 y:- a.b:-',
                'x',
                'a:1 y:- a.b:123',
            ),
            (
                'nested_in_whole',
                ['a all', 'x 1', 'a.b 1 of b', 'a.c all'],
                'a:1234 x:- a.b:3 a.c:-',
                'a.b',
                'a:1234 x:- a.c:1234',
            ),
            (
                'nested_is_kept_from_newcomers',
                ['a 1', 'x 1 of 2', 'a.b 3 of 1 | 2 | 3', 'y 1 of 3'],
                'a:1 x:2 a.b:- y:-',
                'x',
                'a:1 a.b:123 y:-',
            ),
            ('outer_ends_first', ['a 2', 'a.b 1', 'x 4'], 'a:12 a.b:1 x:-', 'a', 'a.b:1 x:-'),
            (
                'deeper_goes_first',
                ['a 2', 'a.b 1', 'x 1 of 3', 'a.c 3', 'a.b.d 2 of 1 | 3'],
                'a:12 a.b:1 x:3 a.c:- a.b.d:-',
                'x',
                'a:12 a.b:1 a.c:- a.b.d:13',
            ),
        ]
    )
    def test_table(self, _, asked, got, ended, later):
        """Each has what it asked for, in order, and what is kept for those ahead stays there."""
        pool = Pool()
        for row in asked:
            owner, text = row.split(' ', 1)
            pool.ask(owner, text)
        self.assertEqual(pool.all_got, got)
        for owner in ended.split():
            pool.claims[owner].end()
        self.assertEqual(pool.all_got, later)
        for claim in pool.claims.values():
            claim.end()
        self.assertEqual((pool.lock.free, pool.lock.used, pool.lock.on_top), (0b1111, 0, {}))
        self.assertFalse(pool.lock.held or pool.lock.busy)

    def test_longest_unused(self):
        """Of several that would do, the one that was given back longest ago is taken."""
        pool = Pool()
        for name in 'abcd':
            pool.ask(name, '1')
        for name in 'cadb':
            pool.claims[name].end()
        self.assertEqual([pool.got(n) for n in 'efgh' if pool.ask(n, '1')], ['3', '1', '4', '2'])

    @parameterized.expand(
        [
            ('theirs', lambda resources: resources[::-1], '4', 0),
            ('raises', lambda resources: 1 // 0, '1', 1),
            ('wrong', lambda resources: resources[:1], '1', 1),
        ]
    )
    def test_pick(self, _, pick, got, errors):
        """A user's function says which is taken; one that fails costs nobody a turn."""
        pool = Pool()
        pool.lock.pick = pick
        pool.ask('a', '1')
        self.assertEqual(pool.got('a'), got)
        self.assertEqual(len(self.flushLoggedErrors()), errors)

    def test_pick_of_what_is_kept(self):
        """A user's function is not offered what is kept for those ahead."""
        pool = Pool()
        pool.lock.pick = lambda resources: sorted(resources, key=lambda r: r.name != '2')
        pool.ask('a', '1 of 1')
        pool.ask('b', '2 of 1 | 2')
        pool.ask('c', '1')
        self.assertEqual(pool.all_got, 'a:1 b:- c:3')

    @parameterized.expand([('there', 'lab', '4'), ('elsewhere', 'home', None)])
    def test_worker(self, _, worker, got):
        """What is on one worker is for those on that worker only."""
        pool = Pool()
        if got is None:
            self.assertRaises(ValueError, pool.ask, 'a', '1 of 4', worker)
        else:
            pool.ask('a', '1 of 4', worker)
            self.assertEqual(pool.got('a'), got)

    def test_choice(self):
        """Claims of which one will do do not hinder each other; others are behind each of them."""
        pool = Pool()
        pool.ask('a', '2 of 1 | 4')
        pool.ask('r', '2 of 1 | 2', 'home', choice='r', name='home')
        pool.ask('r', '2 of 2 | 4', 'lab', choice='r', name='lab')
        pool.ask('r', '1 of 2', 'far', choice='r', name='far')
        pool.ask('b', '1 of 2')
        self.assertEqual(pool.all_got, 'a:14 home:- lab:- far:2 b:-')

    def test_choice_behind_who_drains(self):
        """Of claims of which one will do, none passes one whose patience is over."""
        pool = Pool()
        pool.ask('h', '1 of 1')
        drains = pool.ask('d', ALL, other=True)
        for _ in range(PATIENCE):
            drains.be_passed()
        pool.ask('r', ALL, choice='r', name='whole')
        pool.ask('r', '1 of b', choice='r', name='one')
        self.assertEqual(pool.all_got, 'h:1 d:- whole:- one:-')
        pool.claims['h'].end()
        self.assertEqual(pool.all_got, 'd:1234 whole:- one:-')

    def test_several_locks(self):
        """Who waits for another lock too lets others have resources, but not forever."""
        pool = Pool()
        pool.ask('x', None, other=True)
        waiting = pool.ask('w', '2 of a', other=True)
        for i in range(PATIENCE):
            pool.ask(f'o{i}', '1 of 1')
            self.assertEqual(pool.got(f'o{i}'), '1')
            pool.claims[f'o{i}'].end()
        pool.ask('b', '1 of b')
        self.assertEqual(waiting.passed, PATIENCE)
        pool.ask('late', '1 of 1')
        self.assertEqual((pool.got('late'), pool.got('b')), ('-', '3'))
        pool.claims['x'].end()
        self.assertEqual((pool.got('w'), pool.got('late')), ('12', '-'))

    def test_reconfig(self):
        """Holders keep what they have; one that is gone is gone for good when it is given back."""
        pool = Pool()
        pool.ask('a', '2')
        pool.ask('b', '3')
        set_resources(pool.lock, [*BOARDS[1:], Resource('5', ['b'])])
        self.assertEqual((pool.got('a'), pool.got('b')), ('12', '345'))
        pool.claims['a'].end()
        self.assertEqual(pool.ask('c', '1').holds, True)
        self.assertRaises(ValueError, pool.ask, 'd', '1 of 1')
        self.assertEqual(sorted(u.resource.name for u in pool.lock.units.values()), list('2345'))

    def test_hopeless(self):
        """A claim that could never be met any more is ended, and those behind it go on."""
        pool = Pool()
        pool.ask('x', '1 of 2')
        told = []

        class Told(Claim):
            def hopeless(self, want):
                told.append(self.owner)

        claim = Told('a', [NamedWant(pool.lock, False, parts_of('2 of a'))])
        claim.enter()
        behind = pool.ask('b', '1 of 1')
        set_resources(pool.lock, [BOARDS[1], Resource('1', ['z'])])
        self.assertEqual((told, behind.holds), (['a'], True))

    def test_added_to_who_has_all(self):
        """Who has the whole pool has a resource that is added, too."""
        pool = Pool()
        whole = pool.ask('a', ALL)
        set_resources(pool.lock, [*BOARDS, Resource('5')])
        self.assertEqual((pool.got('a'), pool.ask('b', '1').holds), ('12345', False))
        self.assertEqual(pool.lock.used, 5)
        whole.end()
        self.assertEqual((pool.got('b'), pool.lock.used), ('1', 1))

    def test_moved_to_who_has_all(self):
        """Who has the whole pool has one that was held through another pool once it is free."""
        former, pool = Pool(BOARDS[:1]), Pool(BOARDS[1:2])
        former.lock.meet(pool.lock)
        held = former.ask('a', '1')
        pool.ask('b', ALL)
        pool.lock.look_elsewhere()
        set_resources(pool.lock, BOARDS[:2])
        inside = pool.ask('b.s', '1 of 1')
        self.assertEqual((pool.got('b'), inside.holds), ('2', False))
        held.end()
        pool.lock.look_elsewhere()
        self.assertEqual((pool.got('b'), pool.ask('c', '1').holds), ('21', False))
        self.assertFalse(former.ask('a', '1').holds)
        inside.serve()
        self.assertEqual(pool.got('b.s'), '1')

    @parameterized.expand([('another_one', BOARDS[:2], '2'), ('the_same_one', BOARDS[:1], '1')])
    def test_of_two_pools(self, _, resources, got):
        """Who wants some of two pools has a resource that both have twice only if it must."""
        pools = [Pool(BOARDS[:1]), Pool(resources)]
        pools[0].lock.meet(pools[1].lock)
        claim = Claim('a', [NamedWant(pool.lock, False, parts_of('1'), None) for pool in pools])
        self.assertTrue(claim.enter())
        self.assertEqual([r.name for h in claim.holdings for r in h.resources], ['1', got])
        claim.end()
        for pool in pools:
            pool.lock.look_elsewhere()
            self.assertEqual((pool.lock.used, pool.ask('b', ALL).holds), (0, True))
            pool.claims['b'].end()

    def test_left_behind(self):
        """Who waits for what its owner had, and nobody else can have, is ended with that owner."""
        pool = Pool()
        pool.ask('a', '2 of 1 | 2')
        pool.ask('a.b', '1 of 1')
        told = []

        class Told(Claim):
            def hopeless(self, want):
                told.append(self.owner)

        claim = Told('a.c', [NamedWant(pool.lock, False, parts_of('1 of 1'))], 0, ['a'])
        claim.enter()
        set_resources(pool.lock, BOARDS[1:])
        self.assertEqual((told, claim.waiting), ([], True))
        pool.claims['a'].end()
        self.assertEqual((told, claim.waiting), (['a.c'], False))

    def test_moved_out(self):
        """Who waits inside a holding that ends is told, since it may be in a circle now."""
        pool = Pool()
        told = []

        class Told(Claim):
            def moved_out(self):
                told.append(self.owner)

        pool.ask('a', '2 of 1 | 2')
        pool.ask('a.b', '2 of 1 | 2')
        for owner, ancestors in (('a.c', ['a']), ('x', [])):
            Told(owner, [NamedWant(pool.lock, False, parts_of('1 of 1'))], 0, ancestors).enter()
        pool.claims['a'].end()
        self.assertEqual(told, ['a.c'])

    def test_kept_since(self):
        """What is kept for one, since another got what it needs, goes to nobody; all go on."""
        pool = Pool()
        pool.ask('x', None, other=True)
        pool.ask('z', '2 of b')
        pool.ask('a', '1 of 1')
        pool.ask('a.b', '2 of a')
        pool.ask('a.c', '2 of a', other=True)
        pool.ask('a.d', '1 of 1')
        pool.ask('o', '1 of 2')
        pool.claims['a.b'].end()
        self.assertEqual(pool.all_got, 'x: z:34 a:1 a.c:- a.d:1 o:-')
        pool.claims['x'].end()
        pool.claims['a.d'].end()
        self.assertEqual(pool.all_got, 'z:34 a:1 a.c:12 o:-')

    def test_siblings_pass(self):
        """Who waits for another lock too keeps nothing from those beside it in a holder."""
        pool = Pool()
        pool.ask('x', None, other=True)
        pool.ask('z', '1 of 2')
        pool.ask('a', '1 of 1')
        pool.ask('a.b', '1 of 1')
        pool.ask('a.c', '2 of a', other=True)
        pool.ask('a.d', '1 of 1')
        pool.claims['a.b'].end()
        self.assertEqual(pool.all_got, 'x: z:2 a:1 a.c:- a.d:1')
        self.assertEqual(pool.claims['a.c'].passed, 1)

    def test_drained_inside(self):
        """Who has been passed often enough in a holder keeps what it can from outsiders, too."""
        pool = Pool()
        pool.ask('x', None, other=True)
        pool.ask('a', '1 of 1')
        waiting = pool.ask('a.b', '2 of a', other=True)
        for _ in range(PATIENCE):
            waiting.be_passed()
        self.assertFalse(pool.ask('o', '1 of 2').holds)
        pool.claims['x'].end()
        self.assertEqual(pool.all_got, 'a:1 a.b:12 o:-')

    def test_circle(self):
        """Holders that wait for one another's resources wait forever; others do not."""
        pool = Pool()
        pool.ask('a', '1 of 1')
        pool.ask('b', '1 of 2')
        first = pool.ask('a.s', '1 of 2')
        self.assertEqual(find_deadlock(first, pool.waits_of), [])
        second = pool.ask('b.s', '1 of 1')
        self.assertEqual(find_deadlock(second, pool.waits_of), [second, first])

    def test_circle_beside_what_goes(self):
        """A resource that is gone when it is given back is nothing to wait for."""
        pool = Pool(BOARDS[:2])
        for owner, text in (('a', '1 of 1'), ('b', '1 of 2')):
            pool.ask(owner, text)
        pool.ask('c', None, other=True)
        set_resources(pool.lock, BOARDS[1:2])
        first = pool.ask('b.s', None, other=True)
        self.assertEqual(find_deadlock(first, pool.waits_of), [])
        second = pool.ask('c.s', '1')
        self.assertEqual(find_deadlock(second, pool.waits_of), [second, first])

    def test_no_circle_behind_who_needs_more_inside_for_now(self):
        """Claims inside a holder keep nothing from others once there is enough for all of them."""
        pool = Pool()
        for owner, text in (('q', '1 of 3'), ('a', '1 of 2'), ('a.c', '1 of 2')):
            pool.ask(owner, text)
        pool.ask('x', None, other=True)
        pool.ask('a.b', '2 of 2 | 3 | 4', other=True)
        last = pool.ask('x.s', '1 of 3')
        self.assertEqual(find_deadlock(last, pool.waits_of), [])
        pool.claims['q'].end()
        self.assertTrue(last.holds)

    @parameterized.expand([('of_something', BOARDS), ('of_nothing', [])])
    def test_whole_pool_after_whole_pool(self, _, resources):
        """Who wants the whole pool waits forever for one that has it only if that one does."""
        pool = Pool(resources)
        pool.ask('a', ALL)
        pool.ask('b', None, other=True)
        first = pool.ask('b.s', ALL)
        self.assertTrue(first.waiting)
        self.assertEqual(find_deadlock(first, pool.waits_of), [])
        second = pool.ask('a.s', None, other=True)
        self.assertEqual(find_deadlock(second, pool.waits_of), [second, first])

    @parameterized.expand([('enough_besides', '1 of 2 | 3', False), ('not', '1 of 2', True)])
    def test_kept(self, _, text, is_stuck):
        """Who stands behind one that waits for it waits forever only if nothing else would do."""
        pool = Pool()
        pool.ask('y', None, other=True)
        pool.ask('r', '1 of 1')
        pool.ask('q', '1 of 3')
        names = ['y.s', 'x', 'r.s']
        pool.ask('r.s', None, other=True)
        pool.ask('x', '2 of 1 | 2')
        last = pool.ask('y.s', text)
        self.assertTrue(all(pool.claims[name].waiting for name in names))
        knot = [claim.owner for claim in find_deadlock(last, pool.waits_of)]
        self.assertEqual(knot, names if is_stuck else [])

    def test_cost_of_circles(self):
        """To look for a circle costs in proportion to those who wait, whatever they want."""

        def looks(waiting):
            pool = Pool()
            pool.ask('h', '4')
            for i in range(waiting):
                pool.ask(f'w{i}', ['1', '1 of a', '2 of x', '1 of b'][i % 4])
            looked = []
            real = Claim.ahead

            def ahead(claim, *args):
                looked.append(claim)
                return real(claim, *args)

            self.patch(Claim, 'ahead', ahead)
            self.assertEqual(find_deadlock(pool.claims[f'w{waiting - 1}'], pool.waits_of), [])
            self.patch(Claim, 'ahead', real)
            return len(looked)

        self.assertLess(looks(400), 2.5 * looks(200))


class Matching(unittest.SynchronousTestCase):
    """The matching alone."""

    @parameterized.expand(
        [
            ('one', [(1, 0b11)], [0, 1], [[0]]),
            ('in_the_order_given', [(1, 0b11)], [1, 0], [[1]]),
            ('none', [(1, 0b100)], [0, 1], None),
            ('moved', [(1, 0b11), (1, 0b01)], [0, 1], [[1], [0]]),
            ('moved_twice', [(1, 0b011), (1, 0b110), (1, 0b001)], [0, 1, 2], [[1], [2], [0]]),
            ('one_too_few', [(1, 0b11), (1, 0b11), (1, 0b11)], [0, 1], None),
            ('counts', [(2, 0b111), (1, 0b011)], [0, 1, 2], [[2, 1], [0]]),
        ]
    )
    def test_match(self, _, wishes, order, found):
        """An assignment is found if there is one, of the first units that will do."""
        got = match(wishes, order)
        normal = None if got is None else [sorted(units) for units in got]
        wanted = None if found is None else [sorted(units) for units in found]
        self.assertEqual(normal, wanted)


class Model:
    """Says by trying all assignments whether some resources are enough. It knows no bits."""

    def __init__(self, resources: list[Resource]) -> None:
        self.resources = resources

    def fits(self, part: Part, resource: Resource) -> bool:
        return part.labels is None or part.labels in resource.labels

    def is_right(self, part: Part, chosen: tuple[Resource, ...]) -> bool:
        if part.same is None:
            return True
        return any(
            all(label in resource.labels for resource in chosen)
            for label in {label for r in self.resources for label in r.labels}
            if label.startswith(f'{part.same}-')
        )

    def can(self, parts: Any, resources: list[Resource]) -> bool:
        if not parts:
            return True
        part, *rest = parts
        fitting = [r for r in resources if self.fits(part, r)]
        return any(
            self.is_right(part, chosen)
            and self.can(rest, [r for r in resources if r not in chosen])
            for chosen in combinations(fitting, part.units)
        )

    def usable(self, parts: Any) -> set[str]:
        return {r.name for part, r in product(parts, self.resources) if self.fits(part, r)}


LABELS = ('k', 'l', 'm', 'hw-a', 'hw-c')
A_PART = st.builds(
    Part,
    st.integers(1, 2),
    st.sampled_from([None, *LABELS]),
    st.sampled_from([None, None, 'hw']),
)
A_BOARD = st.sets(st.sampled_from(LABELS))


class History(RuleBasedStateMachine):
    """Owners claim resources of a pool and end, and others are nested in them."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = Pool([])
        self.model = Model([])
        self.number = 0
        self.parts: dict[str, Any] = {}

    def live(self, of: Any = lambda claim: True) -> list[str]:
        claims = self.pool.claims
        return [n for n, c in claims.items() if (c.waiting or c.holds) and of(c)]

    def snapshot(self) -> None:
        self.waited = [c for c in self.pool.claims.values() if c.waiting]

    @precondition(lambda self: not self.model.resources)
    @rule(boards=st.lists(A_BOARD, min_size=1, max_size=5))
    def begin(self, boards):
        resources = [Resource(str(i), sorted(labels)) for i, labels in enumerate(boards)]
        self.model = Model(resources)
        set_resources(self.pool.lock, resources)

    @precondition(lambda self: self.model.resources)
    @rule(
        parts=st.lists(A_PART, min_size=1, max_size=3),
        data=st.data(),
        is_nested=st.booleans(),
        whole=st.integers(0, 9),
        other=st.integers(0, 3),
        priority=st.integers(0, 2),
    )
    def ask(self, parts, data, is_nested, whole, other, priority):
        self.snapshot()
        self.number += 1
        name = str(self.number)
        holders = self.live(lambda claim: claim.holds)
        if is_nested and holders:
            name = f'{data.draw(st.sampled_from(holders))}.{name}'
        outer = name.split('.')[:-1]
        ancestors = ['.'.join(outer[:i]) for i in range(len(outer), 0, -1)]
        lock = self.pool.lock
        wants: list[Any] = [lock.whole if not whole else NamedWant(lock, False, parts)]
        if not other:
            wants.append(self.pool.other.whole)
        is_possible = not whole or self.model.can(parts, self.model.resources)
        try:
            claim = Claim(name, wants, priority, ancestors)
        except ValueError:
            assert not is_possible, 'it could have been met'
            return
        assert is_possible, 'it can never be met'
        self.parts[name] = parts if whole else ALL
        self.pool.claims[name] = claim
        claim.enter()
        self.check_passed()

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def end(self, data):
        self.snapshot()
        self.pool.claims[data.draw(st.sampled_from(self.live()))].end()
        self.check_passed()

    def tops(self) -> dict[str, str | None]:
        """Return for each resource who has it, and nobody nested in it."""
        found: dict[str, str | None] = {r.name: None for r in self.model.resources}
        depth: dict[str, int] = {}
        for name in self.live(lambda claim: claim.holds):
            for resource in self.pool.got(name):
                if found[resource] is None or name.count('.') > depth[resource]:
                    found[resource], depth[resource] = name, name.count('.')
        return found

    def around(self, claim: Claim) -> frozenset[Any]:
        """Return the owners around one that hold resources."""
        return frozenset(a for a in claim.ancestors if a in self.live(lambda c: c.holds))

    def usable(self, claim: Claim) -> set[str]:
        parts = self.parts[claim.owner]
        return {r.name for r in self.model.resources} if parts == ALL else self.model.usable(parts)

    def check_passed(self) -> None:
        """Nobody who came later has got what one could use who waits for nothing else."""
        waiting = [c for c in self.waited if c.waiting and len(c.pools) == 1]
        for claim in [c for c in self.pool.claims.values() if c.holds and c in self.waited]:
            for first in waiting:
                if first.place < claim.place and self.around(first) == self.around(claim):
                    taken = set(self.pool.got(claim.owner))
                    assert not taken & self.usable(first), (first, claim)

    @invariant()
    def nobody_has_what_another_has(self):
        has: dict[str, list[str]] = {}
        for name in self.live(lambda claim: claim.holds):
            for resource in self.pool.got(name):
                has.setdefault(resource, []).append(name)
        for names in has.values():
            ordered = sorted(names, key=lambda name: name.count('.'))
            for outer, inner in zip(ordered, ordered[1:]):
                assert inner.startswith(f'{outer}.'), names

    @invariant()
    def all_have_what_they_asked_for(self):
        by_name = {r.name: r for r in self.model.resources}
        for name in self.live(lambda claim: claim.holds):
            got = [by_name[resource] for resource in self.pool.got(name)]
            parts = self.parts[name]
            if parts == ALL:
                assert len(got) == len(by_name)
                continue
            assert len(got) == sum(part.units for part in parts)
            for part in parts:
                mine, got = got[: part.units], got[part.units :]
                assert all(self.model.fits(part, r) for r in mine)
                assert self.model.is_right(part, tuple(mine))

    @invariant()
    def nobody_waits_who_need_not(self):
        """Whoever would be granted now, if it asked, has been granted."""
        assert not [c for c in self.pool.claims.values() if c.waiting and c.may_be_granted()]

    @invariant()
    def nobody_waits_in_vain(self):
        """The first in line of those that nobody keeps anything from is not left waiting."""
        tops = self.tops()
        waiting = [c for c in self.pool.claims.values() if c.waiting]
        for claim in waiting:
            around = self.around(claim)
            ahead = [
                c
                for c in waiting
                if self.around(c) > around or (self.around(c) == around and c.place < claim.place)
            ]
            kept = {resource for c in ahead for resource in self.usable(c)}
            free = [
                r
                for r in self.model.resources
                if (tops[r.name] is None or tops[r.name] in claim.ancestors) and r.name not in kept
            ]
            if len(claim.pools) > 1 and self.pool.other.held:
                continue
            if len(claim.pools) > 1 and any(len(c.pools) > 1 for c in ahead):
                continue
            parts = self.parts[claim.owner]
            if parts == ALL:
                assert len(free) < len(self.model.resources), claim
            else:
                assert not self.model.can(parts, free), claim

    def teardown(self):
        for claim in list(self.pool.claims.values()):
            claim.end()
        lock = self.pool.lock
        assert not lock.held and not lock.busy and not lock.on_top and not lock.used
        assert lock.free == lock.offered


class Histories(unittest.SynchronousTestCase):
    """Generated histories; ``LOCK_HISTORIES`` says how many."""

    def test_history(self):
        """Whatever is asked and given back, all have what they asked for, and nobody starves."""
        run_state_machine_as_test(
            History,
            settings=settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                derandomize=True,
                stateful_step_count=30,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate, Phase.shrink],
            ),
        )
