# SPDX-License-Identifier: GPL-2.0-only
"""New: expressions over the labels and properties of a resource, which say whether it is meant."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar
from typing import Mapping

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

COMPARISONS = {
    '==': operator.eq,
    '!=': operator.ne,
    '<=': operator.le,
    '>=': operator.ge,
    '<': operator.lt,
    '>': operator.gt,
}
WORD = re.compile(r'[\w.:/][\w.:/@+-]*')


class Expression:
    """What a resource must be to be meant. Equal ones mean the same; they know no resource."""

    @property
    def text(self) -> str:
        """The expression as text; parsed, it gives an equal expression."""
        raise NotImplementedError

    def fits(self, labels: AbstractSet[str], properties: Mapping[str, Any]) -> bool:
        """Tell whether a resource is meant.

        :param labels: of the resource, including its name.
        :param properties: of the resource.
        """
        raise NotImplementedError

    def within(self) -> str:
        """Return the expression as text inside a larger one."""
        return self.text


@dataclass(frozen=True)
class Label(Expression):
    """A label that the resource must have."""

    label: str

    @property
    def text(self) -> str:
        return self.label if WORD.fullmatch(self.label) else quoted(self.label)

    def fits(self, labels: AbstractSet[str], properties: Mapping[str, Any]) -> bool:
        return self.label in labels


@dataclass(frozen=True)
class Comparison(Expression):
    """What a property of the resource must be.

    A property that the resource does not have, or that is of another kind than the value it is
    compared with, is neither less nor more. One that it does not have is not unequal, either.
    """

    name: str
    sign: str
    value: Any

    @property
    def text(self) -> str:
        value = quoted(self.value) if isinstance(self.value, str) else repr(self.value)
        return f'{self.name} {self.sign} {value}'

    def fits(self, labels: AbstractSet[str], properties: Mapping[str, Any]) -> bool:
        if self.name not in properties:
            return False
        try:
            return bool(COMPARISONS[self.sign](properties[self.name], self.value))
        except TypeError:
            return False


@dataclass(frozen=True)
class Not(Expression):
    """What the resource must not be."""

    part: Expression

    @property
    def text(self) -> str:
        part = self.part.within()
        return f'!({part})' if isinstance(self.part, Comparison) else f'!{part}'

    def fits(self, labels: AbstractSet[str], properties: Mapping[str, Any]) -> bool:
        return not self.part.fits(labels, properties)


@dataclass(frozen=True)
class Several(Expression):
    """Some expressions in a row. It does not say how they are combined."""

    sign: ClassVar[str]
    parts: tuple[Expression, ...]

    @property
    def text(self) -> str:
        return f' {self.sign} '.join(part.within() for part in self.parts)

    def within(self) -> str:
        return f'({self.text})'


class Every(Several):
    """Expressions all of which the resource must fit."""

    sign = '&'

    def fits(self, labels: AbstractSet[str], properties: Mapping[str, Any]) -> bool:
        return all(part.fits(labels, properties) for part in self.parts)


class Either(Several):
    """Expressions one of which the resource must fit."""

    sign = '|'

    def fits(self, labels: AbstractSet[str], properties: Mapping[str, Any]) -> bool:
        return any(part.fits(labels, properties) for part in self.parts)


def quoted(text: str) -> str:
    return f'"{text}"' if "'" in text else f"'{text}'"
