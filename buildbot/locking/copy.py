# SPDX-License-Identifier: GPL-2.0-only
"""New: one copy of a lock, with Deferreds for the claims that wait for it."""

from __future__ import annotations

from typing import Any
from typing import Callable
from typing import ClassVar
from typing import Collection
from typing import Iterable
from typing import Iterator
from typing import Protocol
from typing import Sequence

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.claim import ENDED
from buildbot.locking.claim import HELD
from buildbot.locking.claim import Claim
from buildbot.locking.claim import end_hopeless
from buildbot.locking.claim import set_capacity
from buildbot.locking.deadlock import find_deadlock
from buildbot.locking.owner import LockOwner
from buildbot.locking.owner import claims_of
from buildbot.locking.owner import key_of
from buildbot.locking.owner import owners_around
from buildbot.locking.owner import thing_of
from buildbot.locking.owner import waits_of
from buildbot.locking.plain import plain
from buildbot.locking.pool import Holding
from buildbot.locking.pool import Lock
from buildbot.locking.pool import Want
from buildbot.locking.queue import is_available
from buildbot.locking.queue import place_in_front
from buildbot.locking.resource import Resource
from buildbot.util import subscription
from buildbot.util.eventual import eventually


class Access(Protocol):
    """How a lock is to be taken. It holds nothing; a claim does."""

    checked: ClassVar[bool]

    @property
    def mode(self) -> str: ...

    @property
    def count(self) -> int: ...


#: what can happen to a copy: units are claimed or released; somebody begins to wait, or stops
#: waiting without being granted; the number of units changes; a person has changed the order of the
#: queue, a hold by hand, or whether the copy is in use
NEWS = CLAIMED, RELEASED, WAITING, LEFT, LIMIT, CHANGED = (
    *('claimed', 'released', 'waiting', 'left', 'limit', 'changed'),
)


class InUse(Protocol):
    """Receives the news of copies of locks; see ``LocksInUse``. It does not change them."""

    record: Callable[[Any], Any] | None
    long_waits: Any

    def announce(self, lock: BaseLock, news: str) -> None: ...

    def report(self, lock: BaseLock, what: str, text: str) -> None: ...


class LockError(Exception):
    """A lock cannot be taken as it is asked for, now or ever; the text says which and why."""


class UnitsError(LockError):
    """More units are wanted than there are."""


class CircleError(LockError):
    """A wait could never end, because owners wait for one another.

    :param waits: for each of these owners, what it waits for and who holds that.
    :param lock: the copy that would be waited for; None if it is none.
    :param what: what the text says about these waits.
    """

    def __init__(
        self,
        waits: Sequence[str],
        lock: BaseLock | None,
        what: str = 'these would wait for one another forever',
    ) -> None:
        super().__init__(f'{what}: {"; ".join(waits)}')
        self.waits = waits
        self.lock = lock


class LockClaim(Claim):
    """One owner's claim of some copies of locks, with a Deferred for its wait.

    It is the only handle on what is held: its owner keeps it, and ends it. It is not an access,
    which only says how a lock is to be taken.

    :param owner: who is to hold the copies.
    :param accesses: pairs of copy and access, each copy once; an access with count 0 takes nothing.
    :ivar deferred: fires when the wait is over; None if nothing waits for that.
    :raises UnitsError: more units of a copy are wanted than it has.
    """

    __slots__ = ('_listed_in', 'accesses', 'deferred')

    def __init__(self, owner: object, accesses: Sequence[tuple[BaseLock, Access]]) -> None:
        self.deferred: defer.Deferred[BaseLock | None] | None = None
        wants = []
        for lock, access in accesses:
            if access.count:  # the count of an exclusive access is 1
                wants.append(lock.want_of(access, owner))
            else:
                accesses = [pair for pair in accesses if pair[1].count]
        self.accesses = accesses
        key = key_of(owner)
        # while it waits, it is among the claims of its owner and of the owners around it
        self._listed_in: Sequence[dict[Claim, None]] = ()
        if isinstance(owner, LockOwner):
            ancestors = [key_of(thing) for thing in owners_around(owner)]
            self._listed_in = [each.claims for each in (key, *ancestors)]
            ancestors += quarantines_open_to(owner, accesses)
            standing = (owner.lock_priority, ancestors, owner.lock_age, owner.lock_choice)
            Claim.__init__(self, key, wants, *standing, owner.lock_moved_at)
        else:
            Claim.__init__(self, key, wants)

    def take_at_once(self) -> bool:
        """Hold the copies if it is the owner's turn; otherwise do not wait.

        :returns: whether they are held.
        """
        if not self.enter(wait=False):
            return False
        if self.accesses:
            for claims in self._listed_in[:1]:
                claims[self] = None
            self.announce(CLAIMED)
        return True

    def announce(self, news: str) -> None:
        """Tell what has happened to each of its copies, one of ``NEWS``."""
        for lock, _ in self.accesses:
            if lock.in_use is not None:  # avoids a call for nothing each time units change hands
                lock.announce(news)

    def wait(self) -> defer.Deferred[BaseLock | None]:
        """Wait in line, right after it turned out that not all of the copies were available.

        When it is the owner's turn, the copies are held before anybody else can ask; the owner
        hears of it one turn of the reactor later.

        :returns: Deferred that fires when the wait is over: the copies are held, or the claim has
            been ended. It fails with ``LockError`` if there are too few units from now on.
        :raises CircleError: owners would wait for one another forever.
        """
        d = self.deferred = defer.Deferred()
        self.enter_line()
        listed_in = self._listed_in
        if listed_in:
            for claims in listed_in:
                claims[self] = None
            if self._keeps_others() or self.thing.keeps_place or self.may_be_in_front():
                self.check_circle(is_new=True)
            # otherwise nothing waits for its owner, so it closes no circle
        self.announce(WAITING)
        return d

    def _keeps_others(self) -> bool:
        # whether its owner, or an owner around that, holds what somebody waits for
        held = [c for claims in self._listed_in for c in claims if c.holds]
        locks = (want.lock for c in held for want in c.wants)
        return any(each.busy for lock in locks for each in (lock, *lock.rivals))

    def stand_in_front(self, moved_at: float | None) -> None:
        """Wait in front of all others, or at its own place again.

        :param moved_at: when a person moved it to the front, in seconds of the master's clock; None
            to give it its own place again.
        """
        own = self.place_of_its_own
        self.stand_at(own if moved_at is None else place_in_front(moved_at, own))
        self.announce(CHANGED)

    @property
    def thing(self) -> Any:
        """The owner itself, not the key that stands for it."""
        return thing_of(self.owner)

    def ask_anew(self) -> None:
        """Wait for what its accesses ask for now. Nothing is granted."""
        self.wants = [lock.want_of(access, self.thing) for lock, access in self.accesses]
        self._find_pools()
        self._move()

    def nest_anew(self, left: Collection[Any]) -> None:
        """Wait inside the owners that are around its own now. Nothing is granted.

        :param left: the keys of those that were around it until now, of which some may still be.
        """
        for key in left:
            key.claims.pop(self, None)
        around = [key_of(thing) for thing in owners_around(self.thing)]
        self._listed_in = [each.claims for each in (self.owner, *around)]
        for claims in self._listed_in:
            claims[self] = None
        known = {*left, *around}
        self.ancestors = [*around, *(key for key in self.ancestors if key not in known)]
        self._find_pools()
        self._move()

    def join_quarantine(self) -> None:
        """Wait inside the quarantine that has begun to hold one of its copies, if its owner may."""
        around = [key_of(thing) for thing in owners_around(self.thing)]
        self.ancestors = [*around, *quarantines_open_to(self.thing, self.accesses)]
        self.stand_at(self.place)

    def refused(self) -> list[BaseLock]:
        """Return those of its copies that are not available now."""
        return [lock for lock, _ in self.accesses if not self.could_have(lock._rule)]

    def as_wait(self) -> Any:
        """Return the wait that this claim may end; its own, unless it is one way of several."""
        thing = thing_of(self.owner)
        wait = thing.lock_wait if isinstance(thing, LockOwner) else None
        return self if wait is None else wait

    def check_circle(self, is_new: bool = False) -> None:
        """End the claim if it closes a circle that no owner in it can break by yielding its place.

        :param is_new: whether it has just entered the line, so that nobody was refused because of
            it: asking others to try again could go on forever among those in a circle.
        :raises CircleError: it closes one.
        """
        own = self.as_wait()
        circle = find_deadlock(own, waits_of)
        while any(wait.yields() for wait in circle if wait != own):
            circle = find_deadlock(own, waits_of)
        if circle:
            self.deferred = None
            error = self.error_of(circle)
            if is_new:
                Claim.end(self)
                self._forget()
            else:
                self.end()
            raise error

    def error_of(self, circle: Iterable[Any]) -> CircleError:
        """Return the error which says that its wait is in a circle.

        :param circle: the waits in it.
        """
        return CircleError(words_of(circle), (self.refused() or [self.accesses[0][0]])[0])

    def fail(self, error: LockError) -> None:
        """End the claim because of an error, which its owner is told."""
        d, self.deferred = self.deferred, None
        self.end()
        if d is not None:
            d.errback(error)

    def yields(self) -> bool:
        """Stop draining, or leave the line if its owner may, which only asks again later."""
        if self.is_draining:
            self.be_patient()
            return True
        thing = thing_of(self.owner)
        if not getattr(thing, 'lock_may_yield', False):
            return False
        thing.yield_place()
        return True

    def describe(self) -> str:
        """Say who waits for what, and who holds it."""
        thing = self.thing
        worker = thing.lock_worker if isinstance(thing, LockOwner) else None
        where = '' if worker is None else f' on {worker}'
        return f'{self.owner!r}{where} waits for {self.describe_locks()}'

    def describe_locks(self) -> str:
        """Name its copies, and who holds each of them."""
        held = [
            f'{lock} held by {" and ".join(map(repr, lock._rule.holders())) or "nobody"}'
            for lock, _ in self.accesses
        ]
        return ', '.join(held)

    def end(self) -> None:
        """Give back what is held, or leave the line. A second call does nothing."""
        was_held = self.holds
        if was_held or self.waiting:
            self.announce(RELEASED if was_held else LEFT)
            super().end()
            self._has_ended()
        if not was_held:
            self._fire()

    def give_back(self, lock: BaseLock) -> None:
        """Give back one of the copies that it holds."""
        if lock.in_use is not None:  # as in announce
            lock.announce(RELEASED)
        self.let_go(lock._rule)
        if self._listed_in and self.state is not HELD:
            self._forget()
        if lock.release_subs.subscriptions:  # as above
            lock.announce_release()

    def stopWaitingUntilAvailable(self, owner: object, access: object, d: defer.Deferred) -> None:
        """End the claim. Buildbot's methods use this to end a wait, as if it were for one lock."""
        self.end()

    def fail_in_circle(self) -> None:
        """Let ``deferred`` fail if, in a circle, its owner keeps others from going on.

        If only its draining keeps them, it stops that instead.
        """
        self._check_drain()
        if not self._keeps_others():
            return  # another wait in this line is in the same circle and fails
        self._fail_in_any_circle()

    def _fail_in_any_circle(self) -> None:
        if not self.waiting:
            return  # it has been granted or ended meanwhile
        d = self.deferred
        try:
            self.check_circle()
        except CircleError as e:
            if d is not None:
                d.errback(e)

    def granted(self) -> None:
        if self._listed_in:
            for claims in self._listed_in[1:]:
                claims.pop(self, None)
        if len(self.accesses) > 1:
            self._announce_releases()  # a claim that drained for it may leave units over
        self.announce(CLAIMED)
        eventually(self._fire)

    def moved_out(self) -> None:
        eventually(self._fail_in_any_circle)

    def drains(self) -> None:
        eventually(self._check_drain)

    def _check_drain(self) -> None:
        if self.is_draining and find_deadlock(self.as_wait(), waits_of):
            self.be_patient()

    def hopeless(self, want: Want) -> None:
        self._has_ended()
        self.announce(LEFT)
        d, self.deferred = self.deferred, None
        if d is not None:
            d.errback(self.too_many(want))

    def too_many(self, want: Want) -> Exception:
        lock, access = self.accesses[self.wants.index(want)]
        return UnitsError(lock.never(access, self.thing))

    def resources(self) -> dict[str, list[Resource]]:
        """Return what it holds of each pool, by the name of the pool."""
        found: dict[str, list[Resource]] = {}
        for holding in self.holdings:
            if holding.resources:
                lock = next(lock for lock, _ in self.accesses if lock._rule is holding.pool.lock)
                found.setdefault(lock.lockName, []).extend(holding.resources)
        return found

    def _has_ended(self) -> None:
        self._forget()
        self._announce_releases()

    def _forget(self) -> None:
        for claims in self._listed_in:
            claims.pop(self, None)

    def _announce_releases(self) -> None:
        # an owner that was refused because of this claim, and that does not wait in line, may ask
        # again
        for lock, _ in self.accesses:
            lock.announce_release()

    def _fire(self) -> None:
        d = self.deferred
        if d is not None:
            self.deferred = None
            d.callback(self.accesses[0][0])


def nest_anew(claims: Sequence[LockClaim], left: Collection[Any]) -> None:
    """Let waiting claims wait inside the owners that are around their own now.

    None of them is granted anything before all of them have moved.

    :param left: the keys of those that were around any of them until now; some may still be.
    """
    pools = {pool: None for claim in claims for pool in claim.pools}
    for claim in claims:
        claim.nest_anew(left)
        pools.update(dict.fromkeys(claim.pools))
    end_hopeless(claims, [*pools])
    for claim in claims:
        claim.moved_out()


class BaseLock:
    """One copy of a lock, with the interface of Buildbot's class of this name. It is not the lock.

    Owners are compared by identity. An owner that is nested in a holder (see ``LockOwner``) shares
    what the holder has.

    :param name: of the lock.
    :param maxCount: its number of units.
    :param of: the worker, branch or key whose copy it is; None if there is only one copy.
    :param family: the lock that it is a copy of, if there are several.
    :cvar kind: what the configuration calls such a lock.
    :ivar label: its name; messages use it as one line of plain text.
    :ivar in_use: told of what happens to this copy; None if nobody is.
    :ivar key: identifies the copy in its family.
    :ivar by_hand: the owners that are people, whether they hold it or wait.
    :ivar quarantine: the owner that keeps it out of use; None if it is in use.
    """

    kind = 'BaseLock'
    has_resources = False  # whether its units have names
    quarantine: Any = None
    by_hand: Sequence[Any] = ()
    key: Any = None

    def __init__(
        self, name: str, maxCount: int = 1, of: str | None = None, family: Any = None
    ) -> None:
        super().__init__()
        self.lockName = name
        self.label = name if of is None else f'{name}[{of}]'
        self.family = family  # keeps the family alive as long as one of its copies
        self.in_use: InUse | None = None
        self._rule = Lock(maxCount)
        # claims made by waitUntilMaybeAvailable, by the key of the owner
        self._asked: dict[Any, LockClaim] = {}
        self.release_subs = subscription.SubscriptionPoint(f'releases of lock {self}')

    def __repr__(self) -> str:
        return plain(self.label)

    @property
    def description(self) -> str:
        """What Buildbot calls it; people are told its label."""
        kind = self.kind if self.family is None else self.family.kind
        return f'<{kind}({self.lockName}, {self.maxCount}){self.label[len(self.lockName) :]}>'

    @property
    def is_idle(self) -> bool:
        """Whether nobody holds it or waits for it."""
        return not self._rule.held and not self._rule.busy

    @property
    def maxCount(self) -> int:
        return self._rule.capacity

    @property
    def used(self) -> int:
        """The number of units that nobody else can have."""
        return max(self.maxCount, 1) if self.is_held_exclusively else self._rule.used

    def units_of(self, exclusive: bool, units: int) -> int:
        """Return how many units an access takes; an exclusive one takes all of them."""
        return self.maxCount if exclusive else units

    @property
    def is_held_exclusively(self) -> bool:
        return self._rule.held_whole

    @property
    def line_length(self) -> int:
        """How many claims wait for it."""
        return sum(len(line) for pool in self._rule.busy for line in pool.lines.values())

    def unsorted_line(self) -> Iterator[LockClaim]:
        """Yield the claims that wait for it, in no order."""
        for pool in self._rule.busy:
            for line in pool.lines.values():
                yield from line

    def holdings(self) -> list[Holding]:
        """Return its holdings, in the order in which they were granted."""
        return [holding for held in self._rule.held.values() for holding in held]

    def free_resources(self) -> list[Resource]:
        """Return the resources that nobody has; none if this is not a resource pool."""
        return []

    @property
    def owners(self) -> list[Any]:
        """The owners that hold it or have just been granted it, in the order of the grants."""
        return [thing_of(key) for key in self._rule.held]

    @property
    def waiting(self) -> list[Any]:
        """The owners that wait for it."""
        return [thing_of(claim.owner) for claim in self._rule.claims()]

    def describe_holders(self, requester: object) -> str:
        """Say which owners kept the copy from another one: three names, and how many others.

        It is in the past tense, since a message is not kept up to date. Of holders nested in one
        another only the outermost is named, as the other owner sees them.
        """
        return f'{self}, {self.who_was_in_the_way(requester)}'

    def who_was_in_the_way(self, requester: object) -> str:
        """Say the same without the name of the copy."""
        held = self.holders_in_the_way(requester)
        if not held:
            return 'for which others waited'
        more = f' and {len(held) - 3} others' if len(held) > 3 else ''
        names = ', '.join(repr(key_of(owner)) for owner in held[:3])
        return f'which was held by {names}{more}'

    def holders_in_the_way(self, requester: object) -> list[Any]:
        """Return the owners that hold units which another owner could get.

        Of holders nested in one another only the outermost is returned, as the other owner sees
        them; holders that the other owner is nested in are not in its way.
        """
        found, inner = [], None
        for pool in self._rule.pool_for(map(key_of, owners_around(requester))).around():
            found += [h for h in pool.holdings if inner is None or h.inside is not inner]
            inner = pool
        return [thing_of(holding.owner) for holding in found]

    def resources_of(self, owner: object) -> list[Resource]:
        """Return the resources of this copy that an owner holds, if its units have names."""
        return [each for h in self._rule.held.get(key_of(owner), ()) for each in h.resources]

    def people_on(self, workername: str) -> Sequence[Any]:
        """Return the people who hold what owners on a worker could have, or wait for it."""
        return self.by_hand

    def out_of_use_for(self, accesses: Iterable[Any], workername: str) -> BaseLock | None:
        """Return the copy whose quarantine an owner on a worker would wait for, or None.

        :param accesses: how the owner takes this copy, one after the other.
        """
        return None if self.quarantine is None else self

    def names_held_by(self, owner: object) -> list[str]:
        """Return the names of the units that an owner holds; none if its units are alike."""
        return []

    def access_again(self, access: Access, names: Sequence[str]) -> Access:
        """Return an access to the units with these names, as far as they exist.

        :param access: how they were taken; returned if the units of the copy are alike.
        """
        return access

    def is_shared_with(self, owner: object) -> bool:
        """Tell whether the copy is held by an owner that this one is nested in."""
        return any(key_of(around) in self._rule.held for around in owners_around(owner))

    def line(self) -> list[LockClaim]:
        """Return the claims that wait for it, in order."""
        return self._rule.claims()

    def line_behind(self) -> list[LockClaim]:
        """Return the claims that may have to wait for its holders, in order."""
        return self.line()

    def never(self, access: Access, owner: object = None) -> str:
        """Say that what an access asks for can never be granted.

        :param owner: who asks for it.
        """
        return f'{in_units(access.count)} of {self} can never be granted: it has {self.maxCount}'

    def want_of(self, access: Access, owner: object = None) -> Want:
        """Return what an access asks for; its count is not 0.

        :param owner: who asks for it.
        """
        if access.mode == 'exclusive':
            return self._rule.whole
        return Want(self._rule, False, access.count)

    def setMaxCount(self, count: int) -> None:
        """Change the number of units. Claims that wait for more units than that fail."""
        before = self._rule.capacity
        if before and before != count:
            log.msg(f'{self} has {in_units(count)} now; it had {before}')
        set_capacity(self._rule, count)
        if before and before != count:
            self.announce(LIMIT)
        if count > before:
            self.announce_release()
        elif count < before:
            for claim in self._rule.claims():
                claim.fail_in_circle()

    def isAvailable(self, requester: object, access: Access) -> bool:
        """Tell whether the requester could claim it now, without going before others in line."""
        if not access.count:
            return True
        key = key_of(requester)
        if self._has_granted(key, access):
            return True
        granted = self._claim_of(key, access)
        if granted is not None and granted.deferred is not None:
            return True  # the owner is about to be told
        want = self.want_of(access, requester)
        if not isinstance(requester, LockOwner):
            return is_available(want)
        ancestors = [key_of(owner) for owner in owners_around(requester)]
        ancestors += quarantines_open_to(requester, ((self, access),))
        return is_available(
            want,
            ancestors,
            requester.lock_priority,
            requester.lock_age,
            requester.lock_choice,
            requester.lock_moved_at,
        )

    def claim(self, owner: object, access: Access) -> None:
        """Claim the copy, which must be available."""
        assert owner is not None, 'a lock needs an owner'
        key = key_of(owner)
        if self._has_granted(key, access):
            del self._asked[key]
            return
        if access.checked is not True:
            check_access(access)
        if not access.count:
            return
        granted = LockClaim(owner, ((self, access),)).take_at_once()
        assert granted, 'ask for isAvailable() first'
        self._forget_asked(key)

    def _has_granted(self, key: Any, access: Access) -> bool:
        # whether the owner has waited with this access, and has not yet taken what it was granted
        asked = self._asked.get(key)
        if asked is None or asked.state is not HELD:
            return False
        own = asked.accesses[0][1]
        return own is access or own == access  # == of accesses is slow

    def _forget_asked(self, key: Any) -> None:
        asked = self._asked.pop(key, None)
        if asked is not None:
            asked.end()

    def _claim_of(self, key: Any, access: Access) -> LockClaim | None:
        held = self._rule.held.get(key)
        if held is not None:
            asked = self._asked.get(key)
            for holding in held:
                claim = holding.claim
                if claim is not asked and (self, access) in claim.accesses:
                    return claim
        return None

    def subscribeToReleases(self, callback: Callable[[], object]) -> subscription.Subscription:
        """Call back, without arguments, when the copy is released or somebody stops waiting."""
        return self.release_subs.subscribe(callback)

    def announce(self, news: str) -> None:
        """Tell what has happened to the copy, one of ``NEWS``."""
        if self.in_use is not None:
            self.in_use.announce(self, news)

    def report(self, what: str, text: str) -> None:
        """Tell people about the copy; see ``LocksInUse``."""
        if self.in_use is not None:
            self.in_use.report(self, what, text)

    def announce_release(self) -> None:
        """Tell the subscribers that owners that were refused may ask again."""
        if self.release_subs.subscriptions:
            self.release_subs.deliver()

    def release(self, owner: object, access: Access) -> None:
        """Release what was claimed with this access; do nothing if nothing was."""
        claim = self._claim_of(key_of(owner), access)
        if claim is not None:
            claim.give_back(self)

    def waitUntilMaybeAvailable(self, owner: object, access: Access) -> defer.Deferred:
        """Wait in line for the copy.

        :returns: Deferred that fires when the owner may claim it. The owner must then do so, or
            call ``stopWaitingUntilAvailable``.
        """
        claim = LockClaim(owner, ((self, access),))
        key = claim.owner
        if key in self._asked:
            if self._has_granted(key, access):
                return defer.succeed(self)
            assert not self._asked[key].waiting, f'{owner} waits for {self} already'
            self._forget_asked(key)  # it was for another access, or can never be granted
        if claim.may_be_granted():
            return defer.succeed(self)
        d = claim.wait()
        self._asked[key] = claim
        return d

    def stopWaitingUntilAvailable(self, owner: object, access: Access, d: defer.Deferred) -> None:
        """Stop waiting.

        :param d: the Deferred of ``waitUntilMaybeAvailable``. It fires now if it has not before.
        """
        claim = self._asked.get(key_of(owner))
        assert claim is not None and claim.state is not ENDED, f'{owner} does not wait for {self}'
        assert claim.holds or d is claim.deferred, 'this is not the Deferred that was waited with'
        del self._asked[claim.owner]
        claim.end()

    def isOwner(self, owner: object, access: Access) -> bool:
        """Tell whether the owner has claimed the copy with this access, and not released it."""
        return self._claim_of(key_of(owner), access) is not None


def quarantines_open_to(owner: LockOwner, accesses: Iterable[tuple[BaseLock, Access]]) -> list[Any]:
    """Return the keys of the copies' quarantines inside which an owner may hold them all."""
    closed = [lock.quarantine for lock, _ in accesses if lock.quarantine is not None]
    return [key_of(quarantine) for quarantine in closed if quarantine.lets_in(owner)]


def words_of(circle: Iterable[Any]) -> list[str]:
    """Say for each wait in a circle who waits for what, and who has it."""
    # an owner that keeps no claims is in the way, but nobody can do anything about it
    return [
        wait.describe()
        for wait in circle
        if any(claims_of(owner) is not None for owner in wait.keeps())
    ]


def would_do(
    owner: object, accesses: Sequence[tuple[BaseLock, Access]], others: Iterable[Claim]
) -> bool:
    """Tell whether an owner could have locks if other claims ended.

    :param accesses: each lock once.
    """
    try:
        claim = LockClaim(owner, accesses)
    except UnitsError:
        return False
    holders = {holder for want in claim.wants for holder in want.lock.holders()}
    return claim.can_be_met(holders.difference(other.owner for other in others))


def check_access(access: Access) -> None:
    """Assert that a lock can be taken like this."""
    problem = problem_of_access(access)
    assert problem is None, problem


def problem_of_access(access: Access) -> str | None:
    """Say why no lock can be taken like this; None if one can."""
    # a renderable would seem equal to any word
    if not isinstance(access.mode, str) or access.mode not in ('counting', 'exclusive'):
        return f"{access.mode!r} is not a way to take a lock; use 'counting' or 'exclusive'"
    if not is_number_of_units(access.count):
        return f'{access.count!r} is not a number of units of a lock'
    if access.mode == 'exclusive' and access.count != 1:
        count = access.count
        return f'exclusive access takes all units of a lock, so a count of {count} has no meaning'
    return None


def is_number_of_units(value: object) -> bool:
    """Tell whether a value is a possible number of units."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def in_units(count: int) -> str:
    """Return this number of units in words."""
    return f'{count} unit' if count == 1 else f'{count} units'
