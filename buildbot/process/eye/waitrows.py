# SPDX-License-Identifier: GPL-2.0-only
"""New: the rows of steps and builds that wait for locks say what for, and stay up to date."""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from twisted.python import log

from buildbot.process.eye.waits import Lines
from buildbot.process.eye.waits import sentence
from buildbot.util.service import SharedService

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from buildbot.locking.copy import LockClaim


class WaitRow:
    """What one row says about a wait. It does not write the row.

    :param say: takes a sentence and has it written.
    :ivar said: the last sentence.
    :ivar due_at: when the next sentence may be written.
    """

    def __init__(self, say: Callable[[str], Any]) -> None:
        self.say = say
        self.said = ''
        self.due_at = 0.0


class WaitRows(SharedService):
    """Has the rows of waiting owners renewed from time to time. It does not write them itself.

    The end of a wait need not be reported: a claim that no longer waits is forgotten. If there is
    more to say than may be written, the longest waits come first.

    :cvar renewed_after: the fewest seconds between two sentences of one row.
    :cvar most: the most sentences in a minute, for all rows.
    :cvar look_after: seconds between two looks, while any claim waits.
    """

    renewed_after = 30
    most = 200
    look_after = 5

    def __init__(self) -> None:
        super().__init__()
        self._rows: dict[LockClaim, WaitRow] = {}  # the longest waits are first
        self._said_at: deque[float] = deque(maxlen=self.most)
        self._call: IDelayedCall | None = None

    def add(self, claim: LockClaim, say: Callable[[str], Any]) -> None:
        """Have a row say what a claim waits for, as long as it waits.

        :param say: takes a sentence and has it written.
        """
        if self.running:
            self._rows[claim] = row = WaitRow(say)
            if self._may_say:
                self._renew(claim, row, Lines())
            if self._call is None:
                self._look_later()

    def stopService(self) -> Any:
        self._rows.clear()
        call, self._call = self._call, None
        if call is not None:
            call.cancel()
        return super().stopService()

    @property
    def _now(self) -> float:
        return self.master.reactor.seconds()

    @property
    def _may_say(self) -> bool:
        said_at = self._said_at
        return len(said_at) < self.most or self._now - said_at[0] >= 60

    def _look_later(self) -> None:
        self._call = self.master.reactor.callLater(self.look_after, self._look)

    def _look(self) -> None:
        self._call = None
        for claim in [claim for claim in self._rows if not claim.waiting]:
            del self._rows[claim]
        now, lines = self._now, Lines()
        for claim, row in self._rows.items():
            if not self._may_say:
                break
            if row.due_at <= now:
                self._renew(claim, row, lines)
        if self._rows:
            self._look_later()

    def _renew(self, claim: LockClaim, row: WaitRow, lines: Lines) -> None:
        row.due_at = self._now + self.renewed_after
        try:
            text = sentence(claim, lines, self._now)
            if text != row.said:
                row.said = text
                self._said_at.append(self._now)
                row.say(text)
        except Exception as e:
            row.due_at = math.inf  # logged once; the other rows go on
            names = ', '.join(str(lock) for lock, _ in claim.accesses)
            log.err(e, f'while telling who waits for {names}')
