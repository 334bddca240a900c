# SPDX-License-Identifier: GPL-2.0-only
"""New: the locks of this master, their copies, holders and waiters."""

from __future__ import annotations

from functools import partial
from typing import Any
from typing import Iterable

from twisted.internet import defer

from buildbot.data import base
from buildbot.data import types
from buildbot.data.exceptions import InvalidPathError
from buildbot.data.lockhand import ControlMixin
from buildbot.locking.copies import LocksInUse
from buildbot.locking.copy import BaseLock
from buildbot.process.eye.forecast import Forecast
from buildbot.process.eye.history import History
from buildbot.process.eye.lockids import LockIds
from buildbot.process.eye.rows import copies_by_hand
from buildbot.process.eye.rows import copies_in_use
from buildbot.process.eye.rows import copies_to_see
from buildbot.process.eye.rows import copy_in
from buildbot.process.eye.rows import copy_row
from buildbot.process.eye.rows import holder_rows
from buildbot.process.eye.rows import lock_row
from buildbot.process.eye.rows import waiter_row
from buildbot.process.hand.version import version_of
from buildbot.util import epoch2datetime

#: when a waiter is likely to have its turn, and the earliest and latest time
ESTIMATE = ('estimate_at', 'estimate_from', 'estimate_until')


def id_of_worker(master: Any, name: str | None) -> int | None:
    """Return the id of a worker of this master; None if it has none with this name."""
    worker = master.workers.workers.get(name)
    return None if worker is None else worker.workerid


class UserEntity(types.Entity):
    """The fields of an owner that holds a copy, waits for it, or has done so."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # Buildbot's class does not take fields from a base class
        every = [vars(kind) for kind in reversed(type(self).__mro__)]
        pairs = [pair for fields in every for pair in fields.items()]
        self.fields = {name: field for name, field in pairs if isinstance(field, types.Type)}
        self.fieldNames = set(self.fields)

    copyid = types.Integer()
    lockid = types.Integer()
    copy = types.String()
    kind = types.String()
    text = types.String()
    builderid = types.NoneOk(types.Integer())
    builder = types.NoneOk(types.String())
    buildrequestid = types.NoneOk(types.Integer())
    buildid = types.NoneOk(types.Integer())
    stepid = types.NoneOk(types.Integer())
    path = types.NoneOk(types.String())
    worker = types.NoneOk(types.String())
    branch = types.NoneOk(types.String())
    mode = types.String()
    units = types.Integer()
    nested = types.Boolean()


class OwnerEntity(UserEntity):
    """The fields that a holder and a waiter have in common."""

    number = types.NoneOk(types.Integer())
    step_number = types.NoneOk(types.Integer())
    workerid = types.NoneOk(types.Integer())
    since_at = types.NoneOk(types.DateTime())
    priority = types.Integer()
    version = types.String()
    holdid = types.NoneOk(types.Integer())
    person = types.NoneOk(types.String())
    reason = types.NoneOk(types.String())
    until_at = types.NoneOk(types.DateTime())
    overdue = types.Boolean()


class Number(types.Instance):
    """A number that need not be an integer."""

    name = 'number'
    types = (float, int)
    ramlType = 'number'
    graphQLType = 'Float'

    def valueFromString(self, arg: Any) -> float:
        return float(arg)


class ResourceRow(types.JsonObject):
    """The name and the labels of a resource of a pool."""

    ramlType = 'object'


class LocksMixin:
    """Finds locks and copies by their ids. It makes no rows."""

    master: Any

    @defer.inlineCallbacks
    def all_locks(self) -> Any:
        """Return the locks in use with their ids, by name.

        :returns: Deferred of a list of pairs of lock and id.
        """
        in_use = yield LocksInUse.getService(self.master.botmaster)
        ids = yield LockIds.getService(self.master.botmaster)
        found = []
        for lock in in_use.by_name():
            found.append((lock, (yield ids.lock_id(lock))))
        return found

    @defer.inlineCallbacks
    def find_lock(self, lockid: int) -> Any:
        """Return the lock with an id; None if no lock in use has it."""
        for lock, known in (yield self.all_locks()):
            if known == lockid:
                return lock
        return None

    def find_one(self, kwargs: dict[str, Any]) -> Any:
        """Return the lock or the copy that a path names; None if it is not in use.

        :param kwargs: ``lockid`` or ``copyid`` of the path.
        """
        if 'copyid' in kwargs:
            return self.find_copy(kwargs['copyid'])
        return self.find_lock(kwargs['lockid'])

    @defer.inlineCallbacks
    def find_copies(self, kwargs: dict[str, Any]) -> Any:
        """Return the copies that a path names.

        :param kwargs: ``lockid`` or ``copyid`` of the path.
        :returns: Deferred of a list of pairs of a copy and two ids: the lock's and the copy's.
        :raises InvalidPathError: no lock or copy in use has this id.
        """
        if 'lockid' in kwargs:
            lock = yield self.lock_with_id(kwargs['lockid'])
            return (yield self.with_ids(copies_in_use(lock)))
        copy = yield self.copy_with_id(kwargs['copyid'])
        return (yield self.with_ids([copy]))

    @defer.inlineCallbacks
    def lock_with_id(self, lockid: int) -> Any:
        """Return the lock with an id.

        :raises InvalidPathError: no lock in use has it.
        """
        lock = yield self.find_lock(lockid)
        if lock is None:
            raise InvalidPathError(f'Invalid path: no lock has the id {lockid}')
        return lock

    @defer.inlineCallbacks
    def copy_with_id(self, copyid: int) -> Any:
        """Return the copy with an id.

        :raises InvalidPathError: no copy in use has it.
        """
        copy = yield self.find_copy(copyid)
        if copy is None:
            raise InvalidPathError(f'Invalid path: no copy in use has the id {copyid}')
        return copy

    @defer.inlineCallbacks
    def find_copy(self, copyid: int) -> Any:
        """Return the copy with an id; None if no copy in use has it."""
        ids = yield LockIds.getService(self.master.botmaster)
        if ids.copy(copyid) is None:
            # an id from before a restart, say, of a copy that nobody has asked for since
            for lock, _ in (yield self.all_locks()):
                copies = copies_to_see(lock)
                yield ids.learn(copies)
                for copy in copies:  # nothing else may keep one of them alive
                    if ids.of(copy)[1] == copyid:
                        return copy
        return ids.copy(copyid)

    @defer.inlineCallbacks
    def ids_by_hand(self, found: Iterable[tuple[BaseLock, tuple[int, int]]]) -> Any:
        """Return the ids of what belongs to some copies and is acted on by itself.

        :param found: as ``find_copies`` returns them.
        :returns: Deferred of a dict of ids by copy.
        """
        copies = [each for copy, _ in found for each in copies_by_hand(copy)]
        return dict((yield self.with_ids(copies)))

    @defer.inlineCallbacks
    def with_ids(self, copies: Iterable[BaseLock]) -> Any:
        copies = list(copies)
        ids = yield LockIds.getService(self.master.botmaster)
        yield ids.learn(copies)
        return [(copy, ids.of(copy)) for copy in copies]

    @defer.inlineCallbacks
    def add_ids(self, rows: Iterable[dict[str, Any]]) -> Any:
        """Add the ids of builder and worker to rows of owners.

        :returns: Deferred of the rows.
        """
        rows = list(rows)
        builders: dict[Any, int | None] = {}
        for name in {row['builder'] for row in rows}:
            builder = self.master.botmaster.builders.get(name)
            builders[name] = (yield builder.getBuilderId()) if builder is not None else None
        for row in rows:
            row['builderid'] = builders[row['builder']]
            row['workerid'] = id_of_worker(self.master, row['worker'])
        return rows


class LockEndpoint(ControlMixin, LocksMixin, base.Endpoint):
    """One lock, by its id. People also act on it here."""

    kind = base.EndpointKind.SINGLE
    pathPatterns = ['/locks/n:lockid']

    @defer.inlineCallbacks
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> Any:
        lock = yield self.find_lock(kwargs['lockid'])
        return None if lock is None else lock_row(lock, kwargs['lockid'])


class LocksEndpoint(LocksMixin, base.Endpoint):
    """All locks in use."""

    kind = base.EndpointKind.COLLECTION
    rootLinkName = 'locks'
    pathPatterns = ['/locks']

    @defer.inlineCallbacks
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> Any:
        return [lock_row(lock, lockid) for lock, lockid in (yield self.all_locks())]


class Lock(base.ResourceType):
    """A lock in use, with the sums of its copies."""

    name = 'lock'
    plural = 'locks'
    endpoints = [LockEndpoint, LocksEndpoint]
    eventPathPatterns = ['/locks/:lockid']

    class EntityType(types.Entity):
        lockid = types.Integer()
        name = types.String()
        kind = types.String()
        copies = types.Integer()
        used = types.Integer()
        capacity = types.Integer()
        waiting = types.Integer()
        oldest_wait_at = types.NoneOk(types.DateTime())
        quarantined = types.Integer()

    entityType = EntityType(name)


class CopyEndpoint(ControlMixin, LocksMixin, base.Endpoint):
    """One copy, by its id. People also act on it here."""

    rtype: Copy
    kind = base.EndpointKind.SINGLE
    pathPatterns = ['/copies/n:copyid']

    @defer.inlineCallbacks
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> Any:
        copy = yield self.find_copy(kwargs['copyid'])
        if copy is None:
            return None
        [(copy, ids)] = yield self.with_ids([copy])
        return self.rtype.row(copy, ids)


class CopiesEndpoint(LocksMixin, base.Endpoint):
    """The copies of a lock that are in use."""

    rtype: Copy
    kind = base.EndpointKind.COLLECTION
    pathPatterns = ['/locks/n:lockid/copies']

    @defer.inlineCallbacks
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> Any:
        lock = yield self.lock_with_id(kwargs['lockid'])
        found = yield self.with_ids(copies_to_see(lock))
        return (yield page(resultSpec, found, self._rows))

    def _rows(self, found: list[Any]) -> list[dict[str, Any]]:
        return [self.rtype.row(*pair) for pair in found]


class CopyEntity(types.Entity):
    """The fields of a copy."""

    copyid = types.Integer()
    lockid = types.Integer()
    lock = types.String()
    name = types.String()
    scope = types.String()
    workerid = types.NoneOk(types.Integer())
    worker = types.NoneOk(types.String())
    codebase = types.NoneOk(types.String())
    branch = types.NoneOk(types.String())
    key = types.NoneOk(types.String())
    labels = types.List(of=types.String())
    capacity = types.Integer()
    used = types.Integer()
    exclusive = types.Boolean()
    waiting = types.Integer()
    oldest_wait_at = types.NoneOk(types.DateTime())
    version = types.String()
    quarantined_at = types.NoneOk(types.DateTime())
    quarantined_by = types.NoneOk(types.String())
    quarantine_reason = types.NoneOk(types.String())
    max_hold = types.NoneOk(Number())
    free = types.List(of=ResourceRow())


class Copy(base.ResourceType):
    """A copy of a lock in use. Its holders and waiters have rows of their own."""

    name = 'copy'
    plural = 'copies'
    endpoints = [CopyEndpoint, CopiesEndpoint]
    eventPathPatterns = ['/locks/:lockid/copies/:copyid']

    entityType = CopyEntity(name)

    def row(self, copy: BaseLock, ids: tuple[int, int]) -> dict[str, Any]:
        """Return the row of a copy.

        :param ids: of the lock and of the copy.
        """
        row = copy_row(copy, *ids)
        row['workerid'] = id_of_worker(self.master, row['worker'])
        return row

    @base.updateMethod
    def announce_copy(self, copy: BaseLock, ids: tuple[int, int], news: Iterable[str]) -> None:
        """Produce the events of what has happened to a copy.

        :param ids: of the lock and of the copy.
        :param news: some of ``buildbot.locking.copy.NEWS``.
        """
        heard = [each for each in news if self._is_heard(ids, each)]
        row = self.row(copy, ids) if heard else {}  # making a row means walking along the line
        for each in heard:
            self.produceEvent({**row}, each)

    def _is_heard(self, ids: tuple[int, int], news: str) -> bool:
        # a queue between masters does not know what they consume
        is_heard = getattr(getattr(self.master.mq, 'impl', None), 'is_heard', None)
        key = ('locks', str(ids[0]), 'copies', str(ids[1]), news)
        return is_heard is None or is_heard(key)


class HoldersEndpoint(LocksMixin, base.Endpoint):
    """The holders of one copy, or of all copies of a lock."""

    kind = base.EndpointKind.COLLECTION
    pathPatterns = ['/copies/n:copyid/holders', '/locks/n:lockid/holders']

    @defer.inlineCallbacks
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> Any:
        found = yield self.find_copies(kwargs)
        others = yield self.ids_by_hand(found)
        return (
            yield self.add_ids(row for copy, ids in found for row in holder_rows(copy, ids, others))
        )


class OwnHoldersEndpoint(LocksMixin, base.Endpoint):
    """What a build and its steps hold, or what one step holds."""

    kind = base.EndpointKind.COLLECTION
    pathPatterns = ['/builds/n:buildid/holders', '/steps/n:stepid/holders']

    @defer.inlineCallbacks
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> Any:
        [(field, wanted)] = kwargs.items()
        plural = {'buildid': 'builds', 'stepid': 'steps'}[field]
        if (yield self.master.data.get((plural, wanted))) is None:
            raise InvalidPathError(f'Invalid path: there is no {plural[:-1]} {wanted}')
        found = []
        for lock, _ in (yield self.all_locks()):
            copies = [copy for copy in copies_in_use(lock) if not copy.is_idle]
            for pair in (yield self.with_ids(copies)):
                found += [row for row in holder_rows(*pair) if row[field] == wanted]
        return (yield self.add_ids(found))


class HolderEntity(OwnerEntity):
    """The fields of a holder."""

    holderid = types.String()
    resources = types.List(of=ResourceRow())


class Holder(base.ResourceType):
    """An owner that holds a copy now."""

    name = 'holder'
    plural = 'holders'
    endpoints = [HoldersEndpoint, OwnHoldersEndpoint]

    entityType = HolderEntity(name)


class WaitersEndpoint(LocksMixin, base.Endpoint):
    """The waiters for one copy, or for all copies of a lock."""

    kind = base.EndpointKind.COLLECTION
    pathPatterns = ['/copies/n:copyid/waiters', '/locks/n:lockid/waiters']

    @defer.inlineCallbacks
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> Any:
        found = yield self.find_copies(kwargs)
        others = yield self.ids_by_hand(found)
        waiting = [
            (own, others.get(own, ids), place, claim)
            for copy, ids in found
            for place, claim in enumerate(copy.line(), start=1)
            for own in [copy_in(claim, copy)]
        ]
        history = yield History.getService(self.master.botmaster)
        holds = yield history.known_holds()
        forecast = Forecast(holds, self.master.reactor.seconds())
        return (yield page(resultSpec, waiting, partial(self._rows, forecast)))

    def _rows(self, forecast: Forecast, waiting: list[Any]) -> Any:
        rows = []
        copies = {ids: copy for copy, ids, _, _ in waiting}
        versions = {ids: version_of(copy) for ids, copy in copies.items()}
        for copy, ids, place, claim in waiting:
            row = waiter_row(copy, ids, versions[ids], place, claim)
            turn = forecast.turn(copy, claim)
            for name, time in zip(ESTIMATE, turn or (None, None, None)):
                row[name] = epoch2datetime(time)
            rows.append(row)
        return self.add_ids(rows)


class Waiter(base.ResourceType):
    """An owner that waits in the line of a copy. A request without a claim is not one."""

    name = 'waiter'
    plural = 'waiters'
    endpoints = [WaitersEndpoint]

    class EntityType(OwnerEntity):
        waiterid = types.String()
        place = types.Integer()
        first_at = types.NoneOk(types.DateTime())
        estimate_at = types.NoneOk(types.DateTime())
        estimate_from = types.NoneOk(types.DateTime())
        estimate_until = types.NoneOk(types.DateTime())

    entityType = EntityType(name)


@defer.inlineCallbacks
def page(result_spec: Any, things: list[Any], rows_of: Any) -> Any:
    """Make rows of things; if only a page of them in their order is wanted, of that page only.

    :param rows_of: takes some of the things, and returns their rows, or a Deferred of them.
    """
    offset, limit = result_spec.offset or 0, result_spec.limit
    is_all = not offset and limit is None
    if is_all or result_spec.filters or result_spec.order:
        return (yield rows_of(things))
    end = None if limit is None else offset + limit
    rows = base.ListResult((yield rows_of(things[offset:end])))
    rows.offset, rows.total, rows.limit = offset, len(things), limit
    result_spec.removePagination()
    select_fields(rows, result_spec)
    return rows


def select_fields(rows: base.ListResult, result_spec: Any) -> None:
    """Leave only the wanted fields; rows that are already a page need this."""
    if result_spec.fields:
        fields, result_spec.fields = result_spec.fields, []
        rows[:] = [{name: row[name] for name in fields} for row in rows]
