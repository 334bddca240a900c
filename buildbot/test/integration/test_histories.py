# SPDX-License-Identifier: GPL-2.0-only
"""Random histories: whatever happens, nothing goes round for ever, pends for nothing or is left."""

from __future__ import annotations

import os

from parameterized import parameterized
from sqlalchemy.exc import OperationalError
from twisted.internet import defer

from buildbot.locks import LockError
from buildbot.test.util.handhistory import HandHistoryCase
from buildbot.test.util.history import HistoryCase
from buildbot.test.util.history import UserError

#: ``HISTORIES=100-900`` tells other ones, and ``HISTORIES=17:0,3,8`` only these events of one
ASKED = os.environ.get('HISTORIES', '0-11')
#: ``HISTORIES_WITHOUT=nextWorker,shut_down`` leaves out some that a fault is known of
WITHOUT = frozenset(os.environ.get('HISTORIES_WITHOUT', '').split(','))


def histories():
    for words in ASKED.split(';'):
        seed, _, events = words.partition(':')
        first, _, last = seed.partition('-')
        for number in range(int(first), int(last or first) + 1):
            yield number, [int(event) for event in events.split(',')] if events else 60


class Told:
    """Histories that are told as ``HISTORIES`` says."""

    without = WITHOUT

    def setUp(self):
        self.addCleanup(self.flush, None)  # for what ends only when the master does
        super().setUp()

    @parameterized.expand(list(histories()))
    def test_history(self, seed, events):
        """Whatever happens: it comes to rest, who could start has started, and all runs out."""
        d = self.tell(seed, events)
        d.addBoth(self.flush)
        return d

    def flush(self, result):
        self.flushLoggedErrors(LockError, UserError, OperationalError, defer.CancelledError)
        return result


class Histories(Told, HistoryCase):
    """Those of builds, workers and the configuration."""


class HandHistories(Told, HandHistoryCase):
    """Those in which people hold locks, move who waits and take copies out of use, too."""
