# SPDX-License-Identifier: GPL-2.0-only
"""``buildbot --version`` says that the fork is on."""

from __future__ import annotations

import buildbot_overlay
from buildbot_overlay import release

upstream = release(__name__)


class Options(upstream.Options):
    def opt_version(self) -> None:
        print(f'{buildbot_overlay.DISTRIBUTION} {buildbot_overlay.__version__} is on')
        super().opt_version()
