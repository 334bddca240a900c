# SPDX-License-Identifier: GPL-2.0-only
"""New: what people do with copies of locks, kept across restarts of the master."""

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
    """Does what people ask for. It does not decide who may ask.

    One thing is done at a time. A refusal is a sentence (``Refused``), and nothing has changed
    then. Each method takes the copy and ``by``: who asks, why, and which version of the copy they
    saw. Doing the same thing again is not an error, and does nothing.

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
        """Restore what people held when the master stopped. Calling it again does nothing.

        It is called after the configuration has been read and before any worker connects.
        """
        if self._is_restored:
            return
        hand, masterid = self.master.db.lock_hand, self.master.masterid
        if not (yield hand.is_there()):
            self._is_restored = True
            return  # nobody can have held anything
        # if this read fails, the master does not start, since builds could take what people hold
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
        """Return the person of a hold, found by its id or by the id in the rows of holders.

        :returns: the person; None if there is no such hold.
        """
        return self._holds.person_of(holdid, holderid)

    def hold(
        self, copy: BaseLock, by: By, until: Any, mode: Any = 'exclusive', units: Any = None
    ) -> defer.Deferred[Hold]:
        """Let a person hold a copy, or stand in line for it.

        :param until: when the hold ends, in seconds of the clock.
        :param mode: ``exclusive`` or ``counting``.
        :param units: units for ``counting``; None stands for 1.
        :returns: Deferred of the hold.
        """
        return self._acting.run(self._holds.hold, copy, by, until, mode, units)

    def extend(self, copy: BaseLock, by: By, holdid: Any, until: Any) -> defer.Deferred[Hold]:
        """Change the end of a hold of the person.

        :param until: the new end, in seconds of the clock.
        """
        return self._acting.run(self._holds.extend, copy, by, holdid, until)

    def hand_over(self, copy: BaseLock, by: By, holdid: Any, person: Any) -> defer.Deferred[Hold]:
        """Give a hold of the person to another person, who must be known."""
        return self._acting.run(self._holds.hand_over, copy, by, holdid, person)

    def release(self, copy: BaseLock, by: By, holdid: Any) -> defer.Deferred[None]:
        """End a hold of the person, or the person's wait for one."""
        return self._acting.run(self._holds.release, copy, by, holdid)

    def first(self, copy: BaseLock, by: By, waiterid: Any) -> defer.Deferred[None]:
        """Move an owner that waits for a copy to the front.

        :param waiterid: the id in the rows of waiters.
        """
        return self._acting.run(self._precedence.first, copy, by, waiterid)

    def back(self, copy: BaseLock, by: By, waiterid: Any) -> defer.Deferred[None]:
        """Move an owner that was moved to the front back to its own place."""
        return self._acting.run(self._precedence.back, copy, by, waiterid)

    def kick(self, copy: BaseLock, by: By, holderid: Any) -> defer.Deferred[None]:
        """Stop the build that holds a copy, or end the hold of a person.

        Steps that always run still do, with the lock held.

        :param holderid: the id in the rows of holders.
        :returns: Deferred that fires when the build has been told.
        """
        return self._acting.run(self._precedence.kick, copy, by, holderid)

    def quarantine(self, copy: BaseLock, by: By) -> defer.Deferred[None]:
        """Take a copy out of use until it is put back into use or repaired."""
        return self._acting.run(self._quarantines.quarantine, copy, by)

    def restore_copy(self, copy: BaseLock, by: By) -> defer.Deferred[None]:
        """Put a copy back into use."""
        return self._acting.run(self._quarantines.restore_copy, copy, by)
