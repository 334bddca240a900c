# SPDX-License-Identifier: GPL-2.0-only
"""Types as upstream wants them: for every function, and for every place that mypy doubts."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Container
from typing import Iterator
from typing import NamedTuple
from typing import Sequence

import libcst as cst

from .imports import add_import
from .names import Function
from .names import Refusal
from .names import code

ERROR = re.compile(
    r'(?P<file>[^:]+):(?P<line>\d+): error: (?P<text>.*?)(?:  \[(?P<code>[\w-]+)\])?$'
)
UNUSED = 'Unused "type: ignore'
MISSING = re.compile(r'Module "[^"]+" has no attribute|Name "[^"]+" is not defined')
SCOPE = re.compile(r'( *)(?:class|def|async def) (\w+)')
NO_MEMBER = re.compile(r'"(?P<owner>\w+)"(?: of "[^"]+")? has no attribute "(?P<member>\w+)"')


@cache
def with_annotations(module: cst.Module) -> cst.Module:
    """Return a module of ours in which each function says what it takes and returns.

    What the function does not say becomes ``Any``, or ``None`` if it returns nothing.
    """
    annotated = [_annotated(statement) for statement in module.body]
    needs = {name for _, names in annotated for name in names}
    module = module.with_changes(body=[statement for statement, _ in annotated])
    if 'Any' in needs:
        module = add_import(module, 'typing', 'Any')
    if 'InlineCallbacksType' in needs:
        module = add_import(module, 'buildbot.util.twisted', 'InlineCallbacksType', typed=True)
    return module


# most functions of a file are the same in the next commit
@cache
def _annotated(statement: cst.CSTNode) -> tuple[cst.CSTNode, frozenset[str]]:
    # a statement with annotations, and the names that these need
    if isinstance(statement, cst.ClassDef):
        members = [_annotated(member) for member in statement.body.body]
        body = statement.body.with_changes(body=[member for member, _ in members])
        needs = frozenset(name for _, names in members for name in names)
        return statement.with_changes(body=body), needs
    annotated = _Annotated()
    changed = statement.visit(annotated)
    assert isinstance(changed, cst.CSTNode)
    return changed, frozenset(annotated.needs)


class _Annotated(cst.CSTTransformer):
    def __init__(self) -> None:
        self.needs: set[str] = set()

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        return False

    def leave_FunctionDef(self, original_node: Function, updated_node: Function) -> Function:
        params = updated_node.params.visit(_Params(self))
        returns = updated_node.returns
        is_inline = any(
            code(d.decorator).endswith('inlineCallbacks') for d in updated_node.decorators
        )
        body = _Body()
        original_node.body.visit(body)
        if returns is None:
            returns = cst.Annotation(self._returns(body, is_inline))
        elif is_inline and body.yields and code(returns.annotation) == 'Any':
            returns = cst.Annotation(self._returns(body, is_inline))
        return updated_node.with_changes(params=params, returns=returns)

    def _returns(self, body: _Body, is_inline: bool) -> cst.BaseExpression:
        what = 'Any' if body.returns or (body.yields and not is_inline) else 'None'
        if what == 'Any':
            self.needs.add(what)
        if not is_inline or not body.yields:
            return cst.Name(what)
        self.needs.add('InlineCallbacksType')
        return cst.parse_expression(f'InlineCallbacksType[{what}]')


class _Params(cst.CSTTransformer):
    def __init__(self, annotated: _Annotated) -> None:
        self.annotated = annotated

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def leave_Param(self, original_node: cst.Param, updated_node: cst.Param) -> cst.Param:
        if updated_node.annotation is not None or updated_node.name.value in ('self', 'cls'):
            return updated_node
        self.annotated.needs.add('Any')
        equal: cst.AssignEqual | cst.MaybeSentinel = cst.MaybeSentinel.DEFAULT
        if updated_node.default is not None:
            equal = cst.AssignEqual()
        return updated_node.with_changes(annotation=cst.Annotation(cst.Name('Any')), equal=equal)


class _Body(cst.CSTVisitor):
    def __init__(self) -> None:
        self.returns = self.yields = False

    def visit_FunctionDef(self, node: Function) -> bool:
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def visit_Return(self, node: cst.Return) -> None:
        self.returns = self.returns or node.value is not None

    def visit_Yield(self, node: cst.Yield) -> None:
        self.yields = True


class Doubt(NamedTuple):
    """One complaint of mypy about a line."""

    file: str
    line: int
    text: str
    code: str


def doubts(root: Path, mypy: str, cache: Path) -> list[Doubt]:
    """Return mypy's complaints about a checkout, with upstream's settings.

    :param mypy: the program.
    :param cache: a folder that speeds up the next run.
    """
    command = [mypy, '--no-pretty', '--warn-unused-ignores', '--platform', 'linux']
    settings = ['--config-file', 'pyproject.toml', '--cache-dir', str(cache), 'master/buildbot']
    done = subprocess.run(
        [*command, *settings], cwd=root, capture_output=True, text=True, check=False
    )
    found = []
    for line in done.stdout.splitlines():
        match = ERROR.match(line)
        if match is not None:
            found.append(
                Doubt(match['file'], int(match['line']), match['text'], match['code'] or '')
            )
    return found


class Mark(NamedTuple):
    """A line that mypy doubts, and the same line with a mark.

    :param place: the names of the classes and functions around it.
    """

    place: tuple[str, ...]
    line: str
    marked: str


def marks_for(
    root: Path, new: Sequence[Doubt], old: Sequence[Doubt], members: Container[str]
) -> dict[str, list[Mark]]:
    """Mark the lines that mypy newly doubts, as upstream does where it knows better.

    :param new: its complaints now.
    :param old: its earlier complaints.
    :param members: of the classes of the fork, as ``Class.member``.
    :returns: the marks of each file.
    :raises Refusal: a module or a class lacks a name that is used.
    """
    lines: dict[str, dict[int, list[Doubt]]] = {}
    for doubt in more_than(old, new):
        no_member = NO_MEMBER.search(doubt.text)
        is_ours = no_member is not None and '.'.join(no_member.groups()) in members
        # tests give objects attributes that their classes lack
        is_gone = doubt.code == 'attr-defined' and '/test/' not in doubt.file
        if is_ours or is_gone or MISSING.match(doubt.text):
            raise Refusal(f'{doubt.file}, line {doubt.line}: {doubt.text}')
        lines.setdefault(doubt.file, {}).setdefault(doubt.line, []).append(doubt)
    marks = {}
    for file, found in lines.items():
        text = (root / file).read_text(encoding='utf-8').splitlines()
        places = _places(text)
        marks[file] = [
            Mark(places[number - 1], text[number - 1], _marked(text[number - 1], doubts))
            for number, doubts in sorted(found.items())
        ]
    return marks


def more_than(old: Sequence[Doubt], new: Sequence[Doubt]) -> Iterator[Doubt]:
    """Yield the new complaints of mypy, wherever in a file the lines are now."""
    known = Counter((doubt.file, doubt.text) for doubt in old)
    for doubt in new:
        if known[doubt.file, doubt.text]:
            known[doubt.file, doubt.text] -= 1
        else:
            yield doubt


def with_marks(text: str, marks: Sequence[Mark]) -> str:
    """Return a module with marks on its lines, where all of these lines exist."""
    if not marks:
        return text
    marked = {(mark.place, mark.line): mark.marked for mark in marks}
    lines = text.splitlines()
    found = [marked.get((p, line), line) for p, line in zip(_places(lines), lines)]
    return ''.join(f'{line}\n' for line in found)


def _places(lines: Sequence[str]) -> list[tuple[str, ...]]:
    # the classes and functions around each line, by the lines above it that are further to the left
    around: list[tuple[int, str]] = []
    places = []
    for line in lines:
        found = SCOPE.match(line)
        if found is not None:
            around = [(indent, name) for indent, name in around if indent < len(found[1])]
        places.append(tuple(name for _, name in around))
        if found is not None:
            around.append((len(found[1]), found[2]))
    return places


def _marked(line: str, found: list[Doubt]) -> str:
    mark = re.search(r'  # type: ignore\[([\w, -]+)\]', line)
    codes = set(mark[1].split(', ')) if mark is not None else set()
    for doubt in found:
        if doubt.text.startswith(UNUSED):
            unused = re.search(r'ignore\[([\w, -]+)\]', doubt.text)
            codes -= set(unused[1].split(', ')) if unused is not None else codes
        else:
            codes.add(doubt.code)
    if mark is not None:
        line = line[: mark.start()] + line[mark.end() :]
    if not codes:
        return line
    mark_now = f'  # type: ignore[{", ".join(sorted(codes))}]'
    before, comment, behind = line.partition('  # ')
    return f'{before}{mark_now}{comment}{behind}'
