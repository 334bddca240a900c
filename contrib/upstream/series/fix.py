# SPDX-License-Identifier: GPL-2.0-only
"""The fix of a defect in the release itself, which needs nothing of the fork.

A fix is a folder of ``fixes/``: ``fix.toml`` says what is changed and why, and ``test.py`` has the
test, written like a module of the overlay. It contains no more of the release's text than what is
replaced.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any
from typing import NamedTuple

from .edit import Edit
from .merge import Ways
from .merge import merge_module
from .merge import order_of
from .names import Refusal
from .names import parse
from .tree import Tree
from .typed import with_annotations

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NO_WAYS = Ways({}, set())
TYPED_TEST = re.compile(r'^    def test_\w+\(.*\) -> ', re.M)


class Fix(NamedTuple):
    """What becomes one patch. It is not part of the series.

    :param name: of its folder, its newsfragment and its patch.
    :param title: first line of its message.
    :param message: what is wrong, when it shows, and what is done.
    :param news: the newsfragment.
    :param fork: the module of the fork that mends the defect.
    :param edits: of the release's source.
    :param test: the file in ``buildbot/test`` that its test is merged into.
    :param behind: the test of the release that it follows, so that fixes do not collide.
    :param source: of the test, a module that is merged like those of the overlay.
    :param mended: which change of upstream's mends it in newer checkouts; '' if none is known.
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

    def texts(self, package: Path) -> dict[str, str]:
        """Return the new texts of the release's modules that the fix changes, by file.

        :param package: the folder ``buildbot`` of a release.
        :raises Refusal: it is not what the fix was written for.
        """
        texts: dict[str, str] = {}
        for edit in self.edits:
            path = package / edit.file
            if not path.is_file():
                raise Refusal(f'{edit.file}: the checkout has no such file')
            texts[edit.file] = edit.apply(texts.get(edit.file) or path.read_text(encoding='utf-8'))
        return texts

    def undo(self, texts: dict[str, str]) -> dict[str, str] | None:
        """Return modules without the fix, or None if they do not have all of it.

        :param texts: the modules that it changes, by file.
        """
        undone = dict(texts)
        for edit in self.edits:
            text = edit.undo(undone[edit.file])
            if text is not None:
                undone[edit.file] = text
            elif not edit.optional:
                return None
        return undone

    def with_test(self, theirs: str) -> str:
        """Return a test module of the release's with the test of the fix."""
        # newer checkouts have types in their tests, too
        ours = parse(self.source)
        if TYPED_TEST.search(theirs):
            ours = with_annotations(ours)
        order = {name: [self.behind, *names] for name, names in order_of(ours).items()}
        return merge_module(ours, theirs, self.test, NO_WAYS, order).code

    def write_into(self, tree: Tree) -> None:
        """Change a checkout.

        :raises Refusal: it is not what the fix was written for.
        """
        path = tree.package / 'test' / self.test
        if not path.is_file():
            raise Refusal(f'{self.test}: the checkout has no such test')
        for file, text in self.texts(tree.package).items():
            tree.write(tree.package / file, text)
        tree.write(path, self.with_test(path.read_text(encoding='utf-8')))
        tree.write(tree.root / 'newsfragments' / f'{self.name}.bugfix', f'{self.news.strip()}\n')
        tree.put()


def read_fixes(folder: Path) -> list[Fix]:
    """Return the fixes of a folder, sorted by name."""
    return [_read(path.parent) for path in sorted(folder.glob('*/fix.toml'))]


def _read(folder: Path) -> Fix:
    with open(folder / 'fix.toml', 'rb') as f:
        data: dict[str, Any] = tomllib.load(f)
    edits = []
    for edit in data.pop('edit'):
        old = edit.pop('old')
        edits.append(Edit(old=[old] if isinstance(old, str) else old, **edit))
    source = (folder / 'test.py').read_text(encoding='utf-8')
    return Fix(name=folder.name, edits=edits, source=source, **{'mended': '', **data})
