# SPDX-License-Identifier: GPL-2.0-only
"""Rules for stopping builds also apply to kicks, which stop the build that holds a lock."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.process.eye.rows import build_of_holder
from buildbot_overlay import release

upstream = release(__name__)


class StopBuildEndpointMatcher(upstream.StopBuildEndpointMatcher):
    """A rule about who may stop a build. It does not say who may end the hold of a person."""

    @defer.inlineCallbacks
    def match_LockEndpoint_kick(self, epobject: Any, epdict: Any, options: Any) -> Any:
        lock = yield epobject.find_one(epdict)
        buildid = None if lock is None else build_of_holder(lock, options.get('holderid'))
        if buildid is None:
            return None  # no build is stopped
        build = yield self.master.data.get(('builds', buildid))
        if self.builder is None or (yield self.matchFromBuilderId(build['builderid'])):
            return upstream.Match(self.master, build=build)
        return None

    def match_CopyEndpoint_kick(self, epobject: Any, epdict: Any, options: Any) -> Any:
        return self.match_LockEndpoint_kick(epobject, epdict, options)
