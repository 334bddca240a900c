# SPDX-License-Identifier: GPL-2.0-only
"""New: the data API tells why a build request, a step, a build or a builder's requests wait."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer

from buildbot.data import base
from buildbot.data import exceptions
from buildbot.data import resultspec
from buildbot.data import types
from buildbot.process.eye import reasons
from buildbot.process.eye import words
from buildbot.process.eye.lockids import LockIds
from buildbot.process.eye.reason import Reason as Told
from buildbot.util import epoch2datetime

if TYPE_CHECKING:
    from buildbot.data.resultspec import ResultSpec


class ReasonsEndpoint(base.Endpoint):
    """What the endpoints of reasons have in common. It answers no path itself."""

    kind = base.EndpointKind.COLLECTION

    @property
    def now(self) -> float:
        """The time, in seconds of the master's clock."""
        return self.master.reactor.seconds()

    @defer.inlineCallbacks
    def rows(self, found: list[Told]) -> Any:
        """Return a Deferred of reasons as rows of the data API, numbered from 1."""
        ids = yield LockIds.getService(self.master.botmaster)
        yield ids.learn(reason.lock for reason in found if reason.lock is not None)
        return [row(number, reason, ids) for number, reason in enumerate(found, 1)]

    @defer.inlineCallbacks
    def find(self, *path: Any) -> Any:
        """Return what the data API has at a path.

        :raises InvalidPathError: it has nothing there.
        """
        found = yield self.master.data.get(path)
        if found is None:
            raise exceptions.InvalidPathError(f'there is no {path[0][:-1]} {path[1]}')
        return found

    @defer.inlineCallbacks
    def pending(self, builderid: int, brids: list[int]) -> Any:
        """Return why these pending requests of a builder do not start."""
        builder = self.master.botmaster.getBuilderById(builderid)
        if builder is None:
            name = (yield self.find('builders', builderid))['name']
            text = f'builder {words.plain(name)} is not one of this master'
            return [Told('elsewhere', text, tuple(brids), builderid=builderid)] if brids else []
        return reasons.why_pending(builder, builderid, brids, self.now)

    @defer.inlineCallbacks
    def of_build(self, buildid: int) -> Any:
        """Return why a build and steps in it wait; nothing if it does not run on this master."""
        row = yield self.find('builds', buildid)
        running = self.master.botmaster.awaited.running
        builds = [build for build in running if build.buildid == buildid]
        found = [reason for b in builds for reason in reasons.why_build_waits(b, self.now)]
        return [reason._replace(builderid=row['builderid']) for reason in found]


def row(number: int, reason: Told, ids: LockIds) -> dict[str, Any]:
    values = reason._asdict()
    lock = values.pop('lock')
    lockid, copyid = (None, None) if lock is None else ids.of(lock)
    return {
        **values,
        'reasonid': number,
        'buildrequestids': list(reason.buildrequestids),
        'lockid': lockid,
        'copyid': copyid,
        'copy': None if lock is None else lock.label,
        'since_at': epoch2datetime(reason.since_at),
        'again_at': epoch2datetime(reason.again_at),
    }


class BuildRequestReasonsEndpoint(ReasonsEndpoint):
    """Why a build request waits."""

    kind = ReasonsEndpoint.kind
    pathPatterns = ['/buildrequests/n:buildrequestid/reasons']

    @defer.inlineCallbacks
    def get(self, resultSpec: ResultSpec, kwargs: dict[str, Any]) -> Any:
        brid = kwargs['buildrequestid']
        request = yield self.find('buildrequests', brid)
        if request['complete'] or request['claimed']:
            return []
        return (yield self.rows((yield self.pending(request['builderid'], [brid]))))


class BuilderReasonsEndpoint(ReasonsEndpoint):
    """Why the pending requests of a builder wait."""

    kind = ReasonsEndpoint.kind
    pathPatterns = ['/builders/n:builderid/reasons']

    @defer.inlineCallbacks
    def get(self, resultSpec: ResultSpec, kwargs: dict[str, Any]) -> Any:
        builderid = kwargs['builderid']
        yield self.find('builders', builderid)
        pending = yield self.master.data.get(
            ('builders', builderid, 'buildrequests'),
            [resultspec.Filter('claimed', 'eq', [False])],
            order=['-priority', 'buildrequestid'],
        )
        brids = [request['buildrequestid'] for request in pending]
        return (yield self.rows((yield self.pending(builderid, brids))))


class BuildReasonsEndpoint(ReasonsEndpoint):
    """Why a build or its steps wait."""

    kind = ReasonsEndpoint.kind
    pathPatterns = ['/builds/n:buildid/reasons']

    @defer.inlineCallbacks
    def get(self, resultSpec: ResultSpec, kwargs: dict[str, Any]) -> Any:
        return (yield self.rows((yield self.of_build(kwargs['buildid']))))


class StepReasonsEndpoint(ReasonsEndpoint):
    """Why a step waits."""

    kind = ReasonsEndpoint.kind
    pathPatterns = ['/steps/n:stepid/reasons']

    @defer.inlineCallbacks
    def get(self, resultSpec: ResultSpec, kwargs: dict[str, Any]) -> Any:
        step = yield self.find('steps', kwargs['stepid'])
        found = yield self.of_build(step['buildid'])
        return (yield self.rows([why for why in found if why.stepid == step['stepid']]))


class Reason(base.ResourceType):
    """A reason why something waits now. It is not a log of the past."""

    name = 'reason'
    plural = 'reasons'
    endpoints = [
        BuildRequestReasonsEndpoint,
        BuilderReasonsEndpoint,
        BuildReasonsEndpoint,
        StepReasonsEndpoint,
    ]

    class EntityType(types.Entity):
        reasonid = types.Integer()
        kind = types.String()
        text = types.String()
        buildrequestids = types.List(of=types.Integer())
        buildid = types.NoneOk(types.Integer())
        stepid = types.NoneOk(types.Integer())
        lockid = types.NoneOk(types.Integer())
        copyid = types.NoneOk(types.Integer())
        copy = types.NoneOk(types.String())
        place = types.NoneOk(types.Integer())
        worker = types.NoneOk(types.String())
        workerid = types.NoneOk(types.Integer())
        builderid = types.NoneOk(types.Integer())
        since_at = types.NoneOk(types.DateTime())
        again_at = types.NoneOk(types.DateTime())

    entityType = EntityType(name)
