# SPDX-License-Identifier: GPL-2.0-only
"""Random histories: whatever happens, each pending request has reasons, and they are true."""

from __future__ import annotations

import os
import re

from parameterized import parameterized
from sqlalchemy.exc import OperationalError
from twisted.internet import defer

from buildbot.locks import LockError
from buildbot.process.eye.reason import KINDS
from buildbot.process.eye.reasons import why_pending
from buildbot.process.eye.words import NAMED
from buildbot.process.eye.words import short_name
from buildbot.test.util.history import HistoryCase
from buildbot.test.util.history import UserError
from buildbot.test.util.idle import Holders

#: ``REASON_HISTORIES=100-900`` tells other ones
FIRST, _, LAST = os.environ.get('REASON_HISTORIES', '1000-1007').partition('-')


class Histories(HistoryCase):
    """Histories in which somebody now and then does something about a reason.

    :ivar heeded: the kind of the reason that has been taken away by the last event, and its worker.
    """

    EVENTS = {**HistoryCase.EVENTS, 'heed': 10}

    def setUp(self):
        self.addCleanup(self.flush, None)  # for what ends only when the master does
        super().setUp()
        self.heeded = None

    @parameterized.expand([(seed,) for seed in range(int(FIRST), int(LAST or FIRST) + 1)])
    def test_history(self, seed):
        """At any quiet moment each pending request has reasons, all of which are so."""
        d = self.tell(seed, 60)
        d.addBoth(self.flush)
        return d

    def flush(self, result):
        self.flushLoggedErrors(LockError, UserError, OperationalError, defer.CancelledError)
        return result

    def reasons(self, row):
        """Return the reasons of a pending request."""
        builderid = row['builderid']
        builder = self.master.botmaster.getBuilderById(builderid)
        now = self.reactor.seconds()
        return why_pending(builder, builderid, [row['buildrequestid']], now)

    def heed(self, rng):
        """Take a reason away: connect or unpause a worker."""
        found = [reason for row in self.pending() for reason in self.reasons(row)]
        able = [r for r in found if r.kind in ('worker_missing', 'worker_paused')]
        if not able:
            return None
        reason = rng.choice(able)
        worker = self.master.workers.workers[reason.worker]
        if reason.kind == 'worker_missing':
            self._connect(worker)
        else:
            worker.unpause()
            self.poke([worker.name])
        self.heeded = (reason.kind, reason.worker)
        return f'{reason.text!r}'

    def check(self):
        super().check()
        holders = Holders(self.accesses_of, self.parent_of)
        for row in self.pending():
            reasons = self.reasons(row)
            told = f'request {row["buildrequestid"]}: {[(r.kind, r.text) for r in reasons]}'
            self.assertTrue(reasons, told)
            for reason in reasons:
                self.check_reason(row, reason, told)
                if reason.lock is not None and not row['waited_for']:
                    self.check_holders(reason, holders.outermost(reason.lock))
        self.heeded = None

    def check_reason(self, row, reason, told):
        self.assertIn(reason.kind, KINDS, told)
        self.assertNotEqual((reason.kind, reason.worker), self.heeded, told)
        if reason.kind == 'starting':
            # at a quiet moment nothing starts any more but what waits for the database
            waits = self.held is not None and self.held.held is not None
            self.assertTrue(waits or row['buildrequestid'] in self.unheard, told)

    def check_holders(self, reason, owners):
        """Fail unless a reason names those who hold the lock, and nobody else."""
        said = re.sub(r' \([^()]*\)|, [0-9]+ ahead$| and [0-9]+ others?', '', reason.text)
        _, _, names = said.partition('held by ')
        told = set(names.split(', ')) - {''}
        holding = {short_name(owner) for owner in owners}
        self.assertEqual((told - holding, len(told)), (set(), min(NAMED, len(holding))), said)
