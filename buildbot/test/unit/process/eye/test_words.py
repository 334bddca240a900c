# SPDX-License-Identifier: GPL-2.0-only
"""The words in which people are told of a wait."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies
from parameterized import parameterized
from twisted.trial import unittest

from buildbot.locking.owner import LockOwner
from buildbot.locking.plain import LONGEST
from buildbot.locking.plain import UNSEEN
from buildbot.locking.plain import lines_of
from buildbot.process.eye.words import age
from buildbot.process.eye.words import plain
from buildbot.process.eye.words import short_name
from buildbot.process.eye.words import some_of
from buildbot.process.eye.words import wait_on
from buildbot.process.eye.words import waiting_for

NAMES = ['a #1 (3 min)', 'b #2', 'c #3', 'd #4', 'e #5']


class Named(LockOwner):
    def lock_name(self):
        return 'fw\n#12'


class Words(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            (-3, 'under a minute'),  # a clock that has been set back
            (0, 'under a minute'),
            (59.9, 'under a minute'),
            (60, '1 min'),
            (599, '9 min'),
            (600, 'over 10 min'),
            (1199, 'over 10 min'),
            (3599, 'over 50 min'),
            (3600, 'over 1 h'),
            (86399, 'over 23 h'),
            (86400, 'over 1 day'),
            (200000, 'over 2 days'),
        ]
    )
    def test_age(self, seconds, said):
        """An age is said in words that change the more seldom the older it is."""
        self.assertEqual(age(seconds), said)

    @parameterized.expand(
        [
            ('usual', 'fw', 'fw'),
            ('lines', 'fw\nrm -rf\r\0', 'fw\\nrm -rf\\r\\x00'),
            ('direction', 'a\u202eb\u200fc\u2028', 'a\\u202eb\\u200fc\\u2028'),
            ('markup', '<script>alert(1)</script>', '<script>alert(1)</script>'),
            ('path', '../%2f', '../%2f'),
            ('surrogate', '\ud800', '\\ud800'),
            ('longest', 'x' * 200, 'x' * 200),
            ('too_long', 'x' * 10000, 'x' * 197 + '...'),
        ]
    )
    def test_plain(self, _, name, said):
        """A name is one line of text that can be seen, and not too long."""
        self.assertEqual(plain(name), said)

    @given(strategies.text(max_size=2 * LONGEST))
    def test_plain_is_always_so(self, name):
        """Whatever a name is, nothing in it acts on the text around it."""
        said = plain(name)
        self.assertLessEqual(len(said), LONGEST)
        self.assertFalse([char for char in said if unicodedata.category(char) in UNSEEN])
        self.assertEqual(said, plain(said))

    @given(strategies.text())
    def test_lines_are_always_so(self, text):
        """A text of many lines has these, and nothing else that acts on what is around it."""
        said = lines_of(text)
        lines = said.split('\n')
        self.assertLessEqual(len(lines), 1 + len(text.splitlines()))
        chars = [char for line in lines for char in line]
        self.assertFalse([char for char in chars if unicodedata.category(char) in UNSEEN])

    def test_short_name(self):
        """An owner of locks has its own name; what comes from outside has its repr."""
        self.assertEqual(short_name(Named()), 'fw\\n#12')
        self.assertEqual(short_name('a plugin'), "'a plugin'")

    @parameterized.expand([(1, 'a'), (3, 'a, b, c'), (4, 'a, b, c and 1 other')])
    def test_some_of(self, count, said):
        """Of many things three are named, and the others counted."""
        self.assertEqual(some_of('abcd'[:count]), said)

    @parameterized.expand(
        [
            (NAMES[:1], 0, 0, None, 'lab: held by a #1 (3 min)'),
            (NAMES[:1], 0, 2, 'x #9', 'lab: held by a #1 (3 min), 2 ahead'),
            (NAMES[:3], 4, 0, None, 'lab: held by a #1 (3 min), b #2, c #3 and 4 others'),
            (NAMES[:3], 1, 7, 'x', 'lab: held by a #1 (3 min), b #2, c #3 and 1 other, 7 ahead'),
            ([], 0, 1, 'x #9', 'lab: kept for x #9, 1 ahead'),
            ([], 0, 0, None, 'lab'),
        ]
    )
    def test_wait_on(self, holders, others, ahead, first, said):
        """A wait for a copy names its holders, or for whom it is kept, and how many are ahead."""
        self.assertEqual(wait_on('lab', holders, others, ahead, first), said)

    @parameterized.expand(
        [
            (['a: held by x'], 'waiting for a: held by x'),
            (['a: held by x', 'b'], 'waiting for a: held by x; b'),
            (list('abcde'), 'waiting for a; b; c and 2 others'),
        ]
    )
    def test_waiting_for(self, parts, said):
        """The words for several copies make one sentence."""
        self.assertEqual(waiting_for(parts), said)
