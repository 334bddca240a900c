# SPDX-License-Identifier: GPL-2.0-only
"""The rows of steps that end because their master has gone say so."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.data import resultspec
from buildbot_overlay import release

upstream = release(__name__)

INTERRUPTED = 'interrupted; '


class Master(upstream.Master):
    """Masters in the data API. It is not the one that runs; ``BuildMaster`` is."""

    @defer.inlineCallbacks
    def _masterDeactivatedHousekeeping(self, masterid: int, name: str) -> Any:
        yield self._mark_interrupted(masterid)
        yield super()._masterDeactivatedHousekeeping(masterid, name)

    @defer.inlineCallbacks
    def _mark_interrupted(self, masterid: int) -> Any:
        # their text was true until the master went; it must not stay forever
        of_master = resultspec.Filter('masterid', 'eq', [masterid])
        builds = yield self.master.data.get(
            ('builds',), [of_master, resultspec.Filter('complete', 'eq', [False])]
        )
        for build in builds:
            steps = yield self.master.data.get(
                ('builds', build['buildid'], 'steps'), [resultspec.Filter('results', 'eq', [None])]
            )
            for step in steps:
                said = step['state_string']
                if not said.startswith(INTERRUPTED):  # the master may go while it does this, too
                    yield self.master.data.updates.setStepStateString(
                        step['stepid'], INTERRUPTED + without_holds(said)
                    )


def without_holds(summary: str) -> str:
    """Return the text of a step group's row about its steps, without the locks that it held."""
    return summary.rpartition(' (holds ')[0] or summary
