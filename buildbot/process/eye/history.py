# SPDX-License-Identifier: GPL-2.0-only
"""New: the uses of locks that have ended are kept in the database, many at a time."""

from __future__ import annotations

from collections import deque
from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copies import LocksInUse
from buildbot.process.eye.holds import Holds
from buildbot.process.eye.holds import holds_of
from buildbot.process.eye.lockids import LockIds
from buildbot.process.eye.use import Use
from buildbot.process.eye.userows import UseRows
from buildbot.util import deferredLocked
from buildbot.util.service import SharedService
from buildbot.util.subscription import SubscriptionPoint

HOUR, DAY = 3600, 86400


class History(SharedService):
    """Writes uses of locks to the database. No build waits for it or ends because of it.

    Nothing is written while no use ends. Uses that could not be written are kept for the next
    write, up to a limit.

    :cvar every: seconds after which an ended use is written at the latest.
    :cvar at_once: the most uses written in one statement, and the most that wait for a write.
    :cvar tries: failed writes of one use after which it is tried again later.
    :cvar most: the most uses kept while they cannot be written.
    :cvar patience: seconds for which a stopping master waits for the last write.
    :cvar days: days for which uses are kept in the database, if the configuration has no janitor
        for them.
    :ivar holds: how long locks were held lately.
    :ivar ended: those who are told of each use that has ended.
    """

    every = 30
    at_once = 500
    tries = 3
    most = 10_000
    patience = 30
    days = 30

    def __init__(self) -> None:
        super().__init__()
        self.holds = Holds()
        self.ended = SubscriptionPoint('ends of uses of locks')
        self._are_holds_read = self._has_failed_to_read = False
        self._unwritten: deque[Use] = deque()
        self._in_hand = 0  # how many are being written
        self._dropped = 0
        self._rows = UseRows()
        self._call: Any = None
        self._writing = defer.DeferredLock()
        self._has_failed = False
        self._deleted_at: float | None = None

    @defer.inlineCallbacks
    def startService(self) -> Any:
        yield super().startService()
        in_use = yield LocksInUse.getService(self.parent)
        in_use.record = self.keep

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        in_use = yield LocksInUse.getService(self.parent)
        in_use.record = None
        yield self._write_at_last()
        yield super().stopService()

    @defer.inlineCallbacks
    def _write_at_last(self) -> Any:
        """Write what can be written before the master stops, and log what could not be."""
        is_over: defer.Deferred[None] = defer.Deferred()
        late = self.master.reactor.callLater(self.patience, is_over.callback, None)
        last = self.write()
        last.addErrback(log.err, 'while writing what is left of the history of locks')

        def written(_: Any) -> None:
            if late.active():
                is_over.callback(None)

        last.addBoth(written)
        yield is_over
        lost, why = len(self._unwritten) + self._in_hand, ''
        if late.active():
            late.cancel()
        else:
            why = f'; the database has not answered for {self.patience} seconds'
        if lost:
            log.msg(f'{in_uses(lost)} missing from the history{why}')
        self._unwritten.clear()  # should it answer yet, nothing more is written
        self._do_not_write()

    def keep(self, use: Use) -> None:
        """Keep a use that has ended, and write it soon."""
        self._unwritten.append(use)
        self._bound()
        self.holds.learn(use)
        self.ended.deliver(use)
        if len(self._unwritten) == self.at_once and not self._has_failed:
            self._write_in(0)
        elif self._call is None:
            self._write_in(self.every)

    def _bound(self) -> None:
        while len(self._unwritten) > self.most:
            self._unwritten.popleft()
            self._dropped += 1

    def _write_in(self, seconds: float) -> None:
        self._do_not_write()
        self._call = self.master.reactor.callLater(seconds, self.write)

    def _do_not_write(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    @defer.inlineCallbacks
    def known_holds(self) -> Any:
        """Return how long locks were held lately, also before the master started.

        If the database cannot be read, only holds since the start are known.

        :returns: Deferred of ``Holds``.
        """
        if not self._are_holds_read:
            try:
                yield self.write()
                self.holds = yield self.master.db.lock_uses.newest(5000, holds_of)
                self._are_holds_read = True
            except Exception as e:
                if not self._has_failed_to_read:
                    self._has_failed_to_read = True
                    log.err(e, 'while reading for how long locks were held')
        return self.holds

    @deferredLocked('_writing')
    @defer.inlineCallbacks
    def write(self) -> Any:
        """Write the uses that have ended.

        :returns: Deferred that fires when they are written, or cannot be written now.
        """
        self._do_not_write()
        if not self._unwritten:
            return
        size, has_written = self.at_once, False
        refused: list[tuple[Use, Exception]] = []
        while self._unwritten and len(refused) < self.tries:
            uses = [self._unwritten.popleft() for _ in range(min(len(self._unwritten), size))]
            try:
                self._in_hand = len(uses) + len(refused)
                rows = yield self._rows.rows_of(uses, self.master)
                yield self.master.db.lock_uses.add(rows)
            except Exception as e:
                self._rows.forget()  # somebody may have deleted ids
                if len(uses) == 1:
                    refused.append((uses[0], e))
                else:
                    size = 1  # one of them may be what the database does not take
                    self._unwritten.extendleft(reversed(uses))
            else:
                has_written = True
                self._succeeded()
            finally:
                self._in_hand = 0
        if refused and has_written:
            log.err(refused[0][1], f'{in_uses(len(refused))} refused by the database and not kept')
        elif refused:
            self._unwritten.extend(use for use, _ in refused)
            self._failed(refused[0][1])
            return
        if self._unwritten and self._call is None:
            self._write_in(self.every)
        if self.running:
            yield self._delete_old()

    def _failed(self, why: Exception) -> None:
        self._bound()
        if not self._has_failed:
            self._has_failed = True
            log.err(why, 'the history of locks cannot be written; it is tried again until it can')
        if self.running:
            self._write_in(self.every)

    def _succeeded(self) -> None:
        if self._has_failed:
            log.msg('the history of locks can be written again')
        if self._dropped:
            log.msg(f'{in_uses(self._dropped)} missing from the history, the oldest of that time')
        self._has_failed, self._dropped = False, 0

    @defer.inlineCallbacks
    def delete_before(self, time: float) -> Any:
        """Delete the uses that ended before a time, and the ids of copies without use or history.

        :returns: Deferred of the number of uses.
        """
        yield self.write()
        return (yield self._writing.run(self._delete_before, time))

    @defer.inlineCallbacks
    def _delete_before(self, time: float, masterid: int | None = None) -> Any:
        deleted = yield self.master.db.lock_uses.delete_before(time, masterid)
        if not self._unwritten:  # those are of copies that may be in use no longer
            ids = yield LockIds.getService(self.parent)
            if (yield ids.delete_unused()):
                self._rows.forget()
        return deleted

    @defer.inlineCallbacks
    def _delete_old(self) -> Any:
        now = self.master.reactor.seconds()
        if self._deleted_at is not None and now < self._deleted_at + HOUR:
            return
        self._deleted_at = now
        if not has_janitor(self.master.config):
            # another master on this database may keep its own for longer
            long_ago, masterid = now - self.days * DAY, self.master.masterid
            try:
                yield self._delete_before(long_ago, masterid)
                yield self.master.db.lock_hand.delete_before(long_ago, masterid)
            except Exception as e:
                log.err(e, 'while deleting the old history of locks')


def in_uses(count: int) -> str:
    return f'{count} use of locks is' if count == 1 else f'{count} uses of locks are'


def has_janitor(config: Any) -> bool:
    """Tell whether the configuration itself says how long uses of locks are kept."""
    factories = (getattr(builder, 'factory', None) for builder in config.builders)
    steps = (step for factory in factories for step in getattr(factory, 'steps', ()))
    kinds = (getattr(step, 'step_class', None) for step in steps)
    return any(getattr(kind, 'deletes_lock_uses', False) for kind in kinds)
