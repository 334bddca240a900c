# SPDX-License-Identifier: GPL-2.0-only
"""New: what is known of an owner of locks, besides its locks."""

from __future__ import annotations

from typing import Any
from typing import Iterable
from typing import NamedTuple

#: kinds of owners that are no part of a build, and that say nothing of how long builds hold locks
BY_HAND = ('person', 'quarantine')


class Facts(NamedTuple):
    """What an owner of locks is part of. It says nothing of its locks.

    :param kind: ``request``, ``build``, ``group``, ``step``; ``person`` if it is a hold by hand,
        ``quarantine``; ``other`` if it is of a plugin.
    :param builder: name of its builder; None if it has none.
    :param buildrequestid: id of the (first) build request.
    :param number: of the build.
    :param step_number: of the step or group in its build.
    :param path: of the step or group: its name, behind those of the groups around it.
    :param worker: name of the worker; None if it has none yet.
    :param branch: of the first source that has one.
    :param holdid: id of the hold by hand.
    :param person: who holds by hand, or has made the quarantine.
    :param reason: what that is for.
    :param until: when the hold ends, in seconds.
    :param overdue: whether it is held beyond that.
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
        """A name that no other owner has."""
        if self.kind == 'quarantine':
            return self.kind  # of which a copy has but one
        ids = {'request': self.buildrequestid, 'build': self.buildid, 'person': self.holdid}
        return f'{self.kind}-{ids.get(self.kind, self.stepid)}'


def facts_of(thing: Any) -> Facts:
    """Return what is known of an owner."""
    facts = getattr(thing, 'lock_facts', None)
    return Facts('other') if facts is None else facts()


def known_facts(thing: Any) -> Facts:
    """Return what is known of an owner; nothing if it is of a plugin that fails to say it.

    That is logged where a use of its lock is recorded.
    """
    try:
        return facts_of(thing)
    except Exception:
        return Facts('other')


def first_branch(sources: Iterable[Any]) -> str | None:
    """Return the branch of the first of these sources that has one."""
    return next((source.branch for source in sources if source.branch), None)
