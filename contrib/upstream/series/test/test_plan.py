# SPDX-License-Identifier: GPL-2.0-only
"""Which symbol belongs to which commit, and what else changes in the files of the fork."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path
from types import SimpleNamespace

from parameterized import parameterized
from twisted.trial import unittest

from series.fork import Fork
from series.fork import as_new
from series.missing import Missing
from series.names import Refusal
from series.names import parse
from series.patches import copy_folder
from series.patches import document
from series.patches import is_for
from series.patches import without_member
from series.plan import Series
from series.setupfile import EntryPoint
from series.setupfile import extend_setup
from series.tree import Tree
from series.typed import Doubt
from series.typed import Mark
from series.typed import marks_for
from series.typed import with_annotations
from series.typed import with_marks

PLAN = """
origin = "o"
kept = {}
skipped = {}
described = {}
renamed = []

[left-out]
"gone.py" = "it is gone"

[[commit]]
name = "first"
title = "one"
message = ""
news = []
manual = []
symbols = ["lamp.py:Lamp.light", "lamp.py:make"]

[[commit]]
name = "second"
title = "two"
message = ""
news = []
manual = []
symbols = ["lamp.py", "shades/"]
"""
LAMP = """
class Lamp:
    def light(self):
        pass

    def dim(self):
        pass


def make():
    pass
"""


class Commits(unittest.SynchronousTestCase):
    """The series file, with a fork made up for it."""

    def setUp(self):
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def series(self, text=PLAN):
        path = self.folder / 'series.toml'
        path.write_text(text)
        return Series(path)

    @parameterized.expand(
        [
            ('method', ('lamp.py', 'Lamp', 'light'), 0),
            ('other_method', ('lamp.py', 'Lamp', 'dim'), 1),
            ('function', ('lamp.py', 'make'), 0),
            ('folder', ('shades/green.py', 'Green'), 1),
            ('left_out', ('gone.py', 'Gone'), -1),
        ]
    )
    def test_commit_of(self, _, symbol, number):
        """The most exact name counts."""
        self.assertEqual(self.series().commit_of(*symbol), number)

    def test_edits(self):
        """A test of Buildbot that is adapted is changed only inside the function that is named."""
        edits = (
            'edits = [{ file = "lamp.py", inside = "Lamp.dim", old = "pass", new = "return" }]\n'
        )
        first, second = self.series(
            PLAN.replace('symbols = ["lamp.py",', f'{edits}symbols = ["lamp.py",')
        ).commits
        self.assertEqual(first.edits, [])
        text = second.edits[0].apply(LAMP)
        self.assertEqual(
            text, LAMP.replace('dim(self):\n        pass', 'dim(self):\n        return')
        )

    def test_unknown(self):
        """A symbol that no commit names is refused, with its name."""
        with self.assertRaises(Refusal) as caught:
            self.series().commit_of('new.py', 'New', 'member')
        self.assertIn('new.py:New.member belongs to no commit', str(caught.exception))

    def test_twice(self):
        """A symbol cannot belong to two commits."""
        text = PLAN.replace('"shades/"', '"lamp.py:make"')
        self.assertRaises(Refusal, self.series, text)

    def test_unused(self):
        """A name in the series that means nothing is refused."""
        series = self.series()
        series.pick('lamp.py', LAMP, 1)
        with self.assertRaises(Refusal) as caught:
            series.check_used()
        self.assertIn('there is no gone.py, shades/', str(caught.exception))

    def test_pick(self):
        """A file has what the commits so far bring."""
        series = self.series()
        first = series.pick('lamp.py', LAMP, 0).code
        self.assertIn('def light', first)
        self.assertNotIn('def dim', first)
        self.assertEqual(series.pick('lamp.py', LAMP, 1).code, LAMP)
        self.assertIsNone(series.pick('shades/green.py', 'class Green:\n    pass\n', 0))

    def test_early(self):
        """A method has its early form in an earlier commit, and must be in both places."""
        text = PLAN.replace('news = []', 'news = []\nearly = ["lamp.py:Lamp.dim"]', 1)
        series = self.series(text)
        early = self.folder / 'early' / 'lamp.py'
        self.assertRaises(Refusal, series.pick, 'lamp.py', LAMP, 0)
        early.parent.mkdir()
        early.write_text('class Lamp:\n    def dim(self):\n        return "a little"\n')
        self.assertIn('a little', series.pick('lamp.py', LAMP, 0).code)
        self.assertEqual(series.pick('lamp.py', LAMP, 1).code, LAMP)
        self.assertRaises(Refusal, self.series().pick, 'lamp.py', LAMP, 0)

    def test_early_forms(self):
        """If two commits have a form of their own, one has it in a folder of its name."""
        third = '[[commit]]\nname = "third"\ntitle = "three"\nmessage = ""\n'
        third += 'news = []\nmanual = []\n'
        text = PLAN.replace('news = []', 'news = []\nearly = ["lamp.py:Lamp.dim"]')
        series = self.series(f'{text}{third}symbols = ["lamp.py:Lamp.dim"]\n')
        forms = {'': 'a little', 'second': 'more'}
        for folder, word in forms.items():
            early = self.folder / 'early' / folder / 'lamp.py'
            early.parent.mkdir(parents=True)
            self.assertRaises(Refusal, series.pick, 'lamp.py', LAMP, 0)
            early.write_text(f'class Lamp:\n    def dim(self):\n        return {word!r}\n')
        self.assertIn('a little', series.pick('lamp.py', LAMP, 0).code)
        self.assertIn('more', series.pick('lamp.py', LAMP, 1).code)
        self.assertEqual(series.pick('lamp.py', LAMP, 2).code, LAMP)
        (self.folder / 'early' / 'first').mkdir()
        early.rename(self.folder / 'early' / 'first' / 'lamp.py')
        self.assertIn('more', self.series(series.path.read_text()).pick('lamp.py', LAMP, 0).code)

    def test_early_function(self):
        """So is a function, or what a module gives a name to."""
        text = PLAN.replace('"lamp.py:make"', '"shades/"').replace(
            '["lamp.py", "shades/"]', '["lamp.py"]'
        )
        series = self.series(text.replace('news = []', 'news = []\nearly = ["lamp.py:make"]', 1))
        early = self.folder / 'early' / 'lamp.py'
        early.parent.mkdir()
        early.write_text('make = Lamp\n')
        self.assertIn('make = Lamp', series.pick('lamp.py', LAMP, 0).code)
        self.assertEqual(series.pick('lamp.py', LAMP, 1).code, LAMP)

    def test_base(self):
        """A base class that is named comes with its commit; others come with the class."""
        lamp = LAMP.replace('class Lamp:', 'class Lamp(Dimmer, Bulb):')
        series = self.series(PLAN.replace('"shades/"', '"lamp.py:Lamp(Dimmer)"'))
        self.assertIn('class Lamp(Bulb):', series.pick('lamp.py', lamp, 0).code)
        self.assertEqual(series.pick('lamp.py', lamp, 1).code, lamp)


class Files(unittest.SynchronousTestCase):
    """How files of the fork change. No commits are made."""

    def test_new_module(self):
        """A new module has upstream's header, and its docstring speaks of no release."""
        source = as_new('# SPDX\n"""New: a lamp."""\n\nx = 1\n', '# licence\n\n')
        self.assertEqual(source, '# licence\n\n"""A lamp."""\n\nx = 1\n')

    def test_without_member(self):
        """A method, an attribute with its comment, or rows of a table go, from one class only."""
        source = (
            'class Lamp:\n    def __init__(self):\n'
            '        # how bright\n        self.glow: int = 1\n        self.x = 2\n\n'
            '    @expand([1, 2, 3])\n    def dim(self, n):\n        pass\n\n\n'
            'class Other:\n    def dim(self):\n        self.glow = 1\n'
        )
        other = source.split('class Other')[1]
        less = without_member(source, 'Lamp', 'glow')
        line = '        # how bright\n        self.glow: int = 1\n'
        self.assertEqual(less, source.replace(line, ''))
        less, rest = without_member(source, 'Lamp', 'dim').split('class Other')
        self.assertNotIn('dim', less)
        self.assertEqual(rest, other)
        self.assertRegex(without_member(source, 'Lamp', 'dim', (0, 2)), r'expand\(\[2, ?\]\)')
        self.assertIsNone(without_member(source, 'Lamp', 'fade'))

    def test_setup(self):
        """Packages and entry points are sorted in among the others, and written like them."""
        source = (
            "args = {\n    'packages': [\n        \"b\",\n        \"b.z\",\n    ] + extra,\n"
            "    'entry_points': concat(\n        ('b.steps', [\n            ('b.a', ['A']),\n"
            "            ('b.z', ['Z']),\n        ]),\n    ),\n}\n"
        )
        points = [EntryPoint('b.steps', 'b.a', 'B'), EntryPoint('b.steps', 'b.m', 'M')]
        text = extend_setup(source, ['b.c'], points)
        self.assertIn('"b",\n        "b.c",\n        "b.z",\n', text)
        self.assertIn("('b.a', ['A', 'B']),\n            ('b.m', ['M']),\n            ('b.z'", text)
        self.assertRaises(Refusal, extend_setup, source, [], [EntryPoint('b.util', 'x', 'Y')])

    def test_annotations(self):
        """Functions get the types of what they take and return; those that wait are generators."""
        source = (
            'def plain(x, *y, z=1):\n    pass\n\n\ndef known(x: int) -> str:\n    return ""\n\n\n'
            '@defer.inlineCallbacks\ndef waits(self):\n    yield 1\n'
        )
        text = with_annotations(parse(source)).code
        self.assertIn('def plain(x: Any, *y: Any, z: Any = 1) -> None:', text)
        self.assertIn('def known(x: int) -> str:', text)
        self.assertIn('def waits(self) -> InlineCallbacksType[None]:', text)
        block = 'if TYPE_CHECKING:\n    from buildbot.util.twisted import InlineCallbacksType\n'
        self.assertIn(block, text)
        self.assertEqual(with_annotations(parse(text)).code, text)

    def test_doubts(self):
        """A line that mypy newly doubts is marked; an unused mark is removed."""
        root = Path(self.mktemp())
        root.mkdir()
        lines = ['a = b.c', 'd = e  # type: ignore[x]', 'f = g  # why', 'h = i']
        (root / 'l.py').write_text('\n'.join(lines) + '\n')
        old = [Doubt('l.py', 9, 'was there', 'z')]
        new = [
            Doubt('l.py', 1, 'no c', 'attr'),
            Doubt('l.py', 2, 'Unused "type: ignore" comment', 'unused-ignore'),
            Doubt('l.py', 3, 'no g', 'name'),
            Doubt('l.py', 4, 'was there', 'z'),
        ]
        marks = marks_for(root, new, old, ())
        self.assertEqual(
            with_marks((root / 'l.py').read_text(), marks['l.py']).splitlines(),
            [
                'a = b.c  # type: ignore[attr]',
                'd = e',
                'f = g  # type: ignore[name]  # why',
                'h = i',
            ],
        )

    def test_marks_elsewhere(self):
        """A marked line is marked in other commits, but only in its own function."""
        marks = [Mark(('Lamp', 'dim'), '        x.y', '        x.y  # type: ignore[attr]')]
        source = 'class Lamp:\n    def on(self):\n        x.y\n\n    def dim(self):\n        x.y\n'
        marked = with_marks(source, marks)
        self.assertEqual(marked, f'{source.rstrip()}  # type: ignore[attr]\n')
        self.assertEqual(with_marks('x.y\n', marks), 'x.y\n')

    @parameterized.expand(
        [
            ('module', {}, ['a.py imports lamps.Lamp, which comes later']),
            ('name', {'lamps.py': 'x = 1\n'}, ['a.py imports lamps.Lamp, which comes later']),
            ('there', {'lamps.py': 'class Lamp: pass\n'}, []),
        ]
    )
    def test_imported_too_early(self, _, more, found):
        """A commit that imports and uses what a later one brings is reported."""
        source = 'from buildbot.lamps import Lamp\n'
        used = {'a.py': f'{source}x = Lamp\n'}
        whole = {**used, 'lamps.py': 'class Lamp: pass\n'}
        self.assertEqual(Missing(whole, {}).of({**used, **more}), found)
        self.assertEqual(Missing(whole, {}).of({'a.py': source}), [])

    def test_words_of_manual(self):
        """Words of the manual are replaced if they appear once; otherwise this is refused."""
        root = Path(self.mktemp())
        page = root / 'master' / 'docs' / 'lamps.rst'
        page.parent.mkdir(parents=True)
        page.write_text('A lamp is on or off, and off at night.\n')
        tree = SimpleNamespace(
            root=root,
            read=lambda path: path.read_text(),
            write=lambda path, text: path.write_text(text),
        )
        document(tree, root, {'file': 'lamps.rst', 'old': 'on or', 'new': 'on, dim or'})
        self.assertEqual(page.read_text(), 'A lamp is on, dim or off, and off at night.\n')
        for word in ('off', 'green'):
            change = {'file': 'lamps.rst', 'old': word, 'new': 'x'}
            self.assertRaises(Refusal, document, tree, root, change)

    def test_pages_that_may_be_away(self):
        """A text for a page or folder that a checkout may lack is left out there."""
        root = Path(self.mktemp()).resolve()
        (root / 'master' / 'docs').mkdir(parents=True)
        (root / 'text.rst').write_text('Dim lamps\n')
        tree = SimpleNamespace(root=root, read=lambda path: None)
        for change in (
            {'file': 'lamps.rst', 'before': 'A lamp', 'text': 'text.rst'},
            {'file': 'lamps.rst', 'behind': 'lamp', 'entry': 'dim'},
            {'file': 'lamps/dim.rst', 'text': 'text.rst'},
        ):
            document(tree, root, {**change, 'maybe': 'an older one has no lamps'})
        self.assertEqual(list((root / 'master' / 'docs').iterdir()), [])
        change = {'file': 'lamps.rst', 'before': 'A lamp', 'text': 'text.rst'}
        self.assertRaises(Refusal, document, tree, root, change)

    def test_words_of_a_module(self):
        """A module of a commit is changed if only an older checkout has the words."""
        root = Path(self.mktemp()).resolve()
        module = root / 'master' / 'buildbot' / 'lamp.py'
        module.parent.mkdir(parents=True)
        (module.parent / 'locks.py').write_text('')
        (module.parent / 'master.py').write_text('# licence\n\nx = 1\n')
        module.write_text('on = None\n')
        tree = Tree(root, root / 'tools')
        tree.write(module, 'on = None\nours = 1\n')
        change = {'file': '../buildbot/lamp.py', 'old': 'on = None', 'new': 'on: bool = None'}
        document(tree, root, change)
        self.assertEqual(tree.read(module), 'on: bool = None\nours = 1\n')
        document(tree, root, {**change, 'maybe': 'a newer one has it'}, True)
        self.assertRaises(Refusal, document, tree, root, change)

        until = {**change, 'maybe': 'until there is light'}
        document(tree, root, until)
        with self.assertRaises(Refusal) as caught:
            document(tree, root, until, True)
        self.assertEqual(
            str(caught.exception),
            "../buildbot/lamp.py of the manual does not say 'on = None' once",
        )
        document(tree, root, {**until, 'maybe': 'until there is light; an older one differs'}, True)

    def test_tools(self):
        """Tools in other versions than the checkout asks for are installed anew; else they stay."""
        root = Path(self.mktemp())
        (root / 'master' / 'buildbot').mkdir(parents=True)
        for name in ('locks.py', 'master.py'):
            (root / 'master' / 'buildbot' / name).write_text('x = 1\n')
        tree, installed = Tree(root, root / 'tools'), []
        self.patch(venv, 'create', lambda folder, **_: folder.mkdir(exist_ok=True))
        self.patch(subprocess, 'run', lambda command, **_: installed.append(command[-1]))
        path = root / 'requirements-ci.txt'
        for text in ('ruff==1\n-e master\n', 'ruff==1\n', 'lamp==1\nruff==1\n', 'ruff==2\n'):
            path.write_text(text)
            tree.install_tools(['lamp==1'])
        self.assertEqual(len(installed), 2)
        self.assertEqual(Path(installed[0]).read_text(), 'lamp==1\nruff==2\n')

    def test_package_of_the_release(self):
        """A package that only adds to one that the checkout does not have is refused."""
        root = Path(self.mktemp())
        (root / 'shades').mkdir(parents=True)
        (root / 'shades' / '__init__.py').write_text('extend(__name__)\n')
        tree = SimpleNamespace(package=Path('up'), original=lambda path: None)
        fork = Fork(root, SimpleNamespace(commits=[], read=Path.read_text))
        with self.assertRaises(Refusal) as caught:
            fork.merge_into(tree, 0)
        self.assertIn('shades/__init__.py', str(caught.exception))

    def test_folder(self):
        """A folder is copied without built files, and its modules get upstream's header."""
        root = Path(self.mktemp())
        for name, text in [
            ('www/page/setup.py', '# SPDX\nx = 1\n'),
            ('www/page/src/a.ts', 'let a;\n'),
            ('www/page/page/static/a.js', 'built'),
        ]:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        written = {}
        tree = SimpleNamespace(root=Path('up'), header='# licence\n\n', write=written.__setitem__)
        copy_folder(tree, root, 'www/page', ['static'])
        self.assertEqual(
            {path.as_posix(): text for path, text in written.items()},
            {
                'up/www/page/setup.py': '# licence\n\nx = 1\n',
                'up/www/page/src/a.ts': 'let a;\n',
            },
        )
        self.assertRaises(Refusal, copy_folder, tree, root, 'www/pages', [])
        written.clear()
        copy_folder(tree, root, 'www/page/setup.py', ())
        self.assertEqual(written, {Path('up/www/page/setup.py'): '# licence\n\nx = 1\n'})

    def test_where(self):
        """What only some checkouts need is for those that have what it names."""
        root = Path(self.mktemp())
        (root / 'www').mkdir(parents=True)
        tree = SimpleNamespace(root=root)
        found = [is_for(tree, words) for words in ({}, {'where': 'www'}, {'where': 'www/pkg'})]
        self.assertEqual(found, [True, True, False])

    @parameterized.expand(
        [
            ('imported', 'Module "buildbot.locks" has no attribute "upstream"', 'attr-defined'),
            ('spoken_of', 'Name "upstream" is not defined', 'name-defined'),
            ('member', '"Lamp" has no attribute "dim"', 'attr-defined'),
            ('of_release', '"Builder" has no attribute "dim"', 'attr-defined'),
            ('of_some', 'Item "Lamp" of "Lamp | None" has no attribute "dim"', 'union-attr'),
        ]
    )
    def test_missing(self, _, text, code):
        """A name that does not exist is refused, with its place, and not marked."""
        with self.assertRaises(Refusal) as caught:
            marks_for(Path('nowhere'), [Doubt('l.py', 7, text, code)], [], ['Lamp.dim'])
        self.assertIn(f'l.py, line 7: {text}', str(caught.exception))
