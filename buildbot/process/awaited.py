# SPDX-License-Identifier: GPL-2.0-only
"""New: the running builds, and the build requests that they wait for."""

from __future__ import annotations

from typing import Any
from typing import Iterator

from buildbot.process.results import RETRY


class Awaited:
    """Knows which build waits for each request that one of its steps has triggered.

    It does not start or wake any.

    :ivar running: the builds that run on this master, including those of removed builders.
    """

    def __init__(self) -> None:
        self.running: dict[Any, None] = {}
        self._builds: dict[int, Any] = {}
        self._since: dict[int, float] = {}
        # the builds of requests that have one, and the waits of requests that could not start
        self._begun: dict[int, Any] = {}
        self._waits: dict[int, Any] = {}

    def __bool__(self) -> bool:
        return bool(self._builds)

    def __iter__(self) -> Iterator[int]:
        return iter(self._builds)

    def add(self, brid: int, build: Any, now: float) -> None:
        """Note that a build waits for a request from now on."""
        self._builds[brid] = build
        self._since[brid] = now

    def discard(self, brid: int) -> None:
        """Note that nobody waits for a request any longer."""
        self._builds.pop(brid, None)
        self._since.pop(brid, None)
        self._begun.pop(brid, None)
        self._waits.pop(brid, None)

    def around(self, brid: int) -> list[Any]:
        """Return the builds that wait for a request: its parent, that build's parent, and so on."""
        found: list[Any] = []
        build = self._builds.get(brid)
        while build is not None:
            found.append(build)
            above = (self._builds.get(request.id) for request in build.requests)
            build = next((other for other in above if other is not None), None)
        return found

    def within(self, build: Any) -> list[int]:
        """Return the ids of the requests that a build waits for, directly or indirectly."""
        return [brid for brid in self._builds if build in self.around(brid)]

    def owner_around(self, brid: int, builder_name: str) -> Any:
        """Return the owner, usually a step, that waits for a request; None if nobody does."""
        build = self._builds.get(brid)
        return None if build is None else build.lock_owner_of(brid, builder_name)

    def since(self, brid: int) -> float:
        """Return since when a build has waited for a request, in seconds; 0 if none waits."""
        return self._since.get(brid, 0.0)

    def begun(self, build: Any) -> None:
        """Note that a build has begun; others may wait for it."""
        self.running[build] = None
        for request in build.requests:
            self._waits.pop(request.id, None)
            if request.waitedFor:
                self._begun[request.id] = build

    def ended(self, build: Any) -> None:
        """Note that a build has ended."""
        self.running.pop(build, None)
        for request in build.requests:
            # the waiting build learns of the end only when the request is complete
            if request.id not in self._builds or not ended_for_good(build):
                self._begun.pop(request.id, None)

    def build_of(self, brid: int) -> Any:
        """Return the build of a request that is or was to be waited for; None if it has none."""
        return self._begun.get(brid)

    def runs(self, brid: int) -> bool:
        """Tell whether a build of a request runs on this master."""
        return any(request.id == brid for build in self.running for request in build.requests)

    def is_to_end(self, brid: int) -> bool:
        """Tell whether a build waits for a request that has yet to end."""
        if brid not in self._builds:
            return False
        build = self._begun.get(brid)
        return build is None or not ended_for_good(build)

    def pends(self, brid: int, wait: Any) -> None:
        """Note the ``RequestWait`` of a request that could not start."""
        self._waits[brid] = wait

    def waits_within(self, build: Any) -> Iterator[Any]:
        """Yield the waits of the requests that a build waits for, directly or indirectly."""
        for brid in build.awaited:
            if brid in self._begun:
                yield from self.waits_within(self._begun[brid])
            elif brid in self._waits:
                yield self._waits[brid]

    def is_pending(self, brid: int) -> bool:
        """Tell whether a request is known to have no build."""
        return brid in self._waits

    def pends_no_more(self, brid: int) -> None:
        """Note that a request has been taken or completed."""
        self._waits.pop(brid, None)

    @property
    def waits(self) -> list[Any]:
        """The waits of all awaited requests that could not start."""
        return list(self._waits.values())


def ended_for_good(build: Any) -> bool:
    return bool(build.finished) and build.results != RETRY
