# SPDX-License-Identifier: GPL-2.0-only
"""New: messages about build requests, passed on to their builders."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.util import deferredLocked
from buildbot.util import epoch2datetime
from buildbot.util.service import SharedService

#: the fields of a build request that are times
TIMES = ('submitted_at', 'claimed_at', 'complete_at')


class RequestMessages(SharedService):
    """Passes each message about a build request to the inbox of its builder. It stores none."""

    def __init__(self) -> None:
        super().__init__()
        self._starting = defer.DeferredLock()
        self._messages: Any = None

    @property
    def misses_none(self) -> bool:
        """Whether every message arrives. Between masters, one may be lost or be sent too early."""
        return self.master.config.mq['type'] == 'simple'

    @deferredLocked('_starting')
    @defer.inlineCallbacks
    def listen(self) -> Any:
        """Consume messages.

        :returns: Deferred; once it has fired, no message of this master is missed.
        """
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
            return  # another message has said that it is complete
        brdict = with_times(brdict)
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


def with_times(brdict: dict[str, Any]) -> dict[str, Any]:
    """Return a build request from a message as the data API gives it.

    Between masters a message is JSON, in which a time is a number of seconds.
    """
    times = {name: brdict[name] for name in TIMES if isinstance(brdict.get(name), (int, float))}
    return {**brdict, **{name: epoch2datetime(seconds) for name, seconds in times.items()}}
