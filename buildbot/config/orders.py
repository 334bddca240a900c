# SPDX-License-Identifier: GPL-2.0-only
"""New: the orders in which a configuration has locks claimed, and circles that they can close."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from typing import Callable
from typing import Iterable
from typing import Iterator
from typing import NamedTuple

from buildbot.config.errors import error
from buildbot.config.fileline import FileLine
from buildbot.config.fileline import at
from buildbot.config.places import Place
from buildbot.config.places import places_of
from buildbot.config.search import AlikePlaces
from buildbot.config.search import Search
from buildbot.config.standstill import Owner
from buildbot.config.standstill import Stand
from buildbot.config.standstill import in_demand
from buildbot.config.steps import steps_of_builder
from buildbot.warnings import ConfigWarning

#: how many states are examined for one pair of locks, and for a whole configuration
LOOKS, ALL_LOOKS = 500, 3000

_is_strict: ContextVar[bool] = ContextVar('a circle is an error', default=False)


class Circle(NamedTuple):
    """Places of a configuration at which builds may wait for one another forever.

    :param text: a sentence that names them.
    :param line: the line of the configuration that has the first of them; None if it is not known.
    """

    text: str
    line: FileLine | None


def circles_of(config: Any) -> list[str]:
    """Return a sentence for each circle that the locks of a configuration can close.

    Each names the places and the locks of the shortest example that was found.

    :param config: a ``MasterConfig``, as ``FileLoader(...).loadConfig()`` returns it.
    """
    return [circle.text for circle in find_circles(config)]


@contextmanager
def strict_orders(is_strict: bool) -> Iterator[None]:
    """Make a circle in a configuration that is read inside an error instead of a warning."""
    with ExitStack() as at_the_end:
        at_the_end.callback(_is_strict.reset, _is_strict.set(is_strict))
        yield


def warn_of_orders(config: Any, steps_of: Callable[[Any], Iterable[Any]]) -> None:
    """Warn of each circle that the locks of a configuration can close.

    :param steps_of: takes the configuration of a builder, and returns its steps.
    """
    for circle in find_circles(config, steps_of):
        if _is_strict.get():
            error(circle.text + at(circle.line))
        else:
            file, number = circle.line or ('the configuration', 0)
            # without a registry, so that each reconfig warns again
            warnings.warn_explicit(circle.text, ConfigWarning, file, number)


def find_circles(
    config: Any, steps_of: Callable[[Any], Iterable[Any]] = steps_of_builder
) -> Iterator[Circle]:
    """Yield the circles that the locks of a configuration can close.

    Any two locks, one of which may be wanted while the other is held, are in at most one circle.
    """
    places = [place for place in places_of(config, steps_of) if place.may_wait]
    edges = edges_of(places)
    search = Search(places, config.workers)
    number = components(edges)
    looks, told = ALL_LOOKS, set()
    for held, wanted in edges.items():
        for want, starts in wanted.items():
            if number[held] != number[want] or (held, want) in told:
                continue
            search.looks = limit = min(LOOKS, looks)
            for place in starts:
                stands = search.standstill_at(place, held)
                if stands:
                    told |= {link for stand in stands for link in links_of(stand, stands)}
                    yield circle_of(stands)
                    break
            looks -= limit - max(0, search.looks)


def edges_of(places: Iterable[Place]) -> dict[str, dict[str, list[Place]]]:
    """Return for each lock those that may be wanted while it is held, and some places where."""
    edges: dict[str, dict[str, AlikePlaces]] = {}
    for place in places:
        for want in place.names if place.held else ():
            if any(a.lockid.name == want and place.shares(a) for a in place.accesses):
                continue
            for name in place.held:
                edges.setdefault(name, {}).setdefault(want, AlikePlaces()).add(place)
            edges.setdefault(want, {})
    return {
        held: {want: list(starts) for want, starts in wanted.items()}
        for held, wanted in edges.items()
    }


def components(edges: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Return a number for each lock; two locks in a common circle have the same number.

    This is S. R. Kosaraju's algorithm for strongly connected components: the second walk goes
    against the edges, and starts where the first walk came back last.
    """
    against: dict[str, list[str]] = {name: [] for name in edges}
    for name, wanted in edges.items():
        for want in wanted:
            against[want].append(name)
    left: dict[str, int] = {}
    for name in edges:
        walk(name, edges, left, 0)
    number: dict[str, int] = {}
    for i, name in enumerate(reversed(left)):
        walk(name, against, number, i)
    return number


def walk(first: str, edges: Any, left: dict[str, int], number: int) -> None:
    """Walk to everything that can be reached from one lock, and number each lock on the way back.

    :param left: the numbers; the walk does not enter a lock that has one.
    """
    if first in left:
        return
    seen = {first}
    way = [(first, iter(edges[first]))]
    while way:
        name, rest = way[-1]
        other = next((name for name in rest if name not in seen and name not in left), None)
        if other is None:
            left[name] = number
            way.pop()
        else:
            seen.add(other)
            way.append((other, iter(edges[other])))


def links_of(stand: Stand, stands: list[Stand]) -> Iterator[tuple[str, str]]:
    """Yield each lock that it holds and others want, with each lock that it wants."""
    for name in in_demand(stand, stands):
        for copy in stand.wants:
            yield name, copy.name


def circle_of(stands: list[Stand]) -> Circle:
    """Describe builds none of which can go on."""
    by_place: dict[Place, list[Stand]] = {}
    for stand in stands:
        by_place.setdefault(stand.place, []).append(stand)
    sentences = []
    for alike in by_place.values():
        builds = f' (in {len(alike)} builds)' if len(alike) > 1 else ''
        sentences.append(sentence_of(alike[0], stands) + builds)
    each = 'each may wait for another forever'
    if len(stands) == 2:
        each = 'each may wait for the other forever'
    found = stands[0].place.step
    return Circle(f'{"; ".join(sentences)}: {each}', None if found is None else found.line)


def sentence_of(stand: Stand, stands: list[Stand]) -> str:
    """Say what it wants, and what it holds meanwhile."""
    others = [other for other in stands if other is not stand]
    held_by_others = {copy for other in others for copy in other.holds()}
    wants = [c.name for c in stand.wants if c in held_by_others] or [c.name for c in stand.wants]
    text = f'{stand.place} wants {names(wants)}'
    holders: dict[str, list[str]] = {}
    for name, owner in in_demand(stand, stands).items():
        holders.setdefault(name_of_holder(owner, name), []).append(name)
    if not holders:
        return f'{text} and may stand in line first'
    told = [f'{names(found)} ({holder})' for holder, found in holders.items()]
    return f'{text} while it holds {" and ".join(told)}'


def name_of_holder(owner: Owner, lock: str) -> str:
    if any(access.lockid.name == lock for access in owner.place.accesses):
        return owner.place.words
    return f'worker {owner.run.worker.name!r}'


def names(found: Iterable[str]) -> str:
    return ' and '.join(map(repr, dict.fromkeys(found)))
