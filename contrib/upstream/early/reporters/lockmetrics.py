# SPDX-License-Identifier: GPL-2.0-only
"""Metrics of locks before there are pools."""

from __future__ import annotations

from typing import Any
from typing import Iterator


class Gauges:
    def collect(self) -> Iterator[Any]:
        yield from self._of_locks()
        yield self._of_requests()
