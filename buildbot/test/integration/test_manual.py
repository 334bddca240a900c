# SPDX-License-Identifier: GPL-2.0-only
"""The manual: its examples are good configurations, and it shows no other Python than theirs."""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.data import lockactions
from buildbot.data import locks
from buildbot.data import lockuses
from buildbot.data import reasons
from buildbot.data.base import ResourceType
from buildbot.data.lockhand import ACTIONS
from buildbot.data.types import List
from buildbot.locking.copy import NEWS
from buildbot.locks import BaseLockId
from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.eye.reason import KINDS
from buildbot.process.groups.step import StepGroup
from buildbot.scripts.checkconfig import checkconfig
from buildbot.scripts.locks import LocksOptions
from buildbot.warnings import DeprecatedApiWarning

SOURCE = os.environ.get('INTERLOCK_SOURCE')
EXAMPLES = Path(__file__).parent / 'examples'
FILES = sorted(EXAMPLES.glob('*.cfg'))
# blocks of these languages are typed into a shell, or printed
OTHER_LANGUAGES = ('console', 'sh', 'shell', 'bash', 'text', 'none', 'yaml')


class Examples(unittest.SynchronousTestCase):
    def check(self, text):
        path = Path(self.mktemp())
        path.write_text(text)
        with contextlib.redirect_stderr(io.StringIO()) as errors:
            status = checkconfig._orig({'configFile': str(path.resolve()), 'quiet': False})
        return status, errors.getvalue()

    @parameterized.expand([(path.stem,) for path in FILES])
    def test_checkconfig(self, name):
        """checkconfig has nothing to say against an example, but for that of 0.8 its old words."""
        with contextlib.redirect_stdout(io.StringIO()):
            status, errors = self.check((EXAMPLES / f'{name}.cfg').read_text())
        self.assertEqual((status, errors), (0, ''))
        of_words = [w for w in self.flushWarnings() if w['category'] is DeprecatedApiWarning]
        self.assertEqual(bool(of_words), name == 'migration_old')

    @parameterized.expand(
        [
            (
                'word',
                "lock.access('counting', 3)",
                "lock.access('counting', 9)",
                '9 units can',
            ),
            ('name', 'BranchLock', 'BrunchLock', 'BrunchLock'),
        ]
    )
    def test_broken(self, _, good, bad, sentence):
        """An example that is wrong would be found."""
        text = (EXAMPLES / 'lock_modes.cfg').read_text() + "\nlock = util.BranchLock('x')\n"
        text = text.replace('database.access', 'lock.access').replace('database =', 'lock =')
        self.assertIn(good, text)
        status, errors = self.check(text.replace(good, bad))
        self.assertEqual(status, 1)
        self.assertIn(sentence, errors)
        self.flushLoggedErrors()

    def test_command(self):
        """The command itself says that an example is good."""
        done = subprocess.run(
            [Path(sys.executable).with_name('buildbot'), 'checkconfig', EXAMPLES / 'readme.cfg'],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn('Config file is good!', done.stdout)


class Block:
    """A literal block of a page.

    :ivar language: what the page says it is written in; empty if it does not.
    """

    def __init__(self, language, lines):
        self.language = language
        self.text = textwrap.dedent('\n'.join(lines)).strip('\n')

    @property
    def is_python(self):
        if self.language in OTHER_LANGUAGES:
            return False
        return bool(self.language) or self._is_code() or self._names_plugins()

    def _is_code(self):
        try:
            tree = ast.parse(self.text)
        except SyntaxError:
            return False
        kinds = (ast.Call, ast.Assign, ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef)
        return any(isinstance(node, kinds) for node in ast.walk(tree))

    def _names_plugins(self):
        return re.search(r'\b(util|steps|schedulers|worker)\.[A-Z]\w+\(|\bc\[', self.text)

    def stands_in(self, text):
        return re.sub(r'\s+', ' ', self.text) in re.sub(r'\s+', ' ', text)


def blocks_of(page):
    """Yield the literal blocks of a page, each as a ``Block``."""
    lines = page.read_text(encoding='utf-8').splitlines()
    while lines:
        line = lines.pop(0)
        directive = re.match(r'\s*\.\. (?:code-block|code|sourcecode)::\s*(\S*)', line)
        if not directive and (line.lstrip().startswith('..') or not line.endswith('::')):
            continue
        margin = len(line) - len(line.lstrip())
        inside = []
        while lines and (not lines[0].strip() or len(lines[0]) - len(lines[0].lstrip()) > margin):
            inside.append(lines.pop(0))
        if directive:  # its options
            inside = [at for at in inside if not re.match(r'\s+:[\w-]+:', at)]
        yield Block(directive.group(1) if directive else '', inside)


def is_resource(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, ResourceType) and kind is not ResourceType


class DataApi(unittest.SynchronousTestCase):
    """The reference of the data API says what the code says."""

    if SOURCE is None:
        skip = 'INTERLOCK_SOURCE does not name the checkout with the manual; `make test` does'

    kinds = [
        kind
        for m in (lockactions, locks, lockuses, reasons)
        for kind in vars(m).values()
        if is_resource(kind)
    ]

    def setUp(self):
        text = (Path(SOURCE) / 'docs' / 'data-api-locks.rst').read_text()
        titles = re.split(r'^(\w[^\n]*)\n(?:-{3,})$', text, flags=re.MULTILINE)
        self.intro, self.sections = titles[0], dict(zip(titles[1::2], titles[2::2]))

    def first_cells(self, text):
        return re.findall(r'^``([^`]+)``', text, re.MULTILINE)

    @parameterized.expand([(kind.name, kind) for kind in kinds])
    def test_fields(self, name, kind):
        """Each field is named, once, with its type, and no other."""
        said = self.first_cells(self.sections[name])
        if name == 'waiter':
            of_holder = self.first_cells(self.sections['holder'])
            said += [field for field in of_holder if field not in ('holderid', 'resources')]
        self.assertEqual(sorted(said), sorted(kind.entityType.fieldNames))
        words = {'datetime': 'time'}
        for field, a_type in kind.entityType.fields.items():
            inner, _, null = a_type.name.partition(' or ')
            if isinstance(a_type, List):
                inner = f'list of {a_type.of.name.replace("json", "")}s'
            row = re.search(rf'^``{field}`` +(\w.*?)(?:  |$)', self.sections[name], re.MULTILINE)
            if row:
                told = row.group(1).replace(', or null', ', null')
                self.assertEqual(told, words.get(inner, inner) + (', null' if null else ''), field)

    def test_paths(self):
        """Each path is named with what its rows are, and no other."""
        paths = {
            (re.sub(r'\w:(\w+)', r'{\1}', pattern), kind.name)
            for kind in self.kinds
            for endpoint in kind.endpoints
            for pattern in endpoint.pathPatterns
        }
        said = re.findall(r'^``(/[^`]+)`` +(\w+)', self.intro, re.MULTILINE)
        self.assertEqual(sorted(said), sorted(paths))

    def test_events(self):
        """Each kind of event is named, and no other."""
        self.assertEqual(
            self.first_cells(self.sections['Events'].partition('What')[0])[1:], list(NEWS)
        )

    def test_actions(self):
        """Each thing that can be done is named, with the parameters that are its own."""
        rows = self.sections['Doing something'].partition('==\nmethod')[2]
        said = re.findall(r'^``(\w+)`` +((?:``\w+``(?:, )?)*)', rows, re.MULTILINE)
        told = {name: tuple(re.findall(r'\w+', words)) for name, words in said}
        self.assertEqual(told, ACTIONS)

    def test_command(self):
        """The manual of the command names each sub command, and each option that is its own."""
        text = (Path(SOURCE) / 'docs' / 'locks-command.rst').read_text()
        for name, _, kind, _ in LocksOptions.subCommands:
            self.assertIn(f'\n    buildbot locks {name} ', text)
            for option in (*kind.optFlags, *kind.optParameters):
                self.assertIn(f'--{option[0]}', text)


class Blocks(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('python', '.. code-block:: python\n\n    x = 1\n', True),
            ('code', 'So::\n\n    util.MasterLock("a")\n', True),
            ('of_no_sense', 'So::\n\n    locks=[util.MasterLock("a")], ...\n', True),
            ('in_a_list', '``key``\n    so::\n\n        a = b(c)\n\nend\n', True),
            ('key', 'So::\n\n    c["a"]: what\n', True),
            ('options', '.. code-block:: python\n    :linenos:\n\n    x = 1\n', True),
            ('shell', 'So::\n\n    pip install it\n    buildbot restart DIR\n', False),
            ('console', '.. code-block:: console\n\n    x=1\n', False),
            ('table', 'So::\n\n        plain  ours  ratio\n    a   1.1  2.2   0.5x\n', False),
        ]
    )
    def test_what_is_python(self, _, text, expected):
        """Python is told from what is typed or printed."""
        page = Path(self.mktemp())
        page.write_text(text)
        (block,) = blocks_of(page)
        self.assertEqual(bool(block.is_python), expected)


class Pages(unittest.SynchronousTestCase):
    if SOURCE is None:
        skip = 'INTERLOCK_SOURCE does not name the checkout with the manual; `make test` does'

    def setUp(self):
        source = Path(SOURCE)
        self.docs = source / 'docs'
        self.pages = [source / 'README.rst', *sorted(self.docs.glob('*.rst'))]
        self.assertGreater(len(self.pages), 5)

    def test_no_other_python(self):
        """Python in a page stands in an example too, so it has been checked."""
        examples = [path.read_text() for path in FILES]
        others = [
            f'{page.name}: {block.text}'
            for page in self.pages
            for block in blocks_of(page)
            if block.is_python and not any(block.stands_in(text) for text in examples)
        ]
        self.assertEqual(others, [])

    def included(self):
        for page in self.pages:
            for name in re.findall(r'^\s*\.\. literalinclude:: (\S+)', page.read_text(), re.M):
                yield page, (page.parent / name).resolve()

    def test_included_configurations(self):
        """A configuration that a page includes is one of those that are checked."""
        source = Path(SOURCE) / 'buildbot/test/integration/examples'
        others = [
            f'{page.name}: {path}'
            for page, path in self.included()
            if path.suffix == '.cfg' and path.parent != source.resolve()
        ]
        self.assertEqual(others, [])

    def test_all_are_shown(self):
        """Each example is shown by a page."""
        shown = {path.name for _, path in self.included()} | {'readme.cfg'}
        self.assertEqual({path.name for path in FILES} - shown, set())

    def test_width(self):
        """No line is longer than 120 characters."""
        long = [
            f'{page.name}:{number}'
            for page in self.pages
            for number, line in enumerate(page.read_text().splitlines(), 1)
            if len(line) > 120
        ]
        self.assertEqual(long, [])

    def test_pictures(self):
        """Each picture has a caption."""
        for page in self.pages:
            text = page.read_text()
            pictures = re.findall(r'^\.\. (?:image|figure):: (\S+)', text, re.M)
            captioned = re.findall(r'^\.\. figure:: (\S+)(?:\n   :.*)*\n\n   \w', text, re.M)
            self.assertEqual(pictures, captioned, page.name)

    @parameterized.expand(
        [
            (BranchLock, 'locks'),
            (WorkerLock, 'locks'),
            (MasterLock, 'locks'),
            (StepGroup, 'stepgroup'),
        ]
    )
    def test_arguments(self, kind, page):
        """Each argument is explained, with its default."""
        text = (self.docs / f'{page}.rst').read_text()
        for name, argument in inspect.signature(kind).parameters.items():
            if argument.kind is inspect.Parameter.VAR_KEYWORD or name == 'name':
                continue
            self.assertRegex(text, rf'``{name}(=|``)', f'{kind.__name__}: {name}')

    def test_rules(self):
        """Each thing that a lock of any kind may say is explained, with its default."""
        text = (self.docs / 'locks.rst').read_text()
        for name, rule in BaseLockId.RULES.items():
            self.assertIn(f'\n``{name}={rule.default!r}``\n', text)

    def test_hand(self):
        """Each thing that people do with locks is explained, and is one of the command."""
        text = (self.docs / 'hand.rst').read_text()
        commands = [name for name, *_ in LocksOptions.subCommands]
        for name in ACTIONS:
            self.assertIn(f'``{name}``', text)
            self.assertIn(name, commands)

    def test_reasons(self):
        """Each kind of reason is explained, and no other."""
        text = (self.docs / 'why-waiting.rst').read_text()
        told = re.findall(r'^   \* - ``(\w+)``$', text, re.M)
        self.assertEqual(sorted(told), sorted(KINDS))
