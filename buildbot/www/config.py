# SPDX-License-Identifier: GPL-2.0-only
"""The About page tells of Interlock; the page of the locks knows who may act."""

from __future__ import annotations

from typing import Any

import buildbot_overlay
from buildbot_overlay import release

upstream = release(__name__)


def get_environment_versions() -> list[tuple[str, str]]:
    return [*upstream.get_environment_versions(), ('Interlock', buildbot_overlay.__version__)]


def get_www_frontend_config_dict(master: Any, www_config: dict[str, Any]) -> dict[str, Any]:
    config = upstream.get_www_frontend_config_dict(master, www_config)
    if master.config.handForAnonymous:
        config['handForAnonymous'] = True
    return config
