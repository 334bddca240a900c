# SPDX-License-Identifier: GPL-2.0-only
"""New: what people did with locks, and what resulted from it."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.data import base
from buildbot.data import types
from buildbot.data.locks import select_fields
from buildbot.data.lockuses import HistoryMixin
from buildbot.util import epoch2datetime


class ActionsEndpoint(HistoryMixin, base.Endpoint):
    """What was done with a lock or one of its copies, the past only."""

    kind = base.EndpointKind.COLLECTION
    pathPatterns = ['/locks/n:lockid/actions', '/copies/n:copyid/actions']

    fieldMapping = {
        'actionid': 'lock_actions.id',
        **{
            name: f'lock_actions.{name}'
            for name in ('lock', 'copy', 'at', 'action', 'who', 'reason', 'text', 'person')
        },
        'until_at': 'lock_actions.until',
    }

    @defer.inlineCallbacks
    def get(self, resultSpec: Any, kwargs: dict[str, Any]) -> Any:
        lock, copy = yield self.names_of(kwargs)
        resultSpec.fieldMapping = self.fieldMapping
        rows = yield self.master.db.lock_hand.actions_of(lock, copy, resultSpec)
        if isinstance(rows, base.ListResult):
            select_fields(rows, resultSpec)
        return rows


class LockAction(base.ResourceType):
    """Something that a person did with a copy of a lock, or that resulted. It is not a hold."""

    name = 'lockaction'
    plural = 'lockactions'
    endpoints = [ActionsEndpoint]
    eventPathPatterns = ['/lockactions/:actionid']

    class EntityType(types.Entity):
        actionid = types.Integer()
        lock = types.String()
        copy = types.String()
        at = types.DateTime()
        action = types.String()
        who = types.NoneOk(types.String())
        reason = types.String()
        text = types.String()
        person = types.NoneOk(types.String())
        until_at = types.NoneOk(types.DateTime())

    entityType = EntityType(name)

    @base.updateMethod
    def announce_lock_action(self, actionid: int, lock: str, columns: dict[str, Any]) -> None:
        """Produce the event that something was done with a copy, or resulted from it.

        :param actionid: its id in the history; 0 if it could not be written there.
        :param columns: those of its row.
        """
        names = ('copy', 'action', 'who', 'reason', 'text', 'person')
        row = {name: columns[name] for name in names}
        row.update(actionid=actionid, lock=lock, at=epoch2datetime(columns['at']))
        row['until_at'] = epoch2datetime(columns['until'])
        self.produceEvent(row, columns['action'])
