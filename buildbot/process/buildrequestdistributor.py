# SPDX-License-Identifier: GPL-2.0-only
"""Requests are kept ready, their locks reserved before a worker is picked, and woken exactly."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from twisted.internet import defer
from twisted.internet.interfaces import IDelayedCall
from twisted.python import log

from buildbot.data import resultspec
from buildbot.process.pending import PendingRequests
from buildbot.process.reservations import Reservations
from buildbot.process.results import EXCEPTION
from buildbot.util import epoch2datetime
from buildbot.util.twisted import async_to_deferred
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.builder import Builder
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder

upstream = release(__name__)


class BasicBuildChooser(upstream.BasicBuildChooser):
    """Chooses the request whose turn it is, and one of the workers on which it can start now.

    A request that cannot have its locks stays where it is in their line, and so do those of its
    builder behind it that want the same.

    :ivar pending: the pending requests of the builder, as far as they have been read.
    """

    def __init__(self, bldr: Builder, master: Any) -> None:
        super().__init__(bldr, master)
        self.pending = PendingRequests()
        self._looked_at: set[int] = set()
        self._is_late = False
        self._is_over = False
        self._user_chooses = bool(bldr.config.nextWorker or master.config.select_next_worker)
        # what stands in for a builder in a test may only know canStartBuild
        self._reserves = isinstance(bldr.reservations, Reservations)

    @defer.inlineCallbacks
    def popNextBuild(self) -> Any:
        while not self._is_over and (not self.nextBuild or self._workers()):
            # most often there is none to be looked at, whichever workers there are
            request = yield self._getNextUnclaimedBuildRequest()
            workers = self._workers() if request else []
            if not workers:
                break
            self._removeBuildRequest(request)
            choose = self._let_user_choose if self._user_chooses else self._choose_best
            worker = yield choose(workers, request)
            if worker is None and self._reserves:
                worker = self.bldr.reservations.reserve_to_fail(workers, request)
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
    def _choose_best(self, workers: list[AbstractWorkerForBuilder], request: BuildRequest) -> Any:
        left = list(workers)
        while left:
            best = left
            if self._reserves:
                best = self.bldr.worker_choice.best(left, request.waitedFor)
            if not best:
                # it is better left for a worker on which there is no place yet; so are others if
                # there is none on any
                self._is_late = len(left) == len(self.bldr.getAvailableWorkers())
                return None
            worker = random.choice(best)
            left.remove(worker)
            if (yield self.canStartBuild(worker, request)):
                return worker
            if self._reserves and self.bldr.reservations.waits_everywhere(request.id):
                return None
        return None

    @defer.inlineCallbacks
    def _let_user_choose(
        self, workers: list[AbstractWorkerForBuilder], request: BuildRequest
    ) -> Any:
        able = []
        for worker in workers:
            if not self._reserves or (
                yield self._ask(self.bldr.reservations.could_have_locks, worker, request)
            ):
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
            if (yield self.canStartBuild(worker, request)):
                return worker
            # the user says no, or what it would need, or itself, has been lost to others meanwhile
            idle = self.bldr.getAvailableWorkers()
            able = [other for other in able if other is not worker and other in idle]
        for worker in workers if self._reserves else ():
            yield self._ask(self.bldr.reservations.stand_in_line, worker, request)
        return None

    def canStartBuild(
        self, worker: AbstractWorkerForBuilder, breq: BuildRequest
    ) -> defer.Deferred[Any]:
        """Tell whether a build of a request can start on a worker; if so its locks are held."""
        reserves = self._reserves
        question = self.bldr.reservations.reserve if reserves else self.bldr.canStartBuild
        return self._ask(question, worker, breq)

    @defer.inlineCallbacks
    def _ask(self, question: Any, worker: Any, request: BuildRequest) -> Any:
        try:
            return (yield question(worker, request))
        except Exception as e:
            log.err(e, f'whether build request {request.id} of {self.bldr} can start on {worker}')
            if isinstance(e, SQLAlchemyError):
                self._look_again_later()
            return False

    @defer.inlineCallbacks
    def _getNextUnclaimedBuildRequest(self) -> Any:
        if self.nextBuild or not self._reserves:
            return (yield super()._getNextUnclaimedBuildRequest())
        return (yield self._first_that_may_start())

    @defer.inlineCallbacks
    def _first_that_may_start(self) -> Any:
        self.pending = yield self.bldr.inbox.read()
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
        return self.bldr.reservations.waits(brid)

    @defer.inlineCallbacks
    def _group_requests(self) -> Any:
        reservations = self.bldr.reservations
        for brid in self.pending.without_group():
            request = None
            if brid in self.pending and reservations.groups_need_requests():
                request = yield self._getBuildRequestForBrdict(self.pending.brdict(brid))
                if request is None:
                    continue  # it cannot be read now, and is left for later
            if brid in self.pending:
                brdict = self.pending.brdict(brid)
                self.pending.put_in_group(brid, reservations.group_of(brdict, request))

    @defer.inlineCallbacks
    def _fetchUnclaimedBrdicts(self) -> Any:
        if not self._reserves:
            return (yield super()._fetchUnclaimedBrdicts())
        if self.unclaimedBrdicts is None:
            self.pending = yield self.bldr.inbox.read()
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
        request = self.pending.request(brid)
        if request is not None:
            return request
        try:
            request = yield super()._getBuildRequestForBrdict(brdict)
        except SQLAlchemyError as e:
            log.err(e, f'build request {brid} cannot be read now, and is left for later')
            self._look_again_later()
        except Exception as e:
            log.err(e, f'build request {brid} of {self.bldr} cannot be understood')
            if (yield self.master.data.updates.claimBuildRequests([brid])):
                yield self.master.data.updates.completeBuildRequests([brid], EXCEPTION)
        if request is not None:
            self.pending.keep(request)
        return request

    def _look_again_later(self) -> None:
        self.master.botmaster.brd.look_again_later(self.bldr.name)

    def _removeBuildRequest(self, breq: Any) -> None:
        if breq is not None:
            self._looked_at.add(breq.id)
        if self.unclaimedBrdicts is not None:
            super()._removeBuildRequest(breq)


class BuildRequestDistributor(upstream.BuildRequestDistributor):
    """Starts the builds that are requested.

    :cvar again_after: seconds after which it looks at a builder again that met with an error.
    """

    BuildChooser = BasicBuildChooser
    again_after = 10

    def __init__(self, botmaster: Any) -> None:
        super().__init__(botmaster)
        self._again: dict[str, IDelayedCall] = {}

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        yield super().stopService()
        for call in self._again.values():
            call.cancel()
        self._again.clear()
        for builder in self.botmaster.builders.values():
            builder.reservations.clear()  # nobody would use what they are granted from now on

    def look_again_later(self, builder_name: str) -> None:
        """Look at the requests of a builder again after an error that may be over by then."""
        if self.running and builder_name not in self._again:
            self._again[builder_name] = self.master.reactor.callLater(
                self.again_after, self._look_again, builder_name
            )

    def _look_again(self, builder_name: str) -> None:
        del self._again[builder_name]
        self.botmaster.maybeStartBuildsForBuilder(builder_name)

    @async_to_deferred
    async def _maybeStartBuildsOn(self, new_builders: list[str]) -> None:
        if self.active and set(new_builders) <= set(self._pending_builders):
            return  # they are sorted and due already
        async with self.pending_builders_lock:
            due = set(self._pending_builders) | set(new_builders)
            self._pending_builders = await self._sortBuilders(list(due))
            if not self.active:
                self._activity_loop_deferred = defer.ensureDeferred(self._activityLoop())

    async def _maybeStartBuildsOnBuilder(self, bldr: Builder) -> None:
        granted = bldr.reservations.granted()
        try:
            await self._start_builds_of(bldr)
        except Exception:
            self.look_again_later(bldr.name)
            raise
        finally:
            bldr.reservations.give_back_unused(granted)

    async def _start_builds_of(self, bldr: Builder) -> None:
        chooser = self.createBuildChooser(bldr, self.master)
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
                bldr.inbox.doubt()
                chooser = self.createBuildChooser(bldr, self.master)
            elif brids and not started and not bldr.waits_to_try_again:
                self.botmaster.maybeStartBuildsForBuilder(bldr.name)

    async def _take_back(self, bldr: Builder, requests: list, claimed_brids: list[int]) -> None:
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

    async def _those_that_may_start(self, requests: list[BuildRequest]) -> list[BuildRequest]:
        # before a clean shutdown only those are started that a running build waits for
        if not self.distribute_only_waited_childs:
            return requests
        bsids = {request.bsid for request in requests if request.waitedFor}
        if not bsids:
            return []
        parented = await self.master.data.get(
            ('buildsets',),
            [
                resultspec.Filter('bsid', 'in', bsids),
                resultspec.Filter('parent_buildid', 'ne', [None]),
            ],
            ['bsid', 'parent_buildid'],
        )
        awaited = {buildset['bsid'] for buildset in parented}
        return [request for request in requests if request.bsid in awaited]
