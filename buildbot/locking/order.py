# SPDX-License-Identifier: GPL-2.0-only
"""New: claims in order, by their place in line."""

from __future__ import annotations

from heapq import heappop
from heapq import heappush
from typing import Any
from typing import Iterable


class Order(dict):
    """Claims, of which the first in line is known, by the ``place`` of each; it grants nothing.

    Underneath is a heap. Claims that have gone, or have another place now, stay in the heap until
    they come to its top or make up more than half of it. So the heap is never much larger than
    twice the number of claims. Adding, discarding and looking at the first cost O(log n) for n
    claims; removing a claim that has gone from the top is paid for when it goes. Each entry begins
    with the first parts of the place, because comparing one level of tuples costs half as much.
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
        heappush(self._heap, (place[0], place[1], place[2], place, claim))

    def discard(self, claim: Any) -> None:
        self.pop(claim, None)
        heap = self._heap
        if heap and heap[0][4] is claim:
            heappop(heap)
        if len(heap) > 2 * len(self) + 16:
            self._heap = []
            for each in self:
                self.add(each)

    def first(self) -> Any:
        """Return the claim that goes before all others; None if there is none."""
        heap = self._heap
        while heap:
            first = heap[0]
            claim = first[4]
            if claim in self and first[3] is claim.place:
                return claim
            heappop(heap)
        return None

    def has_before(self, place: Any, choice: Any = None) -> bool:
        """Tell whether a claim goes before a place in line.

        :param choice: claims of this choice do not count.
        """
        first = self.first()
        if first is None or not first.place < place:
            return False
        if not first.is_of(choice):
            return True
        return any(claim.place < place and not claim.is_of(choice) for claim in self)
