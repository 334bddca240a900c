# SPDX-License-Identifier: GPL-2.0-only
"""Requests are kept ready, their locks reserved before a worker is picked, and woken exactly."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING
from typing import Any

from sqlalchemy.exc import DBAPIError
from twisted.internet import defer
from twisted.internet.interfaces import IDelayedCall
from twisted.python import log

from buildbot.data import resultspec
from buildbot.process.pending import PendingRequests
from buildbot.process.results import EXCEPTION
from buildbot.util import epoch2datetime
from buildbot.util.twisted import async_to_deferred
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.builder import Builder
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder

upstream = release(__name__)


def can_reserve(builder: Any) -> bool:
    # what stands in for a builder (in a test of a user's, say) may not know of reservations
    return hasattr(type(builder), 'reserve')


class BasicBuildChooser(upstream.BasicBuildChooser):
    """Chooses the request whose turn it is, and one of the workers on which it can start now.

    A request that cannot have its locks stays where it is in their line, and so do those of its
    builder behind it that want the same.

    :ivar pending: the pending requests of the builder; None if the distributor does not keep them.
    """

    pending: PendingRequests | None = None

    def __init__(self, bldr: Builder, master: Any) -> None:
        super().__init__(bldr, master)
        self._looked_at: set[int] = set()
        self._is_late = False
        self._is_over = False
        self._can_reserve = can_reserve(bldr)
        self._user_chooses = bool(bldr.config.nextWorker or master.config.select_next_worker)

    @defer.inlineCallbacks
    def popNextBuild(self) -> Any:
        while not self._is_over and (not self.nextBuild or self._workers()):
            # most often there is none to be looked at, whichever workers there are
            request = yield self._getNextUnclaimedBuildRequest()
            workers = self._workers() if request else []
            if not workers:
                break
            self._removeBuildRequest(request)
            worker = yield self._choose_worker(workers, request)
            if worker is not None:
                if worker in self.workerpool:
                    self.workerpool.remove(worker)
                return (worker, request)
        return (None, None)

    def _workers(self) -> list[AbstractWorkerForBuilder]:
        # one after the other, as long as they are idle
        idle = self.bldr.getAvailableWorkers()
        pool = [worker for worker in self.workerpool if worker in idle]
        self.workerpool = pool or idle
        return self.workerpool

    @defer.inlineCallbacks
    def _choose_worker(self, workers: list[AbstractWorkerForBuilder], request: BuildRequest) -> Any:
        choose = self._let_user_choose if self._user_chooses else self._choose_best
        worker = yield choose(workers, request)
        if worker is None and self._can_reserve:
            worker = self.bldr.reserve_to_fail(workers, request)
        return worker

    @defer.inlineCallbacks
    def _choose_best(self, workers: list[AbstractWorkerForBuilder], request: BuildRequest) -> Any:
        left = list(workers)
        while left:
            best = self.bldr.preferred_workers(left, request) if self._can_reserve else left
            if not best:
                # it is better left for a worker on which there is no place yet; so are others if
                # there is none on any
                self._is_late = len(left) == len(self.bldr.getAvailableWorkers())
                return None
            worker = random.choice(best)
            left.remove(worker)
            if (yield self._reserve(worker, request)):
                return worker
            if self._can_reserve and self.bldr.reservations.waits_everywhere(request.id):
                return None
        return None

    @defer.inlineCallbacks
    def _let_user_choose(
        self, workers: list[AbstractWorkerForBuilder], request: BuildRequest
    ) -> Any:
        able = workers
        if self._can_reserve:
            able = []
            for worker in workers:
                if (yield self._ask(self.bldr.could_have_locks, worker, request)):
                    able.append(worker)
        while able:
            try:
                worker = yield self.nextWorker(self.bldr, able, request)
            except Exception as e:
                log.err(e, f"from nextWorker for builder '{self.bldr}'")
                worker = None
            if worker is None or worker not in able:
                self._is_over = True
                return None
            if (yield self._reserve(worker, request)):
                return worker
            # canStartBuild says no, or what it would need, or itself, has been lost to others
            idle = self.bldr.getAvailableWorkers()
            able = [other for other in able if other is not worker and other in idle]
        for worker in workers if self._can_reserve else ():
            yield self._ask(self.bldr.stand_in_line, worker, request)
        return None

    @defer.inlineCallbacks
    def _reserve(self, worker: Any, request: BuildRequest) -> Any:
        question = self.bldr.reserve if self._can_reserve else self.canStartBuild
        return (yield self._ask(question, worker, request))

    @defer.inlineCallbacks
    def _ask(self, question: Any, worker: Any, request: BuildRequest) -> Any:
        try:
            return (yield question(worker, request))
        except Exception as e:
            log.err(e, f'whether build request {request.id} of {self.bldr} can start on {worker}')
            if isinstance(e, DBAPIError):
                self._look_again_later()
            return False

    @defer.inlineCallbacks
    def _getNextUnclaimedBuildRequest(self) -> Any:
        if self.pending is None or self.nextBuild:
            return (yield super()._getNextUnclaimedBuildRequest())
        yield self._group_requests()
        while True:
            brid = self.pending.first(self._looked_at.__contains__, self._waits)
            if brid is None:
                return None
            request = yield self._getBuildRequestForBrdict(self.pending.brdict(brid))
            if request is not None and brid in self.pending:
                return request
            self._looked_at.add(brid)

    def _waits(self, brid: int) -> bool:
        if self._is_late and not self.pending.brdict(brid)['waited_for']:
            return True
        return self._can_reserve and self.bldr.waits(brid)

    @defer.inlineCallbacks
    def _group_requests(self) -> Any:
        for brid in self.pending.without_group():
            request = None
            if brid in self.pending and self._can_reserve and self.bldr.groups_need_requests():
                request = yield self._getBuildRequestForBrdict(self.pending.brdict(brid))
                if request is None:
                    continue  # it cannot be read now, and is left for later
            if brid in self.pending:
                brdict = self.pending.brdict(brid)
                group = self.bldr.group_of(brdict, request) if self._can_reserve else brid
                self.pending.put_in_group(brid, group)

    @defer.inlineCallbacks
    def _fetchUnclaimedBrdicts(self) -> Any:
        if self.pending is None:
            return (yield super()._fetchUnclaimedBrdicts())
        if self.unclaimedBrdicts is None:
            self.unclaimedBrdicts = self.pending.brdicts()
        return self.unclaimedBrdicts

    @defer.inlineCallbacks
    def _getUnclaimedBuildRequests(self) -> Any:
        # one that cannot be made is not there for the user's nextBuild, and the others are
        found = []
        for brdict in list(self.unclaimedBrdicts):
            request = yield self._getBuildRequestForBrdict(brdict)
            if request is not None:
                found.append(request)
        return found

    @defer.inlineCallbacks
    def _getBuildRequestForBrdict(self, brdict: dict[str, Any]) -> Any:
        brid = brdict['buildrequestid']
        request = self.pending.request(brid) if self.pending is not None else None
        if request is None:
            try:
                request = yield super()._getBuildRequestForBrdict(brdict)
            except DBAPIError as e:
                log.err(e, f'build request {brid} cannot be read now, and is left for later')
                self._look_again_later()
            except Exception as e:
                log.err(e, f'build request {brid} of {self.bldr} cannot be understood')
                if (yield self.master.data.updates.claimBuildRequests([brid])):
                    yield self.master.data.updates.completeBuildRequests([brid], EXCEPTION)
            if request is not None and self.pending is not None and brid in self.pending:
                # the cache keeps the one it was first read with
                request.priority = self.pending.brdict(brid)['priority']
                self.pending.keep(request)
        return request

    def _look_again_later(self) -> None:
        distributor = self.master.botmaster.brd
        if isinstance(distributor, BuildRequestDistributor):
            distributor.look_again_later(self.bldr.name)

    def _removeBuildRequest(self, breq: Any) -> None:
        if breq is not None:
            self._looked_at.add(breq.id)
        if self.unclaimedBrdicts is not None:
            super()._removeBuildRequest(breq)


class BuildRequestDistributor(upstream.BuildRequestDistributor):
    """Starts the builds that are requested.

    :cvar again_after: seconds after which it looks at a builder again that met with an error.
    :cvar read_again_after: seconds after which the pending requests of a builder are read again
        when there is anything to do, in case a message that told of a change was lost.
    """

    BuildChooser = BasicBuildChooser
    again_after = 10
    read_again_after = 600

    def __init__(self, botmaster: Any) -> None:
        super().__init__(botmaster)
        # by name of builder; what is not here is read from the database when it is needed
        self._pending: dict[str, PendingRequests] = {}
        self._told_meanwhile: set[int] | None = None
        self._reading = defer.DeferredLock()
        self._changes: Any = None
        self._read_at: dict[str, float] = {}
        self._doubted: set[str] = set()  # since the reading that is under way has begun
        self._again: dict[str, IDelayedCall] = {}

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        yield super().stopService()
        for call in self._again.values():
            call.cancel()
        self._again.clear()
        if self._changes is not None:
            changes, self._changes = self._changes, None
            yield changes.stopConsuming()
        self._pending.clear()
        self._read_at.clear()
        for builder in self.botmaster.builders.values():
            if can_reserve(builder):
                builder.reservations.clear()  # nobody would use what they are granted from now on

    def pending_of(self, builder: Builder) -> defer.Deferred[PendingRequests]:
        """Return the pending requests of a builder, which are kept up to date from now on."""
        if self._is_fresh(builder.name) and self._told_meanwhile is None:
            return defer.succeed(self._pending[builder.name])
        return self._reading.run(self._read, builder)

    def _is_fresh(self, builder_name: str) -> bool:
        read_at = self._read_at.get(builder_name)
        if read_at is None:
            return False
        return self.master.reactor.seconds() - read_at < self.read_again_after

    @defer.inlineCallbacks
    def _read(self, builder: Builder) -> Any:
        if self._changes is None:
            self._changes = yield self.master.mq.startConsuming(
                self._changed, ('buildrequests', None, None)
            )
        pending = self._pending.setdefault(builder.name, PendingRequests())
        if not self._is_fresh(builder.name):
            self._told_meanwhile = set()
            self._doubted.discard(builder.name)
            try:
                read_at = self.master.reactor.seconds()
                brdicts = yield self.master.data.get(
                    ('builders', (yield builder.getBuilderId()), 'buildrequests'),
                    [resultspec.Filter('claimed', 'eq', [False])],
                )
                for brid in pending.bring_up_to_date(brdicts, self._told_meanwhile):
                    builder.reservations.leave_lines(brid)
                is_kept = self._pending.get(builder.name) is pending
                if is_kept and builder.name not in self._doubted:
                    self._read_at[builder.name] = read_at
            finally:
                self._told_meanwhile = None
        return pending

    def is_pending(self, builder: Builder, request: BuildRequest) -> bool:
        """Tell whether a request is pending still, as far as is known.

        What has changed of it meanwhile is taken over.
        """
        pending = self._pending.get(builder.name)
        if pending is None or not self.running:
            return True
        brid = getattr(request, 'id', None)
        if brid not in pending:
            told = self._told_meanwhile
            is_read = builder.name in self._read_at
            return not is_read and told is not None and brid not in told
        request.priority = pending.brdict(request.id)['priority']
        return True

    def look_again_later(self, builder_name: str) -> None:
        """Look at the requests of a builder again after an error that may be over by then."""
        if self.running and builder_name not in self._again:
            self._again[builder_name] = self.master.reactor.callLater(
                self.again_after, self._look_again, builder_name
            )

    def _look_again(self, builder_name: str) -> None:
        del self._again[builder_name]
        self.botmaster.maybeStartBuildsForBuilder(builder_name)

    def builders_with_requests(self) -> list[Builder]:
        """Return the builders that are known to have pending requests."""
        names = [name for name, pending in self._pending.items() if pending]
        return [self.botmaster.builders[name] for name in names if name in self.botmaster.builders]

    def doubt(self, builder_name: str) -> None:
        """Read the pending requests of a builder from the database when they are needed again."""
        self._read_at.pop(builder_name, None)
        self._doubted.add(builder_name)

    def forget(self, builder_name: str) -> None:
        """Keep nothing of a builder that has gone."""
        self.doubt(builder_name)
        self._pending.pop(builder_name, None)

    def _changed(self, key: Any, brdict: dict[str, Any]) -> None:
        if key[2] == 'cancel':
            return  # that it is complete has been told already
        brid = brdict['buildrequestid']
        builder = self.botmaster.getBuilderById(brdict['builderid'])
        if builder is None:
            return
        if self._told_meanwhile is not None:
            self._told_meanwhile.add(brid)
        pending = self._pending.get(builder.name)
        if not brdict['claimed'] and not brdict['complete']:
            if pending is not None:
                pending.add(brdict)
            if key[2] == 'update':
                # it has another place in line now
                if can_reserve(builder):
                    builder.reservations.leave_lines(brid)
                self.botmaster.maybeStartBuildsForBuilder(builder.name)
            return
        if pending is not None:
            pending.discard(brid)
        if can_reserve(builder):
            builder.reservations.leave_lines(brid)

    @async_to_deferred
    async def _maybeStartBuildsOn(self, new_builders: list[str]) -> None:
        if set(new_builders) <= set(self._pending_builders):
            return  # they are sorted and due already
        await super()._maybeStartBuildsOn(new_builders)

    async def _maybeStartBuildsOnBuilder(self, bldr: Builder) -> None:
        reserves = can_reserve(bldr)
        granted = bldr.reservations.granted() if reserves else []
        try:
            await self._start_builds_of(bldr)
        except Exception:
            self.look_again_later(bldr.name)
            raise
        finally:
            if reserves:
                bldr.reservations.give_back_unused(granted)

    async def _start_builds_of(self, bldr: Builder) -> None:
        reserves = can_reserve(bldr)
        chooser = await self._chooser_for(bldr)
        while True:
            worker, requests = await chooser.chooseNextBuild()
            if not worker or not requests:
                break
            may_start = await self._those_that_may_start(requests)
            claimed = started = False
            brids = [request.id for request in may_start]
            self._add_in_progress_brids(brids)
            try:
                if brids:
                    claimed_at = epoch2datetime(self.master.reactor.seconds())
                    claimed = await self.master.data.updates.claimBuildRequests(
                        brids, claimed_at=claimed_at
                    )
                if claimed:
                    started = await bldr.maybeStartBuild(worker, may_start)
            finally:
                if not started:
                    await self._take_back(bldr, requests, brids if claimed else [])
            if brids and not claimed:
                # another master was first, or it has been cancelled: look what is left
                self.doubt(bldr.name)
                chooser = await self._chooser_for(bldr)
            elif brids and not started and not (reserves and bldr.waits_to_try_again):
                self.botmaster.maybeStartBuildsForBuilder(bldr.name)

    async def _take_back(self, bldr: Builder, requests: list, claimed_brids: list[int]) -> None:
        if can_reserve(bldr):
            for request in requests:
                bldr.reservations.give_back(request.id)
        try:
            if claimed_brids:
                await self.master.data.updates.unclaimBuildRequests(claimed_brids)
        finally:
            for request in requests:
                why = self.botmaster.remove_in_progress_buildrequest(request.id)
                if isinstance(why, str) and request.id in claimed_brids:
                    # it was cancelled while it was being taken back, when nobody could do it
                    await self.master.data.control(
                        'cancel', {'reason': why}, ('buildrequests', request.id)
                    )

    async def _chooser_for(self, bldr: Builder) -> Any:
        chooser = self.createBuildChooser(bldr, self.master)
        if isinstance(chooser, BasicBuildChooser):
            chooser.pending = await self.pending_of(bldr)
        return chooser

    async def _those_that_may_start(self, requests: list[BuildRequest]) -> list[BuildRequest]:
        # before a clean shutdown only those are started that a running build waits for
        if not self.distribute_only_waited_childs:
            return requests
        children = []
        for request in requests:
            if request.waitedFor:
                buildset = await self.master.data.get(('buildsets', str(request.bsid)))
                if buildset and buildset['parent_buildid'] is not None:
                    children.append(request)
        return children
