# SPDX-License-Identifier: GPL-2.0-only
"""New: what a master keeps, counted: objects by their class, and entries by where they are kept."""

from __future__ import annotations

import gc
from collections import Counter
from collections import deque
from types import FunctionType
from types import ModuleType
from typing import Any
from typing import Iterator
from unittest import TestCase

#: what has entries that can become more and more
CONTAINERS = (dict, list, set, deque)

#: what is there once, or has nothing in it; and the test, with what it has of its own
SKIPPED = (ModuleType, type, str, bytes, int, float, bool, type(None), TestCase)


def census(master: Any) -> Counter[str]:
    """Count what can be reached from a master, and objects of Buildbot's classes anywhere.

    Garbage is collected first. What a weak reference refers to is not reached by it.

    :returns: numbers of objects, by ``module.Class``; and numbers of entries of all containers that
        have one place, by ``Class.attribute``, with a ``[]`` for each container around them.
    """
    gc.collect()
    found: Counter[str] = Counter()
    found.update(name_of_class(thing) for thing in gc.get_objects() if is_buildbots(thing))
    for where, container in containers(master):
        found[where] += len(container)
    return found


def name_of_class(thing: Any) -> str:
    return f'{type(thing).__module__}.{type(thing).__name__}'


def is_buildbots(thing: Any) -> bool:
    return name_of_class(thing).startswith('buildbot.')


def containers(thing: Any) -> Iterator[tuple[str, Any]]:
    """Yield the containers that can be reached from a thing, each once, with its place.

    A queue that has a greatest length is none that grows.
    """
    seen = {}  # keeps what it has seen, so that no id is given again
    todo = [(type(thing).__name__, thing)]
    while todo:
        place, thing = todo.pop()
        if isinstance(thing, SKIPPED) or id(thing) in seen:
            continue
        seen[id(thing)] = thing
        if isinstance(thing, CONTAINERS) and getattr(thing, 'maxlen', None) is None:
            yield place, thing
        todo += parts(place, thing)


def parts(place: str, thing: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(thing, FunctionType):  # not the module that it is in
        for cell in thing.__closure__ or ():
            yield from ((place, part) for part in gc.get_referents(cell))
        return
    own = getattr(thing, '__dict__', None)
    if isinstance(own, dict) and is_buildbots(thing):
        yield from ((f'{type(thing).__name__}.{name}', part) for name, part in own.items())
    inner = f'{place}[]' if isinstance(thing, CONTAINERS) and not place.endswith('[][]') else place
    yield from ((inner, part) for part in gc.get_referents(thing) if part is not own)


def grown(before: Counter[str], after: Counter[str]) -> dict[str, int]:
    """Return of what there is more than before, and how much."""
    return {what: n - before[what] for what, n in sorted(after.items()) if n > before[what]}
