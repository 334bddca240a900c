# SPDX-License-Identifier: GPL-2.0-only
"""New: which of a group's steps may start next; plain data, without Deferreds."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from typing import Iterable

if TYPE_CHECKING:
    from buildbot.process.buildstep import BuildStep


class Agenda:
    """The steps of a group that are to come, and those that run. It starts none itself.

    Steps start in their order, up to ``parallel`` at a time. One that always runs (it cleans up) is
    a border: it starts when all that started before it have ended.

    :ivar parallel: how many steps may run at a time, at least 1.
    :ivar running: those that run, in the order in which they started.
    :ivar begun: how many have started.
    """

    def __init__(self, parallel: int = 1) -> None:
        self.parallel = parallel
        self.running: list[BuildStep] = []
        self.begun = 0
        self._to_come: deque[BuildStep] = deque()
        self._dropped = 0

    @property
    def total(self) -> int:
        """How many there are, with those that will not start any more."""
        return self.begun + len(self._to_come) + self._dropped

    def add(self, steps: Iterable[BuildStep]) -> None:
        """Add steps at the end."""
        self._to_come.extend(steps)

    def add_next(self, steps: list[BuildStep]) -> None:
        """Add steps in front of those that are to come."""
        self._to_come.extendleft(reversed(steps))

    def clear(self) -> None:
        """Drop what is to come."""
        self._dropped += len(self._to_come)
        self._to_come.clear()

    def start(self, halted: bool = False) -> BuildStep | None:
        """Return the step that may start now, and count it as running; None if there is none.

        :param halted: whether only what always runs may start. What is in front of it is dropped.
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
        # two steps may be equal, and are not the same one
        self.running = [other for other in self.running if other is not step]
