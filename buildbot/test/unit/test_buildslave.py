# SPDX-License-Identifier: GPL-2.0-only
"""The worker side under its old name: its command line, its buildbot.tac, and its one class."""

from __future__ import annotations

import builtins
import importlib
import inspect
import io
import os
import subprocess
import sys
import tokenize
from functools import lru_cache
from pathlib import Path

import buildbot_worker
import fissix
import twisted
from fissix import refactor
from parameterized import parameterized
from twisted.python import log
from twisted.python import usage
from twisted.trial import unittest

from buildslave.bot import BuildSlave
from buildslave.scripts import commands
from buildslave.scripts.options import Options
from buildslave.scripts.runner import run
from buildslave.tac import BadDirectory
from buildslave.tac import Tac

MARK = "application = service.Application('buildslave')\n"

RefactoringTool = lru_cache(maxsize=10)(refactor.RefactoringTool)


def known_tool(fixers):
    """Return the same tool for the same fixers: to make one takes longer than all else here."""
    return RefactoringTool(tuple(fixers))


class Directory(unittest.SynchronousTestCase):
    """A slave's directory in which a test writes a buildbot.tac."""

    def setUp(self):
        self.dir = Path(self.mktemp()).resolve()
        self.dir.mkdir()
        self.path = self.dir / 'buildbot.tac'
        self.patch(refactor, 'RefactoringTool', known_tool)
        self.out = io.StringIO()
        self.patch(sys, 'stdout', self.out)

    def write(self, text, encoding='utf-8'):
        self.path.write_bytes(text.encode(encoding))

    def run_command(self, *words):
        options = Options()
        options.parseOptions(words)
        name = options.subOptions.subcommandFunction.rpartition('.')[2]
        return getattr(commands, name)(options.subOptions)

    def refused(self, *words):
        return str(self.assertRaises(BadDirectory, self.run_command, *words))

    def does_not_run(self, why):
        return (
            f"{self.path} does not run on today's Python ({why}); buildslave upgrade-slave"
            f' {self.dir}'
        )

    def words_for(self):
        told = self.out.getvalue().splitlines()
        self.out.seek(0)
        self.out.truncate()
        return told


def of_python(text):
    """What Python says of a text, which is not the same in all versions."""
    try:
        compile(text, 'x', 'exec', dont_inherit=True)
    except SyntaxError as e:
        return f'line {e.lineno}: {e.msg}'
    return None


class Upgrade(Directory):
    @parameterized.expand(
        [
            ('octal', 'umask = 022\n', 'umask = 0o22\n'),
            ('octal_in_a_string', "umask = 022\npw = '022'\n", "umask = 0o22\npw = '022'\n"),
            ('long', 'n = 10L\n', 'n = 10\n'),
            ('print', 'print "a", 1\n', 'print("a", 1)\n'),
            (
                'except',
                'try:\n    import x\nexcept ImportError, e:\n    pass\n',
                'try:\n    import x\nexcept ImportError as e:\n    pass\n',
            ),
            (
                'module_of_0_7',
                'from buildbot.slave.bot import BuildSlave\n',
                'from buildslave.bot import BuildSlave\n',
            ),
            (
                'module_as_a_whole',
                'import buildbot.slave.bot\n',
                'import buildslave.bot\n',
            ),
            ('found_at_run_time', 'has = x.has_key(1)\n', 'has = 1 in x\n'),
            ('module_that_moved', 'import ConfigParser\n', 'import configparser\n'),
            ('windows', 'umask = 022\r\nx = 1\r\n', 'umask = 0o22\r\nx = 1\r\n'),
            ('no_end_of_line', 'umask = 022', 'umask = 0o22\n'),
        ]
    )
    def test_mended(self, _, old, new):
        """What Python 2 knew is what it is today, and a copy with the same mode is kept."""
        self.write(MARK + old)
        self.path.chmod(0o600)
        self.assertEqual(self.run_command('upgrade-slave', str(self.dir)), 0)
        self.assertEqual(self.path.read_bytes().decode(), MARK + new)
        copy = self.dir / 'buildbot.tac.old1'
        self.assertEqual(copy.read_bytes().decode(), MARK + old)
        self.assertEqual([p.stat().st_mode & 0o777 for p in (copy, self.path)], [0o600, 0o600])
        first, *changes = self.words_for()
        self.assertEqual(
            first, f'{self.path}: changed as follows; {copy} is a copy of the original'
        )
        for line in (f'-{old.splitlines()[0]}', f'+{new.splitlines()[0]}'):
            if old.splitlines()[0] != new.splitlines()[0]:
                self.assertIn(line, changes)

    def test_only_changes_are_shown(self):
        """What is shown of the file is what was changed: it has a password in it."""
        self.write(f"{MARK}passwd = 'secret'\numask = 022\n")
        self.run_command('upgrade-slave', str(self.dir))
        self.assertNotIn('secret', self.out.getvalue())

    @parameterized.expand([('nothing_old', 'umask = None\n'), ('print', 'print("a", "b")\n')])
    def test_nothing_to_do(self, _, text):
        """A file that runs today is left as it is, and no copy is made."""
        self.write(MARK + text)
        self.assertEqual(self.run_command('upgrade-slave', str(self.dir)), 0)
        self.assertEqual(os.listdir(self.dir), ['buildbot.tac'])
        self.assertEqual(self.path.read_text(), MARK + text)
        self.assertEqual(self.words_for(), [f'{self.path}: nothing had to be changed'])

    def test_twice(self):
        """A second time there is nothing to do; a copy is never written over."""
        self.write(MARK + 'umask = 022\n')
        self.run_command('upgrade-slave', str(self.dir))
        self.run_command('upgrade-slave', str(self.dir))
        self.assertEqual(sorted(os.listdir(self.dir)), ['buildbot.tac', 'buildbot.tac.old1'])
        self.write(MARK + 'umask = 077\n')
        self.run_command('upgrade-slave', str(self.dir))
        self.assertEqual((self.dir / 'buildbot.tac.old1').read_text(), MARK + 'umask = 022\n')
        self.assertEqual((self.dir / 'buildbot.tac.old2').read_text(), MARK + 'umask = 077\n')

    @parameterized.expand(
        [
            ('first_line', '# -*- coding: latin-1 -*-\n'),
            ('second_line', '#!/usr/bin/python\n# vim: fileencoding=iso-8859-1 :\n'),
        ]
    )
    def test_encoding(self, _, head):
        """twistd takes each file for UTF-8, so one that names another encoding becomes that."""
        self.write(head + MARK + 'name = "J\xfcrgen"\n', 'latin-1')
        why_not = self.does_not_run('it is iso-8859-1, and not UTF-8')
        self.assertEqual(self.refused('start', str(self.dir)), why_not)
        self.run_command('upgrade-slave', str(self.dir))
        lines = self.path.read_text(encoding='utf-8').splitlines()
        self.assertRegex(lines[head.count('\n') - 1], 'coding[:=] ?utf-8')
        self.assertEqual(lines[-1], 'name = "J\xfcrgen"')
        self.words_for()
        self.run_command('upgrade-slave', str(self.dir))
        self.assertEqual(self.words_for(), [f'{self.path}: nothing had to be changed'])

    def test_byte_order_mark(self):
        """The mark that an editor has put in front goes, since twistd does not know it."""
        self.write(MARK, 'utf-8-sig')
        why_not = self.does_not_run(of_python('\ufeff' + MARK))
        self.assertEqual(self.refused('start', str(self.dir)), why_not)
        self.run_command('upgrade-slave', str(self.dir))
        self.assertEqual(self.path.read_text(encoding='utf-8'), MARK)

    @parameterized.expand([('copy', os, 'buildbot.tac.old1'), ('file', builtins, 'buildbot.tac')])
    def test_not_writable(self, _, module, name):
        """What cannot be written is named, all is as it was, and no copy stays."""
        self.write(MARK + 'umask = 022\n')
        real_open = module.open

        def refuse(path, *args, **kwargs):
            if path == self.dir / name:
                raise PermissionError(13, 'Permission denied', str(path))
            return real_open(path, *args, **kwargs)

        self.patch(module, 'open', refuse)
        self.assertEqual(
            self.refused('upgrade-slave', str(self.dir)),
            f'{self.dir / name} cannot be written: Permission denied',
        )
        self.assertEqual(os.listdir(self.dir), ['buildbot.tac'])
        self.assertEqual(self.path.read_text(), MARK + 'umask = 022\n')

    @parameterized.expand([('syntax', 'x = = 022\n'), ('string', 'x = """022\n')])
    def test_beyond_mending(self, _, text):
        """A file that neither Python reads is left as it is, and the line is named."""
        self.write(text + MARK)
        self.assertEqual(
            self.refused('upgrade-slave', str(self.dir)),
            f'{self.path} is left as it is, because it is neither Python 3 nor Python 2:'
            f' {of_python(text + MARK)}; mend it by hand',
        )
        self.assertEqual(self.path.read_text(), text + MARK)
        self.assertEqual(os.listdir(self.dir), ['buildbot.tac'])

    @parameterized.expand(
        [
            (
                'usepty',
                'usepty = 1\n',
                'usepty is ignored: the master decides it, with usePTY=True of the step that needs'
                ' it',
            ),
            (
                'maxdelay',
                'maxdelay = 60\n',
                'maxdelay=60 is ignored: there is at most a minute between two attempts to connect',
            ),
            (
                'name',
                'pw = file("pw").read()\n',
                "line 2: 'file' is gone from Python; write open",
            ),
            (
                'moved',
                "basedir = '/gone'\n",
                'basedir is /gone, and there is no such directory; this one is {dir}',
            ),
            (
                'bytes',
                "passwd = 'p\\xc3\\xa4ss'\n",
                'line 2: Python 2 took \\x80 and above for bytes, today they are letters; write the'
                ' letters that are meant',
            ),
        ]
    )
    def test_remarks(self, _, text, sentence):
        """What runs, but not as it did, is told each time."""
        self.write(MARK + text)
        self.run_command('upgrade-slave', str(self.dir))
        first, *remarks = self.words_for()
        self.assertEqual(first, f'{self.path}: nothing had to be changed')
        self.assertEqual(set(remarks), {sentence.format(dir=self.dir)})

    @parameterized.expand(
        [
            ('by_0_8', "usepty = 0\nmaxdelay = 300\npasswd = 'p\xe4ss'\n"),
            ('relocatable', "basedir = '.'\n"),
            ('own_name', "file = 'pw'\npw = open(file).read()\n"),
        ]
    )
    def test_no_remarks(self, _, text):
        """Of what 0.8 wrote by itself, or runs as it did, nothing is told."""
        self.write(MARK + text)
        self.run_command('upgrade-slave', str(self.dir))
        self.assertEqual(self.words_for(), [f'{self.path}: nothing had to be changed'])

    def test_info(self):
        """A description that the worker could not read is named."""
        self.write(MARK)
        (self.dir / 'info').mkdir()
        (self.dir / 'info' / 'admin').write_bytes('J\xfcrgen'.encode('latin-1'))
        (self.dir / 'info' / 'host').write_text('J\xfcrgen', encoding='utf-8')
        self.run_command('upgrade-slave', str(self.dir))
        admin = self.dir / 'info' / 'admin'
        self.assertEqual(
            self.words_for(),
            [
                f'{self.path}: nothing had to be changed',
                f'{admin} is not UTF-8, so the master cannot show it; save it as UTF-8',
            ],
        )


class Processes(Directory):
    @parameterized.expand([('start',), ('restart',)])
    def test_not_upgraded(self, command):
        """A slave that cannot start is not started nor stopped, and told what to do."""
        self.write(MARK + 'umask = 022\n')
        (self.dir / 'twistd.pid').write_text('not read')
        why_not = self.does_not_run(of_python(MARK + 'umask = 022\n'))
        self.assertEqual(self.refused(command, str(self.dir)), why_not)

    @parameterized.expand([('start',), ('stop',), ('restart',), ('upgrade-slave',)])
    def test_not_a_slave(self, command):
        """A directory of something else is refused."""
        none = f'{self.dir} is not the directory of a slave:'
        self.assertEqual(
            self.refused(command, str(self.dir)), f'{none} {self.path}: No such file or directory'
        )
        self.write("application = service.Application('buildmaster')\n")
        self.assertEqual(
            self.refused(command, str(self.dir)),
            f"{none} there is no Application('buildslave') in {self.path}",
        )

    def test_unreadable(self):
        """A file in no known encoding is told."""
        self.path.write_bytes(b'# \xff\n')
        error = self.assertRaises(BadDirectory, Tac, str(self.dir))
        of_python = self.assertRaises(
            SyntaxError, tokenize.detect_encoding, io.BytesIO(b'# \xff\n').readline
        )
        self.assertEqual(str(error), f'{self.path} cannot be read: {of_python}')

    def test_stop_what_does_not_run(self):
        """To stop a slave that does not run is no error."""
        self.patch(os, 'chdir', lambda path: None)
        self.write(MARK)
        self.assertEqual(self.run_command('stop', str(self.dir)), 0)
        self.assertEqual(self.words_for(), ['the slave is not running'])
        self.run_command('stop', '-q', str(self.dir))
        self.assertEqual(self.words_for(), [])

    @parameterized.expand([('start',), ('stop',), ('restart',)])
    def test_no_pid(self, command):
        """A twistd.pid that names no process is told; above all nothing is signalled."""
        self.write(MARK)
        self.patch(os, 'kill', lambda pid, signum: self.fail(f'{pid} got {signum}'))
        for text in ('', 'x', '0', '-1', '1 2'):
            (self.dir / 'twistd.pid').write_text(text)
            self.assertEqual(
                self.refused(command, str(self.dir)),
                f'{self.dir}/twistd.pid does not contain the id of a process, but {text!r}; remove'
                ' it if the slave is not running',
            )

    def test_pid_of_another_user(self):
        """A process that is not the user's is named, and not stopped."""
        self.write(MARK)
        (self.dir / 'twistd.pid').write_text('12')

        def kill(pid, signum):
            self.assertEqual((pid, signum), (12, 0))
            raise PermissionError

        self.patch(os, 'kill', kill)
        self.assertEqual(
            self.refused('stop', str(self.dir)),
            f'{self.dir}/twistd.pid names process 12, which is not yours; use the account of the'
            ' slave, or remove the file if the slave is not running',
        )

    def test_left_over(self):
        """A process that is no more does not run."""
        self.write(MARK)

        def kill(pid, signum):
            raise ProcessLookupError

        self.patch(os, 'kill', kill)
        (self.dir / 'twistd.pid').write_text('12')
        self.assertEqual(self.run_command('stop', str(self.dir)), 0)
        self.assertEqual(self.words_for(), ['the slave is not running'])

    def test_start_twice(self):
        """What runs already is not started again, and told what to do."""
        self.write(MARK)
        (self.dir / 'twistd.pid').write_text(str(os.getpid()))
        self.assertEqual(
            self.refused('start', str(self.dir)),
            f'the slave in {self.dir} is already running as process {os.getpid()}; buildslave'
            f' restart {self.dir}',
        )


class Command(Directory):
    @parameterized.expand(
        [
            ('no_command', [], 'must specify a command\n\nUsage: .*buildslave <command>'),
            ('unknown', ['dance'], 'Unknown command: dance\n'),
            ('too_few', ['create-slave', 'a'], 'incorrect number .*\n\nUsage: .*create-slave'),
            ('too_many', ['start', 'a', 'b'], "I wasn't .*\n\nUsage: .*buildslave start"),
            ('no_directory', ['start', 'a'], 'a is not the directory of a slave: [^\n]*$'),
        ]
    )
    def test_refused(self, _, words, expected):
        """What cannot be done is told in one sentence, and how it is called if it was miscalled."""
        self.patch(sys, 'argv', ['buildslave', *words])
        refusal = self.assertRaises(SystemExit, run)
        self.assertRegex(refusal.code, f'^buildslave: .*{expected}')

    def test_done(self):
        """What has been done is no error."""
        self.write(MARK)
        self.patch(sys, 'argv', ['buildslave', 'upgrade-slave', str(self.dir)])
        self.assertEqual(self.assertRaises(SystemExit, run).code, 0)


class Create(Directory):
    def options(self, *words):
        options = Options()
        options.parseOptions(['create-slave', *words, 'bot', 'host:99', 'name', 'pw'])
        return options.subOptions

    def test_arguments(self):
        """All that 0.8 takes is taken."""
        options = self.options(
            *('--force', '--relocatable', '--no-logrotate', '--quiet', '--keepalive=1'),
            *('--usepty=1', '--umask=022', '--maxdelay=2', '--log-size=3', '--log-count=4'),
            '--allow-shutdown=file',
        )
        expected = {
            **{'basedir': os.path.abspath('bot'), 'host': 'host', 'port': 99, 'name': 'name'},
            **{'passwd': 'pw', 'force': 1, 'relocatable': 1, 'no-logrotate': 1, 'quiet': 1},
            **{'keepalive': 1, 'usepty': 1, 'umask': '0o22', 'maxdelay': 2, 'log-size': 3},
            **{'log-count': '4', 'allow-shutdown': 'file'},
        }
        self.assertEqual({word: options[word] for word in expected}, expected)

    def test_short_arguments(self):
        """So are the short options."""
        options = self.options(*'-f -r -n -q -k 1 -s 3 -l None -a signal'.split())
        expected = {'force': 1, 'relocatable': 1, 'no-logrotate': 1, 'quiet': 1, 'keepalive': 1}
        expected.update({'log-size': 3, 'log-count': 'None', 'allow-shutdown': 'signal'})
        self.assertEqual({word: options[word] for word in expected}, expected)

    @parameterized.expand(
        [
            ('None', 'None'),
            ('022', '0o22'),
            ('0', '0'),
            ('00', '0o0'),
            ('0o77', '0o77'),
            ('18', '18'),
            ('08', None),
            ('0o8', None),
            ('x', None),
        ]
    )
    def test_umask(self, given, expected):
        """A umask is octal if it begins with 0, as Python 2 had it."""
        if expected is None:
            self.assertRaises(usage.UsageError, self.options, f'--umask={given}')
        else:
            self.assertEqual(self.options(f'--umask={given}')['umask'], expected)

    @parameterized.expand(
        [('usepty',), ('keepalive',), ('maxdelay',), ('log-size',), ('log-count',)]
    )
    def test_not_a_number(self, name):
        """What must be a number is asked for by its name."""
        with self.assertRaisesRegex(usage.UsageError, f'{name} .*number'):
            self.options(f'--{name}=x')

    def test_directory(self):
        """The directory that is made can be started, and needs no upgrade."""
        new = self.dir / 'new'
        words = ('create-slave', '--umask=022', '--usepty=1', str(new), 'host', 'name', 'pw')
        self.assertEqual(self.run_command(*words), 0)
        self.flushWarnings()  # buildbot-worker leaves files open that it has written
        sentence = (
            'usepty is ignored: the master decides it, with usePTY=True of the step that needs it'
        )
        self.assertIn(sentence, self.words_for())
        tac = Tac(str(new))
        self.assertIsNone(tac.why_not())
        self.assertIn('umask = 0o22\n', tac.text)
        self.assertEqual(sorted(os.listdir(new / 'info')), ['admin', 'host'])


class Class(unittest.SynchronousTestCase):
    # buildbot-slave 0.8.14
    ARGUMENTS = (
        'buildmaster_host port name passwd basedir keepalive usePTY keepaliveTimeout umask maxdelay'
        ' unicode_encoding allow_shutdown'
    ).split()

    def setUp(self):
        self.dir = self.mktemp()
        os.mkdir(self.dir)
        self.log = []
        log.addObserver(self.log.append)
        self.addCleanup(log.removeObserver, self.log.append)

    def test_arguments(self):
        """The arguments have the names and the order of 0.8."""
        self.assertEqual(list(inspect.signature(BuildSlave).parameters), self.ARGUMENTS)

    @parameterized.expand([('positional', True), ('by_name', False)])
    def test_is_a_worker(self, _, positional):
        """The slave that is made is a worker with these settings."""
        values = ['host', 9989, 'bot', 'pw', self.dir, 60, 0, 5, 0o22, 300, 'latin-1', 'file']
        if positional:
            slave = BuildSlave(*values)
        else:
            slave = BuildSlave(**dict(zip(self.ARGUMENTS, values)))
        self.assertIsInstance(slave, buildbot_worker.bot.Worker)
        self.assertEqual((slave.name, slave.basedir, slave.umask), ('bot', self.dir, 0o22))
        self.assertEqual((slave.bot.unicode_encoding, slave.allow_shutdown), ('latin-1', 'file'))
        self.assertEqual(slave.bf.keepaliveInterval, 60)
        self.assertEqual([event for event in self.log if 'ignored' in str(event)], [])

    def test_moved(self):
        """A directory that is not where the file says it is, is told with the slave's name."""
        error = self.assertRaises(
            NotADirectoryError, BuildSlave, 'host', 9989, 'bot', 'pw', '/gone', 0, 0
        )
        sentence = "basedir of slave 'bot' is /gone, which is not a directory"
        self.assertEqual(str(error), sentence)

    def test_ignored(self):
        """What means nothing any more is told in the log."""
        BuildSlave('host', 9989, 'bot', 'pw', self.dir, 0, True, maxdelay=30)
        told = [event['message'][0] for event in self.log if 'ignored' in str(event)]
        self.assertEqual(
            told,
            [
                'usepty is ignored: the master decides it, with usePTY=True of the step that needs'
                ' it',
                'maxdelay=30 is ignored: there is at most a minute between two attempts to connect',
            ],
        )

    @parameterized.expand(
        [
            ('buildslave.runprocess', None, 'buildslave.runprocess'),
            ('buildslave.commands.base', None, 'buildslave.commands'),
            ('buildslave', 'commands', 'buildslave.commands'),
            ('buildslave.bot', 'SlaveBuilder', 'buildslave.bot.SlaveBuilder'),
            ('buildslave.bot', 'Bot', 'buildslave.bot.Bot'),
        ]
    )
    def test_what_is_not_there(self, module, name, missing):
        """What 0.8 had besides is an error that says where to look."""
        with self.assertRaises(ImportError) as refused:
            importlib.import_module(module)
            exec(f'from {module} import {name}')
        self.assertEqual(
            str(refused.exception),
            f'{missing} is not there: of buildbot-slave 0.8 there are the command buildslave and'
            ' buildslave.bot.BuildSlave; look for all else in buildbot_worker',
        )

    @parameterized.expand(
        [
            ('buildbot_worker', 'start', 'buildbot-worker>=4.3,<4.4'),
            ('fissix', 'upgrade-slave', 'fissix'),
        ]
    )
    def test_what_it_needs(self, package, command, what):
        """Without a library that it needs, the command says what to install, and no more."""
        site = Path(twisted.__file__).parent.parent
        copy = Path(self.mktemp()).resolve()
        copy.mkdir()
        for path in site.iterdir():
            if path.name != package and path.suffix != '.pth':
                (copy / path.name).symlink_to(path)
        for other in (buildbot_worker, fissix):  # which may have been installed to be edited
            if other.__name__ != package and not (copy / other.__name__).exists():
                (copy / other.__name__).symlink_to(Path(other.__file__).parent)
        directory = Path(self.dir).resolve()
        (directory / 'buildbot.tac').write_text(MARK + 'umask = 022\n')
        code = 'from buildslave.scripts.runner import run; run()'
        done = subprocess.run(
            [sys.executable, '-S', '-c', code, command, str(directory)],
            env={'PYTHONPATH': str(copy)},
            capture_output=True,
            text=True,
        )
        self.assertEqual(done.returncode, 1)
        sentence = f"buildslave: buildslave needs {package}: pip install '{what}'\n"
        self.assertEqual(done.stderr, sentence)
