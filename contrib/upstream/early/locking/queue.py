# SPDX-License-Identifier: GPL-2.0-only
"""The queue of a lock whose units are alike."""

from __future__ import annotations

from typing import Any
from typing import Container
from typing import Iterable
from typing import Iterator

from buildbot.locking.fronts import Fronts
from buildbot.locking.pool import Pool
from buildbot.locking.pool import Want
from buildbot.locking.queue import PATIENCE
from buildbot.locking.queue import is_closed
from buildbot.locking.queue import is_pressed
from buildbot.locking.queue import pressing
from buildbot.locking.queue import serve_pool


class Waiter:
    def ahead(self, fronts: Fronts, left: Container[Any] | None) -> Iterator[Any]:
        """Yield waits that must be over before this one; of each line that it waits in, the last.

        :param fronts: of the lines that this search has already met.
        :param left: the waits that matter; None stands for all.
        """
        for pool in self.pools:
            for line in pool.lines.values():
                if line is self.line or line is pool.alone:
                    nearest = fronts.of(line).nearest(self, left)
                    if nearest is not None:
                        yield nearest
            for other in pool.draining:
                if other.place < self.place and not other.is_of(self.choice):
                    yield other.as_wait()
            for nested in pool.lock.busy:
                if nested is not pool and is_pressed(pool, nested):
                    yield from pressing(nested, fronts, left)


def has_turn(pool: Pool, want: Want, place: Any, choice: Any = None) -> bool:
    """Tell whether a claim at a place in line could be granted what it wants of a pool.

    :param choice: that of the claim.
    """
    if pool.lock.busy and is_closed(pool, place, choice):
        return False
    return pool.fits(want.exclusive, want.units)


def overtaken(pools: Iterable[Pool], claim: Waiter) -> dict[Waiter, None]:
    """Return the claims that this one overtakes: the first one at each pool."""
    found: dict[Waiter, None] = {}
    for pool in pools:
        if pool.lines:
            first = pool.heads.first()
            if first is not None and first.place < claim.place and not first.is_of(claim.choice):
                found[first] = None
    return found


def serve_around(todo: list[Pool]) -> list[Waiter]:
    """Grant all that can be granted, in order, at some pools and those nested in them.

    :param todo: where that may be; it is used up.
    :returns: the claims that were granted.
    """
    granted: list[Waiter] = []
    while todo:
        pool = todo.pop()
        # claims that wait in a holding with too few units come first
        busy = pool.lock.busy
        nested: Iterable[Pool] = ()
        if len(busy) > (pool in busy):
            nested = [p for p in busy if p is not pool and pool in p.around()]
        for waited in (*nested, pool):
            for claim in serve_pool(waited):
                granted.append(claim)
                # what was kept from others for its sake is free now, in all its pools
                if claim.passed >= PATIENCE or waited is not pool:
                    todo += [outer for own in claim.pools for outer in own.around()]
    return granted
