# SPDX-License-Identifier: GPL-2.0-only
"""New: the locks that a configuration names, and their faults that can be found without a build."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING
from typing import Any
from typing import Collection
from typing import Iterable
from typing import Iterator
from typing import Sequence

from buildbot.config.fileline import at
from buildbot.config.words import hint
from buildbot.config.words import words_for
from buildbot.interfaces import IRenderable
from buildbot.locks import BaseLockId
from buildbot.locks import LockAccess
from buildbot.locks import WorkerLock
from buildbot.locks import in_access
from buildbot.warnings import ConfigWarning

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

    from buildbot.config.builder import BuilderConfig
    from buildbot.worker.base import AbstractWorker

    Mention: TypeAlias = 'tuple[BaseLockId, object]'


def problems_of(accesses: Any, in_build: bool = True, workers: Sequence[str] = ()) -> list[str]:
    """Return a sentence for each fault of a list of locks.

    :param accesses: what the user wrote for ``locks=``; a renderable can only be judged later.
    :param in_build: whether the locks are those of a build, so that ``BranchLock`` and renderables
        are allowed.
    :param workers: the names of the workers of the build; none if they are not known.
    """
    return list(dict.fromkeys(_problems(accesses, in_build, workers)))


def _problems(accesses: Any, in_build: bool, workers: Sequence[str]) -> Iterator[str]:
    advice = hint if in_build else lambda thing: ''
    if accesses is None:
        return
    if IRenderable.providedBy(accesses):
        accesses = [accesses]
    if not isinstance(accesses, (list, tuple)):
        yield f'locks must be a list of locks, not {words_for(accesses)}{advice(accesses)}'
        return
    wanted: dict[str, LockAccess] = {}
    for access in accesses:
        if IRenderable.providedBy(access):
            if not in_build:
                yield f'{access!r} cannot be used here, where no build is known to render it for'
            continue
        lockid = access.lockid if isinstance(access, LockAccess) else access
        if not isinstance(lockid, BaseLockId):
            yield f'{words_for(lockid)} is not a lock{advice(lockid)}'
            continue
        access, known = in_access(access), wanted.get(lockid.name)
        problem = None if in_build else lockid.why_not_of_worker
        problem = problem or access.why_never(workers)
        if problem is None and known is not None:
            both = known.joined(access)
            problem = both.why_never(workers) if both else 'it is in one list twice'
            access = both or access
        if problem is None:
            wanted[lockid.name] = access
        else:
            yield f'lock {lockid.name!r}: {problem}'


def locks_of_builder(builder: BuilderConfig, steps: Iterable[Any]) -> Iterator[Mention]:
    """Yield the locks of a builder and of these steps, each with its place, for ``str()``."""
    yield from _lock_ids(builder.locks, f'builder {builder.name!r}')
    for found in steps:
        yield from _lock_ids(found.step.locks, found)


def locks_of_worker(worker: AbstractWorker) -> Iterator[Mention]:
    """Yield the locks of a worker, each with its place in the configuration."""
    yield from _lock_ids(worker.access, f'worker {worker.name!r}')


def _lock_ids(accesses: Any, where: object) -> Iterator[Mention]:
    if not isinstance(accesses, (list, tuple)):
        return  # none, or a renderable
    for access in accesses:
        lockid = access.lockid if isinstance(access, LockAccess) else access
        if isinstance(lockid, BaseLockId):
            yield lockid, where


def unlike_locks(mentions: Iterable[Mention]) -> Iterator[str]:
    """Yield a sentence for each lock that has the same name as a different one before it."""
    known: dict[str, Mention] = {}
    for lockid, where in mentions:
        first, first_where = known.setdefault(lockid.name, (lockid, where))
        if lockid != first:
            yield (
                f'{where}: lock {lockid.name!r}: Two locks share this name:'
                f' {lockid!r}{at(lockid.written_at)}, and'
                f' {first!r} of {first_where}{at(first.written_at)}'
            )


def problems_beside(mentions: Iterable[Mention], workers: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each fault of a lock among all locks of a configuration.

    :param workers: the names of all workers.
    """
    known: dict[str, BaseLockId] = {}  # different locks of one name are reported elsewhere
    for lockid, _ in mentions:
        if lockid.name not in known:
            yield from lockid.problems_beside([*known.values()], workers)
            known[lockid.name] = lockid


def missing_repairs(mentions: Iterable[Mention], builders: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each lock whose repair builder does not exist."""
    for lockid, _ in mentions:
        name = lockid.repairBuilder
        if name is not None and name not in builders:
            where = at(lockid.written_at)
            yield f'lock {lockid.name!r}: its repairBuilder {name!r} is no builder{where}'


def warn_of_workers(lockids: Iterable[BaseLockId], workers: Iterable[str]) -> None:
    """Warn of limits for workers that do not exist.

    They do no harm, as one file of locks may serve several masters. But a name may be misspelt, or
    a worker may have been renamed.
    """
    known = set(workers)
    names = set()
    for lockid in lockids:
        if not isinstance(lockid, WorkerLock) or lockid.name in names:
            continue
        names.add(lockid.name)
        others = ', '.join(repr(name) for name in lockid.maxCountForWorker if name not in known)
        if others:
            text = f'maxCountForWorker names {others}, and there is no such worker'
            file, number = lockid.written_at or ('the configuration', 0)
            # without a registry, so that each reconfig warns again
            warnings.warn_explicit(f'lock {lockid.name!r}: {text}', ConfigWarning, file, number)
