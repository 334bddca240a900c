# SPDX-License-Identifier: GPL-2.0-only
"""New: on which workers the resources can be had that the steps of a builder want of pools."""

from __future__ import annotations

from typing import Any

from buildbot.config.pools import could_be_met
from buildbot.config.pools import joined
from buildbot.config.pools import lock_of
from buildbot.pools import PoolAccess


class StepPools:
    """What steps want of the pools that have resources for some workers only. It holds none.

    Only what is known without a build counts, as in ``StepLocks``.

    :ivar accesses: what is wanted at a time, by name of the pool.
    """

    def __init__(self) -> None:
        self.accesses: dict[str, list[PoolAccess]] = {}
        # how many builds can have what they want at a time, by name of the pool and worker
        self._holders: dict[tuple[str, str], int] = {}

    def add(self, locks: Any) -> set[str]:
        """Take note of what a step wants.

        :param locks: the ``locks`` of the step.
        :returns: the names of these pools.
        """
        known = locks if isinstance(locks, (list, tuple)) else ()
        wanted = [access for access in joined(known) if access.lockid.depends_on_worker]
        for access in wanted:
            self.accesses.setdefault(access.lockid.name, []).append(access)
        return {access.lockid.name for access in wanted}

    def holders(self, name: str, workername: str) -> int:
        """Return how many builds of the builder can have what they want of a pool at a time.

        :returns: 0 if none of them ever can on this worker.
        """
        key = (name, workername)
        if key not in self._holders:
            self._holders[key] = min(
                holders_of(access, workername) for access in self.accesses[name]
            )
        return self._holders[key]

    def lacking(self, workername: str) -> PoolAccess | None:
        """Return what a step wants and can never have on a worker; None if there is nothing."""
        for name, accesses in self.accesses.items():
            if not self.holders(name, workername):
                return next(a for a in accesses if not holders_of(a, workername))
        return None


def holders_of(access: PoolAccess, workername: str) -> int:
    """Return for how many builds on a worker there is enough at a time; 0 if for none."""
    lock = lock_of(access.lockid)
    if not could_be_met(lock, access.parts, workername):
        return 0
    usable = lock.lane(lock.want(access.parts, workername), ()).usable
    return max(1, bin(usable).count('1') // access.count)
