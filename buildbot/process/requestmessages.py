# SPDX-License-Identifier: GPL-2.0-only
"""New: messages about build requests, passed on to their builders."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.util.service import SharedService


class RequestMessages(SharedService):
    """Passes each message about a build request to the inbox of its builder. It keeps none."""

    def __init__(self) -> None:
        super().__init__()
        self._starting = defer.DeferredLock()
        self._messages: Any = None

    def listen(self) -> defer.Deferred[None]:
        """Consume messages; from when this fires, none is missed."""
        return self._starting.run(self._listen)

    @defer.inlineCallbacks
    def _listen(self) -> Any:
        if self._messages is None:
            self._messages = yield self.master.mq.startConsuming(
                self._pass_on, ('buildrequests', None, None)
            )

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        yield super().stopService()
        if self._messages is not None:
            messages, self._messages = self._messages, None
            yield messages.stopConsuming()

    def _pass_on(self, key: tuple[str, ...], brdict: dict[str, Any]) -> None:
        if key[2] == 'cancel':
            return  # that it is complete has been told already
        botmaster: Any = self.parent
        builder = botmaster.getBuilderById(brdict['builderid'])
        pends = not (brdict['claimed'] or brdict['complete'])
        if builder is None:
            if not pends:
                botmaster.awaited.pends_no_more(brdict['buildrequestid'])
                botmaster.knots.pends_no_more(brdict['buildrequestid'])
            return
        builder.reservations.quiet_until = 0.0
        if key[2] == 'unclaimed':
            builder.inbox.put_back(brdict['buildrequestid'])
        builder.inbox.update(brdict)
        if not pends:
            botmaster.knots.pends_no_more(brdict['buildrequestid'])
        if key[2] == 'update':
            builder.request_changed(brdict['buildrequestid'])
