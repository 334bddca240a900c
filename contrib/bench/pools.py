# SPDX-License-Identifier: GPL-2.0-only
"""What a resource pool costs by the number of waiting claims.

Usage: python pools.py [--once], with the Python of an environment in which the wheel is installed.

The pool has 200 resources with some of twenty labels each, and is wanted with fifty different
expressions. In one round a holder gives back what it has, the next in line are granted what they
want, and a newcomer waits. Each figure is CPU time in microseconds, and the median of ``TURNS``.
``--once`` does the rounds of 1,000 waiters once, for ``perf stat -e instructions:u``.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from typing import Any

TURNS = 5
LINES = (0, 10, 100, 1000, 10000)
RESOURCES = 200
EXPRESSIONS = 50
ROUNDS = 500


class Bench:
    """A pool with nothing left, and claims in line; the same for each seed."""

    def __init__(self, waiters: int, seed: int = 1) -> None:
        from buildbot.locking.named import NamedLock
        from buildbot.locking.named import set_resources
        from buildbot.locking.resource import Resource

        self.random = random.Random(seed)
        pick = self.random.sample
        labels = [f'l{i}' for i in range(16)] + [f'hw-{i}' for i in range(4)]
        self.lock = NamedLock()
        set_resources(
            self.lock,
            [
                Resource(f'r{i}', [*pick(labels[:16], 6), pick(labels, 1)[0]])
                for i in range(RESOURCES)
            ],
        )
        self.wishes: list[Any] = []
        while len(self.wishes) < EXPRESSIONS:
            one, other, third = pick(labels[:16], 3)
            text = pick([f'{one} & {other}', f'{one} | {other}', f'{one} & !{third}'], 1)[0]
            same = 'hw' if self.random.random() < 0.1 else None
            self.wishes.append((1 + (self.random.random() < 0.2), text, same))
        self.number = 0
        self.holding: dict[Any, None] = {}
        self.line = 0
        self.worst = 0.0
        while self.line < max(waiters, 1):
            self.join()

    def join(self) -> None:
        from buildbot.locking.claim import Claim
        from buildbot.locking.resource import Part

        bench = self

        class Told(Claim):
            """A claim that tells the bench when it is granted."""

            def granted(self) -> None:
                bench.holding[self] = None
                bench.line -= 1

        self.number += 1
        want = self.lock.want([Part(*self.random.choice(self.wishes))], None)
        claim = Told(self.number, [want])
        if claim.enter():
            self.holding[claim] = None
        else:
            self.line += 1

    def round(self, waiters: int) -> None:
        holder = next(iter(self.holding))
        del self.holding[holder]
        holder.end()
        while self.line < waiters:
            self.join()


def rounds(waiters: int) -> tuple[float, float, int]:
    """Return the seconds of a round and of the longest one, and how many claims were granted."""
    bench = Bench(waiters)
    first, worst = bench.number - bench.line, 0.0
    begin = time.process_time()
    for _ in range(ROUNDS):
        before = time.process_time()
        if waiters:
            bench.round(waiters)
        else:
            for claim in list(bench.holding)[:1]:
                del bench.holding[claim]
                claim.end()
            bench.join()
        worst = max(worst, time.process_time() - before)
    total = time.process_time() - begin
    return total / ROUNDS, worst, bench.number - bench.line - first


def main() -> None:
    if '--once' in sys.argv:
        rounds(1000)
        return
    print(f'{"waiters":>8} {"a round":>10} {"the longest":>12} {"a grant":>10}')
    for waiters in LINES:
        found = [rounds(waiters) for _ in range(TURNS)]
        each = statistics.median(total for total, _, _ in found)
        worst = statistics.median(worst for _, worst, _ in found)
        grants = max(found[0][2], 1)
        per_grant = each * ROUNDS / grants
        print(f'{waiters:>8} {each * 1e6:>10.0f} {worst * 1e6:>12.0f} {per_grant * 1e6:>10.0f}')


if __name__ == '__main__':
    main()
