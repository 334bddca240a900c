# SPDX-License-Identifier: GPL-2.0-only
"""The kinds of locks before there are pools."""

from __future__ import annotations

from buildbot.locking.copies import RealBranchLock
from buildbot.locking.copies import RealMasterLock
from buildbot.locking.copies import RealWorkerLock

KINDS = {kind.kind: kind for kind in (RealMasterLock, RealWorkerLock, RealBranchLock)}
