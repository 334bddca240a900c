# SPDX-License-Identifier: GPL-2.0-only
"""New: writes to the database that are tried again until they succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python import log

from buildbot.util import asyncSleep

if TYPE_CHECKING:
    from buildbot.master import BuildMaster

#: seconds after which it is tried again
AGAIN_AFTER = 10


@defer.inlineCallbacks
def write_at_last(
    master: BuildMaster,
    what: str,
    write: Callable[[], Any],
    is_due: Callable[[], bool] = lambda: True,
) -> Any:
    """Write something, again and again until that succeeds.

    An error is logged when it differs from the one before, and then that it is over.

    :param what: the words for it in the log.
    :param write: called without arguments; it returns a Deferred.
    :param is_due: tells whether it is still to be written.
    :returns: Deferred that fires, without an error, when it is written, or is not due any more, or
        the master has been stopped.
    """
    told: str | None = None
    while is_due():
        try:
            yield write()
            if told is not None:
                log.msg(f'{what}: written now')
            return
        except Exception as e:
            if told != repr(e):  # one that is no fault of the moment would fill the log
                told = repr(e)
                again = f'it is tried again every {AGAIN_AFTER} seconds'
                log.err(e, f'cannot write {what}; {again}')
        yield asyncSleep(AGAIN_AFTER, master.reactor)
        if not master.running:
            return
