# SPDX-License-Identifier: GPL-2.0-only
"""Replaced wholly: what a configuration says about locks, which may have a copy for each branch."""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from typing import Any
from typing import Callable
from typing import ClassVar
from typing import Collection
from typing import NamedTuple
from typing import Sequence

from twisted.python.reflect import accumulateClassList

from buildbot import config
from buildbot import util
from buildbot.config.fileline import FileLine
from buildbot.config.fileline import at
from buildbot.config.fileline import line_that_runs
from buildbot.config.oldwords import old_word
from buildbot.config.words import hint
from buildbot.config.words import why_unwritable
from buildbot.config.words import words_for
from buildbot.interfaces import IRenderable
from buildbot.locking.copies import RealBranchLock
from buildbot.locking.copies import RealMasterLock
from buildbot.locking.copies import RealWorkerLock
from buildbot.locking.copy import BaseLock  # noqa: F401 - people find it here
from buildbot.locking.copy import LockError  # noqa: F401
from buildbot.locking.copy import in_units
from buildbot.locking.copy import is_number_of_units
from buildbot.locking.copy import problem_of_access
from buildbot.locking.owner import LockOwner  # noqa: F401


class LockAccess(util.ComparableMixin):
    """One way to take a lock. It is not a claim, and holds nothing.

    :param lockid: a ``MasterLock``, ``WorkerLock`` or ``BranchLock``.
    :param mode: ``counting`` or ``exclusive``.
    :param count: units, 0 or more; 1 for exclusive access, which takes all of them.
    :cvar checked: tells a lock that the access was checked when it was made.
    :raises ConfigErrors: this is not a lock, or the lock cannot be taken like this.
    """

    compare_attrs: ClassVar[Sequence[str]] = ('lockid', 'mode', 'count')
    checked: ClassVar[bool] = True

    def __init__(self, lockid: Any, mode: str, count: int = 1) -> None:
        self.lockid, self.mode, self.count = lockid, mode, count
        if not isinstance(lockid, BaseLockId):
            problem = f'{words_for(lockid)} is not a lock, so there is no access to it'
        else:
            why = problem_of_access(self)
            problem = f'lock {lockid.name!r}: {why}' if why else ''
        if problem:
            # what follows would compare units with a bad count
            raise config.ConfigErrors([problem + at(line_that_runs())])

    def __repr__(self) -> str:
        units = f', {self.count}' if self.count != 1 else ''
        return f'{self.lockid!r}.access({self.mode!r}{units})'

    def on(self, workername: str) -> LockAccess:
        """Return the access for a build on a worker: the same one."""
        return self

    def joined(self, other: LockAccess) -> LockAccess | None:
        """Return what is wanted if a list has two accesses to one lock.

        :returns: an access; None if a list may have the lock only once.
        """
        return None

    def why_never(self, workers: Sequence[str]) -> str | None:
        """Say why the access can never be granted; None if it can.

        :param workers: the names of the workers on which it may be used; none if they are unknown.
        """
        most = self.lockid.most_units()
        if self.mode == 'exclusive' or self.count <= most:
            return None
        return f'{in_units(self.count)} can never be granted: it has {most} at most'

    def holders_on(self, workername: str) -> int:
        """Return how many builds on a worker can have this access at a time.

        :returns: 0 if none ever can.
        """
        if self.mode == 'exclusive':
            return 1
        return max(1, self.lockid.units_on(workername) // max(1, self.count))


def is_span(value: Any) -> bool:
    """Tell whether a value is a number of seconds that can pass."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and 0 < value <= sys.float_info.max


def is_word(word: str) -> Callable[[Any], bool]:
    """Return what tells whether a value is this word. A renderable would seem equal to any."""
    return lambda value: isinstance(value, str) and value == word


class Rule(NamedTuple):
    """One more thing that a configuration may say about a lock. It is not the value.

    :param default: the value if nothing is said.
    :param is_right: tells whether a value other than the default is allowed.
    :param must_be: what the value must be, for the message which says that it is not.
    """

    default: Any
    is_right: Callable[[Any], bool]
    must_be: str


class BaseLockId(util.ComparableMixin):
    """What a configuration says about a lock. It is no copy; the master finds locks by name.

    :cvar lockClass: class of the service that has the copies.
    :ivar written_at: the line of the configuration that made it; None if no line did.
    """

    lockClass: ClassVar[Any]
    name: str
    maxCount: int
    written_at: FileLine | None = None

    #: what may be said about a lock of any kind, by name of the argument
    RULES: ClassVar[dict[str, Rule]] = {
        'whenOverdue': Rule('keep', is_word('release'), "'keep' or 'release'"),
        'quarantineAfter': Rule(
            None, lambda v: is_number_of_units(v) and v > 0, 'a number of failures, or None'
        ),
        'quarantineWhen': Rule(None, callable, 'a function of results, or None'),
        'repairBuilder': Rule(
            None, lambda v: isinstance(v, str) and bool(v), 'the name of a builder'
        ),
        'maxWait': Rule(None, is_span, 'a number of seconds above 0, or None'),
        'maxHold': Rule(None, is_span, 'a number of seconds above 0, or None'),
        'whenTooLong': Rule('fail', is_word('report'), "'fail' or 'report'"),
    }

    whenOverdue = 'keep'
    quarantineAfter: int | None = None
    quarantineWhen: Callable[[int], object] | None = None
    repairBuilder: str | None = None
    maxWait: float | None = None
    maxHold: float | None = None
    whenTooLong = 'fail'
    _rules: tuple[tuple[str, object], ...] = ()

    #: whether the number of units depends on the worker
    depends_on_worker = False

    #: why a worker cannot have it as one of its own locks; None if it can
    why_not_of_worker: str | None = None

    def __repr__(self) -> str:
        named = [attr for attr in self.compare_attrs if attr != '_rules']
        given = [(attr.lstrip('_'), getattr(self, attr)) for attr in named]
        words = [f'{attr}={value!r}' for attr, value in given[1:] if value not in (None, ())]
        words += [f'{name}={value!r}' for name, value in self._rules]
        return f'{type(self).__name__}({", ".join([repr(self.name), *words])})'

    def _check(self, limits_name: str = '', limits: dict[str, int] | None = None) -> None:
        # checks the arguments; limits that differ from maxCount come with the name of their
        # argument
        self.written_at = line_that_runs()
        problems = []
        if not isinstance(self.name, str) or not self.name:
            problems.append('its name must be a string that is not empty')
        elif why_unwritable(self.name):
            problems.append(f'its name has {why_unwritable(self.name)}')
        if not is_number_of_units(self.maxCount):
            problems.append(f'maxCount must be a number of units, not {self.maxCount!r}')
        if limits is not None and not isinstance(limits, dict):
            problems.append(f'{limits_name} must be a dictionary, not {limits!r}')
        elif limits is not None:
            for key, units in limits.items():
                if not isinstance(key, str):
                    problems.append(f'a name in {limits_name} must be a string, not {key!r}')
                elif why_unwritable(key):
                    why = why_unwritable(key)
                    problems.append(f'the name {key!r} in {limits_name} has {why}')
                if not is_number_of_units(units):
                    problems.append(
                        f'{limits_name}[{key!r}] must be a number of units, not {units!r}'
                    )
        if problems:
            # what follows would compare units with bad values
            raise config.ConfigErrors([self._sentence(problem) for problem in problems])

    @property
    def is_judged(self) -> bool:
        """Whether it matters how its holders ended."""
        return self.quarantineAfter is not None or self.repairBuilder is not None

    def _take_rules(self, rules: dict[str, Any]) -> None:
        # keeps those of RULES that were given and differ from their defaults
        problems = []
        for name, value in rules.items():
            if name not in self.RULES:
                raise TypeError(
                    f'{type(self).__name__}() got an unexpected keyword argument {name!r}'
                )
            rule = self.RULES[name]
            if value != rule.default and not rule.is_right(value):
                problems.append(f'{name} must be {rule.must_be}, not {value!r}')
            setattr(self, name, value)
        self._rules = tuple(
            (n, getattr(self, n)) for n, r in self.RULES.items() if getattr(self, n) != r.default
        )
        if problems:
            raise config.ConfigErrors([self._sentence(problem) for problem in problems])

    def _sentence(self, problem: str) -> str:
        return f'lock {self.name!r}: {problem}{at(self.written_at)}'

    def most_units(self) -> int:
        """Return the number of units of its largest copy."""
        return max([self.maxCount, *self._other_limits().values()])

    def _other_limits(self) -> dict[str, int]:
        return {}

    def units_on(self, workername: str) -> int:
        """Return how many units there are for builds on a worker."""
        return self.maxCount

    def problems_beside(self, others: Sequence[BaseLockId], workers: Collection[str]) -> list[str]:
        """Return what is wrong with it among all locks of a configuration, as sentences.

        :param others: the locks before it, each once.
        :param workers: the names of all workers.
        """
        return []

    def access(self, mode: str, count: int = 1) -> LockAccess:
        """Say how the lock is to be taken; see ``LockAccess``."""
        return LockAccess(self, mode, count)

    def defaultAccess(self) -> LockAccess:
        """Return how the lock is taken where only its name is given."""
        return self.access('counting')


class MasterLock(BaseLockId):
    """A lock of which the master has one copy. It is not the copy.

    :param name: of the lock; a different lock of the configuration must have another.
    :param maxCount: units: how many ``counting`` holders of one unit there may be.
    :param rules: what else the configuration says about it; see ``BaseLockId.RULES``.
    :raises ConfigErrors: the name or the number of units is not valid.
    """

    compare_attrs: ClassVar[Sequence[str]] = ('name', 'maxCount', '_rules')
    lockClass = RealMasterLock

    def __init__(self, name: str, maxCount: int = 1, **rules: Any) -> None:
        self.name = name
        self.maxCount = maxCount
        self._check()
        self._take_rules(rules)


class WorkerLock(BaseLockId):
    """A lock with a copy of its own for each worker. It is not one of the copies.

    :param name: of the lock; a different lock of the configuration must have another.
    :param maxCount: units of a copy: how many ``counting`` holders of one unit there may be.
    :param maxCountForWorker: units by worker name, where they differ from ``maxCount``.
    :param rules: what else the configuration says about it; see ``BaseLockId.RULES``.
    :raises ConfigErrors: one of the arguments is not valid.
    """

    compare_attrs: ClassVar[Sequence[str]] = (
        'name',
        'maxCount',
        '_maxCountForWorkerList',
        '_rules',
    )
    lockClass = RealWorkerLock
    depends_on_worker = True

    def __init__(
        self,
        name: str,
        maxCount: int = 1,
        maxCountForWorker: dict[str, int] | None = None,
        **rules: Any,
    ) -> None:
        self.name = name
        self.maxCount = maxCount
        self._check('maxCountForWorker', maxCountForWorker)
        self._take_rules(rules)
        self.maxCountForWorker = dict(maxCountForWorker or {})
        self._maxCountForWorkerList = tuple(sorted(self.maxCountForWorker.items()))

    def _other_limits(self) -> dict[str, int]:
        return self.maxCountForWorker

    def units_on(self, workername: str) -> int:
        return self.maxCountForWorker.get(workername, self.maxCount)


class _RenderedKey:
    """Compares the key of a branch lock by its parts: ``==`` of renderables makes a renderable."""

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
    """A lock with a copy of its own for each branch of the code that is built. It is not a copy.

    Builders and steps that must not work on one branch at the same time share the lock, while
    builds of different branches do not hinder one another. The branch is that of the build's source
    stamps; a build of several codebases takes the copies of all its (codebase, branch) pairs.

    :param name: of the lock; a different lock of the configuration must have another.
    :param maxCount: units of a copy: how many ``counting`` holders of one unit there may be.
    :param maxCountForBranch: units by branch name, where they differ from ``maxCount``. A name may
        be a shell pattern such as ``release/*``; an exact name goes before a pattern, and of
        several patterns the first one that fits counts.
    :param codebase: the only codebase whose branch counts. A build without it is refused.
    :param defaultBranch: the branch of a source stamp that names none; without it, such source
        stamps share a copy of their own.
    :param key: a renderable that takes the place of the branch, for copies by anything else:
        ``Interpolate('%(src::repository)s#%(src::branch)s')``, a property.
    :param rules: what else the configuration says about it; see ``BaseLockId.RULES``.
    :raises ConfigErrors: one of the arguments is not valid.
    """

    compare_attrs: ClassVar[Sequence[str]] = (
        'name',
        'maxCount',
        '_maxCountForBranchList',
        'codebase',
        'defaultBranch',
        '_key',
        '_rules',
    )
    lockClass = RealBranchLock
    why_not_of_worker = 'a branch lock cannot be used here, where no branch is known'

    def __init__(
        self,
        name: str,
        maxCount: int = 1,
        maxCountForBranch: dict[str, int] | None = None,
        codebase: str | None = None,
        defaultBranch: str | None = None,
        key: Any = None,
        **rules: Any,
    ) -> None:
        self.name = name
        self.maxCount = maxCount
        self._check('maxCountForBranch', maxCountForBranch)
        self._take_rules(rules)
        self.maxCountForBranch = dict(maxCountForBranch or {})
        self.codebase = codebase
        self.defaultBranch = defaultBranch
        self.key = key
        for what, value in (('codebase', codebase), ('defaultBranch', defaultBranch)):
            if value is not None and not isinstance(value, str):
                config.error(self._sentence(f'{what} must be a string, not {value!r}'))
            elif value is not None and why_unwritable(value):
                config.error(self._sentence(f'{what} {value!r} has {why_unwritable(value)}'))
        if key is not None and (codebase is not None or defaultBranch is not None):
            config.error(
                self._sentence('it has a key, so it can have no codebase and no defaultBranch')
            )
        if hint(key):
            config.error(self._sentence(f'key cannot be {words_for(key)}{hint(key)}'))
        elif isinstance(key, str) and why_unwritable(key):
            config.error(self._sentence(f'key {key!r} has {why_unwritable(key)}'))
        # the order of patterns has a meaning, so it is part of the comparison
        self._maxCountForBranchList = tuple(self.maxCountForBranch.items())
        self._key = None if key is None else _RenderedKey(key)

    def _other_limits(self) -> dict[str, int]:
        return self.maxCountForBranch

    def max_count_for(self, branch: str | None) -> int:
        """Return the number of units of the copy of a branch."""
        if branch is None:
            return self.maxCount
        if branch in self.maxCountForBranch:
            return self.maxCountForBranch[branch]
        for pattern, count in self._maxCountForBranchList:
            if fnmatchcase(branch, pattern):
                return count
        return self.maxCount


def SlaveLock(
    name: str,
    maxCount: int = 1,
    maxCountForWorker: dict[str, int] | None = None,
    maxCountForSlave: dict[str, int] | None = None,
    **rules: Any,
) -> WorkerLock:
    """Return a ``WorkerLock``, and warn that this is its name today.

    :param maxCountForSlave: the name of ``maxCountForWorker`` when a worker was called a slave.
    """
    old_word('SlaveLock', 'WorkerLock', f'lock {name!r}')
    lock = WorkerLock(name, maxCount, maxCountForWorker, **rules)
    if maxCountForSlave is None:
        return lock
    old_word('maxCountForSlave', 'maxCountForWorker', f'lock {name!r}')
    lock._check('maxCountForSlave', maxCountForSlave)
    if maxCountForWorker:
        config.error(lock._sentence('it has both maxCountForWorker and maxCountForSlave'))
    return WorkerLock(name, maxCount, maxCountForSlave, **rules)


def in_access(lock: BaseLockId | LockAccess) -> LockAccess:
    """Return the access that is meant where a lock may stand for its usual access."""
    return lock if isinstance(lock, LockAccess) else lock.defaultAccess()
