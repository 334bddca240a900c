# SPDX-License-Identifier: GPL-2.0-only
"""New: where a configuration of Buildbot 0.8 finds its workers."""

from __future__ import annotations

from typing import Any

from buildbot.config.oldwords import old_word
from buildbot.worker import Worker


class BuildSlave(Worker):
    """A worker with the arguments of Buildbot 0.8 in their order. It runs on the master.

    Builds on it have the property ``slavename`` as well as ``workername``.

    :param name: of the worker.
    :param password: with which it connects.
    :param max_builds: how many builds may run on it at a time; None for no limit.
    :param notify_on_missing: addresses that get a mail when it is missing.
    :param missing_timeout: seconds after which it counts as missing.
    :param properties: of each build on it.
    :param locks: that each build on it holds.
    :param keepalive_interval: seconds between two signs of life.
    :param today: other arguments of a ``Worker``.
    """

    def __init__(
        self,
        name: str,
        password: str,
        max_builds: int | None = None,
        notify_on_missing: Any = None,
        missing_timeout: int = Worker.DEFAULT_MISSING_TIMEOUT,
        properties: dict[str, Any] | None = None,
        locks: list[Any] | None = None,
        keepalive_interval: int = Worker.DEFAULT_KEEPALIVE_INTERVAL,
        **today: Any,
    ) -> None:
        old_word('BuildSlave', 'Worker', f'worker {name!r}')
        super().__init__(
            name,
            password,
            max_builds=max_builds,
            notify_on_missing=notify_on_missing,
            missing_timeout=missing_timeout,
            properties={'slavename': name, **(properties or {})},
            locks=locks,
            keepalive_interval=keepalive_interval,
            **today,
        )


def __getattr__(name: str) -> Any:
    if name.endswith('BuildSlave'):
        raise ImportError(f'{__name__}.{name} is gone; use its successor in buildbot.worker')
    raise AttributeError(name)
