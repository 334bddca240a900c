# SPDX-License-Identifier: GPL-2.0-only
"""New: what locks were used for, how much of them at what time, and what that cost."""

from __future__ import annotations

from itertools import chain
from typing import Any

from twisted.internet import defer

from buildbot.data import base
from buildbot.data import types
from buildbot.data.exceptions import InvalidPathError
from buildbot.data.locks import LocksMixin
from buildbot.data.locks import Number
from buildbot.data.locks import UserEntity
from buildbot.data.locks import select_fields
from buildbot.db.lockuses import Span
from buildbot.locking.owner import holds_since
from buildbot.locking.owner import thing_of
from buildbot.locking.owner import waits_since
from buildbot.process.eye.costs import costs_of
from buildbot.process.eye.history import History
from buildbot.process.eye.rows import copies_in_use
from buildbot.process.eye.timeline import timeline
from buildbot.process.lockfacts import facts_of
from buildbot.util import epoch2datetime

HOUR, DAY = 3600, 86400

#: the most days that can be asked for
MOST_DAYS = 366


class HistoryMixin(LocksMixin):
    """Finds what is known of past locks and copies, in use or not. It has no rows of its own."""

    @defer.inlineCallbacks
    def settle(self) -> Any:
        """Write to the database what has ended until now."""
        history = yield History.getService(self.master.botmaster)
        yield history.write()

    @defer.inlineCallbacks
    def names_of(self, kwargs: dict[str, Any]) -> Any:
        """Return the names of the lock and of the copy in a path; the copy's may be None.

        :raises InvalidPathError: there is no such lock or copy, and never was.
        """
        uses = self.master.db.lock_uses
        if 'lockid' in kwargs:
            what, lock, copy = 'lock', (yield uses.name_of_lock(kwargs['lockid'])), None
        else:
            what = 'copy'
            lock, copy = yield uses.names_of_copy(kwargs['copyid'])
        if lock is None:
            raise InvalidPathError(f'Invalid path: no {what} has the id {kwargs[what + "id"]}')
        return lock, copy


def number_of(kwargs: dict[str, Any], what: str, most: int) -> int:
    """Return the number of hours or days in a path.

    :raises InvalidPathError: it is too small or too large.
    """
    number = kwargs[what]
    if not 1 <= number <= most:
        raise InvalidPathError(f'Invalid path: {what} are from 1 to {most}')
    return number


class UsesEndpoint(HistoryMixin, base.Endpoint):
    """The past uses of a lock or of a copy."""

    kind = base.EndpointKind.COLLECTION
    pathPatterns = ['/locks/n:lockid/uses', '/copies/n:copyid/uses']

    fieldMapping = {
        'useid': 'lock_uses.id',
        'lockid': 'lock_copies.lockid',
        'copy': 'lock_copies.name',
        'builder': 'builders.name',
        **{
            name: f'lock_uses.{name}'
            for name in (
                *('copyid', 'kind', 'text', 'builderid', 'buildrequestid', 'buildid', 'stepid'),
                *('path', 'worker', 'branch', 'mode', 'units', 'waiting_since'),
                *('held_since', 'until', 'result'),
            )
        },
    }

    @defer.inlineCallbacks
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> Any:
        yield self.names_of(kwargs)
        yield self.settle()
        resultSpec.fieldMapping = self.fieldMapping
        rows = yield self.master.db.lock_uses.get(**kwargs, result_spec=resultSpec)
        if isinstance(rows, base.ListResult):
            select_fields(rows, resultSpec)
        return rows


class Use(base.ResourceType):
    """A use of a copy that has ended: a wait, a holding, or both."""

    name = 'use'
    plural = 'uses'
    endpoints = [UsesEndpoint]

    class EntityType(UserEntity):
        useid = types.Integer()
        waiting_since = types.NoneOk(types.DateTime())
        held_since = types.NoneOk(types.DateTime())
        until = types.DateTime()
        result = types.String()

    entityType = EntityType(name)


class TimelineEndpoint(HistoryMixin, base.Endpoint):
    """How much of a lock was used and waited for, over the last hours."""

    kind = base.EndpointKind.COLLECTION
    pathPatterns = ['/locks/n:lockid/timeline/n:hours']

    @defer.inlineCallbacks
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> Any:
        hours = number_of(kwargs, 'hours', MOST_DAYS * DAY // HOUR)
        lockid = kwargs['lockid']
        lock = yield self.find_lock(lockid)
        if lock is None:
            yield self.names_of({'lockid': lockid})
        yield self.settle()
        now = self.master.reactor.seconds()
        start = now - hours * HOUR
        copies = [] if lock is None else copies_in_use(lock)
        of_now = spans_of_now(copies, now)
        points = yield self.master.db.lock_uses.spans(
            lockid, start, lambda spans: timeline(start, now, chain(spans, of_now))
        )
        capacity = sum(copy.maxCount for copy in copies)
        return [
            {**point, 'at': epoch2datetime(point['at']), 'capacity': capacity} for point in points
        ]


def spans_of_now(copies: list[Any], now: float) -> list[Span]:
    """Return the present holdings of copies and waits for them, as if they ended now."""
    spans = []
    waiting: dict[str, float] = {}
    for copy in copies:
        for holding in copy.holdings():
            thing = thing_of(holding.owner)
            since = holds_since(thing)
            if since is not None and not holding.is_nested:
                units = copy.units_of(holding.exclusive, holding.units)
                spans.append(Span(waits_since(thing), since, now, units))
        for claim in copy.unsorted_line():
            thing = claim.thing
            since = waits_since(thing)
            if since is not None:  # an owner that needs only one of several waits once
                waiting[facts_of(thing).name] = since
    return spans + [Span(since, None, now, 0) for since in waiting.values()]


class Point(base.ResourceType):
    """One point of a lock's timeline. It is not a use."""

    name = 'point'
    plural = 'points'
    endpoints = [TimelineEndpoint]

    class EntityType(types.Entity):
        at = types.DateTime()
        used = Number()
        waiting = Number()
        capacity = types.Integer()

    entityType = EntityType(name)


class CostsEndpoint(HistoryMixin, base.Endpoint):
    """What the locks cost, by builder, over the last days."""

    kind = base.EndpointKind.COLLECTION
    pathPatterns = ['/lockcosts/n:days']

    @defer.inlineCallbacks
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> Any:
        days = number_of(kwargs, 'days', MOST_DAYS)
        yield self.settle()
        since = self.master.reactor.seconds() - days * DAY
        return (yield self.master.db.lock_uses.since(since, costs_of))


class Cost(base.ResourceType):
    """What one lock cost one builder."""

    name = 'cost'
    plural = 'costs'
    endpoints = [CostsEndpoint]

    class EntityType(types.Entity):
        lockid = types.Integer()
        lock = types.String()
        builderid = types.NoneOk(types.Integer())
        builder = types.NoneOk(types.String())
        waits = types.Integer()
        waited = Number()
        wait_median = Number()
        wait_p95 = Number()
        holds = types.Integer()
        held = Number()
        hold_median = Number()
        hold_p95 = Number()

    entityType = EntityType(name)
