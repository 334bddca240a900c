# SPDX-License-Identifier: GPL-2.0-only
"""Merges a module of the fork with the release's module of the same name."""

from __future__ import annotations

import re
from typing import AbstractSet
from typing import Mapping
from typing import NamedTuple
from typing import Sequence

import libcst as cst
import libcst.matchers as m

from .callup import calls_up
from .callup import keep
from .callup import splice
from .callup import with_signature
from .comments import has_fields
from .comments import with_comments
from .comments import with_docstring
from .imports import merge_imports
from .names import Function
from .names import Refusal
from .names import Statement
from .names import code
from .names import is_docstring
from .names import is_import
from .names import is_type_checking
from .names import name_of
from .names import only_small
from .names import parse
from .names import position_of
from .names import statements_of
from .setupfile import text_of
from .setupfile import with_strings

#: Twisted and Buildbot add these attributes of a class to those of its bases
ACCUMULATED = ('compare_attrs', 'renderables')
RELEASE = m.SimpleStatementLine(body=[m.Assign(targets=[m.AssignTarget(m.Name('upstream'))])])
BLANK = cst.EmptyLine(indent=False)


class Ways(NamedTuple):
    """How to merge methods of the release that return in the middle, while ours continue.

    :param kept: by ``Class.method`` or name of a function, the private name under which the
        release's is kept and called.
    :param skipped: methods in which a return of the release's also skips our lines after it.
    :param described: methods and classes whose docstring is ours, as the release's is wrong now.
    """

    kept: dict[str, str]
    skipped: set[str]
    described: AbstractSet[str] = frozenset()


#: the names that a module binds, or under its name a class, in order
Order = Mapping[str, Sequence[str]]


def order_of(module: cst.Module) -> Order:
    """Return the order of the names that a module and its classes bind, the module's under ''."""
    order = {'': _names(module.body)}
    for statement in module.body:
        if isinstance(statement, cst.ClassDef):
            order[statement.name.value] = _names(statement.body.body)
    return order


def _names(statements: Sequence[cst.CSTNode]) -> list[str]:
    return [name for name in map(name_of, statements) if name is not None]


def merge_module(
    ours: cst.Module, theirs: str, where: str, ways: Ways, order: Order | None = None
) -> cst.Module:
    """Return the merged module.

    :param ours: the module of the fork.
    :param theirs: source of the release's.
    :param where: the file, for refusals.
    :param order: the final order of all names, if ``ours`` is only a part of the module.
    :raises Refusal: they cannot be merged.
    """
    release = parse(theirs)
    statements = [
        s
        for s in ours.body
        if not is_docstring(s)
        and not is_import(s)
        and not is_type_checking(s)
        and not m.matches(s, RELEASE)
    ]
    body = merge_imports(ours, [s for s in release.body], where)
    merger = _Merger(where, ways, release, order or {})
    body = merger.merge(statements, body, None)
    if merger.refused:
        raise Refusal('\n'.join(merger.refused))
    return release.with_changes(body=[_unqualified(statement, where) for statement in body])


def _unqualified(statement: Statement, where: str) -> Statement:
    # without ``upstream.`` before names of the release
    if isinstance(statement, cst.ClassDef) and isinstance(statement.body, cst.IndentedBlock):
        members = [_unqualified(member, where) for member in statements_of(statement.body)]
        block = statement.body.with_changes(body=members)
        head = statement.with_changes(body=cst.IndentedBlock([])).visit(_Unqualified())
        assert isinstance(head, cst.ClassDef)
        return head.with_changes(body=block)
    if 'upstream' not in code(statement):
        return statement
    left = statement.visit(_Unqualified())
    assert isinstance(left, cst.BaseStatement)
    if m.findall(left, m.Name('upstream')):
        raise Refusal(f'{where}: it names the release where that has no other name')
    return left


class _Merger:
    """Merges the statements of two modules, and keeps what it refuses. It reads no files."""

    def __init__(self, where: str, ways: Ways, release: cst.Module, order: Order) -> None:
        self.where, self.ways, self.release, self.order = where, ways, release, order
        self.refused: list[str] = []

    def merge(
        self, ours: Sequence[Statement], theirs: Sequence[Statement], owner: str | None
    ) -> list[Statement]:
        body = list(theirs)
        anchor: int | None = None
        replaced = self._replaced(ours, theirs, owner)
        for number, statement in enumerate(ours):
            name = name_of(statement)
            where = f'{self.where}: ' + '.'.join(filter(None, (owner, name)))
            if name is None:
                if owner is None or not _is_empty(statement):
                    raise Refusal(f'{where}{code(statement)[:60]!r} has no name to merge it by')
                continue
            position = position_of(name, body)
            if position is None:
                statement = self._value(statement, None, owner, where)
                if isinstance(statement, Function):
                    statement = with_comments(statement, replaced)
                known = self.order.get(owner or '', ())
                if name in known:
                    position = _place_by_order(known[: known.index(name)], body)
                else:
                    position = _place(statement, body, ours[number + 1 :], anchor, owner)
                body.insert(position, _spaced(statement, position, body, owner))
            else:
                try:
                    merged = self._both(statement, body[position], owner, where)
                except Refusal as e:
                    self.refused.append(str(e))
                    continue
                body[position : position + 1] = merged
                position += len(merged) - 1
            anchor = position
        return body

    def _replaced(
        self, ours: Sequence[Statement], theirs: Sequence[Statement], owner: str | None
    ) -> list[Function]:
        # the release's functions that ours replace wholly: ours may have their lines elsewhere
        names = {name_of(s) for s in ours if isinstance(s, Function) and not calls_up(s, owner)}
        return [s for s in theirs if isinstance(s, Function) and name_of(s) in names]

    def _both(
        self, ours: Statement, theirs: Statement, owner: str | None, where: str
    ) -> list[Statement]:
        if isinstance(ours, cst.ClassDef) and isinstance(theirs, cst.ClassDef):
            return [self._class(ours, theirs, where)]
        if isinstance(ours, Function) and isinstance(theirs, Function):
            name = '.'.join(filter(None, (owner, ours.name.value)))
            if name not in self.ways.described:
                ours = with_docstring(ours, theirs)
            if not calls_up(ours, owner):
                new = with_signature(ours, theirs) if _same_parameters(ours, theirs) else ours
                return [
                    with_comments(new, [theirs]).with_changes(leading_lines=theirs.leading_lines)
                ]
            if name in self.ways.kept:
                return keep(ours, theirs, owner, self.ways.kept[name])
            return [splice(ours, theirs, owner, where, name in self.ways.skipped)]
        if type(ours) is not type(theirs):
            raise Refusal(f'{where}: the release has something else of that name')
        merged = self._value(ours, theirs, owner, where)
        return [merged.with_changes(leading_lines=_lines(theirs))]

    def _class(self, ours: cst.ClassDef, theirs: cst.ClassDef, where: str) -> cst.ClassDef:
        name = ours.name.value
        derived = f'upstream.{name}'
        if derived not in [code(base.value) for base in ours.bases]:
            return _replaced_class(ours, theirs, self.ways.described)
        known = [code(base.value) for base in theirs.bases]
        bases = [b for b in ours.bases if code(b.value) not in (derived, *known)]
        members = statements_of(ours.body)
        body = statements_of(theirs.body)
        doc = [s for s in members[:1] if is_docstring(s) and has_fields(s)]
        if doc and not is_docstring(body[0]):
            body = [
                doc[0],
                body[0].with_changes(leading_lines=[BLANK, *_lines(body[0])]),
                *body[1:],
            ]
        body = self.merge([s for s in members if not is_docstring(s)], body, name)
        if len(body) > 1:
            body = [s for s in body if not _is_empty(s) or is_docstring(s)]
        changed = theirs.with_changes(body=theirs.body.with_changes(body=body))
        if bases:
            all_bases = [*theirs.bases, *bases]
            plain = [b.with_changes(comma=cst.MaybeSentinel.DEFAULT) for b in all_bases]
            changed = changed.with_changes(
                bases=plain,
                lpar=cst.LeftParen(),
                rpar=cst.RightParen(),
            )
        return changed

    def _value(
        self, ours: Statement, theirs: Statement | None, owner: str | None, where: str
    ) -> Statement:
        # an assignment, if it mentions the release's value
        small = only_small(ours)
        if not isinstance(small, (cst.Assign, cst.AnnAssign)) or small.value is None:
            return ours
        inlined = small.value.visit(_Inlined(self.release, owner, name_of(ours)))
        assert isinstance(inlined, cst.BaseExpression)
        old = only_small(theirs) if theirs is not None else None
        if isinstance(old, (cst.Assign, cst.AnnAssign)) and old.value is not None:
            speaks_of_it = bool(m.findall(small.value, m.Name('upstream')))
            if name_of(ours) in ACCUMULATED and not speaks_of_it:
                if not isinstance(inlined, cst.Tuple) or not isinstance(old.value, cst.Tuple):
                    raise Refusal(f'{where}: it is no tuple')
                elements = [*old.value.elements, *inlined.elements]
                inlined = old.value.with_changes(elements=_plain(elements))
            return ours.with_changes(body=[old.with_changes(value=inlined)])
        return ours.with_changes(body=[small.with_changes(value=inlined)])


def replaced_module(ours: cst.Module, theirs: str, described: AbstractSet[str]) -> cst.Module:
    """Return a module that replaces the release's, with what that says of its classes.

    :param described: see ``Ways``.
    """
    release = parse(theirs)
    body = []
    for statement in ours.body:
        position = position_of(name_of(statement) or '', release.body)
        found = release.body[position] if position is not None else None
        if isinstance(statement, cst.ClassDef) and isinstance(found, cst.ClassDef):
            statement = _replaced_class(statement, found, described)
        body.append(statement)
    return ours.with_changes(body=body)


def _replaced_class(
    ours: cst.ClassDef, theirs: cst.ClassDef, described: AbstractSet[str]
) -> cst.ClassDef:
    if ours.name.value not in described:
        ours = with_docstring(ours, theirs)
    body, members = statements_of(theirs.body), []
    for member in statements_of(ours.body):
        position = position_of(name_of(member) or '', body)
        found = body[position] if position is not None else None
        if isinstance(member, Function) and isinstance(found, Function):
            if f'{ours.name.value}.{member.name.value}' not in described:
                member = with_docstring(member, found)
            member = with_comments(member, [found])
            if not any(line.comment for line in member.leading_lines):
                member = member.with_changes(leading_lines=found.leading_lines)
        members.append(member)
    changed = ours.with_changes(body=ours.body.with_changes(body=members))
    return changed.with_changes(leading_lines=theirs.leading_lines)


def _same_parameters(ours: Function, theirs: Function) -> bool:
    return [p.name.value for p in ours.params.params] == [
        p.name.value for p in theirs.params.params
    ]


def _plain(elements: Sequence[cst.BaseElement]) -> list[cst.BaseElement]:
    return [e.with_changes(comma=cst.MaybeSentinel.DEFAULT) for e in elements]


def _flat(listed: cst.Tuple | cst.List) -> list[cst.BaseElement]:
    # with the elements of starred lists, where these are spelled out
    elements: list[cst.BaseElement] = []
    for element in listed.elements:
        inner = element.value
        if isinstance(element, cst.StarredElement) and isinstance(inner, (cst.Tuple, cst.List)):
            elements += inner.elements
        else:
            elements.append(element)
    return _plain(elements)


def _is_empty(statement: cst.CSTNode) -> bool:
    return is_docstring(statement) or m.matches(
        statement, m.SimpleStatementLine(body=[m.Pass() | m.Expr(m.Ellipsis())])
    )


def _lines(statement: cst.CSTNode) -> Sequence[cst.EmptyLine]:
    return getattr(statement, 'leading_lines', ())


def _place(
    statement: Statement,
    body: Sequence[Statement],
    behind: Sequence[Statement],
    anchor: int | None,
    owner: str | None,
) -> int:
    # after what precedes it in ours, or before what follows it there
    is_line = isinstance(statement, cst.SimpleStatementLine)
    if owner is not None and is_line and (anchor is None or isinstance(body[anchor], Function)):
        first = next((i for i, s in enumerate(body) if isinstance(s, Function)), len(body))
        lines = [i for i, s in enumerate(body[:first]) if isinstance(s, cst.SimpleStatementLine)]
        made = _maker(statement)
        like = [i for i in lines if made is not None and _maker(body[i]) == made]
        return max(like or lines, default=-1) + 1
    if anchor is not None:
        return anchor + 1
    for other in behind:
        name = name_of(other)
        position = position_of(name, body) if name is not None else None
        if position is not None and not isinstance(body[position], cst.SimpleStatementLine):
            return position
    if owner is None:
        return _behind_imports(body)
    return len(body)


def _maker(statement: Statement) -> str | None:
    # the function that makes the value of an attribute, which all tables have in common, say
    small = only_small(statement)
    called = small.value if isinstance(small, cst.Assign) else None
    return code(called.func) if isinstance(called, cst.Call) else None


def _place_by_order(before: Sequence[str], body: Sequence[Statement]) -> int:
    for name in reversed(before):
        position = position_of(name, body)
        if position is not None:
            return position + 1
    return _behind_imports(body)


def _behind_imports(body: Sequence[Statement]) -> int:
    heads = [is_import(s) or is_type_checking(s) or is_docstring(s) for s in body]
    return max((i for i, is_head in enumerate(heads) if is_head), default=-1) + 1


def _spaced(
    statement: Statement, position: int, body: Sequence[Statement], owner: str | None
) -> Statement:
    lines = [line for line in _lines(statement) if line.comment is not None]
    blanks = 1 if owner is not None or isinstance(statement, cst.SimpleStatementLine) else 2
    is_line = isinstance(statement, cst.SimpleStatementLine)
    before = body[position - 1] if position else None
    if is_line and owner is not None and isinstance(before, cst.SimpleStatementLine):
        blanks = 1 if lines or is_docstring(before) else 0
    return statement.with_changes(leading_lines=[BLANK] * blanks + lines)


class _Inlined(cst.CSTTransformer):
    # replaces ``upstream.C.x`` in a value that is made from the release's; in C itself, if the
    # value gets another name, by ``x``
    def __init__(self, release: cst.Module, owner: str | None, name: str | None) -> None:
        self.release, self.owner, self.name = release, owner, name

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        inner = original_node.value
        if not m.matches(inner, m.Attribute(value=m.Name('upstream'))):
            return updated_node
        assert isinstance(inner, cst.Attribute)
        if inner.attr.value == self.owner and original_node.attr.value != self.name:
            return original_node.attr
        position = position_of(inner.attr.value, self.release.body)
        found = self.release.body[position] if position is not None else None
        if not isinstance(found, cst.ClassDef):
            return updated_node
        members = statements_of(found.body)
        where = position_of(original_node.attr.value, members)
        if where is None:  # the class has it from its base
            return (
                updated_node.with_changes(value=found.bases[0].value)
                if found.bases
                else updated_node
            )
        small = only_small(members[where])
        if isinstance(small, (cst.Assign, cst.AnnAssign)) and small.value is not None:
            return small.value
        return updated_node

    def leave_Tuple(self, original_node: cst.Tuple, updated_node: cst.Tuple) -> cst.Tuple:
        return updated_node.with_changes(elements=_flat(updated_node))

    def leave_List(self, original_node: cst.List, updated_node: cst.List) -> cst.List:
        return updated_node.with_changes(elements=_flat(updated_node))

    def leave_BinaryOperation(
        self, original_node: cst.BinaryOperation, updated_node: cst.BinaryOperation
    ) -> cst.BaseExpression:
        # more strings in a set of strings
        left, right = updated_node.left, updated_node.right
        if not isinstance(updated_node.operator, cst.BitOr) or not isinstance(right, cst.Set):
            return updated_node
        texts = [text_of(e.value) for e in right.elements]
        if m.matches(left, m.Call(func=m.Name('set'), args=[m.Arg(m.List())])) and all(texts):
            assert isinstance(left, cst.Call) and isinstance(left.args[0].value, cst.List)
            listed = with_strings(left.args[0].value, texts)
            return left.with_changes(args=[left.args[0].with_changes(value=listed)])
        return updated_node


class _Unqualified(cst.CSTTransformer):
    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        if m.matches(updated_node.value, m.Name('upstream')):
            return updated_node.attr
        return updated_node


def is_overlaid(module: cst.Module) -> bool:
    """Tell whether a module of the fork says that it replaces one of the release."""
    return position_of('upstream', module.body) is not None


def is_package_of_overlay(source: str) -> bool:
    """Tell whether a module only lets the rest of a package be found in the release."""
    return re.search(r'^extend\(', source, re.M) is not None
