# SPDX-License-Identifier: GPL-2.0-only
"""New: histories in which people do things with locks, too, at any moment."""

from __future__ import annotations

import random
from typing import Any
from typing import Callable
from typing import Iterable

from buildbot.locking.copy import BaseLock
from buildbot.process.hand.hand import Hand
from buildbot.process.hand.hold import Hold
from buildbot.process.hand.quarantine import Quarantine
from buildbot.process.hand.version import version_of
from buildbot.process.hand.wishes import By
from buildbot.process.hand.wishes import Refused
from buildbot.process.lockfacts import facts_of
from buildbot.test.util.history import HistoryCase
from buildbot.test.util.idle import Wish
from buildbot.test.util.idle import copies_of

PEOPLE = ('ann', 'bob')


class HandHistoryCase(HistoryCase):
    """A lab to which anything happens in any order, and in which people take a hand.

    :ivar kept: for each copy in quarantine, the builds that held it when that began.
    """

    EVENTS = {
        **HistoryCase.EVENTS,
        'hold': 10,
        'extend': 3,
        'release': 8,
        'hand_over': 2,
        'first': 6,
        'back': 3,
        'kick': 3,
        'quarantine': 4,
        'restore': 6,
    }

    def make_lab(self, rng: random.Random) -> Any:
        self.kept: dict[BaseLock, set[Any]] = {}
        return super().make_lab(rng)

    def _act(self, do: Callable[..., Any], copy: BaseLock, who: str, *words: Any) -> str:
        hand = self.at_once(Hand.getService(self.master.botmaster))
        by = By(who, 'why not', version_of(copy))  # as it is now: time has passed
        refused: list[Any] = []
        d = do(hand, copy, by, *words)
        d.addErrback(lambda why: refused.append(why.trap(Refused) and why.value))
        self.settle()
        return (
            f'{copy} by {who} {words}{" refused: " if refused else ""}{"".join(map(str, refused))}'
        )

    def _copy(self, rng: random.Random, is_meant: Callable[[Any], Any]) -> Any:
        copies = [copy for copy in copies_of(self.master, self.lockids()) if is_meant(copy)]
        return rng.choice(sorted(copies, key=str)) if copies else None

    def hold(self, rng: random.Random) -> str | None:
        copy = self._copy(rng, lambda copy: True)
        if copy is None:
            return None
        until = self.reactor.seconds() + rng.choice([30, 300, 3600])
        taking = rng.choice([('exclusive', None), ('counting', 1), ('counting', 2)])
        return self._act(Hand.hold, copy, rng.choice(PEOPLE), until, *taking)

    def _own(self, rng: random.Random) -> Any:
        copy = self._copy(rng, lambda copy: copy.by_hand)
        return None if copy is None else rng.choice(copy.by_hand)

    def extend(self, rng: random.Random) -> str | None:
        hold = self._own(rng)
        if hold is None:
            return None
        until = self.reactor.seconds() + rng.choice([60, 600])
        return self._act(Hand.extend, hold.copy, hold.person, hold.holdid, until)

    def release(self, rng: random.Random) -> str | None:
        hold = self._own(rng)
        return hold and self._act(Hand.release, hold.copy, hold.person, hold.holdid)

    def hand_over(self, rng: random.Random) -> str | None:
        hold = self._own(rng)
        other = rng.choice(PEOPLE)
        return hold and self._act(Hand.hand_over, hold.copy, hold.person, hold.holdid, other)

    def _waiter(self, rng: random.Random) -> Any:
        copy = self._copy(rng, lambda copy: copy.line_length)
        if copy is None:
            return None
        claims = [claim for claim in copy.line() if claim.thing is not copy.quarantine]
        return (copy, facts_of(rng.choice(claims).thing).name) if claims else None

    def first(self, rng: random.Random) -> str | None:
        at = self._waiter(rng)
        return at and self._act(Hand.first, at[0], 'ann', at[1])

    def back(self, rng: random.Random) -> str | None:
        at = self._waiter(rng)
        return at and self._act(Hand.back, at[0], 'ann', at[1])

    def kick(self, rng: random.Random) -> str | None:
        copy = self._copy(rng, lambda copy: copy.owners)
        if copy is None:
            return None
        return self._act(Hand.kick, copy, 'ann', facts_of(rng.choice(copy.owners)).name)

    def quarantine(self, rng: random.Random) -> str | None:
        copy = self._copy(rng, lambda copy: copy.quarantine is None)
        if copy is None:
            return None
        self.kept[copy] = set(self._of_builds(copy))
        return self._act(Hand.quarantine, copy, 'ann')

    def restore(self, rng: random.Random) -> str | None:
        copy = self._copy(rng, lambda copy: copy.quarantine is not None)
        return copy and self._act(Hand.restore_copy, copy, 'ann')

    # what must be

    def _of_builds(self, copy: BaseLock) -> list[int | None]:
        return self._requests_of(copy.owners)

    def _requests_of(self, owners: Iterable[Any]) -> list[int | None]:
        return [
            facts_of(owner).buildrequestid
            for owner in owners
            if not isinstance(owner, (Hold, Quarantine))
        ]

    def _check_copy(self, copy: Any, holders: Any) -> None:
        super()._check_copy(copy, holders)
        for hold in copy.by_hand:
            self.assertIs(hold.copy, copy)
        if copy.quarantine is not None:
            # a child shares what its parent holds, and may hold it for longer
            more = set(self._requests_of(holders.outermost(copy))) - self.kept[copy]
            self.assertEqual(more, set(), f'{copy} was granted in quarantine')
            self.kept[copy].update(self._of_builds(copy))

    def may_pend(self, wish: Wish) -> bool:
        if super().may_pend(wish):
            return True
        plan = self.plan[wish.builder]['of_steps']
        return bool(plan) and any(
            copy.quarantine is not None for copy in copies_of(self.master, self.lockids())
        )

    def wishes(self) -> list[Wish]:
        found = []
        for wish in super().wishes():
            builder = self.master.botmaster.builders[wish.builder]
            moved_at = builder.reservations._moved_at.get(wish.brid)
            if moved_at is not None:
                wish = wish._replace(place=(-1000, -moved_at))
            found.append(wish)
        return found

    def run_out(self) -> None:
        """Give all back that is held by hand, and let the rest run out."""
        self.number += 1
        self.begin()
        for copy in copies_of(self.master, self.lockids()):
            for hold in copy.by_hand:
                self._act(Hand.release, copy, hold.person, hold.holdid)
            if copy.quarantine is not None:
                self._act(Hand.restore_copy, copy, 'ann')
        if not self.is_shut_down():
            for copy in copies_of(self.master, self.lockids()):
                self.assertEqual((copy.by_hand, copy.quarantine), ((), None))
        super().run_out()
