# SPDX-License-Identifier: GPL-2.0-only
"""New: a build request that could not be cancelled is cancelled once that can be written."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.process.latewrite import AGAIN_AFTER
from buildbot.util import asyncSleep


@defer.inlineCallbacks
def cancel_later(botmaster: Any, brid: int, row: dict[str, Any] | None, reason: str) -> Any:
    """Cancel a request some seconds later, after an error has prevented it.

    A request is taken before it is cancelled. If the error came after that, nobody would ever build
    or complete the request; so it is given back before it is cancelled again.

    :param brid: id of the request.
    :param row: the request's row before the first attempt; None if it could not be read.
    :param reason: why the request is cancelled.
    :returns: Deferred that fires when the request is cancelled, or the master has been stopped.
    """
    master = botmaster.master
    if row is None or row['claimed'] or botmaster.is_in_progress(brid):
        yield asyncSleep(AGAIN_AFTER, master.reactor)
        if master.running:
            yield master.data.control('cancel', {'reason': reason}, ('buildrequests', brid))
        return
    botmaster.add_in_progress_buildrequest(brid)
    botmaster.maybe_cancel_in_progress_buildrequest(brid, reason)
    builder = botmaster.getBuilderById(row['builderid'])
    yield botmaster.brd.give_back([(builder, brid)], AGAIN_AFTER)
