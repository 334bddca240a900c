# SPDX-License-Identifier: GPL-2.0-only
"""The command that asks a master of its locks, without the one that is of the fork alone."""

from __future__ import annotations

from buildbot.scripts.locks import LocksOptions
from buildbot_overlay import release

upstream = release(__name__)


class Options(upstream.Options):
    subCommands = [
        *upstream.Options.subCommands,
        ['locks', None, LocksOptions, 'Who holds the locks of a master, who waits, and why'],
    ]
