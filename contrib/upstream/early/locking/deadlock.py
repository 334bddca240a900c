# SPDX-License-Identifier: GPL-2.0-only
"""Which wants could be met, of locks whose units are alike."""

from __future__ import annotations

from typing import Any
from typing import Container

from buildbot.locking.deadlock import footprint
from buildbot.locking.deadlock import is_whole
from buildbot.locking.pool import Holding
from buildbot.locking.pool import Want


def fits(pool: Any, want: Want, stuck: Container[Any]) -> bool:
    """Tell whether a want would fit into a pool if only the stuck owners held anything."""
    inner: Holding | None = None
    units = want.units
    while True:
        others = [h for h in pool.holdings if h is not inner and h.owner in stuck]
        if any(is_whole(h, stuck) for h in others) or (want.exclusive and others):
            return False
        units += sum(footprint(h, stuck) for h in others)
        holding = pool.holding
        if holding is None or holding.exclusive:
            return want.exclusive or units <= pool.lock.capacity
        if not want.exclusive and units <= holding.units:
            return True  # there may be fewer units now than are held
        units = max(units, holding.units)
        pool, inner = holding.pool, holding
