# SPDX-License-Identifier: GPL-2.0-only
"""New: what people do with copies of locks, kept across restarts of the master."""

from __future__ import annotations

from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copies import LocksInUse
from buildbot.locking.copy import BaseLock
from buildbot.process.hand.copyname import CopyName
from buildbot.process.hand.copyname import known_copy
from buildbot.process.hand.holds import Holds
from buildbot.process.hand.journal import Journal
from buildbot.process.hand.precedence import Precedence
from buildbot.process.hand.quarantines import Quarantines
from buildbot.process.hand.wishes import By
from buildbot.util.service import SharedService


class Hand(SharedService):
    """Does what people ask for, one thing at a time. It does not decide who may ask.

    :ivar tell: writes down what was done with a copy or came of it; see ``Journal``.
    :ivar holds: what people hold or wait for.
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
        holds = self.holds = Holds(self.master, self._acting, journal)
        quarantines = self._quarantines = Quarantines(self.master, self._acting, journal)
        precedence = Precedence(self.parent, holds, journal)
        self._acts: dict[str, Callable[..., Any]] = {
            'hold': holds.hold,
            'extend': holds.extend,
            'release': holds.release,
            'handover': holds.hand_over,
            'first': precedence.first,
            'back': precedence.back,
            'kick': precedence.kick,
            'quarantine': quarantines.quarantine,
            'restore': quarantines.restore_copy,
        }
        in_use = yield LocksInUse.getService(self.parent)
        in_use.judge, in_use.tell_people = quarantines.released, self.tell
        self._consumer = yield self.master.mq.startConsuming(
            lambda _, build: quarantines.build_finished(build), ('builds', None, 'finished')
        )

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        in_use = yield LocksInUse.getService(self.parent)
        in_use.judge = in_use.tell_people = None
        yield self._consumer.stopConsuming()
        self.holds.stop()
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
            yield self._restore(row, self.holds, hand.delete_hold)
        for row in quarantines:
            yield self._restore(row, self._quarantines, hand.delete_quarantine)
        for row in holds[len(held) :]:
            yield self._restore(row, self.holds, hand.delete_hold)

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

    def act(self, action: str, copy: BaseLock, by: By, **words: Any) -> defer.Deferred[Any]:
        """Do something with a copy. Doing it again is not an error, and does nothing.

        :param action: what is done, one of ``ACTIONS`` in ``buildbot.data.lockhand``.
        :param words: what else the action takes; see the method that does it.
        :returns: Deferred of the hold, if there is one. It fails with ``Refused`` if nothing was
            done; the text is a sentence that says why.
        """
        return self._acting.run(self._acts[action], copy, by, **words)
