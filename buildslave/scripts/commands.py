# SPDX-License-Identifier: GPL-2.0-only
"""The commands of ``buildslave``; ``buildbot-worker`` does the work on processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from buildbot_worker.scripts.create_worker import createWorker
from buildbot_worker.scripts.start import startWorker
from buildbot_worker.scripts.stop import WorkerNotRunning
from buildbot_worker.scripts.stop import stopWorker

from buildslave.gone import ignored
from buildslave.process import pid_of
from buildslave.tac import BadDirectory
from buildslave.tac import Tac


def create_slave(config: Any) -> int:
    """Make a directory as ``buildbot-worker create-worker`` does."""
    for sentence in ignored(config['usepty'], config['maxdelay']):
        print(sentence)
    return int(createWorker(config))


def upgrade_slave(config: Any) -> int:
    """Make the directory of a 0.8 slave ready to start, and say what that took."""
    tac = Tac(config['basedir'])
    difference, copy = tac.upgrade()
    if copy is None:
        print(f'{tac.path}: nothing had to be changed')
    else:
        print(
            f'{tac.path}: changed as follows; {copy} is a copy of the original',
            *difference,
            sep='\n',
        )
    for sentence in [*tac.remarks(), *unreadable_infos(Path(config['basedir'], 'info'))]:
        print(sentence)
    return 0


def unreadable_infos(directory: Path) -> list[str]:
    # the worker skips what it cannot decode, and only its log says so
    sentences = []
    for path in sorted(directory.glob('*')):
        try:
            if path.is_file():
                path.read_bytes().decode()
        except UnicodeDecodeError:
            sentences.append(f'{path} is not UTF-8, so the master cannot show it; save it as UTF-8')
    return sentences


def start(config: Any) -> int:
    check(config['basedir'])
    if not config['nodaemon']:
        pid = pid_of(config['basedir'])
        if pid is not None:
            raise BadDirectory(
                f'the slave in {config["basedir"]} is already running as process {pid};'
                f' buildslave restart {config["basedir"]}'
            )
    return int(startWorker(config['basedir'], config['quiet'], config['nodaemon']))


def check(basedir: str) -> None:
    tac = Tac(basedir)
    why_not = tac.why_not()
    if why_not is not None:
        raise BadDirectory(
            f'{tac.path} does not run on today\'s Python ({why_not});'
            f' buildslave upgrade-slave {basedir}'
        )


def stop(config: Any, when_it_does_not_run: str = 'the slave is not running') -> int:
    Tac(config['basedir'])
    try:
        if pid_of(config['basedir']) is not None:
            return int(stopWorker(config['basedir'], config['quiet']))
    except WorkerNotRunning:
        pass  # it has ended meanwhile
    if not config['quiet']:
        print(when_it_does_not_run)
    return 0


def restart(config: Any) -> int:
    check(config['basedir'])  # otherwise it would be stopped and not started
    not_stopped = stop(config, 'the slave was not running')
    return not_stopped or start(config)
