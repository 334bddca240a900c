# SPDX-License-Identifier: GPL-2.0-only
"""New: texts that others have chosen, in a form that each database can keep."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

#: dialects in which Buildbot stores a character in at most three bytes
NARROW = ('mysql', 'mariadb')

#: characters that they cannot store
WIDE = re.compile('[\U00010000-\U0010ffff]')

#: the most bytes of a text in them
MOST = 2**16 - 1


class KeptText(sa.types.TypeDecorator):
    """A text for people to read. What the database cannot keep is replaced by U+FFFD, or cut.

    A name by which something is found again is not such a text, or is found by its hash.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value if value is None else kept(value, dialect)


def kept(text: str, dialect: Any) -> str:
    """Return what the database keeps of a text.

    :param dialect: SQLAlchemy's dialect for the database.
    """
    if dialect.name not in NARROW:
        return text
    return WIDE.sub('\ufffd', text).encode()[:MOST].decode(errors='ignore')


def exactly(column: Any, value: Any, dialect: Any) -> Any:
    """Return the condition that a column is exactly a text, and not one that only sorts alike.

    :param value: the text, or another value that the column may have.
    """
    if dialect.name not in NARROW or not isinstance(value, str):
        return column == value
    # these databases take 'Main' and 'main ' for equal to 'main'
    return sa.cast(column, sa.LargeBinary) == kept(value, dialect).encode()
