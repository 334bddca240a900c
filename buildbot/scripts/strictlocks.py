# SPDX-License-Identifier: GPL-2.0-only
"""New: ``buildbot checkconfig``, which may reject orders of locks that can cause a deadlock."""

from __future__ import annotations

from typing import Any

from twisted.python.reflect import namedAny

from buildbot.config.orders import strict_orders
from buildbot.util import in_reactor


@in_reactor
def checkconfig(config: dict[str, Any]) -> int:
    """Check a configuration.

    :param config: the options; with ``strict-locks`` such an order is an error.
    """
    command = namedAny('buildbot.scripts.checkconfig.checkconfig')  # found as Buildbot finds it
    with strict_orders(bool(config.get('strict-locks'))):
        return command._orig(config)
