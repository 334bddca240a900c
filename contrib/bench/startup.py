# SPDX-License-Identifier: GPL-2.0-only
"""What the overlay costs at the start of any interpreter, and at the import of the master.

Usage: python startup.py, with the Python of an environment in which the wheel is installed.

Each figure is the median of several interpreters. Those with and without the overlay take turns, so
that other load on the machine affects both alike.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

RUNS = 15
IMPORT = """
import time
begin = time.perf_counter()
import buildbot.master
print(time.perf_counter() - begin)
"""
CHECK = """
import time
import buildbot
from buildbot_overlay import fit
begin = time.perf_counter()
fit.check(buildbot)
print(time.perf_counter() - begin)
"""


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )


def seconds(code: str, **environment: str) -> float:
    return float(run('-c', code, **environment).stdout)


def start() -> float:
    """Return the seconds that an interpreter spends on the start-up file, by its own timer."""
    for line in run('-X', 'importtime', '-c', '').stderr.splitlines():
        _, _, times = line.partition(':')
        if times.rpartition('|')[2].strip() == 'buildbot_overlay':
            return int(times.split('|')[1]) / 1e6
    sys.exit(f'{sys.executable} does not load the overlay when it starts')


def main() -> None:
    activate, plain, fork, check = [], [], [], []
    for turn in range(RUNS):
        if sys.stderr.isatty():
            print(f'\rrun {turn + 1} of {RUNS}', end='', file=sys.stderr)
        activate.append(start())
        plain.append(seconds(IMPORT, BUILDBOT_INTERLOCK='off'))
        fork.append(seconds(IMPORT))
        check.append(seconds(CHECK))
    base = statistics.median(plain)
    for what, figure in (
        (
            'an interpreter that never imports buildbot',
            f'{statistics.median(activate) * 1e3:.2f} ms',
        ),
        ('import buildbot.master, plain release', f'{base * 1e3:.0f} ms'),
        ('the same with Interlock', f'{statistics.median(fork) / base:.3f} times that'),
        ('of it the check of the seams', f'{statistics.median(check) / base:.2%} of that'),
    ):
        print(f'{what + ":":<44} {figure}')


if __name__ == '__main__':
    main()
