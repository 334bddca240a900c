# SPDX-License-Identifier: GPL-2.0-only
"""A worker's locks belong to the builds on it, and it may run several commands of one at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python import log

from buildbot.interfaces import WorkerSetupError
from buildbot.locks import in_access
from buildbot.util.subscription import Subscription
from buildbot.util.subscription import SubscriptionPoint
from buildbot.worker.lane import name_in_lane
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.locks import Claims

upstream = release(__name__)

#: what of a worker decides whether it takes builds; it may be set by anybody
DECISIVE = frozenset(
    (
        '_graceful',
        '_paused',
        'canStartBuild',
        'locksAvailable',
        'max_builds',
        'quarantine_timer',
        'workerforbuilders',
    )
)


class AbstractWorker(upstream.AbstractWorker):
    # what canStartBuild has said; None if it has to be asked
    _is_open: bool | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # for each builder, how many lanes the worker is told of besides the builder itself
        self._lanes: dict[str, int] = {}
        #: the builds that have begun on it and not ended
        self.builds: dict[Any, None] = {}
        #: the locks that each of them holds
        self.locks: Claims = []
        self._places = SubscriptionPoint(f'places on worker {self.name}')

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in DECISIVE:
            self.doubt()

    def __eq__(self, them: object) -> bool:
        # most are of another name, which is found out faster than all that they are made of
        if self is them:
            return True
        if isinstance(them, AbstractWorker) and self.name != them.name:
            return False
        return super().__eq__(them)

    __hash__ = upstream.AbstractWorker.__hash__

    @property
    def is_open(self) -> bool:
        """What ``canStartBuild`` says; it is asked if anything may have changed since then.

        If it is a subclass's or the user's own, it is asked each time.
        """
        is_open = self._is_open
        if is_open is None:
            is_open = self.canStartBuild()
            if follows_rule(self):
                self._is_open = is_open
        return is_open

    def doubt(self) -> None:
        """Ask whether it takes builds when that is needed again."""
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
        if not self._is_told_of(name):
            self._lanes[builder_name] = max(lane, self._lanes.get(builder_name, 0))
            yield self.sendBuilderList()
        if not self._is_told_of(name):
            raise WorkerSetupError(f'worker {self.name!r} builds for {builder_name!r} no longer')

    def _is_told_of(self, name: str) -> bool:
        return any(name == known for known, _ in self._old_builder_list or ())

    @defer.inlineCallbacks
    def sendBuilderList(self) -> Any:
        builders = self.botmaster.getBuildersForWorker(self.name)
        wanted = [
            (name_in_lane(builder.name, lane), builder.config.workerbuilddir)
            for builder in builders
            for lane in range(self._lanes.get(builder.name, 0) + 1)
        ]
        if wanted != self._old_builder_list:
            known = yield self.conn.remoteSetBuilderList(builders=wanted)
            self._old_builder_list = wanted
            attached = [b for b in map(self.botmaster.builders.get, known or ()) if b is not None]
            yield defer.DeferredList(
                [self.attachBuilder(builder) for builder in attached], consumeErrors=True
            )

    @defer.inlineCallbacks
    def reconfigService(self, *args: Any, **kwargs: Any) -> Any:
        before, most = self.access, self.max_builds
        yield super().reconfigService(*args, **kwargs)
        if self.max_builds != most:
            self.botmaster.maybeStartBuildsForWorker(self.name)
        if self.access != before:
            # who waits for the old locks may be able to start under the new ones
            for builder in self.botmaster.getBuildersForWorker(self.name):
                builder.reconsider()

    def subscribe_to_places(self, callback: Callable[[], Any]) -> Subscription:
        """Call back, without arguments, when a build on it may be through with locks of it."""
        return self._places.subscribe(callback)

    def tell_of_place(self) -> None:
        """Take note that a build on it may be through with some of its locks."""
        self._places.deliver()

    def pause(self, reason: Any) -> None:
        super().pause(reason)
        self.tell_taken()

    def shutdownRequested(self) -> None:
        super().shutdownRequested()
        self.tell_taken()

    def putInQuarantine(self) -> None:
        super().putInQuarantine()
        self.tell_taken()

    def tell_taken(self) -> None:
        """Take note that it may take no more builds, for now."""
        for workerforbuilder in list(self.workerforbuilders.values()):
            workerforbuilder.builder.worker_taken(self)

    @defer.inlineCallbacks
    def add_build(self, build: Any) -> Any:
        """Take note of a build that begins on it, until it has ended."""
        self.builds[build] = None
        try:
            self.tell_taken()
        except Exception as e:
            log.err(e, f'worker {self.name!r}: while telling its builders that it is taken')
        yield build.waitUntilFinished()
        del self.builds[build]

    @defer.inlineCallbacks
    def updateLocks(self) -> Any:
        """Find the locks that each build on it holds.

        Who waits for one stands in its line and is told, so the worker need not be.
        """
        found = yield self.botmaster.getLockFromLockAccesses(self.access, self.config_version)
        self.locks = [
            (lock.getLockForWorker(self.workername), in_access(access)) for lock, access in found
        ]

    def locksAvailable(self) -> bool:
        """Return True: whether its locks are free is asked for each request, by the builder.

        The answer is not the same for all requests. A build that another one waits for shares what
        that one holds.
        """
        return True

    def acquireLocks(self) -> bool:
        """Return True: the build that begins on this worker has claimed its locks already."""
        return True

    def releaseLocks(self) -> None:
        """Do nothing: each build releases what it has claimed, when it ends."""


class Worker(upstream.Worker, AbstractWorker):
    pass


#: by name, the methods of which it is known on what their answers depend
RULE = {name: getattr(AbstractWorker, name) for name in ('canStartBuild', 'locksAvailable')}


def follows_rule(worker: AbstractWorker) -> bool:
    """Tell whether nobody but the classes of this module decides if a worker takes builds."""
    return all(
        getattr(type(worker), name) is method and name not in vars(worker)
        for name, method in RULE.items()
    )
