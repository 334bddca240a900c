# SPDX-License-Identifier: GPL-2.0-only
"""New: how long locks were held lately, by lock, builder and path."""

from __future__ import annotations

from collections import OrderedDict
from collections import deque
from typing import Any
from typing import Iterable
from typing import Sequence

from buildbot.process.eye.use import RELEASED
from buildbot.process.eye.use import Use
from buildbot.process.lockfacts import BY_HAND


class Holds:
    """Knows how long builds held locks lately, by kind. It does not predict anything.

    Not counted are people's holds, which ``hand.holds`` keeps, holds nested in another one, and
    holds cut short by the loss of a worker.

    :cvar of_each: how many holds of each kind are kept.
    :cvar kinds: how many kinds are kept; the kinds longest without a new hold are dropped.
    :cvar enough: how many holds of a kind are needed to use them instead of those of all kinds.
    """

    of_each = 50
    kinds = 5000
    enough = 3

    def __init__(self) -> None:
        self._lasted: OrderedDict[Any, deque[float]] = OrderedDict()
        self._sorted: dict[Any, list[float]] = {}

    def learn(self, use: Use) -> None:
        """Learn from a use that has ended."""
        is_of_build = use.owner.kind not in BY_HAND and not use.is_further
        if use.held is not None and use.result == RELEASED and is_of_build and not use.nested:
            self.add(use.lock, use.owner.builder, use.owner.path, use.held)

    def add(self, lock: str, builder: str | None, path: str | None, seconds: float) -> None:
        """Learn from a hold.

        :param path: path of the step or group; None for a build.
        :param seconds: how long it lasted.
        """
        for kind in ((lock, builder, path), (lock,)):
            self._lasted.setdefault(kind, deque(maxlen=self.of_each)).append(seconds)
            self._lasted.move_to_end(kind)
            self._sorted.pop(kind, None)
        while len(self._lasted) > self.kinds:
            kind, _ = self._lasted.popitem(last=False)
            self._sorted.pop(kind, None)

    def lasted(self, lock: str, builder: str | None, path: str | None) -> Sequence[float]:
        """Return how long holds of a kind lasted, the shortest first.

        If too few are known, those of all kinds of the lock are returned.
        """
        kind: Any = (lock, builder, path)
        if len(self._lasted.get(kind, ())) < self.enough:
            kind = (lock,)
        if kind not in self._sorted:
            self._sorted[kind] = sorted(self._lasted.get(kind, ()))
        return self._sorted[kind]


def holds_of(rows: Iterable[Any]) -> Holds:
    """Return the holds that rows of the history tell of, which come newest first."""
    found = Holds()
    for row in reversed(list(rows)):
        is_of_build = row.kind not in BY_HAND and not row.nested
        if row.result == RELEASED and row.held_since is not None and is_of_build:
            found.add(row.lock, row.builder, row.path, row.until - row.held_since)
    return found
