# SPDX-License-Identifier: GPL-2.0-only
"""Builders know what their configuration says, and not yet the locks that it stands for."""

from __future__ import annotations

from typing import Any

from buildbot.locks import BaseLockId
from buildbot.process.locks import ids_of


def is_configured(real: Any, botmaster: Any) -> bool:
    """Tell whether a builder's or worker's configuration names a lock without a renderable."""
    for builder in botmaster.builders.values():
        locks = builder.config.locks
        for lockid in ids_of(locks if isinstance(locks, list) else ()):
            if isinstance(lockid, BaseLockId) and lockid == real.lockid:
                return True
    workers = botmaster.master.workers.workers.values()
    return any(real in (lock, lock.family) for worker in workers for lock, _ in worker.locks)
