# SPDX-License-Identifier: GPL-2.0-only
"""The chooser before a build can be left for later."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet import defer

from buildbot.process.buildrequest import BuildRequest
from buildbot.process.buildrequestdistributor import BasicBuildChooser
from buildbot.process.workerforbuilder import AbstractWorkerForBuilder


class ReservingBuildChooser(BasicBuildChooser):
    @defer.inlineCallbacks
    def _choose_best(self, workers: list[AbstractWorkerForBuilder], request: BuildRequest) -> Any:
        left = list(workers)
        while left and self.bldr.running:
            best = self.bldr.worker_choice.best(left)
            if not best:
                # left for the first worker that can have its locks
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
