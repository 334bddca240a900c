# SPDX-License-Identifier: GPL-2.0-only
"""New: writes to the database that are repeated until they succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python import log

from buildbot.util import asyncSleep

if TYPE_CHECKING:
    from buildbot.master import BuildMaster

#: seconds between two tries
AGAIN_AFTER = 10


@defer.inlineCallbacks
def write_at_last(
    master: BuildMaster,
    what: str,
    write: Callable[[], Any],
    is_due: Callable[[], bool] = lambda: True,
) -> Any:
    """Repeat a write until it succeeds.

    An error is logged if it differs from the previous one. The log also says when a write succeeds
    after an error.

    :param what: a clause for the log that names what is written.
    :param write: called without arguments; returns a Deferred.
    :param is_due: tells whether the write is still needed.
    :returns: Deferred that fires when the write is done or no longer needed, or the master has been
        stopped. It does not fail.
    """
    told: str | None = None
    while is_due():
        try:
            yield write()
            if told is not None:
                log.msg(f'{what}: written now')
            return
        except Exception as e:
            if told != repr(e):  # a lasting error would fill the log
                told = repr(e)
                again = f'it is tried again every {AGAIN_AFTER} seconds'
                log.err(e, f'cannot write {what}; {again}')
        yield asyncSleep(AGAIN_AFTER, master.reactor)
        if not master.running:
            return
