# SPDX-License-Identifier: GPL-2.0-only
"""What Buildbot 0.8 left behind goes on: a slave's directory, and a master's configuration."""

from __future__ import annotations

import contextlib
import io
import os
import re
import warnings
from pathlib import Path

from twisted.internet import defer
from twisted.internet import error
from twisted.internet import protocol
from twisted.internet import reactor
from twisted.internet.utils import getProcessOutputAndValue
from twisted.trial import unittest

from buildbot.config.locks import locks_of_builder
from buildbot.config.master import FileLoader
from buildbot.config.steps import steps_of_builder
from buildbot.scripts.checkconfig import checkconfig
from buildbot.test.util.processes import PATIENCE
from buildbot.test.util.reallabfiles import BIN
from buildbot.test.util.reallabfiles import QUICK_MASTER
from buildbot.test.util.reallabfiles import empty_database
from buildbot.warnings import DeprecatedApiWarning

EXAMPLES = Path(__file__).parent / 'examples'

WORDS = [
    "BuildSlave is Worker today (worker 'bot1', worker 'bot2')",
    "SlaveLock is WorkerLock today (lock 'cpu', lock 'jtag')",
    "maxCountForSlave is maxCountForWorker today (lock 'cpu')",
    "c['slaves'] is c['workers'] today",
    "c['slavePortnum'] is c['protocols'] = {'pb': {'port': ...}} today",
    "slavenames is workernames today (builder 'firmware')",
    "slavename is workername today (builder 'manual')",
    "slavebuilddir is workerbuilddir today (builder 'manual')",
]

# the command, which else would give a slave ten seconds to start
PATIENT = f"""
from buildbot_worker.scripts.logwatcher import LogWatcher
LogWatcher.TIMEOUT_DELAY = {PATIENCE}
from buildslave.scripts.runner import run
run()
"""

# the example as it stands, and what only a test wants of its master
CONFIG = """
exec(open({example!r}).read())

from buildbot.util.service import BuildbotService

class Tell(BuildbotService):
    name = 'tell'

    def startService(self):
        for key in ('builds', 'steps'):
            self.master.mq.startConsuming(self.finished, (key, None, 'finished'))
        return super().startService()

    def finished(self, key, row):
        if key[0] == 'steps':
            print('STEP', row['name'], row['results'])
        else:
            print('BUILD', row['builderid'], row['results'])

c['slavePortnum'] = 'tcp:0:interface=127.0.0.1'
c['buildbotNetUsageData'] = None
c['services'] = [Tell('tell')]
c['schedulers'].append(schedulers.Periodic(
    name='once', builderNames=['firmware', 'manual'], periodicBuildTimer=1000000))
"""

# what the create-slave of 0.8 leaves, with the settings in which Python 2 is not Python 3
SLAVE = """
from buildslave.bot import BuildSlave
from twisted.application import service
import os

basedir = {basedir!r}
application = service.Application('buildslave')
try:
  from twisted.python.log import FileLogObserver, ILogObserver
  from twisted.python.logfile import LogFile
  logfile = LogFile.fromFullPath(
      os.path.join(basedir, "twistd.log"), rotateLength=10000000, maxRotatedFiles=10)
  application.setComponent(ILogObserver, FileLogObserver(logfile).emit)
except ImportError, e:
  print "no log:", e

umask = 022
usepty = 1
slave = BuildSlave('127.0.0.1', {port}, 'bot1', 'secret', basedir, 600, usepty, umask=umask,
                   maxdelay=300, allow_shutdown=None)
slave.setServiceParent(application)
"""

MAKE = """#!/bin/sh
echo "made $1 with umask $(umask)" >> "$MADE"
"""


class Lines(protocol.ProcessProtocol):
    """The output of a process, and who waits for a line of it.

    :ivar text: all of it up to now.
    :ivar ended: Deferred that fires when the process has ended.
    """

    def __init__(self):
        self.text = ''
        self.ended = defer.Deferred()
        self._waiting = []

    def wait_for(self, pattern, count=1):
        """Return a Deferred of the matches of a pattern, as soon as there are so many."""
        d = defer.Deferred()
        self._waiting.append((re.compile(pattern, re.MULTILINE), count, d))
        self._look()
        return d

    def childDataReceived(self, fd, data):
        self.text += data.decode()
        self._look()

    def _look(self):
        for waiting in list(self._waiting):
            pattern, count, d = waiting
            found = pattern.findall(self.text)
            if len(found) >= count:
                self._waiting.remove(waiting)
                d.callback(found)

    def processEnded(self, reason):
        for _, _, d in self._waiting:
            d.errback(AssertionError(self.text))
        self._waiting = []
        self.ended.callback(None)


class Case(unittest.TestCase):
    timeout = 3 * PATIENCE  # of all processes together

    def setUp(self):
        self.base = Path(self.mktemp()).resolve()
        self.base.mkdir()
        self.made = self.base / 'made'
        tools = self.base / 'bin'
        tools.mkdir()
        (tools / 'make').write_text(MAKE)
        (tools / 'make').chmod(0o755)
        ours = ('BUILDBOT', 'PYTHON')
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
        self.env['PATH'] = os.pathsep.join([str(tools), str(BIN), self.env.get('PATH', '')])
        self.env['MADE'] = str(self.made)

    @defer.inlineCallbacks
    def run_command(self, program, *words, expected=0):
        """Run a command, and return all that it has printed."""
        out, err, code = yield getProcessOutputAndValue(
            str(BIN / program), words, env=self.env, path=str(self.base)
        )
        text = (out + err).decode()
        self.assertEqual(code, expected, f'{program} {words}: {text}')
        return text


class Examples(unittest.SynchronousTestCase):
    def check(self, name):
        """Return what is told of the old words in an example, each with its place there."""
        path = str(EXAMPLES / f'{name}.cfg')
        with contextlib.redirect_stdout(io.StringIO()) as out:
            status = checkconfig._orig({'configFile': path, 'quiet': False})
        self.assertEqual((status, out.getvalue()), (0, 'Config file is good!\n'))
        told = self.flushWarnings()
        for warning in told:
            place = (warning['category'], warning['filename'])
            self.assertEqual(place, (DeprecatedApiWarning, path))
        return [w['message'].partition('] ')[2] for w in told]

    def test_old(self):
        """checkconfig takes the old example, and tells each of its old words in one line."""
        self.assertEqual(sorted(self.check('migration_old')), sorted(WORDS))

    def test_today(self):
        """checkconfig finds no old word in the example of today."""
        self.assertEqual(self.check('migration_today'), [])

    def read(self, name):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            config = FileLoader(str(EXAMPLES), f'{name}.cfg').loadConfig()
        return (
            config.protocols,
            [w.name for w in config.workers],
            [
                (b.name, b.workernames, b.builddir, b.workerbuilddir, self.locks(b))
                for b in config.builders
            ],
        )

    def locks(self, builder):
        return [lockid for lockid, _ in locks_of_builder(builder, steps_of_builder(builder))]

    def test_both_mean_the_same(self):
        """The two examples are one configuration."""
        old, today = self.read('migration_old'), self.read('migration_today')
        self.assertEqual([len(row[4]) for row in old[2]], [3, 0])
        self.assertEqual(old, today)


class Life(Case):
    @defer.inlineCallbacks
    def start_master(self):
        """Start a master with the old example; return the port for its workers."""
        directory = self.base / 'master'
        directory.mkdir()
        (directory / 'state.sqlite').write_bytes(empty_database())
        (directory / 'buildbot.tac').write_text(QUICK_MASTER)
        config = CONFIG.format(example=str(EXAMPLES / 'migration_old.cfg'))
        (directory / 'master.cfg').write_text(config)
        self.master = Lines()
        process = reactor.spawnProcess(
            self.master,
            str(BIN / 'twistd'),
            ['twistd', '--nodaemon', '--no_save', '--python=buildbot.tac'],
            env=self.env,
            path=str(directory),
        )
        self.addCleanup(self.end, process)
        self.process = process
        (port,) = yield self.master.wait_for(r'PBServerFactory starting on (\d+)')
        return port

    def end(self, process):
        try:
            process.signalProcess('TERM')
        except error.ProcessExitedAlready:
            pass
        return self.master.ended

    @defer.inlineCallbacks
    def test_life(self):
        """A slave's directory is upgraded, and the slave builds for a master with old words."""
        port = yield self.start_master()
        slave = self.base / 'slave'
        (slave / 'info').mkdir(parents=True)
        (slave / 'info' / 'admin').write_text('Someone <someone@example.org>\n')
        (slave / 'info' / 'host').write_text('beside the board\n')
        tac = slave / 'buildbot.tac'
        tac.write_text(SLAVE.format(basedir=str(slave), port=port))

        text = yield self.run_command('buildslave', 'start', 'slave', expected=1)
        (sentence,) = text.splitlines()
        start, end = (
            f"buildslave: {tac} does not run on today's Python (line ",
            'buildslave upgrade-slave',
        )
        self.assertTrue(sentence.startswith(start), text)
        self.assertTrue(sentence.endswith(f'); {end} {slave}'), text)
        text = yield self.run_command('buildslave', 'upgrade-slave', 'slave')
        self.assertIn('\n+umask = 0o22\n', text)
        self.addCleanup(self.run_command, 'buildslave', 'stop', 'slave')
        text = yield self.run_command('python', '-c', PATIENT, 'start', 'slave')
        self.assertIn('started correctly', text)
        self.assertIn('usepty is ignored', (slave / 'twistd.log').read_text())

        builds = yield self.master.wait_for(r'BUILD (\d+) (\d+)$', 2)
        self.assertEqual(sorted(builds), [('1', '0'), ('2', '0')], self.master.text)
        made = self.made.read_text().splitlines()
        self.assertEqual(
            sorted(made),
            sorted(
                f'made {n} with umask 0022' for n in ('all', 'flash', 'boot', 'measure', 'print')
            ),
        )
        self.assertIn('STEP test 0', self.master.text)
        self.assertIn('STEP test/measure 0', self.master.text)
        self.assertTrue((slave / 'book').is_dir())

        # each word stands once in the log of the start, and once in that of the reconfig
        self.process.signalProcess('HUP')
        yield self.master.wait_for('configuration update complete')
        told = re.findall(r'DeprecatedApiWarning: \[.*?\] (.*)', self.master.text)
        self.assertEqual(sorted(told), sorted([*WORDS, *WORDS]), self.master.text)

        text = yield self.run_command('python', '-c', PATIENT, 'restart', 'slave')
        self.assertIn('started correctly', text)
        text = yield self.run_command('buildslave', 'stop', 'slave')
        self.assertIn('is dead', text)
        self.assertFalse((slave / 'twistd.pid').exists())
