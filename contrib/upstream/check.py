# SPDX-License-Identifier: GPL-2.0-only
"""Run the suite of an upstream checkout on the plain release and on the fork, and compare.

Usage: python check.py CHECKOUT WHEEL

CHECKOUT is a checkout of Buildbot at the tag v4.3.0. It is installed in a virtual environment of
its own (``check-upstream/`` in the working directory), with the versions that its own CI names.
The suite runs there twice: as it is, and with WHEEL, the fork, installed. Exit status 0 only if
every test had the same outcome, apart from those that ``deviations.txt`` names.
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

HERE = Path(__file__).resolve().parent
SHARDS = os.cpu_count() or 1


def say(text: str) -> None:
    print(f'check-upstream: {text}', flush=True)


def install(python: Path, checkout: Path) -> None:
    pip = [str(python), '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check']
    say('installing the versions that upstream tests with (a minute or two)')
    subprocess.run([*pip, '-r', str(HERE / 'requirements-4.3.0.txt')], check=True)
    # the compatible mode puts the checkout on sys.path, where trial can find its packages
    parts = [word for part in ('master', 'worker', 'pkg') for word in ('-e', str(checkout / part))]
    say(f'installing {checkout}')
    editable = ['--no-deps', '--no-build-isolation', '--config-settings', 'editable_mode=compat']
    subprocess.run([*pip, *editable, *parts], check=True)


def run(python: Path, name: str, base: Path) -> dict[str, str]:
    """Run the suite and return the outcome of each test by its id."""
    directory = base / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    say(f'{name}: running (several minutes), output in {directory}')
    running = []
    for shard in range(SHARDS):
        command = [
            str(python),
            str(HERE / 'outcomes.py'),
            f'outcomes-{shard}',
            str(shard),
            str(SHARDS),
        ]
        with open(directory / f'log-{shard}', 'w', encoding='utf-8') as log:
            running.append(subprocess.Popen([*command, 'buildbot.test'], cwd=directory, stdout=log))
    for process in running:
        process.wait()
    outcomes: dict[str, str] = {}
    for shard in range(SHARDS):
        path = directory / f'outcomes-{shard}'
        if not path.is_file():
            sys.exit(f'check-upstream: {name}: no outcome; see {directory / f"log-{shard}"}')
        with open(path, encoding='utf-8') as lines:
            outcomes.update(json.loads(line) for line in lines)
    say(f'{name}: {len(outcomes)} tests: {count(outcomes)}')
    return outcomes


def count(outcomes: dict[str, str]) -> str:
    counts = Counter(outcomes.values())
    return ', '.join(f'{number} {outcome}' for outcome, number in counts.most_common())


def deviations() -> dict[str, str]:
    """Read the tests that are meant to fail on the fork, with the reason of each."""
    found = {}
    for line in (HERE / 'deviations.txt').read_text(encoding='utf-8').splitlines():
        test, _, reason = line.partition(' ')
        if test and not line.startswith('#'):
            found[test] = reason.strip()
    return found


def compare(plain: dict[str, str], fork: dict[str, str], meant: dict[str, str]) -> bool:
    """Print each difference, and tell whether all of them are meant and still there."""
    good = True
    for test, before in sorted(plain.items()):
        after = fork.get(test, 'not run')
        if after == before:
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
    bad = {test: outcome for test, outcome in ours.items() if outcome in ('failure', 'error')}
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
    pip = [str(python), '-m', 'pip', '--quiet', '--disable-pip-version-check']
    if not python.exists():
        venv.create(base / 'venv', with_pip=True)
        install(python, checkout)
    subprocess.run([*pip, 'uninstall', '-y', 'buildbot-interlock'], check=True)
    plain = run(python, 'plain', base)
    # what the fork's own tests need besides; an older run may have left a venv without it
    subprocess.run([*pip, 'install', 'hypothesis', 'fissix'], check=True)
    subprocess.run([*pip, 'install', '--no-deps', '--force-reinstall', str(wheel)], check=True)
    fork = run(python, 'fork', base)
    good = compare(plain, fork, deviations())
    say('no difference' if good else 'the fork differs')
    return 0 if good else 1


if __name__ == '__main__':
    sys.exit(main())
