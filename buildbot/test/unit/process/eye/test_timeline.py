# SPDX-License-Identifier: GPL-2.0-only
"""Time lines, costs and how long locks were held, without a master."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from parameterized import parameterized
from twisted.trial import unittest

from buildbot.db.lockuses import Span
from buildbot.process.eye.costs import costs_of
from buildbot.process.eye.holds import Holds
from buildbot.process.eye.timeline import POINTS
from buildbot.process.eye.timeline import timeline
from buildbot.process.eye.use import Use
from buildbot.process.lockfacts import Facts

TIMES = st.floats(-500, 1500)


class Timeline(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('whole', Span(None, 0, 1200, 3), {0: 3, 60: 3, 119: 3}, {60: 0}),
            ('longer', Span(None, -99, 9999, 1), {0: 1, 119: 1}, {}),
            ('half_an_interval', Span(None, 605, 610, 2), {59: 0, 60: 1, 61: 0}, {}),
            ('at_the_end', Span(None, 1195, 1200, 2), {118: 0, 119: 1}, {}),
            ('waited', Span(0, 600, 1200, 1), {59: 0, 60: 1}, {59: 1, 60: 0}),
            ('never_got', Span(0, None, 600, 0), {0: 0}, {0: 1, 60: 0}),
            ('nested', Span(0, 600, 1200, 0), {60: 0}, {0: 1}),
            ('before', Span(-20, -10, -1, 1), {0: 0}, {0: 0}),
        ]
    )
    def test_one_use(self, _: str, span: Span, used: Any, waiting: Any) -> None:
        """A use counts for the time in which it was one."""
        points = timeline(0, 1200, [span])
        self.assertEqual({i: points[i]['used'] for i in used}, used)
        self.assertEqual({i: points[i]['waiting'] for i in waiting}, waiting)

    @settings(deadline=None, max_examples=100)
    @given(st.lists(st.tuples(st.lists(TIMES, min_size=3, max_size=3), st.integers(1, 9))))
    def test_nothing_is_lost(self, found: list[Any]) -> None:
        """The points add up to all that was waited and held in that time."""
        ordered = [(*sorted(times), units) for times, units in found]
        spans = [Span(since, got, until, units) for since, got, until, units in ordered]

        def inside(begin: Any, end: Any) -> Any:
            return max(0, min(end, 1000) - max(begin, 0))

        points = timeline(0, 1000, spans)
        used = sum(point['used'] for point in points) * 1000 / POINTS
        waiting = sum(point['waiting'] for point in points) * 1000 / POINTS
        held = sum(inside(span.held_since, span.until) * span.units for span in spans)
        waited = sum(inside(span.waiting_since, span.held_since) for span in spans)
        self.assertLess(abs(used - held), 1)  # the points are rounded
        self.assertLess(abs(waiting - waited), 1)


class Costs(unittest.SynchronousTestCase):
    def test_by_lock_and_builder(self) -> None:
        """Waits in vain count as waits, nested holds as none, and the longest waits are first.

        A lock that was added or deleted meanwhile has no name, and is left out.
        """
        rows = [
            (1, 7, None, 0, 10, 0),
            (1, 7, 0, 30, 40, 0),
            (1, 8, 0, None, 100, 0),
            (1, 8, None, 5, 95, 1),
            (2, None, None, 1, 2, 0),
            (3, 7, None, 1, 2, 0),
        ]
        found = costs_of(rows, {1: 'L', 2: 'M'}, {7: 'a'})
        names = ('lock', 'builder', 'waits', 'waited', 'holds', 'held', 'hold_p95')
        self.assertEqual(
            [tuple(row[name] for name in names) for row in found],
            [
                ('L', None, 1, 100, 0, 0, 0),
                ('L', 'a', 1, 30, 2, 20, 10),
                ('M', None, 0, 0, 1, 1, 1),
            ],
        )


class HeldLately(unittest.SynchronousTestCase):
    def setUp(self) -> None:
        self.holds = Holds()

    def learn(self, *seconds: float, builder: str = 'a', **words: Any) -> None:
        words = {'result': 'released', 'nested': False, 'held_since': 0, **words}
        for each in seconds:
            owner = Facts('step', builder, path='s')
            self.holds.learn(Use('L', 'L', owner, 'a #1 / s', 'exclusive', 1, until=each, **words))

    def test_of_kind(self) -> None:
        """Holds of the same builder and step tell most, then those of the same lock."""
        self.learn(3, 1, 2)
        self.learn(100, 200, builder='b')
        self.assertEqual(self.holds.lasted('L', 'a', 's'), [1, 2, 3])
        self.assertEqual(self.holds.lasted('L', 'b', 's'), [1, 2, 3, 100, 200])
        self.assertEqual(self.holds.lasted('M', 'a', 's'), [])

    def test_what_says_nothing(self) -> None:
        """What was lost, shared or never had says nothing of how long a hold lasts."""
        self.learn(1, result='lost')
        self.learn(1, result='left', held_since=None)
        self.learn(1, nested=True)
        self.assertEqual(self.holds.lasted('L', 'a', 's'), [])

    def test_bounds(self) -> None:
        """The last fifty of each kind are kept, and there is an end of the kinds."""
        self.holds.kinds = 3
        self.learn(*range(100))
        self.assertEqual(self.holds.lasted('L', 'a', 's'), list(range(50, 100)))
        for name in 'bcdefg':
            self.learn(1000, builder=name)
        self.assertLessEqual(len(self.holds._lasted), 3)
        self.assertIn(1000, self.holds.lasted('L', 'g', 's'))
