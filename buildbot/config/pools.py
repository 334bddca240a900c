# SPDX-License-Identifier: GPL-2.0-only
"""New: what is wrong with resource pools, and with what is wanted of them."""

from __future__ import annotations

from typing import Any
from typing import Collection
from typing import Iterable
from typing import Iterator
from typing import Sequence

from buildbot.config.fileline import at
from buildbot.locking.named import NamedLock
from buildbot.locking.resource import Part
from buildbot.locks import BaseLockId
from buildbot.locks import in_access
from buildbot.pools import PoolAccess
from buildbot.pools import ResourcePool


def lock_of(pool: ResourcePool) -> NamedLock:
    """Return the resources of a pool as nobody has any of them."""
    lock = NamedLock()
    lock.offer(pool.resources)
    return lock


def could_be_met(lock: NamedLock, parts: Sequence[Part], worker: str | None = None) -> bool:
    """Tell whether some parts can be had together if nobody has anything.

    :param worker: the worker on which they are used; None if it may be any.
    """
    return not parts or bool(lock.lane(lock.want(parts, worker), ()).most())


def joined(accesses: Iterable[Any]) -> Iterator[PoolAccess]:
    """Yield for each pool of a list what is wanted of it in all; what is exclusive is left out."""
    found: dict[ResourcePool, PoolAccess] = {}
    for access in accesses:
        if isinstance(access, (PoolAccess, ResourcePool)):
            access = in_access(access)
            if access.mode == 'counting' and access.count:
                known = next((pool for pool in found if pool == access.lockid), access.lockid)
                found[known] = found[known].joined(access) if known in found else access
    return iter(found.values())


def problems_of_pools(accesses: Iterable[Any], workers: Collection[str] = ()) -> Iterator[str]:
    """Yield a sentence for each pool of a list of which more is wanted than there is.

    :param workers: the names of the workers on which it is used; none if they are not known.
    """
    for access in joined(accesses):
        lock = lock_of(access.lockid)
        for part in access.parts:
            here = next(problems_of_part(lock, part), None)
            if here is not None:
                yield f'lock {access.lockid.name!r}: {here}'
                break
        else:
            words = ' and '.join(part.words for part in access.parts)
            if not could_be_met(lock, access.parts):
                yield (
                    f'lock {access.lockid.name!r}: {words} can never be had together, for there'
                    ' are too few such resources'
                )
            elif workers and not any(could_be_met(lock, access.parts, w) for w in workers):
                yield (
                    f'lock {access.lockid.name!r}: {words} can be had on none of the workers'
                    f' {", ".join(repr(worker) for worker in workers)}'
                )


def problems_of_part(lock: NamedLock, part: Part) -> Iterator[str]:
    """Yield what is wrong with one part of what is wanted, most important first."""
    fitting = bin(lock.kinds.fitting(part.labels)).count('1')
    if not fitting:
        yield 'it has no resources' if part.labels is None else f'no resource fits {part.labels!r}'
    elif fitting < part.count:
        number = 'there is 1' if fitting == 1 else f'there are {fitting}'
        yield f'{part.words} can never be had, for {number}'
    elif not could_be_met(lock, [part]):
        yield f'{part.words}, can never be had, for there are never so many that agree'


def problems_of_all(lockids: Iterable[BaseLockId], workers: Collection[str]) -> Iterator[str]:
    """Yield a sentence for each resource that is in two pools, or on a worker that is not there.

    :param workers: the names of all workers.
    """
    pool_of: dict[str, ResourcePool] = {}
    seen: set[str] = set()
    for pool in lockids:
        if not isinstance(pool, ResourcePool) or pool.name in seen:
            continue  # unlike ones of one name are told of elsewhere
        seen.add(pool.name)
        where = at(pool.written_at)
        for resource in pool.resources:
            first = pool_of.setdefault(resource.name, pool)
            if first is not pool:
                yield (
                    f'lock {pool.name!r}: resource {resource.name!r} is in the pool'
                    f' {first.name!r} too{at(first.written_at)}, and can be in one only{where}'
                )
            for worker in resource.workers or ():
                if worker not in workers:
                    yield (
                        f'lock {pool.name!r}: resource {resource.name!r}: there is no worker'
                        f' {worker!r}{where}'
                    )
