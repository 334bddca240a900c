# SPDX-License-Identifier: GPL-2.0-only
"""New: by hand, owners are moved to the front, and builds that hold a copy are ended."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locking.deadlock import find_deadlock
from buildbot.locking.owner import LockOwner
from buildbot.locking.owner import waits_of
from buildbot.process.groups.run import always_running
from buildbot.process.hand.wishes import By
from buildbot.process.hand.wishes import Refused
from buildbot.process.hand.wishes import check_seen
from buildbot.process.hand.wishes import check_text
from buildbot.process.lockfacts import known_facts

if TYPE_CHECKING:
    from buildbot.process.hand.holds import Holds
    from buildbot.process.hand.journal import Journal


class Precedence:
    """Moves owners that wait for copies, and ends builds that hold them. It stores nothing.

    :param botmaster: the botmaster of the master that has these locks.
    :param holds: ends the holds of people.
    :param journal: writes down each thing that is done.
    """

    def __init__(self, botmaster: Any, holds: Holds, journal: Journal) -> None:
        self._botmaster = botmaster
        self._holds = holds
        self._journal = journal

    def first(self, copy: BaseLock, by: By, waiterid: Any) -> None:
        """Move an owner that waits for a copy to the front."""
        reason = check_text(copy, 'the reason', by.reason)
        claim = waiter(copy, waiterid)
        others = [other for other in copy.line() if other.thing is not copy.quarantine]
        if claim.thing.lock_moved_at is not None and others[0] is claim:
            return
        self._move(copy, by, claim, self._botmaster.master.reactor.seconds())
        text = f'{by.who} lets {claim.thing.short_name()} go first'
        self._journal.tell(copy, 'first', text, who=by.who, reason=reason)

    def back(self, copy: BaseLock, by: By, waiterid: Any) -> None:
        """Move an owner that was moved to the front back to its own place."""
        claim = waiter(copy, waiterid)
        if claim.thing.lock_moved_at is None:
            return
        self._move(copy, by, claim, None)
        text = f'{by.who} gives {claim.thing.short_name()} its own place again'
        self._journal.tell(copy, 'back', text, who=by.who, reason=by.reason)

    def _move(self, copy: BaseLock, by: By, claim: LockClaim, moved_at: float | None) -> None:
        check_seen(copy, by)
        owner = claim.thing
        before = owner.lock_moved_at
        self._stand(owner, claim, moved_at)
        if claim.waiting and find_deadlock(claim.as_wait(), waits_of):
            self._stand(owner, claim, before)
            why = 'there it would wait forever for one that waits for it'
            raise Refused(f'{copy}: {owner.short_name()} cannot stand in front: {why}')

    def _stand(self, owner: LockOwner, claim: LockClaim, moved_at: float | None) -> None:
        # A request that waits for several workers moves in all its lines, and keeps its place even
        # if it leaves the lines and comes back.
        facts = known_facts(owner)
        builder = self._botmaster.builders.get(facts.builder)
        if facts.kind == 'request' and builder is not None:
            builder.reservations.move(facts.buildrequestid, moved_at)
        else:
            owner.lock_moved_at = moved_at
            claim.stand_in_front(moved_at)

    @defer.inlineCallbacks
    def kick(self, copy: BaseLock, by: By, holderid: Any) -> Any:
        """Stop the build that holds a copy, or end the hold of a person.

        Steps that always run still do, with the lock held.
        """
        reason = check_text(copy, 'the reason', by.reason)
        thing = next((t for t in copy.owners if known_facts(t).name == holderid), None)
        if thing is None:
            raise Refused(f'{copy}: {holderid!r} does not hold it now')
        facts = known_facts(thing)
        if facts.kind == 'quarantine':
            raise Refused(f'{copy}: nobody holds it, it is in quarantine; restore it instead')
        buildid = facts.buildid
        running = self._botmaster.awaited.running
        known = [b for b in running if b.buildid is not None]  # the others only begin
        build = next((b for b in known if b.buildid == buildid), None)
        if build is not None and build.stopped:
            return
        check_seen(copy, by)
        text = f'{by.who} has ended what {thing.short_name()} holds'
        if facts.kind == 'person':
            yield self._holds.end(thing, 'kick', text, by)
            return
        if build is None:
            raise Refused(f'{copy}: {thing.short_name()} has no build that could be stopped')
        step = always_running(build)
        if step is not None:
            why = f'now {step.name!r} runs, which always does; to stop the build would interrupt it'
            raise Refused(f'{copy}: {thing.short_name()} is not ended: {why}')
        self._journal.tell(copy, 'kick', text, who=by.who, reason=reason)
        stopped = defer.maybeDeferred(build.stopBuild, f'{by.who}: {reason}')
        stopped.addErrback(log.err, f'{copy}: while stopping {thing.short_name()}')


def waiter(copy: BaseLock, waiterid: Any) -> LockClaim:
    """Return the claim in the line of a copy that has an id in the rows of waiters.

    :raises Refused: nobody with this id waits for the copy.
    """
    for claim in copy.unsorted_line():
        thing = claim.thing
        is_movable = isinstance(thing, LockOwner) and thing is not copy.quarantine
        if is_movable and known_facts(thing).name == waiterid:
            return claim
    raise Refused(f'{copy}: {waiterid!r} does not wait for it now')
