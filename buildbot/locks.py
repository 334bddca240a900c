# SPDX-License-Identifier: GPL-2.0-only
"""Beside the release's locks: ``BranchLock``, one copy per branch, and the name ``SlaveLock``."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar
from typing import Iterator
from typing import Sequence

from buildbot import config
from buildbot.interfaces import IRenderable
from buildbot.util import service
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.db.sourcestamps import SourceStampModel

upstream = release(__name__)


class RealBranchLock(service.SharedService):
    """The copies of one ``BranchLock``: a ``BaseLock`` for each codebase and branch.

    A copy is made when first asked for. The limits arrive with ``updateFromLockId``.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.lockName = name
        self.config_version = -1
        self.lockid: BranchLock | None = None
        self.copies: dict[tuple[str, str | None], upstream.BaseLock] = {}

    def __repr__(self) -> str:
        return f'<BranchLock({self.lockName})>'

    def getLockForWorker(self, workername: str) -> RealBranchLock:
        """Return itself: which copy is meant depends on the branch, not on the worker."""
        return self

    def locks_for_sources(self, sources: Sequence[SourceStampModel]) -> list[upstream.BaseLock]:
        """Return the copies that a build of these sources takes: one for each codebase.

        :param sources: source stamps with ``codebase`` and ``branch``; none at all count as one
            without a branch.
        """
        assert self.lockid is not None
        pairs = [(source.codebase or '', source.branch) for source in sources] or [('', None)]
        default = self.lockid.defaultBranch
        return [self._copy(codebase, branch or default) for codebase, branch in pairs]

    def _copy(self, codebase: str, branch: str | None) -> upstream.BaseLock:
        assert self.lockid is not None
        lock = self.copies.get((codebase, branch))
        if lock is None:
            lock = upstream.BaseLock(self.lockName, self.lockid.max_count_for(branch))
            place = f'{codebase}:{branch}' if codebase else f'{branch}'
            lock.description = f'<BranchLock({self.lockName})[{place}]>'
            self.copies[codebase, branch] = lock
        return lock

    def updateFromLockId(self, lockid: BranchLock, config_version: int) -> None:
        """Take over the limits of a newer configuration, for the copies in use too."""
        assert self.lockName == lockid.name
        self.config_version = config_version
        self.lockid = lockid
        for (_, branch), lock in self.copies.items():
            lock.setMaxCount(lockid.max_count_for(branch))


class LockAccess(upstream.LockAccess):
    """One way to take a lock: which one, ``counting`` or ``exclusive``, and how many units."""

    def __init__(self, lockid: Any, mode: str, count: int = 1) -> None:
        if not isinstance(lockid, upstream.BaseLockId):
            config.error(f'{lockid!r} is not a lock, so there is no access to it')
        assert mode in ('counting', 'exclusive'), f'{mode!r} is neither counting nor exclusive'
        assert isinstance(count, int) and count >= 0, f'{count!r} units of a lock make no sense'
        assert mode == 'counting' or count == 1, f'exclusive access is 1 unit, not {count}'
        self.lockid, self.mode, self.count = lockid, mode, count


class BranchLock(upstream.BaseLockId):
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
    :param defaultBranch: the branch of a source stamp that names none; without it, those share a
        copy of their own.
    """

    compare_attrs: ClassVar[Sequence[str]] = (
        'name',
        'maxCount',
        'defaultBranch',
        '_maxCountForBranchList',
    )
    lockClass = RealBranchLock

    def __init__(
        self,
        name: str,
        maxCount: int = 1,
        maxCountForBranch: dict[str, int] | None = None,
        defaultBranch: str | None = None,
    ) -> None:
        self.name = name
        self.maxCount = maxCount
        self.maxCountForBranch = dict(maxCountForBranch or {})
        self.defaultBranch = defaultBranch
        # the order of patterns has a meaning, so it is part of what is compared
        self._maxCountForBranchList = tuple(self.maxCountForBranch.items())

    def __repr__(self) -> str:
        return f'BranchLock({self.name!r}, maxCount={self.maxCount})'

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
SlaveLock = upstream.WorkerLock


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
        lockid = access.lockid if isinstance(access, upstream.LockAccess) else access
        if not isinstance(lockid, upstream.BaseLockId):
            yield f'{lockid!r} is not a lock'
        elif not branches and isinstance(lockid, BranchLock):
            yield f'{lockid!r} cannot stand here, where no branch is known'
        elif lockid.name in names:
            yield f'the lock {lockid.name!r} stands twice in one list'
        else:
            names.add(lockid.name)
