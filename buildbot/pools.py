# SPDX-License-Identifier: GPL-2.0-only
"""New: what a configuration says about resource pools: locks whose units have names and labels."""

from __future__ import annotations

import json
from typing import Any
from typing import Callable
from typing import ClassVar
from typing import Collection
from typing import Iterable
from typing import Sequence

from buildbot import config
from buildbot.config.fileline import at
from buildbot.config.words import why_unwritable
from buildbot.config.words import words_for
from buildbot.locking.labels import LabelError
from buildbot.locking.labels import parse
from buildbot.locking.matching import number_of
from buildbot.locking.named import NamedLock
from buildbot.locking.poolcopy import RealPool
from buildbot.locking.resource import Part
from buildbot.locking.resource import Resource
from buildbot.locks import BaseLockId
from buildbot.locks import LockAccess


class PoolAccess(LockAccess):
    """One way to take resources of a pool. It is not a claim, and holds nothing.

    :param lockid: a ``ResourcePool``.
    :param parts: what is wanted, all of it or nothing; not used for exclusive access.
    :param exclusive: whether all of the pool is wanted.
    :param worker: the worker on which they are used; None if that does not matter.
    :raises ConfigErrors: the pool cannot be taken like this.
    """

    compare_attrs: ClassVar[Sequence[str]] = (*LockAccess.compare_attrs, 'parts', 'worker')

    def __init__(
        self,
        lockid: ResourcePool,
        parts: Sequence[Part],
        exclusive: bool = False,
        worker: str | None = None,
    ) -> None:
        self.parts, self.worker = tuple(parts), worker
        count = 1 if exclusive else sum(part.units for part in parts)
        super().__init__(lockid, 'exclusive' if exclusive else 'counting', count)

    def __repr__(self) -> str:
        if self.mode == 'exclusive':
            return f'{self.lockid!r}.access(exclusive=True)'
        return f'{self.lockid!r} ({" and ".join(part.words for part in self.parts)})'

    def on(self, worker: str) -> PoolAccess:
        """Return the access for a build on a worker."""
        if not self.lockid.depends_on_worker or self.mode == 'exclusive':
            return self
        return PoolAccess(self.lockid, self.parts, False, worker)

    def joined(self, other: LockAccess) -> PoolAccess | None:
        if not isinstance(other, PoolAccess) or 'exclusive' in (self.mode, other.mode):
            return None
        return PoolAccess(self.lockid, (*self.parts, *other.parts), False, self.worker)

    def why_never(self, workers: Sequence[str]) -> str | None:
        lock = self.lockid.unused()
        for part in self.parts:
            fitting = number_of(lock.kinds.fitting(part.labels))
            if not fitting and part.labels is not None:
                return f'no resource fits {part.labels!r}'
            if fitting < part.units:
                number = 'there is 1' if fitting == 1 else f'there are {fitting}'
                return f'{part.words} can never be granted: {number}'
            if not can_be_had(lock, [part]):
                return f'{part.words}, can never be granted: there are never so many that agree'
        words = ' and '.join(part.words for part in self.parts)
        if not can_be_had(lock, self.parts):
            return f'{words} can never be granted together: there are too few such resources'
        if workers and not any(can_be_had(lock, self.parts, worker) for worker in workers):
            names = ', '.join(repr(worker) for worker in workers)
            return f'{words} can be granted on none of the workers {names}'
        return None

    def holders_on(self, workername: str) -> int:
        if self.mode == 'exclusive':
            return 1
        lock = self.lockid.unused()
        if not can_be_had(lock, self.parts, workername):
            return 0
        usable = lock.lane(lock.want(self.parts, workername), ()).usable
        return max(1, number_of(usable) // self.count)


class ResourcePool(BaseLockId):
    """A lock whose units are things with names, such as the boards on a bench. It is not its copy.

    :param name: of the pool; a different lock of the configuration must have another.
    :param resources: a list of ``Resource``, each with another name.
    :param pick: a function that takes a list of resources that would do, and returns it in the
        order in which they are to be taken. Without it, the resource that the fewest waiting claims
        could use goes first, then the one that was given back longest ago.
    :param rules: what else the configuration says about it; see ``BaseLockId.RULES``.
    :ivar depends_on_worker: whether there are workers on which not all of them can be used.
    :raises ConfigErrors: one of the arguments is not valid.
    """

    compare_attrs: ClassVar[Sequence[str]] = ('name', 'resources', 'pick', '_rules')
    lockClass = RealPool
    why_not_of_worker = 'a resource pool cannot stand here: its resources are for builds and steps'

    def __init__(
        self,
        name: str,
        resources: Iterable[Resource] = (),
        pick: Callable[[list[Resource]], list[Resource]] | None = None,
        **rules: Any,
    ) -> None:
        self.name, self.pick = name, pick
        is_list = isinstance(resources, (list, tuple))
        self.resources = tuple(resources) if is_list else ()
        self.maxCount = len(self.resources)
        self._check()
        problems = []
        if not is_list:
            problems.append(f'resources must be a list of resources, not {words_for(resources)}')
        if pick is not None and not callable(pick):
            problems.append(f'pick must be a function of resources, or None, not {pick!r}')
        names: set[Any] = set()
        for resource in self.resources:
            if not isinstance(resource, Resource):
                problems.append(f'{words_for(resource)} is not a resource')
                continue
            problems += [f'resource {resource.name!r}: {why}' for why in problems_of(resource)]
            if isinstance(resource.name, str) and resource.name in names:
                problems.append(f'it has two resources named {resource.name!r}')
            names.add(resource.name if isinstance(resource.name, str) else None)
        if problems:
            # what follows would use resources that do not exist
            raise config.ConfigErrors([self._sentence(problem) for problem in problems])
        self.depends_on_worker = any(r.workers is not None for r in self.resources)
        self._take_rules(rules)

    def __repr__(self) -> str:
        names = ', '.join(repr(resource.name) for resource in self.resources[:8])
        more = ', ...' if self.maxCount > 8 else ''
        return f'ResourcePool({self.name!r}, [{names}{more}])'

    def unused(self) -> NamedLock:
        """Return its resources as they are when nobody has any of them."""
        lock = NamedLock()
        lock.offer(self.resources)
        return lock

    def problems_beside(self, others: Sequence[BaseLockId], workers: Collection[str]) -> list[str]:
        first = {r.name: p for p in others if isinstance(p, ResourcePool) for r in p.resources}
        where, found = at(self.written_at), []
        for resource in self.resources:
            what = f'lock {self.name!r}: resource {resource.name!r}'
            pool = first.get(resource.name)
            if pool is not None:
                there = f'the pool {pool.name!r} too{at(pool.written_at)}'
                found.append(f'{what} is in {there}, and can be in only one{where}')
            missing = [worker for worker in resource.workers or () if worker not in workers]
            found += [f'{what}: there is no worker {worker!r}{where}' for worker in missing]
        return found

    def access(  # type: ignore[override]  # of resources, not units
        self,
        count: int = 1,
        labels: str | None = None,
        same: str | None = None,
        exclusive: bool = False,
    ) -> PoolAccess:
        """Say which resources are wanted.

        :param count: how many; all together or none.
        :param labels: an expression over labels and properties that each of them fits, such as
            ``'stm32 & !hw-a'``; None if any will do.
        :param same: what all of them agree in: the property of that name if a resource has it,
            otherwise the label that begins with it and a hyphen: ``'hw'`` for ``hw-a`` or ``hw-c``.
        :param exclusive: whether the whole pool is wanted, and nobody else may have any of it.
        :raises ConfigErrors: one of the arguments is not valid.
        """
        problem = None
        if not isinstance(exclusive, bool):
            problem = f'exclusive must be True or False, not {exclusive!r}'
        elif count in ('counting', 'exclusive'):
            problem = (
                f'{count!r} is not a number of resources; a pool is taken with access(count=1), or'
                ' with access(exclusive=True)'
            )
        elif exclusive and (count != 1 or labels is not None or same is not None):
            problem = 'exclusive access takes the whole pool, so nothing else can be given'
        elif not isinstance(count, int) or isinstance(count, bool) or count < 0:
            problem = f'{count!r} is not a number of resources'
        elif same is not None and (not isinstance(same, str) or not same):
            problem = f'same must be the name of a property or of a family of labels, not {same!r}'
        elif labels is not None and not isinstance(labels, str):
            problem = f'labels must be an expression over labels, not {words_for(labels)}'
        elif labels is not None:
            try:
                labels = parse(labels).text
            except LabelError as e:
                problem = str(e)
        if problem is not None:
            raise config.ConfigErrors([self._sentence(problem)])
        if exclusive:
            return PoolAccess(self, (), True)
        return PoolAccess(self, [Part(count, labels, same)] if count else ())

    def defaultAccess(self) -> PoolAccess:
        return self.access()


def can_be_had(lock: NamedLock, parts: Sequence[Part], worker: str | None = None) -> bool:
    """Tell whether a pool that nobody uses can give some parts.

    :param worker: the worker on which they are used; None if it may be any.
    """
    return not parts or bool(lock.lane(lock.want(parts, worker), ()).most())


def problems_of(resource: Resource) -> list[str]:
    """Return what is wrong with the definition of a resource, without its name."""
    problems = []
    texts: Sequence[tuple[str, Any, bool]] = (
        ('its name', resource.name, False),
        ('labels', resource.labels, True),
        ('workers', resource.workers, True),
    )
    for what, value, is_list in texts:
        if is_list and value is None and what == 'workers':
            continue
        if is_list and not isinstance(value, (frozenset, tuple)):
            problems.append(f'{what} must be a list of names, not {words_for(value)}')
            continue
        for name in sorted(value, key=repr) if is_list else [value]:
            if not isinstance(name, str) or not name:
                problems.append(f'{what} must be a string that is not empty, not {words_for(name)}')
            elif why_unwritable(name):
                problems.append(f'{what} {name!r} has {why_unwritable(name)}')
    if resource.workers == ():
        problems.append('workers is empty, so it can be used on none')
    properties = resource.properties
    if not isinstance(properties, dict) or not all(isinstance(n, str) for n in properties):
        problems.append(
            f'properties must be a dictionary with names as keys, not {words_for(properties)}'
        )
        return problems
    for name, value in properties.items():
        try:
            json.dumps(value)
        except (TypeError, ValueError, RecursionError):
            problems.append(f'property {name!r} cannot be written as JSON: {words_for(value)}')
    return problems
