# SPDX-License-Identifier: GPL-2.0-only
"""New: finds locks held or waited for by owners that have ended, which should never happen."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Iterator
from typing import NamedTuple

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copies import LocksInUse
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locking.owner import holds_since
from buildbot.locking.owner import waits_since
from buildbot.process.build import Build
from buildbot.process.buildstep import BuildStep
from buildbot.process.eye.rows import copies_in_use
from buildbot.process.eye.rows import copy_in
from buildbot.process.groups.step import StepGroup
from buildbot.process.lockfacts import BY_HAND
from buildbot.process.lockfacts import facts_of
from buildbot.process.waiting.reservation import Reservation
from buildbot.util.eventual import fireEventually
from buildbot.util.service import SharedService
from buildbot.util.subscription import SubscriptionPoint

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall


#: a step that overrides ``startStep`` may be at work without saying so
KNOWN_STARTS = (BuildStep.startStep, StepGroup.startStep)


class LeftoverError(Exception):
    """An owner of locks has ended, but its claim has not. This is a bug."""


class Leftover(NamedTuple):
    """A claim whose owner has ended.

    :param copy: one of the copies that it claims.
    :param claim: the claim.
    :param why: what is wrong with its owner.
    """

    copy: BaseLock
    claim: LockClaim
    why: str

    def tell(self, now: float, freed: bool) -> str:
        """Return a sentence with the copies, the owner, and for how long.

        :param now: the time, in seconds.
        :param freed: whether the claim is ended now.
        """
        claim, thing = self.claim, self.claim.thing
        labels = ', '.join(str(copy) for copy, _ in claim.accesses)
        since = holds_since(thing) if claim.holds else waits_since(thing)
        held = f'{labels} held by' if claim.holds else f'{labels} waited for by'
        name = thing.lock_name() if hasattr(thing, 'lock_name') else repr(thing)
        how_long = f' for {now - since:.0f} s' if since is not None else ''
        end = 'it is given back' if claim.holds else 'it waits no longer'
        if not freed:
            end = f'if the next sweep finds it again, {end}'
        return f'{held} {name}{how_long}, {self.why}; {end}'


class Sweep(SharedService):
    """Regularly compares the owners that hold or wait for locks with those that are alive.

    A leftover is logged as an error and, if it is found twice in a row, ended. Owners of plugins
    are left alone. The cost of a sweep grows with the number of claims and of copies in use.

    :ivar leftovers: those who are told of each leftover when it is found for the first time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.leftovers = SubscriptionPoint('locks that are left over')
        self._seconds: float | None = None
        self._call: IDelayedCall | None = None
        # the leftover claims of the last sweep
        self._found: list[LockClaim] = []

    def use_config(self, new_config: Any) -> None:
        """Sweep as often as the configuration says."""
        if new_config.lockSweep != self._seconds:
            self._seconds = new_config.lockSweep
            self._wait_no_longer()
            self._wait()

    def _wait(self) -> None:
        if self._seconds is not None:
            self._call = self.master.reactor.callLater(self._seconds, self._is_due)

    def _wait_no_longer(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def stopService(self) -> Any:
        self._wait_no_longer()
        self._seconds = None
        return super().stopService()

    @defer.inlineCallbacks
    def _is_due(self) -> Any:
        self._call = None
        try:
            yield self.sweep()
        except Exception as e:
            log.err(e, 'while looking for locks that are held by what has ended')
        if self._call is None and self.running:
            self._wait()

    @defer.inlineCallbacks
    def sweep(self) -> Any:
        """Log claims without a living owner, and end those that had none at the last sweep, too.

        :returns: Deferred of a list of ``Leftover``.
        """
        found = yield self.look()
        if found:
            yield fireEventually()  # a build that has just ended releases its locks a turn later
            suspected = [leftover.claim for leftover in found]
            found = [left for left in (yield self.look()) if left.claim in suspected]
        known, self._found = self._found, [leftover.claim for leftover in found]
        for leftover in found:
            is_known = leftover.claim in known
            text = leftover.tell(self.master.reactor.seconds(), freed=is_known)
            log.err(LeftoverError(text), 'this is a bug, please report it')
            if not is_known:
                self.leftovers.deliver(leftover)
                continue
            try:
                leftover.claim.end()
            except Exception as e:
                log.err(e, f'while {leftover.copy} was freed')
        return found

    @defer.inlineCallbacks
    def look(self) -> Any:
        """Find claims without a living owner at this moment. Nothing is logged or ended.

        :returns: Deferred of a list of ``Leftover``.
        """
        in_use = yield LocksInUse.getService(self.parent)
        found: dict[LockClaim, Leftover] = {}
        # from here on nothing is waited for, so nothing can end meanwhile
        for copy, claim in claims_in(in_use):
            why = why_dead(claim, copy, self.parent)
            if why is not None:
                found.setdefault(claim, Leftover(copy, claim, why))
        return list(found.values())


def claims_in(in_use: LocksInUse) -> Iterator[tuple[BaseLock, LockClaim]]:
    """Yield all claims that are held or wait, with each of their copies."""
    for lock in in_use.by_name():
        for copy in copies_in_use(lock):
            for holding in copy.holdings():
                yield copy, holding.claim
            for claim in list(copy.unsorted_line()):
                yield copy, claim


def why_dead(claim: LockClaim, copy: BaseLock, botmaster: Any) -> str | None:
    """Say why the owner of a claim counts as ended; None if it is alive or of an unknown kind."""
    owner, running = claim.thing, botmaster.awaited.running
    if isinstance(owner, Build):
        return None if owner in running else 'a build that is not running'
    if isinstance(owner, BuildStep):
        if not isinstance(owner.build, Build):
            return None
        if owner.build not in running:
            return 'whose build is not running'
        if owner.is_at_work or type(owner).startStep not in KNOWN_STARTS:
            return None
        return 'which has ended'
    if isinstance(owner, Reservation):
        return why_not_pending(owner, botmaster)
    kind = facts_of(owner).kind
    own = copy_in(claim, copy)
    if kind in BY_HAND and not any(o is owner for o in (own.quarantine, *own.by_hand)):
        return 'which has ended'
    return None


def why_not_pending(reservation: Reservation, botmaster: Any) -> str | None:
    """Say why nobody needs a reservation; None if its request does."""
    builder = botmaster.builders.get(reservation.builder_name)
    if builder is None:
        return 'whose builder does not exist'
    brid = reservation.request.id
    if builder.reservations.find(brid, reservation.worker) is not reservation:
        return 'which its builder does not know'
    if builder.inbox.is_pending(brid) or botmaster.is_in_progress(brid):
        return None
    # while a user's method is asked, the reservation for its answer is kept
    return None if builder.questions.unanswered else 'which is not pending'
