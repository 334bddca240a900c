# SPDX-License-Identifier: GPL-2.0-only
"""New: chooses a request whose turn it is, and a worker on which its locks are held."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING
from typing import Any
from typing import Container

from sqlalchemy.exc import SQLAlchemyError
from twisted.internet import defer
from twisted.python import log

from buildbot.process.buildrequestdistributor import BasicBuildChooser
from buildbot.process.latewrite import complete_without_build
from buildbot.process.locks import depends_on_branch
from buildbot.process.locks import group_of
from buildbot.process.questions import GivenUp
from buildbot.process.results import EXCEPTION
from buildbot.process.waiting.pending import PendingRequests

if TYPE_CHECKING:
    from buildbot.process.builder import Builder
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder


class ReservingBuildChooser(BasicBuildChooser):
    """Chooses the request whose turn it is, and a worker on which it can start now.

    It starts no build. A request that cannot have its locks keeps its place in line, and so do the
    requests of the same builder behind it that want the same locks.

    :ivar pending: the builder's pending requests, as last read.
    """

    def __init__(self, bldr: Builder, master: Any) -> None:
        super().__init__(bldr, master)
        self.pending = PendingRequests()
        #: the requests that may be looked at; None for all
        self.only: Container[int] | None = None
        self._looked_at: set[int] = set()
        # the requests that may use the place of a build, if no worker is idle for others
        self._lent: set[int] = set()
        self._is_late = False
        self._user_chooses = bool(bldr.config.nextWorker or master.config.select_next_worker)
        if self.nextBuild:
            self.nextBuild = partial(self._ask_next_build, self.nextBuild)

    @defer.inlineCallbacks
    def popNextBuild(self):
        while True:
            self._lent = self._find_lent()
            if self.nextBuild and not self._lent and not self._workers():
                break
            # usually no request needs a look, whichever workers are idle
            request = yield self._getNextUnclaimedBuildRequest()
            idle = self._workers() if request else []
            if not request or not (idle or self._lent):
                break
            self._removeBuildRequest(request)
            workers = self._workers_for(request.id, idle)
            if not workers:
                continue
            choose = self._let_user_choose if self._user_chooses else self._choose_best
            worker = yield choose(workers, request)
            if worker is None:
                # on one that a user's method has refused it does not begin even to fail
                able = self._not_refused(request.id, workers)
                worker = self.bldr.reservations.reserve_to_fail(
                    able, request, self.bldr.config.workernames
                )
            if worker is not None:
                if worker in self.workerpool:
                    self.workerpool.remove(worker)
                return (worker, request)
        return (None, None)

    def _workers(self) -> list[AbstractWorkerForBuilder]:
        # each idle worker once, before any of them again
        idle = self.bldr.getAvailableWorkers()
        are_idle = set(idle)
        pool = [worker for worker in self.workerpool if worker in are_idle]
        self.workerpool = pool or idle
        return self.workerpool

    def _find_lent(self) -> set[int]:
        lent = self.bldr.lent_requests() - self._looked_at
        if not lent or self._workers():
            return set()
        return {brid for brid in lent if self.only is None or brid in self.only}

    def _idle_for(self, brid: int) -> list[AbstractWorkerForBuilder]:
        return [*self.bldr.getAvailableWorkers(), *self.bldr.lent_workers(brid)]

    def _workers_for(
        self, brid: int, workers: list[AbstractWorkerForBuilder]
    ) -> list[AbstractWorkerForBuilder]:
        able = self._not_refused(brid, [*workers, *self.bldr.lent_workers(brid)])
        in_use = self.bldr.worker_choice.in_use
        # a worker that has just got a build is better than one with locks in quarantine
        found = in_use(able)
        if able and not found:
            found = in_use(self._not_refused(brid, self._idle_for(brid)))
        return found or able

    def _not_refused(
        self, brid: int, workers: list[AbstractWorkerForBuilder]
    ) -> list[AbstractWorkerForBuilder]:
        return [w for w in workers if w.worker and not self._is_refused(brid, w)]

    def _is_refused(self, brid: int, worker: Any) -> bool:
        return self.bldr.refusals.has(brid, worker.worker.workername)

    @defer.inlineCallbacks
    def _choose_best(self, workers: list[AbstractWorkerForBuilder], request: BuildRequest) -> Any:
        left = list(workers)
        # a build that waits for this one keeps its worker and locks meanwhile
        late = self.master.config.lateBinding and not request.waitedFor
        while left and self.bldr.running:
            best = self.bldr.worker_choice.best(left, late)
            if not best:
                # left for the first worker with room; so are other requests if no worker has room
                self._is_late = len(left) == len(self._idle_for(request.id))
                break
            worker = random.choice(best)
            left.remove(worker)
            if (yield self.canStartBuild(worker, request)):
                return worker
            if self.bldr.reservations.waits_everywhere(request.id):
                break
        self.bldr.reservations.give_back_refused(request.id)
        return None

    @defer.inlineCallbacks
    def _let_user_choose(
        self, workers: list[AbstractWorkerForBuilder], request: BuildRequest
    ) -> Any:
        able = []
        for worker in workers:
            if (yield self._ask(self.bldr.reservations.could_have_locks, worker, request)):
                able.append(worker)
        while able:
            worker = yield self._ask_next_worker(able, request)
            if worker is None:
                break
            if (yield self.canStartBuild(worker, request)):
                return worker
            # the user's method said no, or the locks or the worker were taken meanwhile
            idle = self._idle_for(request.id)
            able = [other for other in able if other is not worker and other in idle]
        self.bldr.reservations.give_back_refused(request.id)
        for worker in self._workers_for(request.id, self._workers()):
            yield self._ask(self.bldr.reservations.stand_in_line, worker, request)
        return None

    @defer.inlineCallbacks
    def _ask_next_build(self, next_build: Any, bldr: Builder, requests: list[BuildRequest]) -> Any:
        try:
            brids = [request.id for request in requests]
            chosen = yield bldr.questions.ask('nextBuild', next_build, bldr, requests, about=brids)
        except GivenUp:
            return None  # nobody waits for an answer any more
        except Exception:
            self._note_passed_over(requests, 'nextBuild raised an error')
            raise
        passed_over = [request for request in requests if request is not chosen]
        if len(passed_over) < len(requests):
            self._note_passed_over(passed_over, f'nextBuild chose build request {chosen.id}')
        else:
            self._note_passed_over(passed_over, 'nextBuild chose no request')
        return chosen

    def _note_passed_over(self, requests: list[BuildRequest], why: str) -> None:
        for request in requests:
            self.bldr.refusals.note(request.id, None, why)

    @defer.inlineCallbacks
    def _ask_next_worker(
        self, workers: list[AbstractWorkerForBuilder], request: BuildRequest
    ) -> Any:
        bldr, what = self.bldr, 'chose none of its workers'
        try:
            worker = yield bldr.questions.ask(
                'nextWorker', self.nextWorker, bldr, workers, request, about=[request.id]
            )
        except GivenUp:
            return None
        except Exception as e:
            log.err(e, f"from nextWorker for builder '{bldr}'")
            worker, what = None, 'raised an error'
        if worker in workers:
            return worker
        for refused in workers:
            if refused.worker is not None:
                bldr.refusals.refuse(request.id, refused.worker.workername, f'nextWorker {what}')
        return None

    def canStartBuild(
        self, worker: AbstractWorkerForBuilder, breq: BuildRequest
    ) -> defer.Deferred[Any]:
        """Tell whether a build of a request can start on a worker; if so, its locks are held."""
        return self._ask(self.bldr.reservations.reserve, worker, breq)

    @defer.inlineCallbacks
    def _ask(self, question: Any, worker: Any, request: BuildRequest) -> Any:
        try:
            return (yield question(worker, request))
        except GivenUp:
            return False  # nobody waits for an answer any more
        except Exception as e:
            log.err(e, f'whether build request {request.id} of {self.bldr} can start on {worker}')
            if isinstance(e, SQLAlchemyError):
                self._look_again_later()
            elif worker.worker is not None:
                why = f'it could not be determined whether it can start there ({type(e).__name__})'
                self.bldr.refusals.note(request.id, worker.worker.workername, why)
            return False

    @defer.inlineCallbacks
    def _getNextUnclaimedBuildRequest(self) -> Any:
        if self.nextBuild:
            return (yield super()._getNextUnclaimedBuildRequest())
        return (yield self._first_that_may_start())

    @defer.inlineCallbacks
    def _first_that_may_start(self) -> Any:
        self.pending = yield self.bldr.inbox.read()
        yield self._group_requests()
        while True:
            brid = self.pending.first(self._is_out, self._waits)
            if brid is None:
                return None
            request = yield self._getBuildRequestForBrdict(self.pending.brdict(brid))
            if request is not None and brid in self.pending:
                return request
            self._looked_at.add(brid)

    def _is_out(self, brid: int) -> bool:
        if brid in self._looked_at or (self.only is not None and brid not in self.only):
            return True
        if self._lent and brid not in self._lent:
            return True
        workers = [*self._workers(), *self.bldr.lent_workers(brid)] if self.bldr.refusals else []
        return bool(workers) and all(self._is_refused(brid, w) for w in workers if w.worker)

    def _waits(self, brid: int) -> bool:
        if self._is_late and not self.pending.brdict(brid)['waited_for']:
            return True
        return self.bldr.reservations.waits(brid)

    @defer.inlineCallbacks
    def _group_requests(self) -> Any:
        locks = self.bldr.config.locks
        for brid in self.pending.without_group():
            request = None
            if brid in self.pending and depends_on_branch(locks):
                request = yield self._getBuildRequestForBrdict(self.pending.brdict(brid))
                if request is None:
                    continue  # it cannot be read now, and is left for later
            if brid in self.pending:
                brdict = self.pending.brdict(brid)
                self.pending.put_in_group(brid, group_of(locks, brdict, request))

    @defer.inlineCallbacks
    def _fetchUnclaimedBrdicts(self) -> Any:
        if self.unclaimedBrdicts is None:
            self.pending = yield self.bldr.inbox.read()
            self.unclaimedBrdicts = [
                brdict
                for brdict in self.pending.brdicts()
                if self.only is None or brdict['buildrequestid'] in self.only
            ]
        return self.unclaimedBrdicts

    @defer.inlineCallbacks
    def _getUnclaimedBuildRequests(self) -> Any:
        # the user's nextBuild gets all requests but those that cannot be made
        found = []
        for brdict in list(self.unclaimedBrdicts or ()):
            if self._lent and brdict['buildrequestid'] not in self._lent:
                continue
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
                bsids = {brid: brdict['buildsetid']}
                complete_without_build(self.master.botmaster, bsids, EXCEPTION)
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
