# SPDX-License-Identifier: GPL-2.0-only
"""New: many who wait for one lock, without builds."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.locking.copy import LockClaim
from buildbot.locking.owner import LockOwner
from buildbot.process.eye.history import History
from buildbot.process.lockfacts import Facts

#: builders of those who wait
BUILDERS = 20


class Waiting(LockOwner):
    """A request that waits, of whose builder it is known for how long it holds the lock.

    :param number: different for each of them.
    """

    def __init__(self, number: int) -> None:
        self.number = number

    def lock_facts(self) -> Facts:
        return Facts('request', f'b{self.number % BUILDERS}', self.number)

    def lock_name(self) -> str:
        return f'request {self.number} of b{self.number % BUILDERS}'


class Crowd:
    """Who holds a lock, and those who wait for it.

    :ivar path: of its copy, for the data API and the page.
    """

    def __init__(self, path: str, claims: list[LockClaim]) -> None:
        self.path = path
        self._claims = claims

    def leave(self) -> None:
        for claim in reversed(self._claims):
            claim.end()


@defer.inlineCallbacks
def gather(master: Any, lock: Any, count: int) -> Any:
    """Let some claim a lock of the master, of which the first one has it.

    :param lock: as it is configured.
    :returns: Deferred of the crowd.
    """
    access = lock.access('exclusive')
    real = yield master.botmaster.getLockByID(lock, 0)
    claims = [LockClaim(Waiting(number), ((real, access),)) for number in range(count)]
    claims[0].take_at_once()
    for claim in claims[1:]:
        claim.wait()
    history = yield History.getService(master.botmaster)
    holds = yield history.known_holds()
    for number in range(20 * BUILDERS):
        holds.add(lock.name, f'b{number % BUILDERS}', None, 60 + number)
    rows = yield master.data.get(('locks',))
    [lockid] = [row['lockid'] for row in rows if row['name'] == lock.name]
    [copy] = yield master.data.get(('locks', lockid, 'copies'))
    return Crowd(f'/locks/{lockid}/copies/{copy["copyid"]}', claims)
