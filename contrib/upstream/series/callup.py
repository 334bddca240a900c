# SPDX-License-Identifier: GPL-2.0-only
"""Merges a method of the fork that calls up into the release's method, with our lines around it.

The call up must appear once, as a statement of its own, with the release's parameters. If the
release's method returns in the middle and ours continues after the call, there is no such method;
then the release's is kept under a private name from the series file, and ours calls that.
"""

from __future__ import annotations

from functools import cache
from typing import Callable
from typing import NamedTuple
from typing import Sequence

import libcst as cst
import libcst.matchers as m

from .names import Function
from .names import Refusal
from .names import Statement
from .names import attribute_set
from .names import code
from .names import is_docstring
from .names import only_small
from .names import statements_of


class _Call(NamedTuple):
    # the line that calls up: what is done with the result, and how it is waited for
    line: cst.SimpleStatementLine
    call: cst.Call
    waits: str  # '', 'yield' or 'await'
    is_last: bool  # nothing of ours runs after it


def is_call_up(node: cst.CSTNode, owner: str | None, name: str) -> bool:
    """Tell whether an expression calls the release's function or method with a name.

    :param owner: the class it is in; None for a function of the module.
    """
    release = m.Name('upstream')
    if owner is None:
        return m.matches(node, m.Call(func=m.Attribute(value=release, attr=m.Name(name))))
    method = m.Attribute(value=m.Attribute(value=release, attr=m.Name(owner)), attr=m.Name(name))
    parent = m.Attribute(value=m.Call(func=m.Name('super'), args=[]), attr=m.Name(name))
    getter = m.Attribute(value=method, attr=m.Name('fget'))
    return m.matches(node, m.Call(func=method | parent | getter))


# methods are the same in most commits
@cache
def splice(
    ours: Function, theirs: Function, owner: str | None, where: str, skips: bool = False
) -> Function:
    """Return the release's method with our lines around its own.

    :param ours: the method that calls up.
    :param where: file, class and method, for a refusal.
    :param skips: whether lines after the call up may be skipped if the release's method returns
        early.
    :raises Refusal: they cannot be merged.
    """
    found = _find(ours, owner, where)
    _check_arguments(found.call, ours, theirs, where)
    kind_of_ours, kind_of_theirs = _kind(ours), _kind(theirs)
    adopts = kind_of_ours == '' and kind_of_theirs != ''
    if adopts and (not found.is_last or _returns(ours.body) != 1):
        raise Refusal(f"{where}: ours returns a Deferred, and the release's waits for one")
    waits_twice = found.waits and kind_of_theirs == ''
    if found.waits and kind_of_theirs not in ('', kind_of_ours):
        raise Refusal(f"{where}: the release's is {kind_of_theirs}, and ours is {kind_of_ours}")
    _check_names(ours, theirs, found, where)
    body = [s for s in statements_of(theirs.body) if not isinstance(only_small(s), cst.Pass)]
    doc = [body.pop(0)] if body and is_docstring(body[0]) else []
    body = _give_result(body, found, bool(waits_twice), skips, where)
    ours, body = _set_once(ours, body, found)
    if body:
        lines = [*found.line.leading_lines, *getattr(body[0], 'leading_lines', ())]
        body[0] = body[0].with_changes(leading_lines=lines)
    merged = ours.body.visit(_Replace(found.line, body, len(body) > 2))
    assert isinstance(merged, cst.IndentedBlock)
    if doc and not is_docstring(merged.body[0]):
        merged = merged.with_changes(body=[*doc, *merged.body])
    return with_signature(ours, theirs).with_changes(
        body=merged.with_changes(header=theirs.body.header)
        if isinstance(theirs.body, cst.IndentedBlock)
        else merged,
        decorators=theirs.decorators
        if adopts or kind_of_ours == kind_of_theirs
        else ours.decorators,
        leading_lines=theirs.leading_lines,
    )


def keep(ours: Function, theirs: Function, owner: str | None, name: str) -> list[Statement]:
    """Return the release's method under its private name, and ours, which calls that."""

    def renamed(call: cst.Call) -> cst.Call:
        target: cst.BaseExpression = cst.Name(name)
        if owner is not None:
            is_static = any(code(d.decorator) == 'staticmethod' for d in ours.decorators)
            target = cst.Attribute(cst.Name(owner if is_static else 'self'), cst.Name(name))
        return call.with_changes(func=target)

    changed = ours.visit(_Calls(owner, ours.name.value, renamed))
    assert isinstance(changed, Function)
    kept = theirs.with_changes(name=cst.Name(name))
    body = statements_of(theirs.body)
    if is_docstring(body[0]) and is_docstring(statements_of(ours.body)[0]):
        kept = kept.with_changes(body=theirs.body.with_changes(body=body[1:]))  # ours has it
    blank = cst.EmptyLine(indent=False)
    apart = [blank] if owner is not None else [blank, blank]
    if len(_all_params(ours)) == len(_all_params(theirs)):
        changed = with_signature(changed, theirs)
    return [kept, changed.with_changes(leading_lines=apart)]


def with_signature(ours: Function, theirs: Function) -> Function:
    """Return our function with its parameters as the release writes them, as far as it has them."""
    known = {p.name.value: p for p in _all_params(theirs)}
    names = [p.name.value for p in _all_params(ours)]
    star = isinstance(ours.params.star_arg, cst.Param) and ours.params.star_arg.name.value
    if names == list(known) or (star == 'args' and names == ['self']):
        params = theirs.params
    else:
        typed = any(p.annotation is not None for p in known.values())
        params = ours.params.with_changes(
            params=[
                known.get(p.name.value, p if typed else p.with_changes(annotation=None))
                .with_changes(comma=cst.MaybeSentinel.DEFAULT)
                for p in ours.params.params
            ]
        )  # fmt: skip
    returns = theirs.returns
    if returns is not None and code(returns.annotation) == 'None' and _returns(ours.body):
        returns = ours.returns
    if returns is not None and _kind(ours) == 'inlineCallbacks':
        # the release's may return the Deferred of another method
        returns = returns.with_changes(annotation=_as_inline(returns.annotation))
    return ours.with_changes(params=params, returns=returns)


def _as_inline(annotation: cst.BaseExpression) -> cst.BaseExpression:
    if isinstance(annotation, cst.Subscript):
        if code(annotation.value) in ('Deferred', 'defer.Deferred'):
            return annotation.with_changes(value=cst.Name('InlineCallbacksType'))
    return annotation


def _all_params(function: Function) -> list[cst.Param]:
    params = function.params
    return [*params.params, *params.kwonly_params]


def _kind(function: Function) -> str:
    if function.asynchronous is not None:
        return 'async'
    decorators = [code(d.decorator).rpartition('.')[2] for d in function.decorators]
    return 'inlineCallbacks' if 'inlineCallbacks' in decorators else ''


class _Calls(cst.CSTTransformer):
    # finds the calls up, or changes them
    def __init__(
        self, owner: str | None, name: str, change: Callable[[cst.Call], cst.Call] | None = None
    ) -> None:
        self.owner, self.name, self.change = owner, name, change
        self.found: list[cst.Call] = []

    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        if not is_call_up(original_node, self.owner, self.name):
            return updated_node
        self.found.append(original_node)
        return updated_node if self.change is None else self.change(updated_node)


@cache
def calls_up(function: Function, owner: str | None) -> bool:
    calls = _Calls(owner, function.name.value)
    function.visit(calls)
    return bool(calls.found)


def _find(ours: Function, owner: str | None, where: str) -> _Call:
    calls = _Calls(owner, ours.name.value)
    ours.visit(calls)
    if len(calls.found) != 1:
        raise Refusal(f'{where}: it calls up {len(calls.found)} times')
    call = calls.found[0]
    found = list(_lines(statements_of(ours.body), True, call))
    if len(found) != 1:
        raise Refusal(f'{where}: the call up is no statement of its own')
    return found[0]


def _lines(statements: Sequence[Statement], is_last: bool, call: cst.Call) -> list[_Call]:
    found: list[_Call] = []
    for position, statement in enumerate(statements):
        last = is_last and position == len(statements) - 1
        small = only_small(statement)
        if isinstance(small, (cst.Expr, cst.Assign, cst.Return)):
            value: cst.CSTNode | None = small.value
            waits = ''
            if isinstance(value, cst.Yield):
                value, waits = value.value, 'yield'
            elif isinstance(value, cst.Await):
                value, waits = value.expression, 'await'
            if value is call:
                assert isinstance(statement, cst.SimpleStatementLine)
                returned = isinstance(small, cst.Return)
                found.append(_Call(statement, call, waits, last or returned))
        elif isinstance(statement, (cst.If, cst.With, cst.Try)):
            for block in _blocks(statement):
                behind = isinstance(statement, cst.Try) and statement.orelse is not None
                found += _lines(block, last and not behind, call)
        elif isinstance(statement, (cst.For, cst.While)):
            found += _lines(statements_of(statement.body), False, call)
    return found


def _blocks(statement: cst.If | cst.With | cst.Try) -> list[list[Statement]]:
    blocks = [statements_of(statement.body)]
    if isinstance(statement, cst.If):
        orelse = statement.orelse
        if isinstance(orelse, cst.If):
            blocks += _blocks(orelse)
        elif orelse is not None:
            blocks.append(statements_of(orelse.body))
    return blocks


def _check_arguments(call: cst.Call, ours: Function, theirs: Function, where: str) -> None:
    wanted = [p.name.value for p in _all_params(theirs)]
    given = [
        arg.star + code(arg.value) if arg.keyword is None or code(arg.value) != arg.keyword.value
        else arg.keyword.value
        for arg in call.args
    ]  # fmt: skip
    if m.matches(call.func, m.Attribute(value=m.Call())) and wanted:
        wanted = wanted[1:]  # super() passes the first one
    stars = [
        s + p.name.value for s, p in (('*', theirs.params.star_arg),) if isinstance(p, cst.Param)
    ]
    if theirs.params.star_kwarg is not None:
        stars.append(f'**{theirs.params.star_kwarg.name.value}')
    if given not in ([*wanted, *stars], ['*args', '**kwargs']):
        raise Refusal(
            f"{where}: it calls up with ({', '.join(given)}), and the release's parameters are"
            f' ({", ".join([*wanted, *stars])})'
        )


class _Names(cst.CSTVisitor):
    def __init__(self) -> None:
        self.names: set[str] = set()
        self.bound: set[str] = set()

    def visit_Name(self, node: cst.Name) -> None:
        self.names.add(node.value)

    def visit_Attribute(self, node: cst.Attribute) -> bool:
        node.value.visit(self)
        return False

    def visit_Arg(self, node: cst.Arg) -> bool:
        node.value.visit(self)
        return False

    def visit_AssignTarget(self, node: cst.AssignTarget) -> None:
        inner = _Names()
        node.target.visit(inner)
        if isinstance(node.target, (cst.Name, cst.Tuple)):
            self.bound |= inner.names

    def visit_AnnAssign(self, node: cst.AnnAssign) -> None:
        if node.value is not None and isinstance(node.target, cst.Name):
            self.bound.add(node.target.value)


def _check_names(ours: Function, theirs: Function, found: _Call, where: str) -> None:
    before, whole, release = _Names(), _Names(), _Names()
    for statement in statements_of(ours.body):
        if any(line is found.line for line in m.findall(statement, m.SimpleStatementLine())):
            break
        statement.visit(before)
    ours.body.visit(whole)
    theirs.body.visit(release)
    both = set() if found.is_last else before.bound & release.names
    # a name that our method assigns is local in all of the method
    both |= (whole.bound & release.names) - release.bound
    both -= {p.name.value for p in _all_params(ours)}
    if both:
        raise Refusal(f'{where}: both give a meaning to {", ".join(sorted(both))}')


class _Returns(cst.CSTVisitor):
    def __init__(self) -> None:
        self.count = 0

    def visit_FunctionDef(self, node: Function) -> bool:
        return False

    def visit_Lambda(self, node: cst.Lambda) -> bool:
        return False

    def visit_Return(self, node: cst.Return) -> None:
        self.count += 1


def _returns(body: cst.BaseSuite | Sequence[Statement]) -> int:
    returns = _Returns()
    for statement in body.body if isinstance(body, cst.BaseSuite) else body:
        statement.visit(returns)
    return returns.count


def _give_result(
    body: list[Statement], found: _Call, waits: bool, skips: bool, where: str
) -> list[Statement]:
    # the release's lines, the last of which passes its result to ours
    last = only_small(body[-1]) if body else None
    does = found.line.body[0]
    early = _returns(body) - isinstance(last, cst.Return)
    if isinstance(does, cst.Return):
        if waits and _returns(body):
            if early:
                raise Refusal(f'{where}: the release returns Deferreds in its middle')
            assert isinstance(last, cst.Return) and last.value is not None
            waited = cst.Yield(last.value, lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
            body[-1] = body[-1].with_changes(body=[last.with_changes(value=waited)])
        return body
    may_return = skips or found.is_last
    if early and not (may_return and isinstance(does, cst.Expr) and not waits):
        raise Refusal(
            f'{where}: the release returns in its middle, and ours goes on behind it; give the'
            " release's a private name in the series"
        )
    if not isinstance(last, cst.Return) or (found.is_last and not waits):
        if isinstance(does, cst.Assign) and not isinstance(last, cst.Return):
            raise Refusal(f'{where}: the release returns nothing')
        return body
    value = last.value
    if value is not None and waits:
        value = cst.Yield(value)
    if isinstance(does, cst.Assign) and value is not None:
        target = does.targets[0].target
        if code(target) == code(value):
            return body[:-1]
        return [*body[:-1], body[-1].with_changes(body=[does.with_changes(value=value)])]
    if value is None or isinstance(value, (cst.Name, cst.SimpleString)):
        return body[:-1]
    return [*body[:-1], body[-1].with_changes(body=[cst.Expr(value)])]


def _set_once(
    ours: Function, body: list[Statement], found: _Call
) -> tuple[Function, list[Statement]]:
    # an attribute that the release's lines only set gets the value there that ours gives it later
    changed, theirs, is_behind = [], [*body], False
    for statement in statements_of(ours.body):
        target = attribute_set(statement) if is_behind else None
        is_behind = is_behind or statement is found.line
        places = [i for i, s in enumerate(theirs) if target and attribute_set(s) == target]
        mentions = [s for s in theirs if target and m.findall(s, m.Attribute(attr=m.Name(target)))]
        if len(places) != 1 or len(mentions) != 1 or _needs_others(statement):
            changed.append(statement)
        else:
            place, small = places[0], only_small(statement)
            theirs[place] = theirs[place].with_changes(body=[small])
    return ours.with_changes(body=ours.body.with_changes(body=changed)), theirs


def _needs_others(statement: Statement) -> bool:
    # whether what is assigned may need what is set before it
    small = only_small(statement)
    value = small.value if isinstance(small, (cst.Assign, cst.AnnAssign)) else None
    return value is None or bool(m.findall(value, m.Name('self')))


class _Replace(cst.CSTTransformer):
    # puts the release's lines in place of the call up; if there are many, set apart from ours
    def __init__(
        self, line: cst.SimpleStatementLine, body: Sequence[Statement], apart: bool
    ) -> None:
        self.line, self.body, self.apart = line, body, apart

    def visit_SimpleStatementLine(self, node: cst.SimpleStatementLine) -> bool:
        return node is not self.line

    def leave_IndentedBlock(
        self, original_node: cst.IndentedBlock, updated_node: cst.IndentedBlock
    ) -> cst.IndentedBlock:
        if self.line not in original_node.body:
            return updated_node
        position = next(i for i, s in enumerate(original_node.body) if s is self.line)
        before = list(updated_node.body[:position])
        behind = list(updated_node.body[position + 1 :])
        body = list(self.body)
        if self.apart and body and before and not is_docstring(before[-1]):
            body[0] = apart(body[0])
        if self.apart and behind:
            behind[0] = apart(behind[0])
        return updated_node.with_changes(body=[*before, *body, *behind])


def apart(statement: Statement) -> Statement:
    """Return a statement with an empty line before it."""
    lines = [*getattr(statement, 'leading_lines', ())]
    if lines and lines[0].comment is None:
        return statement
    return statement.with_changes(leading_lines=[cst.EmptyLine(indent=False), *lines])
