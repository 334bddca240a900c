# SPDX-License-Identifier: GPL-2.0-only
"""What it costs the master to be asked who waits, by the number of those who wait.

Usage: python eye.py, with the Python of an environment that has the wheel installed. It takes a
minute. For each question the milliseconds of CPU are printed, the median of five.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

#: claims that wait for one copy, and pending requests of one builder, each of which the release
#: compares with all others when it comes
WAITING, PENDING = 5000, 500

#: builders of those who wait
BUILDERS = 20


def run_lab() -> dict[str, float]:
    """Run a master with many who wait, in this process.

    :returns: milliseconds of CPU by question.
    """
    from simulation import simulate
    from twisted.internet import defer

    from buildbot.locking.copy import LockClaim
    from buildbot.locking.owner import LockOwner
    from buildbot.locks import MasterLock
    from buildbot.process.eye.history import History
    from buildbot.process.lockfacts import Facts

    lock = MasterLock('lab')

    class Waiting(LockOwner):
        """Who waits, of whose builder it is known for how long it holds the lock.

        :param number: different for each of them.
        """

        def __init__(self, number: int) -> None:
            self.number = number

        def lock_facts(self) -> Facts:
            return Facts('request', f'b{self.number % BUILDERS}', self.number)

    @defer.inlineCallbacks
    def play(lab: Any) -> Any:
        access = lock.access('exclusive')
        yield lab.start({'b': {'steps': [], 'locks': [access]}}, 1)
        real = yield lab.master.botmaster.getLockByID(lock, 0)
        owners = [Waiting(number) for number in range(WAITING + 1)]
        claims = [LockClaim(owner, ((real, access),)) for owner in owners]
        claims[0].take_at_once()
        for claim in claims[1:]:
            claim.wait()
        history = yield History.getService(lab.master.botmaster)
        holds = yield history.known_holds()
        for number in range(20 * BUILDERS):
            holds.add('lab', f'b{number % BUILDERS}', None, 60 + number)
        [row] = yield lab.master.data.get(('locks',))
        lockid = row['lockid']
        [copy] = yield lab.master.data.get(('locks', lockid, 'copies'))
        waiters = ('copies', copy['copyid'], 'waiters')
        for _ in range(PENDING):
            yield lab.request('b')
        asked = {
            'the list of locks': (('locks',), {}),
            'one copy': (('copies', copy['copyid']), {}),
            'the first 50 waiters': (waiters, {'limit': 50}),
            'the waiters 4,000 to 4,050': (waiters, {'limit': 50, 'offset': 4000}),
            'all waiters': (waiters, {}),
            'reasons of one request': (('buildrequests', PENDING // 2, 'reasons'), {}),
            'reasons of a builder': (('builders', lab.ids['b'], 'reasons'), {}),
        }
        for what, (path, words) in asked.items():
            took = []
            for _ in range(5):
                began = time.process_time()
                yield lab.master.data.get(path, **words)
                took.append(time.process_time() - began)
            measured[what] = round(statistics.median(took) * 1000, 1)
        for claim in reversed(claims):
            claim.end()
        return measured

    measured: dict[str, float] = {}
    return simulate(play)


if __name__ == '__main__':
    print(json.dumps(run_lab(), indent=1))
