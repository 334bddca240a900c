# SPDX-License-Identifier: GPL-2.0-only
"""What the release says about its code stays where the code does."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import cache
from typing import Any
from typing import Sequence
from typing import TypeVar

import libcst as cst

from .names import Function
from .names import code
from .names import is_docstring
from .names import only_small
from .names import statements_of

Described = TypeVar('Described', cst.FunctionDef, cst.ClassDef)
HAS_FIELDS = re.compile(r'^\s*[@:](param|returns?|rtype|raises)\b', re.M)


def with_docstring(ours: Described, theirs: Described) -> Described:
    """Return a function or class of ours with the docstring of the release's, if that has one.

    The fields of our docstring (``:param x:`` and so on) follow, unless the release's has some.
    """
    return _with_docstring(ours, theirs)


# functions and classes are the same in most commits
@cache
def _with_docstring(ours: Any, theirs: Any) -> Any:
    body, known = statements_of(ours.body), _docstring(theirs)
    if known is None or not isinstance(ours.body, cst.IndentedBlock):
        return ours
    own = _docstring(ours)
    fields = _fields(own.value) if own is not None else ''
    text = known.value
    if fields and not HAS_FIELDS.search(text):
        indent = re.match(' *', fields)
        assert indent is not None
        text = f'{text[:-3].rstrip()}\n\n{fields}\n{indent[0]}{text[-3:]}'
    doc = statements_of(theirs.body)[0].with_changes(
        body=[cst.Expr(known.with_changes(value=text))], leading_lines=[]
    )
    code_of_ours: Sequence[cst.BaseStatement] = body[1:] if own is not None else body
    return ours.with_changes(body=ours.body.with_changes(body=[doc, *code_of_ours]))


def _docstring(described: cst.FunctionDef | cst.ClassDef) -> cst.SimpleString | None:
    body = statements_of(described.body)
    small = only_small(body[0]) if body and is_docstring(body[0]) else None
    value = small.value if isinstance(small, cst.Expr) else None
    if isinstance(value, cst.SimpleString) and value.value.startswith('"""'):
        return value
    return None


def has_fields(docstring: cst.BaseStatement) -> bool:
    """Tell whether a docstring says more than a sentence: it names parameters or attributes."""
    small = only_small(docstring)
    value = small.value if isinstance(small, cst.Expr) else None
    return isinstance(value, cst.SimpleString) and bool(_fields(value.value))


def _fields(docstring: str) -> str:
    found = re.search(r'^ *:\w.*\Z', docstring[:-3], re.M | re.S)
    return found[0].rstrip() if found is not None else ''


def with_comments(ours: Function, replaced: Sequence[Function]) -> Function:
    """Return a function of ours with the comments of functions of the release's that it replaces.

    A comment stays before the line that both have once, if ours has no comment there.
    """
    own = _lines_in(ours)
    count: Counter[str] = Counter()
    comments: dict[str, Sequence[cst.EmptyLine]] = {}
    for known in map(_lines_in, replaced):
        count.update(known.count)
        comments.update(known.comments)
    said = {
        line: comment
        for line, comment in comments.items()
        if count[line] == 1 and own.count[line] == 1 and line not in own.comments
    }
    return ours.with_changes(body=ours.body.visit(_Said(said))) if said else ours


@cache
def _lines_in(function: Function) -> _Lines:
    lines = _Lines()
    function.body.visit(lines)
    return lines


def _line_of(node: Any) -> str:
    # a statement without comments, quotes and spaces of its own; of a compound one its first line
    if isinstance(node, cst.SimpleStatementLine):
        bare: Any = node.with_changes(
            leading_lines=[], trailing_whitespace=cst.TrailingWhitespace()
        )
    else:
        empty = cst.SimpleStatementSuite([cst.Pass()])
        bare = node.with_changes(leading_lines=[], body=empty)
        if isinstance(node, (cst.If, cst.For, cst.While)):
            bare = bare.with_changes(orelse=None)
    return ast.unparse(ast.parse(code(bare).strip()))


class _Lines(cst.CSTVisitor):
    # the lines of a function, how often it has each, and the comments before them
    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.comments: dict[str, Sequence[cst.EmptyLine]] = {}

    def _meet(self, node: Any) -> None:
        line = _line_of(node)
        self.count[line] += 1
        said = [empty for empty in node.leading_lines if empty.comment is not None]
        if said:
            self.comments[line] = said

    visit_SimpleStatementLine = visit_If = visit_For = visit_While = visit_With = _meet


class _Said(cst.CSTTransformer):
    def __init__(self, said: dict[str, Sequence[cst.EmptyLine]]) -> None:
        self.said = said

    def _say(self, original_node: Any, updated_node: Any) -> Any:
        said = self.said.get(_line_of(original_node))
        if said is None:
            return updated_node
        return updated_node.with_changes(leading_lines=[*updated_node.leading_lines, *said])

    leave_SimpleStatementLine = leave_If = leave_For = leave_While = leave_With = _say
