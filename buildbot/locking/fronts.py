# SPDX-License-Identifier: GPL-2.0-only
"""New: who is in front of a claim, during a search for waits that can end."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any
from typing import Container


class Front:
    """The claims of one line in order, of which fewer and fewer matter. It changes no line.

    Finding the nearest one in front costs next to nothing in the long run: claims that have been
    passed over are skipped from then on, as in the sets of R. E. Tarjan ("Efficiency of a good but
    not linear set union algorithm", 1975).
    """

    def __init__(self, line: Any) -> None:
        self._claims = sorted(line, key=lambda claim: claim.place)
        self._places = [claim.place for claim in self._claims]
        # for each claim, the index of the nearest claim before it that may still matter
        self._before = list(range(-1, len(self._claims) - 1))

    def nearest(self, claim: Any, left: Container[Any] | None) -> Any:
        """Return the last wait in front of a claim that must be over first; None if there is none.

        :param left: the waits that matter; it may only shrink from one call to the next. None
            stands for all.
        """
        i, passed, own = bisect_left(self._places, claim.place) - 1, [], claim.as_wait()
        is_own = False  # claims that matter to others are not skipped for good
        while i >= 0:
            wait = self._claims[i].as_wait()
            if (left is None or wait in left) and wait != own:
                break
            is_own = is_own or wait == own
            passed.append(i)
            i = self._before[i]
        if not is_own:
            for j in passed:
                self._before[j] = i
        return self._claims[i].as_wait() if i >= 0 else None


class Fronts:
    """The fronts of the lines that one search meets. It outlives no search.

    :ivar stuck: the owners that are not yet known to let go of what they have.
    """

    def __init__(self) -> None:
        self.stuck: Container[Any] = ()
        self._held: dict[Any, list[Any]] = {}
        self._fronts: dict[Any, Front] = {}  # by the pools that their claims wait for

    def held_of(self, lock: Any) -> list[Any]:
        """Return the holdings of a lock whose owners were stuck when this was first asked."""
        found = self._held.get(lock)
        if found is None:
            found = self._held[lock] = [h for h in lock.holdings if h.owner in self.stuck]
        return found

    def of(self, line: Any) -> Front:
        """Return the front of a line as it was when the search first met it."""
        front = self._fronts.get(line.key)
        if front is None:
            front = self._fronts[line.key] = Front(line)
        return front
