# SPDX-License-Identifier: GPL-2.0-only
"""New: waits of build requests that cannot end, because the owners wait for one another.

A step's wait for locks is judged when it begins, and refused if it cannot end. This module judges
the waits of requests that running builds wait for. Such a wait may lose a way to end when a worker
is taken or lost. So may that of any request in line; if nobody waits for it, it leaves the line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import NamedTuple
from typing import Sequence

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copy import CircleError
from buildbot.locking.copy import LockClaim
from buildbot.locking.copy import words_of
from buildbot.locking.deadlock import find_deadlock
from buildbot.locking.owner import claims_of
from buildbot.locking.owner import waits_of
from buildbot.locking.owner import waits_since
from buildbot.process.build import Build
from buildbot.process.buildstep import BuildStep
from buildbot.process.buildstep import text_of_deadlock
from buildbot.steps.trigger import Trigger
from buildbot.util.eventual import eventually
from buildbot.util.subscription import SubscriptionPoint

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from buildbot.locking.copy import BaseLock
    from buildbot.locking.owner import LockOwner
    from buildbot.process.waiting.requestwait import RequestWait


class Suspicion(NamedTuple):
    """Says that a request can only start if an absent worker comes back. It decides nothing.

    :param since: when this was found, in seconds.
    :param call: the call that ends the step waiting for the request; None if no step is to end.
    """

    since: float
    call: IDelayedCall | None


class Knots:
    """Finds waits of requests that cannot end, and ends one so that the others can go on.

    :param botmaster: the botmaster of the master that has these requests.
    :ivar ended: those who are told of an owner that is ended for the others, and of the error.
    """

    def __init__(self, botmaster: Any) -> None:
        self._botmaster = botmaster
        self._doubted: dict[RequestWait, None] = {}
        self._suspected: dict[int, Suspicion] = {}
        #: the requests that are being cancelled because they can never begin; they wait no longer
        self.given_up: set[int] = set()
        self.ended = SubscriptionPoint('ends of deadlocks')

    def doubt(self, wait: RequestWait) -> None:
        """Judge soon whether a wait can end, because it has begun or lost a way to end."""
        if not self._doubted:
            eventually(self._judge_all)
        self._doubted[wait] = None

    def doubt_all(self) -> None:
        """Judge soon all awaited requests that could not start."""
        for wait in self._botmaster.awaited.waits:
            self.doubt(wait)

    def stop(self) -> None:
        """Stop judging, because the master stops."""
        self._doubted.clear()
        self.given_up.clear()
        for brid in list(self._suspected):
            self.trust(brid)

    def suspicion(self, brid: int) -> Suspicion | None:
        """Return the suspicion that a request never starts; None if there is none."""
        return self._suspected.get(brid)

    @defer.inlineCallbacks
    def _judge_all(self) -> Any:
        doubted, self._doubted = self._doubted, {}
        for wait in doubted:
            try:
                if wait.awaited_by is None:
                    self._knot_that_stays(wait)
                    self.trust(wait.brid)
                elif self._knot(wait) and not (yield self._is_of_other_master(wait)):
                    self._judge(wait)
                else:
                    self.trust(wait.brid)
            except Exception as e:
                log.err(e, f'while determining whether build request {wait.brid} can start')

    def _knot(self, wait: RequestWait) -> list[Any]:
        # the waits that keep it from ending unless an absent worker comes back; empty if none
        if wait.awaited_by is None or not wait.waiting:
            return []
        return find_deadlock(wait, waits_of, hopeful=False)

    @defer.inlineCallbacks
    def _is_of_other_master(self, wait: RequestWait) -> Any:
        master = self._botmaster.master
        if not master.config.multiMaster:
            return False
        for other in (yield master.data.get(('masters',))):
            if other['active'] and other['masterid'] != master.masterid:
                builders = yield master.data.get(('masters', other['masterid'], 'builders'))
                if any(builder['name'] == wait.builder_name for builder in builders):
                    return True
        return False

    def _judge(self, wait: RequestWait) -> None:
        knot = self._knot_that_stays(wait)
        if knot:
            self._untie(knot)
        elif self._knot(wait):
            self._suspect(wait)
        else:
            self.trust(wait.brid)

    def _knot_that_stays(self, wait: RequestWait) -> list[Any]:
        # what is left of its knot when all have left the line that may
        knot = find_deadlock(wait, waits_of)
        while any(one.yields() for one in knot):
            knot = find_deadlock(wait, waits_of)
        return knot

    def _untie(self, knot: Sequence[Any]) -> None:
        last = max((one for one in knot if can_be_ended(one)), key=self._since, default=None)
        if last is None:
            log.msg(f'nothing can be ended to resolve this: {CircleError(words_of(knot), None)}')
        elif isinstance(last, LockClaim):
            last.fail(last.error_of(knot))
        else:
            self._end(last, CircleError(words_of(knot), self._lock_of(last)))

    def _since(self, wait: Any) -> float:
        if isinstance(wait, LockClaim):
            return waits_since(wait.thing) or 0.0
        return self._botmaster.awaited.since(wait.brid)

    def _lock_of(self, wait: RequestWait) -> BaseLock | None:
        return next((copy for claim in held_around(wait) for copy, _ in claim.accesses), None)

    def _end(self, wait: RequestWait, error: CircleError, after: float | None = None) -> None:
        step: Any = wait.awaited_by
        self.trust(wait.brid)
        self.given_up.add(wait.brid)
        self.tell(step, error)
        step.wait_in_vain([wait.brid], str(error), text_of_deadlock(error.waits, after))

    def pends_no_more(self, brid: int) -> None:
        """Take note that a request has been taken or completed."""
        self.given_up.discard(brid)
        self.trust(brid)

    def _is_pending(self, brid: int) -> bool:
        return self._botmaster.awaited.is_pending(brid) and brid not in self.given_up

    def tell(self, owner: LockOwner, error: CircleError) -> None:
        """Report that an owner is ended so that others can go on."""
        log.msg(f'{owner.lock_name()} is ended: {error}')
        if error.lock is not None:
            error.lock.report('circle', f'{owner.lock_name()} fails: {error}')
        self.ended.deliver(owner, error)

    def _suspect(self, wait: RequestWait) -> None:
        brid, master = wait.brid, self._botmaster.master
        if brid in self._suspected:
            return
        call, after = None, master.config.stuckAfter
        if after is not None and held_around(wait):
            call = master.reactor.callLater(after, self._is_stuck, wait, after)
        self._suspected[brid] = Suspicion(master.reactor.seconds(), call)

    def trust(self, brid: int) -> None:
        """Drop the suspicion of a request."""
        suspicion = self._suspected.pop(brid, None)
        if suspicion is not None and suspicion.call is not None and suspicion.call.active():
            suspicion.call.cancel()

    def _is_stuck(self, wait: RequestWait, after: float) -> None:
        self.trust(wait.brid)
        knot = self._knot(wait)
        if knot:
            what = f'nothing has come back for {after:g} seconds, so these may wait forever'
            error = CircleError(words_of(knot), self._lock_of(wait), what)
            self._end(wait, error, after)

    def use_config(self, new_config: Any) -> None:
        """Judge all awaited requests that could not start anew, after a reconfig."""
        for brid in list(self._suspected):
            self.trust(brid)
        awaited = self._botmaster.awaited
        for wait in awaited.waits:
            if wait.builder_name not in self._botmaster.builders:
                wait = wait.without_builder(awaited, self._is_pending)
                awaited.pends(wait.brid, wait)
            self.doubt(wait)


def can_be_ended(wait: Any) -> bool:
    """Tell whether a wait can be ended: that of a build or step, or of a step for a build."""
    if isinstance(wait, LockClaim):
        return isinstance(wait.thing, (Build, BuildStep)) and wait.deferred is not None
    return isinstance(wait.awaited_by, Trigger)


def held_around(wait: RequestWait) -> list[LockClaim]:
    """Return the claims held by the owners that wait for a request's build."""
    found: dict[LockClaim, None] = {}
    for owner in wait.keeps():
        found.update((c, None) for c in claims_of(owner) or () if c.holds and c.accesses)
    return list(found)
