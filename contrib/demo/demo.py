# SPDX-License-Identifier: GPL-2.0-only
"""Run the demo: a master and two workers on a small git repository with three branches.

Usage: python demo.py run|check [--dir DIR] [--port N] [--worker-port N]

``run`` goes on until Ctrl-C, which is its normal end. ``check`` ends when 12 builds are done, and
judges them and its own output; the exit status tells the result. A port of 0 takes a free one.
"""

from __future__ import annotations

import argparse
import atexit
import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Callable
from typing import Iterator

import judge
from hand import judge_hand
from told import Told

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
BRANCHES = ('main', 'release/1.0', 'feature/probe')
WORKERS = ('board-1', 'board-2')
COMMITS = 2  # for each branch; two builders build each commit
BUILDS = 2 * COMMITS * len(BRANCHES)
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
POLL = {'run': 2, 'check': 15}  # seconds between two looks for commits
PATIENCE = 120  # seconds that a master or worker may take to start
COMPILE = 'echo "compiling $1 of version $(cat version)"; sleep 1\n'
TEST = 'echo "$1: the board runs version $(cat version)"; sleep 2\n'


class CannotRun(Exception):
    """The demo cannot run here; the text says why."""


def say(text: str) -> None:
    tell(f'demo: {text}')


def tell(text: str) -> None:
    with contextlib.suppress(OSError):  # nobody reads it any more; services must still be stopped
        print(text, flush=True)


def without_git() -> dict[str, str]:
    """Return the environment without variables that would make git use another repository."""
    return {k: v for k, v in os.environ.items() if not k.startswith('GIT_')}


class Repository:
    """A bare git repository, and a clone from which commits are pushed to it. It builds nothing."""

    def __init__(self, base: Path) -> None:
        self.bare = base / 'repository.git'
        self.clone = base / 'clone'

    def git(self, *arguments: str, cwd: Path | None = None) -> None:
        words = ('user.name=demo', 'user.email=demo@localhost', 'commit.gpgsign=false')
        settings = [part for word in words for part in ('-c', word)]
        subprocess.run(
            ['git', *settings, *arguments],
            cwd=cwd or self.clone,
            env=without_git(),
            check=True,
            capture_output=True,
        )

    def create(self) -> None:
        complete = self.bare.parent / 'repository.complete'
        if complete.exists():
            say(f'reusing the repository {self.bare}')
            return
        for directory in (self.bare, self.clone):  # an interrupted run may have left them
            shutil.rmtree(directory, ignore_errors=True)
        say(f'making the repository {self.bare} with the branches {", ".join(BRANCHES)}')
        self.git('init', '--bare', '-b', BRANCHES[0], str(self.bare), cwd=self.bare.parent)
        self.git('clone', str(self.bare), str(self.clone), cwd=self.bare.parent)
        self.git('checkout', '-B', BRANCHES[0])
        (self.clone / 'compile.sh').write_text(COMPILE)
        (self.clone / 'test.sh').write_text(TEST)
        (self.clone / 'version').write_text('0\n')
        self.git('add', '.')
        self.git('commit', '-m', 'Firmware for the board')
        for branch in BRANCHES:
            self.git('checkout', '-B', branch)
            self.git('push', 'origin', branch)
        complete.touch()

    def push(self) -> None:
        """Push commits to every branch."""
        for branch in BRANCHES:
            self.git('checkout', branch)
            for _ in range(COMMITS):
                number = int((self.clone / 'version').read_text()) + 1
                (self.clone / 'version').write_text(f'{number}\n')
                self.git('commit', '-am', f'Version {number} of {branch}')
            self.git('push', 'origin', branch)
        say(f'pushed {COMMITS} commits to each of {", ".join(BRANCHES)}')


class Service:
    """A master or worker process with its directory; its output goes to ``twistd.log`` there."""

    def __init__(self, directory: Path, lock: int) -> None:
        self.directory = directory
        self.lock = lock  # held by every running service, so that no other demo runs there
        self.process: subprocess.Popen[str] | None = None

    def create(self, *command: str) -> None:
        if (self.directory / 'buildbot.tac').exists():
            say(f'reusing {self.directory}')
            return
        say(f'creating {self.directory}')
        done = subprocess.run([str(BIN / command[0]), *command[1:]], capture_output=True, text=True)
        if done.returncode:
            raise CannotRun(f'{command[0]} {command[1]}: {done.stdout}{done.stderr}')

    def start(self, **environment: str) -> None:
        self.process = subprocess.Popen(
            [str(BIN / 'twistd'), '--nodaemon', '--pidfile=', '-y', 'buildbot.tac'],
            cwd=self.directory,
            env={**without_git(), **environment},
            pass_fds=[self.lock],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors='replace',
            start_new_session=True,  # Ctrl-C comes to us alone, and we stop the services in order
        )

    def lines(self) -> Iterator[str]:
        """Yield what the process logs, until it ends."""
        assert self.process is not None and self.process.stdout is not None
        with open(self.directory / 'twistd.log', 'a', encoding='utf-8') as log:
            for line in self.process.stdout:
                log.write(line)
                log.flush()
                yield line.rstrip()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Read the log until a text has appeared this many times.

        :raises CannotRun: the process ended before, or was stopped because the text did not appear.
        """
        tail: list[str] = []
        deadline = threading.Timer(PATIENCE, self.terminate)
        deadline.start()
        try:
            for line in self.lines():
                tail = [*tail[-15:], line]
                times -= text in line
                if not times:
                    return
        finally:
            deadline.cancel()
        raise CannotRun('\n'.join([f'{self.directory.name} did not start:', *tail]))

    def follow(self, hear: Callable[[str], object] = str) -> None:
        """Keep reading the log, so that the process never waits for a reader."""

        def read() -> None:
            for line in self.lines():
                hear(line)

        threading.Thread(target=read, daemon=True).start()

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def stop(self) -> None:
        if self.process is not None:
            self.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()


def free_port(text: str, option: str) -> int:
    try:
        wanted = int(text)
    except ValueError:
        raise CannotRun(f'{text!r} is no port; choose a number: {option}') from None
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(('127.0.0.1', wanted))
        except (OSError, OverflowError) as e:
            why = getattr(e, 'strerror', None) or str(e)
            raise CannotRun(f'cannot use port {wanted} ({why}); choose another: {option}') from None
        return s.getsockname()[1]


def prepare(base: Path) -> int:
    """Check whether the demo can run in a directory.

    :returns: file descriptor of a lock, which is released when the last process that has it ends.
    """
    if shutil.which('git') is None:
        raise CannotRun('there is no git; install it (on Debian: apt-get install git)')
    try:
        base.mkdir(parents=True, exist_ok=True)
        probe = base / '.probe'
        probe.touch()
        probe.unlink()
    except OSError as e:
        raise CannotRun(f'cannot write to {base}: {e.strerror}') from None
    lock = os.open(base / '.lock', os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise CannotRun(f'a demo runs in {base} already; stop it, or give another --dir') from None
    return lock


def finished(url: str) -> Iterator[int]:
    """Yield the number of firmware builds that have finished from now on, from the event stream."""
    firmware = judge.builders(url)
    with judge.urlopen(f'{url}sse/listen/builds/*/finished') as stream:
        count = 0
        yield count
        for line in stream:
            name, _, value = line.partition(b': ')
            if name != b'data' or not value.startswith(b'{'):
                continue
            if json.loads(value)['message']['builderid'] in firmware:
                count += 1
                yield count


def keep_open(path: Path) -> None:
    """Keep a connection to a database of SQLite until the end.

    Buildbot closes its own after each call; when the last one goes, SQLite writes its journal into
    the database and removes it, which is a fourth of what the master does here.
    """
    connection = sqlite3.connect(path)
    connection.execute('select 1 from sqlite_master').fetchone()  # it opens the file only now
    atexit.register(connection.close)


def demo(options: argparse.Namespace) -> int:
    base = options.dir.resolve()
    lock = prepare(base)
    web = free_port(options.port, 'make run DEMO_PORT=N')
    pb = free_port(options.worker_port, 'make run DEMO_WORKER_PORT=N')
    if web == pb:
        raise CannotRun(f'the web page and the workers cannot both have port {web}')
    url = f'http://localhost:{web}/'
    repository = Repository(base)
    master = Service(base / 'master', lock)
    workers = [Service(base / name, lock) for name in WORKERS]

    repository.create()
    master.create('buildbot', 'create-master', '--no-logrotate', str(master.directory))
    shutil.copy(HERE / 'master.cfg', master.directory / 'master.cfg')
    for worker in workers:
        if worker.directory.exists():  # it has known the port of the master since it was created
            shutil.rmtree(worker.directory)
        arguments = [str(worker.directory), f'localhost:{pb}', worker.directory.name, 'secret']
        worker.create('buildbot-worker', 'create-worker', '--no-logrotate', *arguments)
    try:
        say('starting the master')
        master.start(
            DEMO_REPOSITORY=str(repository.bare),
            DEMO_WEB_PORT=str(web),
            DEMO_WORKER_PORT=str(pb),
            DEMO_POLL=str(POLL[options.what]),
        )
        master.wait_for('BuildMaster is running')
        say(f'starting the workers {" and ".join(WORKERS)}')
        for worker in workers:
            worker.start()
            worker.follow()
        master.wait_for(' attached to firmware-', times=2 * len(WORKERS))
        if options.what == 'check':
            keep_open(master.directory / 'state.sqlite')
        told = Told(lambda words: tell(f'  {words}'))
        master.follow(told.hear)
        say(f'the web page is {url} and the log {master.directory / "twistd.log"}')
        say(f'who holds its locks and who waits: {url}#/locks, or buildbot locks -m {url} list')
        say('log in as ann or bob, with the name as password, to hold a board or stop who holds it')
        if options.what == 'check':
            return check(url, repository, told)
        repository.push()
        say(f'push more from {repository.clone}; Ctrl-C stops everything')
        assert master.process is not None
        master.process.wait()
        raise CannotRun(f'the master has ended; see {master.directory / "twistd.log"}')
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)  # a second signal would leave services behind
        say('stopping')
        for service in (master, *workers):  # the master first: it ends what runs on the workers
            service.stop()


def check(url: str, repository: Repository, told: Told) -> int:
    wrong: list[str] = []
    for count in finished(url):
        if count == 0:
            say('ann holds both boards by hand until a build waits for one')
            wrong = judge_hand(url, WORKERS, repository.push)
        else:
            say(f'{count} of {BUILDS} builds done')
        if count == BUILDS:
            break
    builds = judge.finished_builds(url)[-BUILDS:]
    wrong += [*judge.judge(builds, BUILDS), *told.wrong()]
    for sentence in wrong:
        say(f'WRONG: {sentence}')
    say(f'{len(builds)} builds judged: {"not " if wrong else ""}as it should be')
    return 1 if wrong else 0


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


def main() -> int:
    parser = argparse.ArgumentParser(description='Run the demo of Interlock.')
    parser.add_argument('what', choices=['run', 'check'])
    parser.add_argument('--dir', type=Path, default=HERE / 'run', help='where to keep its files')
    parser.add_argument('--port', default='8010', help='of the web page (0: free)')
    parser.add_argument('--worker-port', default='9989', help='for workers (0: free)')
    for number in SIGNALS:
        signal.signal(number, interrupted)
    options = parser.parse_args()
    try:
        return demo(options)
    except CannotRun as e:
        say(str(e))
        return 1
    except subprocess.CalledProcessError as e:
        say(f'{" ".join(map(str, e.cmd))}: {(e.stderr or b"").decode().strip()}')
        return 1
    except KeyboardInterrupt:
        # make has been interrupted too, and reports that with its own status
        return 0 if options.what == 'run' else 130


if __name__ == '__main__':
    sys.exit(main())
