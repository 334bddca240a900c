# SPDX-License-Identifier: GPL-2.0-only
"""New: what people do with copies of locks, kept over a restart of the master."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copies import LocksInUse
from buildbot.locking.copy import BaseLock
from buildbot.process.hand.copyname import CopyName
from buildbot.process.hand.copyname import known_copy
from buildbot.process.hand.hold import Hold
from buildbot.process.hand.holds import Holds
from buildbot.process.hand.journal import Journal
from buildbot.process.hand.precedence import Precedence
from buildbot.process.hand.quarantines import Quarantines
from buildbot.process.hand.wishes import By
from buildbot.util.service import SharedService


class Hand(SharedService):
    """Does what people ask for, and no more: who may ask is not decided here.

    One thing is done at a time. What is not done is refused with a sentence (``Refused``), and then
    nothing has changed. Each method takes the copy, and ``by``: who, why, and what they saw of the
    copy. To do a thing again that has been done is no error, and does nothing.

    :ivar tell: writes down what was done with a copy or came of it; see ``Journal``.
    """

    def __init__(self) -> None:
        super().__init__()
        self._acting = defer.DeferredLock()
        self._is_restored = False
        self._consumer: Any = None

    @defer.inlineCallbacks
    def startService(self) -> Any:
        yield super().startService()
        journal = Journal(self.master)
        self.tell = journal.tell
        self._holds = Holds(self.master, self._acting, journal)
        self._quarantines = Quarantines(self.master, self._acting, journal)
        self._precedence = Precedence(self.parent, self._holds, journal)
        in_use = yield LocksInUse.getService(self.parent)
        in_use.judge, in_use.tell_people = self._quarantines.released, self.tell
        self._consumer = yield self.master.mq.startConsuming(
            lambda _, build: self._quarantines.build_finished(build), ('builds', None, 'finished')
        )

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        in_use = yield LocksInUse.getService(self.parent)
        in_use.judge = in_use.tell_people = None
        yield self._consumer.stopConsuming()
        self._holds.stop()
        self._quarantines.stop()
        yield super().stopService()

    @defer.inlineCallbacks
    def restore(self) -> Any:
        """Take what people held when the master was stopped; done again, it does nothing.

        It is called when the configuration has been read, and before there is any worker.
        """
        if self._is_restored:
            return
        hand, masterid = self.master.db.lock_hand, self.master.masterid
        if not (yield hand.is_there()):
            self._is_restored = True
            return  # nobody can have held anything
        # if these cannot be read, no build may have what somebody holds: the master does not start
        holds = yield hand.holds_of(masterid)
        quarantines = yield hand.quarantines_of(masterid)
        self._is_restored = True
        # in the order in which they had their copies
        held = [row for row in holds if row.held_since is not None]
        for row in held:
            yield self._restore(row, self._holds, hand.delete_hold)
        for row in quarantines:
            yield self._restore(row, self._quarantines, hand.delete_quarantine)
        for row in holds[len(held) :]:
            yield self._restore(row, self._holds, hand.delete_hold)

    @defer.inlineCallbacks
    def _restore(self, row: Any, to: Holds | Quarantines, delete: Any) -> Any:
        try:
            name = CopyName(row.kind, row.lock, row.copy_of, row.codebase)
            copy = yield known_copy(self.parent, name)
            if copy is not None:
                to.restore(row, copy)
                return
            yield delete(row.id)
            log.msg(
                f'lock {row.lock!r} is no {row.kind} any more: what was done by hand with it ends'
            )
        except Exception as e:
            log.err(e, f'what was done by hand with lock {row.lock!r} cannot be restored')

    def person_of(self, holdid: Any, holderid: Any = None) -> str | None:
        """Return who holds by hand, by the id of the hold or as in the rows of those who hold.

        :returns: the person; None if there is no such hold.
        """
        return self._holds.person_of(holdid, holderid)

    def hold(
        self, copy: BaseLock, by: By, until: Any, mode: Any = 'exclusive', units: Any = None
    ) -> defer.Deferred[Hold]:
        """Let a person hold a copy, or stand in line for it.

        :param until: when the hold ends, in seconds of the clock.
        :param mode: ``exclusive`` or ``counting``.
        :param units: of a counting one; None stands for 1.
        :returns: Deferred of the hold.
        """
        return self._acting.run(self._holds.hold, copy, by, until, mode, units)

    def extend(self, copy: BaseLock, by: By, holdid: Any, until: Any) -> defer.Deferred[Hold]:
        """Give a hold of the person another end.

        :param until: in seconds of the clock.
        """
        return self._acting.run(self._holds.extend, copy, by, holdid, until)

    def hand_over(self, copy: BaseLock, by: By, holdid: Any, person: Any) -> defer.Deferred[Hold]:
        """Give a hold of the person to another one, who must be known."""
        return self._acting.run(self._holds.hand_over, copy, by, holdid, person)

    def release(self, copy: BaseLock, by: By, holdid: Any) -> defer.Deferred[None]:
        """End a hold of the person, or the wait for one."""
        return self._acting.run(self._holds.release, copy, by, holdid)

    def first(self, copy: BaseLock, by: By, waiterid: Any) -> defer.Deferred[None]:
        """Move who waits for a copy to the front.

        :param waiterid: as in the rows of those who wait.
        """
        return self._acting.run(self._precedence.first, copy, by, waiterid)

    def back(self, copy: BaseLock, by: By, waiterid: Any) -> defer.Deferred[None]:
        """Move who was moved to the front back to its own place."""
        return self._acting.run(self._precedence.back, copy, by, waiterid)

    def kick(self, copy: BaseLock, by: By, holderid: Any) -> defer.Deferred[None]:
        """Stop the build that holds a copy, or end the hold of a person.

        Steps that always run still do, with the lock held.

        :param holderid: as in the rows of those who hold it.
        :returns: Deferred that fires when the build has been told.
        """
        return self._acting.run(self._precedence.kick, copy, by, holderid)

    def quarantine(self, copy: BaseLock, by: By) -> defer.Deferred[None]:
        """Take a copy out of use, until it is put to use again or repaired."""
        return self._acting.run(self._quarantines.quarantine, copy, by)

    def restore_copy(self, copy: BaseLock, by: By) -> defer.Deferred[None]:
        """Put a copy back into use."""
        return self._acting.run(self._quarantines.restore_copy, copy, by)
