# SPDX-License-Identifier: GPL-2.0-only
"""The rows of interrupted steps before there are groups."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.data import resultspec
from buildbot.data.masters import INTERRUPTED
from buildbot_overlay import release

upstream = release(__name__)


class Master(upstream.Master):
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
                        step['stepid'], INTERRUPTED + said
                    )
