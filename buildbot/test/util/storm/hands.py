# SPDX-License-Identifier: GPL-2.0-only
"""New: people who hold locks, move who waits, end builds, and take copies out of use."""

from __future__ import annotations

from typing import Any
from typing import Callable

from buildbot.process.hand.hand import Hand
from buildbot.process.hand.hold import Hold
from buildbot.process.hand.version import version_of
from buildbot.process.hand.wishes import By
from buildbot.process.hand.wishes import Refused
from buildbot.process.lockfacts import facts_of
from buildbot.test.util.idle import copies_of
from buildbot.test.util.storm.invariants import requests_of
from buildbot.test.util.storm.masters import Masters
from buildbot.test.util.storm.requests import some


class Hands(Masters):
    """What people do by hand, having looked at the copy right before."""

    def _act(self, action: str, copy: Any, who: str, **words: Any) -> str:
        hand = self.at_once(Hand.getService(self.master.botmaster))
        by = By(who, 'why not', version_of(copy))  # as it is now: time has passed
        refused: list[Any] = []
        d = hand.act(action, copy, by, **words)
        d.addErrback(lambda why: refused.append(why.trap(Refused) and why.value))
        self.at_once(d)
        return (
            f'{copy} by {who} {(*words.values(),)}{"".join(f" refused: {why}" for why in refused)}'
        )

    def _copy(self, which: int, is_meant: Callable[[Any], Any] = lambda copy: True) -> Any:
        copies = [copy for copy in copies_of(self.master, self.lockids()) if is_meant(copy)]
        return some(which, sorted(copies, key=str))

    def on_hold(
        self, which: int, who: str, seconds: int, mode: str, units: int | None
    ) -> str | None:
        copy = self._copy(which)
        until = self.reactor.seconds() + seconds
        return copy and self._act('hold', copy, who, until=until, mode=mode, units=units)

    def _own(self, which: int) -> Hold | None:
        copy = self._copy(which, lambda copy: copy.by_hand)
        return copy and some(which, copy.by_hand)

    def _act_on_own(self, action: str, which: int, **words: Any) -> str | None:
        hold = self._own(which)
        if hold is None:
            return None
        return self._act(action, hold.copy, hold.person, holdid=hold.holdid, **words)

    def on_extend(self, which: int, seconds: int) -> str | None:
        return self._act_on_own('extend', which, until=self.reactor.seconds() + seconds)

    def on_release(self, which: int) -> str | None:
        return self._act_on_own('release', which)

    def on_hand_over(self, which: int, other: str) -> str | None:
        return self._act_on_own('handover', which, person=other)

    def _move(self, action: str, which: int) -> str | None:
        copy = self._copy(which, lambda copy: copy.line_length)
        if copy is None:
            return None
        claim = some(which, [claim for claim in copy.line() if claim.thing is not copy.quarantine])
        return claim and self._act(action, copy, 'ann', waiterid=facts_of(claim.thing).name)

    def on_first(self, which: int) -> str | None:
        return self._move('first', which)

    def on_back(self, which: int) -> str | None:
        return self._move('back', which)

    def on_kick(self, which: int) -> str | None:
        copy = self._copy(which, lambda copy: copy.owners)
        if copy is None:
            return None
        holder = facts_of(some(which, copy.owners)).name
        return self._act('kick', copy, 'ann', holderid=holder)

    def on_quarantine(self, which: int) -> str | None:
        copy = self._copy(which, lambda copy: copy.quarantine is None)
        if copy is None:
            return None
        self.kept[copy] = set(requests_of(copy.owners))
        return self._act('quarantine', copy, 'ann')

    def on_restore(self, which: int) -> str | None:
        copy = self._copy(which, lambda copy: copy.quarantine is not None)
        return copy and self._act('restore', copy, 'ann')

    def give_all_back(self) -> None:
        """End all that is done by hand."""
        for copy in copies_of(self.master, self.lockids()):
            for hold in copy.by_hand:
                self._act('release', copy, hold.person, holdid=hold.holdid)
            if copy.quarantine is not None:
                self._act('restore', copy, 'ann')
        for copy in copies_of(self.master, self.lockids()):
            self.assertEqual((copy.by_hand, copy.quarantine), ((), None))
