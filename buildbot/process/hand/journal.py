# SPDX-License-Identifier: GPL-2.0-only
"""New: what people did with copies of locks is written down and reported."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copy import BaseLock
from buildbot.locking.plain import one_line


class Journal:
    """Writes what was done with copies of locks, and what came of it, to the log and the database,
    and produces events. It does nothing to locks, and nothing waits for it.
    """

    def __init__(self, master: Any) -> None:
        self._master = master
        self._telling = defer.DeferredLock()

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
        """Write down what was done with a copy or came of it, and produce an event.

        :param what: the kind of action, which is the last part of the event's routing key.
        :param text: a sentence, without the name of the copy and without a full stop.
        :param who: the person who has done it; None if nobody has.
        :param person: the person whose hold it concerns; None if there is none.
        :param until: when that hold ends, in seconds.
        """
        why = f' ({reason})' if reason else ''
        log.msg(f'{copy}: {one_line(text + why)}')
        columns = {
            'masterid': self._master.masterid,
            'copy': copy.label,
            'at': self._master.reactor.seconds(),
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
            actionid = yield self._master.db.lock_hand.add_action(lock, **columns)
        except Exception as e:
            log.err(e, f'{columns["copy"]}: what was done with it cannot be written down')
        try:
            self._master.data.updates.announce_lock_action(actionid, lock, columns)
        except Exception as e:
            log.err(e, f'{columns["copy"]}: what was done with it cannot be told')
