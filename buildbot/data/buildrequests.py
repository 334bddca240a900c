# SPDX-License-Identifier: GPL-2.0-only
"""A request whose priority has changed sends an event, and moves to its new place in line."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot_overlay import release

upstream = release(__name__)


class BuildRequestEndpoint(upstream.BuildRequestEndpoint):
    """Tells about one build request, and acts on it. It keeps nothing."""

    # the data API does not look for these in base classes
    kind = upstream.BuildRequestEndpoint.kind
    pathPatterns = upstream.BuildRequestEndpoint.pathPatterns

    @defer.inlineCallbacks
    def set_request_priority(self, brid: int, args: dict[str, Any], kwargs: Any) -> Any:
        yield super().set_request_priority(brid, args, kwargs)
        yield self.master.data.rtypes.buildrequest.generateEvent([brid], 'update')


class BuildRequest(upstream.BuildRequest):
    """Build requests in the data API: their fields, paths and events. It is not one of them."""

    endpoints = [
        BuildRequestEndpoint if endpoint is upstream.BuildRequestEndpoint else endpoint
        for endpoint in upstream.BuildRequest.endpoints
    ]
