# SPDX-License-Identifier: GPL-2.0-only
"""New: one reason why something waits."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import NamedTuple

if TYPE_CHECKING:
    from buildbot.locking.copy import BaseLock

#: all kinds of reasons
KINDS = (
    'behind',
    'elsewhere',
    'error',
    'late_binding',
    'lock',
    'quarantine',
    'starting',
    'stopping',
    'suspected',
    'user',
    'worker_busy',
    'worker_full',
    'worker_missing',
    'worker_paused',
    'worker_quarantined',
    'worker_substantiating',
)


class Reason(NamedTuple):
    """Why a build request, build or step waits, for programs and for people. It is not advice.

    :param kind: one of ``KINDS``.
    :param text: a sentence, without its full stop.
    :param buildrequestids: the requests that wait for this reason.
    :param lock: the copy that is waited for.
    :param place: the place in the line of that copy; 1 is the first.
    :param since_at: when the wait began, if known, in seconds of the master's clock.
    :param again_at: when it is tried again, if known.
    """

    kind: str
    text: str
    buildrequestids: tuple[int, ...] = ()
    buildid: int | None = None
    stepid: int | None = None
    lock: BaseLock | None = None
    place: int | None = None
    worker: str | None = None
    workerid: int | None = None
    builderid: int | None = None
    since_at: float | None = None
    again_at: float | None = None
