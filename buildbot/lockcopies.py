# SPDX-License-Identifier: GPL-2.0-only
"""New: the copies that there are of a lock: one, one for each worker, or one for each branch."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Sequence
from weakref import WeakValueDictionary

from buildbot.lockcopy import BaseLock
from buildbot.lockcopy import LockError
from buildbot.util import service

if TYPE_CHECKING:
    from buildbot.db.sourcestamps import SourceStampModel
    from buildbot.locks import BranchLock
    from buildbot.locks import MasterLock
    from buildbot.locks import WorkerLock


class RealMasterLock(BaseLock, service.SharedService):
    """The copy of a ``MasterLock``. Its limit arrives with ``updateFromLockId``."""

    def __init__(self, name: str) -> None:
        super().__init__(name, 0)
        self.config_version = -1
        self.lockid: MasterLock | None = None
        self._describe()

    def _describe(self) -> None:
        self.description = f'<MasterLock({self.lockName}, {self.maxCount})>'

    def getLockForWorker(self, workername: str) -> RealMasterLock:
        return self

    def updateFromLockId(self, lockid: MasterLock, config_version: int) -> None:
        """Take over the limit of a newer configuration."""
        assert self.lockName == lockid.name
        self.config_version = config_version
        self.lockid = lockid
        self.setMaxCount(lockid.maxCount)
        self._describe()


class RealWorkerLock(service.SharedService):
    """The copies of a ``WorkerLock``, one for each worker that was asked for."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.lockName = name
        self.config_version = -1
        self.lockid: WorkerLock | None = None
        self.maxCount: int = 0
        self.maxCountForWorker: dict[str, int] = {}
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
            lock.label = f'{self.lockName}[{workername}]'
            self._limit(workername, lock)
        return lock

    def updateFromLockId(self, lockid: WorkerLock, config_version: int) -> None:
        """Take over the limits of a newer configuration, for the copies in use too."""
        assert self.lockName == lockid.name
        self.config_version = config_version
        self.lockid = lockid
        self.maxCount = lockid.maxCount
        self.maxCountForWorker = lockid.maxCountForWorker
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
            lock.label = f'{self.lockName}[{place}]'
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
