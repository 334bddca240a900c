# SPDX-License-Identifier: GPL-2.0-only
"""New: facts about an owner of locks, without its locks."""

from __future__ import annotations

from typing import Any
from typing import Iterable
from typing import NamedTuple

#: kinds of owners outside builds, which say nothing about how long builds hold locks
BY_HAND = ('person', 'quarantine')


class Facts(NamedTuple):
    """What an owner of locks is, and what it belongs to. It says nothing about the locks.

    :param kind: ``request``, ``build``, ``group``, ``step``; ``person`` for a hold by hand;
        ``quarantine``; ``other`` for an owner of a plugin.
    :param builder: name of the builder; None if there is none.
    :param buildrequestid: id of the (first) build request.
    :param number: number of the build.
    :param step_number: number of the step or group in its build.
    :param path: name of the step or group, after the names of the groups around it.
    :param worker: name of the worker; None if there is none yet.
    :param branch: branch of the first source that has one.
    :param holdid: id of the hold by hand.
    :param person: the person who holds by hand or has made the quarantine.
    :param reason: the reason of the hold or quarantine.
    :param until: when the hold ends, in seconds.
    :param overdue: whether the hold lasts beyond its end.
    """

    kind: str
    builder: str | None = None
    buildrequestid: int | None = None
    buildid: int | None = None
    number: int | None = None
    stepid: int | None = None
    step_number: int | None = None
    path: str | None = None
    worker: str | None = None
    branch: str | None = None
    holdid: int | None = None
    person: str | None = None
    reason: str | None = None
    until: float | None = None
    overdue: bool = False

    @property
    def name(self) -> str:
        """A unique name of the owner."""
        if self.kind == 'quarantine':
            return self.kind  # a copy has only one quarantine
        ids = {'request': self.buildrequestid, 'build': self.buildid, 'person': self.holdid}
        return f'{self.kind}-{ids.get(self.kind, self.stepid)}'


def facts_of(thing: Any) -> Facts:
    """Return the facts about an owner."""
    facts = getattr(thing, 'lock_facts', None)
    return Facts('other') if facts is None else facts()


def known_facts(thing: Any) -> Facts:
    """Return the facts about an owner, or none if its plugin raises an error.

    The error is logged where a use of the lock is recorded.
    """
    try:
        return facts_of(thing)
    except Exception:
        return Facts('other')


def first_branch(sources: Iterable[Any]) -> str | None:
    """Return the branch of the first of these sources that has one."""
    return next((source.branch for source in sources if source.branch), None)
