# SPDX-License-Identifier: GPL-2.0-only
"""What ``checkconfig`` says of locks before it looks into steps: which lists are wrong."""

from __future__ import annotations

from buildbot.locks import check_accesses
from buildbot_overlay import release

upstream = release(__name__)


class MasterConfig(upstream.MasterConfig):
    def check_locks(self) -> None:
        for builder in self.builders:
            check_accesses(builder.locks, f'builder {builder.name!r}')
        for worker in self.workers:
            check_accesses(worker.access, f'worker {worker.name!r}', in_build=False)

        super().check_locks()
