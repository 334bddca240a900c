# SPDX-License-Identifier: GPL-2.0-only
"""What a lock costs by the number of waiting claims, compared with plain Buildbot.

Usage: python locks.py, with the Python of an environment in which the wheel is installed.

Both are driven through the same public interface (``waitUntilMaybeAvailable``, ``isAvailable``,
``claim``, ``release``, ``setMaxCount``) by processes of their own, which take turns; plain Buildbot
is the installed one with the overlay switched off. Each figure is CPU time, and the median of
``TURNS``, so that other work on the machine matters little. Draining and raising the limit take
plain Buildbot a minute, and are measured only once.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections import deque

TURNS = 5
LINES = (1, 10, 100, 1000, 10000)
UNITS = (1, 100)
HOPS = LINES[-1]


class Requester:
    """Somebody who asks for the lock. It does nothing."""

    pass


class Bench:
    """A lock with as many holders as it has units, a clock, and requesters in line."""

    def __init__(self, waiters: int, mode: str, units: int = 1) -> None:
        from twisted.internet.task import Clock

        from buildbot.locks import BaseLock
        from buildbot.locks import MasterLock
        from buildbot.util import eventual

        self.clock = Clock()
        eventual._setReactor(self.clock)
        self.lock = BaseLock('l', units)
        self.access = MasterLock('l').access(mode)
        self.holders = deque(Requester() for _ in range(units))
        for holder in self.holders:
            self.lock.claim(holder, self.access)
        self.line: deque[Requester] = deque()
        for _ in range(waiters):
            self.join()

    def join(self) -> None:
        requester = Requester()
        self.line.append(requester)
        self.lock.waitUntilMaybeAvailable(requester, self.access)

    def hop(self) -> None:
        self.lock.release(self.holders.popleft(), self.access)
        self.clock.advance(0)
        holder = self.line.popleft()
        self.holders.append(holder)
        assert self.lock.isAvailable(holder, self.access)
        self.lock.claim(holder, self.access)


def hand_over(waiters: int, units: int = 1) -> float:
    """Return the seconds for one release, the next claim, and a newcomer at the end of the line.

    They are the mean until all that were in line at first have had the lock, so that what is done
    now and then, such as making room in a table, is counted in its proportion.
    """
    bench = Bench(waiters, 'exclusive' if units == 1 else 'counting', units)
    begin = time.process_time()
    for _ in range(HOPS):
        bench.hop()
        bench.join()
    return (time.process_time() - begin) / HOPS


def drain(waiters: int) -> float:
    """Return the seconds until all waiting requesters have had the lock."""
    bench = Bench(waiters, 'exclusive')
    begin = time.process_time()
    for _ in range(waiters):
        bench.hop()
    return time.process_time() - begin


def raise_limit(waiters: int) -> float:
    """Return the seconds until all waiting requesters hold the lock, once its limit allows it."""
    bench = Bench(waiters, 'counting')
    begin = time.process_time()
    bench.lock.setMaxCount(waiters + 1)
    bench.clock.advance(0)
    for requester in bench.line:
        assert bench.lock.isAvailable(requester, bench.access)
        bench.lock.claim(requester, bench.access)
    return time.process_time() - begin


def measure(turn: int) -> dict[str, float]:
    hand_over(1)  # so that the first figure does not include Python's warm-up
    found = {told(n, units): hand_over(n, units) for units in UNITS for n in LINES}
    if turn == 0:
        found['draining 10000'] = drain(10000)
        found['raising the limit under 10000'] = raise_limit(10000)
    return found


def told(waiters: int, units: int) -> str:
    of_units = '' if units == 1 else f' for {units} units'
    return f'hand-over with {waiters} in line{of_units}'


def run(turn: int, **environment: str) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, str(turn)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


def main() -> None:
    if len(sys.argv) > 1:
        print(json.dumps(measure(int(sys.argv[1]))))
        return
    plain: list[dict[str, float]] = []
    ours: list[dict[str, float]] = []
    for turn in range(TURNS):
        print(f'turn {turn + 1} of {TURNS}{"" if turn else " (two minutes)"}', file=sys.stderr)
        plain.append(run(turn, BUILDBOT_INTERLOCK='off'))
        ours.append(run(turn))
    print(f'{"":<42}{"plain":>13}{"Interlock":>13}{"ratio":>8}')
    found: dict[str, float] = {}
    for what in plain[0]:
        theirs, found[what] = (
            statistics.median(t[what] for t in turns if what in t) for turns in (plain, ours)
        )
        ratio = found[what] / theirs
        print(f'{what:<42}{theirs * 1e6:>10.1f} us{found[what] * 1e6:>10.1f} us{ratio:>8.3f}')
    for units in UNITS:
        growth = found[told(LINES[-1], units)] / found[told(LINES[0], units)]
        print(f'{told(LINES[-1], units)}: {growth:.2f} times that with {LINES[0]}')


if __name__ == '__main__':
    main()
