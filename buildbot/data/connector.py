# SPDX-License-Identifier: GPL-2.0-only
"""The data API knows locks, and why something waits."""

from __future__ import annotations

from buildbot_overlay import release

upstream = release(__name__)


class DataConnector(upstream.DataConnector):
    submodules = [
        *upstream.DataConnector.submodules,
        'buildbot.data.lockactions',
        'buildbot.data.locks',
        'buildbot.data.lockuses',
        'buildbot.data.reasons',
    ]
