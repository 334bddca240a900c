# SPDX-License-Identifier: GPL-2.0-only
"""New: which workers the builders that have pending requests could use."""

from __future__ import annotations

from collections import Counter

from buildbot.util.service import SharedService


class Needs(SharedService):
    """Knows which workers each builder with pending requests could use. It does not choose any.

    Each builder reports its own needs, so that choosing a worker does not go through all builders.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[str, frozenset[str]] = {}
        # how many builders could use each set of workers; many builders share a set, so few sets
        self._count: Counter[frozenset[str]] = Counter()

    def note(self, builder_name: str, workers: frozenset[str]) -> None:
        """Note which workers a builder could use from now on.

        :param workers: names of the workers; empty if the builder has no pending requests.
        """
        before = self._known.pop(builder_name, None)
        if before is not None:
            self._count[before] -= 1
            if not self._count[before]:
                del self._count[before]
        if workers:
            self._known[builder_name] = workers
            self._count[workers] += 1

    def of_others(self, builder_name: str) -> Counter[frozenset[str]]:
        """Return, for each set of workers, how many other builders could use it."""
        count = Counter(self._count)
        own = self._known.get(builder_name)
        if own is not None:
            count[own] -= 1
        return count
