# SPDX-License-Identifier: GPL-2.0-only
"""Orders of locks before they can be errors."""

from __future__ import annotations

import warnings
from typing import Any
from typing import Callable
from typing import Iterable

from buildbot.config.orders import find_circles
from buildbot.warnings import ConfigWarning


def warn_of_orders(config: Any, steps_of: Callable[[Any], Iterable[Any]]) -> None:
    """Warn of each circle that the locks of a configuration can close.

    :param steps_of: takes the configuration of a builder, and returns its steps.
    """
    for circle in find_circles(config, steps_of):
        file, number = circle.line or ('the configuration', 0)
        # without a registry, so that each reconfig warns again
        warnings.warn_explicit(circle.text, ConfigWarning, file, number)
