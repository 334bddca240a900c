# SPDX-License-Identifier: GPL-2.0-only
"""A class of ours without one of its arguments."""

from __future__ import annotations

import re

import libcst as cst
import libcst.matchers as m

from .names import Refusal
from .names import is_docstring
from .names import only_small
from .names import statements_of


def without_parameter(class_: cst.ClassDef, name: str, where: str) -> cst.ClassDef:
    """Return a class without an argument of its ``__init__``, and without what asks for it.

    Its choices (``if``) that look at the argument go, and so does the argument among alternatives
    (``or``).

    :param where: file and class, for a refusal.
    :raises Refusal: it does something else with it.
    """
    changed = class_.visit(_Without(name))
    assert isinstance(changed, cst.ClassDef)
    if m.findall(changed, m.Name(name)):
        raise Refusal(f'{where}: it cannot be made without {name}')
    return changed


class _Without(cst.CSTTransformer):
    def __init__(self, name: str) -> None:
        self.name = name

    def _is_it(self, node: cst.CSTNode) -> bool:
        return m.matches(node, m.Name(self.name))

    def leave_Param(
        self, original_node: cst.Param, updated_node: cst.Param
    ) -> cst.Param | cst.RemovalSentinel:
        return cst.RemoveFromParent() if self._is_it(updated_node.name) else updated_node

    def leave_If(self, original_node: cst.If, updated_node: cst.If) -> cst.If | cst.RemovalSentinel:
        asks = m.findall(original_node.test, m.Name(self.name))
        return cst.RemoveFromParent() if asks and updated_node.orelse is None else updated_node

    def leave_BooleanOperation(
        self, original_node: cst.BooleanOperation, updated_node: cst.BooleanOperation
    ) -> cst.BaseExpression:
        if not isinstance(updated_node.operator, cst.Or):
            return updated_node
        if self._is_it(updated_node.right):
            return updated_node.left
        return updated_node.right if self._is_it(updated_node.left) else updated_node

    def leave_ClassDef(
        self, original_node: cst.ClassDef, updated_node: cst.ClassDef
    ) -> cst.ClassDef:
        members = statements_of(updated_node.body)
        small = only_small(members[0])
        if not is_docstring(members[0]) or not isinstance(small, cst.Expr):
            return updated_node
        assert isinstance(small.value, cst.SimpleString)
        said = rf'    :param {self.name}:.*\n(?:        .*\n)*'
        text = re.sub(said, '', small.value.value)
        line = members[0].with_changes(body=[cst.Expr(cst.SimpleString(text))])
        return updated_node.with_changes(
            body=updated_node.body.with_changes(body=[line, *members[1:]])
        )
