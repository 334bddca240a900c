# SPDX-License-Identifier: GPL-2.0-only
"""The commands as in Buildbot, before there are tables to drop."""

from __future__ import annotations

from buildbot.scripts.locks import LocksOptions
from buildbot_overlay import release

upstream = release(__name__)


class Options(upstream.Options):
    subCommands = [
        *upstream.Options.subCommands,
        ['locks', None, LocksOptions, 'Who holds the locks of a master, who waits, and why'],
    ]
