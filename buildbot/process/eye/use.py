# SPDX-License-Identifier: GPL-2.0-only
"""New: one use of a copy of a lock: an owner's wait for it, and its holding."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

from twisted.python import log

from buildbot.locking.copy import BaseLock
from buildbot.process.eye.words import short_name
from buildbot.process.lockfacts import Facts
from buildbot.process.lockfacts import facts_of

#: how a use can end: the copy was given back; it was never held; the worker was lost or the master
#: was stopped meanwhile; or the wait was part of a deadlock
RESULTS = RELEASED, LEFT, LOST, DEADLOCK = 'released', 'left', 'lost', 'deadlock'


class Use(NamedTuple):
    """A wait for a copy of a lock, and the holding that came of it. It keeps no copy in use.

    :param lock: name of the lock.
    :param copy: name of the copy.
    :param owner: the facts about the owner.
    :param text: name of the owner for people.
    :param nested: whether it shared what an owner around it held.
    :param is_further: whether another use of the same claim has its wait.
    :param waiting_since: when the wait began, in seconds; None if there was none.
    :param held_since: when the holding began, in seconds; None if there was none.
    :param until: when the use ended, in seconds.
    :param result: one of ``RESULTS``.
    """

    lock: str
    copy: str
    owner: Facts
    text: str
    mode: str
    units: int
    nested: bool
    is_further: bool = False
    waiting_since: float | None = None
    held_since: float | None = None
    until: float = 0.0
    result: str = LEFT

    @property
    def waited(self) -> float | None:
        """How long the owner waited, in seconds; None if it did not wait."""
        if self.waiting_since is None:
            return None
        return (self.until if self.held_since is None else self.held_since) - self.waiting_since

    @property
    def held(self) -> float | None:
        """How long the copy was held, in seconds; None if it was not held."""
        return None if self.held_since is None else self.until - self.held_since


def use_of(thing: Any, copy: BaseLock, access: Any) -> Use:
    """Return the use that an owner makes of a copy, without its times.

    This is called while locks are released, so an error in the facts of a plugin's owner is only
    logged.
    """
    try:
        facts = facts_of(thing)
    except Exception as e:
        log.err(e, f'while a use of {copy} was recorded')
        facts = Facts('other')
    return Use(
        copy.lockName,
        copy.label,
        facts,
        short_name(thing),
        access.mode,
        copy.units_of(access.mode == 'exclusive', access.count),
        copy.is_shared_with(thing),
    )
