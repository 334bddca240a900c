# SPDX-License-Identifier: GPL-2.0-only
"""New: words for a wrong value in a configuration."""

from __future__ import annotations

import inspect
from typing import Any

#: why ``can_be_written`` says no
UNWRITABLE = 'a lone surrogate, which cannot be written down'


def words_for(thing: Any) -> str:
    """Return words for a value that is not what it must be."""
    if inspect.isfunction(thing):
        return f'the function {thing.__name__!r}'
    return 'a generator' if inspect.isgenerator(thing) else repr(thing)


def hint(thing: Any) -> str:
    """Return advice for a wrong value where a renderable may stand; empty if there is none."""
    if inspect.isfunction(thing):
        return '; to have it called for each build, make it a renderable with @util.renderer'
    return ''


def can_be_written(text: str) -> bool:
    """Tell whether a log, a file or a database can have the text."""
    try:
        text.encode('utf-8')
    except UnicodeEncodeError:
        return False
    return True
