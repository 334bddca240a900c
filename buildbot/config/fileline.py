# SPDX-License-Identifier: GPL-2.0-only
"""New: the line of the configuration that makes a lock, an access or a step."""

from __future__ import annotations

import sys
from types import FrameType
from typing import NamedTuple

_OURS = ('buildbot', 'buildbot_overlay', 'buildslave')


class FileLine(NamedTuple):
    """A line of a configuration, or of a module that it imports; never one of Buildbot's.

    :param file: its path.
    :param number: its number, from 1.
    """

    file: str
    number: int

    def __str__(self) -> str:
        return f'{self.file}:{self.number}'


def line_that_runs() -> FileLine | None:
    """Return the line of the configuration that is running; None if no configuration is being read.

    It may be in a module that the configuration imports: it is the innermost line that is not
    Buildbot's.
    """
    found = None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        module = str(frame.f_globals.get('__name__'))  # a configuration file has no module name
        if module == 'buildbot.config.master' and frame.f_code.co_name == 'loadConfigDict':
            return found
        if found is None and module.partition('.')[0] not in _OURS:
            found = FileLine(frame.f_code.co_filename, frame.f_lineno)
        frame = frame.f_back
    return None


def at(line: FileLine | None) -> str:
    """Return the line in brackets, to follow a sentence; empty for None."""
    return f' ({line})' if line is not None else ''
