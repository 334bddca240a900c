# SPDX-License-Identifier: GPL-2.0-only
"""A worker is told when one of its builders begins or ends to use it."""

from __future__ import annotations

from typing import Any

from buildbot.worker.base import AbstractWorker
from buildbot.worker.watched import Watched
from buildbot_overlay import release

upstream = release(__name__)


class AbstractWorkerForBuilder(upstream.AbstractWorkerForBuilder):
    state = Watched()

    def doubt(self) -> None:
        """Let its worker ask anew whether it takes builds."""
        worker = vars(self).get('worker')
        if isinstance(worker, AbstractWorker):
            worker.doubt()


class WorkerForBuilder(upstream.WorkerForBuilder, AbstractWorkerForBuilder):
    pass


class LatentWorkerForBuilder(upstream.LatentWorkerForBuilder, AbstractWorkerForBuilder):
    pass


def is_idle(workerforbuilder: Any) -> bool:
    """Tell what ``isAvailable`` says, without asking the worker when nothing of it has changed.

    :param workerforbuilder: if it has an ``isAvailable`` of its own, that is asked.
    """
    kind = AbstractWorkerForBuilder
    is_ours = isinstance(workerforbuilder, kind) and isinstance(
        workerforbuilder.worker, AbstractWorker
    )
    if (
        not is_ours
        or type(workerforbuilder).isAvailable is not kind.isAvailable
        or 'isAvailable' in vars(workerforbuilder)
    ):
        return workerforbuilder.isAvailable()
    return not workerforbuilder.isBusy() and workerforbuilder.worker.is_open
