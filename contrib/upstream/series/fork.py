# SPDX-License-Identifier: GPL-2.0-only
"""The files of the fork, and what they become in a checkout."""

from __future__ import annotations

import ast
from functools import cache
from functools import cached_property
from pathlib import Path
from typing import AbstractSet
from typing import Sequence

import libcst as cst

from .fix import Fix
from .merge import Order
from .merge import is_overlaid
from .merge import is_package_of_overlay
from .merge import merge_module
from .merge import order_of
from .merge import replaced_module
from .missing import Missing
from .missing import binds
from .names import Function
from .names import Refusal
from .names import Statement
from .names import attribute_set
from .names import statements_of
from .plan import Commit
from .plan import Series
from .setupfile import EntryPoint
from .setupfile import entry_points
from .setupfile import extend_setup
from .tree import Tree
from .typed import with_annotations

REPLACES = ('New: ', 'Replaced wholly: ')


class Fork:
    """The files of the fork, and what they become in a checkout. It makes no commits.

    :param fixes: that the checkout may have.
    """

    def __init__(self, root: Path, series: Series, fixes: Sequence[Fix] = ()) -> None:
        self.root, self.series = root, series
        self.fixes = {fix.name: fix for fix in fixes}
        self._orders: dict[str, Order] = {}
        self._merged: dict[tuple[str, cst.Module, str | None], str] = {}
        self._setups: dict[tuple[str, tuple[str, ...], tuple[EntryPoint, ...]], str] = {}
        self._unfixed: dict[tuple[str, ...], dict[str, str] | None] = {}
        self.sources = {
            path.relative_to(root).as_posix(): series.read(path)
            for path in sorted(root.rglob('*'))
            if path.suffix in ('.py', '.cfg')
        }

    def members(self) -> set[str]:
        """Return the members of its classes, as ``Class.member``."""
        return {
            f'{statement.name}.{member}'
            for file, source in self.sources.items()
            if file.endswith('.py')
            for statement in ast.parse(source).body
            if isinstance(statement, ast.ClassDef)
            for inner in statement.body
            for member in binds(inner)
        }

    def merge_into(self, tree: Tree, until: int) -> None:
        """Write what the first commits of the series make of a checkout.

        :param until: number of the last commit that counts.
        :raises Refusal: something cannot be merged.
        """
        refused = [
            f'{file}: the checkout has no such package'
            for file, source in self.sources.items()
            if self._is_package(file) and tree.original(tree.package / file) is None
        ]
        written = {
            file: source
            for file, source in self.sources.items()
            if not file.endswith('.py') and 0 <= self.series.commit_of(file) <= until
        }
        unfixed = self.unfixed(tree, until)
        written.update(unfixed)
        for file, part in self.picked(until).items():
            theirs = unfixed.get(file) or tree.original(tree.package / file)
            try:
                written[file] = self._module(tree, file, part, theirs)
            except Refusal as e:
                refused.append(str(e))
        if refused:
            raise Refusal('\n'.join(refused))
        for file, source in written.items():
            tree.write(tree.package / file, source)
        self._extend_setup(tree, sorted(written), until)

    def unfixed(self, tree: Tree, until: int) -> dict[str, str]:
        """Return the modules of a checkout without the fixes that the first commits replace.

        :param until: number of the last commit that counts.
        :returns: texts by file; only those that change.
        :raises Refusal: a commit replaces a fix that does not exist.
        """
        texts: dict[str, str] = {}
        for commit in self.series.commits[: until + 1]:
            for replaced in commit.replaces:
                fix = self.fixes.get(replaced['fix'])
                if fix is None:
                    raise Refusal(f'{commit.name} replaces {replaced["fix"]}, which is no fix')
                texts.update(self._undone(tree, fix, texts) or {})
        return texts

    def replaces_fixes(self, tree: Tree, commit: Commit) -> bool:
        """Tell whether a checkout has fixes that a commit replaces."""
        fixes = [self.fixes[replaced['fix']] for replaced in commit.replaces]
        return any(self._undone(tree, fix, {}) is not None for fix in fixes)

    def _undone(self, tree: Tree, fix: Fix, texts: dict[str, str]) -> dict[str, str] | None:
        files = sorted({edit.file for edit in fix.edits})
        found = {f: texts.get(f) or tree.original(tree.package / f) or '' for f in files}
        key = fix.name, *found.values()
        if key not in self._unfixed:
            self._unfixed[key] = fix.undo(found)  # the same for nearly all commits
        return self._unfixed[key]

    def picked(self, until: int) -> dict[str, cst.Module]:
        """Return the modules of the fork, as far as the first commits have them, by file.

        :param until: number of the last commit that counts.
        """
        found: dict[str, cst.Module] = {}
        for file, source in self.sources.items():
            if file.endswith('.py') and not self._is_package(file):
                part = self.series.pick(file, source, until)
                if part is not None:
                    found[file] = part
        mentioned = {name for module in found.values() for name in _names_mentioned(module)}
        return {f: _without_idle_attributes(module, mentioned) for f, module in found.items()}

    def codes(self, until: int) -> dict[str, str]:
        """Return the sources of ``picked``."""
        return {file: code_of(module) for file, module in self.picked(until).items()}

    def missing(self, tree: Tree) -> Missing:
        """Return a search for what a commit uses although a later one brings it."""
        paths = sorted(tree.package.rglob('*.py'))
        release = {
            path.relative_to(tree.package).as_posix(): source
            for path in paths
            for source in [tree.original(path)]
            if source is not None
        }
        return Missing(self.codes(len(self.series.commits) - 1), release)

    def _is_package(self, file: str) -> bool:
        return file.endswith('.py') and is_package_of_overlay(self.sources[file])

    def _extend_setup(self, tree: Tree, files: Sequence[str], until: int) -> None:
        path = tree.root / 'master' / 'setup.py'
        source = tree.original(path) or ''
        packages = [
            f'buildbot.{Path(file).parent.as_posix().replace("/", ".")}'
            for file in files
            if file.endswith('/__init__.py')
        ]
        points = []
        for point in self._entry_points:
            package, _, module = point.module.partition('.')
            if package != 'buildbot':
                continue
            file = module.replace('.', '/') + '.py'
            if 0 <= self.series.commit_of(file, point.name) <= until:
                points.append(point)
        if packages or points:
            key = source, tuple(packages), tuple(points)
            if key not in self._setups:
                self._setups[key] = extend_setup(source, packages, points)
            tree.write(path, self._setups[key])

    @cached_property
    def _entry_points(self) -> list[EntryPoint]:
        return entry_points(self.root.parent / 'setup.py')

    def _module(self, tree: Tree, file: str, module: cst.Module, theirs: str | None) -> str:
        key = file, module, theirs
        if key not in self._merged:
            self._merged[key] = self._merge(tree, file, module, theirs)
        return self._merged[key]

    def _merge(self, tree: Tree, file: str, module: cst.Module, theirs: str | None) -> str:
        module = with_annotations(module)
        ways = self.series.ways(file)
        if not is_overlaid(module):
            new = module if theirs is None else replaced_module(module, theirs, ways.described)
            return as_new(new.code, tree.header)
        if theirs is None:
            raise Refusal(f'{file}: the checkout has no such file')
        if file not in self._orders:
            whole = self.series.pick(file, self.sources[file], len(self.series.commits) - 1)
            assert whole is not None
            merged = merge_module(with_annotations(whole), theirs, file, ways)
            self._orders[file] = order_of(merged)
        return merge_module(module, theirs, file, ways, self._orders[file]).code


def as_new(source: str, header: str) -> str:
    """Return a module of ours as a new one of upstream's, with upstream's header."""
    lines = source.splitlines(keepends=True)
    start = next((i for i, line in enumerate(lines) if line[0] not in '#\n'), len(lines))
    text = ''.join(lines[start:])
    for word in REPLACES:
        if text.startswith(f'"""{word}'):
            rest = text[3 + len(word) :]
            text = f'"""{rest[0].upper()}{rest[1:]}'
    return header + text


class _Mentioned(ast.NodeVisitor):
    # finds the attributes that a module mentions, apart from their first assignments in __init__
    def __init__(self) -> None:
        self.names: set[str] = set()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in ast.iter_child_nodes(node):
            if node.name != '__init__' or part not in node.body or _attribute_set(part) is None:
                self.visit(part)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.names.add(node.attr)
        self.visit(node.value)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self.names.add(node.value)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                self.visit(value)


def _attribute_set(statement: ast.AST) -> str | None:
    if isinstance(statement, ast.Assign):
        target = statement.targets[0]
    elif isinstance(statement, ast.AnnAssign):
        target = statement.target
    else:
        return None
    if not isinstance(target, ast.Attribute) or not isinstance(target.value, ast.Name):
        return None
    return target.attr if target.value.id == 'self' else None


@cache
def code_of(module: cst.Module) -> str:
    return module.code


@cache
def _names_mentioned(module: cst.Module) -> frozenset[str]:
    visitor = _Mentioned()
    visitor.visit(ast.parse(code_of(module)))
    return frozenset(visitor.names)


def _without_idle_attributes(module: cst.Module, mentioned: AbstractSet[str]) -> cst.Module:
    # an attribute is set although nothing mentions it yet: it comes with the code that does
    if not is_overlaid(module):
        return module
    return _with_attributes(module, _names_set(module) & mentioned)


@cache
def _names_set(module: cst.Module) -> frozenset[str]:
    lines = [
        line
        for owner in module.body
        if isinstance(owner, cst.ClassDef)
        for member in statements_of(owner.body)
        if isinstance(member, Function) and member.name.value == '__init__'
        for line in statements_of(member.body)
    ]
    return frozenset(name for name in map(attribute_set, lines) if name is not None)


@cache
def _with_attributes(module: cst.Module, mentioned: frozenset[str]) -> cst.Module:
    body: list[cst.CSTNode] = []
    for owner in module.body:
        if isinstance(owner, cst.ClassDef) and isinstance(owner.body, cst.IndentedBlock):
            members = [_init_with(member, mentioned) for member in statements_of(owner.body)]
            owner = owner.with_changes(body=owner.body.with_changes(body=members))
        body.append(owner)
    return module.with_changes(body=body)


def _init_with(member: Statement, mentioned: AbstractSet[str]) -> Statement:
    if not isinstance(member, Function) or member.name.value != '__init__':
        return member
    lines = statements_of(member.body)
    left = [line for line in lines if attribute_set(line) in (None, *mentioned)]
    if len(left) == len(lines):
        return member  # the same object, so that it need not be merged anew
    return member.with_changes(body=member.body.with_changes(body=left))
