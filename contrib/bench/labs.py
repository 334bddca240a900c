# SPDX-License-Identifier: GPL-2.0-only
"""Simulated labs: how long many builds take in all, as a multiple of the least they could.

Usage: python labs.py [--seeds N], with the Python of an environment that has the wheel installed.

Each lab is a master in memory with the release's own classes, local workers, sqlite and a clock
that jumps from one event to the next. Each build checks out, compiles under a worker's ``cpu``
lock, and tests in three parts under its ``jtag`` lock. The plain release runs in a process of its
own, with the overlay switched off. The lower bound is that of the busiest resource, or the longest
build.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import warnings
from typing import Any
from typing import Iterator

BUILDS = 200
SHAPES = ((4, 4), (4, 16), (16, 4), (16, 16))  # workers, builders
PLAIN = ('whole build', 'three steps')
FORK = ('whole build', 'group', 'group, bound at once')


def make_builds(seed: int, count: int) -> list[tuple[float, float, list[float]]]:
    """Return seconds of checkout, compile and the three parts of the test, for each build."""
    rng = random.Random(seed)

    def about(mean: float) -> float:
        return round(mean * rng.lognormvariate(0, 0.5), 1)

    return [(about(60), about(300), [about(40), about(60), about(200)]) for _ in range(count)]


def lower_bound(builds: list[tuple[float, float, list[float]]], workers: int) -> float:
    compiling = sum(compile_ for _, compile_, _ in builds) / workers
    testing = sum(sum(parts) for *_, parts in builds) / workers
    longest = max(checkout + compile_ + sum(parts) for checkout, compile_, parts in builds)
    # nobody compiles before something is checked out, and the last one is tested yet, or so
    first = min(checkout for checkout, *_ in builds)
    least_test = min(sum(parts) for *_, parts in builds)
    least_compile = min(compile_ for _, compile_, _ in builds)
    return max(first + compiling + least_test, first + least_compile + testing, longest)


def run_lab(kind: str, seed: int, workers: int, builders: int, count: int) -> dict[str, float]:
    """Run one lab in this process.

    :returns: ``makespan`` in seconds, and ``waiting``, the part of the workers' occupied time in
        which a build on them waited for the lock of a step.
    """
    from twisted.internet import defer
    from twisted.trial.reporter import TestResult

    from buildbot.config.builder import BuilderConfig
    from buildbot.locks import WorkerLock
    from buildbot.process.buildstep import BuildStep
    from buildbot.process.factory import BuildFactory
    from buildbot.process.results import SUCCESS
    from buildbot.test.util.integration import RunFakeMasterTestCase

    builds = make_builds(seed, count)

    class Work(BuildStep):
        """Takes a while, which one depends on the build."""

        def __init__(self, part: int, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.part = part

        def run(self) -> Any:
            checkout, compile_, parts = builds[self.build.requests[0].id - 1]
            seconds = [checkout, compile_, *parts, sum(parts)][self.part]
            d: defer.Deferred[int] = defer.Deferred()
            self.master.reactor.callLater(seconds, d.callback, SUCCESS)
            return d

    cpu, jtag = WorkerLock('cpu'), WorkerLock('jtag')

    def make_steps() -> list[Any]:
        compile_locks = [cpu.access('counting')]
        steps = [Work(0, name='checkout'), Work(1, name='compile', locks=compile_locks)]
        parts = [Work(i, name=f'part{i}') for i in (2, 3, 4)]
        if kind.startswith('group'):
            from buildbot.process.stepgroup import StepGroup

            return [*steps, StepGroup(name='test', steps=parts, locks=[jtag.access('exclusive')])]
        if kind == 'three steps':  # as one, since the plain release has no groups
            return [*steps, Work(5, name='test', locks=[jtag.access('exclusive')])]
        return [Work(0, name='checkout'), Work(1, name='compile'), *parts]

    names = [f'w{i}' for i in range(workers)]
    found: dict[str, float] = {}

    class Lab(RunFakeMasterTestCase):
        timeout = 10000

        @defer.inlineCallbacks
        def test(self) -> Any:
            whole = [jtag.access('exclusive')] if kind == 'whole build' else []
            config: dict[str, Any] = {
                'builders': [
                    BuilderConfig(
                        name=f'b{i}',
                        workernames=names,
                        factory=BuildFactory(make_steps()),
                        locks=whole,
                    )
                    for i in range(builders)
                ],
                'workers': [self.createLocalWorker(name) for name in names],
                'collapseRequests': False,
                'multiMaster': True,
                'protocols': {'null': {}},
            }
            if kind == 'group, bound at once':
                config['lateBinding'] = False
            yield self.setup_master(config)
            ids = []
            for i in range(builders):
                ids.append((yield self.master.data.updates.findBuilderId(f'b{i}')))
            stamp: dict[str, Any] = dict.fromkeys(('codebase', 'repository', 'project'), '')
            stamp.update(branch=None, revision=None)
            for i in range(count):
                yield self.master.data.updates.addBuildset(
                    waited_for=False, builderids=[ids[i % builders]], sourcestamps=[stamp]
                )
            begin = self.reactor.seconds()
            while True:
                done = yield self.master.data.get(('buildrequests',))
                if all(request['complete'] for request in done):
                    break
                for _ in range(400):
                    calls = [c.getTime() for c in self.reactor.getDelayedCalls()]
                    self.reactor.advance(max(0, min(calls) - self.reactor.seconds()))
            rows = yield self.master.db.builds.getBuilds()
            end = max(row.complete_at.timestamp() for row in rows)
            occupied = waiting = 0.0
            for row in rows:
                occupied += (row.complete_at - row.started_at).total_seconds()
                for step in (yield self.master.db.steps.getSteps(row.id)):
                    if step.locks_acquired_at is not None:
                        waiting += (step.locks_acquired_at - step.started_at).total_seconds()
            found.update(makespan=end - begin, waiting=waiting / occupied)

    warnings.simplefilter('ignore')  # which the release's tests turn into errors
    result = TestResult()
    Lab('test').run(result)
    for _, why in (*result.errors, *result.failures):
        raise SystemExit(f'{why}')
    return found


def child(kind: str, seed: int, workers: int, builders: int, count: int, plain: bool) -> Any:
    env = {**os.environ, 'BUILDBOT_INTERLOCK': 'off' if plain else 'on'}
    words = [kind, str(seed), str(workers), str(builders), str(count)]
    command = [sys.executable, os.path.abspath(__file__), '--child', *words]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)


def cells(count: int, seeds: tuple[int, ...]) -> Iterator[tuple[str, bool, int, int, int]]:
    for workers, builders in SHAPES:
        for plain, kinds in ((True, PLAIN), (False, FORK)):
            for kind in kinds:
                for seed in seeds:
                    yield kind, plain, workers, builders, seed


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--seeds', type=int, default=1, help='how many labs of each kind')
    parser.add_argument('--child', nargs=5)
    options = parser.parse_args()
    if options.child:
        kind, *numbers = options.child
        print(json.dumps(run_lab(kind, *map(int, numbers))))
        return
    count, seeds = BUILDS, tuple(range(1, options.seeds + 1))
    todo = list(cells(count, seeds))
    results: dict[tuple[str, bool, int, int], list[tuple[float, float]]] = {}
    running: list[Any] = []
    at_once = max(1, os.cpu_count() or 1)
    for done, (kind, plain, workers, builders, seed) in enumerate(todo):
        print(f'\r{done} of {len(todo)} labs', end='', file=sys.stderr, flush=True)
        process = child(kind, seed, workers, builders, count, plain)
        running.append((process, kind, plain, workers, builders, seed))
        if len(running) >= at_once:
            collect(running.pop(0), results, count)
    for entry in running:
        collect(entry, results, count)
    print('\r', end='', file=sys.stderr)
    print(f'{count} builds, {len(seeds)} seeds: makespan over the lower bound, and in brackets the')
    print("part of the workers' occupied time spent waiting for locks of steps")
    print()
    heads = ''.join(f'{f"W{w} B{b}":>16}' for w, b in SHAPES)
    print(f'{"":32}{heads}')
    for plain, kinds in ((True, PLAIN), (False, FORK)):
        for kind in kinds:
            line = ''
            for workers, builders in SHAPES:
                found = results[kind, plain, workers, builders]
                ratio = statistics.mean(r for r, _ in found)
                waiting = statistics.mean(w for _, w in found)
                line += f'{f"{ratio:.2f} ({waiting:.0%})":>16}'
            print(f'{("plain: " if plain else "Interlock: ") + kind:32}{line}')


def collect(entry: Any, results: dict[Any, Any], count: int) -> None:
    process, kind, plain, workers, builders, seed = entry
    output, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f'the lab {kind!r} with {workers} workers failed')
    found = json.loads(output.splitlines()[-1])
    bound = lower_bound(make_builds(seed, count), workers)
    key = (kind, plain, workers, builders)
    results.setdefault(key, []).append((found['makespan'] / bound, found['waiting']))


if __name__ == '__main__':
    main()
