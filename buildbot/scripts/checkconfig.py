# SPDX-License-Identifier: GPL-2.0-only
"""``checkconfig --strict-locks`` fails for an order of locks in which builds can lock up."""

from __future__ import annotations

from typing import Any

from buildbot.config.orders import strict_orders
from buildbot.util import in_reactor
from buildbot_overlay import release

upstream = release(__name__)


@in_reactor
def checkconfig(config: dict[str, Any]) -> int:
    with strict_orders(bool(config.get('strict-locks'))):
        return upstream.checkconfig._orig(config)
