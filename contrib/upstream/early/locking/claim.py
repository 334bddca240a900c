# SPDX-License-Identifier: GPL-2.0-only
"""A claim of locks whose units are alike."""

from __future__ import annotations

from typing import Sequence

from buildbot.locking.claim import ENDED
from buildbot.locking.claim import HELD
from buildbot.locking.claim import end_hopeless
from buildbot.locking.pool import Holding
from buildbot.locking.pool import Lock
from buildbot.locking.pool import Pool
from buildbot.locking.queue import Waiter
from buildbot.locking.queue import serve


class Claim(Waiter):
    def let_go(self, lock: Lock | None = None) -> None:
        """Give back one of the locks that the claim holds, or all of them."""
        if self.state is not HELD:
            return
        released = self.holdings
        kept: Sequence[Holding] = ()
        if lock is not None and len(released) > 1:
            kept = [h for h in released if h.pool.lock is not lock]
            released = [h for h in released if h not in kept]
        freed: list[Pool] = []
        moved: Sequence[Claim] = ()  # those that waited in a holding that is given back
        left_behind: Sequence[Claim] = ()  # those that waited further inside
        for holding in released:
            if holding.inside:
                moved = [
                    *moved,
                    *(claim for line in holding.inside.lines.values() for claim in line),
                ]
                left_behind = [*left_behind, *holding.pool.left_behind(holding)]
            holding.pool.give_back(holding)
            freed.append(holding.pool)
        self.holdings = kept
        if not kept:
            self.state = ENDED
        if moved or left_behind:
            for claim in dict.fromkeys(moved):
                claim._move()
            for claim in dict.fromkeys((*moved, *left_behind)):
                claim.moved_out()
            end_hopeless(dict.fromkeys((*moved, *left_behind)), freed)
        else:
            serve(freed)
