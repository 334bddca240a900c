# SPDX-License-Identifier: GPL-2.0-only
"""A worker's locks belong to the builds on it, and it may run several commands of one at a time."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Collection

from twisted.internet import defer
from twisted.python import log

from buildbot.interfaces import WorkerSetupError
from buildbot.locks import in_access
from buildbot.process.latewrite import write_at_last
from buildbot.util.eventual import eventually
from buildbot.util.subscription import Subscription
from buildbot.util.subscription import SubscriptionPoint
from buildbot.worker.lane import name_in_lane
from buildbot.worker.places import builds_on
from buildbot.worker.places import lends
from buildbot.worker.places import places_taken
from buildbot.worker.watched import Watched
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.locks import Demand

upstream = release(__name__)


class AbstractWorker(upstream.AbstractWorker):
    """A worker as the master knows it. It is not the process on the worker's machine."""

    # the last answer of canStartBuild; None if it must be asked again
    _is_open: bool | None = None
    # the attributes that the answer depends on
    _graceful = Watched()
    _paused = Watched()
    max_builds = Watched()
    quarantine_timer = Watched()
    workerforbuilders = Watched()
    #: whether all of these are watched; a subclass may have replaced one
    is_watched = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # for each builder, how many lanes the worker knows besides the builder itself
        self._lanes: dict[str, int] = {}
        #: the builds that have begun on the worker and not ended
        self.builds: dict[Any, None] = {}
        #: the locks that each build on the worker holds
        self.locks: Demand = []
        self._room = SubscriptionPoint(f'room on worker {self.name}')
        # how many more places there are while canStartBuild is asked whether one of them can be
        # lent
        self._lent = 0

    def __init_subclass__(cls, **words: Any) -> None:
        super().__init_subclass__(**words)
        watched = [name for name, value in vars(AbstractWorker).items() if type(value) is Watched]
        cls.is_watched = all(type(getattr(cls, name)) is Watched for name in watched)

    def __eq__(self, them: object) -> bool:
        # most workers have another name, which is found out faster than all their other attributes
        if self is them:
            return True
        if isinstance(them, AbstractWorker) and self.name != them.name:
            return False
        return super().__eq__(them)

    __hash__ = upstream.AbstractWorker.__hash__

    @property
    def is_open(self) -> bool:
        """The answer of ``canStartBuild``; it is asked again if anything may have changed.

        It is asked each time if anything but this class affects the answer, or if a build on the
        worker waits for others.
        """
        is_lent = self.max_builds and any(build.awaited for build in self.builds)
        if is_lent or not follows_rule(self):
            return self.canStartBuild()
        if self._is_open is None:
            self._is_open = self.canStartBuild()
        return self._is_open

    def canStartBuild(self) -> bool:
        """Tell whether the worker takes another build: nothing has closed it, and a place is free.

        A build that waits and the build that uses its place count as one.
        """
        if self._graceful or self._paused or self.quarantine_timer:
            return False
        if self.max_builds and places_taken(self) - self._lent >= self.max_builds:
            return False
        return self.locksAvailable()

    def lends_place_of(self, build: Any) -> bool:
        """Tell whether the worker takes a build on the place of this one, which waits for it."""
        # a latent worker that is being stopped has no place to lend
        if not getattr(self, 'substantiated', True) or not lends(self, build):
            return False
        self._lent = 1
        try:
            return self.canStartBuild()  # a subclass may refuse for reasons of its own
        finally:
            self._lent = 0

    def announce_wait(self, build: Any, brids: Collection[int]) -> None:
        """Wake the builders that can use the place of a build.

        :param build: one on this worker that may only wait for others from now on.
        :param brids: the requests that it waits for and that can start only now.
        """
        if self.botmaster is None or not self.max_builds or not build.only_waits:
            return
        builds = builds_on(self)
        if any(request.id in brids for other in builds for request in other.requests):
            self.botmaster.maybeStartBuildsForWorker(self.name)  # both count as one from now on
            return
        for builder in self.botmaster.getBuildersForWorker(self.name):
            if any(brid in builder.inbox.requests for brid in brids):
                builder.wake()

    def doubt(self) -> None:
        """Forget the last answer of ``canStartBuild``."""
        self._is_open = None

    def addWorkerForBuilder(self, wfb: Any) -> None:
        super().addWorkerForBuilder(wfb)
        self.doubt()

    def removeWorkerForBuilder(self, wfb: Any) -> None:
        super().removeWorkerForBuilder(wfb)
        self.doubt()

    @defer.inlineCallbacks
    def open_lane(self, builder_name: str, lane: int) -> Any:
        """Make sure that the connected worker knows a lane of a builder.

        :param lane: its number, at least 1.
        :returns: Deferred that fires when commands can be sent there. It fails if the connection is
            lost, or the builder has been removed.
        """
        name = name_in_lane(builder_name, lane)
        if not self._knows_builder(name):
            self._lanes[builder_name] = max(lane, self._lanes.get(builder_name, 0))
            yield self.sendBuilderList()
        if not self._knows_builder(name):
            raise WorkerSetupError(f'worker {self.name!r} no longer builds for {builder_name!r}')

    def _knows_builder(self, name: str) -> bool:
        return any(name == known for known, _ in self._old_builder_list or ())

    @defer.inlineCallbacks
    def sendBuilderList(self) -> Any:
        # a worker ends the commands of a builder that it is told to forget
        former = {b.builder.name: b.builder for b in self.builds if self._is_left_over(b)}
        configured = {b.name: b for b in self.botmaster.getBuildersForWorker(self.name)}
        wanted = [
            (name_in_lane(name, lane), builder.config.workerbuilddir)
            for name, builder in {**former, **configured}.items()
            for lane in range(self._lanes.get(name, 0) + 1)
        ]
        if wanted != self._old_builder_list:
            assert self.conn is not None
            known = yield self.conn.remoteSetBuilderList(builders=wanted)
            self._old_builder_list = wanted
            # a builder that has come back is attached when its former build has ended
            attached = [configured[n] for n in known or () if n in configured and n not in former]
            yield defer.DeferredList(
                [self.attachBuilder(builder) for builder in attached], consumeErrors=True
            )

    def _is_left_over(self, build: Any) -> bool:
        # whether a reconfig has taken the build's builder away from this worker
        builder = self.botmaster.builders.get(build.builder.name)
        is_configured = builder is build.builder and build.workerforbuilder in builder.workers
        return not is_configured and build.workerforbuilder.worker is self

    @defer.inlineCallbacks
    def reconfigService(self, *args: Any, **kwargs: Any) -> Any:
        before, most = self.access, self.max_builds
        yield super().reconfigService(*args, **kwargs)
        if most and (not self.max_builds or self.max_builds > most):
            self.botmaster.maybeStartBuildsForWorker(self.name)
        if self.max_builds and (not most or self.max_builds < most):
            self.announce_occupied()  # it may have no place any more
        if self.access != before:
            # requests that wait for the old locks may start with the new ones
            for builder in self.botmaster.getBuildersForWorker(self.name):
                builder.reconsider()

    @defer.inlineCallbacks
    def reconfigServiceWithSibling(self, sibling: Any) -> Any:
        before = self._configured_builderid_list
        for wfb in list(self.workerforbuilders.values()):
            is_configured = self.botmaster.builders.get(wfb.builder_name) is wfb.builder
            if not (is_configured and wfb in wfb.builder.workers) and not wfb.isBusy():
                self._drop(wfb)
        yield super().reconfigServiceWithSibling(sibling)
        if self.conn is not None and self._configured_builderid_list != before:
            # a request may have waited for a worker of its builder
            self.botmaster.maybeStartBuildsForWorker(self.name)

    def subscribe_to_room(self, callback: Callable[[], Any]) -> Subscription:
        """Call back, without arguments, when there may be room for another build."""
        return self._room.subscribe(callback)

    def announce_room(self) -> None:
        """Tell the subscribers that a build on the worker may no longer need some of its locks."""
        self._room.deliver()

    def pause(self, reason: Any) -> None:
        super().pause(reason)
        self.announce_occupied()

    def shutdownRequested(self) -> None:
        super().shutdownRequested()
        self.announce_occupied()

    def putInQuarantine(self) -> None:
        if self.master is None:
            return  # the worker has been removed
        super().putInQuarantine()
        self.announce_occupied()

    def announce_occupied(self, by: Any = None) -> None:
        """Tell its builders that the worker has another build, or takes none for now.

        :param by: the builder of that build. As long as the worker takes more builds, the other
            builders are told only if the worker locks of their steps may now be contended.
        """
        takes_more = by is not None and self.is_open
        for workerforbuilder in list(self.workerforbuilders.values()):
            builder = workerforbuilder.builder
            if by is None:
                builder.worker_away()
            elif not takes_more or builder is by or builder.worker_choice.step_locks.lockids:
                builder.worker_occupied()

    def buildFinished(self, wfb: Any) -> None:
        if self.botmaster is not None:  # otherwise the worker has been removed
            super().buildFinished(wfb)

    @defer.inlineCallbacks
    def attached(self, conn: Any) -> Any:
        is_attached = False
        try:
            yield super().attached(conn)
            is_attached = True
        finally:
            if conn is self.conn and is_lost(conn):
                # Twisted tells of a loss only after the worker has logged in
                conn.notifyDisconnected()
            elif not is_attached and conn is self.conn:
                # no builder would ever get this worker; it reconnects after the connection is lost
                conn.loseConnection()

    def lose_soon(self, conn: Any) -> None:
        """Close a connection, unless it is lost before, once all builders have tried to attach it.

        A builder would never get this worker; it reconnects after the connection is lost.
        """
        eventually(self._lose, conn)

    def _lose(self, conn: Any) -> None:
        if conn is not None and conn is self.conn:
            conn.loseConnection()

    @defer.inlineCallbacks
    def detached(self) -> Any:
        try:
            yield super().detached()
        except Exception as e:
            # its builders have lost it, even if that could not be written
            log.err(e, f'worker {self.name!r}: while it was disconnected')
            self._write_disconnected()

    def _write_disconnected(self) -> None:
        write = partial(
            self.master.data.updates.workerDisconnected,
            workerid=self.workerid,
            masterid=self.master.masterid,
        )
        what = f'that worker {self.name!r} is disconnected'
        write_at_last(self.master, what, write, lambda: self.conn is None)

    @defer.inlineCallbacks
    def add_build(self, build: Any) -> Any:
        """Take note of a build that begins on the worker, until it has ended."""
        self.builds[build] = None
        try:
            self.announce_occupied(build.builder)
        except Exception as e:
            log.err(e, f'worker {self.name!r}: while telling its builders that it is taken')
        try:
            yield build.waitUntilFinished()
            is_left_over = self.botmaster is not None and self._is_left_over(build)
            del self.builds[build]
            if is_left_over:
                yield self._forget_builder_of(build)
        except Exception as e:
            log.err(e, f'worker {self.name!r}: at the end of {build}')
            self.builds.pop(build, None)

    def _drop(self, wfb: Any) -> None:
        # a latent worker is given to a builder that has come back only if it knows none of that
        # name
        if self.workerforbuilders.get(wfb.builder_name) is wfb:
            self.removeWorkerForBuilder(wfb)

    @defer.inlineCallbacks
    def _forget_builder_of(self, build: Any) -> Any:
        self._drop(build.workerforbuilder)
        self._old_builder_list = None  # makes the worker compare its list of builders again
        try:
            yield self.updateWorker()
        except Exception as e:  # usually the worker has gone meanwhile, with its last build
            log.msg(
                f'worker {self.name!r} could not be told that it builds for'
                f' {build.builder.name!r} no longer, and is told when it is connected again: {e!r}'
            )
        if self.botmaster is not None:
            self.botmaster.maybeStartBuildsForWorker(self.name)

    @defer.inlineCallbacks
    def updateLocks(self) -> Any:
        """Find the locks that each build on the worker holds.

        Waiting owners stand in the lines of these locks and are told, so the worker need not be.
        """
        locks = yield self.botmaster.getLockFromLockAccesses(self.access, self.config_version)
        self.locks = [(lock.getLockForWorker(self.workername), in_access(a)) for lock, a in locks]

    def locksAvailable(self) -> bool:
        """Return True: the builder asks for each request whether the worker's locks are free.

        The answer differs between requests: a build that another one waits for shares the locks of
        that one.
        """
        return True

    def acquireLocks(self) -> bool:
        """Return True: the build that begins on this worker has already claimed its locks."""
        return True

    def releaseLocks(self) -> None:
        """Do nothing: each build releases its own claims when it ends."""


def is_lost(conn: Any) -> bool:
    """Tell whether a connection of Perspective Broker is lost; False for other protocols."""
    broker = getattr(getattr(conn, 'mind', None), 'broker', None)
    return broker is not None and bool(broker.disconnected)


class Worker(upstream.Worker, AbstractWorker):
    """A worker that connects to the master by itself. The master does not start it."""


#: the methods whose answer is_open keeps
RULE = (AbstractWorker.canStartBuild, AbstractWorker.locksAvailable)


def follows_rule(worker: AbstractWorker) -> bool:
    """Tell whether only the classes of this module decide if a worker takes builds."""
    kind, own = type(worker), vars(worker)
    return (
        kind.is_watched
        and kind.canStartBuild is RULE[0]
        and kind.locksAvailable is RULE[1]
        and 'canStartBuild' not in own
        and 'locksAvailable' not in own
    )
