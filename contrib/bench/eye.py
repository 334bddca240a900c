# SPDX-License-Identifier: GPL-2.0-only
"""What it costs the master to be asked who waits, by the number of waiting owners.

Usage: python eye.py, with the Python of an environment that has the wheel installed. It takes a
minute. For each question it prints the milliseconds of CPU, the median of five.
"""

from __future__ import annotations

import json
import statistics
import time
from typing import Any

#: claims that wait for one copy, and pending requests of one builder, each of which Buildbot
#: compares with all others when it comes
WAITING, PENDING = 5000, 500


def run_lab() -> dict[str, float]:
    """Run a master with many waiting owners in this process.

    :returns: milliseconds of CPU by question.
    """
    from simulation import simulate
    from twisted.internet import defer

    from buildbot.locks import MasterLock
    from buildbot.test.util.crowd import gather

    lock = MasterLock('lab')

    @defer.inlineCallbacks
    def play(lab: Any) -> Any:
        access = lock.access('exclusive')
        yield lab.start({'b': {'steps': [], 'locks': [access]}}, 1)
        crowd = yield gather(lab.master, lock, WAITING + 1)
        copyid = crowd.path.rpartition('/')[2]
        copy = ('copies', int(copyid))
        for _ in range(PENDING):
            yield lab.request('b')
        asked = {
            'the list of locks': (('locks',), {}),
            'one copy': (copy, {}),
            'the first 50 waiters': ((*copy, 'waiters'), {'limit': 50}),
            'the waiters 4,000 to 4,050': ((*copy, 'waiters'), {'limit': 50, 'offset': 4000}),
            'all waiters': ((*copy, 'waiters'), {}),
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
        crowd.leave()
        return measured

    measured: dict[str, float] = {}
    return simulate(play)


if __name__ == '__main__':
    print(json.dumps(run_lab(), indent=1))
