# SPDX-License-Identifier: GPL-2.0-only
"""The janitor also deletes old uses of locks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twisted.internet import defer

from buildbot.config import BuilderConfig
from buildbot.config import error
from buildbot.configurators import ConfiguratorBase
from buildbot.process.buildstep import BuildStep
from buildbot.process.eye.history import History
from buildbot.process.factory import BuildFactory
from buildbot.process.results import SUCCESS
from buildbot.schedulers.forcesched import ForceScheduler
from buildbot.schedulers.timed import Nightly
from buildbot.worker.local import LocalWorker
from buildbot_overlay import release

upstream = release(__name__)


class LockHistoryJanitor(BuildStep):
    """Deletes uses of locks and actions by hand from before the horizon, and unused ids.

    It does not delete logs.

    :param lock_history_horizon: a ``timedelta``.
    """

    name = 'LockHistoryJanitor'
    renderables = ['lock_history_horizon']
    deletes_lock_uses = True

    def __init__(self, lock_history_horizon: Any) -> None:
        super().__init__()
        self.lock_history_horizon = lock_history_horizon

    @defer.inlineCallbacks
    def run(self) -> Any:
        horizon = self.master.reactor.seconds() - self.lock_history_horizon.total_seconds()
        history = yield History.getService(self.master.botmaster)
        uses = yield history.delete_before(horizon)
        actions = yield self.master.db.lock_hand.delete_before(horizon)
        self.descriptionDone = [f'uses of locks deleted: {uses}, actions: {actions}']
        return SUCCESS


class JanitorConfigurator(upstream.JanitorConfigurator):
    """Adds a builder that deletes old data, and a scheduler that starts it.

    :param lock_history_horizon: for how long uses of locks and actions by hand are kept, a
        ``timedelta``; None leaves that to the master.
    """

    def __init__(
        self,
        logHorizon: Any = None,
        hour: Any = 0,
        build_data_horizon: Any = None,
        lock_history_horizon: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(logHorizon, hour, build_data_horizon, **kwargs)
        self.lock_history_horizon = lock_history_horizon
        if lock_history_horizon is not None and not isinstance(lock_history_horizon, timedelta):
            error(
                f'JanitorConfigurator: lock_history_horizon is {lock_history_horizon!r}; it must be'
                ' a datetime.timedelta, or None'
            )

    def _steps(self) -> list[BuildStep]:
        horizons = (
            (upstream.LogChunksJanitor, 'logHorizon'),
            (upstream.BuildDataJanitor, 'build_data_horizon'),
            (LockHistoryJanitor, 'lock_history_horizon'),
        )
        wanted = ((kind, name, getattr(self, name)) for kind, name in horizons)
        return [kind(**{name: horizon}) for kind, name, horizon in wanted if horizon is not None]

    def configure(self, config_dict: dict[str, Any]) -> None:
        steps = self._steps()
        if not steps:
            return
        ConfiguratorBase.configure(self, config_dict)
        name = JANITOR_NAME  # the user may have changed its name
        times = ('minute', 'dayOfMonth', 'month', 'dayOfWeek')
        when = {key: self.kwargs[key] for key in times if key in self.kwargs}
        self.schedulers += [
            Nightly(name=name, builderNames=[name], hour=self.hour, **when),
            ForceScheduler(name=f'{name}_force', builderNames=[name]),
        ]
        self.builders += [BuilderConfig(name, workername=name, factory=BuildFactory(steps))]
        self.workers += [LocalWorker(name)]
        self.protocols.setdefault('null', {})
