# SPDX-License-Identifier: GPL-2.0-only
"""``checkconfig`` says whose list of locks holds something that cannot stand there."""

from __future__ import annotations

from buildbot.locks import check_accesses
from buildbot_overlay import release

upstream = release(__name__)


class MasterConfig(upstream.MasterConfig):
    def check_locks(self) -> None:
        """Report lists of locks that are wrong in themselves, then names that are used twice."""
        found_good = [
            *(check_accesses(b.locks, f'builder {b.name!r}') for b in self.builders),
            *(check_accesses(w.access, f'worker {w.name!r}', branches=False) for w in self.workers),
        ]
        if all(found_good):
            super().check_locks()
