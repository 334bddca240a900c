# SPDX-License-Identifier: GPL-2.0-only
"""What the ``buildbot.tac`` of a 0.8 slave imports."""

from __future__ import annotations

import os
from typing import Any

from buildbot_worker.bot import Worker
from twisted.python import log

from buildslave.gone import ignored
from buildslave.gone import no_longer_there


class BuildSlave(Worker):
    """A worker that takes the arguments of buildbot-slave 0.8. It is not what a master configures.

    :param buildmaster_host: the master's host.
    :param port: the port on which the master listens for workers.
    :param name: of the worker.
    :param passwd: the password that the master has for it.
    :param basedir: its directory.
    :param keepalive: seconds between two messages that keep the connection open; 0 for none.
    :param usePTY: ignored, with a message if it is true.
    :param keepaliveTimeout: ignored, as by 0.8.
    :param umask: of the process, or None.
    :param maxdelay: ignored, with a message unless it is the 300 that 0.8 wrote itself.
    :param unicode_encoding: of file names and output; None for that of the system.
    :param allow_shutdown: what asks the master to let the worker stop after its running builds:
        ``signal`` (SIGHUP), ``file`` (``shutdown.stamp``) or None.
    :raises NotADirectoryError: ``basedir`` is not a directory, for example because it was moved.
    """

    def __init__(
        self,
        buildmaster_host: str,
        port: int,
        name: str,
        passwd: str,
        basedir: str,
        keepalive: int | None,
        usePTY: Any,
        keepaliveTimeout: Any = None,
        umask: int | None = None,
        maxdelay: int | None = 300,
        unicode_encoding: str | None = None,
        allow_shutdown: str | None = None,
    ) -> None:
        if not os.path.isdir(basedir):
            raise NotADirectoryError(
                f'basedir of slave {name!r} is {basedir}, which is not a directory'
            )
        for sentence in ignored(usePTY, maxdelay):
            log.msg(sentence)
        super().__init__(
            buildmaster_host=buildmaster_host,
            port=port,
            name=name,
            passwd=passwd,
            basedir=basedir,
            keepalive=keepalive,
            umask=umask,
            unicode_encoding=unicode_encoding,
            allow_shutdown=allow_shutdown,
        )


def __getattr__(name: str) -> Any:
    if name in ('Bot', 'BotFactory', 'SlaveBuilder', 'UnknownCommand'):
        no_longer_there(f'{__name__}.{name}')
    raise AttributeError(name)
