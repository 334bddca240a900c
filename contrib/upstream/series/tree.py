# SPDX-License-Identifier: GPL-2.0-only
"""A checkout of Buildbot, into which the fork is merged."""

from __future__ import annotations

import json
import subprocess
import venv
from pathlib import Path
from typing import Container
from typing import Sequence

from .names import Refusal
from .typed import Doubt
from .typed import Mark
from .typed import doubts
from .typed import marks_for
from .typed import with_marks


class Tree:
    """A checkout of Buildbot, and what each commit makes of it. It does not know the series.

    Each commit is written anew from the original checkout; a text that is the same in two commits
    is formatted only once.

    :param root: its folder.
    :param tools: a folder for the tools in the versions that the checkout asks for.
    :raises Refusal: it is not a checkout of Buildbot.
    """

    def __init__(self, root: Path, tools: Path) -> None:
        self.root, self.tools = root, tools
        self.package = root / 'master' / 'buildbot'
        if not (self.package / 'locks.py').is_file():
            raise Refusal(f'{root} is no checkout of Buildbot')
        lines = (self.package / 'master.py').read_text(encoding='utf-8').splitlines(keepends=True)
        end = next(i for i, line in enumerate(lines) if not line.startswith('#'))
        #: the beginning of upstream's files
        self.header = ''.join(lines[:end]) + '\n'
        # what files were, what the commit makes of them, and what they are now
        self._originals: dict[Path, str | None] = {}
        self._written: dict[Path, str] = {}
        self._there: dict[Path, str] = {}
        self._tidied: dict[tuple[Path, str], str] = {}
        self._marks: dict[Path, list[Mark]] = {}

    def git(self, *args: str) -> str:
        done = subprocess.run(
            ['git', '-C', str(self.root), *args], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Refusal(f'git {args[0]} in {self.root}: {done.stderr.strip()}')
        return done.stdout

    def base(self) -> str:
        """Return the commit that is checked out.

        :raises Refusal: there are changes of its own.
        """
        if self.git('status', '--porcelain').strip():
            raise Refusal(f'{self.root} has changes of its own')
        return self.git('rev-parse', 'HEAD').strip()

    def series(self, count: int) -> list[str]:
        """Return the commit before the series and those of the series.

        :param count: how many commits the series has.
        :raises Refusal: the checkout has changes of its own.
        """
        found = self.git('rev-list', '--reverse', f'--max-count={count + 1}', self.base())
        return found.split()

    def original(self, path: Path) -> str | None:
        """Return the text of a file in the original checkout; None if it was not there."""
        if path not in self._originals:
            there = path.is_file()
            self._originals[path] = path.read_text(encoding='utf-8') if there else None
        return self._originals[path]

    def read(self, path: Path) -> str | None:
        """Return the text that the commit has given a file so far; None if it is not there."""
        return self._written[path] if path in self._written else self.original(path)

    def write(self, path: Path, text: str) -> None:
        """Give a file another text in this commit; ``put`` writes it to the disk."""
        self.original(path)
        self._written[path] = text

    def begin(self) -> None:
        """Forget what was written: the next commit starts from the original checkout."""
        self._written.clear()

    def put(self) -> None:
        """Write the files to the disk, sorted and formatted as upstream's are.

        :raises Refusal: one of them uses a name that it does not have.
        """
        untidy = [
            path
            for path, text in self._written.items()
            if path.suffix == '.py' and (path, text) not in self._tidied
        ]
        for path in untidy:
            self._put(path, self._written[path])
        self._tidy(untidy)
        marked = [path for path in untidy if path in self._marks]
        for path in marked:
            text = with_marks(path.read_text(encoding='utf-8'), self._marks[path])
            path.write_text(text, encoding='utf-8')
        self._tidy(marked)
        for path in untidy:
            self._there[path] = path.read_text(encoding='utf-8')
            self._tidied[path, self._written[path]] = self._there[path]
        for path, text in self._written.items():
            self._put(path, self._tidied.get((path, text), text))
        for path in self._there.keys() - self._written.keys():
            original = self._originals[path]
            if original is not None:
                self._put(path, original)
            else:
                path.unlink()
            del self._there[path]

    def _put(self, path: Path, text: str) -> None:
        if self._there.get(path, self._originals[path]) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding='utf-8')
        self._there[path] = text

    def _tidy(self, paths: Sequence[Path]) -> None:
        # sorts and shortens the imports, and formats; refuses a name that does not exist
        files = [str(path) for path in sorted(paths)]
        if not files:
            return
        ruff = str(self.tools / 'bin' / 'ruff')
        fix = ['--fix', '--unsafe-fixes', '--quiet', '--exit-zero', '--select']
        # A block for types that has become empty must go before another rule adds to its "pass";
        # and what one rule moves may be in the way of another.
        chosen = 'I,UP035,F401,F811,TC001,TC002,TC003,TC004,TC005'
        checks = [['check', *fix, rules] for rules in ('F401,TC005', chosen, chosen)]
        for command in (*checks, ['format', '--quiet']):
            subprocess.run([ruff, *command, *files], cwd=self.root, check=True)
        look = [ruff, 'check', '--quiet', '--output-format=concise', '--select', 'F821', *files]
        done = subprocess.run(look, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refusal(done.stdout.strip())

    def install_tools(self, besides: Sequence[str]) -> None:
        """Install ruff, mypy and what else the checkout asks for, unless these are there.

        If other versions are there, which an earlier checkout has asked for, they go.

        :param besides: what our tests need, too.
        """
        text = (self.root / 'requirements-ci.txt').read_text(encoding='utf-8')
        lines = [line for line in text.splitlines() if not line.startswith(('-e', 'buildbot'))]
        # the last commit of the series asks for these itself
        wanted = '\n'.join(sorted({*lines, *besides})) + '\n'
        path, complete = self.tools / 'requirements.txt', self.tools / 'complete'
        if complete.is_file() and path.read_text(encoding='utf-8') == wanted:
            return
        print("series: installing the checkout's own tools (a minute or two)", flush=True)
        venv.create(self.tools, with_pip=True, clear=True)
        path.write_text(wanted, encoding='utf-8')
        pip = [str(self.tools / 'bin' / 'pip'), '--quiet', '--disable-pip-version-check']
        subprocess.run([*pip, 'install', '-r', str(path)], check=True)
        complete.touch()

    def doubts(self) -> list[Doubt]:
        """Return mypy's complaints about the checkout as it is now."""
        return doubts(self.root, str(self.tools / 'bin' / 'mypy'), self.tools / 'cache')

    def doubts_before(self, base: str) -> list[Doubt]:
        """Return mypy's complaints about the original checkout.

        :param base: its commit; the complaints about it are kept beside the tools.
        """
        kept = self.tools / f'doubts-{base}.json'
        if not kept.is_file():
            print('series: typing the checkout as it is (a minute)', flush=True)
            kept.write_text(json.dumps(self.doubts()), encoding='utf-8')
        return [Doubt(*doubt) for doubt in json.loads(kept.read_text(encoding='utf-8'))]

    def mark(self, before: Sequence[Doubt], members: Container[str]) -> None:
        """Mark the lines that mypy newly doubts, from now on wherever they are.

        :param before: its complaints about the original checkout.
        :param members: of the classes of the fork, which must not be missing.
        """
        for file, marks in marks_for(self.root, self.doubts(), before, members).items():
            path = self.root / file
            self._marks[path] = marks
            for known in [k for k in self._tidied if k[0] == path]:
                del self._tidied[known]
        self.put()
