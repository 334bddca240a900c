# SPDX-License-Identifier: GPL-2.0-only
"""New: the order of those who wait, changed by hand."""

from __future__ import annotations

from typing import Any

from buildbot.locking.copy import LockClaim
from buildbot.locking.deadlock import find_deadlock
from buildbot.locking.owner import LockOwner
from buildbot.locking.owner import waits_of
from buildbot.process.lockfacts import facts_of


def move(botmaster: Any, claim: LockClaim, moved_at: float | None) -> str | None:
    """Move who waits with a claim to the front of its lines, or back to its own place there.

    A request that waits for several workers is moved in all its lines, and stays so if it leaves
    them and comes back.

    :param moved_at: when it is moved to the front, in seconds; None moves it back.
    :returns: why it cannot be: a sentence; None if it was moved.
    """
    owner = claim.thing
    before = owner.lock_moved_at
    stand(botmaster, owner, claim, moved_at)
    if claim.waiting and find_deadlock(claim, waits_of):
        stand(botmaster, owner, claim, before)
        return 'in front it would wait for ever, for one of those behind it'
    return None


def stand(botmaster: Any, owner: LockOwner, claim: LockClaim, moved_at: float | None) -> None:
    facts = facts_of(owner)
    builder = botmaster.builders.get(facts.builder)
    if facts.kind == 'request' and builder is not None:
        builder.reservations.move(facts.buildrequestid, moved_at)
    else:
        owner.lock_moved_at = moved_at
        claim.stand_in_front(moved_at)
