# SPDX-License-Identifier: GPL-2.0-only
"""New: workers that are lost and come back, are paused, and latent ones that start or do not."""

from __future__ import annotations

from typing import Any

from buildbot.test.util.storm.requests import Requests
from buildbot.test.util.storm.requests import some
from buildbot.worker.protocols.null import Connection


class Workers(Requests):
    """What happens to workers."""

    failures: int

    def on_lose(self, which: int) -> str | None:
        worker = some(which, [w for w in self.workers() if w.conn is not None])
        if worker is None:
            return None
        worker.conn.loseConnection()
        return worker.name

    def on_come_back(self, which: int) -> str | None:
        worker = some(which, [w for w in self.workers() if self.is_gone(w)])
        if worker is None:
            return None
        self.connect(worker)
        return worker.name

    def is_gone(self, worker: Any) -> bool:
        """Tell whether a worker, which is not latent, is not connected."""
        return worker.conn is None and worker.name not in self.controllers

    def connect(self, worker: Any) -> None:
        conn = Connection(worker.remote_worker)
        self.at_once(self.master.workers.newConnection(conn, worker.name))
        self.at_once(worker.attached(conn))
        self.poke([worker.name])

    def on_pause(self, which: int) -> str | None:
        worker = some(which, [w for w in self.workers() if not w.isPaused()])
        if worker is None:
            return None
        worker.pause('enough')
        return worker.name

    def on_unpause(self, which: int) -> str | None:
        worker = some(which, [w for w in self.workers() if w.isPaused()])
        if worker is None:
            return None
        self.unpause(worker)
        return worker.name

    def unpause(self, worker: Any) -> None:
        worker.unpause()
        self.poke([worker.name])

    def on_instance(self, which: int, starts: bool) -> str | None:
        """Let an instance start that is asked for, or fail to."""
        controller = some(which, [c for c in self.controllers.values() if c.starting])
        if controller is None:
            return None
        self.at_once(controller.start_instance(starts))
        self.poke([controller.worker.name])
        return f'of {controller.worker.name} {"starts" if starts else "does not start"}'

    def on_heed(self, which: int) -> str | None:
        """Take a reason away for which a request pends: connect or unpause a worker."""
        found = [reason for row in self.pending() for reason in self.reasons(row)]
        able = [r for r in found if r.kind in ('worker_missing', 'worker_paused')]
        reason = some(which, able)
        if reason is None:
            return None
        worker = self.master.workers.workers[reason.worker]
        failures = self.failures
        if reason.kind == 'worker_paused':
            self.unpause(worker)
        elif self.is_gone(worker):
            self.connect(worker)
        else:
            return None
        if self.failures == failures:
            self.heeded = (reason.kind, reason.worker)
        return repr(reason.text)
