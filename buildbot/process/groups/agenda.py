# SPDX-License-Identifier: GPL-2.0-only
"""New: which of a group's steps may start next; plain data, without Deferreds."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from typing import Iterable

if TYPE_CHECKING:
    from buildbot.process.buildstep import BuildStep


class Agenda:
    """The steps of a group that are still to start, and those that run. It does not start any.

    Steps start in order, up to ``parallel`` at a time. A step that always runs (such as a cleanup)
    is a barrier: it starts when all steps before it have ended.

    :ivar parallel: how many steps may run at a time, at least 1.
    :ivar running: the steps that run, in the order in which they started.
    :ivar begun: how many steps have started.
    """

    def __init__(self, parallel: int = 1) -> None:
        self.parallel = parallel
        self.running: list[BuildStep] = []
        self.begun = 0
        self._to_come: deque[BuildStep] = deque()
        self._dropped = 0
        # steps that come right after one that still runs, each list with that one
        self._behind: list[tuple[BuildStep, list[BuildStep]]] = []

    @property
    def total(self) -> int:
        """The number of steps, including those that will no longer start."""
        behind = sum(len(steps) for _, steps in self._behind)
        return self.begun + behind + len(self._to_come) + self._dropped

    def add(self, steps: Iterable[BuildStep]) -> None:
        """Add steps at the end."""
        self._to_come.extend(steps)

    def add_next(self, steps: list[BuildStep], after: BuildStep | None = None) -> None:
        """Add steps in front of those still to start.

        :param after: if this step runs, they are added when it has ended.
        """
        if any(step is after for step in self.running):
            assert after is not None
            self._behind.append((after, steps))
        else:
            self._to_come.extendleft(reversed(steps))

    def clear(self) -> None:
        """Drop the steps still to start."""
        self._dropped = self.total - self.begun
        self._to_come.clear()
        self._behind.clear()

    def start(self, halted: bool = False) -> BuildStep | None:
        """Return the step that may start now, and count it as running; None if there is none.

        :param halted: whether only steps that always run may start. Other steps ahead of them are
            dropped.
        """
        if len(self.running) >= self.parallel:
            return None
        to_come = self._to_come
        while halted and to_come and not to_come[0].alwaysRun:
            to_come.popleft()
            self._dropped += 1
        if not to_come or (to_come[0].alwaysRun and self.running):
            return None
        step = to_come.popleft()
        self.running.append(step)
        self.begun += 1
        return step

    def end(self, step: BuildStep) -> None:
        """Count a step as ended."""
        # by identity, since two different steps may be equal
        self.running = [other for other in self.running if other is not step]
        behind, self._behind = self._behind, []
        for after, steps in behind:
            self.add_next(steps, after)
