# SPDX-License-Identifier: GPL-2.0-only
"""New: a group's result, computed from the results of its steps; plain data, without Deferreds."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS
from buildbot.process.results import computeResultAndTermination
from buildbot.process.results import statusToString
from buildbot.process.results import worst_status

if TYPE_CHECKING:
    from buildbot.process.buildstep import BuildStep


class Tally:
    """A group's result so far, computed from its steps' results and flags. It runs nothing.

    :ivar result: the group's result, one of ``buildbot.process.results``.
    :ivar halted: whether only steps that always run may still start.
    :ivar not_well: the names of the steps that did not succeed, each with its result.
    :ivar said: the summaries that the steps give the build.
    """

    def __init__(self) -> None:
        self.result: Any = SUCCESS
        self.halted = False
        self.not_well: list[str] = []
        self.said: list[str] = []
        self._set_aside: list[BuildStep] = []

    def set_aside(self, steps: list[BuildStep]) -> None:
        """Leave the results of these steps out, because the group interrupts them."""
        self._set_aside += steps

    def count(self, step: BuildStep, result: Any) -> bool:
        """Count the result of a step.

        :returns: whether this result halts the group and no earlier one did.
        """
        if result not in (SUCCESS, WARNINGS, SKIPPED):
            self.not_well.append(f'{short_name(step)} {statusToString(result)}')
        # by identity, since two different steps may be equal
        if any(step is other for other in self._set_aside):
            return False
        self.result, terminate = computeResultAndTermination(step, result, self.result)
        halts = terminate and not self.halted
        self.halted = self.halted or terminate
        return halts

    def halt(self, result: int) -> None:
        """Halt the group with a result that comes from no step.

        :param result: the group's result, unless its steps have a worse one.
        """
        self.halted = True
        self.result = worst_status(self.result, result)


def short_name(step: BuildStep) -> str:
    """Return the name of a step without the path of its group."""
    return str(step.name).rpartition('/')[2]
