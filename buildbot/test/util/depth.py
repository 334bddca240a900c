# SPDX-License-Identifier: GPL-2.0-only
"""New: room for a test's calls on the stack of the interpreter, had at once."""

from __future__ import annotations

from typing import Callable
from typing import TypeVar

T = TypeVar('T')


def with_room(call: Callable[[], T]) -> T:
    """Call something that goes deep, and up and down again often, as Deferreds do.

    From Python 3.11 on the interpreter gets its stack in pieces of 16 kB from the system, and gives
    each back when the last call in it returns: at the edge of a piece that is again and again, and
    was a tenth of what a test costs. A call that asks for much gets a large piece, in which there
    is room for all that it calls.
    """
    return call()


# in words of 8 bytes; pieces are powers of two, so this is one of 512 kB, and half of it is free
with_room.__code__ = with_room.__code__.replace(co_stacksize=34_000)
