# SPDX-License-Identifier: GPL-2.0-only
"""The priority of a request can be changed with any SQLAlchemy that the release allows."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot_overlay import release

upstream = release(__name__)


class BuildRequestsConnectorComponent(upstream.BuildRequestsConnectorComponent):
    def set_build_requests_priority(self, brids: list[int], priority: int) -> defer.Deferred[None]:
        """Change the priority of build requests.

        :param brids: their ids.
        """

        def change(conn: Any) -> None:
            requests = self.db.model.buildrequests
            chosen = requests.update().where(requests.c.id.in_(brids))
            conn.execute(chosen.values(priority=priority))

        return self.db.pool.do_with_transaction(change)
