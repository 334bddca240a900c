# SPDX-License-Identifier: GPL-2.0-only
"""A builder before it reserves locks: it tests them with the sources of the build."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.process.build import Build
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder

upstream = release(__name__)


class Builder(upstream.Builder):
    @defer.inlineCallbacks
    def canStartBuild(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequest: BuildRequest
    ) -> Any:
        """Tell whether a build of this request could start on this worker now.

        :returns: Deferred of a bool. A request whose locks cannot be determined may start, so that
            its build fails and says why; otherwise the request would stay pending.
        """
        props = None
        worker = workerforbuilder.worker
        if worker is None:
            return False  # its connection was lost in the meantime
        if worker.builds_may_be_incompatible:
            # which instance a latent worker needs may depend on the properties of the build
            props = yield self._setup_props_if_needed(props, workerforbuilder, buildrequest)
            if not (yield worker.isCompatibleWithBuild(props)):
                return False
        demand = []
        try:
            demand = yield self.find_demand(workerforbuilder, buildrequest, props)
        except Exception as e:
            if workerforbuilder.worker is not None and self.running:
                log.err(e, f'builder {self.name!r}: locks of {buildrequest}')
        if workerforbuilder.worker is None or not self.running:
            return False  # the worker was lost or the builder removed meanwhile
        if demand and not self._can_acquire_locks(demand):
            return False
        if callable(self.config.canStartBuild):
            can_start = yield self.config.canStartBuild(self, workerforbuilder, buildrequest)
            return can_start and workerforbuilder.worker is not None
        return True

    @defer.inlineCallbacks
    def _startBuildFor(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequests: list[BuildRequest]
    ) -> Any:
        """Begin a build.

        :returns: Deferred of True, since the build has begun.
        """
        build = self.config.factory.newBuild(buildrequests, self)
        build.getProperties().build = build
        yield Build.setup_properties_known_before_build_starts(
            build.getProperties(), build.requests, build.builder, workerforbuilder
        )
        if self.config.env:
            build.setWorkerEnvironment(self.config.env)
        build.setLocks(self.config.locks)

        log.msg(f'starting build {build} using worker {workerforbuilder}')
        self.building.append(build)
        # The worker must not be chosen for another build from now on. Its state is reset when the
        # build has ended.
        workerforbuilder.buildStarted()
        # not waited for, because it fires only when the build has ended
        defer.maybeDeferred(build.startBuild, workerforbuilder).addBoth(build.ensure_begun)
        return True
