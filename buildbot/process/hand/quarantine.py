# SPDX-License-Identifier: GPL-2.0-only
"""New: a copy of a lock that is out of use."""

from __future__ import annotations

import math
from typing import Any
from typing import Callable
from typing import Container

from buildbot.locking.copies import definition_of
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locking.deadlock import find_deadlock
from buildbot.locking.owner import LockOwner
from buildbot.locking.owner import owners_around
from buildbot.locking.owner import thing_of
from buildbot.locking.owner import waits_of
from buildbot.locking.pool import Holding
from buildbot.process.hand.hold import Taking
from buildbot.process.lockfacts import Facts
from buildbot.process.lockfacts import known_facts
from buildbot.process.locklog import LockLog


class QuarantineClaim(LockClaim):
    """The claim of a quarantine. Others may be refused because of it, but never it because of them.

    A copy that a reconfig removes is still out of use if another reconfig brings it back.
    """

    __slots__ = ()

    outlasts = True

    def check_circle(self, is_new: bool = False) -> None:
        """Do nothing: the claims behind it check whether they can go on."""

    def can_be_met(self, stuck: Container[Any]) -> bool:
        # nobody is behind it any longer when what it wants has been given back and is gone
        return any(
            not want.exclusive and want.units > pool.most() for pool, want in self.pools.items()
        ) or super().can_be_met(stuck)


class Quarantine(LockOwner):
    """Keeps a copy out of use: it holds all of the copy, or waits for that ahead of all others.

    Owners that hold the copy when the quarantine begins are not interrupted, and share the copy
    with owners nested in them. Builds of the lock's ``repairBuilder`` are nested in the quarantine,
    so they may hold the copy.

    :param copy: the copy.
    :param who: who has taken it out of use.
    :param reason: why it is out of use.
    :param since: when it was taken out of use, in seconds.
    :param now: returns the time, in seconds.
    :ivar repairing: ids of builds that have held the copy inside the quarantine.
    """

    lock_moved_at = math.inf

    def __init__(
        self, copy: BaseLock, who: str, reason: str, since: float, now: Callable[[], float]
    ) -> None:
        self.copy = copy
        self.who = who
        self.reason = reason
        self.since = since
        self.lock_age = since
        self.lock_log: LockLog = LockLog()
        self.repairing: set[int | None] = set()
        self._now = now
        self._claim = QuarantineClaim(self, self._demand)

    @property
    def _demand(self) -> Any:
        return [(self.copy, Taking())]

    def lock_name(self) -> str:
        return f'quarantine by {self.who} ({self.reason})'

    def short_name(self) -> str:
        return f'quarantine by {self.who}'

    def lock_facts(self) -> Facts:
        """Return the facts about the quarantine, without its lock."""
        return Facts('quarantine', person=self.who, reason=self.reason)

    def lets_in(self, owner: Any) -> bool:
        """Tell whether an owner may hold the copy in spite of the quarantine, to repair it."""
        around = owners_around(owner) if isinstance(owner, LockOwner) else ()
        return any(map(self.is_of_repair, (owner, *around)))

    def is_of_repair(self, owner: Any) -> bool:
        """Tell whether an owner is, or is part of, a build of the lock's ``repairBuilder``."""
        name = getattr(definition_of(self.copy), 'repairBuilder', None)
        return name is not None and known_facts(owner).builder == name

    def note_repairs(self) -> None:
        """Note which builds hold the copy inside the quarantine, before they release it."""
        for holding in self.copy.holdings():
            thing = thing_of(holding.owner)
            if self._is_around(holding) and self.is_of_repair(thing):
                self.repairing.add(known_facts(thing).buildid)

    def _is_around(self, holding: Holding) -> bool:
        # not around who has held the copy since before it began
        return any(thing_of(outer.owner) is self for outer in holding.outer())

    def begin(self) -> None:
        """Keep the copy from everybody from now on."""
        self.copy.quarantine = self
        if self._claim.take_at_once():
            self._holds(None)
            return
        self.lock_log.waits(self, self._demand, self._now())
        self._claim.wait().addCallback(self._holds)
        if find_deadlock(self._claim.as_wait(), waits_of):
            for claim in self.copy.line_behind():
                if claim is not self._claim:
                    claim.fail_in_circle()

    def _holds(self, _: Any) -> None:
        if not self._claim.holds:
            return  # it has ended
        self.lock_log.granted(self, self._demand, self._now())
        for claim in self.copy.line():
            if self.lets_in(claim.thing):
                claim.join_quarantine()

    def stop(self) -> None:
        """Log that the master stops. Nothing is given back, so that no build gets it meanwhile."""
        self.lock_log.ended(self, self._demand, self._now(), lost=True)

    def end(self) -> None:
        """Put the copy back into use. Calling it again does nothing."""
        if self.copy.quarantine is self:
            self.copy.quarantine = None
            self._claim.end()
            self.lock_log.ended(self, self._demand, self._now())
