# SPDX-License-Identifier: GPL-2.0-only
"""New: why a worker takes no build of a builder now."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

from buildbot.process.eye.reason import Reason
from buildbot.process.eye.words import age
from buildbot.process.eye.words import plain
from buildbot.process.eye.words import short_name
from buildbot.process.eye.words import some_of
from buildbot.worker.places import lenders_on
from buildbot.worker.places import places_taken

if TYPE_CHECKING:
    from buildbot.process.builder import Builder


def why_not_idle(builder: Builder, name: str, now: float) -> Reason:
    """Say why no build of a builder could start on a worker that is not idle for it."""
    worker = builder.master.workers.workers.get(name)
    kind, what, *again_at = why_closed(builder, worker, now)
    text = f'worker {plain(name)} {what}'
    workerid = getattr(worker, 'workerid', None)
    return Reason(kind, text, worker=name, workerid=workerid, again_at=(*again_at, None)[0])


def why_closed(builder: Builder, worker: Any, now: float) -> tuple[Any, ...]:
    """Return the kind of the reason, the words for it, and when it ends, if known."""
    own = next((w for w in builder.workers if worker is not None and w.worker is worker), None)
    if own is None:
        if getattr(worker, 'conn', None) is None:
            return 'worker_missing', 'is not connected'
        return 'worker_missing', 'is connected, but is not ready for this builder yet'
    if own.isBusy():
        return why_busy(own)
    if worker._graceful:
        return 'stopping', 'is being shut down'
    if worker.isPaused():
        why = worker._pause_reason
        return 'worker_paused', f'is paused: {plain(str(why))}' if why else 'is paused'
    if worker.quarantine_timer:
        ends_at = worker.quarantine_timer.getTime()
        return (
            'worker_quarantined',
            f'is in quarantine, which ends in {age(ends_at - now)}',
            ends_at,
        )
    if worker.max_builds and places_taken(worker) >= worker.max_builds:
        return (
            'worker_full',
            f'runs as many builds as its max_builds allows: {names_of_counted(worker)}',
        )
    return 'user', 'takes no build now, according to its canStartBuild'


def why_busy(workerforbuilder: Any) -> tuple[Any, ...]:
    builds = workerforbuilder.worker.builds
    own = [build for build in builds if build.workerforbuilder is workerforbuilder]
    if any(build.is_preparing_worker for build in own):
        return 'worker_substantiating', f'is being started for {names_of(own)}'
    if own:
        return 'worker_busy', f'runs {names_of(own)}, and runs one build of a builder at a time'
    return 'worker_busy', 'is busy with this builder'


def names_of_counted(worker: Any) -> str:
    lenders = lenders_on(worker)
    names = names_of([build for build in worker.builds if build not in lenders])
    return f'{names} (and {names_of(lenders)}, which only waits)' if lenders else names


def names_of(builds: Any) -> str:
    """Name some builds."""
    return some_of([short_name(build) for build in builds])
