# SPDX-License-Identifier: GPL-2.0-only
"""New: an attribute that tells its owner when it is set."""

from __future__ import annotations

from typing import Any
from unittest import mock

from twisted.trial import unittest

from buildbot.worker.watched import Watched


class Owner:
    limit = Watched()
    other = Watched()

    def __init__(self):
        self.doubts: list[Any] = []

    def doubt(self):
        self.doubts.append(self.limit)


class Watching(unittest.TestCase):
    def setUp(self):
        self.owner = Owner()

    def test_unset(self):
        """It is None until it is set, and to read it is no change."""
        self.assertIsNone(self.owner.limit)
        self.assertEqual(self.owner.doubts, [])

    def test_set(self):
        """Its owner is told after it has been set, each time."""
        self.owner.limit = 1
        self.owner.limit = 1
        self.assertEqual(self.owner.doubts, [1, 1])

    def test_deleted(self):
        """Its owner is told after it has been deleted, which may be done again."""
        self.owner.limit = 1
        del self.owner.limit
        del self.owner.limit
        self.assertEqual(self.owner.doubts, [1, None, None])

    def test_apart(self):
        """Each attribute of each owner has its own value."""
        another = Owner()
        self.owner.limit, self.owner.other, another.limit = 1, 2, 3
        self.assertEqual((self.owner.limit, self.owner.other, another.limit), (1, 2, 3))

    def test_in_dict(self):
        """Its value is where that of any attribute is, for those who look there."""
        self.owner.limit = 1
        self.assertEqual(vars(self.owner)['limit'], 1)

    def test_mock(self):
        """Its owner is told when a test patches it, and when that is over."""
        self.owner.limit = 1
        with mock.patch.object(self.owner, 'limit', 2):
            self.assertEqual(self.owner.limit, 2)
        self.assertEqual(self.owner.doubts[:2], [1, 2])
        self.assertEqual(self.owner.doubts[-1], 1)

    def test_of_class(self):
        """The class has the attribute itself, which tells it from one that hides it."""
        self.assertIsInstance(Owner.limit, Watched)
