# SPDX-License-Identifier: GPL-2.0-only
"""Which module of the fork imports which: what a layer may see of the others, and no circles."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Iterator

from twisted.trial import unittest

from buildbot import locking

DECIDES = ('buildbot.locking', 'buildbot.process.waiting', 'buildbot.process.locks')


def modules() -> dict[str, Path]:
    """Return the modules of the fork, apart from the tests, by name."""
    root = Path(locking.__file__).parent.parent
    found = {}
    for path in root.rglob('*.py'):
        parts = path.relative_to(root.parent).with_suffix('').parts
        if 'test' not in parts:
            found['.'.join(p for p in parts if p != '__init__')] = path
    return found


def imports(path: Path) -> Iterator[str]:
    """Yield what a module imports anywhere in it, for types only, too."""
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def graph() -> dict[str, set[str]]:
    """Return the modules of the fork that each of them imports; a package is not its modules."""
    paths = modules()
    found = {}
    for name, path in paths.items():
        named = paths.keys() & set(imports(path)) - {name}
        found[name] = {m for m in named if not any(other.startswith(f'{m}.') for other in named)}
    return found


def find_circle(edges: dict[str, set[str]]) -> list[str]:
    """Return modules of which each imports the next and the last the first; none if none do."""
    done: set[str] = set()

    def search(way: list[str]) -> list[str]:
        for name in sorted(edges.get(way[-1], ())):
            if name in way:
                return [*way[way.index(name) :], name]
            if name not in done:
                found = search([*way, name])
                if found:
                    return found
        done.add(way[-1])
        return []

    return next((circle for name in sorted(edges) if (circle := search([name]))), [])


class Imports(unittest.SynchronousTestCase):
    def test_circle_is_named(self):
        """A circle is found, and the modules in it are named in their order."""
        edges = {'a': {'b'}, 'b': {'c', 'd'}, 'c': {'d'}, 'd': {'b'}, 'e': {'a'}}
        self.assertEqual(find_circle(edges), ['b', 'c', 'd', 'b'])
        self.assertEqual(find_circle({'a': {'b', 'c'}, 'b': {'c'}}), [])

    def test_no_circle(self):
        """No module of the fork imports itself by way of others, for types only neither."""
        edges = graph()
        self.assertIn('buildbot.locking.queue', edges['buildbot.locking.claim'])
        self.assertEqual(' -> '.join(find_circle(edges)), '')

    def test_who_decides_sees_nobody_who_tells(self):
        """Nothing that decides who holds or starts imports what says why."""
        for name, named in graph().items():
            if name.startswith(DECIDES):
                telling = {m for m in named if m.startswith('buildbot.process.eye')}
                self.assertEqual((name, telling), (name, set()))

    def test_locking_sees_nothing_above_it(self):
        """What holds and what waits knows no build and no configuration."""
        for name, named in graph().items():
            if name.startswith('buildbot.locking'):
                above = {m for m in named if not m.startswith('buildbot.locking')}
                self.assertEqual((name, above), (name, set()))
