# SPDX-License-Identifier: GPL-2.0-only
"""One small change to a module of the release, in a function or class that it names."""

from __future__ import annotations

import ast
import textwrap
from functools import cache
from typing import Any
from typing import NamedTuple

from .names import Refusal

INDENTS = range(0, 40, 4)


class Edit(NamedTuple):
    """One change to the release's source. It is not a patch.

    :param file: in the package ``buildbot``.
    :param inside: qualified name of the function or class that is changed (``Build.stopBuild``), or
        empty for the whole module.
    :param old: what is replaced; it must appear once: lines of code, without their indent. If there
        are several texts, the first that appears is replaced: a newer checkout may have another
        one.
    :param new: what replaces it.
    :param optional: whether some checkouts have nothing like it: marks for mypy, say.
    """

    file: str
    inside: str
    old: list[str]
    new: str
    optional: bool = False

    def apply(self, source: str) -> str:
        """Return a module with the change.

        :raises Refusal: there is no such function, or the text does not appear in it, or appears
            twice.
        """
        lines = source.splitlines(keepends=True)
        start, end = span_of(source, self.inside, f'{self.file}: {self.inside}')
        parts = lines[:start], lines[start:end], lines[end:]
        before, part, after = (''.join(part) for part in parts)
        for old in self.old:
            for indent in INDENTS:
                found = _indented(old, indent)
                if part.count(found) == 1 and _indent_of(part, part.index(found)) == indent:
                    return before + part.replace(found, _indented(self.new, indent)) + after
        if self.optional:
            return source
        raise Refusal(f'{self.file}: {self.inside} does not say {self.old[0]!r} once')

    def undo(self, source: str) -> str | None:
        """Return a module without the change, or None if it does not have it."""
        # the change may have moved the lines to another method of the class
        for inside in (self.inside, self.inside.rpartition('.')[0]):
            try:
                return Edit(self.file, inside, [self.new], self.old[0]).apply(source)
            except Refusal:
                continue
        return None


# an edit is applied to the same text for each commit
@cache
def span_of(source: str, name: str, where: str) -> tuple[int, int]:
    """Return the lines of a function or class of a module, without its decorators.

    :param name: qualified; empty for the whole module.
    :param where: for the refusal.
    :returns: number of its first line, from 0, and that after its last.
    :raises Refusal: it does not exist.
    """
    if not name:
        return 0, source.count('\n') + 1
    node: Any = ast.parse(source)
    for part in name.split('.'):
        node = next((n for n in node.body if getattr(n, 'name', None) == part), None)
        if node is None:
            raise Refusal(f'{where} is not there')
    return node.lineno - 1, int(node.end_lineno)


def _indented(text: str, indent: int) -> str:
    # as it stands in a line whose indent is not part of it
    return textwrap.indent(text.lstrip('\n'), ' ' * indent).lstrip(' ')


def _indent_of(text: str, position: int) -> int:
    line = text[text.rfind('\n', 0, position) + 1 :]
    return len(line) - len(line.lstrip(' '))
