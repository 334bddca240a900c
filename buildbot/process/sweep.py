# SPDX-License-Identifier: GPL-2.0-only
"""New: what is held or waited for by owners that have ended, which never ought to be, is found."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
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
from buildbot.process.runningbuilds import RunningBuilds
from buildbot.process.waiting.reservation import Reservation
from buildbot.util.eventual import fireEventually
from buildbot.util.service import SharedService

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall


#: a step that is started in another way may be at work although it does not say so
KNOWN_STARTS = (BuildStep.startStep, StepGroup.startStep)


class LeftoverError(Exception):
    """An owner of locks has ended, and its claim has not. That is a bug."""


class Leftover(NamedTuple):
    """A claim whose owner has ended.

    :param copy: one of the copies that it is of.
    :param claim: the claim.
    :param why: what is wrong with its owner.
    """

    copy: BaseLock
    claim: LockClaim
    why: str

    def tell(self, now: float, freed: bool) -> str:
        """Return a sentence with the copies, the owner, and since when.

        :param now: the time, in seconds.
        :param freed: whether it is ended now.
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
    """Compares who holds and waits for locks with what lives, now and then.

    What it finds is logged as an error and, if it is found twice in a row, ended. An owner of a
    kind that is not Buildbot's is let be. A look costs what holds and waits, and a glance at each
    other copy.

    :ivar heard: called with each leftover that is found for the first time.
    """

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Callable[[Leftover], Any]] = []
        self._seconds: float | None = None
        self._call: IDelayedCall | None = None
        # those of the last sweep
        self._found: list[LockClaim] = []

    def use_config(self, new_config: Any) -> None:
        """Sweep as often as a configuration says."""
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
        """Log what has no living owner, and end what had none at the last sweep either.

        :returns: Deferred of a list of ``Leftover``.
        """
        found = yield self.look()
        if found:
            yield fireEventually()  # a build that has just ended gives back its locks a turn later
            suspected = [leftover.claim for leftover in found]
            found = [left for left in (yield self.look()) if left.claim in suspected]
        known, self._found = self._found, [leftover.claim for leftover in found]
        for leftover in found:
            is_known = leftover.claim in known
            text = leftover.tell(self.master.reactor.seconds(), freed=is_known)
            log.err(LeftoverError(text), 'this is a bug, please report it')
            if not is_known:
                self._tell(leftover)
                continue
            try:
                leftover.claim.end()
            except Exception as e:
                log.err(e, f'while {leftover.copy} was freed')
        return found

    def _tell(self, leftover: Leftover) -> None:
        for hear in list(self.heard):
            try:
                hear(leftover)
            except Exception as e:
                log.err(e, f'while telling what is left of {leftover.copy}')

    @defer.inlineCallbacks
    def look(self) -> Any:
        """Find what has no living owner at this moment. Nothing is logged, or ended.

        :returns: Deferred of a list of ``Leftover``.
        """
        in_use = yield LocksInUse.getService(self.parent)
        running = yield RunningBuilds.getService(self.parent)
        found: dict[LockClaim, Leftover] = {}
        # from here on nothing waits, so nothing ends meanwhile
        for copy, claim in claims_in(in_use):
            why = why_dead(claim, copy, running, self.parent)
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


def why_dead(
    claim: LockClaim, copy: BaseLock, running: RunningBuilds, botmaster: Any
) -> str | None:
    """Say why the owner of a claim has ended; None if it has not, or nobody knows its kind."""
    owner = claim.thing
    if isinstance(owner, Build):
        return None if owner in running.builds else 'a build that is not running'
    if isinstance(owner, BuildStep):
        if not isinstance(owner.build, Build):
            return None
        if owner.build not in running.builds:
            return 'whose build is not running'
        if owner.is_at_work or type(owner).startStep not in KNOWN_STARTS:
            return None
        return 'which has ended'
    if isinstance(owner, Reservation):
        return why_not_pending(owner, botmaster)
    kind = facts_of(owner).kind
    own = copy_in(claim, copy)  # it may be a resource of a pool
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
    # while a method of the user's is asked, what has been reserved for the answer is kept
    return None if builder.questions.unanswered else 'which is not pending'
