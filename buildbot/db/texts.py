# SPDX-License-Identifier: GPL-2.0-only
"""New: texts that others have chosen, as each database can keep them."""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

#: dialects of databases with which Buildbot talks in three bytes for a character
NARROW = ('mysql', 'mariadb')

#: characters that have no place in these
WIDE = re.compile('[\U00010000-\U0010ffff]')

#: the most bytes of a text there
MOST = 2**16 - 1


class KeptText(sa.types.TypeDecorator):
    """A text for people to read. What the database cannot keep of it is replaced by U+FFFD, or cut.

    What must be found again by its name is found by the hash of that, or is no such text.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Any) -> Any:
        return value if value is None else kept(value, dialect)


def kept(text: str, dialect: Any) -> str:
    """Return what the database keeps of a text.

    :param dialect: the one of SQLAlchemy for the database.
    """
    if dialect.name not in NARROW:
        return text
    return WIDE.sub('\ufffd', text).encode()[:MOST].decode(errors='ignore')


def exactly(column: Any, value: Any, dialect: Any) -> Any:
    """Return the condition that a column is a text, and no other one that sorts as it does.

    :param value: the text, or what else the column may be.
    """
    if dialect.name not in NARROW or not isinstance(value, str):
        return column == value
    # there, 'Main' and 'main ' are equal to 'main'
    return sa.cast(column, sa.LargeBinary) == kept(value, dialect).encode()
