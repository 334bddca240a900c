# SPDX-License-Identifier: GPL-2.0-only
"""The choice of a worker before a build can be left for later."""

from __future__ import annotations

from typing import Any

from buildbot.process.waiting.workerchoice import least_crowded
from buildbot.process.waiting.workerchoice import least_needed


class WorkerChoice:
    def best(self, workers: list[Any]) -> list[Any]:
        """Return the workers on which a build is best started.

        :param workers: idle workers to choose from.
        :returns: of the workers on which the locks of the builder's steps are least contended, the
            ones that the fewest other builders could use. The list is empty if the locks are out of
            use on all of them; the builder is woken then when a worker has room.
        """
        in_use = self.in_use([worker for worker in workers if worker.worker is not None])
        if not in_use:
            self._wait_for_room(workers)
        best = least_crowded(self.step_locks, in_use, self._by_hand)
        return least_needed(best, self._needs_of_others())
