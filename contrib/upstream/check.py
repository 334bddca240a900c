# SPDX-License-Identifier: GPL-2.0-only
"""Run the suite of an upstream checkout on plain Buildbot and on the fork, and compare.

Usage: python check.py CHECKOUT WHEEL

CHECKOUT is a checkout of Buildbot at the tag v4.3.0. It is installed in a virtual environment of
its own (``check-upstream/`` in the working directory), with the versions that its own CI names. The
suite runs there twice: as it is, and with WHEEL, the fork, installed. Exit status 0 only if trial
finds every test of Buildbot on the fork too, in each package by itself and in the whole, and every
test has the same outcome, apart from those that ``deviations.txt`` names.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections import Counter
from pathlib import Path
from typing import Any
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
SHARDS = os.cpu_count() or 1
WHOLE = 'buildbot.test'


def say(text: str) -> None:
    print(f'check-upstream: {text}', flush=True)


def install(python: Path, checkout: Path) -> None:
    pip = [str(python), '-m', 'pip', 'install', '-qq', '--disable-pip-version-check']
    say('installing the versions that upstream tests with (a minute or two)')
    subprocess.run([*pip, '-r', str(HERE / 'requirements-4.3.0.txt')], check=True)
    # the compatible mode puts the checkout on sys.path, where trial can find its packages
    parts = [word for part in ('master', 'worker', 'pkg') for word in ('-e', str(checkout / part))]
    say(f'installing {checkout}')
    editable = ['--no-deps', '--no-build-isolation', '--config-settings', 'editable_mode=compat']
    subprocess.run([*pip, *editable, *parts], check=True)


class Suite(NamedTuple):
    """How trial sees and ends the suite. It does not compare.

    :param found: the ids of the tests that it finds, for each package by itself.
    :param outcomes: the outcome of each test of the whole.
    """

    found: dict[str, set[str]]
    outcomes: dict[str, str]


def packages_of(checkout: Path) -> list[str]:
    """Name each package of the checkout's suite, the whole first."""
    master = checkout / 'master'
    paths = (master / 'buildbot' / 'test').rglob('__init__.py')
    return sorted('.'.join(path.parent.relative_to(master).parts) for path in paths)


def run(python: Path, name: str, base: Path, packages: list[str]) -> Suite:
    """Let trial find the tests of each package, and run the suite."""
    directory = base / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    say(f'{name}: looking for the tests of {len(packages)} packages')
    look = [str(python), str(HERE / 'found.py'), 'found', *packages]
    subprocess.run(look, cwd=directory, check=True)
    found = {package: set(tests) for package, tests in read(directory / 'found')}
    say(f'{name}: running (several minutes), output in {directory}')
    running = []
    for shard in range(SHARDS):
        words = [f'outcomes-{shard}', str(shard), str(SHARDS), WHOLE]
        with open(directory / f'log-{shard}', 'w', encoding='utf-8') as log:
            command = [str(python), str(HERE / 'outcomes.py'), *words]
            running.append(subprocess.Popen(command, cwd=directory, stdout=log))
    for process in running:
        process.wait()
    outcomes = dict.fromkeys(found[WHOLE], 'not run')
    for shard in range(SHARDS):
        path = directory / f'outcomes-{shard}'
        if not path.is_file():
            sys.exit(f'check-upstream: {name}: no outcome; see {directory / f"log-{shard}"}')
        outcomes.update(read(path))
    say(f'{name}: {len(outcomes)} tests: {count(outcomes)}')
    return Suite(found, outcomes)


def read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding='utf-8').splitlines()]


def count(outcomes: dict[str, str]) -> str:
    counts = Counter(outcomes.values())
    return ', '.join(f'{number} {outcome}' for outcome, number in counts.most_common())


def deviations() -> dict[str, str]:
    """Read which tests are meant to fail on the fork, with the reason for each."""
    found = {}
    for line in (HERE / 'deviations.txt').read_text(encoding='utf-8').splitlines():
        test, _, reason = line.partition(' ')
        if test and not line.startswith('#'):
            found[test] = reason.strip()
    return found


def compare(plain: Suite, fork: Suite, meant: dict[str, str]) -> bool:
    """Print each difference, and tell whether all of them are meant and still exist."""
    same = found_alike(plain.found, fork.found)
    return ended_alike(plain.outcomes, fork.outcomes, meant) and same


def found_alike(plain: dict[str, set[str]], fork: dict[str, set[str]]) -> bool:
    good = True
    for package, tests in plain.items():
        lost = sorted(tests - fork[package])
        if lost:
            print(f'  NOT FOUND by trial {package}: {len(lost)} of {len(tests)}, such as {lost[0]}')
            good = False
    return good


def ended_alike(plain: dict[str, str], fork: dict[str, str], meant: dict[str, str]) -> bool:
    good = True
    for test, before in sorted(plain.items()):
        after = fork.get(test, 'not run')
        if 'not run' in (before, after):
            print(f'  NOT RUN: {test}: {before} -> {after}')
            good = False
        elif after == before:
            if test in meant:
                print(f'  no longer deviates: {test}: {after}; take it off the list')
                good = False
        elif test in meant:
            print(f'  meant: {test}: {before} -> {after}: {meant[test]}')
        else:
            print(f'  DIFFERS: {test}: {before} -> {after}')
            good = False
    for test in sorted(set(meant) - set(plain)):
        print(f'  unknown test in the list: {test}')
        good = False
    ours = {test: outcome for test, outcome in fork.items() if test not in plain}
    print(f"  the fork's own tests: {len(ours)}: {count(ours)}")
    bad = {t: outcome for t, outcome in ours.items() if outcome in ('failure', 'error', 'not run')}
    for test, outcome in sorted(bad.items()):
        print(f'  of our own: {test}: {outcome}')
    return good and not bad


def main() -> int:
    if len(sys.argv) != 3 or not os.path.isdir(os.path.join(sys.argv[1], 'master', 'buildbot')):
        print('usage: check.py CHECKOUT WHEEL (make check-upstream UPSTREAM=CHECKOUT)')
        return 2
    checkout, wheel = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    base = Path('check-upstream').resolve()
    python = base / 'venv' / 'bin' / 'python'
    pip = [str(python), '-m', 'pip', '-qq', '--disable-pip-version-check']
    if not python.exists():
        venv.create(base / 'venv', with_pip=True)
        install(python, checkout)
    subprocess.run([*pip, 'uninstall', '-y', 'buildbot-interlock'], check=True)
    packages = packages_of(checkout)
    plain = run(python, 'plain', base, packages)
    # what the fork's own tests also need; an older run may have left a venv without it
    subprocess.run([*pip, 'install', 'hypothesis', 'fissix', 'prometheus_client'], check=True)
    subprocess.run([*pip, 'install', '--no-deps', '--force-reinstall', str(wheel)], check=True)
    fork = run(python, 'fork', base, packages)
    good = compare(plain, fork, deviations())
    say('no difference' if good else 'the fork differs')
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
