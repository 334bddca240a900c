# SPDX-License-Identifier: GPL-2.0-only
"""New: all holds by hand, kept in the database as long as they last."""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING
from typing import Any
from typing import Iterator

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copies import definition_of
from buildbot.locking.copy import CHANGED
from buildbot.locking.copy import BaseLock
from buildbot.process.hand.copyname import announce_room
from buildbot.process.hand.copyname import columns_of
from buildbot.process.hand.ends import Ends
from buildbot.process.hand.hold import Hold
from buildbot.process.hand.hold import Taking
from buildbot.process.hand.version import time_of_day
from buildbot.process.hand.wishes import By
from buildbot.process.hand.wishes import Refused
from buildbot.process.hand.wishes import check_end
from buildbot.process.hand.wishes import check_kept
from buildbot.process.hand.wishes import check_running
from buildbot.process.hand.wishes import check_seen
from buildbot.process.hand.wishes import check_text
from buildbot.process.hand.wishes import taking_of
from buildbot.process.lockfacts import facts_of

if TYPE_CHECKING:
    from buildbot.process.hand.journal import Journal


class Holds:
    """Makes, changes and ends holds by hand, one at a time. It does not decide who may.

    :param master: the master.
    :param acting: the lock under which things are done by hand.
    :param journal: writes down each thing that is done.
    """

    def __init__(self, master: Any, acting: defer.DeferredLock, journal: Journal) -> None:
        self._master = master
        self._acting = acting
        self._journal = journal
        self._holds: dict[int, Hold] = {}
        self._ended: deque[int] = deque(maxlen=1000)  # ids of the last holds that have ended
        self._ends = Ends(master.reactor, self._say_of_end, self._has_come_to_its_end)

    @property
    def _now(self) -> float:
        return self._master.reactor.seconds()

    def person_of(self, holdid: Any, holderid: Any) -> str | None:
        """Return the person of a hold, found by one of these ids; None if there is none.

        :param holderid: the id in the rows of holders.
        """
        for hold in self._holds.values():
            is_meant = type(holdid) is int and hold.holdid == holdid
            if is_meant or facts_of(hold).name == holderid:
                return hold.person
        return None

    @defer.inlineCallbacks
    def hold(self, copy: BaseLock, by: By, until: Any, mode: Any, units: Any) -> Any:
        """Let a person hold a copy until a time, or stand in line for it.

        :param units: for ``counting``; None stands for 1.
        """
        now = self._now
        reason = check_text(copy, 'the reason', by.reason)
        taking = taking_of(copy, mode, units)
        for hold in copy.by_hand:
            if (hold.person, hold.reason, hold.until, hold.taking) == (
                *(by.who, reason, until, taking),
            ):
                return hold
        check_seen(copy, by)
        until = check_end(copy, until, now, now)
        check_running(copy, self._master)
        check_kept(copy, 'its name', copy.label, self._master)
        check_kept(copy, 'the name of the person', by.who, self._master)
        holdid = yield self._master.db.lock_hand.add_hold(
            **columns_of(copy, self._master),
            person=by.who,
            reason=reason,
            mode=taking.mode,
            units=taking.count,
            asked_at=now,
            held_since=None,
            until=until,
            told='',
        )
        try:
            check_running(copy, self._master)
        except Refused:
            yield self._master.db.lock_hand.delete_hold(holdid)
            raise
        text = f'{by.who} wants {taking.words} until {time_of_day(until)}'
        words = {'person': by.who, 'until': until}
        self._journal.tell(copy, 'hold', text, who=by.who, reason=reason, **words)
        return self._enter(self._make(holdid, copy, by.who, reason, taking, now, until))

    def restore(self, row: Any, copy: BaseLock) -> None:
        """Take, or wait for, what a person held or waited for when the master stopped."""
        taking = Taking(row.mode, row.units)
        is_part = row.mode == 'counting' and row.held_since is not None
        had = json.loads(row.resources) if is_part and row.resources else []
        if definition_of(copy) is None and row.mode == 'counting':
            # until it is known how many there are; who only waited is to have no unit more for that
            used = 0 if row.held_since is None else copy.used
            copy.setMaxCount(max(copy.maxCount, used + row.units))
        if is_part and not had and row.units > copy.maxCount:
            taking = Taking()  # whatever the lock is now, nobody else is to have what was held
        hold = self._make(row.id, copy, row.person, row.reason, taking, row.asked_at, row.until)
        hold.held_since = row.held_since
        if had:
            hold.have_again(had)
        # else the clock has been set back, or it was told while the hold was being extended
        if self._now >= row.until - (0 if row.told == 'overdue' else self._ends.soon):
            hold.told = row.told
        self._enter(hold)
        if row.held_since is not None and not hold.is_held:  # its lock has fewer units now
            hold.held_since, hold.told = None, ''
            self._write_later(hold, 'in line again', held_since=None, told='')
            self._ends.watch(hold)  # it may have been overdue
            if hold.is_waiting:
                text = f'{hold.person} waits for it again'
                why = 'there are not enough units for all who held it'
                self._tell(hold, 'aside', f'{text}: {why}')

    def end_overdue(self) -> None:
        """End the overdue holds of locks that by now are to be released then."""
        for hold in list(self._holds.values()):
            if hold.is_overdue and releases_overdue(hold.copy):
                self._has_come_to_its_end(hold)

    def _make(self, *words: Any) -> Hold:
        # those of Hold that are not the same for all
        return Hold(
            *words,
            priority=self._master.config.holdPriority,
            now=self._master.reactor.seconds,
            begins=self._begins,
            fails=self._fails,
            yields=self._yields,
        )

    def _enter(self, hold: Hold) -> Hold:
        self._holds[hold.holdid] = hold
        self._ends.watch(hold)
        hold.enter()
        hold.copy.announce(CHANGED)
        return hold

    def _begins(self, hold: Hold) -> None:
        self._ends.watch(hold)
        if hold.held_since is None:  # else it was held before a restart
            hold.held_since = self._now
            names = hold.copy.names_held_by(hold)
            columns = {'resources': json.dumps(names)} if names else {}
            self._write_later(hold, 'held', held_since=hold.held_since, **columns)
            text = f'{hold.person} holds {hold.taking.words} until {time_of_day(hold.until)}'
            self._tell(hold, 'held', text)

    def _write_later(self, hold: Hold, what: str, **columns: Any) -> None:
        write = self._master.db.lock_hand.change_hold(hold.holdid, **columns)
        name = f'hold {hold.holdid} of {hold.person}'
        write.addErrback(log.err, f'{hold.copy}: cannot write that {name} is {what}')

    def _yields(self, hold: Hold) -> None:
        why = 'of whom some would wait for others forever'
        text = f'{hold.person} stands aside for those in line, {why}, until it is released'
        self._tell(hold, 'aside', text)

    def _fails(self, hold: Hold, why: str) -> None:
        self._end_later(hold, f'{hold.person} cannot hold it any more: {why}')

    @defer.inlineCallbacks
    def extend(self, copy: BaseLock, by: By, holdid: Any, until: Any) -> Any:
        """Change the end of a hold of the person."""
        hold = self._own(copy, by, holdid)
        if until == hold.until:
            return hold
        if hold.why_never is not None:
            raise Refused(f'{copy}: {hold.person} cannot hold it any more: {hold.why_never}')
        check_seen(copy, by)
        since = self._now if hold.held_since is None else hold.held_since
        until = check_end(copy, until, since, self._now)
        yield self._master.db.lock_hand.change_hold(hold.holdid, until=until, told='')
        hold.until, hold.told = until, ''
        self._ends.watch(hold)
        copy.announce(CHANGED)
        self._tell(hold, 'extend', f'{hold.person} holds it until {time_of_day(until)} now', by)
        return hold

    @defer.inlineCallbacks
    def hand_over(self, copy: BaseLock, by: By, holdid: Any, person: Any) -> Any:
        """Give a hold of the person to another person, who must be known."""
        person = check_text(copy, 'the name of the person', person)
        known = self._find(copy, holdid)
        if known.person == person:
            return known
        hold = self._own(copy, by, holdid)
        check_seen(copy, by)
        check_kept(copy, 'the name of the person', person, self._master)
        if not (yield self._is_known(person)):
            raise Refused(f'{copy}: there is no known user {person!r} to hand it over to')
        yield self._master.db.lock_hand.change_hold(hold.holdid, person=person)
        hold.person = person
        copy.announce(CHANGED)
        self._tell(hold, 'handover', f'{by.who} has handed it over to {person}', by)
        return hold

    @defer.inlineCallbacks
    def _is_known(self, person: str) -> Any:
        auth = self._master.config.www.get('auth')
        for checker in getattr(auth, 'checkers', ()):
            if person in known_names(checker):
                return True
        users = self._master.db.users
        for user in (yield users.getUsers()):
            if person == user.identifier:
                return True
        if (yield users.getUserByUsername(person)) is not None:
            return True
        return (yield self._master.db.lock_hand.is_known(person))

    @defer.inlineCallbacks
    def release(self, copy: BaseLock, by: By, holdid: Any) -> Any:
        """End a hold of the person, or the person's wait for one."""
        if type(holdid) is int and holdid in self._ended:
            return
        hold = self._own(copy, by, holdid)
        check_seen(copy, by)
        verb = 'has given it back' if hold.is_held else 'does not wait for it any more'
        yield self.end(hold, 'release', f'{by.who} {verb}', by)

    def _own(self, copy: BaseLock, by: By, holdid: Any) -> Hold:
        hold = self._find(copy, holdid)
        if hold.person != by.who:
            raise Refused(f'{copy}: hold {holdid} belongs to {hold.person}; kick it to end it')
        return hold

    def _find(self, copy: BaseLock, holdid: Any) -> Hold:
        hold = self._holds.get(holdid) if type(holdid) is int else None
        if hold is None or hold.copy is not copy:
            raise Refused(f'{copy}: there is no hold {holdid!r} of it now')
        return hold

    @defer.inlineCallbacks
    def end(self, hold: Hold, what: str, text: str, by: By | None = None) -> Any:
        """End a hold, or its wait.

        :param what: the kind of end, for the journal.
        :param text: a sentence for the journal.
        """
        # the row is deleted first: if that fails, nothing has changed
        yield self._master.db.lock_hand.delete_hold(hold.holdid)
        self._ends.forget(hold)
        if self._holds.pop(hold.holdid, None) is None:
            return
        self._ended.append(hold.holdid)
        hold.end()
        hold.copy.announce(CHANGED)
        announce_room(hold.copy, self._master)
        self._tell(hold, what, text, by)

    @defer.inlineCallbacks
    def _end_later(self, hold: Hold, text: str, at: float | None = None) -> Any:
        # ``at`` is the end that has come; None if it is to end, whatever its end is
        try:
            yield self._acting.run(self._end_unless_extended, hold, text, at)
        except Exception as e:
            log.err(e, f'{hold.copy}: the hold of {hold.person} cannot be ended; it is tried again')
            if hold.holdid in self._holds:
                self._ends.try_again(hold, lambda: self._end_later(hold, text, at))

    def _end_unless_extended(self, hold: Hold, text: str, at: float | None) -> Any:
        # an extension may have been on its way to the database when the end came
        return self.end(hold, 'ended', text) if at in (None, hold.until) else None

    def _say_of_end(self, hold: Hold) -> None:
        # its end is near
        hold.told = 'ends_soon'
        self._ends.watch(hold)
        self._write_later(hold, 'told of its end', told=hold.told)
        self._tell(hold, 'ends_soon', f'{hold.person} holds it until {time_of_day(hold.until)}')

    def _has_come_to_its_end(self, hold: Hold) -> None:
        end = time_of_day(hold.until)
        if not hold.is_held:
            text = f'{hold.person} no longer waits for it: the end of the hold, {end}, has come'
            self._end_later(hold, text, at=hold.until)
        elif releases_overdue(hold.copy):
            text = f'the hold of {hold.person} has ended as planned, {end}'
            self._end_later(hold, text, at=hold.until)
        else:
            hold.told = 'overdue'
            self._write_later(hold, 'overdue', told=hold.told)
            hold.copy.announce(CHANGED)
            self._tell(hold, 'overdue', f'{hold.person} still holds it; the hold was to end {end}')

    def _tell(self, hold: Hold, what: str, text: str, by: By | None = None) -> None:
        who, reason = (None, hold.reason) if by is None else (by.who, by.reason or hold.reason)
        words: dict[str, Any] = {'person': hold.person, 'until': hold.until}
        self._journal.tell(hold.copy, what, text, who=who, reason=reason, **words)

    def stop(self) -> None:
        """Stop calling back for holds; they are restored when the master starts."""
        self._ends.stop()
        for hold in self._holds.values():
            hold.stop()


def releases_overdue(copy: BaseLock) -> bool:
    """Tell whether holds of a copy end as planned, and do not become overdue."""
    return getattr(definition_of(copy), 'whenOverdue', 'keep') == 'release'


def known_names(checker: Any) -> Iterator[str]:
    """Yield the names of the people that a password checker knows."""
    for name in getattr(checker, 'users', ()):
        yield name.decode('utf-8', 'replace') if isinstance(name, bytes) else name
