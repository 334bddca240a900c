# SPDX-License-Identifier: GPL-2.0-only
"""What ``checkconfig`` says of locks before it looks into steps: which lists are wrong."""

from __future__ import annotations

from buildbot.config.errors import error
from buildbot.config.locks import problems_of
from buildbot_overlay import release

upstream = release(__name__)


class MasterConfig(upstream.MasterConfig):
    def check_locks(self) -> None:
        for builder in self.builders:
            for problem in problems_of(builder.locks):
                error(f'builder {builder.name!r}: {problem}')
        for worker in self.workers:
            for problem in problems_of(worker.access, in_build=False):
                error(f'worker {worker.name!r}: {problem}')

        super().check_locks()
