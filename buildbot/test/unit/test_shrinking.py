# SPDX-License-Identifier: GPL-2.0-only
"""How a history that fails is made shorter."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from parameterized import parameterized
from twisted.trial import unittest

from buildbot.test.util.storm.history import History
from buildbot.test.util.storm.history import draw
from buildbot.test.util.storm.shrinking import shortest
from buildbot.test.util.storm.shrinking import shrink
from buildbot.test.util.storm.shrinking import smaller


class Shortest(unittest.SynchronousTestCase):
    @given(st.data())
    def test_what_is_needed(self, data):
        """Of a list that fails because of some elements, these are left, in their order."""
        numbers = tuple(range(data.draw(st.integers(0, 40))))
        needed = {n for n in numbers if data.draw(st.booleans())}
        found = shortest(numbers, lambda some: needed <= set(some))
        self.assertEqual(found, tuple(sorted(needed)))

    @given(st.lists(st.integers(0, 5), min_size=3, max_size=30))
    def test_none_too_many(self, numbers):
        """No element of what is left can be left out, whatever makes it fail."""

        def fails(some):
            return len(some) % 3 == len(numbers) % 3 and sum(some) >= sum(numbers) // 2

        found = shortest(tuple(numbers), fails)
        self.assertTrue(fails(found))
        for at in range(len(found)):
            self.assertFalse(fails(found[:at] + found[at + 1 :]))


class Smaller(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('number', 5, []),
            ('false', False, []),
            ('true', True, [False]),
            ('text', 'ab', []),
            ('tuple', (1, (2, 3)), [((2, 3),), (1,), (1, (3,)), (1, (2,))]),
            ('dict', {'a': 1, 'b': True}, [{'b': True}, {'a': 1}, {'a': 1, 'b': False}]),
        ]
    )
    def test_smaller(self, _, data, expected):
        """One thing is left out of data, or is not so, each in turn."""
        self.assertEqual(list(smaller(data)), expected)


class Shrink(unittest.SynchronousTestCase):
    def test_shrink(self):
        """What is left of a history is what makes it fail."""

        def fails(history):
            names = [name for name, *_ in history.events]
            return 'request' in names and 'a' in history.configuration.get('builders', ())

        history = draw(3)
        self.assertTrue(fails(history))
        configuration, events = shrink(history, fails)
        self.assertEqual(configuration, {'builders': {'a': {}}})
        self.assertEqual([name for name, *_ in events], ['request'])


class Drawn(unittest.SynchronousTestCase):
    def test_written(self):
        """What is written of a history is the history."""
        history = draw(1)
        self.assertEqual(eval(history.written(), {'History': History}), history)

    def test_prefix(self):
        """The first events of a history are those of a shorter one."""
        self.assertEqual(draw(7, 10), draw(7, 20)._replace(events=draw(7, 20).events[:10]))
