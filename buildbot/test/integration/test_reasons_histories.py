# SPDX-License-Identifier: GPL-2.0-only
"""Random histories: whatever happens, each pending request has reasons, and they are true."""

from __future__ import annotations

import os

from parameterized import parameterized
from sqlalchemy.exc import OperationalError
from twisted.internet import defer

from buildbot.locks import LockError
from buildbot.process.eye.reason import KINDS
from buildbot.process.eye.reasons import why_pending
from buildbot.test.util.history import HistoryCase
from buildbot.test.util.history import UserError

#: ``REASON_HISTORIES=100-900`` tells other ones
FIRST, _, LAST = os.environ.get('REASON_HISTORIES', '1000-1007').partition('-')


class Histories(HistoryCase):
    def setUp(self):
        self.addCleanup(self.flush, None)  # for what ends only when the master does
        super().setUp()

    @parameterized.expand([(seed,) for seed in range(int(FIRST), int(LAST or FIRST) + 1)])
    def test_history(self, seed):
        """At any quiet moment each pending request has reasons, all of which are so."""
        d = self.tell(seed, 60)
        d.addBoth(self.flush)
        return d

    def flush(self, result):
        self.flushLoggedErrors(LockError, UserError, OperationalError, defer.CancelledError)
        return result

    def check(self):
        super().check()
        for row in self.pending():
            brid = row['buildrequestid']
            builder = self.master.botmaster.getBuilderById(row['builderid'])
            reasons = why_pending(builder, row['builderid'], [brid], self.reactor.seconds())
            told = f'request {brid} of {builder.name}: {[(r.kind, r.text) for r in reasons]}'
            self.assertTrue(reasons, told)
            for reason in reasons:
                self.check_reason(builder, row, reason, told)

    def check_reason(self, builder, row, reason, told):
        self.assertIn(reason.kind, KINDS, told)
        if reason.kind == 'starting':
            # at a quiet moment nothing starts any more but what waits for the database
            waits = self.held is not None and self.held.held is not None
            self.assertTrue(waits or row['buildrequestid'] in self.unheard, told)
