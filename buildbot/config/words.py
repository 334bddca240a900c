# SPDX-License-Identifier: GPL-2.0-only
"""New: words for a wrong value in a configuration."""

from __future__ import annotations

import inspect
from typing import Any

from buildbot.locking.plain import plain


def words_for(thing: Any) -> str:
    """Return words for a value that is not valid, however large it is."""
    if inspect.isfunction(thing):
        return f'the function {thing.__name__!r}'
    if inspect.isgenerator(thing):
        return 'a generator'
    try:
        return plain(repr(thing))
    except Exception:
        return f'a {type(thing).__name__} whose repr() fails'


def hint(thing: Any) -> str:
    """Return advice for a wrong value where a renderable is allowed; empty if there is none."""
    if inspect.isfunction(thing):
        return '; to have it called for each build, make it a renderable with @util.renderer'
    return ''


def why_unwritable(text: str) -> str | None:
    """Say what a text has that not every log, file and database can store; None if it is fine."""
    if '\0' in text:
        return 'a null character, which cannot be stored'
    try:
        text.encode('utf-8')
    except UnicodeEncodeError:
        return 'a lone surrogate, which cannot be stored'
    return None
