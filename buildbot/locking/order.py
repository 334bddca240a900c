# SPDX-License-Identifier: GPL-2.0-only
"""New: claims in order, by their place in line."""

from __future__ import annotations

from heapq import heapify
from heapq import heappop
from heapq import heappush
from typing import Any
from typing import Dict
from typing import Iterable


class Order(Dict[Any, None]):
    """Claims, of which the first in line is known, by the ``place`` of each; it grants nothing.

    Below is a heap, in which claims that have gone, or have another place now, stay until they are
    on top of it, or more than half of it. So it is never larger than twice what there is and a bit,
    and to add, to discard and to look at the first cost O(log n) for n claims, apart from the first
    time that a claim is on top when it has gone, which is paid for when it goes. Each entry begins
    with what the place is made of, for to compare one level of tuples costs half.
    """

    __slots__ = ('_heap',)

    def __init__(self, claims: Iterable[Any] = ()) -> None:
        super().__init__()
        self._heap: list[tuple[Any, ...]] = []
        for claim in claims:
            self.add(claim)

    def add(self, claim: Any) -> None:
        self[claim] = None
        place = claim.place
        heappush(self._heap, (*place, place, claim))

    def discard(self, claim: Any) -> None:
        self.pop(claim, None)
        if len(self._heap) > 2 * len(self) + 16:
            self._heap = [(*claim.place, claim.place, claim) for claim in self]
            heapify(self._heap)

    def first(self) -> Any:
        """Return the claim that goes before all others; None if there is none."""
        heap = self._heap
        while heap:
            first = heap[0]
            claim = first[-1]
            if claim in self and first[-2] is claim.place:
                return claim
            heappop(heap)
        return None
