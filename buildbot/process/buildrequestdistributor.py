# SPDX-License-Identifier: GPL-2.0-only
"""Pending requests are kept ready, and reserve locks before a worker is taken.

A builder gets a look only when something has changed for one of its requests.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.internet.interfaces import IDelayedCall
from twisted.python import log
from twisted.python.failure import Failure

from buildbot.data import resultspec
from buildbot.process.latewrite import complete_without_build
from buildbot.process.latewrite import write_at_last
from buildbot.process.questions import GivenUp
from buildbot.process.questions import Questions
from buildbot.process.questions import endable
from buildbot.process.results import CANCELLED
from buildbot.util import asyncSleep
from buildbot.util import epoch2datetime
from buildbot.util.twisted import async_to_deferred
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.builder import Builder
    from buildbot.process.buildrequest import BuildRequest

upstream = release(__name__)


class BuildRequestDistributor(upstream.BuildRequestDistributor):
    """Starts the requested builds. It does not choose the requests; choosers do.

    :cvar again_after: seconds after which it looks again at a builder that had an error.
    :ivar usual_chooser: the chooser to use unless a plugin has replaced Buildbot's; None for
        Buildbot's own.
    """

    again_after = 10

    def __init__(self, botmaster: Any) -> None:
        self._only_waited = False
        super().__init__(botmaster)
        self.usual_chooser: Any = None
        self._again: dict[str, IDelayedCall] = {}
        # the builders that are being looked at, and whether each needs another look afterwards
        self._looks: dict[Builder, bool] = {}
        self._is_stopping = False
        # the answer of the user's ``prioritizeBuilders`` while it has not come
        self._sorting: defer.Deferred[Any] | None = None
        #: since when the user's ``prioritizeBuilders`` has been running; None if it is not
        self.sorting_since: float | None = None
        #: the names of the builders that it left out when it was last asked about them
        self.left_out: set[str] = set()

    @defer.inlineCallbacks
    def startService(self) -> Any:
        yield super().startService()
        if self.master.running:
            # a clean shutdown was cancelled: nobody has looked at the builders meanwhile
            self.botmaster.maybeStartBuildsForAllBuilders()

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        self._is_stopping = True  # from now on no builder is looked at
        if self._sorting is not None:
            self._sorting.errback(GivenUp())
        for builder in list(self._looks):
            builder.questions.give_up()
        yield super().stopService()
        self._is_stopping = False
        for call in self._again.values():
            call.cancel()
        self._again.clear()
        for builder in self.botmaster.builders.values():
            builder.reservations.clear()  # nobody would use the locks granted to them

    def look_again_later(self, builder_name: str) -> None:
        """Look at a builder's requests again later, after an error that may be over by then."""
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
        """Check soon whether builds of these builders can start, because something has changed."""
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
        """Whether no build is started, because the master stops or has not started yet."""
        return self._is_stopping or not self.can_distribute

    def is_left_out(self, waited_for: bool) -> bool:
        """Tell whether a request is not started because of a clean shutdown.

        :param waited_for: whether a running build waits for it.
        """
        return self.distribute_only_waited_childs and not waited_for

    def again_at(self, builder_name: str) -> float | None:
        """Return when a builder gets another look after an error; None if there was no error."""
        call = self._again.get(builder_name)
        return None if call is None else call.getTime()

    def _is_to_be_looked_at(self, builder: Builder, is_sorted: bool) -> bool:
        if self._is_stopping:
            return False
        # a look that is under way may have missed the change
        if builder in self._looks or builder.may_start:
            return True
        # in the user's order, waiting requests may have to go before others
        return is_sorted and bool(builder.reservations)

    @property
    def _chooses_as_usual(self) -> bool:
        # a plugin's chooser may find requests that are unknown here
        usual = BuildRequestDistributor
        return (
            self.usual_chooser is not None
            and self.BuildChooser is upstream.BasicBuildChooser
            and 'createBuildChooser' not in vars(self)
            and type(self).createBuildChooser is usual.createBuildChooser
        )

    def createBuildChooser(self, bldr: Builder, master: Any) -> Any:
        if self._chooses_as_usual:
            return self.usual_chooser(bldr, master)
        return super().createBuildChooser(bldr, master)

    def look_at_granted(self, builder: Builder) -> None:
        """Look soon at a builder with a request that has been granted its locks.

        If the user orders builders, this includes the builders whose requests wait for the same
        locks.
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
            return  # they are already sorted
        async with self.pending_builders_lock:
            if self.master is None:
                return  # it has been stopped meanwhile
            due = dict.fromkeys([*self._pending_builders, *new_builders])  # each once, in order
            self._pending_builders = await self._sort_in_time(list(due))
            if not self.active:
                self._activity_loop_deferred = defer.ensureDeferred(self._activityLoop())

    @defer.inlineCallbacks
    def _sort_in_time(self, names: list[str]) -> Any:
        sorting = endable(defer.maybeDeferred(self._sortBuilders, names), 'prioritizeBuilders')
        self.left_out.difference_update(names)
        if not self.master.config.prioritizeBuilders:
            return (yield sorting)
        asked_about = names
        late = self.master.reactor.callLater(Questions.logged_after, self._end_sorting, sorting)
        self._sorting, self.sorting_since = sorting, self.master.reactor.seconds()
        try:
            names = yield sorting
        except GivenUp:
            pass  # the distributor stops
        except Exception as e:  # such as a result that is not a list of builders
            log.err(
                e,
                f'while putting builders {names} in order; they are processed in no particular'
                ' order',
            )
        self._sorting = self.sorting_since = None
        if late.active():
            late.cancel()
        left_out = set(asked_about).difference(names)
        self.left_out.update(left_out)
        known = self.botmaster.builders  # one may have been removed while they were sorted
        for name in left_out & known.keys():
            known[name].reservations.leave_all_lines()  # others may have what it was granted
        books = [known[name].reservations for name in names if name in known]
        waiting = [reservations for reservations in books if reservations]
        for i, reservations in enumerate(waiting):
            reservations.go_before(waiting[i + 1 :])
        return names

    def _end_sorting(self, sorting: defer.Deferred[Any]) -> None:
        log.msg(
            f'prioritizeBuilders has not answered for {Questions.logged_after} seconds; the'
            ' builders are processed in no particular order'
        )
        sorting.cancel()

    async def _maybeStartBuildsOnBuilder(self, bldr: Builder) -> None:
        """Look at a builder, and wait for the look only as long as the others can wait."""
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
        if self._looks.pop(bldr):
            self._look_soon([bldr.name])
        fire(go_on)
        bldr.look_for_knots()

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
            may_start = await self._those_that_may_start(requests)
            brids = [request.id for request in may_start]
            claimed, started = bool(brids), False  # after an error they may be claimed
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
                # another master was first, or a request was cancelled: read the requests again
                bldr.inbox.doubt()
                chooser = await self._new_chooser(bldr)
            elif brids and not started and not bldr.waits_to_try_again:
                is_idle = bldr.is_idle_for(worker, brids[0])
                if bldr.config_version == config_version and is_idle:
                    self._back_off(
                        bldr, brids, f'did not start on worker {worker.worker.workername!r}'
                    )
                else:  # something has changed meanwhile
                    self._look_soon([bldr.name])

    async def _new_chooser(self, bldr: Builder) -> Any:
        chooser: Any = self.createBuildChooser(bldr, self.master)
        if self.distribute_only_waited_childs and self._chooses_as_usual:
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
            if await bldr.maybeStartBuild(worker, requests):
                return True
            return bool(bldr.running) and self._complete_if_cancelled(requests)
        except Exception as e:
            log.err(e, f"from maybeStartBuild for builder '{bldr.name}'")
            return False

    def _complete_if_cancelled(self, requests: list[BuildRequest]) -> bool:
        # Requests may be cancelled during an attempt to start them. Without a build, they are
        # completed here.
        botmaster, bsids = self.botmaster, {request.id: request.bsid for request in requests}
        told = [botmaster._starting_brid_to_cancel.get(brid) for brid in bsids]
        if not all(isinstance(reason, str) for reason in told):
            return False
        complete_without_build(botmaster, bsids, CANCELLED)  # which may take long
        return True

    def _back_off(self, bldr: Builder, brids: list[int], what: str) -> None:
        # Giving requests back looks like a change, so they would be tried again and again.
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
            # this may take long; neither other requests nor the master's stop wait for it
            self.unclaim(claimed).addErrback(log.err, f'while giving back {claimed_brids}')

    def unclaim(self, requests: list[BuildRequest]) -> defer.Deferred[None]:
        """Give build requests back, now or as soon as the database can be written.

        None of them is started before that. If this master stops first, they are given back when it
        starts again.
        """
        known = self.botmaster.builders
        return self.give_back([(known.get(r.buildername), r.id) for r in requests])

    @defer.inlineCallbacks
    def give_back(self, requests: list[tuple[Builder | None, int]], after: float = 0) -> Any:
        """Give back requests, now or later.

        :param requests: pairs of a builder, or None if it is unknown, and the id of its request.
        :param after: seconds to wait before.
        """
        brids = [brid for _, brid in requests]
        inboxes = [(builder.inbox, brid) for builder, brid in requests if builder is not None]
        for brid in brids:  # to learn whether one is cancelled meanwhile
            self.botmaster._starting_brid_to_cancel.setdefault(brid, False)
        for inbox, brid in inboxes:
            inbox.set_aside(brid)
        try:
            if after:
                yield asyncSleep(after, self.botmaster.master.reactor)
            yield self._unclaim_at_last(brids)
        finally:
            for inbox, brid in inboxes:
                inbox.put_back(brid)  # in case no message has said that it was given back

    @defer.inlineCallbacks
    def _unclaim_at_last(self, brids: list[int]) -> Any:
        master = self.botmaster.master  # self.master is None once the master shuts down
        yield write_at_last(
            master,
            f'that build requests {brids} are given back',
            partial(master.data.updates.unclaimBuildRequests, brids),
        )
        for brid in brids:
            why = self.botmaster.remove_in_progress_buildrequest(brid)
            if isinstance(why, str):
                # it was cancelled while it was being given back, when it could not be done
                yield master.data.control('cancel', {'reason': why}, ('buildrequests', brid))

    async def _those_that_may_start(self, requests: list[BuildRequest]) -> list[BuildRequest]:
        # before a clean shutdown, only requests that a running build waits for are started
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
        """Whether only builds that running builds wait for are started, before a shutdown."""
        return self._only_waited

    @distribute_only_waited_childs.setter
    def distribute_only_waited_childs(self, only_waited: bool) -> None:
        was_only_waited, self._only_waited = self._only_waited, only_waited
        if was_only_waited and not only_waited:
            # the shutdown was cancelled: start the requests left out meanwhile
            self.botmaster.maybeStartBuildsForAllBuilders()
        elif only_waited:
            for builder in self.botmaster.builders.values():
                builder.reservations.leave_lines_if(lambda r: self.is_left_out(r.waitedFor))


def fire(d: defer.Deferred[None]) -> None:
    """Fire a Deferred, unless it has fired already."""
    if not d.called:
        d.callback(None)
