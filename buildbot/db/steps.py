# SPDX-License-Identifier: GPL-2.0-only
"""The row of a step can be hidden long after the step has ended."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot_overlay import release

upstream = release(__name__)


class StepsConnectorComponent(upstream.StepsConnectorComponent):
    """Reads and writes the rows of steps. It sends no events; the data API does."""

    def hide_step(self, stepid: int) -> defer.Deferred[None]:
        """Hide the row of a step; the time of its end does not change."""

        def hide(conn: Any) -> None:
            steps = self.db.model.steps
            conn.execute(steps.update().where(steps.c.id == stepid).values(hidden=1))

        return self.db.pool.do_with_transaction(hide)
