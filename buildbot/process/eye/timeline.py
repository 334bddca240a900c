# SPDX-License-Identifier: GPL-2.0-only
"""New: how much of a lock was used, and how many waited for it, at equal intervals of time."""

from __future__ import annotations

from typing import Any
from typing import Iterable

POINTS = 120


def timeline(start: float, end: float, spans: Iterable[Any]) -> list[dict[str, float]]:
    """Return the means over each interval of some hours.

    :param spans: uses of the lock, with ``waiting_since``, ``held_since``, ``until`` and ``units``.
    :returns: for each interval, ``at`` which it begins, ``used`` units, and owners ``waiting``.
    """
    width = (end - start) / POINTS
    used, waiting = [0.0] * POINTS, [0.0] * POINTS

    def add(to: list[float], begin: float, until: float, units: float) -> None:
        begin, until = max(begin, start), min(until, end)
        if begin >= until:
            return
        first = int((begin - start) / width)
        last = min(int((until - start) / width), POINTS - 1)
        for i in range(first, last + 1):
            low, high = start + i * width, start + (i + 1) * width
            to[i] += max(0.0, min(until, high) - max(begin, low)) * units / width

    for span in spans:
        if span.waiting_since is not None:
            granted = span.until if span.held_since is None else span.held_since
            add(waiting, span.waiting_since, granted, 1)
        if span.held_since is not None and span.units:
            add(used, span.held_since, span.until, span.units)
    return [
        {'at': start + i * width, 'used': round(used[i], 3), 'waiting': round(waiting[i], 3)}
        for i in range(POINTS)
    ]
