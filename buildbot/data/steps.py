# SPDX-License-Identifier: GPL-2.0-only
"""The row of a step can be hidden when the step has long ended."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.data import base
from buildbot_overlay import release

upstream = release(__name__)


class Step(upstream.Step):
    @base.updateMethod
    @defer.inlineCallbacks
    def hide_step(self, stepid: int) -> Any:
        """Hide the row of a step, and tell those who show it.

        :param stepid: id of the step.
        """
        yield self.master.db.steps.hide_step(stepid)
        yield self.generateEvent(stepid, 'updated')
