# SPDX-License-Identifier: GPL-2.0-only
"""A builder before anybody gives up requests that can never start."""

from __future__ import annotations

from buildbot_overlay import release

upstream = release(__name__)


class Builder(upstream.Builder):
    def _is_pending(self, brid: int) -> bool:
        return not self.botmaster.is_in_progress(brid) and self.inbox.is_pending(brid)
