# SPDX-License-Identifier: GPL-2.0-only
"""The pending requests of a builder, in order."""

from __future__ import annotations

from types import SimpleNamespace

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.process.waiting.pending import PendingRequests


def brdict(brid, priority=0, at=None):
    return {
        'buildrequestid': brid,
        'priority': priority,
        'submitted_at': brid if at is None else at,
    }


def requests(text):
    """``1 2/5:g`` stands for a request 1, and one of priority 5 in the group g."""
    pending = PendingRequests()
    for word in text.split():
        word, _, group = word.partition(':')
        brid, _, priority = word.partition('/')
        pending.add(brdict(int(brid), int(priority or 0)))
        pending.put_in_group(int(brid), group)
    return pending


class Order(unittest.TestCase):
    @parameterized.expand(
        [
            # requests, those that are out, those that wait -> whose turn it is
            ('none', '', [], [], None),
            ('by_age', '2 1 3', [], [], 1),
            ('by_priority', '1 2/5 3', [], [], 2),
            ('next_of_a_group', '1 2', [1], [], 2),
            ('behind_one_that_waits', '1 2 3', [], [1], None),
            ('of_another_group', '1:a 2:a 3:b', [], [1], 3),
            ('first_of_all_groups', '2:a 1:b 3/1:c', [], [], 3),
            ('out_and_waits', '1:a 2:a 3:a', [1], [2], None),
        ]
    )
    def test_first(self, _, text, out, waiting, first):
        """The first of each group counts that does not wait, and nobody behind one that does."""
        found = requests(text).first(out.__contains__, waiting.__contains__)
        self.assertEqual(found, first)

    @parameterized.expand(
        [
            ('none', '', None, None),
            ('some', '3 1/2 2', 2, 1),
            ('negative', '1/-3 2/-4', -3, 1),
        ]
    )
    def test_of_all(self, _, text, highest, oldest):
        """The highest priority and the oldest time are known, with and without groups."""
        pending = requests(text)
        self.assertEqual((pending.highest_priority(), pending.oldest()), (highest, oldest))
        pending.forget_groups()
        self.assertEqual((pending.highest_priority(), pending.oldest()), (highest, oldest))

    def test_without_group(self):
        """What is new, changed or looked at anew has no group until it is put in one."""
        pending = requests('1 2')
        self.assertEqual(pending.without_group(), [])
        pending.add(brdict(3))
        pending.add(brdict(1, 4))
        self.assertEqual(sorted(pending.without_group()), [1, 3])
        pending.forget_groups()
        self.assertEqual(sorted(pending.without_group()), [1, 2, 3])
        pending.put_in_group(9, 'of one that has gone')
        self.assertEqual(pending.first([].__contains__, [].__contains__), None)


class Changes(unittest.TestCase):
    def test_discard(self):
        """One that has gone is in no order any more; it may be told twice."""
        pending = requests('1/5:a 2:b')
        for _ in range(2):
            pending.discard(1)
        self.assertEqual([r['buildrequestid'] for r in pending.brdicts()], [2])
        self.assertEqual((len(pending), 1 in pending, 2 in pending), (1, False, True))
        self.assertEqual(pending.first([].__contains__, [].__contains__), 2)

    def test_priority(self):
        """What a request was made to gets the priority that is told of it, then and later."""
        pending = requests('1/5')
        request = SimpleNamespace(id=1, priority=0)
        pending.keep(request)
        self.assertEqual(request.priority, 5)
        pending.add(brdict(1, 7))
        self.assertEqual((request.priority, pending.request(1)), (7, request))
        pending.discard(1)
        pending.keep(request)
        self.assertEqual(pending.request(1), None)

    @parameterized.expand(
        [
            # known, read, told meanwhile -> then known (with priorities), those that have changed
            ('new', '1', '1 2', [], '1/0 2/0', [2]),
            ('gone', '1 2', '2', [], '2/0', [1]),
            ('changed', '1', '1/5', [], '1/5', [1]),
            ('told_that_it_came', '1', '', [1], '1/0', []),
            ('told_that_it_went', '', '1', [1], '', []),
            ('told_of_its_priority', '1/5', '1', [1], '1/5', []),
        ]
    )
    def test_bring_up_to_date(self, _, known, read, told, then, changed):
        """The database is the truth, but for what messages have told while it was read."""
        pending = requests(known)
        self.assertEqual(pending.bring_up_to_date(requests(read).brdicts(), set(told)), changed)
        found = [f'{r["buildrequestid"]}/{r["priority"]}' for r in pending.brdicts()]
        self.assertEqual(' '.join(found), then)
