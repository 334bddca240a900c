# SPDX-License-Identifier: GPL-2.0-only
"""Which test modules can end otherwise because of a commit."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Container
from typing import Iterable
from typing import Mapping

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
PROCESS = 'process'
#: what reads files that are no modules
READERS = {
    'setup.py': 'master/buildbot/plugins/db.py',  # its entry points
    '.raml': 'master/buildbot/util/raml.py',
}


def pieces(text: str) -> dict[str, str]:
    """Return the functions of a module, its classes without them, and what is left (as ``''``).

    Imports, docstrings and comments are left out: who uses an imported name is changed as well.
    """
    found: dict[str, str] = {}
    _add_pieces(ast.parse(text), '', found)
    return found


def _add_pieces(node: ast.Module | ast.ClassDef, name: str, found: dict[str, str]) -> None:
    left = []
    for child in node.body:
        path = f'{name}.{child.name}' if name and hasattr(child, 'name') else ''
        if isinstance(child, FUNCTIONS):
            _drop_docstring(child)
            path = path or child.name
            # a property has several functions of one name
            found[path] = found.get(path, 'def ') + ast.dump(child)
        elif isinstance(child, ast.ClassDef):
            _add_pieces(child, path or child.name, found)
        elif not isinstance(child, (ast.Import, ast.ImportFrom)) and not _is_text(child):
            if name or not _is_constant(child, found):
                left.append(ast.dump(child))
    if isinstance(node, ast.ClassDef):
        head = [*node.bases, *node.keywords, *node.decorator_list]
        left += [ast.dump(part) for part in head]
    found[name] = '\n'.join(left)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _drop_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    if len(node.body) > 1 and _is_text(node.body[0]):
        del node.body[0]


def _is_constant(node: ast.stmt, found: dict[str, str]) -> bool:
    # a new one changes nothing for who does not use it
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    name = f'={node.targets[0].id}'
    found[name] = found.get(name, '') + ast.dump(node)
    return True


def is_test(path: str) -> bool:
    return '/test/' in path and Path(path).name.startswith('test_')


def counts(path: str) -> bool:
    """Return whether tests can depend on a file."""
    aside = ('master/docs/', 'newsfragments/', 'www/', 'master/contrib/', 'common/')
    return not path.startswith(aside) and ('/' in path)


class Change:
    """What a commit changes.

    :param files: the text of each changed file before and after; ``None`` where there is none.
    """

    def __init__(self, files: Mapping[str, tuple[str | None, str | None]]) -> None:
        #: whether it can change the outcome of any test
        self.everything = False
        #: modules whose code outside of functions changes: what they import stays what it is
        self.modules: set[str] = set()
        self._gone: set[str] = set()  # functions that changed or went
        self._files: set[str] = set()  # files with something new that their functions may meet
        self._names: set[str] = set()  # of new functions
        self._tests: set[str] = set()
        for path, (old, new) in files.items():
            if counts(path):
                self._compare(path, old, new)

    def _compare(self, path: str, old: str | None, new: str | None) -> None:
        if is_test(path):
            self._tests.add(path)
        for end, reader in READERS.items():
            if path.endswith(end):
                self._files.add(reader)
                return
        if not path.endswith('.py'):
            self.everything = True
            return
        if old is None:
            # a new module is met through a changed function, but migrations are found by name
            self.everything |= '/migrations/' in path
            return
        before, after = pieces(old), pieces(new or '')
        for name in before.keys() | after.keys():
            one, other = before.get(name), after.get(name)
            if one == other:
                continue
            if one is not None and one.startswith('def '):
                self._gone.add(f'{path}:{name}')
            elif one is not None:
                self.modules.add(path)
            elif other is not None and other.startswith('def '):
                owner, _, plain = name.rpartition('.')
                if owner and owner in before:
                    self._files.add(path)
                    if not any(known.startswith(f'{owner}.') for known in before):
                        self._names.add(plain)  # it may replace that of a base class

    def concerns(
        self, test: str, called: Iterable[str], shared: Iterable[str], importers: Container[str]
    ) -> bool:
        """Return whether a test module can end otherwise.

        :param test: its path.
        :param called: the functions that it has called.
        :param shared: the functions that are called while modules are imported.
        :param importers: the files of ``modules``, and those that import these.
        """
        if self.everything or test in self._tests or not self._gone.isdisjoint(shared):
            return True
        if test in importers:
            return True
        for name in called:
            path, _, inner = name.partition(':')
            if name == PROCESS or name in self._gone or path in self._files or path in importers:
                return True
            if inner.rpartition('.')[2] in self._names:
                return True
        return False
