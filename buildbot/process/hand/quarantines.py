# SPDX-License-Identifier: GPL-2.0-only
"""New: all copies out of use, kept in the database until they are put back into use."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copies import definition_of
from buildbot.locking.copy import CHANGED
from buildbot.locking.copy import BaseLock
from buildbot.process.hand.copyname import announce_room
from buildbot.process.hand.copyname import columns_of
from buildbot.process.hand.failures import Failures
from buildbot.process.hand.quarantine import Quarantine
from buildbot.process.hand.wishes import By
from buildbot.process.hand.wishes import Refused
from buildbot.process.hand.wishes import check_kept
from buildbot.process.hand.wishes import check_running
from buildbot.process.hand.wishes import check_seen
from buildbot.process.hand.wishes import check_text
from buildbot.process.latewrite import write_at_last

if TYPE_CHECKING:
    from buildbot.process.hand.journal import Journal

#: the name of who acts when the configuration demands an action
CONFIGURATION = 'the configuration'


class Quarantines:
    """Takes copies out of use and puts them back, by hand or as the configuration says.

    It does not decide who may ask for it.

    :param master: the master.
    :param acting: the lock under which things are done by hand.
    :param journal: writes down each thing that is done.
    """

    def __init__(self, master: Any, acting: defer.DeferredLock, journal: Journal) -> None:
        self._master = master
        self._acting = acting
        self._journal = journal
        self._quarantines: list[Quarantine] = []
        self._failures = Failures(self._take_out_of_use)

    @defer.inlineCallbacks
    def quarantine(self, copy: BaseLock, by: By) -> Any:
        """Take a copy out of use until it is put back into use or repaired."""
        reason = check_text(copy, 'the reason', by.reason)
        known = copy.quarantine
        if known is not None and (known.who, known.reason) == (by.who, reason):
            return
        check_seen(copy, by)
        if known is not None:
            raise Refused(f'{copy}: it is in quarantine already, by {known.who} ({known.reason})')
        check_running(copy, self._master)
        now = self._master.reactor.seconds()
        yield self._write(copy, by.who, reason, now)
        if copy.quarantine is None:
            self._begin(copy, by.who, reason, now)
            self._tell(copy)

    def _take_out_of_use(self, copy: BaseLock, reason: str) -> None:
        # at once, before anybody else gets the copy
        now = self._master.reactor.seconds()
        self._begin(copy, CONFIGURATION, reason, now)
        self._tell(copy)
        write = self._acting.run(self._write, copy, CONFIGURATION, reason, now)
        write.addErrback(
            log.err, f'{copy}: its quarantine cannot be written, and ends at a restart'
        )

    def _write(self, copy: BaseLock, who: str, reason: str, since: float) -> Any:
        check_kept(copy, 'its name', copy.label, self._master)
        columns = columns_of(copy, self._master)
        return self._master.db.lock_hand.add_quarantine(
            **columns, who=who, reason=reason, since=since
        )

    def restore(self, row: Any, copy: BaseLock) -> None:
        """Take a copy out of use that was out of use when the master stopped, as its row says."""
        if copy.quarantine is None:
            self._begin(copy, row.who, row.reason, row.since)

    def _begin(self, copy: BaseLock, who: str, reason: str, since: float) -> None:
        quarantine = Quarantine(copy, who, reason, since, self._master.reactor.seconds)
        self._quarantines.append(quarantine)
        quarantine.begin()
        # builds that it waits for may wait for others whose place a build in line has
        self._master.botmaster.knots.doubt_all()
        copy.announce(CHANGED)

    def _tell(self, copy: BaseLock) -> None:
        who, reason = copy.quarantine.who, copy.quarantine.reason
        text = f'{who} has taken it out of use'
        self._journal.tell(copy, 'quarantined', text, who=who, reason=reason)

    @defer.inlineCallbacks
    def restore_copy(self, copy: BaseLock, by: By) -> Any:
        """Put a copy back into use."""
        quarantine = copy.quarantine
        if quarantine is None:
            return
        check_text(copy, 'the reason', by.reason)
        check_seen(copy, by)
        yield self._end(quarantine, by)

    @defer.inlineCallbacks
    def _end(self, quarantine: Quarantine, by: By) -> Any:
        if quarantine not in self._quarantines:
            return  # the row of the copy may be that of a later one
        copy = quarantine.copy
        yield self._master.db.lock_hand.delete_quarantines(**columns_of(copy, self._master))
        self._failures.forget(copy)
        self._quarantines.remove(quarantine)
        quarantine.end()
        copy.announce(CHANGED)
        announce_room(copy, self._master)
        text = f'{by.who} has put it back into use'
        self._journal.tell(copy, 'restored', text, who=by.who, reason=by.reason)

    def released(self, copy: BaseLock, owner: Any) -> None:
        """Take notice that an owner is about to release a copy."""
        if copy.quarantine is not None:
            copy.quarantine.note_repairs()
        self._failures.released(copy, owner)

    def build_finished(self, build: dict[str, Any]) -> None:
        """Take notice of the row of a build that has ended, and may have repaired a copy."""
        buildid = build['buildid']
        for quarantine in list(self._quarantines):
            quarantine.note_repairs()  # it may be about to release the copy
            if buildid in quarantine.repairing:
                quarantine.repairing.discard(buildid)
                take = self._repaired(quarantine, build['number'])
                self._failures.judge(quarantine.copy, build['results'], take)

    def _repaired(self, quarantine: Quarantine, number: int) -> Callable[[bool], Any]:
        copy = quarantine.copy
        by = By(CONFIGURATION, f'{definition_of(copy).repairBuilder} #{number} succeeded')

        def take(failed: bool) -> None:
            if not failed:
                write_at_last(
                    self._master,
                    f'that {copy} is repaired',
                    lambda: self._acting.run(self._end, quarantine, by),
                    lambda: copy.quarantine is quarantine,
                )

        return take

    def stop(self) -> None:
        """Log that the master stops; the quarantines begin again when it starts."""
        for quarantine in self._quarantines:
            quarantine.stop()
