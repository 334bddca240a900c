# SPDX-License-Identifier: GPL-2.0-only
"""New: what is wrong with the definition of a resource of a pool."""

from __future__ import annotations

from typing import Any
from typing import Sequence

from buildbot.config.words import why_unwritable
from buildbot.config.words import words_for
from buildbot.locking.resource import Resource


def problems_of(resource: Resource) -> list[str]:
    """Return what is wrong with the definition of a resource, without its name."""
    problems = []
    texts: Sequence[tuple[str, Any, bool]] = (
        ('its name', resource.name, False),
        ('labels', resource.labels, True),
        ('workers', resource.workers, True),
    )
    for what, value, is_list in texts:
        if is_list and value is None and what == 'workers':
            continue
        if is_list and not isinstance(value, (frozenset, tuple)):
            problems.append(f'{what} must be a list of names, not {words_for(value)}')
            continue
        for name in sorted(value, key=repr) if is_list else [value]:
            if not isinstance(name, str) or not name:
                problems.append(f'{what} must be a string that is not empty, not {words_for(name)}')
            elif why_unwritable(name):
                problems.append(f'{what} {name!r} has {why_unwritable(name)}')
    if resource.workers == ():
        problems.append('workers is empty, so it can be used on none')
    properties = resource.properties
    if not isinstance(properties, dict) or not all(isinstance(n, str) for n in properties):
        problems.append(
            f'properties must be a dictionary with names as keys, not {words_for(properties)}'
        )
    return problems
