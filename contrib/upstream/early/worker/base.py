# SPDX-License-Identifier: GPL-2.0-only
"""A worker before its locks belong to the builds on it."""

from __future__ import annotations

from typing import Any

from buildbot_overlay import release

upstream = release(__name__)


class AbstractWorker(upstream.AbstractWorker):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # for each builder, how many lanes the worker is told of besides the builder itself
        self._lanes: dict[str, int] = {}
