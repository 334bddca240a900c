# SPDX-License-Identifier: GPL-2.0-only
"""New: the build requests that running builds wait for."""

from __future__ import annotations

from typing import Any
from typing import Iterator


class Awaited:
    """Knows of each request that a step has triggered and waits for which build that is. It starts
    and wakes none.
    """

    def __init__(self) -> None:
        self._builds: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return bool(self._builds)

    def __iter__(self) -> Iterator[int]:
        return iter(self._builds)

    def add(self, brid: int, build: Any) -> None:
        """Note that a build waits for a request."""
        self._builds[brid] = build

    def discard(self, brid: int) -> None:
        """Note that nobody waits for a request any more."""
        self._builds.pop(brid, None)

    def around(self, brid: int) -> list[Any]:
        """Return the builds that wait for a request: its parent, then the parent of that, and so
        on.
        """
        found: list[Any] = []
        build = self._builds.get(brid)
        while build is not None:
            found.append(build)
            above = (self._builds.get(request.id) for request in build.requests)
            build = next((other for other in above if other is not None), None)
        return found

    def within(self, build: Any) -> list[int]:
        """Return the ids of the requests that a build waits for, those of its children included."""
        return [brid for brid in self._builds if build in self.around(brid)]
