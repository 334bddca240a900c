# SPDX-License-Identifier: GPL-2.0-only
"""What is known of a worker is read once, not once for each of its builders."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from twisted.internet import defer

from buildbot_overlay import release

upstream = release(__name__)


class WorkersConnectorComponent(upstream.WorkersConnectorComponent):
    """Reads and writes the rows of workers. It sends no events; the data API does."""

    def getWorkers(
        self,
        _workerid: Any = None,
        _name: Any = None,
        masterid: Any = None,
        builderid: Any = None,
        paused: Any = None,
        graceful: Any = None,
    ) -> defer.Deferred[list[Any]]:
        """Return the workers that meet all given conditions.

        :param masterid: they are configured there; what is known of other masters is left out.
        :param builderid: they build for it; what is known of other builders is left out.
        :returns: Deferred of a list of ``WorkerModel``.
        """
        model = self.db.model
        workers, connected = model.workers, model.connected_workers
        builders = model.builder_masters
        configured = model.configured_workers.join(builders)
        configured_id = model.configured_workers.c.workerid
        where_built = conditions((builders.c.masterid, masterid), (builders.c.builderid, builderid))
        where = conditions(
            (workers.c.id, _workerid),
            (workers.c.name, _name),
            (workers.c.paused, paused),
            (workers.c.graceful, graceful),
        )
        if where_built:
            chosen = sa.select(configured_id).select_from(configured).where(*where_built)
            where.append(workers.c.id.in_(chosen))
        is_connected = connected.c.workerid == workers.c.id
        if masterid is not None:
            is_connected &= connected.c.masterid == masterid

        def read(conn: Any) -> list[Any]:
            found: dict[int, Any] = {}
            rows = conn.execute(
                sa.select(workers, connected.c.masterid.label('connected_to'))
                .select_from(workers.outerjoin(connected, is_connected))
                .where(*where)
                .order_by(workers.c.id)
            )
            for row in rows:
                if row.id not in found:
                    found[row.id] = self._model_from_row(row)
                if row.connected_to is not None:
                    found[row.id].connected_to.append(row.connected_to)
            rows = conn.execute(
                sa.select(configured_id, builders.c.builderid, builders.c.masterid)
                .select_from(configured)
                .where(configured_id.in_(list(found)), *where_built)
            )
            for workerid, builder, master in rows:
                place = upstream.BuilderMasterModel(builderid=builder, masterid=master)
                found[workerid].configured_on.append(place)
            return list(found.values())

        return self.db.pool.do(read)


def conditions(*values: tuple[Any, Any]) -> list[Any]:
    """Return the conditions that columns have these values; None stands for any value."""
    return [
        column == (int(value) if isinstance(value, bool) else value)
        for column, value in values
        if value is not None
    ]
