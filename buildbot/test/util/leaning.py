# SPDX-License-Identifier: GPL-2.0-only
"""New: which names of the release a module of the overlay uses, as far as its source tells."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any
from typing import Collection


class Leaning(ast.NodeVisitor):
    """Reads the source of one module; what stands below ``TYPE_CHECKING`` does not run.

    Found are what is imported, attributes of modules and classes, and members that a class of the
    module has from one of the release's: ``self.m`` and ``super().m``. What is called on other
    objects cannot be told.

    :param name: of the module.
    :param ours: names of the overlay's modules.
    :ivar found: qualified names of the release.
    """

    def __init__(self, name: str, ours: Collection[str]) -> None:
        self.found: set[str] = set()
        self._module = import_module(name)
        self._ours = ours
        self._known: dict[str, Any] = {}
        self._classes: list[Any] = []

    def visit_If(self, node: ast.If) -> None:  # noqa: N802 - the name that ast gives it
        is_for_types = isinstance(node.test, ast.Name) and node.test.id == 'TYPE_CHECKING'
        for child in node.orelse if is_for_types else ast.iter_child_nodes(node):
            self.visit(child)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: N802
        if node.module is None or node.module.split('.')[0] != 'buildbot':
            return
        for alias in node.names:
            value = self._value_of(import_module(node.module), alias.name)
            self._known[alias.asname or alias.name] = value

    def visit_Attribute(self, node: ast.Attribute) -> None:  # noqa: N802
        self.generic_visit(node)
        of = node.value
        if isinstance(of, ast.Call) and isinstance(of.func, ast.Name) and of.func.id == 'super':
            self._member_of(self._classes[-1].__mro__[1:], node.attr)
        elif isinstance(of, ast.Name) and of.id in ('self', 'cls') and self._classes:
            self._member_of(self._classes[-1].__mro__, node.attr)
        else:
            value = self._told(of)
            if isinstance(value, type):
                self._member_of(value.__mro__, node.attr)
            elif value is not None:
                self._value_of(value, node.attr)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:  # noqa: N802
        for child in (*node.decorator_list, *node.bases, *node.keywords):
            self.visit(child)
        around = self._classes[-1] if self._classes else self._module
        self._classes.append(getattr(around, node.name, object))
        for child in node.body:
            self.visit(child)
        self._classes.pop()

    def _told(self, node: ast.expr) -> Any:
        """Return the module or class of Buildbot that an expression names, or None."""
        if isinstance(node, ast.Name):
            own = vars(self._module).get(node.id) if node.id == 'upstream' else None
            value = self._known.get(node.id, own)
        elif isinstance(node, ast.Attribute):
            value = getattr(self._told(node.value), node.attr, None)
        else:
            return None
        is_one = isinstance(value, (ModuleType, type)) or value is self._upstream(self._module)
        return value if is_one else None

    @staticmethod
    def _upstream(module: Any) -> Any:
        return getattr(module, 'upstream', None)

    def _value_of(self, module: Any, name: str) -> Any:
        """Take note of a name of a module, and return what it means."""
        if module is self._upstream(self._module):
            value = getattr(module, name)
            module = self._module
        else:
            if not hasattr(module, name):
                import_module(f'{module.__name__}.{name}')
            value = getattr(module, name)
        if isinstance(value, ModuleType):
            return value
        home = module.__name__
        if inspect.isclass(value) or inspect.isfunction(value):
            home, name = value.__module__, value.__qualname__
        if self._is_release_s(home, name, value):
            self.found.add(f'{home}.{name}')
        return value

    def _member_of(self, classes: tuple[Any, ...], name: str) -> None:
        for cls in classes:
            if name in vars(cls):
                if self._is_release_s(cls.__module__, cls.__qualname__, cls):
                    self.found.add(f'{cls.__module__}.{cls.__qualname__}.{name}')
                return

    def _is_release_s(self, home: str, name: str, value: Any) -> bool:
        if home in self._ours:
            # one of ours without it has nothing of the release's in it
            return getattr(self._upstream(import_module(home)), name, None) is value
        return home.split('.')[0] == 'buildbot'


def names_leaned_on(name: str, ours: Collection[str]) -> set[str]:
    """Return the qualified names of the release that a module of the overlay uses.

    :param ours: names of the overlay's modules.
    """
    leaning = Leaning(name, ours)
    # __file__ is that of the release
    leaning.visit(ast.parse(Path(import_module(name).__spec__.origin).read_text()))
    return leaning.found
