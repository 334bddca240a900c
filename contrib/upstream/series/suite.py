# SPDX-License-Identifier: GPL-2.0-only
"""Upstream's own checks at each commit of the series: its tests, its linter, its manual."""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any
from typing import Iterable
from typing import Sequence

from .changed import Change
from .changed import is_test
from .fix import read_fixes
from .fixes import FIXES
from .names import Refusal
from .runs import Runs
from .tree import Tree

OUTCOMES = Path(__file__).resolve().parent.parent / 'outcomes.py'
WHOLE = 'buildbot.test'
NONE = 'none'
BAD = ('failure', 'error')


class Suite:
    """A clone of a checkout with the series, in which its commits are tried. It changes no commit.

    :param tree: the checkout; it stays as it is.
    :param count: how many commits the series has there.
    :param folder: for the clone, and for the results of earlier runs.
    :param words: of the command line.
    """

    def __init__(self, tree: Tree, count: int, folder: Path, words: argparse.Namespace) -> None:
        self.folder, self.words = folder, words
        self.base, *self.commits = tree.series(count)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / 'tree').is_dir():
            # it keeps what has run when the checkout is made anew
            tree.git('clone', '--quiet', str(tree.root), str(folder / 'tree'))
        self.clone = Tree(folder / 'tree', tree.tools)
        self.clone.git('fetch', '--quiet', str(tree.root), 'HEAD')
        self._before = folder / f'before-{self.base}.json'
        #: outcomes, before the series, of the packages and modules that have run
        self.before: dict[str, dict[str, str]] = {}
        if self._before.is_file():
            self.before = json.loads(self._before.read_text(encoding='utf-8'))
        self._good = folder / 'good'
        self._runs = Runs(folder / 'runs', words.only)
        #: what is known of the tree with which the commit is compared
        self.last: dict[str, Any] = {}
        # what has failed at the checkout, or at an earlier commit
        self._known: set[str] = set()

    def check(self) -> bool:
        """Try the commits that have not been tried with success, and say which fail and how.

        :returns: whether all of them are good.
        """
        good = set(self._good.read_text().split('\n')) if self._good.is_file() else set()
        first, last = self.words.first, self.words.last or len(self.commits)
        self._known |= self._others(self.base)
        failed = []
        for number in range(first, last + 1):
            commit = self.commits[number - 1]
            title = self._title(commit)
            same = self._all if self.words.changed else self._names_of(number)
            key = f'{self.clone.git("rev-parse", f"{commit}^{{tree}}").strip()} {same}'
            key += f' {self.words.manual}{" changed" if self.words.changed else ""}'
            print(f'series: testing {number} of {len(self.commits)}: {title}', flush=True)
            if key in good:
                continue
            faults = self._faults(commit, self._names_of(number))
            for fault in sorted(faults):
                print(f'  {number}: {fault}', flush=True)
            if faults:
                failed.append(number)
                continue
            with open(self._good, 'a', encoding='utf-8') as f:
                f.write(f'{key}\n')
        print(f'series: {", ".join(map(str, failed)) or "none"} failed', flush=True)
        return not failed

    def _faults(self, commit: str, names: Sequence[str]) -> set[str]:
        # a test that fails gets another chance alone
        self._run_before(self._all if self.words.changed else names)
        before = {test: end for ends in self.before.values() for test, end in ends.items()}
        was_bad = {test for test, end in before.items() if end in BAD}
        outcomes = self._outcomes(commit, names)
        if self.words.changed and self._all:
            self._keep(commit, outcomes)
        found = bad(outcomes) - was_bad
        again = self._outcomes(commit, sorted(test for test in found if ' ' not in test))
        found = {test for test in found if again.get(test, 'error') in BAD}
        new = (found | self._others(commit)) - self._known
        self._known |= new
        return new

    @property
    def _all(self) -> list[str]:
        # what trial is told to run if all of it counts
        return [self.words.only] if self.words.only != NONE else []

    def _title(self, commit: str) -> str:
        return self.clone.git('log', '-1', '--format=%s', commit).strip()

    def _has(self, tree: str) -> bool:
        try:
            self.clone.git('cat-file', '-e', tree)
        except Refusal:
            return False
        return True

    def _names_of(self, number: int) -> list[str]:
        # what trial is told to run at a commit
        if self.words.fixes:
            tests = {Path('buildbot/test', fix.test) for fix in read_fixes(FIXES)}
            return sorted('.'.join(path.with_suffix('').parts) for path in tests)
        if not self.words.changed or not self._all:
            return self._all
        # compared with the commit before it, or with itself in a series of before, whatever is less
        titles = [self._title(each) for each in [self.base, *self.commits][number - 1 : number + 1]]
        known = [run for run in map(self._runs.of, titles) if run and self._has(run['tree'])]
        if not known:
            self.last = {}
            return [self.words.only]
        commit = self.commits[number - 1]
        found = [(self._changed(run, commit), run) for run in known]
        names, self.last = min(found, key=lambda pair: len(pair[0]))
        print(f'  {len(names)} of {len(self.last["calls"]) - 1} test modules', flush=True)
        return names

    def _changed(self, run: dict[str, Any], commit: str) -> list[str]:
        # the test modules that can end otherwise than in a run of before
        git, last = self.clone.git, run['tree']
        paths = git('diff', '--name-only', '--no-renames', last, commit).splitlines()
        files = {path: (self._text(last, path), self._text(commit, path)) for path in paths}
        change = Change(files)
        listed = set(git('ls-tree', '-r', '--name-only', commit).splitlines())
        calls, bad_ones = run['calls'], run['bad']
        importers = self._importers(commit, change.modules)
        found = set()
        for name in calls.keys() - {''}:
            path = f'master/{name.replace(".", "/")}.py'
            if path in listed:
                again = name in bad_ones or change.concerns(path, calls[name], calls[''], importers)
                found.update([name] if again else [])
        for path in listed & set(paths):
            # trial does not find modules in a folder that is no package
            if is_test(path) and f'{Path(path).parent}/__init__.py' in listed:
                found.add('.'.join(Path(path).with_suffix('').parts[1:]))
        return sorted(n for n in found if f'{n}.'.startswith(f'{self.words.only}.'))

    def _importers(self, commit: str, modules: Iterable[str]) -> set[str]:
        # these files, and those that import them
        found = set(modules)
        for path in modules:
            package, _, name = path.removesuffix('.py').removesuffix('/__init__').rpartition('/')
            package = package.partition('/')[2].replace('/', '.')
            pattern = rf'(from|import) {package}(\.{name}\b| import {name}\b)'
            try:
                lines = self.clone.git('grep', '-lE', pattern, commit, '--', '*.py')
            except Refusal:
                continue  # nobody does
            found.update(line.partition(':')[2] for line in lines.splitlines())
        return found

    def _text(self, commit: str, path: str) -> str | None:
        if not path.endswith('.py') or not self.clone.git('ls-tree', commit, '--', path):
            return None
        return self.clone.git('show', f'{commit}:{path}')

    def _keep(self, commit: str, outcomes: dict[str, str]) -> None:
        # what other commits are compared with
        calls = self.last.get('calls', {'': []})
        shared = set(calls[''])
        for path in self.folder.glob('outcomes-*.calls'):
            found = json.loads(path.read_text(encoding='utf-8'))
            shared |= set(found.pop('', []))
            calls.update(found)
        calls[''] = sorted(shared)
        names = [n for n in calls if n and any(t.startswith(f'{n}.') for t in bad(outcomes))]
        tree = self.clone.git('rev-parse', f'{commit}^{{tree}}').strip()
        run: dict[str, Any] = {'tree': tree, 'calls': calls, 'bad': names}
        known = tuple(f'{name}.' for name in calls if name)
        if any(not test.startswith(known) for test in bad(outcomes)):
            # a module or a run without outcomes: the next commit runs whole
            run = {}
        self._runs.keep(self._title(commit), run)

    def _run_before(self, names: Sequence[str]) -> None:
        listed = set(self.clone.git('ls-tree', '-r', '--name-only', self.base).splitlines())
        unknown = []
        for name in names:
            path = f'master/{name.replace(".", "/")}'
            if name not in self.before and listed & {f'{path}.py', f'{path}/__init__.py'}:
                unknown.append(name)
        if not unknown:
            return
        print(f'series: running {" ".join(unknown)} without the series', flush=True)
        outcomes = self._outcomes(self.base, unknown)
        for test in sorted(bad(outcomes)):
            print(f'  fails without the series: {test}', flush=True)
        self.before.update({name: {} for name in unknown})
        self.before[unknown[0]] = outcomes
        self._before.write_text(json.dumps(self.before), encoding='utf-8')

    def _outcomes(self, commit: str, names: Sequence[str]) -> dict[str, str]:
        # the outcome of each test, with a process for each processor
        if not names:
            return {}
        self._go_to(commit)
        shards = os.cpu_count() or 1
        paths = os.pathsep.join(str(self.clone.root / part) for part in ('master', 'worker', 'pkg'))
        more = {'TRACED': str(self.clone.root)} if self.words.changed else {}
        running = []
        for shard in range(shards):
            (self.folder / f'outcomes-{shard}').unlink(missing_ok=True)
            (self.folder / f'outcomes-{shard}.calls').unlink(missing_ok=True)
            words = [f'outcomes-{shard}', str(shard), str(shards), *names]
            command = [str(self.clone.tools / 'bin' / 'python'), str(OUTCOMES), *words]
            with open(self.folder / f'log-{shard}', 'w', encoding='utf-8') as log:
                running.append(
                    subprocess.Popen(
                        command,
                        cwd=self.folder,
                        # compiled files of one commit must not be used for another
                        env={
                            **os.environ,
                            'PYTHONPATH': paths,
                            'PYTHONDONTWRITEBYTECODE': '1',
                            **more,
                        },
                        stdout=log,
                        stderr=log,
                    )
                )
        for process in running:
            process.wait()
        outcomes: dict[str, str] = {}
        for shard in range(shards):
            path = self.folder / f'outcomes-{shard}'
            if not path.is_file():
                outcomes[f'trial ends without an outcome: {self.folder}/log-{shard}'] = 'error'
                continue
            lines = path.read_text(encoding='utf-8').splitlines()
            outcomes.update(json.loads(line) for line in lines)
        return outcomes

    def _others(self, commit: str) -> set[str]:
        # what ruff says, and Sphinx about the manual
        self._go_to(commit)
        tools = self.clone.tools / 'bin'
        checks: list[list[str | Path]] = [
            [tools / 'ruff', 'check', '--quiet', '--output-format=concise', '.'],
            [tools / 'ruff', 'format', '--quiet', '--check', '.'],
        ]
        if self.words.manual and self._may_change_manual(commit):
            page = self.folder / 'manual'
            checks.append([tools / 'sphinx-build', '-q', '-E', 'master/docs', page])
        found = set()
        paths = {'PYTHONPATH': str(self.clone.root / 'master')}
        for command in checks:
            done = subprocess.run(
                [str(word) for word in command],
                cwd=self.clone.root,
                env={**os.environ, **paths},
                capture_output=True,
                text=True,
                check=False,
            )
            for line in (done.stdout + done.stderr).splitlines():
                # its place changes from commit to commit
                text = re.sub(r'(:\d+)+', '', line.replace(f'{self.clone.root}/', '')).strip()
                found.update([f'{Path(command[0]).name}: {text}'] if text else [])
        return found

    def _may_change_manual(self, commit: str) -> bool:
        # the manual is made of its pages, and of what the API says of itself
        if commit == self.base or not self.words.changed:
            return True
        parts = ('master/docs', 'master/buildbot/spec')
        return bool(self.clone.git('diff', '--name-only', f'{commit}~', commit, '--', *parts))

    def _go_to(self, commit: str) -> None:
        self.clone.git('checkout', '--quiet', '--force', '--detach', commit)
        # newer checkouts import it, and their build makes it
        (self.clone.package / '_version.py').write_text("version = '0'\n", encoding='utf-8')
        # what pip would write: entry points of plugins, which commits change, and a version
        python = str(self.clone.tools / 'bin' / 'python')
        for part in ('master', 'worker'):
            if (self.clone.root / part).is_dir():
                subprocess.run(
                    [python, 'setup.py', '--quiet', 'egg_info'],
                    cwd=self.clone.root / part,
                    capture_output=True,
                    check=True,
                )


def bad(outcomes: dict[str, str]) -> set[str]:
    return {test for test, outcome in outcomes.items() if outcome in BAD}


def main(tree: Tree, count: int, folder: Path, words: Sequence[str]) -> int:
    """Try commits of the series in a checkout.

    :param folder: for the results of earlier runs.
    :param words: of the command line, after those that each command takes.
    """
    parser = argparse.ArgumentParser(prog='python -m series tests CHECKOUT FOLDER')
    parser.add_argument('--only', default=WHOLE, metavar='PACKAGE', help='its tests alone, or none')
    parser.add_argument('--from', dest='first', type=int, default=1, help='the first commit')
    parser.add_argument('--to', dest='last', type=int, help='the last commit')
    parser.add_argument('--changed', action='store_true', help='run what can end otherwise alone')
    parser.add_argument('--fixes', action='store_true', help='run the modules of their tests alone')
    parser.add_argument('--manual', action='store_true', help='build the manual, too')
    parsed = parser.parse_args(words)
    wanted = ['setuptools>=80']
    if parsed.manual:
        wanted += ['-r', str(tree.root / 'requirements-cidocs.txt')]
    pip = [str(tree.tools / 'bin' / 'python'), '-m', 'pip', '--disable-pip-version-check']
    subprocess.run([*pip, '--quiet', 'install', *wanted], check=True)
    return 0 if Suite(tree, count, folder, parsed).check() else 1
