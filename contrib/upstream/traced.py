# SPDX-License-Identifier: GPL-2.0-only
"""Record which functions of Buildbot are called, by a statement at the start of each.

A function is named ``path:Class.method``, with the path from the root of the checkout.
"""

from __future__ import annotations

import ast
import builtins
import importlib.abc
import importlib.machinery
import sys
from pathlib import Path
from typing import Any

PARTS = ('buildbot', 'buildbot_worker', 'buildbot_pkg')
#: what a test module has that starts processes: nobody knows what they call
PROCESS = 'process'

#: functions called since it was last cleared
called: set[str] = set()
#: functions called by code that runs while a module is imported: for whoever imports it first
shared: set[str] = set()


class Marks(ast.NodeTransformer):
    """Puts the statement into the functions of a module."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.names: list[str] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> Any:
        self.names.append(node.name)
        self.generic_visit(node)
        self.names.pop()
        return node

    def visit_FunctionDef(self, node: Any) -> Any:
        # functions inside of a function belong to it
        name = f'{self.path}:{".".join([*self.names, node.name])}'
        mark = ast.parse(f'__called__({name!r})').body[0]
        start = 1 if ast.get_docstring(node, clean=False) is not None else 0
        node.body.insert(start, ast.copy_location(mark, node.body[0]))
        return ast.fix_missing_locations(node)

    visit_AsyncFunctionDef = visit_FunctionDef


class Loader(importlib.machinery.SourceFileLoader):
    """Loads a module with the statements in it."""

    root = Path()

    def get_code(self, fullname: str) -> Any:
        path = self.get_filename(fullname)
        tree = ast.parse(self.get_data(path))
        Marks(Path(path).relative_to(self.root).as_posix()).visit(tree)
        return compile(tree, path, 'exec', dont_inherit=True)

    def exec_module(self, module: Any) -> None:
        before = set(called)
        called.clear()
        try:
            super().exec_module(module)
        finally:
            # the version asks git, which calls nothing of Buildbot
            shared.update(called - {PROCESS})
            called.clear()
            called.update(before)


class Finder(importlib.abc.MetaPathFinder):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> Any:
        if fullname.partition('.')[0] not in PARTS:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        origin = spec.origin if spec else None
        if spec and origin and origin.endswith('.py') and Path(origin).is_relative_to(Loader.root):
            spec.loader = Loader(fullname, origin)
        return spec


def _hear(event: str, args: Any) -> None:
    if event in ('os.fork', 'os.posix_spawn', 'os.system', 'os.exec', 'subprocess.Popen'):
        called.add(PROCESS)


def trace(root: Path) -> None:
    """Record calls of what is imported from a checkout from now on."""
    Loader.root = root
    builtins.__called__ = called.add  # type: ignore[attr-defined]
    sys.meta_path.insert(0, Finder())
    sys.addaudithook(_hear)
