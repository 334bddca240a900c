# SPDX-License-Identifier: GPL-2.0-only
"""A builder that reserves locks, and tries a build that cannot be made again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.process.locks import find_owner_around
from buildbot.process.questions import GivenUp
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder

upstream = release(__name__)


class Builder(upstream.Builder):
    @defer.inlineCallbacks
    def _startBuildFor(
        self, workerforbuilder: AbstractWorkerForBuilder, buildrequests: list[BuildRequest]
    ) -> Any:
        """Begin a build, if its locks can be claimed.

        :returns: Deferred of a bool: whether the build has begun, and so holds its locks. If it is
            False, no lock is held, no row is written and the worker is unchanged.
        """
        if workerforbuilder.worker is None:
            return False  # its connection was lost in the meantime
        build = yield self._make_build(workerforbuilder, buildrequests)
        if not self.running or not self.is_idle_for(workerforbuilder, buildrequests[0].id):
            return False  # builder removed, or worker taken, while a user's method was slow
        self._was_refused = False
        reservations = self._reservations_of(buildrequests[0])
        reservation = reservations.held(buildrequests[0].id)
        if reservation is not None and len(buildrequests) == 1:
            may_begin = self._is_current(reservation.resolved, workerforbuilder.worker)
            if may_begin:
                build.adopt(reservation, workerforbuilder)
        else:
            # nothing is reserved, or not for all of these requests together
            reservations.give_back(buildrequests[0].id)
            try:
                yield self.questions.ask(
                    'a renderable of its locks', build.find_locks, workerforbuilder
                )
            except GivenUp:
                return False
            # its parent may have left it behind meanwhile
            build.lock_parent = yield find_owner_around(self, buildrequests[0])
            if not self.is_idle_for(workerforbuilder, buildrequests[0].id):
                return False  # the worker was taken while a renderable was slow
            may_begin = build.claim_locks(workerforbuilder)
            if not may_begin:
                self._try_again_after(build.refused)
        if not may_begin:
            return False
        for request in buildrequests:
            reservations.leave_lines(request.id)
            reservations.end_wait(request.id)

        # Nothing has been waited for since the claim, so nothing can have come in between.
        log.msg(f'starting build {build} using worker {workerforbuilder}')
        self.building.append(build)
        self.botmaster.awaited.begun(build)
        workerforbuilder.buildStarted()
        workerforbuilder.worker.add_build(build)
        d = defer.maybeDeferred(build.startBuild, workerforbuilder)
        d.addBoth(build.ensure_begun)
        d.addErrback(log.err, f'{build} could not be ended')
        return True

    def worker_occupied(self) -> None:
        """Let requests leave the line, because a worker has another build or takes no more."""
        self.look_for_knots()
        if self.reservations:
            self._drop_without_worker()
