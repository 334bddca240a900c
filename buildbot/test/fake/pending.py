# SPDX-License-Identifier: GPL-2.0-only
"""New: a build request that is pending, for tests that need no database."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Any


@dataclass
class FakeRequest:
    """A pending build request. It is equal to another one with the same contents."""

    id: int
    priority: int = 0
    submittedAt: int | None = None
    waitedFor: bool = False
    properties: dict[str, Any] = field(default_factory=dict)
