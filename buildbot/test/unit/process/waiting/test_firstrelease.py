# SPDX-License-Identifier: GPL-2.0-only
"""The first of some events wakes once."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.process.waiting.firstrelease import FirstRelease
from buildbot.util.subscription import SubscriptionPoint


class Wake(unittest.TestCase):
    @parameterized.expand(
        [
            # what happens: a letter waits for that event and, as a capital, it happens; - forgets
            ('one', 'aA', 1),
            ('first_of_two', 'abBA', 1),
            ('same_twice', 'aaA', 1),
            ('again', 'aAaA', 2),
            ('others', 'aB', 0),
            ('forgotten', 'ab-AB', 0),
            ('forgotten_twice', 'a--A', 0),
        ]
    )
    def test_wake(self, _, events, count):
        """It wakes once for all that was waited for until then."""
        woken: list[Any] = []
        first = FirstRelease(lambda: woken.append(None))
        points = {name: SubscriptionPoint(name) for name in 'ab'}
        subscribe = {name: point.subscribe for name, point in points.items()}
        for event in events:
            if event == '-':
                first.forget()
                self.assertFalse(first.is_awaited)
            elif event.isupper():
                points[event.lower()].deliver()
            else:
                first.wait_for([subscribe[event]])
                self.assertTrue(first.is_awaited)
        self.assertEqual(len(woken), count)
