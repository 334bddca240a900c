# SPDX-License-Identifier: GPL-2.0-only
"""New: which of the suitable resources are taken first."""

from __future__ import annotations

from typing import Any

from twisted.python import log

from buildbot.locking.matching import each


def in_order(lane: Any, free: int) -> list[int]:
    """Return the units that would do, those first that are to be taken first.

    What an owner around has goes first. After that comes the unit that the fewest waiting claims
    could use, then the one that was given back longest ago; or the user's function sets the order.

    :param free: the set of the units that can be taken.
    """
    lock, units = lane.lock, list(each(free))
    if len(units) < 2 or len(units) == lane.want.units:
        return units
    waiting = dict.fromkeys(units, 0)
    for other in lock.busy:
        shared = other.usable & free
        if shared:
            number = sum(map(len, other.lines.values()))
            for unit in each(shared):
                waiting[unit] += number
    units.sort(key=lambda unit: (waiting[unit], lock.units[unit].released, unit))
    if lock.pick is not None:
        units = in_order_of_user(lock, units)
    if lane.ancestors:
        inside = [lock.on_top.get(ancestor, 0) for ancestor in lane.ancestors]
        units.sort(
            key=lambda unit: next((i for i, s in enumerate(inside) if s >> unit & 1), len(inside))
        )
    return units


def in_order_of_user(lock: Any, units: list[int]) -> list[int]:
    """Return some units in the order in which the user's function puts their resources."""
    by_name = {lock.units[unit].resource.name: unit for unit in units}
    try:
        names = [r.name for r in lock.pick([lock.units[unit].resource for unit in units])]
        assert sorted(names) == sorted(by_name), (
            'it must return each resource that it was given once'
        )
    except Exception as e:  # an error here must not keep anybody waiting
        log.err(e, f'lock {lock.name!r}: its function pick failed, and is ignored this time')
        return units
    return [by_name[name] for name in names]
