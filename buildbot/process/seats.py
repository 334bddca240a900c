# SPDX-License-Identifier: GPL-2.0-only
"""New: what keeps a build of a request from each worker of its builder, if that can end."""

from __future__ import annotations

from typing import Any

from buildbot.process.waiting.requestwait import Seat
from buildbot.worker.places import Place


def seats_of(builder: Any, brid: int) -> list[Seat]:
    """Return a seat for each worker configured for a builder.

    Unknown obstacles, such as the answer of a user's method, are assumed not to be in the way.

    :param brid: id of a pending request of the builder.
    :returns: a list, empty if the builder has been removed.
    """
    if not builder.running or builder.config is None:
        return []
    parents = builder.botmaster.awaited.around(brid)
    own = {w.worker.workername: w for w in builder.workers if w.worker is not None}
    return [seat_on(builder, n, own.get(n), brid, parents) for n in sorted(builder.worker_names)]


def seat_on(builder: Any, name: str, workerforbuilder: Any, brid: int, parents: list[Any]) -> Seat:
    if workerforbuilder is None:
        worker = builder.master.workers.workers.get(name)
        is_coming = worker is not None and worker.conn is not None
        return Seat(name, away=None if is_coming else 'is not connected')
    worker = workerforbuilder.worker
    if builder.is_idle_for(workerforbuilder, brid) or worker.quarantine_timer:
        return Seat(name)  # a worker leaves its quarantine by itself
    if worker._graceful:
        return Seat(name, away='is being shut down')
    if worker.isPaused():
        return Seat(name, away='is paused')
    return Seat(name, [Place(worker, workerforbuilder, parents)])
