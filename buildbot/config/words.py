# SPDX-License-Identifier: GPL-2.0-only
"""New: words for what stands in a configuration and is not what it must be."""

from __future__ import annotations

import inspect
from typing import Any

#: what a text has that ``can_be_written`` says no to
UNWRITABLE = 'a lone surrogate, which cannot be written down'


def words_for(thing: Any) -> str:
    """Return words for a thing that is not what it must be."""
    if inspect.isfunction(thing):
        return f'the function {thing.__name__!r}'
    return 'a generator' if inspect.isgenerator(thing) else repr(thing)


def hint(thing: Any) -> str:
    """Return what to do with a thing where it might be a renderable; empty if that is not known."""
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
