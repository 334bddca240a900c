# SPDX-License-Identifier: GPL-2.0-only
"""New: one copy of a lock, on the lock rule, with the Deferreds of those who wait for it."""

from __future__ import annotations

from typing import Any
from typing import ClassVar
from typing import Iterator
from typing import Protocol
from typing import Sequence

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.claim import Claim
from buildbot.locking.claim import set_capacity
from buildbot.locking.deadlock import could_go
from buildbot.locking.deadlock import find_deadlock
from buildbot.locking.owner import LockOwner
from buildbot.locking.owner import key_of
from buildbot.locking.owner import owners_around
from buildbot.locking.owner import thing_of
from buildbot.locking.owner import waits_of
from buildbot.locking.pool import Lock
from buildbot.locking.pool import Want
from buildbot.locking.queue import is_available
from buildbot.util import subscription
from buildbot.util.eventual import eventually


class Access(Protocol):
    """How a lock is to be taken. It says so, and takes nothing itself."""

    mode: str
    count: int
    checked: ClassVar[bool]


class LockError(Exception):
    """A lock cannot be had as it is asked for, now or ever; the text says which and why."""


class UnitsError(LockError):
    """More units are wanted than there are."""


class CircleError(LockError):
    """To wait would close a circle of those who wait for one another."""


class Wait:
    """One owner's way from asking for some locks to holding them.

    The rule grants a claim before anybody else can ask; the owner hears of it a turn of the reactor
    later, and takes each lock with ``claim``, or stops waiting and so gives it back.

    :param owner: who waits.
    :param accesses: pairs of lock and access, each lock once; not all of them were available when
        asked right before.
    :param before: a wait right before which it has its place, or None.
    :ivar deferred: fires when the locks can be claimed; None once it has.
    :raises UnitsError: more units of a lock are wanted than it has.
    :raises CircleError: to wait would close a circle of those who wait for one another, so that
        none of them would ever go on.
    """

    __slots__ = ('accesses', 'around', 'claim', 'deferred')

    def __init__(
        self,
        owner: Any,
        accesses: Sequence[tuple[BaseLock, Access]],
        before: Wait | None = None,
    ) -> None:
        self.accesses = accesses
        self.deferred: defer.Deferred[BaseLock | None] | None = defer.Deferred()
        self.around = owners_around(owner)
        self.claim = claim_of(owner, accesses, self.around, self)
        if before is not None:
            self.claim.be_before(before.claim)
        if isinstance(owner, LockOwner):
            self.around.append(owner)
        key = self.claim.owner
        for lock, _ in accesses:
            assert key not in lock._waits, f'{owner} waits for {lock} already'
            lock._waits[key] = self
        self.claim.enter_line()
        if self.around:
            self._begin_to_wait()

    def _begin_to_wait(self) -> None:
        for thing in self.around:
            if thing.lock_waits is None:
                thing.lock_waits = {}
            thing.lock_waits[self] = None
        held = [lock for thing in self.around for lock in thing.locks_held or ()]
        if any(lock._rule.busy for lock in held) or self.claim.may_be_in_front():
            self.check_circle()
        # else it keeps nothing from anybody, so it closes no circle

    def check_circle(self) -> None:
        """End the wait if it is one of those who wait for one another.

        :raises CircleError: it is. Those in it who can yield their place in line have done so.
        """
        circle = find_deadlock(self.claim, waits_of)
        while any(self._yields(claim) for claim in circle):
            circle = find_deadlock(self.claim, waits_of)
        if circle:
            why = '; '.join(wait.tell() for c in circle for wait in self._waits_with(c))
            self._leave()
            self.claim.end()
            raise CircleError(f'these would wait for one another for ever: {why}')

    def _yields(self, claim: Claim) -> bool:
        thing = thing_of(claim.owner)
        if claim is self.claim or not getattr(thing, 'lock_may_yield', False):
            return False
        thing.yield_place()
        return True

    def _waits_with(self, claim: Claim) -> Iterator[Wait]:
        if claim is self.claim:
            yield self
            return
        # an owner from outside may have no place for its waits
        waits = getattr(thing_of(claim.owner), 'lock_waits', None) or ()
        yield from (wait for wait in waits if wait.claim is claim)

    def tell(self) -> str:
        """Say who waits for what, and who holds it."""
        held = [
            f'{lock} held by {" and ".join(map(repr, lock._rule.held)) or "nobody"}'
            for lock, _ in self.accesses
        ]
        return f'{self.claim.owner!r} waits for {", ".join(held)}'

    def _leave(self) -> None:
        for lock, _ in self.accesses:
            if lock._waits.get(self.claim.owner) is self:
                del lock._waits[self.claim.owner]
        self._wait_no_more()

    def _wait_no_more(self) -> None:
        for thing in self.around:
            if thing.lock_waits is not None:
                thing.lock_waits.pop(self, None)

    def _granted(self) -> None:
        if self.around:
            self._wait_no_more()
        if len(self.accesses) > 1:
            self._tell_refused()  # a lock that has drained for it may have units left for others
        eventually(self._fire)

    def _drains(self) -> None:
        eventually(self._check_drain)

    def _check_drain(self) -> None:
        if self.claim.is_draining and find_deadlock(self.claim, waits_of):
            self.claim.be_patient()

    def _hopeless(self) -> None:
        too_large = self.claim.too_large()[0].lock
        self.fail(
            *(lock._too_few(access) for lock, access in self.accesses if lock._rule is too_large)
        )

    def _fire(self) -> None:
        if self.deferred is not None:
            d, self.deferred = self.deferred, None
            d.callback(self.accesses[0][0])

    def stop(self) -> None:
        """Wait no longer; what has been granted and not been taken goes to the next in line."""
        woken = self.claim.holds
        for lock, _ in self.accesses:
            if lock._waits.get(self.claim.owner) is self:
                self.claim.let_go(lock._rule)
        self._leave()
        if not woken:
            self.claim.end()
        self._tell_refused()
        if not woken:
            self._fire()

    def fail_in_circle(self) -> None:
        """End the wait with its failure if it is one of those who wait for one another."""
        try:
            self.check_circle()
        except LockError as e:
            self.fail(str(e))

    def fail(self, why: str) -> None:
        """End a wait that can never come to an end by itself."""
        self._leave()
        self._tell_refused()
        if self.deferred is not None:
            d, self.deferred = self.deferred, None
            d.errback(LockError(why))

    def _tell_refused(self) -> None:
        # who does not wait here, but was refused because of this wait, may ask again
        for lock, _ in self.accesses:
            lock.release_subs.deliver()


class BaseLock:
    """One copy of a lock: who holds it, and who waits for it.

    Owners are told apart by what they are, not by ``==``. An owner that is nested in a holder (see
    ``LockOwner``) takes of what that holds.

    :param name: of the lock.
    :param maxCount: units there are.
    :param place: the worker or branch that it is for, if there is a copy for each.
    :param family: the lock that it is a copy of, if there are several.
    :cvar kind: what the configuration calls such a lock.
    :ivar label: the name with which people are told of this copy.
    """

    kind = 'BaseLock'

    def __init__(
        self, name: str, maxCount: int = 1, place: str | None = None, family: Any = None
    ) -> None:
        super().__init__()
        self.lockName = name
        self.label = name if place is None else f'{name}[{place}]'
        self.family = family  # which lives as long as one of its copies
        self._rule = Lock(maxCount)
        self._waits: dict[Any, Wait] = {}
        self._taken: dict[Any, list[tuple[Access, Claim]]] = {}
        self.release_subs = subscription.SubscriptionPoint(f'releases of lock {self.label}')

    def __repr__(self) -> str:
        return self.label

    @property
    def description(self) -> str:
        """What the release calls it; people are told its label."""
        kind = self.kind if self.family is None else self.family.kind
        return f'<{kind}({self.lockName}, {self.maxCount}){self.label[len(self.lockName) :]}>'

    @property
    def is_idle(self) -> bool:
        """Whether nobody holds it or waits for it."""
        return not self._rule.held and not self._waits

    @property
    def maxCount(self) -> int:
        return self._rule.capacity

    @property
    def owners(self) -> list[Any]:
        """Who holds it or has just been granted it, in the order in which they were."""
        return [thing_of(key) for key in self._rule.held]

    @property
    def waiting(self) -> list[Any]:
        """Who waits for it."""
        return [thing_of(key) for key, wait in self._waits.items() if wait.claim.waiting]

    def tell_holders(self, requester: Any) -> str:
        """Say what its name is, and who kept it from an owner: three, and how many others.

        It is said in the past tense, for what is said once is not kept true. Of those who hold it
        inside of one another, only the outermost are told, as seen from there.
        """
        pool = self._rule.pool_for([key_of(owner) for owner in owners_around(requester)])
        held = [holding.owner for holding in pool.holdings or self._rule.holdings]
        if not held:
            return f'{self.label}, for which others waited'
        more = f' and {len(held) - 3} others' if len(held) > 3 else ''
        return f'{self.label}, which was held by {", ".join(map(repr, held[:3]))}{more}'

    def setMaxCount(self, count: int) -> None:
        """Change the units there are. Those who waited for more than that fail, and say so."""
        before = self._rule.capacity
        if before and before != count:
            log.msg(f'{self} has {in_units(count)} now; it had {before}')
        set_capacity(self._rule, count)
        if count > before:
            self.release_subs.deliver()
        elif count < before:
            for wait in list(self._waits.values()):
                if wait.claim.waiting:
                    wait.fail_in_circle()

    def _too_few(self, access: Access) -> str:
        wanted = in_units(access.count)
        return f'{wanted} of {self} can never be had, for it has {self.maxCount}'

    def isAvailable(self, requester: Any, access: Access) -> bool:
        """Tell whether the requester could claim it now, whose turn it is being considered."""
        if not access.count:
            return True
        wait = self._waits.get(key_of(requester)) if self._waits else None
        if wait is not None:
            return wait.claim.holds or wait.claim.could_have(self._rule)
        exclusive = access.mode == 'exclusive'
        if not isinstance(requester, LockOwner):
            return is_available(self._rule, exclusive, access.count)
        ancestors = [key_of(owner) for owner in owners_around(requester)]
        return is_available(
            self._rule,
            exclusive,
            access.count,
            ancestors,
            requester.lock_priority,
            requester.lock_age,
            requester.lock_choice,
        )

    def claim(self, owner: Any, access: Access) -> None:
        """Claim it; it must be available."""
        assert owner is not None, 'a lock needs an owner'
        if access.checked is not True:
            check_access(access)
        if not access.count:
            return
        wait = self._waits.pop(key_of(owner), None) if self._waits else None
        if wait is None:
            claim = claim_of(owner, [(self, access)], owners_around(owner))
            claim.enter(wait=False)
        else:
            claim = wait.claim
        assert claim.holds, 'ask for isAvailable() first'
        self._take(owner, access, claim)

    def _take(self, owner: Any, access: Access, claim: Claim) -> None:
        self._taken.setdefault(claim.owner, []).append((access, claim))
        if isinstance(owner, LockOwner):
            if owner.locks_held is None:
                owner.locks_held = {}
            owner.locks_held[self] = owner.locks_held.get(self, 0) + 1

    def subscribeToReleases(self, callback: Any) -> subscription.Subscription:
        """Call back, without arguments, when it is released or somebody waits no longer."""
        return self.release_subs.subscribe(callback)

    def release(self, owner: Any, access: Access) -> None:
        """Release what was claimed with this access; if it was not, nothing happens."""
        key = key_of(owner)
        taken = self._taken.get(key, [])
        for entry in taken:
            if entry[0] is access or entry[0] == access:
                if len(taken) == 1:
                    del self._taken[key]
                else:
                    taken.remove(entry)
                if isinstance(owner, LockOwner) and owner.locks_held:
                    left = owner.locks_held[self] = owner.locks_held[self] - 1
                    if not left:
                        del owner.locks_held[self]
                entry[1].let_go(self._rule)
                self.release_subs.deliver()
                return

    def waitUntilMaybeAvailable(self, owner: Any, access: Access) -> defer.Deferred:
        """Wait in line for it.

        :returns: Deferred that fires when the owner may claim it, which must then be done, or
            ``stopWaitingUntilAvailable`` be called.
        """
        if self.isAvailable(owner, access):
            return defer.succeed(self)
        wait = Wait(owner, ((self, access),))
        assert wait.deferred is not None
        return wait.deferred

    def stopWaitingUntilAvailable(self, owner: Any, access: Access, d: defer.Deferred) -> None:
        """Wait no longer, for this lock and for those that were asked for together with it.

        :param d: what was returned to wait with. It is fired if it has not been.
        """
        wait = self._waits.get(key_of(owner))
        assert wait is not None, f'{owner} does not wait for {self}'
        assert wait.claim.holds or d is wait.deferred, (
            'this is not the Deferred that was waited with'
        )
        wait.stop()

    def isOwner(self, owner: Any, access: Access) -> bool:
        """Tell whether the owner has claimed it with this access, and not released it."""
        taken = self._taken.get(key_of(owner), ())
        return any(a is access or a == access for a, _ in taken)


def claim_of(
    owner: Any,
    accesses: Sequence[tuple[BaseLock, Access]],
    around: Sequence[LockOwner],
    wait: Wait | None = None,
) -> Claim:
    """Make what stands in the lock rule for an owner's wish for some locks.

    :param accesses: each lock once, none with a count of 0.
    :param around: the owners that this one is nested in, from the nearest out.
    :param wait: what is told what becomes of the claim if it has to wait; None if it never does.
    :raises UnitsError: more units of a lock are wanted than it has.
    """
    ancestors = [key_of(thing) for thing in around]
    wants = []
    for lock, access in accesses:
        exclusive = access.mode == 'exclusive'
        if not exclusive and access.count > lock._rule.most_for(ancestors):
            raise UnitsError(lock._too_few(access))
        wants.append(Want(lock._rule, exclusive, access.count))
    priority, age, choice = 0, None, None
    if isinstance(owner, LockOwner):
        priority, age, choice = owner.lock_priority, owner.lock_age, owner.lock_choice
    key = key_of(owner)
    if wait is None:
        return Claim(key, wants, priority, ancestors, age=age, choice=choice)
    told = wait._granted, wait._drains, wait._hopeless
    return Claim(key, wants, priority, ancestors, *told, age, choice)


def claim_together(owner: Any, accesses: Sequence[tuple[BaseLock, Access]]) -> bool:
    """Claim several locks as one, all or none of them.

    To claim one after the other would not do: the first may bring somebody who waits for several
    of them to the end of his patience, and then the next is kept for him.

    :param accesses: each lock once.
    :returns: whether they are held.
    """
    wanted = [(lock, access) for lock, access in accesses if access.count]
    key = key_of(owner)
    waits = {lock._waits[key] for lock, _ in wanted if key in lock._waits}
    if waits:
        if not all(wait.claim.holds for wait in waits):
            return False
        for lock, access in wanted:
            lock.claim(owner, access)
        return True
    for _, access in wanted:
        check_access(access)
    try:
        claim = claim_of(owner, wanted, owners_around(owner))
    except UnitsError:
        return False
    if wanted and not claim.enter(wait=False):
        return False
    for lock, access in wanted:
        lock._take(owner, access, claim)
    return True


def would_do(
    owner: Any, accesses: Sequence[tuple[BaseLock, Access]], others: Sequence[Wait]
) -> bool:
    """Tell whether locks could be had if others gave back what they have been granted.

    :param accesses: each lock once, none with a count of 0.
    """
    try:
        claim = claim_of(owner, accesses, owners_around(owner))
    except UnitsError:
        return False
    holders = {holder for want in claim.wants for holder in want.lock.held}
    return could_go(claim, holders.difference(other.claim.owner for other in others))


def check_access(access: Access) -> None:
    """Assert that a lock can be taken like this."""
    problem = problem_of_access(access)
    assert problem is None, problem


def problem_of_access(access: Access) -> str | None:
    """Say why no lock can be taken like this; None if one can."""
    if access.mode not in ('counting', 'exclusive'):
        return f"{access.mode!r} is no way to take a lock; it is 'counting' or 'exclusive'"
    if not is_number_of_units(access.count):
        return f'{access.count!r} is no number of units of a lock'
    if access.mode == 'exclusive' and access.count != 1:
        count = access.count
        return f'exclusive access takes all units of a lock, so a count of {count} has no meaning'
    return None


def is_number_of_units(value: Any) -> bool:
    """Tell whether there can be so many units."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def in_units(count: int) -> str:
    """Say how many units these are."""
    return f'{count} unit' if count == 1 else f'{count} units'
