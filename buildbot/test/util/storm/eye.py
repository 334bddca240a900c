# SPDX-License-Identifier: GPL-2.0-only
"""New: at any quiet moment each pending request has reasons, all of which are so."""

from __future__ import annotations

import re
from typing import Any

from twisted.internet import defer

from buildbot.locking.poolcopy import RealPool
from buildbot.process.eye.reason import KINDS
from buildbot.process.eye.reason import Reason
from buildbot.process.eye.reasons import why_pending
from buildbot.process.eye.words import NAMED
from buildbot.process.eye.words import short_name
from buildbot.test.util.idle import Holders
from buildbot.test.util.storm.invariants import Invariants


class Eye(Invariants):
    """A lab in which the eye must know why.

    :ivar heeded: the kind of the reason that has been taken away by the last event, and its worker.
    """

    def make_lab(self, configuration: dict[str, Any]) -> defer.Deferred[Any]:
        self.heeded: tuple[str, str] | None = None
        return super().make_lab(configuration)

    def reasons(self, row: dict[str, Any]) -> list[Reason]:
        """Return the reasons of a pending request; none if its builder has been removed."""
        builder = self.master.botmaster.getBuilderById(row['builderid'])
        if builder is None:
            return []
        brids = [row['buildrequestid']]
        return why_pending(builder, row['builderid'], brids, self.reactor.seconds())

    def check(self) -> None:
        super().check()
        holders = self.holders()
        for row in self.pending():
            if self.master.botmaster.getBuilderById(row['builderid']) is not None:
                self._check_reasons(row, holders)
        self.heeded = None

    def _check_reasons(self, row: dict[str, Any], holders: Holders) -> None:
        reasons = self.reasons(row)
        told = f'request {row["buildrequestid"]}: {[(r.kind, r.text) for r in reasons]}'
        self.assertTrue(reasons, told)
        for reason in reasons:
            self.assertIn(reason.kind, KINDS, told)
            self.assertNotEqual((reason.kind, reason.worker), self.heeded, told)
            if reason.kind == 'starting':
                # at a quiet moment nothing starts any more but what waits for the database, or has
                # failed there and is tried again
                waits = self.held is not None and self.held.held is not None
                waits = waits or self.reactor.seconds() < self.trouble_until
                self.assertTrue(waits or row['buildrequestid'] in self.unheard, told)
            copy = reason.lock
            if copy is not None and copy.quarantine is None and not row['waited_for']:
                self._check_holders(reason, holders.outermost(copy))

    def _check_holders(self, reason: Reason, owners: list[Any]) -> None:
        said = re.sub(r' \([^()]*\)|, [0-9]+ ahead$| and [0-9]+ others?', '', reason.text)
        _, _, names = said.partition('held by ')
        told = set(names.replace(', by hand', ' by hand').split(', ')) - {''}
        holding = {short_name(owner).replace(', by hand', ' by hand') for owner in owners}
        if isinstance(reason.lock, RealPool):
            holding |= told and {short_name(owner) for owner in reason.lock.owners}
            self.assertEqual(told - holding, set(), said)  # not all are in its way
            return
        self.assertEqual((told - holding, len(told)), (set(), min(NAMED, len(holding))), said)
