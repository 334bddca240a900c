# SPDX-License-Identifier: GPL-2.0-only
"""Fixes of defects of the release itself, each a patch alone that needs nothing of the fork.

A fix is a folder of ``fixes/``: ``fix.toml`` says what is changed and why, and ``test.py`` has the test,
written like a module of the overlay. Of the release's text it has no more than what is replaced.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import textwrap
import venv
from pathlib import Path
from typing import Any
from typing import NamedTuple

from .merge import Ways
from .merge import merge_module
from .merge import order_of
from .names import Refusal
from .tree import Tree
from .typed import with_annotations

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NO_WAYS = Ways({}, set())
TYPED_TEST = re.compile(r'^    def test_\w+\(.*\) -> ', re.M)


class Edit(NamedTuple):
    """One change of the release's source.

    :param file: in the package ``buildbot``.
    :param inside: qualified name of the function or class that is changed: ``Build.stopBuild``.
    :param old: what is replaced, which it has once: lines of code, as if they were not indented. Of
        several the first that is there is replaced (a newer checkout may spell it otherwise).
    :param new: what takes its place.
    :param optional: whether there are checkouts that say nothing of the kind: marks for mypy, say.
    """

    file: str
    inside: str
    old: list[str]
    new: str
    optional: bool = False

    def apply(self, source: str) -> str:
        """Return a module with the change.

        :raises Refusal: there is no such function, or it has no such text, or has it twice.
        """
        lines = source.splitlines(keepends=True)
        start, end = span_of(source, self.inside, f'{self.file}: {self.inside}')
        parts = lines[:start], lines[start:end], lines[end:]
        before, part, after = (''.join(part) for part in parts)
        for old in self.old:
            for indent in range(0, 40, 4):
                found = textwrap.indent(old, ' ' * indent).lstrip(' ')
                if part.count(found) == 1 and indent == _indent_of(part, part.index(found)):
                    new = textwrap.indent(self.new, ' ' * indent).lstrip(' ')
                    return before + part.replace(found, new) + after
        if self.optional:
            return source
        raise Refusal(f'{self.file}: {self.inside} does not say {self.old[0]!r} once')


class Fix(NamedTuple):
    """One patch.

    :param name: of its folder, its newsfragment and its patch.
    :param title: first line of its message.
    :param message: what is wrong, when it shows, and what is done.
    :param news: the newsfragment.
    :param fork: the module of the fork where the defect is mended.
    :param edits: of the release's source.
    :param test: the file in ``buildbot/test`` that its test is merged into.
    :param behind: the test of the release's that it is put behind, so that fixes do not meet there.
    :param source: of the test, a module that is merged like those of the overlay.
    :param mended: by which change of upstream's it is mended in newer checkouts; '' if it is not known to be.
    """

    name: str
    title: str
    message: str
    news: str
    fork: str
    edits: list[Edit]
    test: str
    behind: str
    source: str
    mended: str

    def write_into(self, tree: Tree) -> None:
        """Change a checkout.

        :raises Refusal: it is not what the fix was written against.
        """
        for edit in self.edits:
            path = tree.package / edit.file
            if not path.is_file():
                raise Refusal(f'{edit.file}: the checkout has no such file')
            tree.write(path, edit.apply(path.read_text(encoding='utf-8')))
        path = tree.package / 'test' / self.test
        if not path.is_file():
            raise Refusal(f'{self.test}: the checkout has no such test')
        theirs = path.read_text(encoding='utf-8')
        # newer checkouts say the types in their tests, too
        ours = with_annotations(self.source) if TYPED_TEST.search(theirs) else self.source
        order = {name: [self.behind, *names] for name, names in order_of(ours).items()}
        tree.write(path, merge_module(ours, theirs, self.test, NO_WAYS, order))
        tree.write(tree.root / 'newsfragments' / f'{self.name}.bugfix', f'{self.news.strip()}\n')
        tree.tidy()


def span_of(source: str, name: str, where: str) -> tuple[int, int]:
    """Return the lines of a function or class of a module, its decorators apart.

    :param name: qualified; the whole module if it is empty.
    :param where: for the refusal.
    :returns: number of its first line, from 0, and that behind its last.
    :raises Refusal: there is no such thing.
    """
    if not name:
        return 0, source.count('\n') + 1
    node: Any = ast.parse(source)
    for part in name.split('.'):
        node = next((n for n in node.body if getattr(n, 'name', None) == part), None)
        if node is None:
            raise Refusal(f'{where} is not there')
    return node.lineno - 1, int(node.end_lineno)


def _indent_of(text: str, position: int) -> int:
    line = text[text.rfind('\n', 0, position) + 1 :]
    return len(line) - len(line.lstrip(' '))


def read_fixes(folder: Path) -> list[Fix]:
    """Return the fixes of a folder, in the order of their names."""
    return [read_fix(path.parent) for path in sorted(folder.glob('*/fix.toml'))]


def read_fix(folder: Path) -> Fix:
    with open(folder / 'fix.toml', 'rb') as f:
        data: dict[str, Any] = tomllib.load(f)
    edits = []
    for edit in data.pop('edit'):
        old = edit.pop('old')
        edits.append(Edit(old=[old] if isinstance(old, str) else old, **edit))
    source = (folder / 'test.py').read_text(encoding='utf-8')
    return Fix(name=folder.name, edits=edits, source=source, **{'mended': '', **data})


def install_ruff(tree: Tree) -> None:
    """Install the formatter in the version that a checkout asks for, if it is not there."""
    if (tree.tools / 'bin' / 'ruff').is_file():
        return
    lines = (tree.root / 'requirements-ci.txt').read_text(encoding='utf-8').splitlines()
    wanted = [line for line in lines if line.startswith('ruff==')]
    print("fixes: installing the checkout's own ruff", flush=True)
    venv.create(tree.tools, with_pip=True, clear=True)
    pip = [str(tree.tools / 'bin' / 'pip'), '--quiet', '--disable-pip-version-check']
    subprocess.run([*pip, 'install', *wanted], check=True)


def check_author(tree: Tree) -> None:
    """Raise Refusal if git does not know whose the patches are."""
    try:
        tree.git('-c', 'user.useConfigOnly=true', 'var', 'GIT_AUTHOR_IDENT')
    except Refusal:
        raise Refusal(
            'git does not know whose the patches are: set user.name and user.email with git config'
        ) from None


def write_fixes(tree: Tree, fixes: list[Fix], folder: Path) -> list[Path]:
    """Write the patch of each fix that a checkout needs, and leave the checkout as it is.

    :param folder: for the patches; those of an earlier run go.
    :returns: the patches.
    :raises Refusal: a fix does not fit and is not known to be mended, or the author is not known.
    """
    check_author(tree)
    install_ruff(tree)
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob('*.patch'):
        old.unlink()
    beside = folder / 'tree'
    tree.git('worktree', 'prune')
    tree.git('worktree', 'add', '--quiet', '--force', '--detach', str(beside), 'HEAD')
    try:
        paths = [write_patch(Tree(beside, tree.tools), fix, folder) for fix in fixes]
        return [path for path in paths if path is not None]
    finally:
        tree.git('worktree', 'remove', '--force', str(beside))


def write_patch(tree: Tree, fix: Fix, folder: Path) -> Path | None:
    """Commit a fix, write its patch and take the commit back; None if it is mended there."""
    base = tree.base()
    try:
        fix.write_into(tree)
    except Refusal as e:
        if not fix.mended:
            raise Refusal(f'{fix.name}: {e}') from e
        print(f'fixes: {fix.name} is mended there: {fix.mended}', flush=True)
        tree.git('reset', '--quiet', '--hard', base)
        return None
    tree.git('add', '--all')
    tree.git('commit', '--quiet', '--message', f'{fix.title}\n\n{fix.message.strip()}\n')
    path = folder / f'{fix.name}.patch'
    words = ('format-patch', '-1', '--stdout', '--zero-commit', '--no-signature')
    path.write_text(tree.git(*words), encoding='utf-8')
    tree.git('reset', '--quiet', '--hard', base)
    return path
