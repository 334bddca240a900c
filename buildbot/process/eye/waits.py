# SPDX-License-Identifier: GPL-2.0-only
"""New: whom the claim of a request, step or build waits for, for each copy of a lock."""

from __future__ import annotations

from typing import Any
from typing import NamedTuple

from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locking.owner import holds_since
from buildbot.locking.owner import thing_of
from buildbot.process.eye.words import NAMED
from buildbot.process.eye.words import plain
from buildbot.process.eye.words import short_name
from buildbot.process.eye.words import wait_on
from buildbot.process.eye.words import waiting_for
from buildbot.process.eye.words import with_age


class Ahead(NamedTuple):
    """The owners ahead of a claim in the line of one copy.

    :param owners: how many owners; a request with claims for several workers counts once.
    :param first: the first of the owners; None if there are none.
    """

    owners: int
    first: Any


class Lines:
    """The lines of copies at one moment, each sorted once. It does not follow later changes."""

    def __init__(self) -> None:
        self._known: dict[BaseLock, dict[LockClaim, Ahead]] = {}

    def ahead(self, copy: BaseLock, claim: LockClaim) -> Ahead:
        """Return who is ahead of a claim that waits for a copy."""
        line = self._known.get(copy)
        if line is None:
            line = self._known[copy] = places(copy.line())
        return line.get(claim, Ahead(0, None))


def places(line: list[LockClaim]) -> dict[LockClaim, Ahead]:
    """Return for each claim in a line who is ahead of it; alternative claims count once."""
    found = {}
    choices: set[Any] = set()
    leading: list[LockClaim] = []  # the first two claims that are not alternatives
    for claim in line:
        choice = claim if claim.choice is None else claim.choice
        others = [other for other in leading if not other.is_of(claim.choice)]
        first = thing_of(others[0].owner) if others else None
        found[claim] = Ahead(len(choices) - (choice in choices), first)
        if choice not in choices:
            choices.add(choice)
            leading = [*leading, claim][:2]
    return found


class Wait(NamedTuple):
    """What a claim lacks of one copy.

    :param place: place of the claim in the line of the copy; 1 is the first.
    :param words: the words for this copy only.
    """

    copy: BaseLock
    place: int
    words: str

    @property
    def text(self) -> str:
        """The sentence if it is the only copy."""
        return waiting_for([self.words])


def waits_of(claim: LockClaim, lines: Lines, now: float) -> list[Wait]:
    """Return what a waiting claim lacks, in the order in which it was asked for.

    :param now: the time, in seconds of the master's clock.
    """
    copies = claim.refused() or [copy for copy, _ in claim.accesses]
    owner = claim.thing
    return [wait_for(copy, owner, lines.ahead(copy, claim), now) for copy in copies]


def wait_for(copy: BaseLock, owner: Any, ahead: Ahead, now: float) -> Wait:
    holders = [h for h in copy.holders_in_the_way(owner) if h is not copy.quarantine]
    names = [with_age(short_name(h), holds_since(h), now) for h in holders[:NAMED]]
    first = None if ahead.first is None else short_name(ahead.first)
    quarantine = copy.quarantine
    why_out = None if quarantine is None else plain(quarantine.reason)
    words = wait_on(copy.label, names, len(holders) - len(names), ahead.owners, first, why_out)
    return Wait(copy, ahead.owners + 1, words)


def sentence(claim: LockClaim, lines: Lines, now: float) -> str:
    """Say what a claim waits for: ``waiting for jtag[board-1]: held by fw #12 / test (3 min)``."""
    return waiting_for([wait.words for wait in waits_of(claim, lines, now)])
