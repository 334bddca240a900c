# SPDX-License-Identifier: GPL-2.0-only
"""New: the copies of a lock: one, one for each worker, or one for each branch.

A lock and each of its copies live as long as something refers to them: a configuration, or an owner
that holds or waits for a copy. Rendered names and branches leave nothing behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Sequence
from weakref import WeakValueDictionary

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import InUse
from buildbot.locking.copy import LockError
from buildbot.locking.plain import one_line
from buildbot.locking.plain import plain
from buildbot.util import service

if TYPE_CHECKING:
    from buildbot.db.sourcestamps import SourceStampModel


class LocksInUse(service.SharedService):
    """The locks that something refers to, by class and name. It keeps none of them alive.

    :ivar tell: called with a copy and what has happened to it, one of ``locking.copy.NEWS``; None
        if nobody is to be told.
    :ivar record: called with a use of a copy that has ended; None if uses are not kept.
    :ivar long_waits: its ``begin`` is called when an owner begins to wait, and ``end`` when the
        wait is over; None if long waits are not reported.
    :ivar judge: called with a copy and the owner that has released it; None if nobody judges.
    :ivar tell_people: called with a copy, a word for the kind of message, and a sentence without
        the name of the copy; None if nobody tells people.
    """

    def __init__(self) -> None:
        super().__init__()
        self.locks: WeakValueDictionary[tuple[type, str], Any] = WeakValueDictionary()
        self.tell: Callable[[BaseLock, str], Any] | None = None
        self.record: Callable[[Any], Any] | None = None
        self.judge: Callable[[BaseLock, Any], Any] | None = None
        self.long_waits: Any = None
        self.tell_people: Callable[[BaseLock, str, str], Any] | None = None

    def by_name(self) -> list[Any]:
        """Return the locks, sorted by name."""
        return sorted(self.locks.values(), key=lambda lock: lock.lockName)

    def announce(self, lock: BaseLock, news: str) -> None:
        """Tell that something has happened to a copy."""
        if self.tell is not None:
            try:
                self.tell(lock, news)
            except Exception as e:  # the owner that claims or releases it must not suffer from that
                log.err(e, f'while telling what happens to {lock}')

    def report(self, lock: BaseLock, what: str, text: str) -> None:
        """Tell people about a copy; write to the log if nobody does.

        :param what: a word for the kind of message.
        :param text: a sentence, without the name of the copy and without a full stop.
        """
        if self.tell_people is None:
            log.msg(f'{lock}: {one_line(text)}')
            return
        try:
            self.tell_people(lock, what, text)
        except Exception as e:  # the owner that waits for it or holds it must not suffer from that
            log.err(e, f'while people were told of {lock}: {text}')


def lock_of(copy: BaseLock) -> Any:
    """Return the lock that a copy belongs to."""
    return copy if copy.family is None else copy.family


def definition_of(copy: BaseLock) -> Any:
    """Return what the configuration says about a copy's lock; None if nothing (yet)."""
    return getattr(lock_of(copy), 'lockid', None)


class FoundByName:
    """A lock that exists once under its name, for as long as something refers to it.

    :ivar lockid: what the configuration says about it; None before it says anything.
    :ivar config_version: version of that configuration.
    """

    has_resources = False  # whether its units have names
    in_use: InUse | None = None
    lockid: Any = None
    config_version = -1

    @classmethod
    @defer.inlineCallbacks
    def getService(cls: Any, parent: Any, name: str) -> Any:
        """Return the lock with this name, or a new one; the caller keeps it alive."""
        in_use = yield LocksInUse.getService(parent)
        lock = in_use.locks.get((cls, name))
        if lock is None:
            lock = in_use.locks[cls, name] = cls(name)
            lock.in_use = in_use
            for kind in FoundByName.__subclasses__():
                other = in_use.locks.get((kind, name))
                if other not in (None, lock) and not other.is_idle:
                    log.msg(
                        f'lock {name!r} is a {cls.kind} now, and was a {other.kind}: until the'
                        ' builds end that hold it as such, others can have it beside them'
                    )
        return lock

    @classmethod
    def find(cls, parent: Any, name: str) -> Any:
        """Return the lock with this name; None if it is not in use."""
        in_use = parent.namedServices.get(LocksInUse.getName())
        return in_use.locks.get((cls, name)) if in_use is not None else None

    def getLockForWorker(self, workername: str) -> Any:
        """Return what a build on a worker claims: the lock, unless each worker has a copy."""
        return self


class RealMasterLock(BaseLock, FoundByName):
    """The copy of a ``MasterLock``. Its limit arrives with ``updateFromLockId``."""

    kind = 'MasterLock'

    def __init__(self, name: str) -> None:
        super().__init__(name, 0)

    def updateFromLockId(self, lockid: Any, config_version: int) -> None:
        """Take over the limit of a newer configuration."""
        assert self.lockName == lockid.name
        self.lockid, self.config_version = lockid, config_version
        self.setMaxCount(lockid.maxCount)


class SeveralCopies:
    """What locks with several copies have in common. The limits come with ``updateFromLockId``.

    :ivar copies: those in use, by key.
    """

    in_use: InUse | None
    lockid: Any

    def __init__(self, name: str) -> None:
        self.lockName = name
        self.copies: WeakValueDictionary[Any, BaseLock] = WeakValueDictionary()

    def __repr__(self) -> str:
        return plain(self.lockName)

    @property
    def is_idle(self) -> bool:
        """Whether nobody holds a copy or waits for one."""
        return all(copy.is_idle for copy in self.all_copies())

    def all_copies(self) -> list[BaseLock]:
        """Return the copies that are in use."""
        return list(self.copies.values())

    def _copy(self, key: Any, of: str) -> BaseLock:
        copy = self.copies.get(key)
        if copy is None:
            # a person may hold it before a configuration defines the lock
            limit = self._limit_of(key) if self.lockid is not None else 0
            copy = self.copies[key] = BaseLock(self.lockName, limit, of, self)
            copy.in_use, copy.key = self.in_use, key
        return copy

    def _limit_of(self, key: Any) -> int:
        raise NotImplementedError

    def updateFromLockId(self, lockid: Any, config_version: int) -> None:
        """Take over the limits of a newer configuration, also for the copies in use."""
        assert self.lockName == lockid.name
        self.lockid, self.config_version = lockid, config_version
        for key, copy in list(self.copies.items()):
            copy.setMaxCount(self._limit_of(key))


class RealWorkerLock(SeveralCopies, FoundByName):
    """The copies of a ``WorkerLock``, one for each worker."""

    kind = 'WorkerLock'

    @property
    def maxCount(self) -> int:
        """The limit of copies of workers that have none of their own."""
        return int(self.lockid.maxCount)

    @property
    def description(self) -> str:
        """What Buildbot calls it; people are told its name."""
        return f'<WorkerLock({self.lockName}, {self.maxCount}, {self.lockid.maxCountForWorker})>'

    def scope_of(self, copy: BaseLock) -> dict[str, str | None]:
        """Say which worker a copy is for."""
        return {'scope': 'worker', 'worker': copy.key}

    def copy_on(self, workername: str) -> BaseLock | None:
        """Return the copy of a worker; None if it is not in use."""
        return self.copies.get(workername)

    def _limit_of(self, key: str) -> int:
        return self.lockid.units_on(key)

    def getLockForWorker(self, workername: str) -> BaseLock:
        return self._copy(workername, workername)


class RealBranchLock(SeveralCopies, FoundByName):
    """The copies of a ``BranchLock``, one for each codebase and branch, or for each key."""

    kind = 'BranchLock'

    def locks_for_sources(self, sources: Sequence[SourceStampModel]) -> list[BaseLock]:
        """Return the copies that a build of these sources takes: one for each codebase.

        :param sources: source stamps with ``codebase`` and ``branch``; no sources count as one
            without a branch.
        :raises LockError: the lock is for one codebase, and none of the sources is of it.
        """
        assert self.lockid is not None
        codebase = self.lockid.codebase
        pairs = [(source.codebase or '', source.branch) for source in sources] or [('', None)]
        if codebase is not None:
            pairs = [pair for pair in pairs if pair[0] == codebase]
            if not pairs:
                raise LockError(
                    f'the lock {self.lockName!r} is for the codebase {codebase!r},'
                    ' but this build has no source of it'
                )
        default = self.lockid.defaultBranch
        return [self.copy_for(codebase, branch or default) for codebase, branch in pairs]

    def lock_for_key(self, key: Any) -> BaseLock:
        """Return the copy for the value that the lock's ``key`` was rendered to."""
        return self.copy_for('', key if key is None else str(key))

    def scope_of(self, copy: BaseLock) -> dict[str, str | None]:
        """Say which codebase and branch, or which key, a copy is for."""
        codebase, of = copy.key
        if self.lockid is not None and self.lockid.key is not None:
            return {'scope': 'key', 'key': of}
        return {'scope': 'branch', 'codebase': codebase, 'branch': of}

    def _limit_of(self, key: tuple[str, str | None]) -> int:
        return self.lockid.max_count_for(key[1])

    def copy_for(self, codebase: str, branch: str | None) -> BaseLock:
        """Return the copy for a branch, or for what the lock's ``key`` was rendered to."""
        return self._copy((codebase, branch), f'{codebase}:{branch}' if codebase else f'{branch}')
