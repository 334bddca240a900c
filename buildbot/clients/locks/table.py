# SPDX-License-Identifier: GPL-2.0-only
"""New: rows in columns, or on a narrow terminal each row as a paragraph."""

from __future__ import annotations

from typing import Iterator
from typing import NamedTuple
from typing import Sequence

from buildbot.clients.locks.look import Look
from buildbot.clients.locks.look import cut
from buildbot.clients.locks.look import width_of
from buildbot.clients.locks.look import wrap

GAP = 2

#: the least width to which a column of names is narrowed
NARROW = 16


class Column(NamedTuple):
    """What is the same for all rows. It has no value.

    :param title: above the column.
    :param word: before the value in a paragraph; without it the value speaks for itself.
    :param is_number: the column is aligned to the right.
    :param is_name: the value may be cut, and begins a paragraph.
    :param warns: a value other than 0 is highlighted.
    """

    title: str
    word: str = ''
    is_number: bool = False
    is_name: bool = False
    warns: bool = False


Rows = Sequence[Sequence[str]]


def table(columns: Sequence[Column], rows: Rows, look: Look, margin: str = '') -> list[str]:
    """Return the lines of a table; columns of which all values are empty are left out.

    :param margin: what each line begins with.
    """
    used = [i for i in range(len(columns)) if any(row[i] for row in rows)]
    columns = [columns[i] for i in used]
    rows = [[row[i] for i in used] for row in rows]
    widths = fit(columns, rows, look.width - len(margin))
    if widths is None:
        return list(paragraphs(columns, rows, look, margin))
    titles = [cell(c, c.title, width) for c, width in zip(columns, widths)]
    lines = [look.title((margin + (' ' * GAP).join(titles)).rstrip())]
    for row in rows:
        cells = [
            look.warning(text) if c.warns and value not in ('', '0') else text
            for c, value, width in zip(columns, row, widths)
            for text in [cell(c, value, width)]
        ]
        lines.append((margin + (' ' * GAP).join(cells)).rstrip())
    return [line for line in lines if line.strip()]


def fit(columns: Sequence[Column], rows: Rows, width: int) -> list[int] | None:
    """Return the width of each column; None if they do not fit beside one another."""
    widths = [max(map(width_of, (c.title, *values))) for c, *values in zip(columns, *rows)]
    excess = sum(widths) + GAP * (len(widths) - 1) - width
    names = [i for i, c in enumerate(columns) if c.is_name]
    while excess > 0:
        widest = max(names, key=lambda i: widths[i], default=None)
        if widest is None or widths[widest] <= NARROW:
            return None
        widths[widest] -= 1
        excess -= 1
    return widths


def cell(column: Column, value: str, width: int) -> str:
    text = cut(value, width)
    spaces = ' ' * (width - width_of(text))
    return f'{spaces}{text}' if column.is_number else f'{text}{spaces}'


def paragraphs(columns: Sequence[Column], rows: Rows, look: Look, margin: str) -> Iterator[str]:
    for row in rows:
        pairs = [(c, value) for c, value in zip(columns, row) if value]
        name = ' / '.join(value for c, value in pairs if c.is_name)
        yield from map(look.title, wrap(name, look.width, margin, f'{margin}    '))
        said = ', '.join(f'{c.word} {value}'.strip() for c, value in pairs if not c.is_name)
        indent = f'{margin}  '
        yield from wrap(said, look.width, indent, indent)
