# SPDX-License-Identifier: GPL-2.0-only
"""Runs random histories of a master in memory, and shrinks the first one that fails.

python storm.py --seeds 1000        seeds 0 to 999
python storm.py --seeds 200-300     these
python storm.py --seconds 3600      from 0 on until the time is over; with --seeds, from there on
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import tempfile
import time
from typing import Any
from typing import Callable
from typing import Iterable
from typing import NamedTuple

from twisted.python import log
from twisted.trial.reporter import TestResult

from buildbot.test.util.storm.history import SIZE
from buildbot.test.util.storm.history import History
from buildbot.test.util.storm.history import draw
from buildbot.test.util.storm.shrinking import shrink
from buildbot.test.util.storm.storm import StormCase

FORK = multiprocessing.get_context('fork')

#: the most seconds that a history may take
PATIENCE = 300


class Problem(NamedTuple):
    """How a history fails. It is not the history.

    :ivar kind: equal for two that fail in the same way: the error and where it was found.
    :ivar text: all that is reported.
    """

    kind: tuple[str, str]
    text: str


def problem_of(history: History) -> Problem | None:
    """Run a history; return how it fails, or None if it does not."""

    class Told(StormCase):
        """Runs one history as a test case, for a result that is read here."""

        timeout = 0.5  # nothing in it takes real time

        def runTest(self) -> Any:  # noqa: N802 - the name that unittest gives it
            return self.tell(history)

    result = FirstProblem()
    Told('runTest').run(result)
    return result.first


def problem_apart(history: History) -> Problem | None:
    """Run it in a process of its own, so that it leaves nothing behind and can be ended."""
    reading, writing = multiprocessing.Pipe(duplex=False)
    child = FORK.Process(target=lambda: writing.send(problem_of(history)))
    child.start()
    writing.close()
    try:
        if reading.poll(PATIENCE):
            return reading.recv()
        return Problem(('it', 'hangs'), f'it has not ended after {PATIENCE} seconds')
    except EOFError:
        return Problem(('it', 'dies'), f'the process has ended with {child.exitcode}')
    finally:
        child.kill()
        child.join()


class FirstProblem(TestResult):
    """Keeps the first failure only; later ones may be its consequences."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Problem | None = None

    def addError(self, test: Any, error: Any) -> None:  # noqa: N802 - the name that trial gives it
        super().addError(test, error)
        self._keep(error)

    def addFailure(self, test: Any, fail: Any) -> None:  # noqa: N802
        super().addFailure(test, fail)
        self._keep(fail)

    def _keep(self, failure: Any) -> None:
        places = [name for name, path, *_ in failure.frames if 'twisted' not in path]
        kind = (failure.type.__name__, places[-1] if places else '')
        is_told = failure.check(AssertionError)
        text = str(failure.value) if is_told else failure.getTraceback(elideFrameworkCode=True)
        self.first = self.first or Problem(kind, text)


class Progress:
    """Shows the progress on a terminal's line, or from time to time. It runs nothing."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._begin = self._said = clock()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._begin

    def say(self, seed: int, clean: int) -> None:
        is_terminal = sys.stdout.isatty()
        if is_terminal or self._clock() - self._said > 30:
            self._said = self._clock()
            text = f'storm: {clean} clean, seed {seed}, {self.seconds:.0f} s'
            print(text, end='\r' if is_terminal else '\n', flush=True)


def tell(seeds: Iterable[int], size: int, seconds: float | None, goes_on: bool) -> bool:
    """Run histories, and report those that fail; return whether all are clean."""
    progress, failed, clean = Progress(), [], 0
    for seed in seeds:
        if seconds is not None and progress.seconds >= seconds:
            break
        problem = problem_apart(draw(seed, size))
        if problem is None:
            clean += 1
        else:
            failed.append(seed)
            report(seed, size, problem, shrinks=not goes_on)
            if not goes_on:
                break
        progress.say(seed, clean)
    print(f'storm: {clean} clean in {progress.seconds:.0f} s; failed: {failed or "none"}')
    return not failed


def report(seed: int, size: int, problem: Problem, shrinks: bool) -> None:
    print(f'storm: seed {seed} fails: {problem.kind}', flush=True)
    if not shrinks:
        print(problem.text, flush=True)
        return

    def fails(other: History) -> bool:
        found = problem_apart(other)
        return found is not None and found.kind == problem.kind

    shortest = shrink(draw(seed, size), fails)
    found = problem_apart(shortest)
    print(f'the shortest that fails so, for HISTORIES in test_storm.py:\n{shortest.written()}')
    print((found or problem).text, flush=True)


def seeds_of(text: str | None, seconds: float | None) -> Iterable[int]:
    first, dash, last = (text or '0').partition('-')
    if dash:
        return range(int(first), int(last) + 1)
    if seconds is not None or text is None:
        return itertools.count(int(first))
    return range(int(first))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument('--seeds', help='how many, or the first and the last of them: 200-300')
    parser.add_argument('--seconds', type=float, help='for how long')
    parser.add_argument('--size', type=int, default=SIZE, help='how many events a history has')
    parser.add_argument('--go-on', action='store_true', help='after one that fails; none is shrunk')
    asked = parser.parse_args()
    log.startLoggingWithObserver(lambda event: None, setStdout=False)
    with tempfile.TemporaryDirectory(prefix='storm') as directory:
        os.chdir(directory)
        problem_of(draw(0, 0))  # makes once what every later process then has
        seeds = seeds_of(asked.seeds or None, asked.seconds)
        return 0 if tell(seeds, asked.size, asked.seconds, asked.go_on) else 1


if __name__ == '__main__':
    sys.exit(main())
