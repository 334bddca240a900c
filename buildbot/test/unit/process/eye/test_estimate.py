# SPDX-License-Identifier: GPL-2.0-only
"""When those in line are likely to have their turn, without a master."""

from __future__ import annotations

import random
import time
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from parameterized import parameterized
from twisted.trial import unittest

from buildbot.process.eye.estimate import Duration
from buildbot.process.eye.estimate import Taken
from buildbot.process.eye.estimate import Turns
from buildbot.process.eye.estimate import Wanted
from buildbot.process.eye.estimate import at_quantile
from buildbot.process.eye.estimate import duration
from buildbot.process.eye.estimate import play
from buildbot.process.eye.estimate import rest


def lasts(middle: float) -> Duration:
    return Duration(middle, 3, 4)


class Durations(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('nothing', [], None),
            ('one', [10], (10, 5, 10)),
            ('two', [10, 20], (15, 7.5, 15)),
            ('alike', [10] * 5, (10, 0, 0)),
            ('many', [1, 2, 3, 4, 10], (4, 3, 0)),
            ('one_hung', [1, 2, 3, 4, 10000], (4, 3, 0)),
        ]
    )
    def test_next(self, _: str, lasted: list[float], expected: Any) -> None:
        """The next one lasts about as long as others; with few of them nobody can be sure."""
        self.assertEqual(duration(lasted), expected)

    @parameterized.expand(
        [
            ('nothing', [], 5, None),
            ('just_begun', [10, 20, 30], 0, (20, 10, 10)),
            ('two_are_longer', [10, 20, 30], 15, (5, 2.5, 5)),
            ('longer_than_all', [10, 20, 30], 100, (10, 10, 100)),
        ]
    )
    def test_rest(self, _: str, lasted: list[float], since: float, expected: Any) -> None:
        """What has begun lasts as long as those that were longer than it is now."""
        self.assertEqual(rest(lasted, since), expected)

    @parameterized.expand([(0.2, 1), (0.5, 3), (0.8, 4), (0.95, 5), (1, 5), (0, 1)])
    def test_quantile(self, part: float, expected: float) -> None:
        """A quantile is one of the values."""
        self.assertEqual(at_quantile([1, 2, 3, 4, 5], part), expected)


class Plays(unittest.SynchronousTestCase):
    def turns(self, capacity: Any, taken: list[Any], **lines: list[Any]) -> Any:
        """Return when those who wait have their turn; all is at 100 now."""
        held = [Taken(copy, units, lasts(left)) for copy, units, left in taken]
        waiting = {
            copy: [Wanted(owner, units, lasts(middle)) for owner, units, middle in line]
            for copy, line in lines.items()
        }
        found = dict(play(100, capacity, held, waiting, set()))
        return {owner: turn.at for owner, turn in found.items() if turn is not None}

    @parameterized.expand(
        [
            ('nobody_waits', 1, [(1, 10)], [], {}),
            ('one_after_another', 1, [(1, 10)], [('x', 1, 20), ('y', 1, 30)], {'x': 110, 'y': 130}),
            ('together', 2, [(2, 10)], [('x', 1, 20), ('y', 1, 30)], {'x': 110, 'y': 110}),
            ('first_free', 2, [(1, 10), (1, 5)], [('x', 1, 9), ('y', 1, 1)], {'x': 105, 'y': 110}),
            ('all_of_it', 2, [(1, 10), (1, 5)], [('x', 2, 9), ('y', 1, 1)], {'x': 110, 'y': 119}),
            ('never', 2, [(1, 10)], [('x', 3, 9), ('y', 1, 1)], {}),
            ('waits_for_something_else', 2, [(1, 9)], [('x', 1, 9), ('y', 2, 1)], {'y': 109}),
            ('lowered_limit', 1, [(1, 10), (1, 20)], [('x', 1, 1)], {'x': 120}),
        ]
    )
    def test_one_copy(
        self, _: str, units: int, taken: list[Any], line: list[Any], expected: Any
    ) -> None:
        """The line moves up when units are given back, in order."""
        held = [('c', *each) for each in taken]
        self.assertEqual(self.turns({'c': units}, held, c=line), expected)

    def test_whichever_is_first(self) -> None:
        """Who would have any of several copies has the first, and is in no other one's way."""
        found = self.turns(
            {'a': 1, 'b': 1},
            [('a', 1, 10), ('b', 1, 20)],
            a=[('x', 1, 100), ('y', 1, 100)],
            b=[('x', 1, 100), ('y', 1, 100), ('z', 1, 100)],
        )
        self.assertEqual(found, {'x': 110, 'y': 120, 'z': 220})

    def test_spread(self) -> None:
        """The further behind, the less is known; nothing is earlier than now."""
        line = [Wanted(i, 1, Duration(10, 6, 8)) for i in range(2)]
        found: Any = dict(play(0, {'c': 1}, [Taken('c', 1, Duration(5, 8, 6))], {'c': line}, set()))
        self.assertEqual([tuple(found[i]) for i in range(2)], [(5, 0, 11), (15, 5, 25)])

    @settings(deadline=None, max_examples=200)
    @given(
        st.integers(1, 4),
        st.lists(st.tuples(st.integers(1, 4), st.floats(0, 100)), max_size=4),
        st.lists(st.tuples(st.integers(1, 4), st.floats(0, 100)), max_size=8),
    )
    def test_like_a_line(self, units: int, taken: list[Any], line: list[Any]) -> None:
        """Nobody has a turn before one in front, nor while more is held than there is."""
        taken = [each for each in taken if each[0] <= units]
        while sum(each for each, _ in taken) > units:
            taken.pop()
        asked = [(i, wanted, middle) for i, (wanted, middle) in enumerate(line)]
        found = self.turns({'c': units}, [('c', *each) for each in taken], c=asked)
        at = [found[i] for i in sorted(found)]
        self.assertEqual(at, sorted(at))
        spans = [(100, 100 + left, held) for held, left in taken]
        spans += [(found[i], found[i] + line[i][1], line[i][0]) for i in found]
        for start in at:
            held = sum(each for begin, end, each in spans if begin <= start < end)
            self.assertLessEqual(held, units)

    def test_many(self) -> None:
        """Five thousand in line cost little."""
        rng = random.Random(1)
        line = [Wanted(i, 1, lasts(rng.uniform(1, 9))) for i in range(5000)]
        begin = time.process_time()
        found = dict(play(0, {'c': 3}, [Taken('c', 3, lasts(1))], {'c': line}, set()))
        self.assertLess(time.process_time() - begin, 0.5)
        self.assertEqual(len(found), 5000)

    def asked(self, owners: str, taken: int, asked: list[str]) -> Any:
        """Return what is told of some in a line for two units, and how far it was looked along."""
        looked: list[str] = []

        def line() -> Any:
            for owner in owners:
                looked.append(owner)
                yield Wanted(owner, 1 if owner == 'x' else 2, lasts(10))

        turns = Turns(play(100, {'c': 2}, [Taken('c', taken, lasts(5))], {'c': line()}, set()))
        told = [turns.of(owner) for owner in asked]
        return [turn and turn.at for turn in told], ''.join(looked)

    @parameterized.expand(
        [
            ('first', 'abcdefg', 2, 'a', [105], 'a'),
            ('second', 'abcdefg', 2, 'ab', [105, 115], 'ab'),
            ('in_any_order', 'abcdefg', 2, 'cab', [125, 105, 115], 'abc'),
            ('waits_for_something_else', 'xabcdefg', 1, 'x', [None], 'x'),
            ('behind_that', 'xabcdefg', 1, 'xa', [None, 105], 'xa'),
            ('not_there', 'abc', 2, 'za', [None, 105], 'abc'),
        ]
    )
    def test_no_further(
        self, _: str, owners: str, taken: int, asked: str, at: list[Any], looked: str
    ) -> None:
        """The line is looked along as far as those stand in it who are asked for."""
        self.assertEqual(self.asked(owners, taken, list(asked)), (at, looked))
