# SPDX-License-Identifier: GPL-2.0-only
"""A lock per branch: how long builds take if no two of one branch may run at a time.

Usage: python branches.py [--seeds N] [--all] [--png FILE], with the Python of an environment that
has the wheel installed. With one seed, and without ``--all``, it takes four minutes on two
processors.

There are 200 builds of about 10 minutes each, of 8 branches; the k-th branch has 1/k times as many
builds as the first (Zipf's law). They want one master lock for all, a master lock whose name is
rendered with the branch, or a ``BranchLock``, at builder level. The lower bound is that of the
busiest branch, or of the workers. Plain Buildbot runs in processes of its own, with the overlay
switched off.
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
BRANCHES = 8
KINDS = (
    (True, 'one for all'),
    (True, 'rendered name'),
    (False, 'one for all'),
    (False, 'rendered name'),
    (False, 'BranchLock'),
)


def make_builds(seed: int) -> list[tuple[str, float]]:
    """Return the branch and the seconds of each build."""
    rng = random.Random(seed)
    names = [f'branch{k}' for k in range(1, BRANCHES + 1)]
    branches = rng.choices(names, [1 / k for k in range(1, BRANCHES + 1)], k=BUILDS)
    return [(branch, round(rng.uniform(300, 900), 1)) for branch in branches]


def lower_bound(builds: list[tuple[str, float]], workers: int) -> float:
    of_branch: dict[str, float] = {}
    for branch, seconds in builds:
        of_branch[branch] = of_branch.get(branch, 0) + seconds
    return max(max(of_branch.values()), sum(of_branch.values()) / workers)


def run_lab(kind: str, seed: int, workers: int, builders: int) -> dict[str, float]:
    """Run one lab in this process; it returns what ``Simulation.run_out`` does."""
    from simulation import Work
    from simulation import simulate
    from twisted.internet import defer

    from buildbot.locks import MasterLock
    from buildbot.process.properties import renderer  # type: ignore[attr-defined]

    builds = make_builds(seed)

    def make_locks() -> Any:
        if kind == 'one for all':
            return [MasterLock('version').access('exclusive')]
        if kind == 'BranchLock':
            from buildbot.locks import BranchLock

            return [BranchLock('version').access('exclusive')]

        @renderer
        def locks(props: Any) -> Any:
            return [MasterLock(f'version-{props.getProperty("branch")}').access('exclusive')]

        return locks

    @defer.inlineCallbacks
    def play(lab: Any) -> Any:
        locks = make_locks()
        work = Work(lambda number: builds[number - 1][1], name='work')
        names = [f'b{i}' for i in range(builders)]
        yield lab.start({name: {'steps': [work], 'locks': locks} for name in names}, workers)
        for i, (branch, _) in enumerate(builds):
            yield lab.request(names[i % builders], branch)
        return (yield lab.run_out())

    return simulate(play)


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parser.add_argument('--child', nargs=4)
    options = parser.parse_args()
    if options.child:
        kind, *numbers = options.child
        print(json.dumps(run_lab(kind, *map(int, numbers))))
        return
    print(f'{BUILDS} builds, {BRANCHES} branches, {options.seeds} seeds: makespan over the lower')
    print('bound, and in brackets the hours for which a worker was held by a build that waited for')
    print("its builder's locks; W4 B16: 4 workers and 16 builders")
    print()
    compare(
        __file__,
        options,
        KINDS,
        [],
        lambda seed, workers: lower_bound(make_builds(seed), workers),
        Column('hours held by waiting builds', lambda lab: lab['held'] / 3600, '{:.1f} h'),
    )


if __name__ == '__main__':
    main()
