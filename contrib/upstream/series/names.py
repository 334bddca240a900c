# SPDX-License-Identifier: GPL-2.0-only
"""The names of a module's statements, and refusals."""

from __future__ import annotations

from functools import cache
from typing import Sequence

import libcst as cst
import libcst.matchers as m

Statement = cst.BaseStatement
Function = cst.FunctionDef


class Refusal(Exception):
    """Something cannot be merged; the text names the file, and the class and method if any."""


# most of a file is the same in the next commit, and trees are copied, not changed
@cache
def parse(source: str) -> cst.Module:
    """Return the tree of a module; always the same one for the same source."""
    return cst.parse_module(source)


def code(node: cst.CSTNode) -> str:
    """Return the source of a piece of syntax, without the space around it."""
    return cst.Module([]).code_for_node(node).strip()


def name_of(statement: cst.CSTNode) -> str | None:
    """Return the name that a statement binds in its module or class; None if it binds none.

    The setter of a property has a name of its own: ``workdir.setter``.
    """
    if isinstance(statement, Function):
        for decorator in statement.decorators:
            if m.matches(decorator.decorator, m.Attribute(value=m.Name(), attr=m.Name('setter'))):
                return f'{statement.name.value}.setter'
        return statement.name.value
    if isinstance(statement, cst.ClassDef):
        return statement.name.value
    small = only_small(statement)
    if isinstance(small, cst.Assign) and len(small.targets) == 1:
        target: cst.CSTNode = small.targets[0].target
    elif isinstance(small, cst.AnnAssign):
        target = small.target
    else:
        return None
    return target.value if isinstance(target, cst.Name) else None


def only_small(statement: cst.CSTNode) -> cst.BaseSmallStatement | None:
    """Return the only statement in a line of code; None if there are several or it is a block."""
    if isinstance(statement, cst.SimpleStatementLine) and len(statement.body) == 1:
        return statement.body[0]
    return None


def attribute_set(statement: Statement) -> str | None:
    """Return the attribute of ``self`` that a statement sets; None if it sets none."""
    small = only_small(statement)
    target: cst.BaseExpression | None = None
    if isinstance(small, cst.Assign):
        target = small.targets[0].target
    elif isinstance(small, cst.AnnAssign):
        target = small.target
    if isinstance(target, cst.Attribute) and m.matches(target.value, m.Name('self')):
        return target.attr.value
    return None


def is_docstring(statement: cst.CSTNode) -> bool:
    small = only_small(statement)
    return isinstance(small, cst.Expr) and isinstance(
        small.value, (cst.SimpleString, cst.ConcatenatedString)
    )


def is_import(statement: cst.CSTNode) -> bool:
    return isinstance(only_small(statement), (cst.Import, cst.ImportFrom))


def is_type_checking(statement: cst.CSTNode) -> bool:
    return isinstance(statement, cst.If) and m.matches(statement.test, m.Name('TYPE_CHECKING'))


def position_of(name: str, statements: Sequence[cst.CSTNode]) -> int | None:
    """Return where a name is bound among some statements."""
    for position, statement in enumerate(statements):
        if name_of(statement) == name:
            return position
    return None


def statements_of(block: cst.BaseSuite) -> list[Statement]:
    """Return the statements of a block that has lines of its own."""
    return [s for s in block.body if isinstance(s, cst.BaseStatement)]
