# SPDX-License-Identifier: GPL-2.0-only
"""Which requests could start, before there are pools."""

from __future__ import annotations

from typing import Any

from buildbot.locks import LockAccess
from buildbot.test.util.idle import Want


def want_of(access: Any, worker: str | None = None) -> Want:
    access = access if isinstance(access, LockAccess) else access.defaultAccess()
    return Want(access.mode == 'exclusive', access.count)


class Holders:
    def is_free(self, copy: Any, want: Want) -> bool:
        """Tell whether there is room for one more who holds a copy."""
        if copy is None or not want.units:
            return True
        wants = [self.want(owner, copy) for owner in copy.owners]
        if None in wants:
            return False  # nobody knows how much
        # what is held inside may be more than what is held around it
        exclusive = any(w.is_exclusive for w in wants if w)
        units = sum(w.units for w in wants if w)
        if want.is_exclusive:
            return not exclusive and not units and copy.maxCount > 0
        return not exclusive and units + want.units <= copy.maxCount
