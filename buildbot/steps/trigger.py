# SPDX-License-Identifier: GPL-2.0-only
"""A step that triggers builds tells its build of them, and triggers none once it is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.python import log

from buildbot.locks import LockOwner
from buildbot.process.buildstep import BuildStep
from buildbot_overlay import release

if TYPE_CHECKING:
    from twisted.python.failure import Failure

upstream = release(__name__)


class Trigger(upstream.Trigger):
    def interrupt(self, reason: str | Failure) -> Any:
        if not self.running:
            return BuildStep.interrupt(self, reason)  # there is nothing yet to be taken back
        return super().interrupt(reason)

    def _add_results(self, brid: int) -> Any:
        if isinstance(self.build, LockOwner):
            self.build.has_triggered(brid)
        if self.ended:
            # it was stopped while this request was being made
            d = self.master.data.control(
                'cancel', {'reason': 'its parent build was stopped'}, ('buildrequests', brid)
            )
            d.addErrback(log.err, f'while cancelling build request {brid}')
        return super()._add_results(brid)
