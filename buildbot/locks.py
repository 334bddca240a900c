# SPDX-License-Identifier: GPL-2.0-only
"""Replaced wholly: the locks stand on ``buildbot.lockrule``, and may have a copy per branch."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar
from typing import Iterable
from typing import Iterator
from typing import Sequence
from weakref import WeakValueDictionary

from twisted.internet import defer
from twisted.python import log
from twisted.python.reflect import accumulateClassList

from buildbot import config
from buildbot import util
from buildbot.interfaces import IRenderable
from buildbot.lockrule import GRANTED
from buildbot.lockrule import Claim
from buildbot.lockrule import Lock
from buildbot.lockrule import Want
from buildbot.lockrule import find_deadlock
from buildbot.util import service
from buildbot.util import subscription
from buildbot.util.eventual import eventually

if TYPE_CHECKING:
    from buildbot.db.sourcestamps import SourceStampModel


class LockError(Exception):
    """A lock cannot be had as it is asked for, now or ever; the text says which and why."""


class LockOwner:
    """Who can hold locks and share them with what is nested in it: builds, groups and steps.

    :cvar lock_parent: the owner that this one is nested in, or None.
    :cvar lock_priority: the higher, the further in front of those who wait.
    :cvar lock_waits: the waits of this owner and of what is nested in it; None before the first.
    :cvar lock_count: how many locks it holds itself.
    :cvar lock_key: what stands for it in the lock rule; None before it is needed.
    """

    lock_parent: LockOwner | None = None
    lock_priority: int = 0
    lock_waits: dict[Wait, None] | None = None
    lock_count: int = 0
    lock_key: _Key | None = None

    def lock_name(self) -> str:
        """Return the words with which people are told of this owner."""
        return str(self)


class _Key:
    # Stands for an owner in the lock rule. Two steps of one factory are equal, but never the same
    # owner, so it is this object that is compared, and it keeps the owner's place from being taken.
    __slots__ = ('thing',)

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def __repr__(self) -> str:
        return self.thing.lock_name() if isinstance(self.thing, LockOwner) else repr(self.thing)

    def waits(self) -> Iterator[Claim]:
        """Yield the claims that it, or what is nested in it, waits with."""
        return (wait.claim for wait in self.thing.lock_waits or ())


class _KeyOfEqual(_Key):
    # for an owner from outside that has an `==` of its own, and no place for a key
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _KeyOfEqual) and other.thing is self.thing

    def __hash__(self) -> int:
        return object.__hash__(self.thing)


def _key_of(thing: Any) -> Any:
    if isinstance(thing, LockOwner):
        key = thing.lock_key
        if key is None:
            key = thing.lock_key = _Key(thing)
        return key
    return thing if type(thing).__hash__ is object.__hash__ else _KeyOfEqual(thing)


def _thing(key: Any) -> Any:
    return key.thing if isinstance(key, _Key) else key


def _waits_of(key: Any) -> Iterable[Claim]:
    return key.waits() if isinstance(key, _Key) and isinstance(key.thing, LockOwner) else ()


def _owners_around(thing: Any) -> list[LockOwner]:
    found = []
    parent = thing.lock_parent if isinstance(thing, LockOwner) else None
    while parent is not None:
        found.append(parent)
        parent = parent.lock_parent
    return found


class Wait:
    """One owner's way from asking for some locks to holding them.

    The rule grants a claim before anybody else can ask; the owner hears of it a turn of the reactor
    later, and takes each lock with ``claim``, or stops waiting and so gives it back.

    :param owner: who waits.
    :param accesses: pairs of lock and access, each lock once; not all of them were available when
        asked right before.
    :ivar deferred: fires when the locks can be claimed; None once it has.
    :raises LockError: more units of a lock are wanted than it has; or to wait would close a circle
        of those who wait for one another, so that none of them would ever go on.
    """

    __slots__ = ('accesses', 'around', 'claim', 'deferred')

    def __init__(self, owner: Any, accesses: Sequence[tuple[BaseLock, LockAccess]]) -> None:
        self.accesses = accesses
        self.deferred: defer.Deferred[BaseLock | None] | None = defer.Deferred()
        wants = []
        for lock, access in accesses:
            exclusive = access.mode == 'exclusive'
            if not exclusive and access.count > lock._rule.capacity:
                raise LockError(lock._too_few(access))
            wants.append(Want(lock._rule, exclusive, access.count))
        key = _key_of(owner)
        self.around: list[LockOwner] = []
        ancestors: Sequence[Any] = ()
        priority = 0
        if isinstance(owner, LockOwner):
            self.around = _owners_around(owner)
            ancestors = [_key_of(thing) for thing in self.around]
            self.around.append(owner)
            priority = owner.lock_priority
        self.claim = Claim(key, wants, priority, ancestors, self._granted)
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
        if not any(thing.lock_count for thing in self.around):
            return  # it keeps nothing from anybody, so it closes no circle
        circle = find_deadlock(self.claim, _waits_of)
        if circle:
            why = '; '.join(wait.tell() for c in circle for wait in self._waits_with(c))
            self._leave()
            self.claim.end()
            raise LockError(f'these would wait for one another for ever: {why}')

    def _waits_with(self, claim: Claim) -> Iterator[Wait]:
        waits = claim.owner.thing.lock_waits if claim is not self.claim else [self]
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
        eventually(self._fire)

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
    """

    description = '<BaseLock>'

    def __init__(self, name: str, maxCount: int = 1) -> None:
        super().__init__()
        self.lockName = name
        self._rule = Lock(maxCount)
        self._waits: dict[Any, Wait] = {}
        self._taken: dict[Any, list[tuple[LockAccess, Claim]]] = {}
        self.release_subs = subscription.SubscriptionPoint(f'releases of lock {name}')

    def __repr__(self) -> str:
        return self.description

    @property
    def maxCount(self) -> int:
        return self._rule.capacity

    @property
    def owners(self) -> list[Any]:
        """Who holds it or has just been granted it, in the order in which they were."""
        return [_thing(key) for key in self._rule.held]

    @property
    def waiting(self) -> list[Any]:
        """Who waits for it."""
        return [_thing(key) for key, wait in self._waits.items() if wait.claim.waiting]

    def setMaxCount(self, count: int) -> None:
        """Change the units there are. Those who waited for more than that fail, and say so."""
        before = self._rule.capacity
        if before and before != count:
            log.msg(f'{self} has {count} units now; it had {before}')
        hopeless = self._rule.set_capacity(count)
        if count > before:
            self.release_subs.deliver()
        for claim in hopeless:
            wait = self._waits[claim.owner]
            access = next(access for lock, access in wait.accesses if lock is self)
            wait.fail(self._too_few(access))

    def _too_few(self, access: LockAccess) -> str:
        return f'{access.count} units of {self} can never be had, for it has {self.maxCount}'

    def isAvailable(self, requester: Any, access: LockAccess) -> bool:
        """Tell whether the requester could claim it now, whose turn it is being considered."""
        if not access.count:
            return True
        wait = self._waits.get(_key_of(requester)) if self._waits else None
        if wait is not None:
            return wait.claim.state is GRANTED or wait.claim.could_have(self._rule)
        exclusive = access.mode == 'exclusive'
        if not isinstance(requester, LockOwner):
            return self._rule.is_available(exclusive, access.count)
        ancestors = [_key_of(owner) for owner in _owners_around(requester)]
        return self._rule.is_available(exclusive, access.count, ancestors, requester.lock_priority)

    def claim(self, owner: Any, access: LockAccess) -> None:
        """Claim it; it must be available."""
        assert owner is not None, 'a lock needs an owner'
        if type(access) is not LockAccess:
            check_access(access)
        if not access.count:
            return
        key = _key_of(owner)
        wait = self._waits.pop(key, None) if self._waits else None
        if wait is None:
            want = Want(self._rule, access.mode == 'exclusive', access.count)
            ancestors = [_key_of(thing) for thing in _owners_around(owner)]
            priority = owner.lock_priority if isinstance(owner, LockOwner) else 0
            claim = Claim(key, [want], priority, ancestors)
            assert claim.enter(wait=False), 'ask for isAvailable() first'
        else:
            claim = wait.claim
            assert claim.state is GRANTED, 'ask for isAvailable() first'
        self._taken.setdefault(key, []).append((access, claim))
        if isinstance(owner, LockOwner):
            owner.lock_count += 1

    def subscribeToReleases(self, callback: Any) -> subscription.Subscription:
        """Call back, without arguments, when it is released or somebody waits no longer."""
        return self.release_subs.subscribe(callback)

    def release(self, owner: Any, access: LockAccess) -> None:
        """Release what was claimed with this access; if it was not, nothing happens."""
        key = _key_of(owner)
        taken = self._taken.get(key, [])
        for entry in taken:
            if entry[0] is access or entry[0] == access:
                if len(taken) == 1:
                    del self._taken[key]
                else:
                    taken.remove(entry)
                if isinstance(owner, LockOwner):
                    owner.lock_count -= 1
                entry[1].let_go(self._rule)
                self.release_subs.deliver()
                return

    def waitUntilMaybeAvailable(self, owner: Any, access: LockAccess) -> defer.Deferred:
        """Wait in line for it.

        :returns: Deferred that fires when the owner may claim it, which must then be done, or
            ``stopWaitingUntilAvailable`` be called.
        """
        if self.isAvailable(owner, access):
            return defer.succeed(self)
        return Wait(owner, ((self, access),)).deferred

    def stopWaitingUntilAvailable(self, owner: Any, access: LockAccess, d: defer.Deferred) -> None:
        """Wait no longer, for this lock and for those that were asked for together with it.

        :param d: what was returned to wait with. It is fired if it has not been.
        """
        wait = self._waits.get(_key_of(owner))
        assert wait is not None, f'{owner} does not wait for {self}'
        assert wait.claim.holds or d is wait.deferred, (
            'this is not the Deferred that was waited with'
        )
        wait.stop()

    def isOwner(self, owner: Any, access: LockAccess) -> bool:
        """Tell whether the owner has claimed it with this access, and not released it."""
        taken = self._taken.get(_key_of(owner), ())
        return any(a is access or a == access for a, _ in taken)


class RealMasterLock(BaseLock, service.SharedService):
    """The copy of a ``MasterLock``. Its limit arrives with ``updateFromLockId``."""

    def __init__(self, name: str) -> None:
        super().__init__(name, 0)
        self.config_version = -1
        self._describe()

    def _describe(self) -> None:
        self.description = f'<MasterLock({self.lockName}, {self.maxCount})>'

    def getLockForWorker(self, workername: str) -> RealMasterLock:
        return self

    def updateFromLockId(self, lockid: MasterLock, config_version: int) -> None:
        """Take over the limit of a newer configuration."""
        assert self.lockName == lockid.name
        self.config_version = config_version
        self.setMaxCount(lockid.maxCount)
        self._describe()


class RealWorkerLock(service.SharedService):
    """The copies of a ``WorkerLock``, one for each worker that was asked for."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.lockName = name
        self.maxCount: int | None = None
        self.maxCountForWorker: dict[str, int] = {}
        self.config_version = -1
        self.locks: dict[str, BaseLock] = {}

    @property
    def description(self) -> str:
        return f'<WorkerLock({self.lockName}, {self.maxCount}, {self.maxCountForWorker})>'

    def __repr__(self) -> str:
        return self.description

    def _limit(self, workername: str, lock: BaseLock) -> None:
        lock.setMaxCount(self.maxCountForWorker.get(workername, self.maxCount))
        lock.description = f'<WorkerLock({self.lockName}, {lock.maxCount})[{workername}]>'

    def getLockForWorker(self, workername: str) -> BaseLock:
        lock = self.locks.get(workername)
        if lock is None:
            lock = self.locks[workername] = BaseLock(self.lockName, 0)
            self._limit(workername, lock)
        return lock

    def updateFromLockId(self, lockid: WorkerLock, config_version: int) -> None:
        """Take over the limits of a newer configuration, for the copies in use too."""
        assert self.lockName == lockid.name
        self.config_version = config_version
        self.maxCountForWorker = lockid.maxCountForWorker
        self.maxCount = lockid.maxCount
        for workername, lock in self.locks.items():
            self._limit(workername, lock)


class RealBranchLock(service.SharedService):
    """The copies of a ``BranchLock``: a ``BaseLock`` for each codebase and branch, or for each key.

    A copy is made when first asked for, and lives as long as somebody has it: who holds it, waits
    for it or is about to. The limits arrive with ``updateFromLockId``.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.lockName = name
        self.config_version = -1
        self.lockid: BranchLock | None = None
        self.copies: WeakValueDictionary[tuple[str, str | None], BaseLock] = WeakValueDictionary()

    def __repr__(self) -> str:
        return f'<BranchLock({self.lockName})>'

    def getLockForWorker(self, workername: str) -> RealBranchLock:
        """Return itself: which copy is meant depends on the branch, not on the worker."""
        return self

    def locks_for_sources(self, sources: Sequence[SourceStampModel]) -> list[BaseLock]:
        """Return the copies that a build of these sources takes: one for each codebase.

        :param sources: source stamps with ``codebase`` and ``branch``; none at all count as one
            without a branch.
        :raises LockError: the lock is for one codebase, of which there is no source.
        """
        assert self.lockid is not None
        codebase = self.lockid.codebase
        pairs = [(source.codebase or '', source.branch) for source in sources] or [('', None)]
        if codebase is not None:
            pairs = [pair for pair in pairs if pair[0] == codebase]
            if not pairs:
                raise LockError(
                    f'the lock {self.lockName!r} is for the codebase {codebase!r},'
                    ' of which this build has no source'
                )
        default = self.lockid.defaultBranch
        return [self._copy(codebase, branch or default) for codebase, branch in pairs]

    def lock_for_key(self, key: Any) -> BaseLock:
        """Return the copy for what the lock's ``key`` was rendered to."""
        return self._copy('', key if key is None else str(key))

    def _copy(self, codebase: str, branch: str | None) -> BaseLock:
        assert self.lockid is not None
        lock = self.copies.get((codebase, branch))
        if lock is None:
            lock = BaseLock(self.lockName, self.lockid.max_count_for(branch))
            place = f'{codebase}:{branch}' if codebase else f'{branch}'
            lock.description = f'<BranchLock({self.lockName})[{place}]>'
            self.copies[codebase, branch] = lock
        return lock

    def updateFromLockId(self, lockid: BranchLock, config_version: int) -> None:
        """Take over the limits of a newer configuration, for the copies in use too."""
        assert self.lockName == lockid.name
        self.config_version = config_version
        self.lockid = lockid
        for (_, branch), lock in list(self.copies.items()):
            lock.setMaxCount(lockid.max_count_for(branch))


def check_access(access: LockAccess) -> None:
    assert isinstance(access, LockAccess), f'{access!r} is not an access to a lock'
    assert access.mode in ('counting', 'exclusive'), f'{access.mode!r} is no way to take a lock'
    assert isinstance(access.count, int) and access.count >= 0, f'{access.count!r} units of a lock'
    assert access.mode == 'counting' or access.count == 1, 'exclusive access is 1 unit'


class LockAccess(util.ComparableMixin):
    """One way to take a lock.

    :param lockid: a ``MasterLock``, ``WorkerLock`` or ``BranchLock``.
    :param mode: ``counting`` or ``exclusive``.
    :param count: units, 0 or more; 1 for exclusive access, which takes all of them.
    :raises ConfigErrors: this is no lock.
    """

    compare_attrs: ClassVar[Sequence[str]] = ('lockid', 'mode', 'count')

    def __init__(self, lockid: Any, mode: str, count: int = 1) -> None:
        if not isinstance(lockid, BaseLockId):
            config.error(f'{lockid!r} is not a lock, so there is no access to it')
        self.lockid, self.mode, self.count = lockid, mode, count
        check_access(self)

    def __repr__(self) -> str:
        units = f', {self.count}' if self.count != 1 else ''
        return f'{self.lockid!r}.access({self.mode!r}{units})'


class BaseLockId(util.ComparableMixin):
    """What a configuration says of a lock. The master finds the lock that is meant by its name.

    :cvar lockClass: class of the service that has the copies.
    """

    lockClass: ClassVar[Any]
    name: str

    def __repr__(self) -> str:
        given = [(attr.lstrip('_'), getattr(self, attr)) for attr in self.compare_attrs]
        words = [f'{attr}={value!r}' for attr, value in given[1:] if value not in (None, ())]
        return f'{type(self).__name__}({", ".join([repr(self.name), *words])})'

    def access(self, mode: str, count: int = 1) -> LockAccess:
        """Say how the lock is to be taken; see ``LockAccess``."""
        return LockAccess(self, mode, count)

    def defaultAccess(self) -> LockAccess:
        """Return how it is taken where only the lock is named."""
        return self.access('counting')


class MasterLock(BaseLockId):
    """A lock of which the master has one copy.

    :param name: of the lock; no other lock of the configuration may have it.
    :param maxCount: units: how many ``counting`` holders of one unit there may be.
    """

    compare_attrs: ClassVar[Sequence[str]] = ('name', 'maxCount')
    lockClass = RealMasterLock

    def __init__(self, name: str, maxCount: int = 1) -> None:
        self.name, self.maxCount = name, maxCount


class WorkerLock(BaseLockId):
    """A lock with a copy of its own for each worker.

    :param name: of the lock; no other lock of the configuration may have it.
    :param maxCount: units of a copy: how many ``counting`` holders of one unit there may be.
    :param maxCountForWorker: units by worker name, where they differ from ``maxCount``.
    :param maxCountForSlave: the name of that when a worker was called a slave.
    """

    compare_attrs: ClassVar[Sequence[str]] = ('name', 'maxCount', '_maxCountForWorkerList')
    lockClass = RealWorkerLock

    def __init__(
        self,
        name: str,
        maxCount: int = 1,
        maxCountForWorker: dict[str, int] | None = None,
        maxCountForSlave: dict[str, int] | None = None,
    ) -> None:
        self.name, self.maxCount = name, maxCount
        if maxCountForWorker and maxCountForSlave:
            config.error(f'lock {name!r} has both maxCountForWorker and maxCountForSlave')
        self.maxCountForWorker = maxCountForWorker or maxCountForSlave or {}
        self._maxCountForWorkerList = tuple(sorted(self.maxCountForWorker.items()))


class _RenderedKey:
    # Renderables make a renderable of `==`, so their parts are compared instead.
    __slots__ = ('key',)

    def __init__(self, key: Any) -> None:
        self.key = key

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _RenderedKey) and _alike(self.key, other.key)

    def __hash__(self) -> int:
        return hash(type(self.key))

    def __repr__(self) -> str:
        return repr(self.key)


def _alike(one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, util.ComparableMixin):
        names: list[str] = []
        accumulateClassList(type(one), 'compare_attrs', names)
        return all(_alike(getattr(one, n, None), getattr(other, n, None)) for n in names)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_alike(one[k], other[k]) for k in one)
    return one is other if IRenderable.providedBy(one) else bool(one == other)


class BranchLock(BaseLockId):
    """A lock with a copy of its own for each branch of the code that is built.

    Builders, steps and step groups that may not work on one branch at the same time share it,
    while builds of unlike branches do not hinder one another. The branch is that of the build's
    source stamps; a build of several codebases takes the copies of all its (codebase, branch) pairs
    together.

    :param name: of the lock; no other lock of the configuration may have it.
    :param maxCount: units a copy has: how many ``counting`` holders of one unit there may be.
    :param maxCountForBranch: units by branch name where they differ from ``maxCount``. A name may
        be a shell pattern such as ``release/*``; an exact name goes before a pattern, and of
        patterns the first one written that fits.
    :param codebase: the only codebase whose branch counts. A build without it is refused.
    :param defaultBranch: the branch of a source stamp that names none; without it, those share a
        copy of their own.
    :param key: a renderable of what takes the place of the branch, for anything else that a copy is
        wanted for: ``Interpolate('%(src::repository)s#%(src::branch)s')``, a property.
    """

    compare_attrs: ClassVar[Sequence[str]] = (
        'name',
        'maxCount',
        '_maxCountForBranchList',
        'codebase',
        'defaultBranch',
        '_key',
    )
    lockClass = RealBranchLock

    def __init__(
        self,
        name: str,
        maxCount: int = 1,
        maxCountForBranch: dict[str, int] | None = None,
        codebase: str | None = None,
        defaultBranch: str | None = None,
        key: Any = None,
    ) -> None:
        self.name, self.maxCount = name, maxCount
        self.maxCountForBranch = dict(maxCountForBranch or {})
        self.codebase = codebase
        self.defaultBranch = defaultBranch
        self.key = key
        if key is not None and (codebase is not None or defaultBranch is not None):
            config.error(
                f'lock {name!r} has a key, so it can have no codebase and no defaultBranch'
            )
        # the order of patterns has a meaning, so it is part of what is compared
        self._maxCountForBranchList = tuple(self.maxCountForBranch.items())
        self._key = None if key is None else _RenderedKey(key)

    def max_count_for(self, branch: str | None) -> int:
        """Return the units that the copy of this branch has."""
        if branch is None:
            return self.maxCount
        if branch in self.maxCountForBranch:
            return self.maxCountForBranch[branch]
        for pattern, count in self._maxCountForBranchList:
            if fnmatchcase(branch, pattern):
                return count
        return self.maxCount


# what a worker was called when configurations of that age were written
SlaveLock = WorkerLock


def check_accesses(accesses: Any, where: str, branches: bool = True) -> bool:
    """Report what cannot stand in a list of locks, as errors of the configuration.

    :param accesses: what the user wrote for ``locks=``; a renderable can only be judged later.
    :param where: whose list it is, such as ``builder 'lab'``.
    :param branches: whether a branch is known there, so that a ``BranchLock`` may stand in it.
    :returns: whether there was nothing to report.
    """
    problems = list(_problems(accesses, branches))
    for problem in problems:
        config.error(f'{where}: {problem}')
    return not problems


def _problems(accesses: Any, branches: bool) -> Iterator[str]:
    if accesses is None or IRenderable.providedBy(accesses):
        return
    if not isinstance(accesses, (list, tuple)):
        yield f'locks must be a list of locks, not {accesses!r}'
        return
    names = set()
    for access in accesses:
        if IRenderable.providedBy(access):
            continue
        lockid = access.lockid if isinstance(access, LockAccess) else access
        if not isinstance(lockid, BaseLockId):
            yield f'{lockid!r} is not a lock'
        elif not branches and isinstance(lockid, BranchLock):
            yield f'{lockid!r} cannot stand here, where no branch is known'
        elif lockid.name in names:
            yield f'the lock {lockid.name!r} stands twice in one list'
        else:
            names.add(lockid.name)
