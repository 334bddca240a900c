# SPDX-License-Identifier: GPL-2.0-only
"""A master's life in an environment of its own: plain, with the wheel, off, and plain again."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import venv
from contextlib import closing
from importlib.metadata import distribution
from pathlib import Path

from twisted.trial import unittest

import buildbot_overlay as overlay
from buildbot.db.model import OWN_TABLES
from buildbot.db.model import VERSION_TABLE
from buildbot.test.util.processes import PATIENCE

WHEEL = os.environ.get('INTERLOCK_WHEEL')

CONFIG = """
import os
from buildbot.plugins import schedulers, steps, util, worker
from buildbot.util.service import BuildbotService
from twisted.internet import defer, reactor

class StopAfterOneBuild(BuildbotService):
    name = 'stop'

    async def watch(self):
        await self.master.mq.startConsuming(self.finished, ('builds', None, 'finished'))

    def startService(self):
        d = super().startService()
        return d.addCallback(lambda _: defer.ensureDeferred(self.watch()))

    def finished(self, key, build):
        if 'ONE_BUILD' in os.environ:
            print('FINISHED', build['number'], build['results'], flush=True)
            reactor.callLater(0, reactor.stop)

lock = util.MasterLock('lab')
step = steps.ShellCommand(command=['echo', 'hello'])
c = BuildmasterConfig = {
    'workers': [worker.LocalWorker('w')],
    'builders': [util.BuilderConfig('b', workernames=['w'], factory=util.BuildFactory([step]),
                                    locks=[lock.access('exclusive')])],
    'schedulers': [schedulers.Periodic('p', builderNames=['b'], periodicBuildTimer=1)],
    'services': [StopAfterOneBuild()],
    'protocols': {'null': {}},
    'db': {'db_url': 'sqlite:///state.sqlite'},
    'buildbotNetUsageData': None,
}
"""


class Life(unittest.SynchronousTestCase):
    if WHEEL is None:
        skip = 'INTERLOCK_WHEEL does not name the wheel to install; `make test` builds one'

    def setUp(self):
        self.base = Path(self.mktemp()).resolve()
        self.master = self.base / 'master'
        venv.create(self.base / 'venv')
        self.site = next((self.base / 'venv' / 'lib').glob('*/site-packages'))
        self.share_libraries()
        self.install('buildbot==4.3.0', 'buildbot-worker==4.3.0')
        self.good('buildbot', 'create-master', 'master')
        (self.master / 'master.cfg').write_text(CONFIG)
        run = 'from twisted.scripts.twistd import run; run()'
        self.twistd = ['python', '-c', run, '-ny', str(self.master / 'buildbot.tac')]

    def share_libraries(self):
        """Let the environment have all that is installed here but what is under test."""
        own = ('buildbot', 'buildslave', 'distutils')
        for path in Path(distribution('twisted').locate_file('')).iterdir():
            if not path.name.startswith(own):
                (self.site / path.name).symlink_to(path)

    def run_it(self, program, *arguments, **environment):
        ours = ('BUILDBOT', 'PYTHON')
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        return subprocess.run(
            [str(self.base / 'venv' / 'bin' / program), *arguments],
            cwd=self.base,
            # ``buildbot start`` would give a master ten seconds
            env={**inherited, 'START_TIMEOUT': str(PATIENCE), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )

    def good(self, *command, **environment):
        done = self.run_it(*command, **environment)
        self.assertEqual(done.returncode, 0, f'{command}: {done.stdout}')
        return done.stdout

    def refused(self, sentence, *command, **environment):
        done = self.run_it(*command, **environment)
        self.assertEqual((done.stdout, done.returncode), (f'{sentence}\n', 1), command)

    def pip(self, *arguments):
        self.good('python', '-m', 'pip', '--disable-pip-version-check', *arguments)

    def install(self, *arguments):
        # most of what it would compile is never imported, and the libraries are there
        self.pip('install', '--no-compile', '--no-deps', *arguments)

    def set_aside(self, name):
        """Take a package out of the environment; return what puts it back instead of any other."""
        aside = self.base / 'aside'
        aside.mkdir()

        def paths():
            return [self.site / name, *self.site.glob(f'{name}-*.dist-info')]

        for path in paths():
            path.rename(aside / path.name)

        def put_back():
            for path in paths():
                shutil.rmtree(path)
            for path in list(aside.iterdir()):
                path.rename(self.site / path.name)

        return put_back

    def files_of_release(self):
        code = 'import buildbot, buildbot_worker; print(buildbot.__path__[-1])'
        code += '; print(*buildbot_worker.__path__)'
        files = [p for r in self.good('python', '-c', code).split() for p in Path(r).rglob('*')]
        scripts = [p for p in (self.base / 'venv' / 'bin').iterdir() if p.name.startswith('build')]
        files = [p for p in files + scripts if p.suffix != '.pyc' and p.is_file()]
        return {p: p.read_bytes() for p in files}

    def build_once(self, **environment):
        """Run the master in the foreground until a build is done; return the build's number."""
        log = self.master / 'twistd.log'
        log.unlink(missing_ok=True)
        done = self.good(*self.twistd, ONE_BUILD='1', **environment)
        text = done + log.read_text()
        for line in text.splitlines():
            word, *rest = line.partition('FINISHED ')[2].split() or ['']
            if word:
                self.assertEqual(rest[0], '0', text)
                return int(word), 'buildbot-interlock' in text
        self.fail(text)

    def lock_tables(self):
        """Return the names of the tables that the release does not have."""
        with closing(sqlite3.connect(self.master / 'state.sqlite')) as database:
            rows = database.execute("select name from sqlite_master where type = 'table'")
            return sorted(name for (name,) in rows if 'lock' in name)

    def assert_all_refused(self, sentence, **environment):
        self.refused(sentence, 'buildbot', 'checkconfig', 'master', **environment)
        self.refused(sentence, 'buildbot', '--version', **environment)
        self.refused(sentence, *self.twistd, **environment)

    def test_life(self):
        """The same master runs on through install, restart, switch, uninstall and downgrade."""
        plain = self.files_of_release()
        first = self.build_once()
        self.assertEqual(first, (1, False))

        # a running master is upgraded: install, restart
        self.good('buildbot', 'start', 'master')
        self.install(WHEEL)
        self.good('buildbot', 'restart', 'master')
        self.good('buildbot', 'stop', 'master')
        self.assertIn('buildbot-interlock', (self.master / 'twistd.log').read_text())

        self.assertIn('is on', self.good('buildbot', '--version'))
        self.assertIn('\non\n', self.good('python', '-m', 'buildbot_overlay'))
        self.assertIn('buildslave version', self.good('buildslave', '--version'))
        self.good('buildslave', 'create-slave', 'slave', 'localhost', 'bot', 'pw')
        self.good('buildbot', 'upgrade-master', 'master')

        # switched off; it is on again below, when the release fits again
        off = {'BUILDBOT_INTERLOCK': 'off'}
        self.assertEqual(self.run_it('python', '-m', 'buildbot_overlay', **off).returncode, 1)
        self.assertFalse(self.build_once(**off)[1])
        neither = (
            "BUILDBOT_INTERLOCK='0' is neither on nor off; unset it, or set it to one of these"
        )
        self.assert_all_refused(neither, BUILDBOT_INTERLOCK='0')

        # another release under it is refused, whatever starts it; the interpreter itself starts
        put_back = self.set_aside('buildbot')
        self.install('buildbot==4.2.1')
        misfit = (
            f'buildbot-interlock {overlay.__version__} was made for buildbot >=4.3,<4.4 and finds'
            f" 4.2.1 in {self.site / 'buildbot'}; install the release it was made for (pip install"
            " 'buildbot>=4.3,<4.4'), or set BUILDBOT_INTERLOCK=off to run the release you have as"
            ' it is'
        )
        self.assert_all_refused(misfit)
        self.good('python', '-c', 'print(1)')
        put_back()

        # its tables are dropped when that is asked for, and made anew by the next start
        tables = sorted([VERSION_TABLE, *OWN_TABLES])
        self.assertEqual(self.lock_tables(), tables)
        told = self.good('buildbot', 'drop-lock-tables', '--quiet', 'master')
        self.assertEqual((told, self.lock_tables()), ('', []))
        number, on = self.build_once()
        self.assertTrue(on)
        self.assertGreater(number, first[0])
        self.assertEqual(self.lock_tables(), tables)
        told = self.good('buildbot', 'drop-lock-tables', 'master')
        self.assertEqual(told.splitlines()[-1], 'the tables for locks have been removed')
        self.assertEqual(self.lock_tables(), [])

        # uninstalled, it leaves the release as it was
        self.pip('uninstall', '-y', 'buildbot-interlock')
        self.assertEqual(self.files_of_release(), plain)
        self.assertEqual(self.build_once()[1], False)
        self.good('buildbot-worker', 'stop', 'slave')
        ours = ('interlock', 'overlay', 'buildslave')
        left = [p.name for p in self.site.iterdir() if any(word in p.name for word in ours)]
        self.assertEqual(left, [])
