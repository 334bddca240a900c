# SPDX-License-Identifier: GPL-2.0-only
"""What a lock costs by the number of those who wait for it, beside the plain release.

Usage: python locks.py, with the Python of an environment in which the wheel is installed.

Both are driven through the same public interface (``waitUntilMaybeAvailable``, ``isAvailable``,
``claim``, ``release``, ``setMaxCount``) by processes of their own, which take turns; the plain
release is the installed one with the overlay switched off. Each figure is the best of ``TURNS``,
but for the last two: they take the plain release a minute, and are measured once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import deque

TURNS = 5
LINES = (1, 10, 100, 1000, 10000)
HOPS = 1000


class Requester:
    pass


class Bench:
    """A lock, a clock, and requesters in line."""

    def __init__(self, waiters: int, mode: str) -> None:
        from twisted.internet.task import Clock

        from buildbot.locks import BaseLock
        from buildbot.locks import MasterLock
        from buildbot.util import eventual

        self.clock = Clock()
        eventual._setReactor(self.clock)
        self.lock = BaseLock('l', 1)
        self.access = MasterLock('l').access(mode)
        self.holder = Requester()
        self.lock.claim(self.holder, self.access)
        self.line: deque[Requester] = deque()
        for _ in range(waiters):
            self.join()

    def join(self) -> None:
        requester = Requester()
        self.line.append(requester)
        self.lock.waitUntilMaybeAvailable(requester, self.access)

    def hop(self) -> None:
        self.lock.release(self.holder, self.access)
        self.clock.advance(0)
        self.holder = self.line.popleft()
        assert self.lock.isAvailable(self.holder, self.access)
        self.lock.claim(self.holder, self.access)


def hand_over(waiters: int) -> float:
    """Seconds for one release, the next one's claim, and a newcomer at the end of the line."""
    bench = Bench(waiters, 'exclusive')
    begin = time.perf_counter()
    for _ in range(HOPS):
        bench.hop()
        bench.join()
    return (time.perf_counter() - begin) / HOPS


def drain(waiters: int) -> float:
    """Seconds until all who wait have had the lock."""
    bench = Bench(waiters, 'exclusive')
    begin = time.perf_counter()
    for _ in range(waiters):
        bench.hop()
    return time.perf_counter() - begin


def raise_limit(waiters: int) -> float:
    """Seconds until all who wait hold the lock, after its limit was raised for all of them."""
    bench = Bench(waiters, 'counting')
    begin = time.perf_counter()
    bench.lock.setMaxCount(waiters + 1)
    bench.clock.advance(0)
    for requester in bench.line:
        assert bench.lock.isAvailable(requester, bench.access)
        bench.lock.claim(requester, bench.access)
    return time.perf_counter() - begin


def measure(turn: int) -> dict[str, float]:
    found = {f'hand-over with {n} in line': hand_over(n) for n in LINES}
    if turn == 0:
        found['draining 10000'] = drain(10000)
        found['raising the limit under 10000'] = raise_limit(10000)
    return found


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
    print(f'{"":<34}{"plain":>12}{"Interlock":>12}{"ratio":>8}')
    best: dict[str, float] = {}
    for what in plain[0]:
        theirs, best[what] = (min(t[what] for t in turns if what in t) for turns in (plain, ours))
        ratio = theirs / best[what]
        print(f'{what:<34}{theirs * 1e6:>9.1f} us{best[what] * 1e6:>9.1f} us{ratio:>7.1f}x')
    growth = (
        best[f'hand-over with {LINES[-1]} in line'] / best[f'hand-over with {LINES[0]} in line']
    )
    print(f'growth of the hand-over from {LINES[0]} to {LINES[-1]} in line: {growth:.2f}x')


if __name__ == '__main__':
    main()
