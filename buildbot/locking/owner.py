# SPDX-License-Identifier: GPL-2.0-only
"""New: owners of locks, and the keys by which their claims know them."""

from __future__ import annotations

from typing import Any
from typing import Iterable
from typing import Iterator

from buildbot.locking.claim import Claim
from buildbot.locking.plain import plain
from buildbot.locking.resource import Resource

BY_IDENTITY = object.__hash__  # of a class that has no == of its own


class LockOwner:
    """An owner of locks, such as a build or a step. Owners nested in it share what it holds.

    :cvar lock_parent: the owner that this one is nested in, or None.
    :cvar lock_priority: a higher number is further in front in line.
    :cvar lock_age: when it was made, in seconds of the master's clock; None if that is now.
    :cvar lock_choice: equal for owners only one of which is to hold its locks in the end; they do
        not hinder each other. None if there are no others.
    :cvar lock_moved_at: when a person moved it to the front of its lines, in seconds of the
        master's clock; None if nobody did.
    :cvar lock_may_yield: whether it has ``yield_place()``, which leaves the line when its place
        there would keep others waiting forever.
    :cvar lock_log: a ``LockLog``, which knows since when it waits and holds; None if nobody does.
    :cvar lock_key: the key by which its claims know it; None before its first claim.
    """

    lock_parent: LockOwner | None = None
    lock_priority: int = 0
    lock_age: float | None = None
    lock_choice: Any = None
    lock_moved_at: float | None = None
    lock_may_yield = False
    lock_log: Any = None
    lock_key: _Key | None = None

    def take_over(self, other: LockOwner) -> None:
        """Become the owner of all claims of another owner."""
        key = self.lock_key = key_of(other)
        key.thing = self
        other.lock_key = None

    #: the wait that its claims may end, such as a request's; None if each claim is a wait of its
    #: own
    lock_wait: Any = None

    @property
    def lock_worker(self) -> str | None:
        """The name of the worker that it, or its build, is on; None if it is on none."""
        return None

    @property
    def keeps_place(self) -> bool:
        """Whether others may wait for more than its locks, such as for its worker."""
        return False

    def other_waits(self) -> Iterable[Any]:
        """Return the waits, besides those of claims, that it or an owner in it waits for."""
        return ()

    @property
    def waiting_claim(self) -> Any:
        """The claim of this owner that waits in line; None if none does."""
        key = self.lock_key
        claims = key.claims if key is not None else ()
        return next((claim for claim in claims if claim.waiting and claim.owner is key), None)

    def pools(self) -> list[str]:
        """Return the names of the pools of which this owner, or one around it, has resources."""
        found: dict[str, None] = {}
        for owner in (self, *owners_around(self)):
            for claim in claims_of(owner.lock_key) or ():
                if claim.holds:
                    found.update(dict.fromkeys(claim.resources()))
        return list(found)

    def resources(self, pool: str) -> list[Resource]:
        """Return what it has of a pool; if it has nothing, what the nearest owner around it has.

        :param pool: the name of the pool.
        :returns: resources in the order in which they were asked for; none if nobody has any.
        """
        for owner in (self, *owners_around(self)):
            claims = [c for c in claims_of(owner.lock_key) or () if c.holds]
            got = [resource for c in claims for resource in c.resources().get(pool, ())]
            if got:
                return got
        return []

    def lock_name(self) -> str:
        """The name of this owner for messages."""
        return str(self)

    def short_name(self) -> str:
        """The name of this owner where there is little room."""
        return self.lock_name()


class _Key:
    """Stands for an owner in its claims and is compared in its stead. It is not an owner.

    Two steps of one factory are equal, but are two owners.

    :ivar claims: the claims of the owner that wait or are held, and the waiting claims of owners
        nested in it.
    """

    __slots__ = ('claims', 'thing')

    def __init__(self, thing: object) -> None:
        self.thing = thing
        self.claims: dict[Claim, None] = {}

    def __repr__(self) -> str:
        thing = self.thing
        return plain(thing.lock_name() if isinstance(thing, LockOwner) else repr(thing))


class _KeyOfEqual(_Key):
    """The key of an owner that is not a ``LockOwner`` and has an ``==`` of its own."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _KeyOfEqual) and other.thing is self.thing

    def __hash__(self) -> int:
        return object.__hash__(self.thing)


def key_of(thing: object) -> Any:
    if isinstance(thing, LockOwner):
        key = thing.lock_key
        if key is None:
            key = thing.lock_key = _Key(thing)
        return key
    return thing if type(thing).__hash__ is BY_IDENTITY else _KeyOfEqual(thing)


def thing_of(key: object) -> Any:
    return key.thing if isinstance(key, _Key) else key


def claims_of(key: object) -> dict[Any, None] | None:
    """Return the claims of an owner; None if it is a foreign object that keeps none."""
    return key.claims if type(key) is _Key else None


def waits_of(key: Any) -> Iterator[Any]:
    """Yield the waits of an owner, and of owners nested in it."""
    for claim in claims_of(key) or ():
        if claim.waiting:
            yield claim.as_wait()
    thing = thing_of(key)
    if isinstance(thing, LockOwner):
        yield from thing.other_waits()


def waits_since(thing: object) -> float | None:
    """Return when an owner began to wait for what it waits for or holds; None if it did not."""
    log = thing.lock_log if isinstance(thing, LockOwner) else None
    return None if log is None else log.waits_since


def holds_since(thing: object) -> float | None:
    """Return when an owner began to hold its locks; None if it does not, or nobody knows."""
    log = thing.lock_log if isinstance(thing, LockOwner) else None
    return None if log is None else log.holds_since


def name_of_request(brid: int, builder_name: str) -> str:
    """Return the name of a build request for messages."""
    return f'build request {brid} of {builder_name}'


def owner_around_all(owners: list[LockOwner]) -> LockOwner | None:
    """Return the nearest owner that all of these are nested in; None if there is none."""
    common = [{key_of(around) for around in owners_around(owner)} for owner in owners[1:]]
    for around in owners_around(owners[0]):
        if all(key_of(around) in keys for keys in common):
            return around
    return None


def owners_around(thing: object) -> list[LockOwner]:
    found = []
    parent = thing.lock_parent if isinstance(thing, LockOwner) else None
    while isinstance(parent, LockOwner):
        found.append(parent)
        parent = parent.lock_parent
    return found
