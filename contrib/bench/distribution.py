# SPDX-License-Identifier: GPL-2.0-only
"""What it takes to start one build, by the number of builders, workers and pending requests.

Usage: python distribution.py [--all], with the Python of an environment with the wheel.

All requests want one exclusive master lock of their builders. Counted are the statements that the
database is given, the questions whether a request can start (``Builder.canStartBuild`` and
``Builder.reserve``) and the seconds of CPU, for each build from its start to the start of the next
one. The plain release runs in a process of its own, with the overlay switched off.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from typing import Any

#: builders, workers, pending requests
SHAPES = ((10, 5, 10), (200, 5, 10), (10, 100, 10), (10, 5, 1000), (50, 20, 100))
CORNER = (200, 100, 1000)


def run_lab(builders: int, workers: int, requests: int, starts: int) -> dict[str, float]:
    """Run one master in this process.

    :param starts: how many builds to measure.
    :returns: for each build, ``statements``, ``questions`` and ``cpu`` in milliseconds.
    """
    from sqlalchemy import event
    from twisted.internet import defer
    from twisted.trial.reporter import TestResult

    from buildbot.config.builder import BuilderConfig
    from buildbot.locks import MasterLock
    from buildbot.process.builder import Builder
    from buildbot.process.buildstep import BuildStep
    from buildbot.process.factory import BuildFactory
    from buildbot.process.results import CANCELLED
    from buildbot.process.results import SUCCESS
    from buildbot.test.util.integration import RunFakeMasterTestCase

    running: list[Any] = []
    counts = {'statements': 0, 'questions': 0}
    found: dict[str, float] = {}

    class Waits(BuildStep):
        def run(self) -> Any:
            d: defer.Deferred[int] = defer.Deferred()
            running.append(d)
            return d

        def _interrupt_impl(self, reason: Any) -> Any:
            if running:  # the lab is at its end
                running.pop().callback(CANCELLED)
            return super()._interrupt_impl(reason)

    def count_calls(name: str) -> None:
        method = getattr(Builder, name, None)

        def counted(*args: Any, **kwargs: Any) -> Any:
            counts['questions'] += 1
            assert method is not None
            return method(*args, **kwargs)

        if method is not None:
            setattr(Builder, name, counted)

    class Lab(RunFakeMasterTestCase):
        timeout = 10000

        @defer.inlineCallbacks
        def test(self) -> Any:
            lock = MasterLock('lab').access('exclusive')
            names = [f'w{i}' for i in range(workers)]
            yield self.setup_master(
                {
                    'builders': [
                        BuilderConfig(
                            name=f'b{i}',
                            workernames=names,
                            factory=BuildFactory([Waits()]),
                            locks=[lock],
                        )
                        for i in range(builders)
                    ],
                    'workers': [self.createLocalWorker(name) for name in names],
                    'collapseRequests': False,
                    'multiMaster': True,
                    'protocols': {'null': {}},
                }
            )
            ids = []
            for i in range(builders):
                ids.append((yield self.master.data.updates.findBuilderId(f'b{i}')))
            stamp: dict[str, Any] = dict.fromkeys(('codebase', 'repository', 'project'), '')
            stamp.update(branch=None, revision=None)
            for i in range(requests + starts + 2):
                yield self.master.data.updates.addBuildset(
                    waited_for=False, builderids=[ids[i % builders]], sourcestamps=[stamp]
                )
            self.next_build(first=True)
            self.next_build()
            event.listen(self.master.db.pool.engine, 'before_cursor_execute', self.count_statement)
            count_calls('canStartBuild')
            count_calls('reserve')
            begin = time.process_time()
            for _ in range(starts):
                self.next_build()
            cpu = time.process_time() - begin
            found.update({name: count / starts for name, count in counts.items()})
            found['cpu'] = 1000 * cpu / starts

        def next_build(self, first: bool = False) -> None:
            if not first:
                running.pop().callback(SUCCESS)
            while not running:
                self.reactor.advance(0.2)

        @staticmethod
        def count_statement(*args: Any) -> None:
            counts['statements'] += 1

    warnings.simplefilter('ignore')  # which the release's tests turn into errors
    result = TestResult()
    Lab('test').run(result)
    if not found:
        raise SystemExit(f'{result.errors} {result.failures}')
    return found


def measure(shape: tuple[int, int, int], starts: int, plain: bool) -> dict[str, float]:
    env = {**os.environ, 'BUILDBOT_INTERLOCK': 'off' if plain else 'on'}
    words = [str(number) for number in (*shape, starts)]
    command = [sys.executable, os.path.abspath(__file__), '--child', *words]
    output = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True).stdout
    return json.loads(output.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--all', action='store_true', help='the largest lab too (two minutes more)')
    parser.add_argument('--child', nargs=4, type=int)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_lab(*options.child)))
        return
    shapes = [*SHAPES, *([CORNER] if options.all else [])]
    print(f'{"":26}{"statements":>22}{"questions":>20}{"CPU, ms":>18}')
    print(f'{"builders workers requests":26}' + f'{"plain":>11}{"Interlock":>11}' * 1, end='')
    print(f'{"plain":>9}{"Interlock":>11}{"plain":>8}{"Interlock":>10}{"ratio":>8}')
    for i, shape in enumerate(shapes):
        print(f'\r{i} of {len(shapes)} labs', end='', file=sys.stderr, flush=True)
        starts = 3 if shape == CORNER else 10
        plain, fork = measure(shape, starts, True), measure(shape, starts, False)
        print('\r', end='', file=sys.stderr)
        print(
            f'{shape[0]:>8}{shape[1]:>8}{shape[2]:>9} '
            f'{plain["statements"]:>11.0f}{fork["statements"]:>11.0f}'
            f'{plain["questions"]:>9.0f}{fork["questions"]:>11.1f}'
            f'{plain["cpu"]:>8.0f}{fork["cpu"]:>10.0f}{plain["cpu"] / fork["cpu"]:>7.1f}x',
            flush=True,
        )


if __name__ == '__main__':
    main()
