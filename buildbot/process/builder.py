# SPDX-License-Identifier: GPL-2.0-only
"""A builder tests its locks with the build's branch, and claims them before a build begins."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.config.locks import locks_of_builder
from buildbot.locks import LockOwner
from buildbot.process.build import Build
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.locks import get_real_locks_from_accesses_raw
from buildbot.process.locks import must_be_rendered
from buildbot.process.locks import together
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.util.service import SharedService
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.locks import BaseLock
    from buildbot.process.locks import Claims
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder
    from buildbot.util.subscription import Subscription

upstream = release(__name__)


class RunningBuilds(SharedService):
    """The builds that run on this master, those of builders that have been removed included."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.builds: dict[Build, None] = {}

    @defer.inlineCallbacks
    def add(self, build: Build) -> Any:
        self.builds[build] = None
        yield build.waitUntilFinished()
        del self.builds[build]


class ToBe(LockOwner):
    """Stands for a build that does not exist yet, when it is asked what that could claim."""

    def __init__(self, priority: int, parent: LockOwner | None = None) -> None:
        self.lock_priority = priority
        self.lock_parent = parent


class Builder(upstream.Builder):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        # locks that kept a request of this builder from starting
        self._refused_by: dict[BaseLock, Subscription] = {}

    @defer.inlineCallbacks
    def reconfigServiceWithBuildbotConfig(self, new_config: Any) -> Any:
        yield super().reconfigServiceWithBuildbotConfig(new_config)
        # those who wait under the old limits hear of the new ones now, not at the next build
        for lockid, _ in locks_of_builder(self.config):
            yield self.botmaster.getLockByID(lockid, self.config_version)

    def stopService(self) -> Any:
        for subscription in self._refused_by.values():
            subscription.unsubscribe()
        self._refused_by.clear()
        return super().stopService()

    @defer.inlineCallbacks
    def canStartBuild(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequest: BuildRequest
    ) -> Any:
        """Tell whether a build of this request could start on this worker now.

        :returns: Deferred of a bool. A request whose locks cannot be found out may start: its build
            then fails and says why, where the request would only pend.
        """
        props = None
        worker = workerforbuilder.worker
        if worker is None:
            return False  # its connection was lost in the meantime
        if worker.builds_may_be_incompatible:
            props = yield self._setup_props_if_needed(props, workerforbuilder, buildrequest)
            if not (yield worker.isCompatibleWithBuild(props)):
                return False

        try:
            claims = yield self._find_claims(workerforbuilder, buildrequest, props)
        except Exception as e:
            if workerforbuilder.worker is None:
                return False
            log.err(e, f'builder {self.name!r}: locks of build request {buildrequest.id}')
            return True

        if claims:
            # judged as who it will be when it claims
            parent = yield self._find_parent(buildrequest)
            priority = getattr(buildrequest, 'priority', 0)
            special = [ToBe(priority, parent)] if parent or priority else []
            if not self._can_acquire_locks(claims, *special):
                return False
        if callable(self.config.canStartBuild):
            return (yield self.config.canStartBuild(self, workerforbuilder, buildrequest))
        return True

    @defer.inlineCallbacks
    def _find_parent(self, buildrequest: BuildRequest) -> Any:
        # the step of a build on this master that triggered the request and waits for it
        if not getattr(buildrequest, 'waitedFor', False):
            return None
        buildset = yield self.master.data.get(('buildsets', str(buildrequest.bsid)))
        running = yield RunningBuilds.getService(self.botmaster, 'running builds')
        for build in running.builds:
            if buildset and build.buildid == buildset['parent_buildid']:
                return build.lock_owner_of(buildrequest.id, self.name)
        return None

    @defer.inlineCallbacks
    def _find_claims(self, workerforbuilder: Any, buildrequest: BuildRequest, props: Any) -> Any:
        # the locks that the build will claim, found with the properties it will claim them with
        locks = self.config.locks
        if not must_be_rendered(locks):
            props = None  # there is nothing to render
        elif props is None:
            props = yield self._setup_props_if_needed(None, workerforbuilder, buildrequest)
        of_builder = yield get_real_locks_from_accesses_raw(
            locks,
            props,
            self,
            workerforbuilder,
            self.config_version,
            lambda: buildrequest.mergeSourceStampsWith([]),
        )
        return together(of_builder, getattr(workerforbuilder.worker, 'locks', []))

    def _can_acquire_locks(self, lock_list: Claims, owner: LockOwner | None = None) -> bool:
        for lock, access in lock_list:
            if not lock.isAvailable(owner, access):
                self._wake_on_release(lock)
                return False
        return True

    def _wake_on_release(self, lock: BaseLock) -> None:
        if lock not in self._refused_by:
            self._refused_by[lock] = lock.subscribeToReleases(partial(self._released, lock))

    def _released(self, lock: BaseLock) -> None:
        subscription = self._refused_by.pop(lock, None)
        if subscription is not None:  # else it was told while all were being taken back
            subscription.unsubscribe()
            self.botmaster.maybeStartBuildsForBuilder(self.name)

    @defer.inlineCallbacks
    def _setup_props_if_needed(self, props: Any, workerforbuilder: Any, buildrequest: Any) -> Any:
        if props is None:
            props = yield super()._setup_props_if_needed(props, workerforbuilder, buildrequest)
            if isinstance(buildrequest, BuildRequest):
                # as in a build: Interpolate('%(src::branch)s') asks the build for its sources
                props.build = Build([buildrequest], self)
        return props

    @defer.inlineCallbacks
    def maybeStartBuild(
        self, workerforbuilder: AbstractWorkerForBuilder, breqs: list[BuildRequest]
    ) -> Any:
        started = yield super().maybeStartBuild(workerforbuilder, breqs)
        if not started and breqs and self.running:
            started = yield self._complete_if_cancelled(breqs)
        return started

    @defer.inlineCallbacks
    def _complete_if_cancelled(self, buildrequests: list[BuildRequest]) -> Any:
        # A request may be cancelled while it is tried whether it can start. If it cannot, there is
        # no build that would hear of it.
        botmaster = self.master.botmaster
        cancelled = [
            r.id
            for r in buildrequests
            if isinstance(botmaster._starting_brid_to_cancel.get(r.id), str)
        ]
        if len(cancelled) < len(buildrequests):
            return False
        for brid in cancelled:
            botmaster.remove_in_progress_buildrequest(brid)
        yield self.master.data.updates.completeBuildRequests(cancelled, CANCELLED)
        return True

    @defer.inlineCallbacks
    def _startBuildFor(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequests: list[BuildRequest]
    ) -> Any:
        """Begin a build, if its locks can be claimed.

        :returns: Deferred of a bool: whether the build has begun, and so holds its locks. If not,
            nothing is held, no row is written and the worker is as it was. It is True, too, if the
            build could not even be made: then its requests are completed, and the log says why.
        """
        if workerforbuilder.worker is None:
            return False  # its connection was lost in the meantime
        try:
            build = yield self._make_build(workerforbuilder, buildrequests)
        except Exception as e:
            if workerforbuilder.worker is None or not self.running:
                return False
            brids = [request.id for request in buildrequests]
            log.err(e, f'builder {self.name!r} could not make a build of requests {brids}')
            yield self.master.data.updates.completeBuildRequests(brids, EXCEPTION)
            return True
        running = yield RunningBuilds.getService(self.botmaster, 'running builds')
        if not (yield build.claim_locks(workerforbuilder)):
            return False

        # From the claim to here nothing waits, so nothing can come in between.
        log.msg(f'{build} begins on {workerforbuilder}')
        self.building.append(build)
        running.add(build)
        workerforbuilder.buildStarted()
        defer.maybeDeferred(build.startBuild, workerforbuilder).addBoth(build.ensure_begun)
        return True

    @defer.inlineCallbacks
    def _make_build(self, workerforbuilder: Any, buildrequests: list[BuildRequest]) -> Any:
        build = self.config.factory.newBuild(buildrequests, self)
        build.getProperties().build = build
        yield Build.setup_properties_known_before_build_starts(
            build.getProperties(), build.requests, build.builder, workerforbuilder
        )
        if self.config.env:
            build.setWorkerEnvironment(self.config.env)
        build.setLocks(self.config.locks)
        build.lock_parent = yield self._find_parent(buildrequests[0])
        return build
