# SPDX-License-Identifier: GPL-2.0-only
"""New: waits for locks that last long enough for a reporter to be told."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING
from typing import Any

from twisted.internet import defer
from twisted.python import log

from buildbot.locking.copies import LocksInUse
from buildbot.process.limits import who_waited_long
from buildbot.process.lockfacts import facts_of
from buildbot.reporters.generators.lock import LockGenerator
from buildbot.reporters.generators.lock import key_of_long_wait
from buildbot.util import epoch2datetime
from buildbot.util.eventual import eventually
from buildbot.util.service import SharedService

if TYPE_CHECKING:
    from twisted.internet.interfaces import IDelayedCall

    from buildbot.locking.copy import BaseLock
    from buildbot.locking.owner import LockOwner
    from buildbot.process.locklog import LockLog


class LongWaits(SharedService):
    """Produces an event for each wait that lasts longer than a ``LockGenerator`` asks for.

    It ends no wait. There is one delayed call for each such time, however many owners wait: the
    time is the same for all, so the first wait that began is the first to be reported.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lines: dict[float, WaitLine] = {}
        self._in_use: LocksInUse | None = None

    @defer.inlineCallbacks
    def startService(self) -> Any:
        yield super().startService()
        self._in_use = yield LocksInUse.getService(self.parent)

    def stopService(self) -> Any:
        self._take({})
        return super().stopService()

    def use_config(self, new_config: Any) -> None:
        """Report the waits that the reporters in the configuration ask for.

        Waits that have already begun are reported only for times that were asked for before.
        """
        found: dict[float, WaitLine] = {}
        for service in new_config.services.values():
            for value in (*service._config_args, *service._config_kwargs.values()):
                for generator in value if isinstance(value, list) else ():
                    if isinstance(generator, LockGenerator) and generator.wait_over is not None:
                        seconds = generator.wait_over
                        found[seconds] = self._lines.get(seconds) or WaitLine(self.master, seconds)
        self._take(found)

    def _take(self, lines: dict[float, WaitLine]) -> None:
        for seconds, line in self._lines.items():
            if seconds not in lines:
                line.stop()
        self._lines = lines
        if self._in_use is not None:
            self._in_use.long_waits = self if lines else None

    def begin(self, wait: LockLog, owner: LockOwner) -> None:
        """Note that an owner waits in line, for the first time or again.

        :param wait: the owner's log.
        """
        for line in self._lines.values():
            line.begin(wait, owner)

    def end(self, wait: LockLog) -> None:
        """Note that a wait has ended, in whatever way."""
        for line in self._lines.values():
            line.end(wait)


class WaitLine:
    """The waits, in the order in which they began, until each has lasted for a given time.

    It is not the queue of a copy.

    :param seconds: the given time.
    """

    def __init__(self, master: Any, seconds: float) -> None:
        self._master = master
        self._seconds = seconds
        # a plain dict is slow to find its first key after earlier ones have been removed
        self._early: OrderedDict[LockLog, LockOwner] = OrderedDict()
        # the waits that have lasted longer, and whether each was reported: a request that is not in
        # line just then, because no worker is idle, is reported when it comes back
        self._late: dict[LockLog, bool] = {}
        self._call: IDelayedCall | None = None

    def stop(self) -> None:
        """Stop reporting waits."""
        self._early.clear()
        self._late.clear()
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def begin(self, wait: LockLog, owner: LockOwner) -> None:
        if wait in self._late:
            eventually(self._tell_late, wait, owner)  # then the claim is in line
        else:
            self._early[wait] = owner
            if self._call is None:
                self._wait_for_first()

    def _tell_late(self, wait: LockLog, owner: LockOwner) -> None:
        if self._late.get(wait) is False:
            self._late[wait] = self._tell(owner)

    def end(self, wait: LockLog) -> None:
        self._early.pop(wait, None)
        self._late.pop(wait, None)

    def _wait_for_first(self) -> None:
        first = next(iter(self._early), None)
        if first is not None and first.waits_since is not None:
            reactor = self._master.reactor
            at = first.waits_since + self._seconds
            self._call = reactor.callLater(max(0, at - reactor.seconds()), self._is_due)

    def _is_due(self) -> None:
        self._call = None
        now = self._master.reactor.seconds()
        while self._early:
            wait, owner = next(iter(self._early.items()))
            if wait.waits_since is not None and wait.waits_since + self._seconds > now:
                break
            del self._early[wait]
            self._late[wait] = self._tell(owner)
        self._wait_for_first()

    def _tell(self, owner: LockOwner) -> bool:
        claim = owner.waiting_claim
        copies = claim.refused() if claim is not None else []
        if copies:
            try:
                row = self._row(owner, copies[0])
                self._master.mq.produce(key_of_long_wait(self._seconds), row)
            except Exception as e:  # other waits are still reported
                log.err(e, f'while telling who waits for {copies[0]}')
        return bool(copies)

    def _row(self, owner: LockOwner, copy: BaseLock) -> dict[str, Any]:
        # the same fields as the rows of what people do
        return {
            'actionid': 0,
            'lock': copy.lockName,
            'copy': copy.label,
            'at': epoch2datetime(self._master.reactor.seconds()),
            'action': 'long_wait',
            'who': None,
            'reason': '',
            'text': who_waited_long(owner, copy, self._seconds),
            'person': facts_of(owner).person,
            'until_at': None,
        }
