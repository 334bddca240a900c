# SPDX-License-Identifier: GPL-2.0-only
"""Try each patch of a folder by itself on a checkout of Buildbot.

Usage: python check_fixes.py CHECKOUT FOLDER PYTHON [NAME...]

FOLDER has the patches that ``make fixes`` has made for CHECKOUT; Buildbot's tests can run with
PYTHON. Each patch must apply; with its test alone the test must fail; with the whole patch the test
module must pass, and Buildbot's own linter must not complain. CHECKOUT stays as it is. NAMEs of
patches limit the run to these.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

RUFF = (('check', '--quiet'), ('format', '--quiet', '--check'))


def run(*words: str | Path, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    command = [str(word) for word in words]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **env}, capture_output=True, text=True, check=False
    )


def must(*words: str | Path, cwd: Path) -> str:
    done = run(*words, cwd=cwd)
    if done.returncode:
        raise SystemExit(f'check-fixes: {" ".join(map(str, words))}: {done.stderr or done.stdout}')
    return done.stdout


def files_of(patch: Path) -> list[str]:
    """Return the Python modules that a patch changes."""
    found = re.findall(r'^\+\+\+ b/(.+\.py)$', patch.read_text(encoding='utf-8'), re.M)
    return [str(name) for name in found]


def module_of(file: str) -> str:
    return file[len('master/') : -len('.py')].replace('/', '.')


def trial(python: Path, tree: Path, module: str) -> tuple[bool, str]:
    """Run a test module of a checkout; return whether it passed, and trial's output."""
    paths = os.pathsep.join(str(tree / part) for part in ('master', 'worker', 'pkg'))
    with tempfile.TemporaryDirectory() as folder:
        done = run(python, '-m', 'twisted.trial', module, cwd=Path(folder), PYTHONPATH=paths)
    text = done.stdout + done.stderr
    return done.returncode == 0, text.strip().splitlines()[-1]


def check(patch: Path, tree: Path, python: Path, ruff: Path) -> bool:
    """Try one patch in a checkout of its own.

    :returns: whether it is as it should be; what is not is printed.
    """
    files = files_of(patch)
    tests = [module_of(file) for file in files if '/test/' in file]
    must('git', 'checkout', '--quiet', '--force', '--detach', 'BASE', cwd=tree)
    faults, counts = [], []
    before = [trial(python, tree, module) for module in tests]
    faults += [f'fails without it: {last}' for passed, last in before if not passed]
    must('git', 'apply', '--include=master/buildbot/test/*', patch, cwd=tree)
    for module in tests:
        passed, last = trial(python, tree, module)
        if passed:
            faults.append(f'{module} passes with the test alone')
        counts.append(last)
    must('git', 'reset', '--quiet', '--hard', cwd=tree)
    must('git', 'am', '--quiet', patch, cwd=tree)
    for module in tests:
        passed, last = trial(python, tree, module)
        if not passed:
            faults.append(f'{module} fails: {last}')
        counts.append(last)
    for words in RUFF:
        done = run(ruff, *words, *files, cwd=tree)
        if done.returncode:
            faults.append(f'ruff {words[0]}: {done.stdout}{done.stderr}')
    size = must('git', 'diff', '--shortstat', 'HEAD~', cwd=tree).strip()
    print(f'{patch.stem}: {size}; {" -> ".join(counts)}', flush=True)
    for fault in faults:
        print(f'  WRONG: {fault}', flush=True)
    return not faults


def main() -> int:
    if len(sys.argv) < 4:
        print(__doc__)
        return 2
    checkout, folder = (Path(word).resolve() for word in sys.argv[1:3])
    patches = sorted(folder.glob('*.patch'))
    if sys.argv[4:]:
        patches = [folder / f'{name}.patch' for name in sys.argv[4:]]
    with tempfile.TemporaryDirectory() as temporary:
        tree = Path(temporary) / 'tree'
        must('git', 'clone', '--quiet', '--shared', checkout, tree, cwd=Path(temporary))
        must('git', 'tag', 'BASE', cwd=tree)
        # newer checkouts import it, and their build makes it
        (tree / 'master/buildbot/_version.py').write_text("version = '0'\n", encoding='utf-8')
        python, ruff = Path(sys.argv[3]).absolute(), folder / 'tools' / 'bin' / 'ruff'
        good = [check(patch, tree, python, ruff) for patch in patches]
    print(f'check-fixes: {sum(good)} of {len(good)} are as they should be')
    return 0 if patches and all(good) else 1


if __name__ == '__main__':
    sys.exit(main())
