# SPDX-License-Identifier: GPL-2.0-only
"""Simulated labs: how long many builds take in all, as a multiple of the lower bound.

Usage: python labs.py [--seeds N] [--all] [--spread S] [--png FILE], with the Python of an
environment that has the wheel installed. With one seed, and without ``--all``, it takes four
minutes on two processors.

Each of 200 builds checks out (1 minute), compiles under a worker's ``cpu`` lock (5 minutes), and
tests in three parts under its ``jtag`` lock (6 minutes). Each of these takes between 1 - S and 1 +
S times as long; S is 0.5 unless it is given. The lower bound is that of the busiest resource, or
the longest build. Plain Buildbot runs in processes of its own, with the overlay switched off.
"""

from __future__ import annotations

import argparse
import json
import random
from typing import Any

from comparison import Column
from comparison import add_arguments
from comparison import compare

BUILDS = 200
PLAIN = ('whole build', 'three steps')
FORK = ('whole build', 'group', 'group, bound at once')

Build = tuple[float, float, list[float]]


def make_builds(seed: int, spread: float) -> list[Build]:
    """Return the seconds of checkout, compile and the three parts of the test, for each build."""
    rng = random.Random(seed)

    def about(mean: float) -> float:
        return round(mean * rng.uniform(1 - spread, 1 + spread), 1)

    return [(about(60), about(300), [about(50), about(70), about(240)]) for _ in range(BUILDS)]


def lower_bound(builds: list[Build], workers: int) -> float:
    compiling = sum(compile_ for _, compile_, _ in builds) / workers
    testing = sum(sum(parts) for *_, parts in builds) / workers
    longest = max(checkout + compile_ + sum(parts) for checkout, compile_, parts in builds)
    # nobody compiles before the first checkout ends, and the last build is tested after it compiles
    first = min(checkout for checkout, *_ in builds)
    least_test = min(sum(parts) for *_, parts in builds)
    least_compile = min(compile_ for _, compile_, _ in builds)
    return max(first + compiling + least_test, first + least_compile + testing, longest)


def run_lab(kind: str, seed: int, spread: float, workers: int, builders: int) -> dict[str, float]:
    """Run one lab in this process; it returns what ``Simulation.run_out`` does."""
    from simulation import Work
    from simulation import simulate
    from twisted.internet import defer

    from buildbot.locks import WorkerLock

    builds = make_builds(seed, spread)
    cpu, jtag = WorkerLock('cpu').access('counting'), WorkerLock('jtag').access('exclusive')

    def part(i: int) -> Work:
        return Work(lambda number: builds[number - 1][2][i], name=f'part{i}')

    def make_steps() -> list[Any]:
        of_compile = [] if kind == 'whole build' else [cpu]
        steps = [
            Work(lambda number: builds[number - 1][0], name='checkout'),
            Work(lambda number: builds[number - 1][1], name='compile', locks=of_compile),
        ]
        if kind == 'three steps':  # as one step, since plain Buildbot has no groups
            whole = Work(lambda number: sum(builds[number - 1][2]), name='test', locks=[jtag])
            return [*steps, whole]
        parts = [part(i) for i in range(3)]
        if kind == 'whole build':
            return [*steps, *parts]
        from buildbot.process.groups.step import StepGroup

        return [*steps, StepGroup(name='test', steps=parts, locks=[jtag])]

    @defer.inlineCallbacks
    def play(lab: Any) -> Any:
        locks = [jtag] if kind == 'whole build' else []
        names = [f'b{i}' for i in range(builders)]
        late = {'lateBinding': False} if kind.endswith('bound at once') else {}
        yield lab.start(
            {n: {'steps': make_steps(), 'locks': locks} for n in names}, workers, **late
        )
        for i in range(BUILDS):
            yield lab.request(names[i % builders])
        return (yield lab.run_out())

    return simulate(play)


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parser.add_argument('--spread', type=float, default=0.5)
    parser.add_argument('--child', nargs=5)
    options = parser.parse_args()
    if options.child:
        kind, seed, spread, workers, builders = options.child
        print(json.dumps(run_lab(kind, int(seed), float(spread), int(workers), int(builders))))
        return
    print(
        f'{BUILDS} builds, {options.seeds} seeds, spread {options.spread}: makespan over the lower'
    )
    print("bound, and in brackets the part of the builds' time on workers spent waiting for locks")
    print('of steps; W4 B16: 4 workers and 16 builders')
    print()
    compare(
        __file__,
        options,
        [(True, kind) for kind in PLAIN] + [(False, kind) for kind in FORK],
        [options.spread],
        lambda seed, workers: lower_bound(make_builds(seed, options.spread), workers),
        Column('waiting for step locks, %', lambda lab: 100 * lab['waiting'], '{:.0f}%'),
    )


if __name__ == '__main__':
    main()
