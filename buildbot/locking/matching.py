# SPDX-License-Identifier: GPL-2.0-only
"""New: which units go to which of several wishes, so that all of them are met if possible.

Units are the bits of a number. Wishes for several kinds of units are met by a matching in a
bipartite graph, which is enlarged by augmenting paths: H. W. Kuhn, "The Hungarian method for the
assignment problem", 1955. A unit that has been matched stays matched, though perhaps to another
wish; so trying the units in order of preference takes the best possible set (J. Edmonds and D. R.
Fulkerson, "Transversals and matroid partition", 1965, and the greedy algorithm).
"""

from __future__ import annotations

from itertools import product
from typing import Iterable
from typing import Iterator
from typing import NamedTuple
from typing import Sequence


class Wish(NamedTuple):
    """A number of units that somebody wants, which must all come from one of several sets.

    :param units: the number.
    :param sets: the sets of units.
    """

    units: int
    sets: Sequence[int]


def number_of(units: int) -> int:
    """Return how many units are in a set."""
    return bin(units).count('1')


def set_of(units: Iterable[int]) -> int:
    """Return the set of the units with these numbers."""
    return sum(1 << unit for unit in units)


def each(units: int) -> Iterator[int]:
    """Yield the numbers of the bits of a set of units."""
    while units:
        lowest = units & -units
        yield lowest.bit_length() - 1
        units ^= lowest


def can_be_met(wishes: Sequence[Wish], units: int) -> bool:
    """Tell whether some units are enough for all wishes."""
    if len(wishes) == 1:
        ((count, sets),) = wishes
        return any(number_of(one & units) >= count for one in sets)
    return any(match(chosen, each(units)) is not None for chosen in choices(wishes, units))


def choose(wishes: Sequence[Wish], order: Sequence[int]) -> list[list[int]] | None:
    """Choose units for some wishes.

    :param order: the numbers of the available units, those first that are to be taken first.
    :returns: for each wish its units; None if not all wishes can be met.
    """
    place = {unit: i for i, unit in enumerate(order)}
    units = set_of(order)
    found = (match(chosen, order) for chosen in choices(wishes, units))
    possible = [units for units in found if units is not None]
    if not possible:
        return None
    return min(
        possible, key=lambda units: sorted(place[unit] for of_wish in units for unit in of_wish)
    )


def choices(wishes: Sequence[Wish], units: int) -> Iterator[tuple[tuple[int, int], ...]]:
    """Yield each way to choose one of its sets for every wish, none of them too small."""
    large = [
        [(count, one & units) for one in sets if number_of(one & units) >= count]
        for count, sets in wishes
    ]
    return product(*large)


def match(wishes: Sequence[tuple[int, int]], order: Iterable[int]) -> list[list[int]] | None:
    """Give units to wishes, using the first units of an order where possible.

    :param wishes: pairs of how many units, and the set of those that will do.
    :returns: for each wish the numbers of its units; None if not all wishes can be met.
    """
    given: list[list[int]] = [[] for _ in wishes]
    missing = sum(count for count, _ in wishes)
    for unit in order if missing else ():
        if place(unit, wishes, given, set()):
            missing -= 1
            if not missing:
                break
    return None if missing else given


def place(
    unit: int, wishes: Sequence[tuple[int, int]], given: list[list[int]], tried: set[int]
) -> bool:
    """Give one more unit to a wish, possibly one whose unit another wish can take over."""
    for i, (count, units) in enumerate(wishes):
        if i in tried or not units >> unit & 1:
            continue
        tried.add(i)
        if len(given[i]) < count:
            given[i].append(unit)
            return True
        for other in given[i]:
            if place(other, wishes, given, tried):
                given[i].remove(other)
                given[i].append(unit)
                return True
    return False
