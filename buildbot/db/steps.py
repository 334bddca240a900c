# SPDX-License-Identifier: GPL-2.0-only
"""The row of a step can be hidden when the step has long ended."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot_overlay import release

upstream = release(__name__)


class StepsConnectorComponent(upstream.StepsConnectorComponent):
    def hide_step(self, stepid: int) -> defer.Deferred[None]:
        """Hide the row of a step; when it ended stays as it is.

        :param stepid: id of the step.
        """

        def hide(conn: Any) -> None:
            steps = self.db.model.steps
            conn.execute(steps.update().where(steps.c.id == stepid).values(hidden=1))

        return self.db.pool.do_with_transaction(hide)
