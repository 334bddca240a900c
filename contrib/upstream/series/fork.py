# SPDX-License-Identifier: GPL-2.0-only
"""The files of the fork, and what they become in a checkout."""

from __future__ import annotations

import ast
import re
from functools import cache
from functools import cached_property
from pathlib import Path
from typing import AbstractSet
from typing import Sequence

import libcst as cst
import libcst.matchers as m

from .fix import Fix
from .merge import Order
from .merge import is_overlaid
from .merge import is_package_of_overlay
from .merge import merge_module
from .merge import order_of
from .merge import replaced_module
from .missing import Missing
from .missing import binds
from .names import Refusal
from .names import only_small
from .names import parse
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
        self._merged: dict[tuple[str, str, str | None], str] = {}
        self._setups: dict[tuple[str, tuple[str, ...], tuple[EntryPoint, ...]], str] = {}
        self._unfixed: dict[tuple[str, ...], dict[str, str] | None] = {}
        self.sources = {
            path.relative_to(root).as_posix(): path.read_text(encoding='utf-8')
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

    def picked(self, until: int) -> dict[str, str]:
        """Return the modules of the fork, as far as the first commits have them, by file.

        :param until: number of the last commit that counts.
        """
        found = {}
        for file, source in self.sources.items():
            if file.endswith('.py') and not self._is_package(file):
                part = self.series.pick(file, source, until)
                if part is not None:
                    found[file] = part
        mentioned = {name for source in found.values() for name in _names_mentioned(source)}
        return {f: _without_idle_attributes(source, mentioned) for f, source in found.items()}

    def missing(self, tree: Tree) -> Missing:
        """Return a search for what a commit uses although a later one brings it."""
        paths = sorted(tree.package.rglob('*.py'))
        release = {
            path.relative_to(tree.package).as_posix(): source
            for path in paths
            for source in [tree.original(path)]
            if source is not None
        }
        return Missing(self.picked(len(self.series.commits) - 1), release)

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

    def _module(self, tree: Tree, file: str, source: str, theirs: str | None) -> str:
        key = file, source, theirs
        if key not in self._merged:
            self._merged[key] = self._merge(tree, file, source, theirs)
        return self._merged[key]

    def _merge(self, tree: Tree, file: str, source: str, theirs: str | None) -> str:
        source = with_annotations(self._for(tree, source))
        ways = self.series.ways(file)
        if not is_overlaid(source):
            new = source if theirs is None else replaced_module(source, theirs, ways.described)
            return as_new(new, tree.header)
        if theirs is None:
            raise Refusal(f'{file}: the checkout has no such file')
        if file not in self._orders:
            whole = self.series.pick(file, self.sources[file], len(self.series.commits) - 1) or ''
            merged = merge_module(with_annotations(whole), theirs, file, ways)
            self._orders[file] = order_of(merged)
        return merge_module(source, theirs, file, ways, self._orders[file])

    def _for(self, tree: Tree, source: str) -> str:
        # names that the release has since changed
        for change in self.series.renamed:
            text = tree.original(tree.package / change['file']) or ''
            if re.search(rf'^    {change["new"]}\b', text, re.M):
                source = re.sub(rf'\b{change["old"]}\b', change['new'], source)
        return source


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
def _names_mentioned(source: str) -> frozenset[str]:
    visitor = _Mentioned()
    visitor.visit(ast.parse(source))
    return frozenset(visitor.names)


def _without_idle_attributes(source: str, mentioned: AbstractSet[str]) -> str:
    # an attribute is set although nothing mentions it yet: it comes with the code that does
    if not is_overlaid(source):
        return source
    return _with_attributes(source, _names_set(source) & mentioned)


@cache
def _names_set(source: str) -> frozenset[str]:
    init = _Init(None)
    parse(source).visit(init)
    return frozenset(init.found)


@cache
def _with_attributes(source: str, mentioned: frozenset[str]) -> str:
    changed = parse(source).visit(_Init(mentioned))
    assert isinstance(changed, cst.Module)
    return changed.code


class _Init(cst.CSTTransformer):
    # takes from each __init__ the attributes that are not mentioned; or all
    def __init__(self, mentioned: AbstractSet[str] | None) -> None:
        self.mentioned = mentioned
        self.found: set[str] = set()

    def visit_FunctionDef(self, node: cst.FunctionDef) -> bool:
        return node.name.value == '__init__'

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        return False

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        if original_node.name.value != '__init__':
            return updated_node
        body = [s for s in statements_of(updated_node.body) if not self._is_idle(s)]
        return updated_node.with_changes(body=updated_node.body.with_changes(body=body))

    def _is_idle(self, statement: cst.BaseStatement) -> bool:
        small = only_small(statement)
        if isinstance(small, cst.Assign):
            target: cst.BaseExpression = small.targets[0].target
        elif isinstance(small, cst.AnnAssign):
            target = small.target
        else:
            return False
        if not m.matches(target, m.Attribute(value=m.Name('self'))):
            return False
        assert isinstance(target, cst.Attribute)
        self.found.add(target.attr.value)
        return self.mentioned is None or target.attr.value not in self.mentioned
