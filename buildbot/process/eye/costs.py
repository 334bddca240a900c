# SPDX-License-Identifier: GPL-2.0-only
"""New: what locks cost: for how long each builder waited for each lock, and held it."""

from __future__ import annotations

import math
from typing import Any
from typing import Iterable

from buildbot.process.eye.estimate import at_quantile


class Cost:
    """The waits for one lock, and the holds of it, of one builder."""

    def __init__(self) -> None:
        self.waits: list[float] = []
        self.holds: list[float] = []

    def row(self) -> dict[str, Any]:
        return {**told('wait', 'waited', self.waits), **told('hold', 'held', self.holds)}


def told(one: str, all_of_it: str, times: list[float]) -> dict[str, Any]:
    times = sorted(times)
    return {
        f'{one}s': len(times),
        all_of_it: round(math.fsum(times), 1),
        f'{one}_median': round(at_quantile(times, 0.5), 1) if times else 0.0,
        f'{one}_p95': round(at_quantile(times, 0.95), 1) if times else 0.0,
    }


def costs_of(rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Return what uses of locks cost, by lock and builder, the longest waits first.

    A hold that is nested in another one costs nothing. Who waits for several locks waits for each.

    :param rows: as ``db.lock_uses.read`` gives them.
    """
    found: dict[Any, Cost] = {}
    for row in rows:
        cost = found.setdefault((row.lockid, row.lock, row.builderid, row.builder), Cost())
        if row.waiting_since is not None:
            granted = row.until if row.held_since is None else row.held_since
            cost.waits.append(granted - row.waiting_since)
        if row.held_since is not None and not row.nested:
            cost.holds.append(row.until - row.held_since)
    names = ('lockid', 'lock', 'builderid', 'builder')
    costs = [{**dict(zip(names, key)), **cost.row()} for key, cost in found.items()]
    return sorted(costs, key=lambda row: (-row['waited'], row['lock'], row['builder'] or ''))
