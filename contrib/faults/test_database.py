# SPDX-License-Identifier: GPL-2.0-only
"""A database that is locked, missing or full for 30 seconds, under a master that keeps running."""

from __future__ import annotations

import resource
import sqlite3
import subprocess
import threading
import time
from urllib.error import URLError

from buildbot.process.results import EXCEPTION
from buildbot.test.util.reallab import RealLab
from buildbot.test.util.reallabfiles import MASTER

OUTAGE = 30  # seconds


class DatabaseCase(RealLab):
    """A fault of the database: subclasses define ``begin`` and ``end``. It has no test."""

    tac = MASTER  # a connection that is kept does not mind where its file goes

    def begin(self) -> None:
        raise NotImplementedError

    def end(self) -> None:
        raise NotImplementedError

    def wait(self) -> None:
        threading.Event().wait(OUTAGE)


class Fails(DatabaseCase):
    """Nothing can be written or read, and each attempt fails at once."""

    def check(self) -> None:
        first, other, pending = self.fill()
        mark = self.master.mark()
        self.begin()
        began_at = time.monotonic()
        self.flash.let_go()
        # the end of the step cannot be written, so the builds end, each with its locks
        self.master.wait_for('lab #1 / test released board', mark)
        self.figure('the first write that fails, until the next in line has the lock', began_at)
        self.master.wait_for('lab #2 / test released board', mark)
        self.master.wait_for(r'lab #2 released version\[other\]', mark)
        with self.assertRaises((URLError, OSError)):
            self.request('main')
        self.wait()
        self.assertEqual(self.witness.running(), [])
        self.end()
        ended_at = time.monotonic()
        self.witness.let_all_go()
        self.wait_until_complete([first, other], results=EXCEPTION)
        self.wait_until_complete([pending])
        self.figure('the end of the outage, until the pending request is built', ended_at)
        for build in (1, 2):
            self.master.wait_for(f'that build {build} has ended: written now', 0)
        self.assertEqual(self.results(), ['exception', 'exception', 'success'])
        self.assert_nothing_left()

        # while nothing runs
        self.begin()
        with self.assertRaises((URLError, OSError)):
            self.request('main')
        self.wait()
        self.end()
        self.finish([self.request('main')])


class Away(Fails):
    """The directory of the database is renamed for a while."""

    def begin(self) -> None:
        self.database.rename(self.base / 'away')

    def end(self) -> None:
        (self.base / 'away').rename(self.database)

    def test_away(self):
        """The directory of the database is away: a file system that is not mounted."""
        self.check()


class TooLarge(Fails):
    """The master's process may not write any more to files."""

    def begin(self) -> None:
        self.limit = resource.prlimit(self.master.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.master.process.pid, resource.RLIMIT_FSIZE, (0, self.limit[1]))

    def end(self) -> None:
        resource.prlimit(self.master.process.pid, resource.RLIMIT_FSIZE, self.limit)

    def test_limit(self):
        """No file of the master may grow, because of its process's limit, as with a quota."""
        self.check()


class Full(Fails):
    """The database is on a disk that is full for a while."""

    def make_database(self) -> None:
        mount = ['mount', '-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', str(self.database)]
        done = subprocess.run(mount, capture_output=True, text=True)
        if done.returncode:
            self.skipTest(f'a small disk cannot be mounted here: {done.stderr.strip()}')
        self.addCleanup(subprocess.run, ['umount', '--lazy', str(self.database)], check=True)
        super().make_database()

    def begin(self) -> None:
        with open(self.database / 'filler', 'wb', buffering=0) as filler:
            size = 1 << 16
            while size:
                try:
                    filler.write(bytes(size))
                except OSError:
                    size //= 2

    def end(self) -> None:
        (self.database / 'filler').unlink()

    def test_full(self):
        """The disk of the database is full. It is a small one in memory, which root can mount."""
        self.check()


class Locked(DatabaseCase):
    """Another connection locks the database for a while."""

    def begin(self) -> None:
        self.other = sqlite3.connect(
            self.database / 'state.sqlite', isolation_level=None, check_same_thread=False
        )
        self.other.execute('BEGIN EXCLUSIVE')

    def end(self) -> None:
        self.other.execute('ROLLBACK')
        self.other.close()

    def test_locked(self):
        """Somebody else holds the database's write lock: everything goes on when it is released."""
        brids = self.fill()
        self.begin()
        self.flash.let_go()
        self.wait()
        held = {'board': 'lab #1 / test', 'version[main]': 'lab #1', 'version[other]': 'lab #2'}
        self.assertEqual(self.holders(), held)
        self.end()
        ended_at = time.monotonic()
        self.witness.wait_for('measure')
        self.figure('the end of the outage, until the next step runs', ended_at)
        self.finish(brids)

        # while nothing runs: a request for a build is answered as soon as it can be written
        self.begin()
        later = threading.Timer(OUTAGE, self.end)
        later.start()
        asked_at = time.monotonic()
        brid = self.request('main')
        self.figure('a request, until it is there', asked_at)
        later.join()
        self.finish([brid])
        self.assertEqual(self.results(), ['success'] * 4)
