# SPDX-License-Identifier: GPL-2.0-only
"""New: reads the expression in ``labels=`` that says which resources of a pool are meant.

The parser has one method for each level of the grammar, as in chapter 2 of Wirth's "Compiler
Construction" (1996)::

    either     = every { '|' every }
    every      = part { '&' part }
    part       = { '!' } ( '(' either ')' | label | comparison )
    comparison = word ( '==' | '!=' | '<' | '<=' | '>' | '>=' ) ( number | quoted text )
    label      = word | quoted text

A word is made of letters, digits and ``_ . : / @ + -``, and begins with none of the last three.
"""

from __future__ import annotations

import re
from typing import Any
from typing import Iterator
from typing import NoReturn

from buildbot.locking.expressions import COMPARISONS
from buildbot.locking.expressions import WORD
from buildbot.locking.expressions import Comparison
from buildbot.locking.expressions import Either
from buildbot.locking.expressions import Every
from buildbot.locking.expressions import Expression
from buildbot.locking.expressions import Label
from buildbot.locking.expressions import Not

INFINITE = float('inf')
LONGEST = 80  # how much of a text a message quotes
DEEPEST = 50  # nested brackets: nobody writes more by hand

# bounded, so that matching is never slow
NUMBER = re.compile(r'-?[0-9]{1,99}(\.[0-9]{1,99})?(e[+-]?[0-9]{1,3})?')
TOKEN = re.compile(rf""" *({WORD.pattern}|{NUMBER.pattern}|'[^']*'|"[^"]*"|[=!<>]=|[<>&|!()]|$)""")


class LabelError(ValueError):
    """The text is not an expression over labels. One sentence says where it goes wrong."""


def parse(text: str) -> Expression:
    """Return the expression that a text stands for.

    :raises LabelError: it is not an expression.
    """
    return _Reader(text).read()


class _Reader:
    """Reads one text from left to right. It knows no resources."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.depth = 0
        self.tokens = self._split()
        self.place, self.token = next(self.tokens)

    def _split(self) -> Iterator[tuple[int, str]]:
        place = 0
        while True:
            match = TOKEN.match(self.text, place)
            if match is None:
                self.place = place + len(self.text[place:]) - len(self.text[place:].lstrip(' '))
                rest = self.text[self.place :]
                ends = rest[0] not in '"\''
                self._fail(
                    f'{rest[0]!r} is not allowed here' if ends else 'the quote is not closed'
                )
            yield match.start(1), match[1]
            place = match.end()

    def read(self) -> Expression:
        found = self._either()
        if self.token:
            self._fail(f"'&' or '|' is expected, not {self.token!r}")
        return found

    def _either(self) -> Expression:
        parts = [self._every()]
        while self._takes('|'):
            parts.append(self._every())
        return Either(tuple(parts)) if len(parts) > 1 else parts[0]

    def _every(self) -> Expression:
        parts = [self._part()]
        while self._takes('&'):
            parts.append(self._part())
        return Every(tuple(parts)) if len(parts) > 1 else parts[0]

    def _part(self) -> Expression:
        is_negated = False
        while self._takes('!'):
            is_negated = not is_negated
        part = self._in_brackets() if self._takes('(') else self._label_or_comparison()
        return Not(part) if is_negated else part

    def _in_brackets(self) -> Expression:
        self.depth += 1
        if self.depth > DEEPEST:
            self._fail(f'more than {DEEPEST} brackets are open')
        found = self._either()
        if not self._takes(')'):
            self._fail(f"')' is expected, not {self._seen()}")
        self.depth -= 1
        return found

    def _label_or_comparison(self) -> Expression:
        word, is_word = self.token, WORD.fullmatch(self.token) is not None
        if not is_word and self.token[:1] not in ('"', "'"):
            self._fail(f'a label is expected, not {self._seen()}')
        self._next()
        sign = self.token
        if is_word and sign in COMPARISONS:
            self._next()
            return Comparison(word, sign, self._value())
        return Label(word if is_word else word[1:-1])

    def _value(self) -> Any:
        token = self.token
        if token[:1] in ('"', "'"):
            value: Any = token[1:-1]
        elif NUMBER.fullmatch(token):
            value = float(token) if re.search('[.e]', token) else int(token)
            if value in (INFINITE, -INFINITE):
                self._fail('the number is too large')
        else:
            self._fail(f'a number or a text in quotes is expected, not {self._seen()}')
        self._next()
        return value

    def _takes(self, token: str) -> bool:
        is_next = self.token == token
        if is_next:
            self._next()
        return is_next

    def _next(self) -> None:
        self.place, self.token = next(self.tokens)

    def _seen(self) -> str:
        return repr(self.token) if self.token else 'the end'

    def _fail(self, why: str) -> NoReturn:
        text = self.text if len(self.text) <= LONGEST else f'{self.text[:LONGEST]}...'
        raise LabelError(f'labels {text!r}: at character {self.place + 1}: {why}')
