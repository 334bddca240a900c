# SPDX-License-Identifier: GPL-2.0-only
"""Lists of locks that can never be right."""

from __future__ import annotations

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.config.locks import problems_of
from buildbot.locks import MasterLock
from buildbot.process.properties import Property

LOCK = MasterLock('board', maxCount=2)
ONE, TWO, THREE = (LOCK.access('counting', count) for count in (1, 2, 3))


class Lists(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('none', None, True, []),
            ('lock', [LOCK], True, []),
            ('units', [TWO], True, []),
            ('renderable', Property('locks'), True, []),
            (
                'renderable_of_a_worker',
                [Property('locks')],
                False,
                ['Property(locks) cannot be used here, where no build is known to render it for'],
            ),
            ('text', 'board', True, ["locks must be a list of locks, not 'board'"]),
            ('no_lock', ['board', 'board'], True, ["'board' is not a lock"]),
            ('twice', [ONE, ONE], True, ["lock 'board': it is in one list twice"]),
            (
                'too_many_units',
                [THREE],
                True,
                ["lock 'board': 3 units can never be granted: it has 2 at most"],
            ),
        ]
    )
    def test_problems(self, _, accesses, in_build, sentences):
        """A list is right, or each fault of it has a sentence."""
        self.assertEqual(problems_of(accesses, in_build), sentences)
