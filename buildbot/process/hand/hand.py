# SPDX-License-Identifier: GPL-2.0-only
"""New: what people do with copies of locks, kept over a restart of the master."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Iterator

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copies import LocksInUse
from buildbot.locking.copies import definition_of
from buildbot.locking.copy import CHANGED
from buildbot.locking.copy import BaseLock
from buildbot.locking.copy import LockClaim
from buildbot.locking.owner import thing_of
from buildbot.process.hand.copyname import CopyName
from buildbot.process.hand.copyname import known_copy
from buildbot.process.hand.copyname import name_of
from buildbot.process.hand.failures import Failures
from buildbot.process.hand.hold import Hold
from buildbot.process.hand.hold import Taking
from buildbot.process.hand.moves import move
from buildbot.process.hand.quarantine import Quarantine
from buildbot.process.hand.version import time_of_day
from buildbot.process.hand.wishes import By
from buildbot.process.hand.wishes import Refused
from buildbot.process.hand.wishes import check_end
from buildbot.process.hand.wishes import check_seen
from buildbot.process.hand.wishes import check_text
from buildbot.process.hand.wishes import taking_of
from buildbot.process.lockfacts import facts_of
from buildbot.process.runningbuilds import RunningBuilds
from buildbot.util.service import SharedService

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

#: who acts where the configuration has said that it be done
CONFIGURATION = 'the configuration'


class Hand(SharedService):
    """Does what people ask for, and no more: who may ask is not decided here.

    One thing is done at a time. What is not done is refused with a sentence (``Refused``), and then
    nothing has changed. Each method takes the copy, and ``by``: who, why, and what they saw of the
    copy. To do a thing again that has been done is no error, and does nothing.

    :cvar soon: how many seconds before the end of a hold its person is told.
    :cvar again: after how many seconds something that the database did not take is tried again.
    :ivar holds: the holds by hand, waiting ones too, by id.
    """

    soon = 600
    again = 60

    def __init__(self) -> None:
        super().__init__()
        self.holds: dict[int, Hold] = {}
        self._ended: deque[int] = deque(maxlen=1000)  # ids of the last holds that have ended
        self._quarantines: list[Quarantine] = []
        self._failures = Failures(self._take_out_of_use)
        self._calls: dict[Hold, IDelayedCall] = {}
        self._acting = defer.DeferredLock()
        self._telling = defer.DeferredLock()
        self._is_restored = False
        self._consumer: Any = None

    @property
    def _now(self) -> float:
        return self.master.reactor.seconds()

    @defer.inlineCallbacks
    def startService(self) -> Any:
        yield super().startService()
        in_use = yield LocksInUse.getService(self.parent)
        in_use.judge = self._released
        self._consumer = yield self.master.mq.startConsuming(
            lambda _, build: self._build_finished(build), ('builds', None, 'finished')
        )

    @defer.inlineCallbacks
    def stopService(self) -> Any:
        in_use = yield LocksInUse.getService(self.parent)
        in_use.judge = None
        yield self._consumer.stopConsuming()
        for call in self._calls.values():
            call.cancel()
        self._calls.clear()
        for owner in (*self.holds.values(), *self._quarantines):
            owner.end(lost=True)
        self.holds.clear()
        self._quarantines.clear()
        yield super().stopService()

    # after a restart

    @defer.inlineCallbacks
    def restore(self) -> Any:
        """Take what people held when the master was stopped; done again, it does nothing.

        It is called when the configuration has been read, and before there is any worker.
        """
        if self._is_restored:
            return
        self._is_restored = True
        try:
            hand, masterid = self.master.db.lock_hand, self.master.masterid
            holds = yield hand.holds_of(masterid)
            quarantines = yield hand.quarantines_of(masterid)
        except Exception as e:
            log.err(e, 'the holds by hand and the quarantines of locks cannot be read')
            return
        # in the order in which they had their copies
        held = [row for row in holds if row.held_since is not None]
        for row in (*held, *quarantines, *holds[len(held) :]):
            restore_one = self._restore_quarantine if 'since' in row._fields else self._restore_hold
            try:
                name = CopyName(row.kind, row.lock, row.copy_of, row.codebase)
                copy = yield known_copy(self.parent, name)
                yield restore_one(row, copy, name)
            except Exception as e:
                log.err(e, f'what was done by hand with lock {row.lock!r} cannot be restored')

    @defer.inlineCallbacks
    def _restore_hold(self, row: Any, copy: BaseLock | None, name: CopyName) -> Any:
        if copy is None:
            yield self.master.db.lock_hand.delete_hold(row.id)
            log.msg(f'lock {name.lock!r} is no {name.kind} any more: {row.person} holds it no more')
            return
        taking = Taking(row.mode, row.units)
        if row.mode == 'counting' and row.units > copy.maxCount:
            taking = Taking()  # whatever the lock is now, nobody else is to have what was held
        self._enter(row.id, copy, row.person, row.reason, taking, row.asked_at, row.until, row.told)

    @defer.inlineCallbacks
    def _restore_quarantine(self, row: Any, copy: BaseLock | None, name: CopyName) -> Any:
        if copy is None:
            yield self._delete_quarantine(name)
            log.msg(f'lock {name.lock!r} is no {name.kind} any more: its quarantine has ended')
            return
        self._begin_quarantine(copy, row.who, row.reason, row.since)

    # holds

    def hold(
        self,
        copy: BaseLock,
        by: By,
        until: Any,
        mode: Any = 'exclusive',
        units: Any = None,
    ) -> defer.Deferred[Hold]:
        """Let a person hold a copy, or stand in line for it.

        :param until: when the hold ends, in seconds of the clock.
        :param mode: ``exclusive`` or ``counting``.
        :param units: of a counting one; None stands for 1.
        :returns: Deferred of the hold.
        """
        return self._acting.run(self._hold, copy, by, until, mode, units)

    @defer.inlineCallbacks
    def _hold(self, copy: BaseLock, by: By, until: Any, mode: Any, units: Any) -> Any:
        now = self._now
        reason = check_text(copy, 'the reason', by.reason)
        taking = taking_of(copy, mode, units)
        for hold in copy.by_hand:
            same = (hold.person, hold.reason, hold.until, hold.taking)
            if same == (by.who, reason, until, taking):
                return hold
        check_seen(copy, by)
        until = check_end(copy, until, now, now)
        self._check_running(copy)
        holdid = yield self.master.db.lock_hand.add_hold(
            **self._columns(copy),
            person=by.who,
            reason=reason,
            mode=taking.mode,
            units=taking.count,
            asked_at=now,
            held_since=None,
            until=until,
            told='',
        )
        self._check_running(copy)
        self.tell(
            copy,
            'hold',
            f'{by.who} wants {taking.words} until {time_of_day(until)}',
            who=by.who,
            reason=reason,
        )
        return self._enter(holdid, copy, by.who, reason, taking, now, until)

    def _check_running(self, copy: BaseLock) -> None:
        if not self.running or getattr(self.parent, 'shuttingDown', False):
            raise Refused(f'{copy}: the master shuts down, and nothing is taken by hand now')

    def _enter(
        self,
        holdid: int,
        copy: BaseLock,
        person: str,
        reason: str,
        taking: Taking,
        asked_at: float,
        until: float,
        told: str = '',
    ) -> Hold:
        hold = self.holds[holdid] = Hold(
            holdid,
            copy,
            person,
            reason,
            taking,
            asked_at,
            until,
            priority=self.master.config.holdPriority,
            now=self.master.reactor.seconds,
            begins=self._begins,
            fails=self._fails,
        )
        hold.told = told
        hold.enter()
        self._set_clock(hold)
        copy.announce(CHANGED)
        return hold

    def _begins(self, hold: Hold) -> None:
        self._set_clock(hold)
        write = self.master.db.lock_hand.change_hold(hold.holdid, held_since=self._now)
        write.addErrback(log.err, f'{hold.copy}: it cannot be written that {hold.person} holds it')
        if not hold.told:
            text = f'{hold.person} holds {hold.taking.words} until {time_of_day(hold.until)}'
            self._tell_hold(hold, 'held', text)

    def _fails(self, hold: Hold, why: str) -> None:
        self._end_later(hold, 'ended', f'{hold.person} cannot hold it any more: {why}')

    def extend(self, copy: BaseLock, by: By, holdid: Any, until: Any) -> defer.Deferred[Hold]:
        """Give a hold another end.

        :param until: in seconds of the clock.
        """
        return self._acting.run(self._extend, copy, by, holdid, until)

    @defer.inlineCallbacks
    def _extend(self, copy: BaseLock, by: By, holdid: Any, until: Any) -> Any:
        hold = self._own(copy, by, holdid)
        if until == hold.until:
            return hold
        check_seen(copy, by)
        since = hold.lock_log.holds_since
        until = check_end(copy, until, self._now if since is None else since, self._now)
        yield self.master.db.lock_hand.change_hold(hold.holdid, until=until, told='')
        hold.until, hold.told = until, ''
        self._set_clock(hold)
        copy.announce(CHANGED)
        text = f'{hold.person} holds it until {time_of_day(until)} now'
        self._tell_hold(hold, 'extend', text, by)
        return hold

    def hand_over(self, copy: BaseLock, by: By, holdid: Any, person: Any) -> defer.Deferred[Hold]:
        """Give a hold to another person, who must be known."""
        return self._acting.run(self._hand_over, copy, by, holdid, person)

    @defer.inlineCallbacks
    def _hand_over(self, copy: BaseLock, by: By, holdid: Any, person: Any) -> Any:
        person = check_text(copy, 'the name of the person', person)
        if self.holds.get(holdid) in copy.by_hand and self.holds[holdid].person == person:
            return self.holds[holdid]
        hold = self._own(copy, by, holdid)
        check_seen(copy, by)
        if not (yield self._is_known(person)):
            raise Refused(f'{copy}: nobody called {person!r} is known, who could have it')
        yield self.master.db.lock_hand.change_hold(hold.holdid, person=person)
        hold.person = person
        copy.announce(CHANGED)
        self._tell_hold(hold, 'handover', f'{by.who} has handed it over to {person}', by)
        return hold

    @defer.inlineCallbacks
    def _is_known(self, person: str) -> Any:
        auth = self.master.config.www.get('auth')
        checkers = getattr(auth, 'checkers', ())
        if any(person in known_names(checker) for checker in checkers):
            return True
        for user in (yield self.master.db.users.getUsers()):
            if person == user.identifier:
                return True
        if (yield self.master.db.users.getUserByUsername(person)) is not None:
            return True
        return (yield self.master.db.lock_hand.is_known(person))

    def release(self, copy: BaseLock, by: By, holdid: Any) -> defer.Deferred[None]:
        """End a hold, or a person's wait for one."""
        return self._acting.run(self._release, copy, by, holdid)

    @defer.inlineCallbacks
    def _release(self, copy: BaseLock, by: By, holdid: Any) -> Any:
        if holdid in self._ended:
            return
        hold = self._own(copy, by, holdid)
        check_seen(copy, by)
        verb = 'has given it back' if hold.is_held else 'does not wait for it any more'
        yield self._end(hold, 'release', f'{by.who} {verb}', by)

    def _own(self, copy: BaseLock, by: By, holdid: Any) -> Hold:
        hold = self.holds.get(holdid) if isinstance(holdid, int) else None
        if hold is None or hold.copy is not copy:
            raise Refused(f'{copy}: there is no hold {holdid!r} of it now')
        if hold.person != by.who:
            raise Refused(f'{copy}: hold {holdid} is that of {hold.person}; kick it to end it')
        return hold

    @defer.inlineCallbacks
    def _end(self, hold: Hold, what: str, text: str, by: By | None = None) -> Any:
        # the row goes first: if that fails, nothing has changed
        yield self.master.db.lock_hand.delete_hold(hold.holdid)
        self._stop_clock(hold)
        if self.holds.pop(hold.holdid, None) is None:
            return
        self._ended.append(hold.holdid)
        hold.end()
        hold.copy.announce(CHANGED)
        self._tell_hold(hold, what, text, by)

    @defer.inlineCallbacks
    def _end_later(self, hold: Hold, what: str, text: str) -> Any:
        try:
            yield self._acting.run(self._end, hold, what, text)
        except Exception as e:
            log.err(e, f'{hold.copy}: the hold of {hold.person} cannot be ended; it is tried again')
            self._call_at(hold, self._now + self.again, lambda: self._end_later(hold, what, text))

    # the ends of holds

    def _set_clock(self, hold: Hold) -> None:
        is_to_be_warned = hold.is_held and not hold.told
        if not hold.is_overdue:
            at = hold.until - self.soon if is_to_be_warned else hold.until
            self._call_at(hold, at, lambda: self._is_due(hold))

    def _call_at(self, hold: Hold, at: float, call: Callable[[], Any]) -> None:
        self._stop_clock(hold)
        if self.running and hold.holdid in self.holds:
            # a day at most, for the clock may be set meanwhile
            wait = min(max(at - self._now, 0), 86400)
            self._calls[hold] = self.master.reactor.callLater(wait, self._called, hold, call)

    def _called(self, hold: Hold, call: Callable[[], Any]) -> None:
        del self._calls[hold]
        call()

    def _stop_clock(self, hold: Hold) -> None:
        call = self._calls.pop(hold, None)
        if call is not None:
            call.cancel()

    def _is_due(self, hold: Hold) -> None:
        now = self._now
        end = time_of_day(hold.until)
        if now < hold.until - self.soon or (now < hold.until and (hold.told or not hold.is_held)):
            self._set_clock(hold)
        elif now < hold.until:
            self._say_of_end(hold, 'ends_soon', f'{hold.person} holds it until {end}')
        elif not hold.is_held:
            text = f'{hold.person} waits for it no more: the end of the hold, {end}, has come'
            self._end_later(hold, 'ended', text)
        elif getattr(definition_of(hold.copy), 'whenOverdue', 'keep') == 'release':
            text = f'the hold of {hold.person} has ended, as was said, {end}'
            self._end_later(hold, 'ended', text)
        else:
            text = f'{hold.person} holds it still; the hold was to end {end}'
            self._say_of_end(hold, 'overdue', text)
            hold.copy.announce(CHANGED)

    def _say_of_end(self, hold: Hold, what: str, text: str) -> None:
        hold.told = what
        self._set_clock(hold)
        write = self.master.db.lock_hand.change_hold(hold.holdid, told=what)
        write.addErrback(log.err, f'{hold.copy}: it cannot be written that {hold.person} was told')
        self._tell_hold(hold, what, text)

    # the order

    def first(self, copy: BaseLock, by: By, waiterid: Any) -> defer.Deferred[None]:
        """Move who waits for a copy to the front.

        :param waiterid: as in the rows of those who wait.
        """
        return self._acting.run(self._first, copy, by, waiterid)

    def _first(self, copy: BaseLock, by: By, waiterid: Any) -> None:
        reason = check_text(copy, 'the reason', by.reason)
        claim = self._waiter(copy, waiterid)
        others = [other for other in copy.line() if other.thing is not copy.quarantine]
        if claim.thing.lock_moved_at is not None and others[0] is claim:
            return
        self._move(copy, by, claim, self._now)
        name = claim.thing.short_name()
        self.tell(copy, 'first', f'{by.who} lets {name} go first', who=by.who, reason=reason)

    def back(self, copy: BaseLock, by: By, waiterid: Any) -> defer.Deferred[None]:
        """Move who was moved to the front back to its own place."""
        return self._acting.run(self._back, copy, by, waiterid)

    def _back(self, copy: BaseLock, by: By, waiterid: Any) -> None:
        claim = self._waiter(copy, waiterid)
        if claim.thing.lock_moved_at is None:
            return
        self._move(copy, by, claim, None)
        text = f'{by.who} gives {claim.thing.short_name()} its own place again'
        self.tell(copy, 'back', text, who=by.who, reason=by.reason)

    def _move(self, copy: BaseLock, by: By, claim: LockClaim, moved_at: float | None) -> None:
        check_seen(copy, by)
        why = move(self.parent, claim, moved_at)
        if why is not None:
            raise Refused(f'{copy}: {claim.thing.short_name()} stays where it is: {why}')

    def _waiter(self, copy: BaseLock, waiterid: Any) -> LockClaim:
        for claim in copy.unsorted_line():
            if claim.thing is not copy.quarantine and facts_of(claim.thing).name == waiterid:
                return claim
        raise Refused(f'{copy}: {waiterid!r} does not wait for it now')

    def kick(self, copy: BaseLock, by: By, holderid: Any) -> defer.Deferred[None]:
        """Stop the build that holds a copy, or end the hold of a person.

        Steps that always run still do, with the lock held.

        :param holderid: as in the rows of those who hold it.
        :returns: Deferred that fires when the build has been told.
        """
        return self._acting.run(self._kick, copy, by, holderid)

    @defer.inlineCallbacks
    def _kick(self, copy: BaseLock, by: By, holderid: Any) -> Any:
        reason = check_text(copy, 'the reason', by.reason)
        things = [thing_of(holding.owner) for holding in copy.holdings()]
        thing = next((t for t in things if facts_of(t).name == holderid), None)
        facts = facts_of(thing)
        if thing is None:
            raise Refused(f'{copy}: {holderid!r} does not hold it now')
        if facts.kind == 'quarantine':
            raise Refused(f'{copy}: it is in quarantine, and nobody holds it; restore it')
        running = yield RunningBuilds.getService(self.parent)
        build = next((b for b in running.builds if b.buildid == facts.buildid), None)
        if build is not None and build.stopped:
            return
        check_seen(copy, by)
        text = f'{by.who} has ended what {thing.short_name()} holds'
        if facts.kind == 'person':
            yield self._end(thing, 'kick', text, by)
            return
        if build is None or facts.buildid is None:
            raise Refused(f'{copy}: {thing.short_name()} has no build that could be stopped')
        self.tell(copy, 'kick', text, who=by.who, reason=reason)
        stopped = defer.maybeDeferred(build.stopBuild, f'{by.who}: {reason}')
        stopped.addErrback(log.err, f'{copy}: while stopping {thing.short_name()}')

    # quarantine

    def quarantine(self, copy: BaseLock, by: By) -> defer.Deferred[None]:
        """Take a copy out of use, until ``restore_copy`` or a repair."""
        return self._acting.run(self._quarantine, copy, by)

    @defer.inlineCallbacks
    def _quarantine(self, copy: BaseLock, by: By) -> Any:
        reason = check_text(copy, 'the reason', by.reason)
        known = copy.quarantine
        if known is not None and (known.who, known.reason) == (by.who, reason):
            return
        check_seen(copy, by)
        if known is not None:
            raise Refused(f'{copy}: it is in quarantine already, by {known.who} ({known.reason})')
        self._check_running(copy)
        now = self._now
        yield self._write_quarantine(copy, by.who, reason, now)
        if copy.quarantine is None:
            self._begin_quarantine(copy, by.who, reason, now)
            self._tell_quarantine(copy)

    def _take_out_of_use(self, copy: BaseLock, reason: str) -> None:
        # at once, before anybody else has the copy
        now = self._now
        self._begin_quarantine(copy, CONFIGURATION, reason, now)
        self._tell_quarantine(copy)
        write = self._acting.run(self._write_quarantine, copy, CONFIGURATION, reason, now)
        write.addErrback(log.err, f'{copy}: its quarantine cannot be written, and ends at a restart')

    def _write_quarantine(self, copy: BaseLock, who: str, reason: str, since: float) -> Any:
        columns = {**self._columns(copy), 'who': who, 'reason': reason, 'since': since}
        return self.master.db.lock_hand.add_quarantine(**columns)

    def _begin_quarantine(self, copy: BaseLock, who: str, reason: str, since: float) -> None:
        quarantine = Quarantine(copy, who, reason, since, self.master.reactor.seconds)
        self._quarantines.append(quarantine)
        quarantine.begin()
        copy.announce(CHANGED)

    def _tell_quarantine(self, copy: BaseLock) -> None:
        who, reason = copy.quarantine.who, copy.quarantine.reason
        self.tell(copy, 'quarantined', f'{who} has taken it out of use', who=who, reason=reason)

    def restore_copy(self, copy: BaseLock, by: By) -> defer.Deferred[None]:
        """Put a copy to use again."""
        return self._acting.run(self._restore_copy, copy, by)

    @defer.inlineCallbacks
    def _restore_copy(self, copy: BaseLock, by: By, is_person: bool = True) -> Any:
        if copy.quarantine is None:
            return
        reason = check_text(copy, 'the reason', by.reason)
        if is_person:
            check_seen(copy, by)
        quarantine = copy.quarantine
        yield self._delete_quarantine(name_of(copy))
        self._failures.forget(copy)
        self._quarantines.remove(quarantine)
        quarantine.end()
        copy.announce(CHANGED)
        self._wake_rooms(copy)
        text = f'{by.who} has put it to use again'
        self.tell(copy, 'restored', text, who=by.who, reason=reason)

    def _wake_rooms(self, copy: BaseLock) -> None:
        # requests may have been left for another worker, because of its steps' locks
        worker = self.master.workers.workers.get(name_of(copy).of)
        if worker is not None:
            worker.announce_room()

    def _released(self, copy: BaseLock, owner: Any) -> None:
        quarantine = copy.quarantine
        if quarantine is not None and quarantine.lets_in(owner):
            quarantine.repairing.add(facts_of(owner).buildid)
        self._failures.released(copy, owner)

    def _build_finished(self, build: dict[str, Any]) -> None:
        for quarantine in list(self._quarantines):
            if build['buildid'] in quarantine.repairing:
                quarantine.repairing.discard(build['buildid'])
                self._failures.judge(
                    quarantine.copy, build['results'], self._repaired(quarantine, build)
                )

    def _repaired(self, quarantine: Quarantine, build: dict[str, Any]) -> Callable[[Any], Any]:
        def take(failed: bool) -> Any:
            copy = quarantine.copy
            if not failed and copy.quarantine is quarantine:
                name = definition_of(copy).repairBuilder
                by = By(CONFIGURATION, f'{name} #{build["number"]} ended well')
                d = self._acting.run(self._restore_copy, copy, by, False)
                d.addErrback(log.err, f'{copy}: it was repaired, but its quarantine cannot be ended')

        return take

    def _delete_quarantine(self, name: CopyName) -> Any:
        return self.master.db.lock_hand.delete_quarantines(**self._columns_of(name))

    def _columns(self, copy: BaseLock) -> dict[str, Any]:
        return self._columns_of(name_of(copy))

    def _columns_of(self, name: CopyName) -> dict[str, Any]:
        return {
            'masterid': self.master.masterid,
            'kind': name.kind,
            'lock': name.lock,
            'copy_of': name.of,
            'codebase': name.codebase,
        }

    # what is told

    def _tell_hold(self, hold: Hold, what: str, text: str, by: By | None = None) -> None:
        who, reason = (None, hold.reason) if by is None else (by.who, by.reason or hold.reason)
        words = {'person': hold.person, 'until': hold.until}
        self.tell(hold.copy, what, text, who=who, reason=reason, **words)

    def tell(
        self,
        copy: BaseLock,
        what: str,
        text: str,
        *,
        who: str | None = None,
        reason: str = '',
        person: str | None = None,
        until: float | None = None,
    ) -> None:
        """Write down what was done with a copy or came of it, and tell those who want to know.

        :param what: which kind of thing, the last part of the event's routing key.
        :param text: a sentence, without the name of the copy and its full stop.
        :param who: who has done it; None if nobody has.
        :param person: whom it concerns: the one who holds by hand; None if it concerns nobody.
        :param until: when that hold ends, in seconds.
        """
        why = f' ({reason})' if reason else ''
        log.msg(f'{copy}: {text}{why}')
        columns = {
            'masterid': self.master.masterid,
            'copy': copy.label,
            'at': self._now,
            'action': what,
            'who': who,
            'reason': reason,
            'text': text,
            'person': person,
            'until': until,
        }
        self._telling.run(self._tell, copy.lockName, columns)

    @defer.inlineCallbacks
    def _tell(self, lock: str, columns: dict[str, Any]) -> Any:
        actionid = 0
        try:
            actionid = yield self.master.db.lock_hand.add_action(lock, **columns)
        except Exception as e:
            log.err(e, f'{columns["copy"]}: what was done with it cannot be written down')
        try:
            if self.running:
                self.master.data.updates.announce_lock_action(actionid, lock, columns)
        except Exception as e:
            log.err(e, f'{columns["copy"]}: what was done with it cannot be told')


def known_names(checker: Any) -> Iterator[str]:
    """Yield the names of those that a checker of passwords knows."""
    for name in getattr(checker, 'users', ()):
        yield name.decode('utf-8', 'replace') if isinstance(name, bytes) else name
