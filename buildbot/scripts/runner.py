# SPDX-License-Identifier: GPL-2.0-only
"""``buildbot --version`` says that the fork is on; ``buildbot locks`` is a command."""

from __future__ import annotations

import buildbot_overlay
from buildbot.scripts.locks import LocksOptions
from buildbot_overlay import release

upstream = release(__name__)


class Options(upstream.Options):
    subCommands = [
        *upstream.Options.subCommands,
        ['locks', None, LocksOptions, 'Who holds the locks of a master, who waits, and why'],
    ]

    def opt_version(self) -> None:
        print(f'{buildbot_overlay.DISTRIBUTION} {buildbot_overlay.__version__} is on')
        super().opt_version()
