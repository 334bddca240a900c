# SPDX-License-Identifier: GPL-2.0-only
"""New: the log of a step that was ended because of a deadlock."""

from __future__ import annotations

from typing import Iterable

#: the name of the log
DEADLOCK = 'deadlock'


def in_words(waits: Iterable[str], more: str = '') -> str:
    """Say which waits could never end, and that this step was ended.

    :param waits: for each wait, a sentence on who waits for what and who has it.
    :param more: why the step was ended now; put at the end.
    """
    lines = ''.join(f'- {wait}\n' for wait in waits)
    return (
        f'None of these could ever continue:\n\n{lines}\nThis step was ended, so that the others'
        f' can{more}.\n'
    )
