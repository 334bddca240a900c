# SPDX-License-Identifier: GPL-2.0-only
"""The priority of a request can be changed with any SQLAlchemy that Buildbot allows."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot_overlay import release

upstream = release(__name__)


class BuildRequestsConnectorComponent(upstream.BuildRequestsConnectorComponent):
    """Reads and writes the rows of build requests. It sends no events; the data API does."""

    def set_build_requests_priority(self, brids: list[int], priority: int) -> defer.Deferred[None]:
        """Change the priority of build requests that are not complete.

        :param brids: their ids.
        :returns: Deferred that fires when it is done. It fails with ``NotClaimedError`` if any of
            them is complete or unknown; then none is changed.
        """

        def change(conn: Any) -> None:
            requests = self.db.model.buildrequests
            # a statement takes a limited number of parameters
            for batch in self.doBatch(brids, 100):
                chosen = requests.c.id.in_(batch) & (requests.c.complete != 1)
                done = conn.execute(requests.update().where(chosen).values(priority=priority))
                if done.rowcount != len(batch):
                    raise upstream.NotClaimedError(
                        f'{len(batch) - done.rowcount} of the build requests {batch} are complete'
                        ' or unknown, so their priority is not changed'
                    )

        return self.db.pool.do_with_transaction(change)
