# SPDX-License-Identifier: GPL-2.0-only
"""New: what the master and the workers of a real lab read when they start."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path

BIN = Path(sys.executable).parent

#: A request waits for its branch before it has a worker, a group for the board when it has one.
CONFIG = """
import os
import sys
from buildbot.plugins import schedulers, steps, util, worker
from buildbot.util.service import BuildbotService

class Tell(BuildbotService):
    name = 'tell'

    def reconfigService(self):
        return self.master.mq.startConsuming(self.tell, ('buildrequests', None, 'complete'))

    def tell(self, key, row):
        print('request', row['buildrequestid'], 'complete', row['results'], flush=True)

def command(name, lock):
    words = ['%(prop:workername)s', '%(prop:buildername)s#%(prop:buildnumber)s']
    return steps.ShellCommand(
        name=name,
        command=[sys.executable, '-IS', os.environ['LAB_COMMAND'], os.environ['LAB_WITNESS'],
                 lock, name, *map(util.Interpolate, words)],
    )

board = util.MasterLock('board')
version = util.BranchLock('version')
c = BuildmasterConfig = {
    'workers': [worker.Worker(name, 'secret') for name in ('w1', 'w2')],
    'builders': [
        util.BuilderConfig(
            'lab', workernames=['w1', 'w2'], locks=[version.access('exclusive')],
            factory=util.BuildFactory([
                steps.StepGroup(
                    name='test', locks=[board.access('exclusive')],
                    steps=[command('flash', 'board'), command('measure', 'board')],
                ),
            ]),
        ),
    ],
    'schedulers': [schedulers.ForceScheduler('force', builderNames=['lab'])],
    'services': [Tell()],
    'collapseRequests': False,
    'handForAnonymous': True,
    'lockSweep': 1,
    'protocols': {'pb': {'port': f'tcp:{os.environ["LAB_PB"]}:interface=127.0.0.1'}},
    'db': {'db_url': f'sqlite:///{os.environ["LAB_DATABASE"]}/state.sqlite'},
    'www': {'port': f'tcp:{os.environ["LAB_WEB"]}:interface=127.0.0.1'},
    'buildbotNetUsageData': None,
}
"""
MASTER = """
from twisted.application import service
from buildbot.master import BuildMaster

application = service.Application('master')
BuildMaster('.', 'master.cfg').setServiceParent(application)
"""
#: A master that keeps its connection to the database. With SQLite Buildbot has a new one for each
#: call, which reads the names of all columns again: half of what such a master does.
QUICK_MASTER = f"""
from buildbot.db import enginestrategy
from sqlalchemy.pool import QueuePool

enginestrategy.NullPool = QueuePool
{MASTER}"""
WORKER = """
from twisted.application import service
from buildbot_worker.bot import Worker

application = service.Application('worker')
worker = Worker('127.0.0.1', {port}, {name!r}, 'secret', {basedir!r}, keepalive=600)
worker.setServiceParent(application)
"""


@lru_cache(maxsize=1)
def empty_database() -> bytes:
    """Return the file of a database with the tables of a master, and nothing in them."""
    with tempfile.TemporaryDirectory() as directory:
        create = [str(BIN / 'buildbot'), 'create-master', '--quiet', directory]
        subprocess.run(create, check=True)
        return (Path(directory) / 'state.sqlite').read_bytes()
