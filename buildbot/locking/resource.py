# SPDX-License-Identifier: GPL-2.0-only
"""New: one resource of a pool, such as a board: a unit that has a name, labels and properties."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from dataclasses import field
from typing import Any
from typing import Iterable
from typing import Mapping
from typing import NamedTuple


@dataclass(frozen=True)
class Resource:
    """What the configuration says about one thing in a pool. It does not know who has it.

    :param name: of the resource; no other one of the configuration may have it.
    :param labels: what it is, for claims that want a resource that fits an expression.
    :param properties: facts for those who get it, by name.
    :param workers: the names of the workers on which it can be used; None stands for all.
    """

    name: str
    labels: Iterable[str] = frozenset()
    properties: Mapping[str, Any] = field(default_factory=dict)
    workers: Iterable[str] | None = None

    def __post_init__(self) -> None:
        # a value that is not a collection of names stays as it is, and the pool refuses it
        for name, kind in (('labels', frozenset), ('workers', tuple)):
            value = getattr(self, name)
            if isinstance(value, (list, tuple, set, frozenset)):
                with suppress(TypeError):  # a label that is no text may have no hash
                    object.__setattr__(self, name, kind(value))
        if isinstance(self.properties, dict):
            object.__setattr__(self, 'properties', dict(self.properties))

    def __hash__(self) -> int:
        return hash(self.name)


class Part(NamedTuple):
    """Some resources of a pool, as a claim asks for them. It holds none.

    :param units: how many, at least 1.
    :param labels: the expression that each of them fits; None if any will do.
    :param same: the property, or the family of labels, in which all of them must agree; None if
        they need not.
    """

    units: int = 1
    labels: str | None = None
    same: str | None = None

    @property
    def words(self) -> str:
        """What it asks for, in words for people."""
        words = f'{self.units}'
        if self.labels is not None:
            words += f' that {"fits" if self.units == 1 else "fit"} {self.labels!r}'
        return words if self.same is None else f'{words}, of the same {self.same!r}'
