# SPDX-License-Identifier: GPL-2.0-only
"""New: lanes, in which a worker runs several commands of one build at a time.

A worker runs one command at a time for each builder that it knows: a PB or local worker drops the
running command when another one for the same builder comes. So for the worker each lane except the
first is a builder of its own, with its own name and the directory of the first. This needs nothing
new of a worker.
"""

from __future__ import annotations

from heapq import heappop
from heapq import heappush
from typing import TYPE_CHECKING
from typing import Any

if TYPE_CHECKING:
    from twisted.internet import defer

    from buildbot.worker.protocols.base import Connection


def name_in_lane(builder_name: str, lane: int) -> str:
    """Return the name by which a worker knows a lane of a builder.

    :param lane: 0 is the builder itself.
    """
    return f'{builder_name} (lane {lane + 1})' if lane else builder_name


class Lanes:
    """The numbers of the lanes that a build uses, besides lane 0. It tells the worker nothing."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._count = 0

    def open(self) -> int:
        """Return the lowest number that is not in use."""
        if self._free:
            return heappop(self._free)
        self._count += 1
        return self._count

    def close(self, lane: int) -> None:
        heappush(self._free, lane)


class LaneConnection:
    """A connection to a worker for the commands of one lane. It makes no connection itself.

    :param connection: the worker's connection, to which everything else is passed on.
    :param lane: number of the lane, at least 1.
    """

    def __init__(self, connection: Connection, lane: int) -> None:
        self._connection = connection
        self._lane = lane

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def remoteStartCommand(
        self, remoteCommand: Any, builderName: str, commandId: str, commandName: str, args: Any
    ) -> defer.Deferred:
        name = name_in_lane(builderName, self._lane)
        return self._connection.remoteStartCommand(
            remoteCommand, name, commandId, commandName, args
        )

    def remoteInterruptCommand(self, builderName: str, commandId: str, why: str) -> defer.Deferred:
        name = name_in_lane(builderName, self._lane)
        return self._connection.remoteInterruptCommand(name, commandId, why)
