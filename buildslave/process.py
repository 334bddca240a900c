# SPDX-License-Identifier: GPL-2.0-only
"""The process of a running slave."""

from __future__ import annotations

import os
from pathlib import Path

from buildslave.tac import BadDirectory


def pid_of(basedir: str) -> int | None:
    """Return the id of the process that runs in a slave's directory; None if there is none.

    :param basedir: the slave's directory.
    :raises BadDirectory: ``twistd.pid`` names no process, or not one of this user.
    """
    path = Path(basedir, 'twistd.pid')
    try:
        text = path.read_text(errors='replace').strip()
    except FileNotFoundError:
        return None
    # 0 and -1 would stand for many processes
    if not text.isdecimal() or int(text) == 0:
        raise BadDirectory(
            f'{path} does not contain the id of a process, but {text!r}; remove it if the slave is'
            ' not running'
        )
    try:
        os.kill(int(text), 0)
    except (ProcessLookupError, OverflowError):
        return None  # the file was left over
    except PermissionError:
        raise BadDirectory(
            f'{path} names process {text}, which is not yours; use the account of the slave, or'
            ' remove the file if the slave is not running'
        )
    return int(text)
