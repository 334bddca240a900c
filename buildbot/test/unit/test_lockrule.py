# SPDX-License-Identifier: GPL-2.0-only
"""The lock rule: who holds, who asks, who gets it next; and generated histories against a model."""

from __future__ import annotations

import itertools
import os
import random
from typing import Any
from typing import NamedTuple

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
from buildbot.locking.claim import set_capacity
from buildbot.locking.deadlock import find_deadlock
from buildbot.locking.order import Order
from buildbot.locking.pool import Lock
from buildbot.locking.pool import Want
from buildbot.locking.queue import PATIENCE
from buildbot.locking.queue import is_available
from buildbot.locking.queue import place_in_front

ALL = 'all'  # exclusive, in the tables
#: ``LOCK_HISTORIES=100`` looks longer for one that goes wrong, as CI does, or more
EXAMPLES = int(os.environ.get('LOCK_HISTORIES', '30'))


class ToldClaim(Claim):
    """A claim that writes down of which owner it is when it is told something.

    :param granted: the owners that have been told that theirs is granted.
    :param hopeless: those that have been told that theirs is hopeless.
    """

    def __init__(self, granted: list[str], hopeless: list[str], *args: Any) -> None:
        super().__init__(*args)
        self.told_granted, self.told_hopeless = granted, hopeless

    def granted(self) -> None:
        self.told_granted.append(self.owner)

    def hopeless(self, want: Want) -> None:
        self.told_hopeless.append(self.owner)


class Scene:
    """Locks by letter, and owners by name who claim and end.

    An owner ``a.b`` is nested in the owner ``a``.
    """

    def __init__(self, **capacities: int) -> None:
        self.locks = {name: Lock(capacity) for name, capacity in capacities.items()}
        self.claims: dict[str, Claim] = {}
        self.told: list[str] = []
        self.hopeless: list[str] = []

    def ask(self, owner: str, priority: int = 0, age: float | None = None, **wants: Any) -> None:
        outer = owner.split('.')[:-1]
        ancestors = ['.'.join(outer[:i]) for i in range(len(outer), 0, -1)]
        claim = ToldClaim(
            self.told,
            self.hopeless,
            owner,
            [Want(self.locks[k], n == ALL, 1 if n == ALL else n) for k, n in wants.items()],
            priority,
            ancestors,
            age,
        )
        self.claims[owner] = claim
        claim.enter()

    def end(self, *owners: str) -> None:
        for owner in owners:
            self.claims[owner].end()

    def end_patience(self, name: str) -> None:
        """Let claims of a lock alone come and go, until it drains for who waits for others too."""
        for i in range(PATIENCE):
            self.ask(f'{name.lower()}{i}', **{name: 1})
            self.end(f'{name.lower()}{i}')

    def waits_of(self, owner: str) -> list[Claim]:
        waiting = [claim for claim in self.claims.values() if claim.waiting]
        return [c for c in waiting if owner in (c.owner, *c.ancestors)]

    @property
    def holding(self) -> str:
        return ' '.join(sorted(name for name, claim in self.claims.items() if claim.holds))


class Turns(unittest.SynchronousTestCase):
    """Each row: units of the locks, who asks in turn, who holds then; who ends, who holds then."""

    @parameterized.expand(
        [
            ('exclusive', {'L': 1}, [('a', {'L': ALL}), ('b', {'L': ALL})], 'a', ['a'], 'b'),
            (
                'counting',
                {'L': 2},
                [('a', {'L': 1}), ('b', {'L': 1}), ('c', {'L': 1})],
                'a b',
                ['a'],
                'b c',
            ),
            (
                'counting_then_exclusive',
                {'L': 2},
                [('a', {'L': 1}), ('b', {'L': ALL}), ('c', {'L': 1})],
                'a',
                ['a'],
                'b',
            ),
            (
                'large_is_not_overtaken',
                {'L': 10},
                [('a', {'L': 6}), ('b', {'L': 5}), ('c', {'L': 1})],
                'a',
                ['a'],
                'b c',
            ),
            (
                'units_ahead_count_not_heads',
                {'L': 10},
                [('a', {'L': 9}), ('b', {'L': 2}), ('c', {'L': 8})],
                'a',
                ['a'],
                'b c',
            ),
            (
                'cancelled_exclusive_wakes_those_behind',
                {'L': 2},
                [('a', {'L': 1}), ('b', {'L': ALL}), ('c', {'L': 1})],
                'a',
                ['b'],
                'a c',
            ),
            (
                'cancelled_large_wakes_those_behind',
                {'L': 3},
                [('a', {'L': 1}), ('b', {'L': 3}), ('c', {'L': 2})],
                'a',
                ['b'],
                'a c',
            ),
            (
                'priority_first',
                {'L': 1},
                [('a', {'L': 1}), ('b', {'L': 1}), ('c', {'L': 1, 'priority': 9})],
                'a',
                ['a'],
                'c',
            ),
            (
                'a_lock_each_way_round',
                {'A': 1, 'B': 1},
                [('a', {'A': 1, 'B': 1}), ('b', {'B': 1, 'A': 1})],
                'a',
                ['a'],
                'b',
            ),
            (
                'nothing_held_while_waiting',
                {'A': 1, 'B': 1},
                [('a', {'A': 1}), ('b', {'A': 1, 'B': 1}), ('c', {'B': 1})],
                'a c',
                ['a', 'c'],
                'b',
            ),
            (
                'same_locks_are_not_overtaken',
                {'A': 2, 'B': 9},
                [('a', {'A': 1}), ('b', {'A': 2, 'B': 1}), ('c', {'A': 1, 'B': 1})],
                'a',
                ['a'],
                'b',
            ),
            (
                'cancelled_while_waiting_for_the_second',
                {'A': 1, 'B': 1},
                [('a', {'B': 1}), ('b', {'A': 1, 'B': 1}), ('c', {'A': 1})],
                'a c',
                ['b', 'a', 'c'],
                '',
            ),
        ]
    )
    def test_table(self, _, capacities, asked, holding, ended, later):
        """Who holds after these have asked, and who after those have ended."""
        scene = self.play(capacities, asked, holding, ended, later)
        self.assert_all_can_leave(scene, scene.claims)

    @parameterized.expand(
        [
            (
                'child_goes_past_who_waits',
                {'L': 1},
                [('p', {'L': 1}), ('x', {'L': ALL}), ('p.c', {'L': 1})],
                'p p.c',
                ['p.c'],
                'p',
            ),
            (
                'exclusive_in_exclusive',
                {'L': 1},
                [('p', {'L': ALL}), ('p.c', {'L': ALL}), ('p.d', {'L': ALL})],
                'p p.c',
                ['p.c'],
                'p p.d',
            ),
            (
                'siblings_share_the_whole',
                {'L': 3},
                [('p', {'L': ALL}), ('p.c', {'L': 2}), ('p.d', {'L': 2}), ('p.e', {'L': 1})],
                'p p.c',
                ['p.c'],
                'p p.d p.e',
            ),
            (
                'counts_are_counted_once',
                {'L': 3},
                [('p', {'L': 2}), ('p.c', {'L': 2}), ('x', {'L': 1})],
                'p p.c x',
                ['p.c'],
                'p x',
            ),
            (
                'more_than_held_is_taken_from_the_free',
                {'L': 3},
                [('p', {'L': 1}), ('p.c', {'L': 3}), ('x', {'L': 1})],
                'p p.c',
                ['p.c'],
                'p x',
            ),
            (
                'more_than_held_goes_before_outsiders',
                {'L': 2},
                [('p', {'L': 1}), ('x', {'L': 1}), ('p.c', {'L': 2}), ('y', {'L': 1})],
                'p x',
                ['x'],
                'p p.c',
            ),
            (
                'more_than_held_is_kept_from_newcomers',
                {'L': 3},
                [('p', {'L': 1}), ('x', {'L': 1}), ('p.c', {'L': 3}), ('y', {'L': 1})],
                'p x',
                ['x'],
                'p p.c',
            ),
            (
                'exclusive_in_counting_waits_for_outsiders_only',
                {'L': 3},
                [('p', {'L': 1}), ('x', {'L': 1}), ('p.c', {'L': ALL})],
                'p x',
                ['x'],
                'p p.c',
            ),
            (
                'grandchild_in_the_nearest',
                {'L': 2},
                [('p', {'L': ALL}), ('p.c', {'L': 1}), ('p.c.g', {'L': 1}), ('p.d', {'L': 1})],
                'p p.c p.c.g p.d',
                ['p.c'],
                'p p.c.g p.d',
            ),
            (
                'what_is_left_by_the_parent_stays',
                {'L': 1},
                [('p', {'L': ALL}), ('p.c', {'L': 1}), ('x', {'L': 1}), ('p.d', {'L': 1})],
                'p p.c',
                ['p'],
                'p.c',
            ),
            (
                'who_waited_in_the_parent_waits_outside',
                {'L': 1},
                [('p', {'L': ALL}), ('p.c', {'L': 1}), ('x', {'L': 1}), ('p.d', {'L': 1})],
                'p p.c',
                ['p', 'p.c', 'x'],
                'p.d',
            ),
        ]
    )
    def test_tree(self, _, capacities, asked, holding, ended, later):
        """What is nested in a holder takes of what that holds, and excludes its siblings there."""
        scene = self.play(capacities, asked, holding, ended, later)
        self.assert_all_can_leave(scene, reversed(scene.claims))

    def play(self, capacities, asked, holding, ended, later):
        scene = Scene(**capacities)
        for owner, wants in asked:
            scene.ask(owner, **wants)
        self.assertEqual(scene.holding, holding)
        scene.end(*ended)
        self.assertEqual(scene.holding, later)
        return scene

    def assert_all_can_leave(self, scene, order):
        scene.end(*order)
        for lock in scene.locks.values():
            self.assertEqual((lock.used, lock.held_whole, lock.held), (0, False, {}))
            self.assertEqual((lock.holdings, lock.busy), ({}, {}))

    def test_told_once_and_only_if_granted(self):
        """Who waits is told once, when it holds; who need not wait, or cancels, is not told."""
        scene = Scene(L=1)
        for owner in 'abc':
            scene.ask(owner, L=1)
        scene.end('b', 'b', 'a', 'a')
        self.assertEqual(scene.told, ['c'])

    def test_patience(self):
        """Who waits for two locks lets others use the free one so often, and then it drains."""
        scene = Scene(A=1, B=1)
        scene.ask('holds_b', B=1)
        scene.ask('both', A=1, B=1)
        for i in range(PATIENCE):
            scene.ask(f'a{i}', A=1)
            self.assertEqual(scene.holding, f'a{i} holds_b')
            scene.end(f'a{i}')
        scene.ask('late', A=1)
        self.assertEqual(scene.holding, 'holds_b')
        scene.end('holds_b')
        self.assertEqual(scene.holding, 'both')
        scene.end('both')
        self.assertEqual(scene.holding, 'late')

    def test_behind_all_that_came_before(self):
        """Who has no age is behind a claim that is younger than one of another of its locks."""
        scene = Scene(A=1, B=1)
        scene.ask('young', age=9.0, B=1)
        scene.ask('holds_a', age=1.0, A=1)
        scene.ask('both', age=5.0, A=1, B=1)
        scene.ask('late', A=1)
        scene.end('young', 'holds_a')
        self.assertEqual(scene.holding, 'both')

    def test_cancelled_drain_lets_others_go(self):
        """When the claim for which a lock drains is cancelled, those it kept waiting go on."""
        scene = Scene(A=1, B=1)
        scene.ask('holds_b', B=1)
        scene.ask('both', A=1, B=1)
        scene.end_patience('A')
        scene.ask('late', A=1)
        scene.end('both')
        self.assertEqual(scene.holding, 'holds_b late')

    @parameterized.expand([('ended', Claim.end), ('patient_again', Claim.be_patient)])
    def test_drains_no_more(self, _, stop):
        """A lock drains no longer than while somebody waits for it who has no patience."""
        scene = Scene(A=1, B=1)
        scene.ask('holds_b', B=1)
        scene.ask('both', A=1, B=1)
        scene.end_patience('A')
        stop(scene.claims['both'])
        scene.ask('both_too', A=1, B=1)
        scene.ask('late', A=1)
        self.assertEqual(scene.holding, 'holds_b late')

    @parameterized.expand(
        [
            ('nobody', [], 'top b c d'),
            ('to_front', [('c', 1)], 'c top b d'),
            ('last_moved_is_first', [('c', 1), ('d', 2)], 'd c top b'),
            ('back', [('c', 1), ('c', None)], 'top b c d'),
            ('again', [('d', 1), ('c', 2), ('d', 3)], 'd c top b'),
            ('again_and_back', [('d', 1), ('d', 2), ('d', None)], 'top b c d'),
        ]
    )
    def test_moved(self, _, moves, order):
        """Who is moved goes first, the last one moved before all; and has its own place again."""
        scene = Scene(L=1)
        for name in 'abcd':
            scene.ask(name, L=1)
        for name, at in moves:
            own = scene.claims[name].place_of_its_own
            scene.claims[name].stand_at(own if at is None else place_in_front(at, own))
        scene.ask('top', priority=5, L=1)
        scene.end('a')
        for name in order.split():
            self.assertEqual(scene.holding, name)
            scene.end(name)

    def test_moved_is_granted(self):
        """Who is moved in front of one that waits for another lock too, has a free one at once."""
        scene = Scene(A=1, B=1)
        scene.ask('holds_b', B=1)
        scene.ask('both', A=1, B=1)
        scene.end_patience('A')
        scene.ask('late', A=1)
        self.assertEqual(scene.holding, 'holds_b')
        late = scene.claims['late']
        late.stand_at(place_in_front(1, late.place))
        self.assertEqual((scene.holding, scene.told), ('holds_b late', ['late']))

    def test_moved_away_lets_others_go(self):
        """When one who drains a lock is moved back, who was kept waiting for its sake goes on."""
        scene = Scene(A=1, B=1)
        scene.ask('holds_b', B=1)
        scene.ask('first', A=1, B=1)
        scene.ask('holds_a', A=1)
        both = scene.claims['first']
        scene.ask('late', A=1)
        both.passed = PATIENCE
        both.stand_at(place_in_front(1, both.place))
        scene.end('holds_a')
        self.assertEqual(scene.holding, 'holds_b')
        scene.claims['late'].stand_at(place_in_front(2, scene.claims['late'].place))
        self.assertEqual(scene.holding, 'holds_b late')

    def test_next_in_one_of_several_lines(self):
        """Of all lines at a lock, who is behind one that has left its line is not forgotten."""
        scene = Scene(A=1, B=9, C=9)
        scene.ask('holds', A=1)
        scene.ask('one', A=1, B=1)
        scene.ask('two', A=1, C=1)
        scene.ask('behind', A=1, C=1)
        scene.end('two', 'holds', 'one')
        self.assertEqual(scene.holding, 'behind')

    def test_one_of_a_choice_drains(self):
        """A claim goes past those that another one of the same choice keeps out by draining."""
        scene = Scene(A=1, B=1, C=1)
        scene.ask('a', A=1)
        scene.ask('b', B=1, C=1)
        of = {name: lock.whole for name, lock in scene.locks.items()}
        drains = Claim('r', [of['A'], of['B']], choice='r')
        other = Claim('o', [of['A'], of['C']])
        alone = Claim('r', [of['A']], choice='r')
        for claim in (drains, other, alone):
            claim.enter()
        for _ in range(PATIENCE):
            drains.be_passed()
        scene.end('a')
        held = (drains.holds, other.holds, alone.holds)
        self.assertEqual(held, (False, False, True))

    def test_several_right_before_one(self):
        """Of those that get their places right before one, who came first goes first."""
        scene = Scene(L=1)
        scene.ask('holds', L=1)
        scene.ask('other', L=1)
        for owner in ('first', 'second'):
            claim = scene.claims[owner] = Claim(owner, [Want(scene.locks['L'], False, 1)])
            claim.be_before(scene.claims['other'])
            claim.enter()
        scene.end('holds')
        self.assertEqual(scene.holding, 'first')
        scene.end('first')
        self.assertEqual(scene.holding, 'second')
        scene.end('second')
        self.assertEqual(scene.holding, 'other')

    def test_right_before_one_that_did_so(self):
        """Whoever gets the place right before such a claim does not come before anyone else."""
        scene = Scene(L=1, M=1)
        scene.ask('holds', L=1)
        scene.ask('other', L=1, M=1)
        scene.ask('last', L=1)
        behind = scene.claims['last']
        for owner in ('third', 'second', 'first'):
            claim = scene.claims[owner] = Claim(owner, [Want(scene.locks['L'], False, 1)])
            claim.be_before(behind)
            claim.enter()
            behind = claim
        granted = []
        for _ in range(5):
            (holder,) = scene.holding.split()
            scene.end(holder)
            granted.append(scene.holding)
        self.assertEqual(granted, ['other', 'first', 'second', 'third', 'last'])

    def test_granted_drain_lets_others_go(self):
        """When the claim for which a lock drains is granted, those it kept waiting go on."""
        scene = Scene(A=1, B=2)
        scene.ask('holds_a', A=1)
        scene.ask('both', A=1, B=1)
        scene.end_patience('B')
        scene.ask('late', B=1)
        self.assertEqual(scene.holding, 'holds_a')
        scene.end('holds_a')
        self.assertEqual(scene.holding, 'both late')

    def test_first_of_several_lines(self):
        """Of all lines at a lock, however they came up and went, the first in one goes first."""
        scene = Scene(A=1, B=9, C=9)
        scene.ask('holds', A=1)
        scene.ask('one', A=1, B=1)
        scene.ask('two', A=1, C=1)
        scene.ask('three', A=1)
        scene.ask('early', A=1, C=1, priority=1)
        scene.end('holds', 'one')
        scene.ask('four', A=1, B=1)
        scene.end('early', 'two', 'three', 'four')
        self.assertEqual(scene.told, ['early', 'two', 'three', 'four'])

    @parameterized.expand(
        [
            ('raised', 1, 3, 'a b c', []),
            ('lowered_below_holders', 2, 1, 'a b', []),
        ]
    )
    def test_capacity(self, _, before, after, holding, hopeless):
        """A raised limit grants at once; a lowered one drains."""
        scene = Scene(L=before)
        for owner in 'abcd':
            scene.ask(owner, L=1)
        set_capacity(scene.locks['L'], after)
        self.assertEqual((scene.hopeless, scene.holding), (hopeless, holding))

    def test_lowered_below_a_waiter(self):
        """Who can never be granted under a lowered limit is cancelled, and blocks nobody."""
        scene = Scene(L=3)
        scene.ask('a', L=1)
        scene.ask('b', L=3)
        scene.ask('c', L=1)
        set_capacity(scene.locks['L'], 2)
        self.assertEqual((scene.hopeless, scene.holding), (['b'], 'a c'))

    def test_what_is_around_goes(self):
        """Who waits inside a holding for more than there is outside of it is told when it goes."""
        scene = Scene(L=3)
        scene.ask('a', L=3)
        scene.ask('a.b', L=2)
        scene.ask('a.c', L=2)
        set_capacity(scene.locks['L'], 1)
        self.assertEqual(scene.hopeless, [])
        scene.ask('d', L=1)
        scene.end('a')
        self.assertEqual((scene.hopeless, scene.claims['a.c'].waiting), (['a.c'], False))
        scene.end('a.b')
        self.assertEqual(scene.holding, 'd')

    def test_lowered_below_what_is_around(self):
        """Who waits two holdings deep may have what the outer one has, as long as that is there."""
        scene = Scene(L=5)
        scene.ask('a', L=5)
        scene.ask('a.b', L=2)
        scene.ask('a.c', L=2)
        scene.ask('a.b.d', L=4)
        set_capacity(scene.locks['L'], 1)
        scene.ask('a.b.e', L=4)
        self.assertEqual((scene.hopeless, scene.holding), ([], 'a a.b a.c'))
        scene.end('a.c')
        self.assertEqual(scene.holding, 'a a.b a.b.d')
        scene.end('a')
        self.assertEqual((scene.hopeless, scene.holding), (['a.b.e'], 'a.b a.b.d'))

    @parameterized.expand(
        [
            ('twice', [1, 1], 'a lock is named twice'),
            ('too_many', [3], 'more units are wanted than there are'),
            ('none', [0], 'more units are wanted than there are'),
        ]
    )
    def test_bad_claim(self, _, units, sentence):
        """A claim that can never be granted is refused when it is made."""
        lock = Lock(2)
        wants = [Want(lock, False, n) for n in units]
        error = self.assertRaises(ValueError, Claim, 'a', wants)
        self.assertEqual(str(error), sentence)

    def test_available(self):
        """A lock is available to who would get it at once, by its place in line."""
        scene = Scene(L=2)
        lock = scene.locks['L']
        one, two = Want(lock, False, 1), Want(lock, False, 2)
        self.assertTrue(is_available(lock.whole))
        scene.ask('a', L=1)
        self.assertEqual((is_available(one), is_available(two)), (True, False))
        scene.ask('b', L=2)
        self.assertFalse(is_available(one))
        self.assertTrue(is_available(one, priority=5))
        self.assertTrue(is_available(one, ['a']))

    def test_nothing_is_left(self):
        """Ten thousand waiters that come and go leave nothing in the lock."""
        scene = Scene(L=1)
        scene.ask('a', L=1)
        for i in range(10_000):
            scene.ask(f'w{i}', L=1)
        scene.end(*(f'w{i}' for i in range(10_000)))
        lock = scene.locks['L']
        self.assertEqual((lock.lines, lock.heads, lock.busy), ({}, {}, {}))


class Entry:
    def __init__(self, number: int) -> None:
        # some have a fourth part, as those that a person has moved
        self.place = (number // 20, 0.0, number, (0, 0.0, -number))[: 3 + number % 2]


class Orders(unittest.SynchronousTestCase):
    def test_first(self):
        """The first is the lowest of those that are in it, in whatever order they come and go."""
        chance = random.Random(1)
        order = Order()
        entries = [Entry(number) for number in range(60)]
        inside: set[Any] = set()
        for _ in range(5000):
            entry = chance.choice(entries)
            if entry in inside:
                order.discard(entry)
                inside.remove(entry)
            else:
                order.add(entry)
                inside.add(entry)
            self.assertIs(order.first(), min(inside, key=lambda e: e.place, default=None))
            self.assertEqual(set(order), inside)

    def test_those_who_have_gone_are_forgotten(self):
        """It never keeps many more than twice as many as are in it."""
        order = Order(Entry(number) for number in range(1000))
        for entry in list(order)[1:]:
            order.discard(entry)
            self.assertLessEqual(len(order._heap), 2 * len(order) + 16)


class Deadlocks(unittest.SynchronousTestCase):
    """Each row: units of the locks, who asks in turn; who is in the circle that the last closes."""

    @parameterized.expand(
        [
            ('nobody_waits', {'A': 1}, [('a', {'A': 1})], ''),
            ('no_circle', {'A': 1}, [('a', {'A': 1}), ('b', {'A': 1})], ''),
            (
                'two',
                {'A': 1, 'B': 1},
                [('a', {'A': 1}), ('b', {'B': 1}), ('a.s', {'B': 1}), ('b.s', {'A': 1})],
                'a.s b.s',
            ),
            (
                'three',
                {'A': 1, 'B': 1, 'C': 1},
                [
                    ('a', {'A': 1}),
                    ('b', {'B': 1}),
                    ('c', {'C': 1}),
                    ('a.s', {'B': 1}),
                    ('b.s', {'C': 1}),
                    ('c.s', {'A': 1}),
                ],
                'a.s b.s c.s',
            ),
            (
                'another_unit_will_come_free',
                {'A': 2, 'B': 1},
                [
                    ('a', {'A': 1}),
                    ('x', {'A': 1}),
                    ('b', {'B': 1}),
                    ('a.s', {'B': 1}),
                    ('b.s', {'A': 1}),
                ],
                '',
            ),
            (
                'no_other_unit_will_come_free',
                {'A': 2, 'B': 1},
                [('a', {'A': 2}), ('b', {'B': 1}), ('a.s', {'B': 1}), ('b.s', {'A': 1})],
                'a.s b.s',
            ),
            (
                'both_want_all_of_what_both_hold',
                {'A': 2},
                [('a', {'A': 1}), ('b', {'A': 1}), ('a.s', {'A': ALL}), ('b.s', {'A': ALL})],
                'a.s b.s',
            ),
            (
                'both_want_a_unit_more',
                {'A': 3},
                [
                    ('a', {'A': 1}),
                    ('b', {'A': 1}),
                    ('x', {'A': 1}),
                    ('a.s', {'A': 2}),
                    ('b.s', {'A': 2}),
                ],
                '',
            ),
            (
                'behind_who_waits_for_all',
                {'A': 3, 'B': 1},
                [
                    ('y', {'A': 1}),
                    ('z', {'B': 1}),
                    ('x', {'A': ALL}),
                    ('z.s', {'A': 1}),
                    ('y.s', {'B': 1}),
                ],
                'x y.s z.s',
            ),
            (
                'behind_who_needs_more_inside',
                {'A': 3, 'B': 1},
                [
                    ('p', {'A': 1}),
                    ('y', {'A': 1}),
                    ('z', {'B': 1}),
                    ('p.s', {'A': ALL}),
                    ('z.s', {'A': 1}),
                    ('y.s', {'B': 1}),
                ],
                'p.s y.s z.s',
            ),
            (
                'behind_who_needs_more_inside_for_now',
                {'A': 3, 'B': 1},
                [
                    ('q', {'A': 1}),
                    ('a', {'A': 1}),
                    ('a.c', {'A': 1}),
                    ('x', {'B': 1}),
                    ('a.b', {'A': 2, 'B': 1}),
                    ('x.s', {'A': 2}),
                ],
                '',
            ),
            (
                'siblings_in_one_holding',
                {'A': 1},
                [('a', {'A': ALL}), ('a.s', {'A': ALL}), ('a.t', {'A': ALL})],
                '',
            ),
            (
                'through_a_child',
                {'A': 1, 'B': 1},
                [('a', {'A': 1}), ('b', {'B': 1}), ('a.t.c.s', {'B': 1}), ('b.s', {'A': 1})],
                'a.t.c.s b.s',
            ),
        ]
    )
    def test_table(self, _, capacities, asked, circle):
        """Those who wait for one another forever are found when the last of them begins to."""
        scene = Scene(**capacities)
        found = []
        for owner, wants in asked:
            scene.ask(owner, **wants)
            found = find_deadlock(scene.claims[owner], scene.waits_of)
            if owner != asked[-1][0]:
                self.assertEqual(found, [])
        self.assertEqual(' '.join(sorted(c.owner for c in found)), circle)
        if circle:
            self.assertIs(found[0], scene.claims[asked[-1][0]])

    @parameterized.expand(
        [
            ('of_one_holder', {'A': 2}, ['a'], {'A': 2, 'B': 1}),
            ('of_one_holder_less', {'A': 2}, ['a'], {'A': 1, 'B': 1}),
            ('of_several', {'A': 1}, ['a', 'b'], {'A': 1, 'B': 1}),
        ]
    )
    def test_fewer_units(self, _, held, owners, wanted):
        """What is held around a claim does for it, even if there are fewer units now."""
        scene = Scene(A=2, B=1)
        scene.ask('x', B=1)
        for owner in owners:
            scene.ask(owner, **held)
            scene.ask(f'{owner}.s', **wanted)
        set_capacity(scene.locks['A'], 1)
        found = [find_deadlock(scene.claims[f'{o}.s'], scene.waits_of) for o in owners]
        self.assertEqual(found, [[] for _ in owners])
        scene.end('x')
        self.assertIn('a.s', scene.holding)


class Histories(RuleBasedStateMachine):
    """Any history, against a model that counts everything anew after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.locks = [Lock(1), Lock(2), Lock(4)]
        self.claims: list[Claim] = []
        self.hopeless: list[str] = []  # owners that have been told
        self.numbers = itertools.count()
        self.now = itertools.count()
        self.allowed: dict[Claim, int] = {}  # how often each may be overtaken
        self.overtaken: dict[Claim, int] = {}
        self.used_before = dict.fromkeys(self.locks, 0)

    # -- what happens ---------------------------------------------------------------------------

    @rule(
        data=st.data(),
        priority=st.integers(0, 2),
        nest=st.integers(0, 3),
        wait=st.booleans(),
        age=st.none() | st.integers(0, 9),
    )
    def ask(self, data, priority, nest, wait, age):
        holders = [c for c in self.claims if c.holds]
        outer = data.draw(st.sampled_from(holders)) if nest and holders else None
        ancestors = [outer.owner, *outer.ancestors] if outer else []
        locks = data.draw(st.lists(st.sampled_from(self.locks), min_size=1, unique=True))
        wants = [
            Want(lock, data.draw(st.booleans()), data.draw(st.integers(1, max(1, lock.capacity))))
            for lock in locks
            if lock.capacity
        ]
        if not wants:
            return
        owner = f'o{next(self.numbers)}'
        claim = ToldClaim([], self.hopeless, owner, wants, priority, ancestors, age)
        self.claims.append(claim)
        waiting = [c for c in self.claims if c.waiting]
        before = [c for c in waiting if c.place[0] == claim.place[0] and shared(c, claim)]
        assert age is not None or all(c.place < claim.place for c in before), 'not behind'
        claim.enter(wait or nest > 0)
        if claim.waiting:
            ahead = [c for c in waiting if c.place < claim.place and shared(c, claim)]
            self.allowed[claim] = PATIENCE * (1 + len(ahead)) if len(wants) > 1 else 0
            self.overtaken[claim] = 0
        for other in waiting:
            # one that comes later with a higher priority may have its own patience, too
            if (
                claim.waiting
                and other.waiting
                and claim.place < other.place
                and shared(claim, other)
            ):
                self.allowed[other] += PATIENCE if len(other.wants) > 1 else 0
        if claim.holds:
            self.count([claim], waiting)

    @precondition(lambda self: self.claims)
    @rule(data=st.data())
    def end(self, data):
        claim = data.draw(st.sampled_from(self.claims))
        self.changing(claim.end)
        assert not claim.holds and not claim.waiting

    @rule(data=st.data(), capacity=st.integers(0, 5))
    def change_limit(self, data, capacity):
        lock = data.draw(st.sampled_from(self.locks))
        over = [c for c in self.claims if c.waiting and wants_more(c, lock, capacity, self.claims)]
        self.hopeless.clear()
        self.changing(lambda: set_capacity(lock, capacity))
        assert capacity == 5 or set(self.hopeless) == {claim.owner for claim in over}

    @precondition(lambda self: any(c.waiting for c in self.claims))
    @rule(data=st.data(), back=st.booleans())
    def move(self, data, back):
        claim = data.draw(st.sampled_from([c for c in self.claims if c.waiting]))
        own = claim.place_of_its_own
        self.changing(lambda: claim.stand_at(own if back else place_in_front(next(self.now), own)))
        assert claim.place_of_its_own == own
        for other in self.claims:
            if other.waiting and len(other.wants) > 1:
                # to be moved, and to have others moved in front, is overtaking of another kind
                self.allowed[other] += PATIENCE * len(self.claims)

    def changing(self, change):
        waiting = [c for c in self.claims if c.waiting]
        change()
        self.count([c for c in waiting if c.holds], [c for c in waiting if not c.holds])

    def count(self, granted, waiting):
        for claim in granted:
            for other in waiting:
                if other.waiting and other.place < claim.place and shared(claim, other):
                    self.overtaken[other] += 1

    # -- what always holds ----------------------------------------------------------------------

    @invariant()
    def within_capacity(self):
        for lock in self.locks:
            holders = holders_of(lock, self.claims)
            assert alone_if_exclusive(holders), 'exclusive, but not alone'
            # a limit that was lowered under its holders is above capacity, but nothing is added
            used = units_in_use(holders)
            assert used <= max(lock.capacity, self.used_before[lock]), 'over capacity'
            self.used_before[lock] = used

    @invariant()
    def numbers_are_what_the_claims_say(self):
        for lock in self.locks:
            holders = holders_of(lock, self.claims)
            outer = [h for h in holders if None in outwards(h.claim, holders)]
            assert lock.used == units_in_use(outer), 'used'
            assert lock.held_whole == any(h.exclusive for h in holders), 'whole'
            owners = {o for o, held in lock.held.items() if held}
            assert owners == {h.claim.owner for h in holders}, 'held by the dead'

    @invariant()
    def nobody_waits_who_could_go(self):
        for claim in self.claims:
            if claim.waiting:
                assert not could_go(claim, self.claims), f'{claim.owner} waits'

    @invariant()
    def nobody_waits_in_vain(self):
        for claim in self.claims:
            for lock in self.locks if claim.waiting else ():
                assert not wants_more(claim, lock, lock.capacity, self.claims), 'hopeless'

    @invariant()
    def overtaking_is_bounded(self):
        for claim, times in self.overtaken.items():
            assert times <= self.allowed[claim], f'{claim.owner} was overtaken {times} times'

    def teardown(self):
        for claim in self.claims:
            claim.end()
        for lock in self.locks:
            assert (lock.used, lock.held_whole) == (0, False), 'units are lost'
            assert not (lock.holdings or lock.held or lock.busy or lock.lines)


# The rule, said of claims and of who is nested in whom. It knows no pool, and counts nothing up.


class Holder(NamedTuple):
    """A claim that holds a lock, and how."""

    claim: Claim
    exclusive: bool
    units: int

    def is_around(self, claim: Claim) -> bool:
        return self.claim.owner in claim.ancestors


def holders_of(lock: Lock, claims: list[Claim]) -> list[Holder]:
    return [
        Holder(claim, want.exclusive, want.units)
        for claim in claims
        if claim.holds
        for want in claim.wants
        if want.lock is lock
    ]


def is_nested(one: Holder, other: Holder) -> bool:
    return one.is_around(other.claim) or other.is_around(one.claim)


def alone_if_exclusive(holders: list[Holder]) -> bool:
    """Who has all of a lock shares it only with what it is nested in or what is nested in it."""
    pairs = itertools.combinations(holders, 2)
    return all(is_nested(a, b) for a, b in pairs if a.exclusive or b.exclusive)


def units_in_use(holders: list[Holder]) -> int:
    """The most units that holders have together none of which is nested in another of them.

    Only those that are nested share units, so these are all different ones, and, by Dilworth's
    theorem, no more are needed.
    """
    if not holders:
        return 0
    first, *others = holders
    apart = [other for other in others if not is_nested(first, other)]
    units = 0 if first.exclusive else first.units
    return max(units_in_use(others), units + units_in_use(apart))


def outwards(claim: Claim, holders: list[Holder]) -> list[Holder | None]:
    """Whose units a claim may have, from the inside out; None are those that nobody holds.

    Who has all of a lock gives all of it to what is nested in it, so there is nothing outside.
    """
    found: list[Holder | None] = []
    for owner in claim.ancestors:
        for holder in holders:
            if holder.claim.owner == owner:
                found.append(holder)
                if holder.exclusive:
                    return found
    return [*found, None]


def fits(claim: Claim, want: Want, claims: list[Claim]) -> bool:
    holders = holders_of(want.lock, claims)
    outermost = outwards(claim, holders)[-1]
    if outermost is not None:
        holders = [h for h in holders if outermost.is_around(h.claim)]
    more = [*holders, Holder(claim, want.exclusive, want.units)]
    # a holder keeps what it has when the limit is lowered, and so does what is nested in it
    most = max(want.lock.capacity, units_in_use(holders))
    return alone_if_exclusive(more) and units_in_use(more) <= most


def shared(one: Claim, other: Claim) -> bool:
    return bool(set(one.pools) & set(other.pools))


def wants_more(claim: Claim, lock: Lock, capacity: int, claims: list[Claim]) -> bool:
    for want in claim.wants:
        if want.lock is lock and not want.exclusive and want.units > capacity:
            # what was held around it when there were more units still has them
            around = outwards(claim, holders_of(lock, claims))
            return all(h is None or h.exclusive or want.units > h.units for h in around)
    return False


def goes_first(other: Claim, claim: Claim, lock: Lock, claims: list[Claim]) -> bool:
    """Whether one of two claims that wait for a lock has to be granted before the other."""
    holders = holders_of(lock, claims)
    ours, theirs = outwards(claim, holders), outwards(other, holders)
    if ours[0] is theirs[0]:
        may_be_passed = len(other.wants) > 1 and set(other.pools) != set(claim.pools)
        is_patient = may_be_passed and other.passed < PATIENCE
        return other.place < claim.place and not is_patient
    # nested in a holder, it needs what is free here
    want = next(want for want in other.wants if want.lock is lock)
    return ours[0] in theirs and not fits(other, want, claims)


def could_go(claim: Claim, claims: list[Claim]) -> bool:
    waiting = [other for other in claims if other.waiting and other is not claim]
    return all(fits(claim, want, claims) for want in claim.wants) and not any(
        goes_first(other, claim, want.lock, claims)
        for want in claim.wants
        for other in waiting
        if want.lock in [w.lock for w in other.wants]
    )


class AnyHistory(unittest.SynchronousTestCase):
    def test_histories(self):
        """In no history is a lock over capacity, a wake-up lost, or somebody overtaken forever."""
        run_state_machine_as_test(
            Histories,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=40,
                deadline=None,
                database=None,
                phases=[Phase.generate],  # to shrink what was found can take minutes: add it then
                print_blob=True,
                suppress_health_check=list(HealthCheck),
            ),
        )
