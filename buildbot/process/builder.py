# SPDX-License-Identifier: GPL-2.0-only
"""A builder tests its locks with the build's branch, and claims them before a build begins."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.interfaces import IRenderable
from buildbot.process.build import Build
from buildbot.process.locks import get_real_locks_from_accesses_raw
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.locks import BaseLock
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.locks import Claim
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder
    from buildbot.util.subscription import Subscription

upstream = release(__name__)


class Builder(upstream.Builder):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        # locks that kept a request of this builder from starting
        self._refused_by: dict[BaseLock, Subscription] = {}

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
        if worker.builds_may_be_incompatible:
            props = yield self._setup_props_if_needed(props, workerforbuilder, buildrequest)
            if not (yield worker.isCompatibleWithBuild(props)):
                return False

        try:
            claims = yield self._find_claims(workerforbuilder, buildrequest, props)
        except Exception as e:
            log.err(e, f'builder {self.name!r}: locks of build request {buildrequest.id}')
            return True

        if claims and not self._can_acquire_locks(claims):
            return False
        if callable(self.config.canStartBuild):
            return (yield self.config.canStartBuild(self, workerforbuilder, buildrequest))
        return True

    @defer.inlineCallbacks
    def _find_claims(self, workerforbuilder: Any, buildrequest: BuildRequest, props: Any) -> Any:
        # the locks that the build will claim, found with the properties it will claim them with
        locks = self.config.locks
        if not IRenderable.providedBy(locks):
            props = None  # there is nothing to render
        elif props is None:
            props = yield self._setup_props_if_needed(None, workerforbuilder, buildrequest)
        return (
            yield get_real_locks_from_accesses_raw(
                locks,
                props,
                self,
                workerforbuilder,
                self.config_version,
                lambda: buildrequest.mergeSourceStampsWith([]),
            )
        )

    def _can_acquire_locks(self, lock_list: list[Claim]) -> bool:
        for lock, access in lock_list:
            if not lock.isAvailable(None, access):
                self._wake_on_release(lock)
                return False
        return True

    def _wake_on_release(self, lock: BaseLock) -> None:
        if lock not in self._refused_by:
            self._refused_by[lock] = lock.subscribeToReleases(partial(self._released, lock))

    def _released(self, lock: BaseLock) -> None:
        self._refused_by.pop(lock).unsubscribe()
        if self.running:
            self.botmaster.maybeStartBuildsForBuilder(self.name)

    @defer.inlineCallbacks
    def _startBuildFor(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequests: list[BuildRequest]
    ) -> Any:
        """Begin a build, if its locks can be claimed.

        :returns: Deferred of a bool: whether the build has begun, and so holds its locks. If not,
            nothing is held, no row is written and the worker is as it was.
        """
        build = self.config.factory.newBuild(buildrequests, self)
        build.getProperties().build = build
        yield Build.setup_properties_known_before_build_starts(
            build.getProperties(), build.requests, build.builder, workerforbuilder
        )
        if self.config.env:
            build.setWorkerEnvironment(self.config.env)
        build.setLocks(self.config.locks)

        if workerforbuilder.worker is None:
            return False  # its connection was lost in the meantime
        if not (yield build.claim_locks(workerforbuilder)):
            return False

        # From the claim to here nothing waits, so nothing can come in between.
        log.msg(f'{build} begins on {workerforbuilder}')
        self.building.append(build)
        workerforbuilder.buildStarted()
        defer.maybeDeferred(build.startBuild, workerforbuilder).addBoth(build.ensure_begun)
        return True
