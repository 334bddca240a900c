# SPDX-License-Identifier: GPL-2.0-only
"""The locks of a build are found with its branch, and claimed together."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Hashable
from typing import Iterable
from typing import NamedTuple
from typing import Sequence

from sqlalchemy.exc import SQLAlchemyError
from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure

from buildbot.config.fileline import at
from buildbot.config.words import hint
from buildbot.config.words import why_unwritable
from buildbot.config.words import words_for
from buildbot.interfaces import IRenderable
from buildbot.locking.copies import FoundByName
from buildbot.locking.copies import RealBranchLock
from buildbot.locking.copy import LockError
from buildbot.locks import BaseLockId
from buildbot.locks import BranchLock
from buildbot.locks import LockAccess
from buildbot.locks import in_access
from buildbot.process.questions import GivenUp
from buildbot.process.rendering import render
from buildbot_overlay import release

if TYPE_CHECKING:
    from typing_extensions import TypeAlias

    from buildbot.locking.owner import LockOwner
    from buildbot.locks import BaseLock
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder

    #: copies of locks, each copy once, and how each is to be taken
    Demand: TypeAlias = 'list[tuple[BaseLock, LockAccess]]'

upstream = release(__name__)

#: the types that the key of a branch lock may be rendered to: equal keys look the same
KEYS = (str, int, float, bytes, type(None))


class Resolved(NamedTuple):
    """The locks that the build of a request needs on a worker. It is not a claim.

    :param of_builder: the demand of the builder's locks.
    :param of_worker: the demand of the worker's own locks.
    :param worker: name of the worker; None if the demand is the same on each worker.
    :param around: the owner that the build will be nested in, or None.
    :param configured: the ``locks`` in the builder's configuration at that time.
    :param why_never: why they cannot be determined; a Failure, or None.
    """

    of_builder: Demand
    of_worker: Demand
    worker: str | None = None
    around: LockOwner | None = None
    configured: Any = None
    why_never: Failure | None = None

    def is_current(self, configured: Any, worker: Any) -> bool:
        """Tell whether it still applies, since no reconfig has changed the locks.

        :param configured: the ``locks`` in the builder's present configuration.
        :param worker: the worker, or None if it has been lost.
        :returns: a bool; False if the worker has been lost.
        """
        # by identity, because the == of a renderable may return anything
        is_of_config = self.configured is configured
        return worker is not None and is_of_config and self.of_worker == worker.locks


@defer.inlineCallbacks
def resolve(
    builder: Any, workerforbuilder: AbstractWorkerForBuilder, buildrequest: BuildRequest
) -> Any:
    """Find out which locks a build of a request needs on a worker.

    :returns: Deferred of ``Resolved``, or of None if the build cannot start there: the worker is
        lost or does not fit, the request is no longer pending, or a reconfig has intervened.
    """
    worker, props = workerforbuilder.worker, None
    if worker is None:
        return None  # its connection was lost in the meantime
    brid = buildrequest.id
    if not builder.inbox.is_pending(brid):
        return None  # a method of the user may never answer about it, as before
    about = (brid, worker.workername)
    if worker.builds_may_be_incompatible:
        # the instance of a latent worker may depend on the properties of the build it was made for
        props = yield builder._setup_props_if_needed(props, workerforbuilder, buildrequest)
        is_compatible = yield builder.questions.ask(
            f'a renderable of worker {worker.name!r}',
            worker.isCompatibleWithBuild,
            props,
            about=about,
        )
        if not is_compatible:
            why = 'its build does not fit there'
            builder.refusals.note(brid, worker.workername, why)
            return None
    config_version, configured = builder.config_version, builder.config.locks
    of_builder: Demand = []
    why_never = None
    try:
        of_builder = yield builder.questions.ask(
            'a renderable of its locks',
            builder.find_demand,
            workerforbuilder,
            buildrequest,
            props,
            about=about,
        )
    except GivenUp:
        return None
    except SQLAlchemyError:
        raise  # the error may be over by the next time
    except Exception as e:
        why_never = Failure()
        if workerforbuilder.worker is not None and builder.running:
            log.err(e, f'builder {builder.name!r}: locks of {buildrequest}')
    around = None
    of_worker = worker.locks
    if of_builder or of_worker:
        around = yield find_owner_around(builder, buildrequest)
    is_settled = builder.config_version == config_version and builder.inbox.is_pending(brid)
    if workerforbuilder.worker is None or not builder.running or not is_settled:
        return None
    is_special = of_worker or worker.builds_may_be_incompatible or depends_on_worker(configured)
    name = worker.workername if is_special else None
    return Resolved(of_builder, of_worker, name, around, configured, why_never)


@defer.inlineCallbacks
def find_owner_around(builder: Any, buildrequest: BuildRequest) -> Any:
    """Find the step on this master that triggered a request and waits for its build.

    :returns: Deferred of the owner that the build is nested in, or of None.
    """
    if not buildrequest.waitedFor:
        return None
    running = builder.botmaster.awaited.running
    buildset = yield builder.master.data.get(('buildsets', str(buildrequest.bsid)))
    parent = buildset['parent_buildid'] if buildset else None
    for build in running if parent is not None else ():
        if build.buildid == parent:  # a new build may have no id yet
            return build.lock_owner_of(buildrequest.id, builder.name)
    return None


def depends_on_worker(locks: Any) -> bool:
    """Tell whether the copies of these locks depend on the worker of the build."""
    if must_be_rendered(locks):
        return True
    return any(getattr(lock, 'depends_on_worker', False) for lock in ids_of(locks))


def depends_on_branch(locks: Any) -> bool:
    """Tell whether the copies of these locks depend only on the branch of the build."""
    return names_lock_of(BranchLock, locks) and not must_be_rendered(locks)


def names_lock_of(kind: type, locks: Any) -> bool:
    return not IRenderable.providedBy(locks) and any(isinstance(i, kind) for i in ids_of(locks))


def group_of(locks: Any, brdict: dict[str, Any], request: BuildRequest | None) -> Hashable:
    """Return a value that is equal for requests of a builder that want the same locks.

    :param locks: the ``locks`` in the builder's configuration.
    :param brdict: the build request, as the data API gives it.
    :param request: its ``BuildRequest``; needed only if the locks depend on the branch.
    """
    if brdict['waited_for'] or must_be_rendered(locks):
        return brdict['buildrequestid']  # a group of its own: its parent or locks may differ
    if request is None or not depends_on_branch(locks):
        return None
    sources = request.mergeSourceStampsWith([])
    return tuple(sorted((s.codebase or '', s.branch or '') for s in sources))


@defer.inlineCallbacks
def get_real_locks_from_accesses_raw(
    locks: Any,
    props: Any,
    builder: Any,
    workerforbuilder: Any,
    config_version: int | None,
    get_sources: Callable[[], Sequence[Any]] = tuple,
) -> Any:
    """Find the demand that a list of accesses stands for.

    :param locks: a list of accesses, or a renderable of one.
    :param props: the properties to render ``locks`` with; None leaves ``locks`` unrendered.
    :param workerforbuilder: the worker whose copies of worker locks are meant.
    :param get_sources: returns the build's source stamps; called only if a branch matters.
    :returns: Deferred of a list of (lock, access), each lock once.
    :raises LockError: ``locks`` is not a list of locks, or names a lock twice, or names one like an
        existing lock that differs; or the worker has been lost.
    """
    worker = workerforbuilder.worker if workerforbuilder is not None else None
    if worker is None:
        raise LockError('the worker was lost before the locks could be determined')
    botmaster = builder.botmaster  # kept, since a builder that is removed meanwhile has none
    if props is not None:
        locks = yield render(props, locks)
        check_rendered(locks)
    if not locks:
        return []

    refuse_unlike(locks, botmaster, config_version)
    found = yield botmaster.getLockFromLockAccesses(locks, config_version)
    demand: Demand = []
    for lock, access in found:
        lock = lock.getLockForWorker(worker.workername)
        access = in_access(access)
        if isinstance(access, LockAccess):  # a plugin may have accesses of its own
            access = access.on(worker.workername)
        copies = [lock]
        if isinstance(lock, RealBranchLock):
            copies = yield copies_of(lock, access.lockid.key, props, get_sources)
        demand += [(copy, access) for copy in copies]
    demand = joined(demand)
    if len({lock for lock, _ in demand}) < len(demand):
        found = [lock for lock, _ in demand]
        twice = next(lock for lock in found if found.count(lock) > 1)
        raise LockError(f'lock {twice.lockName!r}: it is in one list twice')
    return demand


def joined(demand: Demand) -> Demand:
    """Return a demand with the accesses to the same copy joined into one, where possible."""
    found: Demand = []
    index: dict[BaseLock, int] = {}
    for lock, access in demand:
        known = index.setdefault(lock, len(found))
        is_ours = known < len(found) and isinstance(access, LockAccess)
        both = found[known][1].joined(access) if is_ours else None
        if both is None:
            found.append((lock, access))
        else:
            found[known] = (lock, both)
    return found


@defer.inlineCallbacks
def copies_of(
    lock: RealBranchLock, key: Any, props: Any, get_sources: Callable[[], Sequence[Any]]
) -> Any:
    """Find the copies of a branch lock that a build claims.

    :param key: the lock's key, used instead of the branch; None if it has no key.
    :returns: Deferred of a list of copies.
    :raises LockError: the build has no such codebase, or a copy's label cannot be written.
    """
    if key is None:
        copies = lock.locks_for_sources(get_sources())
        for copy in copies:
            check_label(lock, copy.label)
        return copies
    rendered = yield render(props, key)
    parts = rendered if isinstance(rendered, (list, tuple)) else [rendered]
    for part in parts:
        if not isinstance(part, KEYS):
            raise LockError(
                f'lock {lock.lockName!r}: its key must be text or a number, or a list of these, not'
                f' {words_for(part)}'
            )
    # checked before the copy is made, since code that goes through all copies would find it
    check_label(lock, f'{lock.lockName}[{rendered}]')
    return [lock.lock_for_key(rendered)]


def check_label(lock: Any, label: str) -> None:
    """Check that the label of a copy of a lock can be written to logs and the database.

    :raises LockError: it cannot be written.
    """
    why = why_unwritable(label)
    if why is not None:
        raise LockError(f'lock {lock.lockName!r}: its copy {label!r} has {why}')


def check_rendered(locks: Any) -> None:
    """Check that a renderable has returned a list of locks.

    :raises LockError: it has returned something else.
    """
    if locks and not isinstance(locks, (list, tuple)):
        raise LockError(f'locks must be a list of locks, not {words_for(locks)}{hint(locks)}')
    for lock in locks or ():
        is_lock = isinstance(lock, LockAccess) or hasattr(lock, 'defaultAccess')
        if not is_lock or isinstance(lock, type):
            raise LockError(f'{words_for(lock)} is not a lock{hint(lock)}')


def refuse_unlike(locks: Iterable[Any], botmaster: Any, config_version: int | None) -> None:
    """Refuse a lock that has the name of a different lock in the same configuration.

    A rendered lock only becomes known when a build needs it. Another version of the configuration
    may define a lock differently, and the newest version applies. A lock that only renderables name
    is forgotten when nobody holds it or waits for it.

    :param locks: locks and accesses to locks; those that are not Buildbot's are not checked.
    :param botmaster: the botmaster, which knows the locks in use.
    :param config_version: version of the configuration that has the list.
    :raises LockError: the other lock was there first.
    """
    for lockid in ids_of(locks):
        if not isinstance(lockid, BaseLockId):
            continue
        for kind in FoundByName.__subclasses__():
            real = kind.find(botmaster, lockid.name)
            if real is None or real.config_version != config_version:
                continue
            if real.lockid != lockid and real.is_idle and not is_configured(real, botmaster):
                real.config_version = -1
                continue
            if real.lockid is not None and real.lockid != lockid:
                raise LockError(
                    f'lock {lockid.name!r}: Two locks share this name: {lockid!r}, and'
                    f' {real.lockid!r}{at(real.lockid.written_at)}, which was there first'
                )


def is_configured(real: Any, botmaster: Any) -> bool:
    """Tell whether a builder's or worker's configuration names a lock without a renderable."""
    named = [lock for builder in botmaster.builders.values() for lock in builder.configured_locks]
    for worker in botmaster.master.workers.workers.values():
        named += [lock if lock.family is None else lock.family for lock, _ in worker.locks]
    return any(lock is real for lock in named)


def get_real_locks_from_accesses(locks: Any, build: Any) -> defer.Deferred[Demand]:
    """Find the demand that a list of accesses stands for, in a build or a step of it."""
    return get_real_locks_from_accesses_raw(
        locks,
        build,
        build.builder,
        build.workerforbuilder,
        build.config_version,
        build.getAllSourceStamps,
    )


def must_be_rendered(locks: Any) -> bool:
    """Tell whether finding the copies of these locks needs the properties of a build."""
    if IRenderable.providedBy(locks):
        return True
    return any(
        IRenderable.providedBy(i) or getattr(i, 'key', None) is not None for i in ids_of(locks)
    )


def ids_of(locks: Iterable[Any]) -> list[Any]:
    """Return the locks in a list of locks and accesses. Renderables in it stay as they are."""
    return [getattr(lock, 'lockid', lock) for lock in locks]


def names_of_locks(demand: Demand) -> str:
    """Return the names of copies for messages, without accesses with a count of 0."""
    return ', '.join(str(lock) for lock, access in demand if access.count)


def together(*lists: Demand) -> Demand:
    """Merge demands into one that has each copy once, with the strongest access to it."""
    strongest: dict[BaseLock, LockAccess] = {}
    for lock, access in (pair for demand in lists for pair in demand):
        known = strongest.get(lock)
        if known is None or (access.mode == 'exclusive', access.count) > (
            known.mode == 'exclusive',
            known.count,
        ):
            strongest[lock] = access
    return list(strongest.items())
