# SPDX-License-Identifier: GPL-2.0-only
"""A group of steps before there are pools."""

from __future__ import annotations

from buildbot.process import buildstep
from buildbot.process.groups.step import short_name
from buildbot.process.locks import names_of_locks


class StepGroup(buildstep.BuildStep):
    def getCurrentSummary(self) -> dict[str, str]:
        agenda = self.group_run.agenda if self.group_run is not None else None
        if self.description is not None or agenda is None or not agenda.running:
            return super().getCurrentSummary()
        names = ', '.join(map(short_name, agenda.running))
        summary = f'{agenda.begun} of {agenda.total}: {names}'
        if self._locks_to_acquire:
            summary += f' (holds {names_of_locks(self._locks_to_acquire)})'
        return {'step': summary}
