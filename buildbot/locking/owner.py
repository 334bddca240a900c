# SPDX-License-Identifier: GPL-2.0-only
"""New: who holds locks, and what stands for it in its claims."""

from __future__ import annotations

from typing import Any
from typing import Iterable

from buildbot.locking.claim import Claim


class LockOwner:
    """Who can hold locks and share them with what is nested in it: builds and steps, for example.

    :cvar lock_parent: the owner that this one is nested in, or None.
    :cvar lock_priority: the higher, the further in front of those who wait.
    :cvar lock_age: when it came up, in seconds of the master's clock; None if that is now.
    :cvar lock_choice: the same for owners of which only one will hold its locks in the end; None if
        there are no others.
    :cvar lock_may_yield: whether it has ``yield_place()``, which takes it out of the line if others
        could never go on because of its place in it.
    :cvar lock_key: what stands for it in its claims; None before it is needed.
    """

    lock_parent: LockOwner | None = None
    lock_priority: int = 0
    lock_age: float | None = None
    lock_choice: Any = None
    lock_may_yield = False
    lock_key: _Key | None = None

    def take_over(self, other: LockOwner) -> None:
        """Be the owner that another one was until now, with all that it holds."""
        key = self.lock_key = key_of(other)
        key.thing = self
        other.lock_key = None

    def lock_name(self) -> str:
        """Return the words with which people are told of this owner."""
        return str(self)


class _Key:
    # Stands for an owner in its claims. Two steps of one factory are equal, but never the same
    # owner, so it is this object that is compared. It has those claims of the owner that wait or
    # are held, and those that wait of what is nested in it.
    __slots__ = ('claims', 'thing')

    def __init__(self, thing: Any) -> None:
        self.thing = thing
        self.claims: dict[Claim, None] = {}

    def __repr__(self) -> str:
        return self.thing.lock_name() if isinstance(self.thing, LockOwner) else repr(self.thing)


class _KeyOfEqual(_Key):
    # for an owner from outside that has an `==` of its own, and keeps no key
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _KeyOfEqual) and other.thing is self.thing

    def __hash__(self) -> int:
        return object.__hash__(self.thing)


def key_of(thing: Any) -> Any:
    if isinstance(thing, LockOwner):
        key = thing.lock_key
        if key is None:
            key = thing.lock_key = _Key(thing)
        return key
    return thing if type(thing).__hash__ is object.__hash__ else _KeyOfEqual(thing)


def thing_of(key: Any) -> Any:
    return key.thing if isinstance(key, _Key) else key


def claims_of(key: Any) -> dict[Claim, None] | None:
    """Return the claims of an owner; None if it comes from outside, and keeps none."""
    return key.claims if type(key) is _Key else None


def waits_of(key: Any) -> Iterable[Claim]:
    """Return the claims that an owner, or what is nested in it, waits with."""
    return (claim for claim in claims_of(key) or () if claim.waiting)


def name_of_request(brid: int, builder_name: str) -> str:
    """Return the words with which people are told of a build request, or of its build to be."""
    return f'build request {brid} of {builder_name}'


def owner_around_all(owners: list[LockOwner]) -> LockOwner | None:
    """Return the nearest owner that several are nested in; None if there is none."""
    common = [{key_of(around) for around in owners_around(owner)} for owner in owners[1:]]
    for around in owners_around(owners[0]):
        if all(key_of(around) in keys for keys in common):
            return around
    return None


def owners_around(thing: Any) -> list[LockOwner]:
    found = []
    parent = thing.lock_parent if isinstance(thing, LockOwner) else None
    while parent is not None:
        found.append(parent)
        parent = parent.lock_parent
    return found
