# SPDX-License-Identifier: GPL-2.0-only
"""Finds what the modules of a commit import although only a later commit brings it.

It looks at names only, which is quick; the type check finds missing members.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import Iterator
from typing import Mapping
from typing import NamedTuple


class Names(NamedTuple):
    """The names that a module binds, and those that it imports from the package and uses."""

    bound: frozenset[str]
    imported: frozenset[tuple[str, str]]


@cache
def names_in(source: str) -> Names:
    """Return what a module binds, and what it imports: pairs of module and name."""
    tree = ast.parse(source)
    bound: set[str] = set()
    used: set[str] = set()
    imports: list[tuple[str, str, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound.update(a.asname or a.name.partition('.')[0] for a in node.names)
        if isinstance(node, ast.ImportFrom) and (node.module or '').startswith('buildbot.'):
            module = (node.module or '').partition('.')[2]
            imports += [(module, alias.name, alias.asname or alias.name) for alias in node.names]
    for statement in tree.body:
        bound.update(binds(statement))
    imported = frozenset((module, name) for module, name, word in imports if word in used)
    return Names(frozenset(bound), imported)


def binds(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement of a module or class binds, without its imports."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield statement.name
    elif isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            yield from (n.id for n in ast.walk(target) if isinstance(n, ast.Name))
    elif isinstance(statement, (ast.If, ast.Try)):
        for inner in (*statement.body, *statement.orelse):
            yield from binds(inner)


class Missing:
    """Finds what is missing in commits. It checks no types.

    :param whole: all modules of the fork, by file.
    :param release: those of the checkout.
    """

    def __init__(self, whole: Mapping[str, str], release: Mapping[str, str]) -> None:
        self.whole, self.release = whole, release

    def of(self, picked: Mapping[str, str]) -> list[str]:
        """Return what modules of a commit import too early, each with the file.

        :param picked: the modules of the fork, as far as the commit has them.
        """
        return [
            f'{file} imports {module}.{name}, which comes later'
            for file, source in picked.items()
            for module, name in sorted(names_in(source).imported)
            if self._is_late(module, name, picked)
        ]

    def _is_late(self, module: str, name: str, picked: Mapping[str, str]) -> bool:
        place = module.replace('.', '/')
        for file in (f'{place}/{name}.py', f'{place}/{name}/__init__.py'):
            if file in self.whole or file in self.release:
                return file not in picked and file not in self.release
        for file in (f'{place}.py', f'{place}/__init__.py'):
            if file in self.whole:
                there = [s[file] for s in (picked, self.release) if file in s]
                return not any(name in names_in(source).bound for source in there)
        return False
