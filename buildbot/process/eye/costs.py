# SPDX-License-Identifier: GPL-2.0-only
"""New: what locks cost: how long each builder waited for each lock and held it."""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from typing import Any
from typing import Iterable
from typing import Mapping

from buildbot.process.eye.estimate import at_quantile


class Cost:
    """One builder's waits for one lock, and its holds of that lock. It is plain data."""

    def __init__(self) -> None:
        self.waits = array('d')
        self.holds = array('d')

    def row(self) -> dict[str, Any]:
        return {**told('wait', 'waited', self.waits), **told('hold', 'held', self.holds)}


def told(one: str, all_of_it: str, unsorted: Iterable[float]) -> dict[str, Any]:
    times = sorted(unsorted)
    return {
        f'{one}s': len(times),
        all_of_it: round(math.fsum(times), 1),
        f'{one}_median': round(at_quantile(times, 0.5), 1) if times else 0.0,
        f'{one}_p95': round(at_quantile(times, 0.95), 1) if times else 0.0,
    }


def costs_of(
    rows: Iterable[Any], locks: Mapping[int, str], builders: Mapping[int, str]
) -> list[dict[str, Any]]:
    """Return what uses of locks cost, by lock and builder, the longest waits first.

    A hold nested in another one costs nothing. A wait for several locks counts for each of them.

    :param rows: as ``db.lock_uses.since`` gives them.
    :param locks: their names, by id.
    :param builders: their names, by id.
    """
    found: defaultdict[tuple[int, int | None], Cost] = defaultdict(Cost)
    for lockid, builderid, waiting_since, held_since, until, nested in rows:
        cost = found[lockid, builderid]
        if waiting_since is not None:
            cost.waits.append((until if held_since is None else held_since) - waiting_since)
        if held_since is not None and not nested:
            cost.holds.append(until - held_since)
    costs = [
        {
            'lockid': lockid,
            'lock': locks[lockid],
            'builderid': builderid,
            'builder': None if builderid is None else builders.get(builderid),
            **cost.row(),
        }
        for (lockid, builderid), cost in found.items()
        if lockid in locks  # it may have come or gone while all this was read
    ]
    return sorted(costs, key=lambda row: (-row['waited'], row['lock'], row['builder'] or ''))
