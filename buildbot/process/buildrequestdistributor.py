# SPDX-License-Identifier: GPL-2.0-only
"""Requests are kept ready, their locks reserved before a worker is picked, and woken exactly."""

from __future__ import annotations

import random
from functools import partial
from typing import TYPE_CHECKING
from typing import Any
from typing import Container

from sqlalchemy.exc import SQLAlchemyError
from twisted.internet import defer
from twisted.internet.interfaces import IDelayedCall
from twisted.python import log
from twisted.python.failure import Failure

from buildbot.data import resultspec
from buildbot.process.latewrite import write_at_last
from buildbot.process.locks import depends_on_branch
from buildbot.process.locks import group_of
from buildbot.process.questions import Questions
from buildbot.process.results import EXCEPTION
from buildbot.process.waiting.pending import PendingRequests
from buildbot.process.waiting.reservations import Reservations
from buildbot.util import asyncSleep
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
        #: the requests that may be looked at; None if all may
        self.only: Container[int] | None = None
        self._looked_at: set[int] = set()
        # the requests that may use the place of a build, if no worker is idle for others
        self._lent: set[int] = set()
        self._is_late = False
        self._user_chooses = bool(bldr.config.nextWorker or master.config.select_next_worker)
        # what stands in for a builder in a test may only know canStartBuild
        self._reserves = isinstance(bldr.reservations, Reservations)
        if self.nextBuild and self._reserves:
            self.nextBuild = partial(self._ask_next_build, self.nextBuild)

    @defer.inlineCallbacks
    def popNextBuild(self):
        while True:
            self._lent = self._find_lent()
            if self.nextBuild and not self._lent and not self._workers():
                break
            # most often no request is to be looked at, whichever workers are idle
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
            if worker is None and self._reserves:
                worker = self.bldr.reservations.reserve_to_fail(
                    workers, request, self.bldr.config.workernames
                )
            if worker is not None:
                if worker in self.workerpool:
                    self.workerpool.remove(worker)
                return (worker, request)
        return (None, None)

    def _workers(self) -> list[AbstractWorkerForBuilder]:
        # one after the other, as long as they are idle
        idle = self.bldr.getAvailableWorkers()
        are_idle = set(idle)
        pool = [worker for worker in self.workerpool if worker in are_idle]
        self.workerpool = pool or idle
        return self.workerpool

    def _find_lent(self) -> set[int]:
        lent = self.bldr.lent_requests() - self._looked_at if self._reserves else set()
        if not lent or self._workers():
            return set()
        return {brid for brid in lent if self.only is None or brid in self.only}

    def _idle_for(self, brid: int) -> list[AbstractWorkerForBuilder]:
        return [*self.bldr.getAvailableWorkers(), *self.bldr.lent_workers(brid)]

    def _workers_for(
        self, brid: int, workers: list[AbstractWorkerForBuilder]
    ) -> list[AbstractWorkerForBuilder]:
        if not self._reserves:
            return workers
        able = self._not_refused(brid, [*workers, *self.bldr.lent_workers(brid)])
        in_use = self.bldr.worker_choice.in_use
        # one that has got a build before is better than one whose locks are in quarantine
        found = in_use(able)
        if able and not found:
            found = in_use(self._not_refused(brid, self._idle_for(brid)))
        return found or able

    def _not_refused(
        self, brid: int, workers: list[AbstractWorkerForBuilder]
    ) -> list[AbstractWorkerForBuilder]:
        return [w for w in workers if w.worker and not self._is_refused(brid, w)]

    def _is_refused(self, brid: int, worker: AbstractWorkerForBuilder) -> bool:
        return self.bldr.refusals.has(brid, worker.worker.workername)

    @defer.inlineCallbacks
    def _choose_best(self, workers: list[AbstractWorkerForBuilder], request: BuildRequest) -> Any:
        left = list(workers)
        while left and self.bldr.running:
            best = left
            if self._reserves:
                best = self.bldr.worker_choice.best(left, request.waitedFor)
            if not best:
                # it is left for the first worker with room; so are the others if no worker has any
                self._is_late = len(left) == len(self._idle_for(request.id))
                break
            worker = random.choice(best)
            left.remove(worker)
            if (yield self.canStartBuild(worker, request)):
                return worker
            if self._reserves and self.bldr.reservations.waits_everywhere(request.id):
                break
        self._give_back_refused(request)
        return None

    def _give_back_refused(self, request: BuildRequest) -> None:
        if self._reserves:
            self.bldr.reservations.give_back_refused(request.id)

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
            worker = yield self._ask_next_worker(able, request)
            if worker is None:
                break
            if (yield self.canStartBuild(worker, request)):
                return worker
            # the user said no, or its locks or the worker have been taken meanwhile
            idle = self._idle_for(request.id) if self._reserves else self.bldr.getAvailableWorkers()
            able = [other for other in able if other is not worker and other in idle]
        self._give_back_refused(request)
        for worker in self._workers_for(request.id, self._workers()) if self._reserves else ():
            yield self._ask(self.bldr.reservations.stand_in_line, worker, request)
        return None

    @defer.inlineCallbacks
    def _ask_next_build(self, next_build: Any, bldr: Builder, requests: list[BuildRequest]) -> Any:
        try:
            brids = [request.id for request in requests]
            chosen = yield bldr.questions.ask('nextBuild', next_build, bldr, requests, about=brids)
        except defer.CancelledError:
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
            if self._reserves:
                worker = yield bldr.questions.ask(
                    'nextWorker', self.nextWorker, bldr, workers, request, about=[request.id]
                )
            else:
                worker = yield self.nextWorker(bldr, workers, request)
        except defer.CancelledError:
            return None
        except Exception as e:
            log.err(e, f"from nextWorker for builder '{bldr}'")
            worker, what = None, 'raised an error'
        if worker in workers:
            return worker
        for refused in workers if self._reserves else ():
            if refused.worker is not None:
                bldr.refusals.refuse(request.id, refused.worker.workername, f'nextWorker {what}')
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
        except defer.CancelledError:
            return False  # nobody waits for an answer any more
        except Exception as e:
            log.err(e, f'whether build request {request.id} of {self.bldr} can start on {worker}')
            if isinstance(e, SQLAlchemyError):
                self._look_again_later()
            elif self._reserves and worker.worker is not None:
                why = f'whether it can start there was not found out ({type(e).__name__})'
                self.bldr.refusals.note(request.id, worker.worker.workername, why)
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
        if not self._reserves:
            return (yield super()._fetchUnclaimedBrdicts())
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
        # one that cannot be made is not there for the user's nextBuild, and the others are
        found = []
        for brdict in list(self.unclaimedBrdicts):
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
        self._only_waited = False
        super().__init__(botmaster)
        self._again: dict[str, IDelayedCall] = {}
        # the builders that are being looked at, and whether each is to be looked at once more
        self._looks: dict[Builder, bool] = {}
        self._is_stopping = False
        self._sorting_since: float | None = None

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        self._is_stopping = True  # from here on no builder is looked at
        for builder in list(self._looks):
            builder.questions.give_up()
        yield super().stopService()
        self._is_stopping = False
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
        builder = self.botmaster.builders.get(builder_name)
        if builder is not None:
            builder.refusals.time_is_over()
        self.botmaster.maybeStartBuildsForBuilder(builder_name)

    def maybeStartBuildsOn(self, new_builders: list[str]) -> defer.Deferred[None]:
        """Look soon whether builds of these builders can start, now that something has changed."""
        usual = self._chooses_as_usual
        is_sorted = self.master is not None and bool(self.master.config.prioritizeBuilders)
        names = []
        for name in new_builders:
            builder = self.botmaster.builders.get(name)
            if builder is None:
                continue
            builder.refusals.something_changed()
            if not usual or self._is_to_be_looked_at(builder, is_sorted):
                names.append(name)
        return self._look_soon(names) if names else defer.succeed(None)

    @property
    def starts_nothing(self) -> bool:
        """Whether no build is started: the master stops, or has not started yet."""
        return self._is_stopping or not self.can_distribute

    def is_left_out(self, waited_for: bool) -> bool:
        """Tell whether a request is not started because of a clean shutdown.

        :param waited_for: whether a running build waits for it.
        """
        return self.distribute_only_waited_childs and not waited_for

    def again_at(self, builder_name: str) -> float | None:
        """Return when a builder is looked at again after an error; None if there was none."""
        call = self._again.get(builder_name)
        return None if call is None else call.getTime()

    @property
    def sorting_since(self) -> float | None:
        """Since when the user's ``prioritizeBuilders`` is asked; None if it is not."""
        return self._sorting_since

    def _is_to_be_looked_at(self, builder: Builder, is_sorted: bool) -> bool:
        if self._is_stopping:
            return False
        # a look that is under way may have missed the change
        if builder in self._looks or builder.may_start:
            return True
        # requests that wait may have to go before others in the user's order
        return is_sorted and bool(builder.reservations)

    @property
    def _chooses_as_usual(self) -> bool:
        # a plugin's chooser may find other requests than those that are known here
        usual = BuildRequestDistributor
        return (
            self.BuildChooser is BasicBuildChooser
            and 'createBuildChooser' not in vars(self)
            and type(self).createBuildChooser is usual.createBuildChooser
        )

    def look_at_granted(self, builder: Builder) -> None:
        """Look soon at a builder, one of whose requests has been granted its locks.

        If the user puts builders in order, so are those whose requests wait for the same.
        """
        names = [builder.name]
        if self.master.config.prioritizeBuilders:
            wanted = builder.reservations.locks_of_granted()
            others = self.botmaster.builders.values()
            names += [b.name for b in others if b.reservations.wait_for_any(wanted)]
        self._look_soon(names)

    @async_to_deferred
    async def _look_soon(self, builder_names: list[str]) -> None:
        if self.can_distribute:
            try:
                await self._deferwaiter.add(self._maybeStartBuildsOn(builder_names))
            except Exception as e:
                log.err(e, f'while looking at builders {builder_names}')

    @async_to_deferred
    async def _maybeStartBuildsOn(self, new_builders: list[str]) -> None:
        is_due = self.active and set(new_builders) <= set(self._pending_builders)
        if is_due and not self.master.config.prioritizeBuilders:
            return  # they are sorted already
        async with self.pending_builders_lock:
            if self.master is None:
                return  # it has been stopped meanwhile
            due = dict.fromkeys([*self._pending_builders, *new_builders])  # each once, in order
            self._pending_builders = await self._sort_in_time(list(due))
            if not self.active:
                self._activity_loop_deferred = defer.ensureDeferred(self._activityLoop())

    @defer.inlineCallbacks
    def _sort_in_time(self, names: list[str]) -> Any:
        sorting = defer.maybeDeferred(self._sortBuilders, names)
        if not self.master.config.prioritizeBuilders:
            return (yield sorting)
        late = self.master.reactor.callLater(Questions.logged_after, self._end_sorting, sorting)
        self._sorting_since = self.master.reactor.seconds()
        try:
            names = yield sorting
        except Exception as e:  # no list of builders, say
            log.err(e, f'while putting builders {names} in order; they are looked at in none')
        self._sorting_since = None
        if late.active():
            late.cancel()
        known = self.botmaster.builders  # one may have been removed while they were sorted
        builders = [known[name] for name in names if name in known]
        builders = [b for b in builders if isinstance(b.reservations, Reservations)]
        for i, builder in enumerate(builders):
            behind = [r for other in builders[i + 1 :] for r in other.reservations]
            builder.reservations.go_before(behind)
        return names

    def _end_sorting(self, sorting: defer.Deferred[Any]) -> None:
        log.msg(
            f'prioritizeBuilders has not answered for {Questions.logged_after} seconds; the'
            ' builders are looked at in no particular order'
        )
        sorting.cancel()

    async def _maybeStartBuildsOnBuilder(self, bldr: Builder) -> None:
        """Look at a builder, and wait for that no longer than the others can be let wait."""
        if self._is_stopping:
            return
        if bldr in self._looks:
            self._looks[bldr] = True
            return
        self._looks[bldr] = False
        go_on: defer.Deferred[None] = defer.Deferred()
        bldr.questions.begin_look(partial(fire, go_on))
        look = defer.ensureDeferred(self._look_at(bldr))
        look.addBoth(self._has_looked, bldr, go_on)
        self._deferwaiter.add(look)
        await go_on

    def _has_looked(self, result: Any, bldr: Builder, go_on: defer.Deferred[None]) -> None:
        if isinstance(result, Failure):
            log.err(result, f"while looking at builder '{bldr.name}'")
        bldr.look_for_knots()
        if self._looks.pop(bldr):
            self._look_soon([bldr.name])
        fire(go_on)

    async def _look_at(self, bldr: Builder) -> None:
        bldr.refusals.begin_look()
        bldr.reservations.quiet_until = 0.0
        granted = bldr.reservations.granted()
        try:
            await self._start_builds_of(bldr)
        except Exception:
            self.look_again_later(bldr.name)
            raise
        finally:
            bldr.reservations.give_back_unused(granted)

    async def _start_builds_of(self, bldr: Builder) -> None:
        chooser = await self._new_chooser(bldr)
        config_version = bldr.config_version
        while True:
            worker, requests = await chooser.chooseNextBuild()
            if not worker or not requests:
                break
            worker_name = getattr(getattr(worker, 'worker', None), 'workername', None)
            may_start = await self._those_that_may_start(requests)
            brids = [request.id for request in may_start]
            claimed, started = bool(brids), False  # an error may come when they are claimed already
            self._add_in_progress_brids(brids)
            try:
                if brids:
                    claimed = await self._claim(bldr, brids)
                if claimed:
                    started = await self._start(bldr, worker, may_start)
            finally:
                if not started:
                    self._undo_start(bldr, requests, brids if claimed else [])
            if brids and not claimed:
                # another master was first, or it was cancelled: read the requests again
                bldr.inbox.doubt()
                chooser = await self._new_chooser(bldr)
            elif brids and not started and not bldr.waits_to_try_again:
                is_idle = bldr.is_idle_for(worker, brids[0])
                if bldr.config_version == config_version and is_idle:
                    self._back_off(bldr, brids, f'did not start on worker {worker_name!r}')
                else:  # something has changed meanwhile
                    self._look_soon([bldr.name])

    async def _new_chooser(self, bldr: Builder) -> Any:
        chooser = self.createBuildChooser(bldr, self.master)
        if self.distribute_only_waited_childs and isinstance(chooser, BasicBuildChooser):
            pending = await bldr.inbox.read()
            awaited = [b for b in pending.brdicts() if b['waited_for']]
            bsids = await self._with_parent({b['buildsetid'] for b in awaited})
            chooser.only = {b['buildrequestid'] for b in awaited if b['buildsetid'] in bsids}
        return chooser

    async def _claim(self, bldr: Builder, brids: list[int]) -> bool:
        claimed_at = epoch2datetime(self.master.reactor.seconds())
        try:
            return await self.master.data.updates.claimBuildRequests(brids, claimed_at=claimed_at)
        except Exception:
            self._back_off(bldr, brids, 'could not be claimed')
            raise

    async def _start(self, bldr: Builder, worker: Any, requests: list[BuildRequest]) -> bool:
        try:
            return await bldr.maybeStartBuild(worker, requests)
        except Exception as e:
            log.err(e, f"from maybeStartBuild for builder '{bldr.name}'")
            return False

    def _back_off(self, bldr: Builder, brids: list[int], what: str) -> None:
        # To give requests back looks like a change, so they would be tried again and again.
        for brid in brids:
            bldr.refusals.fail(brid, f'it {what}')
        log.msg(
            f'builder {bldr.name!r}: build requests {brids} {what}; they are tried again in'
            f' {self.again_after} seconds'
        )
        self.look_again_later(bldr.name)

    def _undo_start(self, bldr: Builder, requests: list, claimed_brids: list[int]) -> None:
        claimed = []
        for request in requests:
            bldr.reservations.give_back(request.id)
            if request.id in claimed_brids:
                claimed.append(request)
            else:
                self.botmaster.remove_in_progress_buildrequest(request.id)
        if claimed:
            # this may last; neither other requests nor a stop of the master wait for it
            self.unclaim(claimed).addErrback(log.err, f'while giving back {claimed_brids}')

    def unclaim(self, requests: list[BuildRequest]) -> defer.Deferred[None]:
        """Give build requests back, now or as soon as the database can be written.

        None of them is started before. If this master stops before, they are given back when it
        starts.
        """
        known = self.botmaster.builders
        return self.give_back([(known.get(r.buildername), r.id) for r in requests])

    @defer.inlineCallbacks
    def give_back(self, requests: list[tuple[Builder | None, int]], after: float = 0) -> Any:
        """Give back the requests of these ids, each with its builder as far as that is known.

        :param after: how many seconds later.
        """
        brids = [brid for _, brid in requests]
        inboxes = [(builder.inbox, brid) for builder, brid in requests if builder is not None]
        for brid in brids:  # so that it is known if one is cancelled meanwhile
            self.botmaster._starting_brid_to_cancel.setdefault(brid, False)
        for inbox, brid in inboxes:
            inbox.set_aside(brid)
        try:
            if after:
                yield asyncSleep(after, self.botmaster.master.reactor)
            yield self._unclaim_at_last(brids)
        finally:
            for inbox, brid in inboxes:
                inbox.put_back(brid)  # if that it was given back was not told

    @defer.inlineCallbacks
    def _unclaim_at_last(self, brids: list[int]) -> Any:
        master = self.botmaster.master  # it has none itself any more when the master shuts down
        yield write_at_last(
            master,
            f'that build requests {brids} are given back',
            partial(master.data.updates.unclaimBuildRequests, brids),
        )
        for brid in brids:
            why = self.botmaster.remove_in_progress_buildrequest(brid)
            if isinstance(why, str):
                # it was cancelled while it was being given back, when nobody could do it
                yield master.data.control('cancel', {'reason': why}, ('buildrequests', brid))

    async def _those_that_may_start(self, requests: list[BuildRequest]) -> list[BuildRequest]:
        # before a clean shutdown only those are started that a running build waits for
        if not self.distribute_only_waited_childs:
            return requests
        awaited = await self._with_parent({r.bsid for r in requests if r.waitedFor})
        return [request for request in requests if request.bsid in awaited]

    async def _with_parent(self, bsids: set[int]) -> set[int]:
        if not bsids:
            return set()
        parented = await self.master.data.get(
            ('buildsets',),
            [
                resultspec.Filter('bsid', 'in', bsids),
                resultspec.Filter('parent_buildid', 'ne', [None]),
            ],
            ['bsid', 'parent_buildid'],
        )
        return {buildset['bsid'] for buildset in parented}

    @property
    def distribute_only_waited_childs(self) -> bool:
        """Whether only those builds are started that running ones wait for, before a shutdown."""
        return self._only_waited

    @distribute_only_waited_childs.setter
    def distribute_only_waited_childs(self, only_waited: bool) -> None:
        was_only_waited, self._only_waited = self._only_waited, only_waited
        if was_only_waited and not only_waited:
            # the shutdown was cancelled: start what was left meanwhile
            self.botmaster.maybeStartBuildsForAllBuilders()
        elif only_waited:
            for builder in self.botmaster.builders.values():
                builder.reservations.leave_lines_if(lambda r: self.is_left_out(r.waitedFor))


def fire(d: defer.Deferred[None]) -> None:
    """Fire a Deferred, if that has not been done."""
    if not d.called:
        d.callback(None)
