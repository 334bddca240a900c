# SPDX-License-Identifier: GPL-2.0-only
"""A worker before it knows the builds on it, which own its locks."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.worker.lane import name_in_lane
from buildbot_overlay import release

upstream = release(__name__)


class AbstractWorker(upstream.AbstractWorker):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # for each builder, how many lanes the worker knows besides the builder itself
        self._lanes: dict[str, int] = {}

    @defer.inlineCallbacks
    def sendBuilderList(self) -> Any:
        builders = self.botmaster.getBuildersForWorker(self.name)
        wanted = [
            (name_in_lane(builder.name, lane), builder.config.workerbuilddir)
            for builder in builders
            for lane in range(self._lanes.get(builder.name, 0) + 1)
        ]
        if wanted != self._old_builder_list:
            assert self.conn is not None
            known = yield self.conn.remoteSetBuilderList(builders=wanted)
            self._old_builder_list = wanted
            attached = [b for b in map(self.botmaster.builders.get, known or ()) if b is not None]
            yield defer.DeferredList(
                [self.attachBuilder(builder) for builder in attached], consumeErrors=True
            )

    @property
    def is_open(self) -> bool:
        """Whether it takes another build."""
        return self.canStartBuild()
