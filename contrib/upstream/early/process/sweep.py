# SPDX-License-Identifier: GPL-2.0-only
"""The sweep before people hold locks, or copies are out of use."""

from __future__ import annotations

from typing import Any

from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.process.build import Build
from buildbot.process.buildstep import BuildStep
from buildbot.process.sweep import KNOWN_STARTS
from buildbot.process.sweep import why_not_pending
from buildbot.process.waiting.reservation import Reservation


def why_dead(claim: LockClaim, copy: BaseLock, botmaster: Any) -> str | None:
    """Say why the owner of a claim counts as ended; None if it is alive or of an unknown kind."""
    owner, running = claim.thing, botmaster.awaited.running
    if isinstance(owner, Build):
        return None if owner in running else 'a build that is not running'
    if isinstance(owner, BuildStep):
        if not isinstance(owner.build, Build):
            return None
        if owner.build not in running:
            return 'whose build is not running'
        if owner.is_at_work or type(owner).startStep not in KNOWN_STARTS:
            return None
        return 'which has ended'
    return why_not_pending(owner, botmaster) if isinstance(owner, Reservation) else None
