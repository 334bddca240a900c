# SPDX-License-Identifier: GPL-2.0-only
"""New: names that others have chosen, as text that acts on nothing around it."""

from __future__ import annotations

import unicodedata

#: the most characters of a name that are shown
LONGEST = 200

#: categories of characters that would change the text around them, or would be invisible
UNSEEN = ('Cc', 'Cf', 'Co', 'Cs', 'Zl', 'Zp')


def plain(text: str) -> str:
    """Return a name as one line of plain text, whatever it contains."""
    text = text[: LONGEST + 1]
    if not text.isprintable():
        text = one_line(text)
    return text if len(text) <= LONGEST else f'{text[: LONGEST - 3]}...'


def one_line(text: str) -> str:
    """Return a text of any length as one line in which nothing acts on the text around it."""
    return ''.join(map(seen, text))


def lines_of(text: str) -> str:
    """Return a text of any length in which nothing but line ends acts on the text around it."""
    return '\n'.join(map(one_line, text.splitlines()))


def seen(char: str) -> str:
    if unicodedata.category(char) in UNSEEN:
        return char.encode('unicode_escape').decode('ascii')
    return char
