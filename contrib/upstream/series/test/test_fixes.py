# SPDX-License-Identifier: GPL-2.0-only
"""Fixes of the release itself, and the patches that they become."""

from __future__ import annotations

import contextlib
import io
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

from parameterized import parameterized
from twisted.trial import unittest

import buildbot
from series.edit import Edit
from series.fix import Fix
from series.fix import read_fixes
from series.fixes import FIXES
from series.fixes import write_fixes
from series.fork import Fork
from series.names import Refusal
from series.plan import Series
from series.tree import Tree

HERE = FIXES.parent
FORK = HERE.parent.parent / 'buildbot'
RELEASE = Path(buildbot.__path__[-1])
LAMP = """
import wire


class Lamp:
    def light(self):
        if self.on:
            wire.close()

    def dim(self):
        wire.close()
"""
TEST_OF_LAMP = """
class TestLamp:
    def test_light(self):
        pass

    def test_dim(self):
        pass
"""
OUR_TEST = """
from buildbot_overlay import release

upstream = release(__name__)


class TestLamp(upstream.TestLamp):
    def test_dark(self):
        pass
"""


def edit(inside='Lamp.light', old='wire.close()', new='wire.open()', **others):
    olds = [old] if isinstance(old, str) else old
    return Edit('lamp.py', inside, olds, new, **others)


def fix(mended='', **words):
    return Fix(
        name='lamp-lights',
        title='lamp: Light',
        message='It was dark.\n',
        news='Lamps light.',
        fork='lamp.py',
        edits=[edit(**words)],
        test='test_lamp.py',
        behind='test_light',
        source=OUR_TEST,
        mended=mended,
    )


class Edits(unittest.SynchronousTestCase):
    """One change of a text. No checkout is needed."""

    @parameterized.expand(
        [
            ('method', edit(), 'if self.on:\n            wire.open()\n\n'),
            (
                'lines',
                edit(new='wire.open()\nwire.lay()'),
                'wire.open()\n            wire.lay()\n\n',
            ),
            ('class', edit('Lamp', 'def dim(self):', 'def darken(self):'), '    def darken(self):'),
            ('module', edit('', 'import wire', 'import glass\nimport wire'), '\nimport glass\nimp'),
            ('second', edit(old=['wire.cut()', 'wire.close()']), '            wire.open()\n\n'),
        ]
    )
    def test_apply(self, _, change, expected):
        """Text is replaced where the edit says, with the indent that it has there."""
        changed = change.apply(LAMP)
        self.assertIn(expected, changed)
        self.assertEqual(changed.count('wire.close()'), 2 - changed.count('wire.open()'))

    @parameterized.expand(
        [
            ('method', edit()),
            ('lines', edit(new='wire.open()\nwire.lay()')),
            ('module', edit('', 'import wire', 'import glass\nimport wire')),
            ('moved', edit('Lamp.light', 'def light(self):', 'def shine(self):')),
        ]
    )
    def test_undo(self, _, change):
        """A change can be taken back, and only where it has been made."""
        self.assertEqual(change.undo(change.apply(LAMP)), LAMP)
        self.assertIsNone(change.undo(LAMP))

    def test_optional(self):
        """An optional text is skipped in a checkout that does not have it."""
        self.assertEqual(edit(old='wire.cut()', optional=True).apply(LAMP), LAMP)

    @parameterized.expand(
        [
            ('function', edit('Lamp.burn'), 'lamp.py: Lamp.burn is not there'),
            (
                'text',
                edit(old='wire.cut()'),
                "lamp.py: Lamp.light does not say 'wire.cut()' once",
            ),
            ('twice', edit('Lamp'), "lamp.py: Lamp does not say 'wire.close()' once"),
        ]
    )
    def test_refused(self, _, change, expected):
        """A place that does not exist, or is ambiguous, is reported."""
        with self.assertRaises(Refusal) as caught:
            change.apply(LAMP)
        self.assertEqual(str(caught.exception), expected)


class Undone(unittest.SynchronousTestCase):
    """Fixes taken back by the commits that replace them. The checkout is a dict."""

    def unfixed(self, text, until=1, replaces='lamp-lights'):
        commits = [
            SimpleNamespace(name='first', replaces=[]),
            SimpleNamespace(name='second', replaces=[{'fix': replaces}]),
        ]
        both = fix()._replace(edits=[edit(), edit('Lamp.dim', new='wire.cut()')])
        tree = SimpleNamespace(package=Path('up'), original={Path('up/lamp.py'): text}.get)
        fork = Fork(Path(self.mktemp()), SimpleNamespace(commits=commits), [both])
        return fork.unfixed(tree, until), both.texts

    def test_from_its_commit_on(self):
        """A fix stays until the commit that replaces it, which takes all of it back."""
        package = Path(self.mktemp())
        package.mkdir()
        (package / 'lamp.py').write_text(LAMP)
        [fixed] = self.unfixed(LAMP)[1](package).values()
        self.assertNotEqual(fixed, LAMP)
        self.assertEqual(self.unfixed(fixed, until=0)[0], {})
        self.assertEqual(self.unfixed(fixed)[0], {'lamp.py': LAMP})

    def test_not_there(self):
        """A checkout without the fix, or with a part of it, stays as it is."""
        self.assertEqual(self.unfixed(LAMP)[0], {})
        self.assertEqual(self.unfixed(edit().apply(LAMP))[0], {})

    def test_unknown(self):
        """A commit that replaces a fix that does not exist is refused."""
        with self.assertRaises(Refusal) as caught:
            self.unfixed(LAMP, replaces='lamp-burns')
        self.assertEqual(str(caught.exception), 'second replaces lamp-burns, which is no fix')


class Patches(unittest.SynchronousTestCase):
    """Patches of fixes, in a checkout made up for them."""

    def setUp(self):
        self.root = Path(self.mktemp()).absolute()
        package = self.root / 'tree' / 'master' / 'buildbot'
        (package / 'test').mkdir(parents=True)
        (self.root / 'tree' / 'newsfragments').mkdir()
        (self.root / 'tree' / 'newsfragments' / 'README').write_text('')
        (package / 'master.py').write_text('# header\nimport os\n')
        (package / 'locks.py').write_text('')
        (package / 'lamp.py').write_text(LAMP)
        (package / 'test' / 'test_lamp.py').write_text(TEST_OF_LAMP)
        # the real one is upstream's, and is not needed here
        ruff = self.root / 'tools' / 'bin' / 'ruff'
        ruff.parent.mkdir(parents=True)
        ruff.write_text('#!/bin/sh\n')
        ruff.chmod(0o755)
        nobody = {'GIT_CONFIG_GLOBAL': os.devnull, 'GIT_CONFIG_NOSYSTEM': '1', 'EMAIL': None}
        for word in ('AUTHOR_NAME', 'AUTHOR_EMAIL', 'COMMITTER_NAME', 'COMMITTER_EMAIL'):
            nobody[f'GIT_{word}'] = None
        before = dict(os.environ)
        for name, value in nobody.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self.addCleanup(os.environ.update, before)
        self.git('init', '--quiet')
        self.git('config', 'user.name', 'A. Person')
        self.git('config', 'user.email', 'a@person.example')
        self.git('add', '--all')
        self.git('commit', '--quiet', '--message', 'base')
        self.tree = Tree(self.root / 'tree', self.root / 'tools')

    def git(self, *words):
        command = ['git', '-C', str(self.root / 'tree'), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def write(self, *fixes):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            paths = write_fixes(self.tree, fixes, self.root / 'patches')
        return [path.name for path in paths], output.getvalue()

    def test_written(self):
        """A patch has the change, the test and the newsfragment, and the author who makes it."""
        self.assertEqual(self.write(fix()), (['lamp-lights.patch'], ''))
        text = (self.root / 'patches' / 'lamp-lights.patch').read_text()
        self.assertIn('From: "A. Person" <a@person.example>', text)
        self.assertIn('Subject: [PATCH] lamp: Light\n\nIt was dark.\n---\n', text)
        added = [line[1:] for line in text.splitlines() if line.startswith('+')]
        lines = ['wire.open()', 'def test_dark(self):', 'pass', 'Lamps light.']
        self.assertEqual([a.strip() for a in added if a.strip() and a[:2] != '++'], lines)
        self.git('am', '--quiet', str(self.root / 'patches' / 'lamp-lights.patch'))

    def test_left_as_it_is(self):
        """The checkout is unchanged, even after a refusal; each fix is based on it alone."""
        head = self.git('rev-parse', 'HEAD')
        other = fix(inside='Lamp.dim')._replace(name='lamp-dims')
        names, _ = self.write(fix(), other)
        self.assertEqual(names, ['lamp-lights.patch', 'lamp-dims.patch'])
        text = (self.root / 'patches' / 'lamp-dims.patch').read_text()
        self.assertEqual(text.count('+        wire.open()'), 1)
        self.assertRaises(Refusal, self.write, fix(inside='Lamp.burn'))
        self.assertEqual(self.git('status', '--porcelain'), '')
        self.assertEqual(self.git('rev-parse', 'HEAD'), head)
        self.assertEqual(len(self.git('worktree', 'list').splitlines()), 1)

    def test_mended(self):
        """A fix that does not fit is left out if known to be mended, and refused otherwise."""
        told = 'fixes: lamp-lights is mended there: commit abc\n'
        self.assertEqual(self.write(fix(mended='commit abc', old='wire.cut()')), ([], told))
        with self.assertRaises(Refusal) as caught:
            self.write(fix(old='wire.cut()'))
        expected = "lamp-lights: lamp.py: Lamp.light does not say 'wire.cut()' once"
        self.assertEqual(str(caught.exception), expected)

    def test_of_nobody(self):
        """If git does not know the author of the patches, this is reported and nothing is made."""
        self.git('config', '--unset', 'user.email')
        with self.assertRaises(Refusal) as caught:
            self.write(fix())
        expected = (
            'git does not know whose the patches are: set user.name and user.email with git config'
        )
        self.assertEqual(str(caught.exception), expected)
        self.assertFalse((self.root / 'patches').exists())


class Folder(unittest.SynchronousTestCase):
    """The fixes of this folder, and the pages that list them."""

    fixes = read_fixes(FIXES)

    def test_fit(self):
        """Each fix changes the release that the fork is for, and the result is valid Python."""
        self.assertGreaterEqual(len(self.fixes), 10)
        for each in self.fixes:
            for file, text in each.texts(RELEASE).items():
                self.assertNotEqual(text, (RELEASE / file).read_text(encoding='utf-8'), each.name)
                compile(text, file, 'exec')

    def test_told(self):
        """Each fix has a message and news as long as upstream's, and names the fork's module."""
        for each in self.fixes:
            self.assertLessEqual(len(each.title), 72, each.name)
            self.assertLessEqual(max(map(len, each.message.splitlines())), 80, each.name)
            self.assertTrue(each.news.endswith('.'), each.name)
            self.assertTrue((FORK / each.fork).is_file(), f'{each.name}: {each.fork}')

    def test_none_copied(self):
        """No three consecutive lines of a fix are in the release, too."""

        def windows(text):
            lines = [line.strip() for line in text.splitlines()]
            own = [x for x in lines if len(x) > 3 and not x.startswith(('from ', 'import ', '#'))]
            return {tuple(own[i : i + 3]) for i in range(len(own) - 2)}

        for each in self.fixes:
            for change in each.edits:
                theirs = windows((RELEASE / change.file).read_text(encoding='utf-8'))
                for text in (*change.old, change.new, each.source):
                    self.assertEqual(windows(text) & theirs, set(), each.name)

    def test_replaced(self):
        """A fix that a commit replaces can be taken back; the commit names it in its message.

        Tests that go with it are tests of the fix.
        """
        fixes = {each.name: each for each in self.fixes}
        for commit in Series(HERE / 'series.toml').commits:
            for replaced in commit.replaces:
                each = fixes[replaced['fix']]
                self.assertIn(each.name, commit.replacing, commit.name)
                fixed = each.texts(RELEASE)
                for file, text in (each.undo(fixed) or {}).items():
                    # one of the texts that it replaces, if they differ from release to release
                    olds = [edit.old for edit in each.edits if edit.file == file]
                    if all(len(old) == 1 for old in olds):
                        self.assertEqual(text, (RELEASE / file).read_text(encoding='utf-8'))
                self.assertIsNotNone(each.undo(fixed), each.name)
                for symbol in replaced.get('removes', ()):
                    file, _, member = symbol.partition(':')
                    self.assertEqual(file, f'test/{each.test}')
                    self.assertIn(f'def {member.partition(".")[2]}(', each.source)

    def test_width(self):
        """What a message says fits into a terminal, in a log of git's, too."""
        for commit in Series(HERE / 'series.toml').commits:
            for line in (
                commit.title,
                *commit.message.splitlines(),
                *commit.replacing.splitlines(),
            ):
                self.assertLessEqual(len(line), 80, (commit.name, line))
        for each in self.fixes:
            for line in (each.title, *each.message.splitlines()):
                self.assertLessEqual(len(line), 80, (each.name, line))

    @parameterized.expand(['cover.md', '../../docs/upstream.rst'])
    def test_listed(self, page):
        """The pages that list the fixes list all of them, and no others."""
        text = (HERE / page).read_text(encoding='utf-8')
        start, end = 'begin of the fixes', 'end of the fixes'
        listed = text.partition(start)[2].partition(end)[0]
        names = re.findall(r'^(?: {3}\* - ``|\* )([a-z0-9-]+)(?:``|:)', listed, re.M)
        self.assertEqual(names, [each.name for each in self.fixes])

    def test_series_listed(self):
        """The cover letter counts the patches of the series, and names some of them in order."""
        text = (HERE / 'cover.md').read_text(encoding='utf-8')
        listed = text.partition('begin of the series')[2].partition('end of the series')[0]
        named = [line[2:] for line in listed.splitlines() if line[:2] == '* ']
        titles = [commit.title for commit in Series(HERE / 'series.toml').commits]
        self.assertEqual(named, [title for title in titles if title in named])
        self.assertIn(f'\n{len(titles)} patches, in groups', text)
