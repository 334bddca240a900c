# SPDX-License-Identifier: GPL-2.0-only
"""Which waits can end, whatever ways and needs they have; and what it costs to find that out."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.locking.claim import Claim
from buildbot.locking.deadlock import find_deadlock
from buildbot.locking.fronts import Fronts
from buildbot.locking.pool import Lock
from buildbot.locking.pool import Want


class Seats:
    """A need of one of some seats, which owners hold.

    :param most: how many seats there are.
    :param holders: who sits there.
    :param first: waits that must be over before.
    """

    def __init__(self, most, holders, first=()):
        self.most = most
        self.holders = list(holders)
        self.first = list(first)

    def can_be_met(self, stuck):
        return sum(holder in stuck for holder in self.holders) < self.most

    def held_by(self):
        return self.holders

    def ahead(self, fronts, left):
        return self.first


class Waiting:
    """A wait of one owner; each way is a list of needs, or None for one that is away."""

    waiting = True

    def __init__(self, owner):
        self.owner = owner
        self.all_ways: list[Any] = []

    def __repr__(self):
        return self.owner

    def keeps(self):
        return [self.owner]

    def yields(self):
        return False

    def ways(self, hopeful):
        return [way or [] for way in self.all_ways if hopeful or way is not None]


def waits_in(of, owner):
    return of.get(owner, ())


def stuck_of(waits, hopeful):
    """Return the owners that wait forever, found by trying all of them again and again."""
    left = list(waits)
    while True:
        stuck = {wait.owner for wait in left}
        free = [
            wait
            for wait in left
            if any(
                all(n.can_be_met(stuck) and not set(n.first) & set(left) for n in way)
                for way in wait.ways(hopeful)
            )
        ]
        if not free:
            return stuck
        left = [wait for wait in left if wait not in free]


class Graphs(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('all_ways_are_closed', [['x'], ['y']], 'a x y'),
            ('one_way_is_open', [['x'], ['z']], ''),
            ('one_need_of_two', [['z', 'x']], 'a x'),
            ('nothing_is_needed', [[]], ''),
            ('there_is_no_way', [], 'a'),
        ]
    )
    def test_ways(self, _, ways, knot):
        """x and y wait for a, and z for nobody: whether a waits forever, with these holding."""
        a, x, y = waits = [Waiting(name) for name in 'axy']
        a.all_ways = [[Seats(1, [name]) for name in way] for way in ways]
        x.all_ways = y.all_ways = [[Seats(1, ['a'])]]
        of = {wait.owner: [wait] for wait in waits}
        found = find_deadlock(a, lambda owner: of.get(owner, ()))
        self.assertEqual(' '.join(map(str, found)), knot)

    @parameterized.expand([(seed,) for seed in range(8)])
    def test_any_graph(self, seed):
        """In whatever graph: what is found is what waits forever, of what can be reached."""
        chance = random.Random(seed)
        seen = set()
        for _ in range(150):
            names = 'abcdefg'[: chance.randint(2, 7)]
            waits = [Waiting(name) for name in names]
            for wait in waits:
                for _ in range(chance.choice((0, 1, 1, 1, 2, 3))):
                    needs = [
                        Seats(
                            chance.randint(1, 2),
                            chance.sample(names + 'xyz', chance.randint(0, 2)),
                            chance.sample(waits, chance.choice((0, 0, 0, 1))),
                        )
                        for _ in range(chance.randint(0, 2))
                    ]
                    for need in needs:
                        need.first = [one for one in need.first if one is not wait]
                    wait.all_ways.append(None if chance.random() < 0.1 else needs)
            of: dict[str, Any] = {wait.owner: [wait] for wait in waits}
            for hopeful in (True, False):
                stuck = stuck_of(waits, hopeful)
                for wait in waits:
                    found = find_deadlock(wait, partial(waits_in, of), hopeful)
                    self.assertEqual(bool(found), wait.owner in stuck)
                    self.assertLessEqual({one.owner for one in found}, stuck)
                    self.assertIs(found[0] if found else wait, wait)
                    seen.add(len(found))
        self.assertGreater(len(seen), 3)


class Lines(unittest.SynchronousTestCase):
    """Claims in a long line, behind one another."""

    def line_of(self, length):
        self.lock = Lock(1)
        claims = []
        for number in range(length + 1):
            claims.append(Claim(f'{number}', [Want(self.lock, True, 1)], age=number))
            claims[-1].enter()
        return claims[1:]

    def test_nearest(self):
        """The nearest in front is found of those that are left, as they get fewer."""
        claims = self.line_of(40)
        chance = random.Random(1)
        front, left = Fronts().of(self.lock.alone), dict.fromkeys(claims)
        while left:
            for claim in chance.sample(claims, 5):
                ahead = [other for other in left if other.place < claim.place]
                self.assertIs(front.nearest(claim, left), ahead[-1] if ahead else None)
            del left[chance.choice(list(left))]

    def test_cost(self):
        """To look for a circle from the end of a line costs some steps for each who waits there."""
        looks = []
        can_be_met = Claim.can_be_met

        def count(claim, stuck):
            looks.append(claim)
            return can_be_met(claim, stuck)

        self.patch(Claim, 'can_be_met', count)
        for length in (100, 1000):
            looks.clear()
            self.assertEqual(find_deadlock(self.line_of(length)[-1], lambda owner: ()), [])
            self.assertLessEqual(len(looks), 2 * length)
