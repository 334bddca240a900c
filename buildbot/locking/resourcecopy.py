# SPDX-License-Identifier: GPL-2.0-only
"""New: one resource of a pool, as something that people hold by hand and take out of use."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Iterator

from buildbot.locking.copy import Access
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locking.expressions import Label
from buildbot.locking.owner import thing_of
from buildbot.locking.pool import Holding
from buildbot.locking.resource import Part

if TYPE_CHECKING:
    from buildbot.locking.named import NamedLock
    from buildbot.locking.pool import Want


class ResourceCopy(BaseLock):
    """A copy with a single unit, the resource. It has no line of its own.

    Its claims wait in the line of the pool, and ask there for the resource with its name.

    :param pool: the copy of the pool that the resource belongs to.
    :param name: of the resource.
    """

    def __init__(self, pool: Any, name: str) -> None:
        super().__init__(pool.lockName, 1, name, pool)
        self.key = name
        self.in_use = pool.in_use
        self._pool = pool
        self._rule: NamedLock = pool._rule

    @property
    def maxCount(self) -> int:
        """1, or 0 if the configuration no longer has this resource."""
        return int(self._pool.resource(self.key) is not None)

    @property
    def used(self) -> int:
        return int(bool(self.holdings()))

    @property
    def is_idle(self) -> bool:
        return not self.holdings() and not self.line_length

    @property
    def is_held_exclusively(self) -> bool:
        return False

    @property
    def line_length(self) -> int:
        return sum(1 for _ in self.unsorted_line())

    def units_of(self, exclusive: bool, units: int) -> int:
        return 1

    def want_of(self, access: Access) -> Want:
        return self._rule.want((Part(1, Label(self.key).text),), None)

    def never(self, access: Access) -> str:
        return f'{self} can never be granted: {self._pool} has no such resource'

    def holdings(self) -> list[Holding]:
        """Return the holding of its holder, and those nested in it."""
        return [h for h in super().holdings() if any(r.name == self.key for r in h.resources)]

    @property
    def owners(self) -> list[Any]:
        return [thing_of(holding.owner) for holding in self.holdings()]

    def unsorted_line(self) -> Iterator[LockClaim]:
        """Yield the claims that wait for this very resource."""
        for claim in super().unsorted_line():
            if any(lock is self for lock, _ in claim.accesses):
                yield claim

    def line(self) -> list[LockClaim]:
        return sorted(self.unsorted_line(), key=lambda claim: claim.place)

    def line_behind(self) -> list[LockClaim]:
        return self._pool.line()

    def holders_in_the_way(self, requester: Any) -> list[Any]:
        return [thing_of(h.owner) for h in self.holdings() if not h.is_nested]

    def is_shared_with(self, owner: Any) -> bool:
        return False

    def setMaxCount(self, count: int) -> None:
        """Do nothing: there is one of it, or none."""

    def announce(self, news: str) -> None:
        super().announce(news)
        self._pool.announce(news)

    def announce_release(self) -> None:
        super().announce_release()
        self._pool.announce_release()
