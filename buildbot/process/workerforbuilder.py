# SPDX-License-Identifier: GPL-2.0-only
"""A worker is told when one of its builders begins or ends to use it."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.worker.watched import Watched
from buildbot_overlay import release

upstream = release(__name__)


class AbstractWorkerForBuilder(upstream.AbstractWorkerForBuilder):
    """A worker as one of its builders knows it. It is not the worker, which builders share."""

    state = Watched()

    def buildFinished(self) -> None:
        worker = self.worker
        if worker is not None and worker.botmaster is None:
            self.worker = None  # it has been removed, and has no clock for what it would do next
        super().buildFinished()

    def doubt(self) -> None:
        """Have the worker decide again whether it takes builds."""
        worker = vars(self).get('worker')
        if worker is not None:  # it has none before it is attached
            worker.doubt()


class WorkerForBuilder(upstream.WorkerForBuilder, AbstractWorkerForBuilder):
    """A builder's worker that connects by itself. The master does not start it."""


class LatentWorkerForBuilder(upstream.LatentWorkerForBuilder, AbstractWorkerForBuilder):
    """A builder's worker that the master starts for a build. It need not be running."""

    def substantiate_if_needed(self, build: Any) -> defer.Deferred[bool]:
        if build.stopped:
            return defer.succeed(False)  # nobody would end the start of the worker
        return super().substantiate_if_needed(build)


def is_idle(workerforbuilder: Any) -> bool:
    """Return ``isAvailable``, or the last answer if the worker has not changed since.

    :param workerforbuilder: if it overrides ``isAvailable``, its own method is called each time.
    """
    kind = AbstractWorkerForBuilder
    if (
        not isinstance(workerforbuilder, kind)
        or type(workerforbuilder).isAvailable is not kind.isAvailable
        or 'isAvailable' in vars(workerforbuilder)
    ):
        return workerforbuilder.isAvailable()
    if workerforbuilder.isBusy():
        return False
    worker: Any = workerforbuilder.worker
    return worker is not None and worker.is_open
