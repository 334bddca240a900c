# SPDX-License-Identifier: GPL-2.0-only
"""New: which workers the builders with pending requests could use."""

from __future__ import annotations

from twisted.trial import unittest

from buildbot.process.waiting.needs import Needs

FIRST, BOTH = frozenset(['w1']), frozenset(['w1', 'w2'])


class Others(unittest.TestCase):
    def setUp(self):
        self.needs = Needs()
        self.needs.note('a', FIRST)
        self.needs.note('b', FIRST)
        self.needs.note('c', BOTH)

    def of_others(self, name):
        return {workers: n for workers, n in self.needs.of_others(name).items() if n}

    def test_of_others(self):
        """A builder sees how many others could use its workers, and does not count itself."""
        self.assertEqual(self.of_others('a'), {FIRST: 1, BOTH: 1})

    def test_of_one_without_requests(self):
        """One that has no pending requests sees all that have some."""
        self.assertEqual(self.of_others('d'), {FIRST: 2, BOTH: 1})

    def test_other_workers(self):
        """One that a reconfig gives other workers counts for these only."""
        self.needs.note('b', BOTH)
        self.assertEqual(self.of_others('a'), {BOTH: 2})

    def test_no_requests_left(self):
        """One whose last request has been started counts no more, and leaves nothing behind."""
        for name in ('a', 'b', 'b', 'c'):
            self.needs.note(name, frozenset())
        self.assertEqual(self.needs.of_others('a'), {})

    def test_noted_again(self):
        """One that says the same with each message counts once."""
        self.needs.note('b', FIRST)
        self.assertEqual(self.of_others('a'), {FIRST: 1, BOTH: 1})
