# SPDX-License-Identifier: GPL-2.0-only
"""Merges the imports of two modules.

Ruff removes unused imports and sorts the rest.
"""

from __future__ import annotations

from typing import Iterable
from typing import Sequence

import libcst as cst
import libcst.matchers as m

from .names import Refusal
from .names import Statement
from .names import code
from .names import is_import
from .names import is_type_checking
from .names import name_of
from .names import only_small
from .names import statements_of

OVERLAY = 'buildbot_overlay'


def single_imports(statement: cst.SimpleStatementLine) -> list[tuple[str, cst.SimpleStatementLine]]:
    """Return the names that an import binds, each with an import of its own."""
    small = only_small(statement)
    assert isinstance(small, (cst.Import, cst.ImportFrom))
    if isinstance(small.names, cst.ImportStar):
        return [('*', statement)]
    found = []
    for alias in small.names:
        name = alias.asname.name if alias.asname is not None else alias.name
        bound = code(name) if isinstance(small, cst.ImportFrom) else code(name).partition('.')[0]
        alone = small.with_changes(names=[alias.with_changes(comma=cst.MaybeSentinel.DEFAULT)])
        if isinstance(alone, cst.ImportFrom):
            alone = alone.with_changes(lpar=None, rpar=None)
        found.append((bound, statement.with_changes(body=[alone], leading_lines=[])))
    return found


def is_of_overlay(statement: cst.CSTNode) -> bool:
    small = only_small(statement)
    if isinstance(small, cst.ImportFrom):
        return small.module is not None and code(small.module).partition('.')[0] == OVERLAY
    if isinstance(small, cst.Import):
        return any(code(alias.name).partition('.')[0] == OVERLAY for alias in small.names)
    return False


def _imports(statements: Iterable[cst.CSTNode]) -> dict[str, cst.SimpleStatementLine]:
    found: dict[str, cst.SimpleStatementLine] = {}
    for statement in statements:
        if is_import(statement) and not is_of_overlay(statement):
            assert isinstance(statement, cst.SimpleStatementLine)
            for name, single in single_imports(statement):
                key = name if isinstance(only_small(statement), cst.ImportFrom) else code(single)
                found[key] = single
    return found


def _source(statement: cst.SimpleStatementLine) -> str:
    return code(statement.with_changes(trailing_whitespace=cst.TrailingWhitespace()))


def _place(source: str) -> str:
    # typing has the names of collections.abc, and newer checkouts take them from there
    return source.replace('from collections.abc import', 'from typing import')


def merge_imports(ours: cst.Module, body: Sequence[Statement], where: str) -> list[Statement]:
    """Return the statements of the release's module, with our imports among them.

    :param ours: the module of the fork.
    :param body: the statements of the release's module.
    :param where: the file, for a refusal.
    :raises Refusal: a name is imported from two places.
    """
    body = list(body)
    theirs = _imports(body)
    checking = next((s for s in body if is_type_checking(s)), None)
    only_typed = _imports(statements_of(checking.body)) if isinstance(checking, cst.If) else {}
    known = {name: _source(s) for name, s in {**theirs, **only_typed}.items()}
    our_checking = [s for s in ours.body if is_type_checking(s)]
    wanted = _imports(ours.body)
    typed = [s for c in our_checking if isinstance(c, cst.If) for s in statements_of(c.body)]
    for name, statement in {**wanted, **_imports(typed)}.items():
        if _place(known.get(name, _source(statement))) != _place(_source(statement)):
            raise Refusal(f'{where}: {name} is another thing in the release: {known[name]}')

    new = [s for name, s in wanted.items() if name not in theirs]
    moved = [name for name in wanted if name in only_typed]
    new_typed: list[Statement] = [
        s for name, s in _imports(typed).items() if name not in known and name not in wanted
    ]
    aliases = [s for s in typed if not is_import(s)]
    if checking is not None and (moved or new_typed or aliases):
        body[body.index(checking)] = _with_typed(checking, moved, new_typed, aliases)
    future = [s for s in new if _is_future(s)]
    after = max((i for i, s in enumerate(body) if is_import(s)), default=_first_code(body) - 1) + 1
    added: list[Statement] = [s for s in new if not _is_future(s)]
    if checking is None and (new_typed or aliases):
        block = cst.If(cst.Name('TYPE_CHECKING'), cst.IndentedBlock([*new_typed, *aliases]))
        added.append(block.with_changes(leading_lines=[cst.EmptyLine(indent=False)]))
    body[after:after] = added
    if future:
        first = next((i for i, s in enumerate(body) if is_import(s)), _first_code(body))
        body[first:first] = future
    return body


def _with_typed(
    checking: Statement, moved: Sequence[str], new: list[Statement], aliases: list[Statement]
) -> Statement:
    assert isinstance(checking, cst.If)
    left: list[Statement] = []
    for statement in statements_of(checking.body):
        if is_import(statement):
            assert isinstance(statement, cst.SimpleStatementLine)
            left += [
                statement if len(single_imports(statement)) == 1 else s
                for name, s in single_imports(statement)
                if name not in moved
            ]
        elif name_of(statement) not in {name_of(s) for s in aliases}:
            left.append(statement)
    last = max((i for i, s in enumerate(left) if is_import(s)), default=-1) + 1
    left[last:last] = new
    body = checking.body.with_changes(body=[*left, *aliases])
    return checking.with_changes(body=body)


def _is_future(statement: Statement) -> bool:
    return m.matches(statement, m.SimpleStatementLine([m.ImportFrom(module=m.Name('__future__'))]))


def _first_code(body: Sequence[Statement]) -> int:
    return 1 if body and isinstance(only_small(body[0]), cst.Expr) else 0


def add_import(module: cst.Module, origin: str, name: str, typed: bool = False) -> cst.Module:
    """Return a module that imports a name.

    :param typed: whether only types need it.
    """
    body = list(module.body)
    checking = next((s for s in body if is_type_checking(s)), None)
    in_block = statements_of(checking.body) if isinstance(checking, cst.If) else []
    if name in _imports(body) or (typed and name in _imports(in_block)):
        return module
    statement = cst.parse_statement(f'from {origin} import {name}')
    if typed and isinstance(checking, cst.If):
        block = checking.body.with_changes(body=[statement, *in_block])
        body[body.index(checking)] = checking.with_changes(body=block)
        return module.with_changes(body=body)
    if typed:
        module = add_import(module, 'typing', 'TYPE_CHECKING')
        body = list(module.body)
        block = cst.IndentedBlock([statement])
        lines = [cst.EmptyLine(indent=False)]
        statement = cst.If(cst.Name('TYPE_CHECKING'), block, leading_lines=lines)
    after = max((i for i, s in enumerate(body) if is_import(s)), default=_first_code(body) - 1) + 1
    return module.with_changes(body=[*body[:after], statement, *body[after:]])
