# SPDX-License-Identifier: GPL-2.0-only
"""A lock per branch: how long builds take of which no two of one branch may run at a time.

Usage: python branches.py [--seeds N] [--all] [--png FILE], with the Python of an environment that
has the wheel installed. With one seed, and without ``--all``, it takes four minutes on two
processors.

200 builds of 8 branches, of which the k-th has 1/k times as many as the first (Zipf's law), take
about 10 minutes each. They want one master lock for all, a master lock whose name is rendered with
the branch, or a ``BranchLock``, at builder level. The lower bound is that of the busiest branch, or
of the workers. The plain release runs in processes of its own, with the overlay switched off.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from typing import Any

from chart import Panel
from chart import draw
from children import Child
from children import measure

BUILDS = 200
BRANCHES = 8
SHAPES = ((4, 4), (16, 16))  # workers, builders
ALL_SHAPES = ((4, 4), (4, 16), (16, 4), (16, 16))
KINDS = (
    (True, 'one for all'),
    (True, 'rendered name'),
    (False, 'one for all'),
    (False, 'rendered name'),
    (False, 'BranchLock'),
)


def make_builds(seed: int) -> list[tuple[str, float]]:
    """Return branch and seconds of each build."""
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
    """Run one lab in this process; see ``Simulation.run_out`` for what is returned."""
    from simulation import Work
    from simulation import simulate
    from twisted.internet import defer

    from buildbot.locks import MasterLock
    from buildbot.process.properties import renderer

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

    found: dict[str, float] = {}

    @defer.inlineCallbacks
    def play(lab: Any) -> Any:
        locks = make_locks()
        work = Work(lambda number: builds[number - 1][1], name='work')
        names = [f'b{i}' for i in range(builders)]
        yield lab.start({name: {'steps': [work], 'locks': locks} for name in names}, workers)
        for i, (branch, _) in enumerate(builds):
            yield lab.request(names[i % builders], branch)
        found.update((yield lab.run_out()))

    simulate(play)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--seeds', type=int, default=1, help='how many labs of each kind')
    parser.add_argument('--all', action='store_true', help='more shapes of labs')
    parser.add_argument('--png', help='draw the curves into this file')
    parser.add_argument('--child', nargs=4)
    options = parser.parse_args()
    if options.child:
        kind, *numbers = options.child
        print(json.dumps(run_lab(kind, *map(int, numbers))))
        return
    seeds = range(1, options.seeds + 1)
    shapes = ALL_SHAPES if options.all else SHAPES
    found = measure(
        __file__,
        [
            Child((kind, seed, *shape), plain)
            for shape in shapes
            for plain, kind in KINDS
            for seed in seeds
        ],
    )
    ratios: dict[str, list[float]] = {}
    held: dict[str, list[float]] = {}
    for plain, kind in KINDS:
        name = f'{"plain" if plain else "Interlock"}: {kind}'
        for shape in shapes:
            labs = [found[Child((kind, seed, *shape), plain)] for seed in seeds]
            bounds = [lower_bound(make_builds(seed), shape[0]) for seed in seeds]
            ratios.setdefault(name, []).append(
                statistics.mean(lab['makespan'] / bound for lab, bound in zip(labs, bounds))
            )
            held.setdefault(name, []).append(statistics.mean(lab['held'] for lab in labs) / 3600)
    print(f'{BUILDS} builds, {BRANCHES} branches, {options.seeds} seeds: makespan over the lower')
    print('bound, and in brackets the hours for which a worker was held by a build that waited for')
    print("its builder's locks; W4 B16: 4 workers and 16 builders")
    print()
    labels = [f'W{workers} B{builders}' for workers, builders in shapes]
    print(' ' * 26 + ''.join(f'{label:>15}' for label in labels))
    for name in ratios:
        cells = [f'{r:.2f} ({h:.1f} h)' for r, h in zip(ratios[name], held[name])]
        print(f'{name:26}' + ''.join(f'{cell:>15}' for cell in cells))
    if options.png:
        draw(
            options.png,
            [
                Panel('makespan over the lower bound', 'workers, builders', labels, dict(ratios)),
                Panel('hours held by waiting builds', 'workers, builders', labels, dict(held)),
            ],
        )


if __name__ == '__main__':
    main()
