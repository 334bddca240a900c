# SPDX-License-Identifier: GPL-2.0-only
"""The data API has what the fork adds to it."""

from __future__ import annotations

from buildbot_overlay import release

upstream = release(__name__)


class DataConnector(upstream.DataConnector):
    submodules = (*upstream.DataConnector.submodules, 'buildbot.data.reasons')
