# SPDX-License-Identifier: GPL-2.0-only
"""What it takes to start one build, by the number of builders, workers and pending requests.

Usage: python distribution.py [--all] [--png FILE], with the Python of an environment that has the
wheel installed. It takes three minutes, or six with --all, which adds the largest lab.

All requests want one exclusive master lock of their builders. The script counts, for each build
from its start to the start of the next one: the statements that the database executes, the
questions whether a request can start (``Builder.canStartBuild`` and ``Reservations.reserve``), the
questions whether a worker is idle (``isAvailable``) and the seconds of CPU. It also measures the
seconds of CPU of the start-up, and of a final reconfig that changes nothing. The workers are in the
same process, but their work at the start-up, which is to make a directory for each builder and to
write a log, is counted separately. Plain Buildbot runs in a process of its own, with the overlay
switched off.

One lab alone, of 50 builders, 20 workers and 300 requests, over 10 builds:
python distribution.py --child 50 20 300 10.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

from chart import Panel
from chart import draw
from children import Child
from children import measure

#: builders, workers, pending requests; one grows at a time
SMALL = (10, 5, 10)
BUILDERS = (SMALL, (50, 5, 10), (200, 5, 10))
WORKERS = (SMALL, (10, 20, 10), (10, 100, 10))
REQUESTS = (SMALL, (10, 5, 100), (10, 5, 1000))
SHAPES = (*BUILDERS, *WORKERS[1:], *REQUESTS[1:], (50, 20, 100))
CORNER = (200, 100, 1000)
COUNTS = ('statements', 'questions', 'availabilities', 'cpu')


def run_lab(builders: int, workers: int, requests: int, starts: int) -> dict[str, float]:
    """Run one master in this process.

    :param starts: how many builds to measure.
    :returns: for each build, ``statements``, ``questions``, ``availabilities`` and ``cpu`` in
        milliseconds; and ``start``, ``worker_start`` and ``reconfig`` in seconds.
    """
    from buildbot_worker.null import BotNull
    from buildbot_worker.null import WorkerForBuilderNull
    from simulation import simulate
    from sqlalchemy import event
    from twisted.internet import defer

    from buildbot.locks import MasterLock
    from buildbot.process.builder import Builder
    from buildbot.process.buildstep import BuildStep
    from buildbot.process.results import CANCELLED
    from buildbot.process.results import SUCCESS
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder

    running: list[Any] = []
    of_workers: list[float] = []
    counts = {'statements': 0, 'questions': 0, 'availabilities': 0}

    class Waits(BuildStep):
        """A step that ends when the lab says so."""

        def run(self) -> Any:
            d: defer.Deferred[int] = defer.Deferred()
            running.append(d)
            return d

        def _interrupt_impl(self, reason: Any) -> Any:
            if running:  # the lab is at its end
                running.pop().callback(CANCELLED)
            return super()._interrupt_impl(reason)

    def count_calls(kind: type, name: str, what: str) -> None:
        method = getattr(kind, name, None)

        def counted(*args: Any, **kwargs: Any) -> Any:
            counts[what] += 1
            assert method is not None
            return method(*args, **kwargs)

        if method is not None:
            setattr(kind, name, counted)

    def time_calls(kind: type, name: str) -> None:
        method = getattr(kind, name)

        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = time.process_time()
            try:
                return method(*args, **kwargs)
            finally:
                of_workers.append(time.process_time() - begin)

        setattr(kind, name, timed)

    def count_statement(*args: Any) -> None:
        counts['statements'] += 1

    @defer.inlineCallbacks
    def play(lab: Any) -> Any:
        def next_build(first: bool = False) -> None:
            if not first:
                running.pop().callback(SUCCESS)
            while not running:
                lab.reactor.advance(0.2)

        time_calls(BotNull, 'remote_setBuilderList')
        time_calls(WorkerForBuilderNull, 'remote_print')
        time_calls(BotNull, 'remote_print')
        begin = time.process_time()
        lock = MasterLock('lab').access('exclusive')
        names = [f'b{i}' for i in range(builders)]
        yield lab.start({name: {'steps': [Waits()], 'locks': [lock]} for name in names}, workers)
        lab.reactor.advance(0.2)
        worker_start = sum(of_workers)
        start = time.process_time() - begin - worker_start
        for i in range(requests + starts + 2):
            yield lab.request(names[i % builders])
        next_build(first=True)
        next_build()
        event.listen(lab.master.db.pool.engine, 'before_cursor_execute', count_statement)
        count_calls(Builder, 'canStartBuild', 'questions')
        count_calls(AbstractWorkerForBuilder, 'isAvailable', 'availabilities')
        builder = lab.master.botmaster.builders[names[0]]
        count_calls(type(getattr(builder, 'reservations', None)), 'reserve', 'questions')
        begin = time.process_time()
        for _ in range(starts):
            next_build()
        cpu = time.process_time() - begin
        found = {name: count / starts for name, count in counts.items()}
        begin = time.process_time()
        yield lab.reconfig_master()
        lab.reactor.advance(0.2)
        reconfig = time.process_time() - begin
        times = {'start': start, 'worker_start': worker_start, 'reconfig': reconfig}
        return {**found, 'cpu': 1000 * cpu / starts, **times}

    return simulate(play)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--all', action='store_true', help='the largest lab too')
    parser.add_argument('--png', help='draw the curves into this file')
    parser.add_argument('--child', nargs=4, type=int)
    options = parser.parse_args()
    if options.child:
        print(json.dumps(run_lab(*options.child)))
        return
    shapes = [*SHAPES, *([CORNER] if options.all else [])]
    children = {
        (shape, plain): Child((*shape, 3 if shape == CORNER else 10), plain)
        for shape in shapes
        for plain in (True, False)
    }
    # one at a time: the CPU time of one depends on what else runs
    measured = measure(__file__, list(children.values()), at_once=1)
    found = {key: measured[child] for key, child in children.items()}
    print(f'{"":26}{"statements":>16}{"questions":>16}', end='')
    print(f'{"availabilities":>18}{"CPU, ms":>16}{"":8}{"start-up, s":>16}{"reconfig, s":>16}')
    print(f'{"builders workers requests":26}{"plain":>8}{"fork":>8}{"plain":>8}{"fork":>8}', end='')
    print(f'{"plain":>10}{"fork":>8}{"plain":>8}{"fork":>8}{"ratio":>8}', end='')
    print(f'{"plain":>8}{"fork":>8}{"plain":>8}{"fork":>8}')
    for shape in shapes:
        plain, fork = found[shape, True], found[shape, False]
        print(
            f'{shape[0]:>8}{shape[1]:>8}{shape[2]:>9} '
            f'{plain["statements"]:>8.0f}{fork["statements"]:>8.0f}'
            f'{plain["questions"]:>8.0f}{fork["questions"]:>8.1f}'
            f'{plain["availabilities"]:>10.0f}{fork["availabilities"]:>8.1f}'
            f'{plain["cpu"]:>8.0f}{fork["cpu"]:>8.0f}{plain["cpu"] / fork["cpu"]:>7.1f}x'
            f'{plain["start"]:>8.1f}{fork["start"]:>8.1f}'
            f'{plain["reconfig"]:>8.1f}{fork["reconfig"]:>8.1f}'
        )
    if options.png:
        sweeps = (('builders', 0, BUILDERS), ('workers', 1, WORKERS), ('requests', 2, REQUESTS))
        draw(
            options.png,
            [
                Panel(
                    'for each started build',
                    what,
                    [shape[i] for shape in sweep],
                    {
                        f'{"plain" if plain else "Interlock"}: {"CPU, ms" if c == "cpu" else c}': [
                            found[shape, plain][c] for shape in sweep
                        ]
                        for plain in (True, False)
                        for c in COUNTS
                    },
                    is_log=True,
                )
                for what, i, sweep in sweeps
            ],
        )


if __name__ == '__main__':
    main()
