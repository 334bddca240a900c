# SPDX-License-Identifier: GPL-2.0-only
"""New: the consumers of messages, found by how a message's key begins."""

from __future__ import annotations

from itertools import count
from typing import Any
from typing import Iterator
from typing import Sequence


class Consumers:
    """The consumers of messages, in the order in which they came. It delivers no message.

    Each worker consumes the commands for it. So the consumers of a message are not searched for
    among all, but among those whose filter has as many words and the same first word.
    """

    def __init__(self) -> None:
        self._number = count()
        # the consumers by the beginning of their filters, each with its number
        self._known: dict[tuple[Any, ...], dict[Any, int]] = {}

    def __iter__(self) -> Iterator[Any]:
        numbers = {qref: n for some in self._known.values() for qref, n in some.items()}
        return iter(sorted(numbers, key=numbers.__getitem__))

    def append(self, qref: Any) -> None:
        self._known.setdefault(beginning(qref.filter), {})[qref] = next(self._number)

    def remove(self, qref: Any) -> None:
        """Remove a consumer.

        :raises ValueError: it is not here.
        """
        begin = beginning(qref.filter)
        some = self._known.get(begin, {})
        if qref not in some:
            raise ValueError(f'{qref} consumes nothing')
        del some[qref]
        if not some:
            del self._known[begin]

    def may_want(self, key: Sequence[str]) -> list[Any]:
        """Return the consumers whose filters may match the key of a message."""
        some = self._known.get(beginning(key), {})
        of_any = self._known.get((len(key), None))
        if not of_any:
            return list(some)
        numbers = {**some, **of_any}
        return sorted(numbers, key=numbers.__getitem__)


def beginning(words: Sequence[Any]) -> tuple[Any, ...]:
    """Return the number of words of a filter or key, and the first word."""
    return (len(words), *words[:1])
