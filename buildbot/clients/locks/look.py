# SPDX-License-Identifier: GPL-2.0-only
"""New: how text looks on a terminal: its width, its line breaks, its colours."""

from __future__ import annotations

import os
import shutil
import unicodedata
from typing import Any
from typing import NamedTuple

from buildbot.locking.plain import seen

#: the width of output that is not a terminal
UNLIMITED = 10_000

#: a narrower terminal cannot be read
NARROWEST = 20


def harmless(text: Any) -> str:
    """Return a text in which nothing can move, colour or reverse the text around it."""
    return ''.join(map(seen, str(text)))


def width_of(text: str) -> int:
    """Return how many columns a text takes; East Asian letters take two, accents none."""
    return sum(map(width_of_char, text))


def width_of_char(char: str) -> int:
    if unicodedata.category(char) in ('Mn', 'Me'):
        return 0
    return 2 if unicodedata.east_asian_width(char) in 'WF' else 1


def head(text: str, width: int) -> str:
    """Return as much of the beginning of a text as fits."""
    used = 0
    for i, char in enumerate(text):
        used += width_of_char(char)
        if used > width:
            return text[:i]
    return text


def cut(text: str, width: int) -> str:
    """Return a text that fits, with dots if something was cut off."""
    return text if width_of(text) <= width else f'{head(text, width - 3)}...'


def wrap(text: str, width: int, first: str = '', rest: str = '') -> list[str]:
    """Break a text into lines between its words; a word that is too long is broken anywhere.

    :param first: what the first line begins with.
    :param rest: what the other lines begin with.
    """
    lines = []
    line, is_empty = first, True
    for word in text.split():
        while True:
            candidate = f'{line}{word}' if is_empty else f'{line} {word}'
            if width_of(candidate) <= width:
                line, is_empty = candidate, False
                break
            if is_empty:
                part = head(word, width - width_of(line)) or word[0]
                line, word = f'{line}{part}', word[len(part) :]
            lines.append(line)
            line, is_empty = rest, True
            if not word:
                break
    return lines if is_empty and lines else [*lines, line]


class Look(NamedTuple):
    """How text is to look. It contains no text.

    :param width: in columns.
    :param colours: whether escape sequences for colours are allowed.
    """

    width: int = UNLIMITED
    colours: bool = False

    def title(self, text: str) -> str:
        return self._in('1', text)

    def warning(self, text: str) -> str:
        return self._in('33', text)

    def _in(self, code: str, text: str) -> str:
        return f'\x1b[{code}m{text}\x1b[0m' if self.colours and text else text


def look_of(out: Any, environment: Any = os.environ) -> Look:
    """Return how text that is written to a file or terminal is to look."""
    is_terminal = out.isatty()
    width = shutil.get_terminal_size((80 if is_terminal else UNLIMITED, 24)).columns
    if not is_terminal and not environment.get('COLUMNS', '').isdigit():
        width = UNLIMITED
    no_colours = environment.get('NO_COLOR') or environment.get('TERM') == 'dumb'
    return Look(max(width, NARROWEST), is_terminal and not no_colours)
