# SPDX-License-Identifier: GPL-2.0-only
"""What the data API has about locks before people act on them."""

from __future__ import annotations

from buildbot_overlay import release

upstream = release(__name__)


class DataConnector(upstream.DataConnector):
    submodules = [
        *upstream.DataConnector.submodules,
        'buildbot.data.locks',
        'buildbot.data.lockuses',
        'buildbot.data.reasons',
    ]
