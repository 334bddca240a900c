# SPDX-License-Identifier: GPL-2.0-only
"""New: which resources fit a wish, as sets of units that are the bits of a number."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from typing import Mapping

from buildbot.locking.labels import parse
from buildbot.locking.matching import set_of
from buildbot.locking.resource import Resource

#: how many expressions and families are remembered; a configuration has fewer, but rendered ones
#: may be anything
REMEMBERED = 1000


class Kinds:
    """What is known about the resources of a pool. It does not know who has them.

    :param resources: by the bit of each.
    :ivar all: the set of all of them.
    """

    def __init__(self, resources: Mapping[int, Resource]) -> None:
        self._resources = dict(resources)
        self.all = set_of(resources)
        self.fitting = lru_cache(REMEMBERED)(self._fitting)
        self.families = lru_cache(REMEMBERED)(self._families)

    def of_worker(self, worker: str | None) -> int:
        """Return the resources that can be used on a worker; None stands for any worker."""
        if worker is None:
            return self.all
        return self._those(lambda r: r.workers is None or worker in r.workers)

    def _those(self, is_one: Any) -> int:
        return set_of(bit for bit, resource in self._resources.items() if is_one(resource))

    def _fitting(self, labels: str | None) -> int:
        """Return the resources that fit an expression over labels."""
        if labels is None:
            return self.all
        expression = parse(labels)
        return self._those(lambda r: expression.fits({r.name, *r.labels}, r.properties))

    def _families(self, same: str | None) -> list[int]:
        """Return the sets of resources that agree in a property, or in a label of a family.

        :param same: the name of a property, if any resource has it; otherwise what the labels of
            the family begin with, before a hyphen. None puts all resources into one set.
        """
        if same is None:
            return [self.all]
        found: dict[Any, int] = {}
        is_property = any(same in r.properties for r in self._resources.values())
        for bit, resource in self._resources.items():
            if is_property:
                values = [repr(resource.properties[same])] if same in resource.properties else []
            else:
                values = [label for label in resource.labels if label.startswith(f'{same}-')]
            for value in values:
                found[value] = found.get(value, 0) | 1 << bit
        return list(found.values())
