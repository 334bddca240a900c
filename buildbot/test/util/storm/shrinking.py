# SPDX-License-Identifier: GPL-2.0-only
"""New: a shorter list that fails as a long one does, by delta debugging, and smaller data.

Delta debugging is ``ddmin`` of Zeller and Hildebrandt, "Simplifying and isolating failure-inducing
input", IEEE Transactions on Software Engineering 28 (2), 2002: leave out halves, then quarters, and
so on, until no single element can be left out. It is simpler here: only complements are tried, each
once for each size, from the end on.
"""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import Iterator

from buildbot.test.util.storm.history import History


def shortest(of: tuple[Any, ...], fails: Callable[[tuple[Any, ...]], bool]) -> tuple[Any, ...]:
    """Return a part of a list that fails, and that does not if any one element is left out.

    :param of: one that fails.
    :param fails: tells whether a part of it fails, too.
    """
    size = len(of)
    while size:
        before = of
        for at in reversed(range(0, len(of), size)):
            rest = of[:at] + of[at + size :]
            if fails(rest):
                of = rest
        if size > 1 or of == before:
            size //= 2
    return of


def smaller(data: Any) -> Iterator[Any]:
    """Yield data from which one thing is left out, each in turn, or of which one is not so."""
    if data is True:
        yield False
    elif isinstance(data, tuple):
        for i, part in enumerate(data):
            yield data[:i] + data[i + 1 :]
            for less in smaller(part):
                yield (*data[:i], less, *data[i + 1 :])
    elif isinstance(data, dict):
        for name, part in data.items():
            yield {other: data[other] for other in data if other != name}
            for less in smaller(part):
                yield {**data, name: less}


def shrink(history: History, fails: Callable[[History], bool]) -> History:
    """Return a history with as few events and as little configured as fails in the same way.

    :param history: one that fails.
    :param fails: tells whether another one fails in the same way.
    """
    configuration, events = history

    def fail_of(events: tuple[Any, ...]) -> bool:
        return fails(History(configuration, events))

    before = None
    while before != (configuration, events):
        before = configuration, events
        events = shortest(events, fail_of)
        less: Any = configuration
        while less is not None:
            configuration = less
            found = smaller(configuration)
            less = next((some for some in found if fails(History(some, events))), None)
    return History(configuration, events)
