# SPDX-License-Identifier: GPL-2.0-only
"""Steps that begin together get their rows in turn; a step that ended long ago can be hidden."""

from __future__ import annotations

from typing import Any
from weakref import WeakValueDictionary

from twisted.internet import defer

from buildbot.data import base
from buildbot_overlay import release

upstream = release(__name__)


class Step(upstream.Step):
    """Steps in the data API. It is not one that runs; ``BuildStep`` is."""

    def __init__(self, master: Any) -> None:
        super().__init__(master)
        # by the id of a build, a lock for adding a row to it
        self._adding: WeakValueDictionary[int, defer.DeferredLock] = WeakValueDictionary()

    @base.updateMethod
    @defer.inlineCallbacks
    def addStep(self, buildid: int, name: str) -> Any:
        # a row gets the next free number; of two at once, the database refuses one
        adding = self._adding.setdefault(buildid, defer.DeferredLock())
        yield adding.acquire()
        try:
            added = yield super().addStep(buildid, name)
        finally:
            adding.release()
        return added

    @base.updateMethod
    @defer.inlineCallbacks
    def hide_step(self, stepid: int) -> Any:
        """Hide the row of a step, and send an event to those that show it.

        :param stepid: id of the step.
        """
        yield self.master.db.steps.hide_step(stepid)
        yield self.generateEvent(stepid, 'updated')
