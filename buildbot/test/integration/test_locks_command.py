# SPDX-License-Identifier: GPL-2.0-only
"""``buildbot locks`` against a master in a process of its own, from its log-in to Ctrl-C."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import signal
import subprocess
import termios
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

from twisted.internet import defer
from twisted.internet import reactor
from twisted.trial import unittest

from buildbot.clients.locks.command import run
from buildbot.scripts.locks import LocksOptions
from buildbot.test.util.processes import PATIENCE
from buildbot.test.util.reallabfiles import BIN
from buildbot.test.util.reallabfiles import QUICK_MASTER
from buildbot.test.util.reallabfiles import empty_database

CONFIG = """
from buildbot.plugins import schedulers, steps, util, worker

lab = util.MasterLock('lab')
holds = steps.ShellCommand(name='hold', command=['cat', PIPE])

def builder(name, locks):
    return util.BuilderConfig(
        name, workernames=['w1', 'w2'], factory=util.BuildFactory([holds]), locks=locks)

c = BuildmasterConfig = {
    'workers': [worker.LocalWorker('w1'), worker.LocalWorker('w2')],
    'builders': [builder('first', [lab.access('exclusive')])],
    'schedulers': [
        schedulers.Periodic('twice', builderNames=['first'], periodicBuildTimer=3600),
        schedulers.Periodic('again', builderNames=['first'], periodicBuildTimer=3600),
    ],
    'collapseRequests': False,
    'protocols': {'null': {}},
    'db': {'db_url': 'sqlite:///state.sqlite'},
    'www': {
        'port': 'tcp:0:interface=127.0.0.1',
        'auth': util.UserPasswordAuth({'joe': 'secret'}),
        'authz': util.Authz(
            allowRules=[util.AnyEndpointMatcher(role='people')],
            roleMatchers=[util.RolesFromUsername(roles=['people'], usernames=['joe'])],
        ),
    },
    'buildbotNetUsageData': None,
}
"""


class Told:
    """A process, and what it has said until now."""

    def __init__(self, test: Any, *command: Any, **words: Any) -> None:
        self.process = subprocess.Popen(
            list(map(str, command)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # where the tests run in the background, Ctrl-C is ignored by all that they start
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads
            **words,
        )
        self.said: list[str] = []
        self.test = test
        test.addCleanup(self.end)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Read what it says until a line fits; return the match."""
        assert self.process.stdout is not None
        previous = signal.signal(signal.SIGALRM, lambda *_: self.process.kill())
        signal.alarm(PATIENCE)
        try:
            for line in self.process.stdout:
                self.said.append(line)
                found = re.search(pattern, line)
                if found:
                    return found
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, previous)
        raise self.test.failureException(f'no {pattern!r} in {"".join(self.said)}')

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


def take_terminal() -> None:
    """Make standard input the terminal of this process, at which Ctrl-C ends it."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell has what it runs beside it ignore that


class RealMaster(unittest.TestCase):
    if find_spec('buildbot_www') is None:
        skip = 'there is no buildbot-www'

    timeout = 3 * PATIENCE  # of all processes together

    def setUp(self):
        base = Path(self.mktemp()).resolve()
        base.mkdir()
        self.pipe = base / 'pipe'
        os.mkfifo(self.pipe)
        self.addCleanup(self.end_readers)
        kept = {k: v for k, v in os.environ.items() if not k.startswith('BUILDBOT_LOCKS')}
        self.environment = {**kept, 'COLUMNS': '200', 'HOME': str(base), 'TZ': 'UTC'}
        directory = base / 'master'
        directory.mkdir()
        (directory / 'state.sqlite').write_bytes(empty_database())
        (directory / 'buildbot.tac').write_text(QUICK_MASTER)
        (directory / 'master.cfg').write_text(f'PIPE = {str(self.pipe)!r}\n{CONFIG}')
        self.base = base
        self.master = Told(
            self,
            *(BIN / 'twistd', '--nodaemon', '--pidfile=', '-y', 'buildbot.tac'),
            cwd=directory,
            env=self.environment,
        )
        port = self.master.wait_for(r'BuildbotSite starting on (\d+)').group(1)
        self.url = f'http://127.0.0.1:{port}/'
        self.master.wait_for(r'build request \d+ of first waits for lab')

    def end_readers(self) -> None:
        """Let what waits at the pipe end: the master that has started it was killed."""
        os.close(os.open(self.pipe, os.O_RDWR | os.O_NONBLOCK))

    def locks(self, *arguments: str, **environment: str) -> Any:
        """Run the command; return what it writes, what else it says, and its status."""
        done = subprocess.run(
            [str(BIN / 'buildbot'), 'locks', *arguments],
            cwd=self.base,
            env={**self.environment, 'BUILDBOT_LOCKS_MASTER': self.url, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        return re.sub(r'\b\d+ s\b', 'N s', done.stdout), done.stderr, done.returncode

    def answered(self, keys: bytes, *arguments: str, **environment: str) -> Any:
        """Run the command at a terminal, and type keys at its question.

        :returns: what stands on the terminal then, and the status.
        """
        ours, its = pty.openpty()
        process = subprocess.Popen(
            [str(BIN / 'buildbot'), 'locks', *arguments],
            cwd=self.base,
            env={**self.environment, 'BUILDBOT_LOCKS_MASTER': self.url, **environment},
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
            preexec_fn=take_terminal,  # noqa: PLW1509 - no threads
        )
        os.close(its)
        said = b''
        limit = threading.Timer(PATIENCE, process.kill)
        limit.start()
        try:
            while not said.endswith(b'[y/N] '):
                said += os.read(ours, 1000)
            os.write(ours, keys)
            while True:
                said += os.read(ours, 1000)
        except OSError:  # it has ended
            pass
        finally:
            limit.cancel()
            os.close(ours)
        text = said.decode().replace('\r\n', '\n')
        return re.sub(r'\b\d+ s\b', 'N s', text), process.wait(PATIENCE)

    @defer.inlineCallbacks
    def told(self, *arguments: str, **environment: str) -> Any:
        """Return the same as ``locks``, of a command that runs in this process."""
        words = {**self.environment, 'BUILDBOT_LOCKS_MASTER': self.url, **environment}
        out, err = io.StringIO(), io.StringIO()
        with mock.patch.dict(os.environ, words, clear=True):
            parsed = LocksOptions()
            parsed.parseOptions(arguments)
            command = run(reactor, parsed.subOptions, out, err, None)
            status = yield defer.Deferred.fromCoroutine(command)
        return re.sub(r'\b\d+ s\b', 'N s', out.getvalue()), err.getvalue(), status

    def test_question(self):
        """Only a yes at the terminal goes on; Ctrl-C there ends the command as anywhere."""
        words = {'BUILDBOT_LOCKS_USER': 'joe', 'BUILDBOT_LOCKS_PASSWD': 'secret', 'NO_COLOR': '1'}
        kick = ('kick', 'lab', '--reason', 'enough')
        question = (
            'lab: 1 of 1 in use, exclusive, 1 waiting, the oldest for N s\n'
            '  WHO                                  FOR  HOW\n'
            '  first #1                    holds    N s  exclusive\n'
            '  build request 2 of first    place 1  N s  exclusive\n'
            'lab: stop the build of first #1; continue? [y/N] '
        )
        for keys, rest, status in [
            (b'n\n', 'n\nbuildbot locks: nothing was done\n', 1),
            (b'\x03', '^C', 130),
            (b'y\n', 'y\nlab: the build of first #1 is being stopped\n', 0),
        ]:
            said, code = self.answered(keys, *kick, **words)
            self.assertEqual(
                (re.sub(' +', ' ', said), code), (re.sub(' +', ' ', question + rest), status)
            )
        self.master.wait_for(r'joe has ended what first #1 holds \(enough\)')

    @defer.inlineCallbacks
    def test_all(self):
        """Only who may see it is told who holds a lock, who waits, why, and what happens next."""
        self.assertEqual(
            (yield self.told('list')),
            (
                '',
                f'buildbot locks: {self.url} does not show this to a user who has not logged in'
                ' (see --user)\n',
                1,
            ),
        )
        wrong = {'BUILDBOT_LOCKS_USER': 'joe', 'BUILDBOT_LOCKS_PASSWD': 'guess'}
        sentence = f'buildbot locks: {self.url} does not accept this password for the user joe\n'
        self.assertEqual((yield self.told('list', **wrong)), ('', sentence, 1))
        joe = {'BUILDBOT_LOCKS_USER': 'joe', 'BUILDBOT_LOCKS_PASSWD': 'secret'}

        rows = json.loads(self.locks('list', '--json', **joe)[0])['locks']
        self.assertEqual([row['name'] for row in rows], ['lab'])
        shown, said, status = yield self.told('show', 'lab', **joe)
        self.assertEqual((said, status), ('', 0))
        self.assertRegex(
            shown,
            r'^lab: master lock \d+, 1 copy, 1 of 1 in use, 1 waiting, the oldest for N s\n\n'
            r'lab: 1 of 1 in use, exclusive, 1 waiting, the oldest for N s\n'
            r' +WHO +FOR +HOW\n'
            r'  first #1 +holds +N s +exclusive\n'
            r'  build request 2 of first +place 1 +N s +exclusive\n$',
        )
        page = f'{self.url}#/buildrequests/2'
        why, said, status = yield self.told('why', page, '-m', self.url, **joe)
        self.assertEqual((said, status), ('', 0))
        self.assertTrue(why.startswith('build request 2 of first waits, for 1 reason:\n'), why)
        self.assertIn('1. waiting for lab: held by first #1 (under a minute)\n', why)
        page = f'{self.url}#/builders/1/builds/1'
        self.assertEqual(
            (yield self.told('why', page, '-m', self.url, **joe)),
            ('first #1 waits for nothing\n', '', 0),
        )

        watch = Told(
            self,
            *(BIN / 'buildbot', 'locks', 'watch', 'lab'),
            env={**self.environment, **joe, 'BUILDBOT_LOCKS_MASTER': self.url},
        )
        watch.wait_for('^buildbot locks: watching; press Ctrl-C to stop$')
        self.pipe.write_text('enough\n')
        watch.wait_for(r'^\d\d:\d\d:\d\d  released  lab: ')
        watch.wait_for(r'^\d\d:\d\d:\d\d  claimed   lab: 1 of 1 in use, exclusive$')
        watch.process.send_signal(signal.SIGINT)
        rest, _ = watch.process.communicate(timeout=PATIENCE)
        self.assertEqual(watch.process.returncode, 0, rest)
        self.assertNotIn('Traceback', ''.join(watch.said) + rest)
