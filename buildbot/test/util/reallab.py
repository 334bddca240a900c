# SPDX-License-Identifier: GPL-2.0-only
"""New: a master and its workers as processes, to which a test can do what happens to machines."""

from __future__ import annotations

import json
import os
import signal
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler
from urllib.request import Request
from urllib.request import build_opener

from twisted.trial import unittest

from buildbot.process.results import SUCCESS
from buildbot.process.results import statusToString
from buildbot.test.util.processes import PATIENCE
from buildbot.test.util.processes import Process
from buildbot.test.util.reallabfiles import BIN
from buildbot.test.util.reallabfiles import CONFIG
from buildbot.test.util.reallabfiles import QUICK_MASTER
from buildbot.test.util.reallabfiles import WORKER
from buildbot.test.util.reallabfiles import empty_database
from buildbot.test.util.witness import COMMAND
from buildbot.test.util.witness import Witness

WORKERS = ('w1', 'w2')


class RealLab(unittest.SynchronousTestCase):
    """A test with a master, two workers and the witness of what they do.

    :cvar tac: what starts the master.
    :ivar more: what is added to the configuration.
    :ivar master: the process of the master.
    :ivar workers: the processes of the workers, by name.
    """

    if find_spec('buildbot_www') is None:
        skip = 'there is no buildbot-www'

    tac = QUICK_MASTER
    more = ''

    def setUp(self) -> None:
        self.base = Path(self.mktemp()).resolve()
        self.database = self.base / 'database'
        self.database.mkdir(parents=True)
        (self.base / 'command.py').write_text(COMMAND)
        self.witness = Witness(self)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(('BUILDBOT_LOCKS', 'LAB_'))}
        self.environment = {
            **kept,
            'LAB_COMMAND': str(self.base / 'command.py'),
            'LAB_DATABASE': str(self.database),
            'LAB_WITNESS': str(self.witness.port),
            'LAB_PB': '0',
            'LAB_WEB': '0',
        }
        self.ask = build_opener(ProxyHandler({})).open
        directory = self.base / 'master'
        directory.mkdir()
        (directory / 'master.cfg').write_text(CONFIG + self.more)
        (directory / 'buildbot.tac').write_text(self.tac)
        self.make_database()
        self.workers: dict[str, Process] = {}
        self.start_master()
        for name in WORKERS:
            (self.base / name).mkdir()
            self.start_worker(name)
        self.wait_for_workers(*WORKERS)

    def make_database(self) -> None:
        """Make the database of the master."""
        (self.database / 'state.sqlite').write_bytes(empty_database())

    def twistd(self, directory: Path) -> Process:
        command = (BIN / 'twistd', '--nodaemon', '--pidfile=', '-y', 'buildbot.tac')
        return Process(self, *command, cwd=directory, env=self.environment)

    def start_master(self) -> None:
        """Start the master; another time it has the ports that it had."""
        self.master = self.twistd(self.base / 'master')
        if self.environment['LAB_WEB'] == '0':
            for name, what in [('LAB_PB', 'PBServerFactory'), ('LAB_WEB', 'BuildbotSite')]:
                found = self.master.wait_for(rf'{what} starting on (\d+)', 0)
                self.environment[name] = found.group(1)
            self.url = f'http://127.0.0.1:{self.environment["LAB_WEB"]}/api/v2/'
        self.master.wait_for('BuildMaster is running', 0)

    def start_worker(self, name: str) -> None:
        """Start a worker, which connects soon."""
        words = {'port': self.environment['LAB_PB'], 'name': name, 'basedir': str(self.base / name)}
        (self.base / name / 'buildbot.tac').write_text(WORKER.format(**words))
        self.workers[name] = self.twistd(self.base / name)

    def wait_for_workers(self, *names: str, after: int = 0) -> None:
        """Wait until workers are connected, from a mark in the master's log on."""
        for name in names:
            self.master.wait_for(f'Worker {name} attached to lab', after)

    def get(self, path: str) -> Any:
        """Return the rows that the data API has at a path."""
        with self.ask(f'{self.url}{path}', timeout=PATIENCE) as answer:
            rows = json.load(answer)
        return rows[path.partition('?')[0].rpartition('/')[2]]

    def do(self, path: str, method: str, **words: Any) -> Any:
        """Have the data API do something, and return what it says."""
        call = {'jsonrpc': '2.0', 'id': 1, 'method': method, 'params': words}
        headers = {'Content-Type': 'application/json'}
        request = Request(f'{self.url}{path}', json.dumps(call).encode(), headers)
        with self.ask(request, timeout=PATIENCE) as answer:
            return json.load(answer)['result']

    def request(self, branch: str, builder: str = 'lab') -> int:
        """Ask for a build of a branch; return the id of the request."""
        _, brids = self.do('forceschedulers/force', 'force', builderNames=[builder], branch=branch)
        (brid,) = brids.values()
        return brid

    def holders(self) -> dict[str, str]:
        """Return who holds which copy of a lock, as the data API says."""
        found: dict[str, str] = {}
        for lock in self.get('locks'):
            for row in self.get(f'locks/{lock["lockid"]}/holders'):
                self.assertNotIn(row['copy'], found)
                found[row['copy']] = row['text']
        return found

    def results(self) -> list[str]:
        """Return what the builds have come to, the oldest first."""
        rows = self.get('builds?order=buildid')
        return [statusToString(row['results']) for row in rows]

    def fill(self) -> list[int]:
        """Have a build hold the board, another one's group wait for it, and a request pend.

        :returns: the ids of the requests of ``lab #1`` and ``lab #2``, and of the one that pends.
        """
        first = self.request('main')
        self.flash = self.witness.wait_for('flash')
        pending = self.request('main')
        self.master.wait_for(rf'request {pending} of lab waits for version\[main\]', 0)
        other = self.request('other')
        self.master.wait_for('lab #2 / test waits for board', 0)
        held = {'board': 'lab #1 / test', 'version[main]': 'lab #1', 'version[other]': 'lab #2'}
        self.assertEqual(self.holders(), held)
        return [first, other, pending]

    def cut_off(self, name: str) -> None:
        """Kill a worker with all that it runs, as a machine that loses its power does."""
        self.freeze(name)
        for command in self.witness.seen:
            if command.words.worker == name and not command.is_gone:
                command.kill()
        self.workers[name].kill()

    def freeze(self, name: str) -> None:
        """Have a worker stand still, as a machine does that swaps, or is suspended."""
        self.workers[name].send(signal.SIGSTOP)

    def go_on(self, name: str) -> None:
        """Let a worker that stands still go on."""
        self.workers[name].send(signal.SIGCONT)

    def finish(self, brids: list[int], patience: float = PATIENCE) -> None:
        """Let all commands go, and see that each request ends well and nothing is left."""
        self.witness.let_all_go()
        self.wait_until_complete(brids, patience)
        self.assert_nothing_left()

    def wait_until_complete(
        self, brids: list[int], patience: float = PATIENCE, results: int = SUCCESS
    ) -> None:
        """Wait until the master that runs now has told what requests have come to."""
        for brid in brids:
            self.master.wait_for(f'request {brid} complete {results}$', 0, patience)

    def assert_nothing_left(self) -> None:
        """See that nothing runs, is held, pends or has clashed, and no row is without an end.

        The sweep has looked each second.
        """
        self.assertEqual(self.witness.clashes, [])
        self.assertEqual(self.witness.running(), [])
        self.assertEqual(self.holders(), {})
        self.assertEqual(self.get('builds?complete=false'), [])
        self.assertEqual(self.get('buildrequests?complete=false'), [])
        for build in self.get('builds'):
            steps = self.get(f'builds/{build["buildid"]}/steps')
            self.assertEqual([row['name'] for row in steps if not row['complete']], [])
        self.assertEqual(self.master.lines('LeftoverError'), [])

    def figure(self, what: str, since: float) -> None:
        """Tell how long something has taken, to who measures it.

        :param since: when it began, in seconds of the monotonic clock.
        """
        if 'FAULTS_FIGURES' in os.environ:
            print(f'\n      {what}: {time.monotonic() - since:.1f} s', end=' ', flush=True)
