# SPDX-License-Identifier: GPL-2.0-only
"""A worker of a builder before its answers are kept."""

from __future__ import annotations

from typing import Any


def is_idle(workerforbuilder: Any) -> bool:
    """Tell whether a build of the builder could start on its worker."""
    return workerforbuilder.isAvailable()
