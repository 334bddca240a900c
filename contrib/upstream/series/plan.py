# SPDX-License-Identifier: GPL-2.0-only
"""The series file: which symbol of the fork belongs to which commit.

A symbol is a folder, a file, or ``file:Class``, ``file:Class.method``, ``file:function``. The most
exact name counts: ``process/build.py`` in one commit and ``process/build.py:Build.x`` in an earlier
one means that the rest of the file comes later. A symbol that no commit names is an error, and so
is a name without a symbol.

``file:Class(Base)`` is a base class that comes later than the class itself.

A method that a later commit replaces may have another form in earlier ones: that form is in the
file of the same name in ``early/``, written like the files of the fork. If several commits have
forms of their own, all but one of these have theirs in a folder there with the commit's name.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any
from typing import Iterator
from typing import NamedTuple

import libcst as cst

from .edit import Edit
from .merge import Ways
from .names import Refusal
from .names import code
from .names import name_of
from .names import parse
from .names import statements_of
from .tree import Tree

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class Commit(NamedTuple):
    """One patch of the series. It does not contain the code.

    :param name: in one word.
    :param title: first line of its message.
    :param message: what it does and why.
    :param news: newsfragments, each with a ``file`` and a ``text``.
    :param manual: texts for upstream's manual: each has a ``file`` of it, our ``text``, and the
        start of a line ``before`` which it comes (without it, it is a new page); or the ``entry``
        of a list ``behind`` another; or ``new`` words in place of ``old`` ones. ``maybe`` says why
        a checkout may not have the page, the folder of a new one, or the words. ``where`` names
        what a checkout has that needs the text.
    :param folders: what is copied unchanged from beside the fork's tree to beside ``master``: each
        a ``folder`` or file, and the names of built or fetched things in it ``without`` which it is
        copied. ``where`` is as above.
    :param replaces: the fixes whose changes it replaces, in a checkout that has them: each a
        ``fix``, and those of its tests that it ``removes`` because they contradict the commit.
    :param replacing: what its message says of that in such a checkout.
    :param removes: tests of upstream's that contradict the commit, and members that nothing uses
        any more, as ``file:Class.member``, with ``[0,1]`` for some rows of a test's table.
    :param edits: of upstream's tests that it contradicts in details, and are adapted.
    :param requires: what its tests need from the package index.
    :param pins: what that needs in turn; upstream's CI pins those versions too.
    """

    name: str
    title: str
    message: str
    news: list[dict[str, str]]
    manual: list[dict[str, str]]
    folders: list[dict[str, Any]]
    replaces: list[dict[str, Any]]
    replacing: str
    removes: list[str]
    edits: list[Edit]
    requires: list[str]
    pins: list[str]


class Series:
    """The commits, what belongs to each, and facts about the release. It changes no file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with open(path, 'rb') as f:
            data: dict[str, Any] = tomllib.load(f)
        self.origin: str = data['origin']
        self.left_out: dict[str, str] = data['left-out']
        self.kept: dict[str, str] = data['kept']
        self.skipped: dict[str, str] = data['skipped']
        self.described: dict[str, str] = data['described']
        self.renamed: list[dict[str, str]] = data['renamed']
        #: names that the checkout has changed since the release, with those that it has now
        self.new_names: dict[str, str] = {}
        self.commits: list[Commit] = []
        self._numbers: dict[str, int] = {symbol: -1 for symbol in self.left_out}
        self._early: dict[str, list[int]] = {}
        self._used: set[str] = set()
        self._known_stages: dict[str, set[int]] = {}
        self._early_read: dict[str, dict[tuple[str, int], cst.CSTNode]] = {}
        self._picked: dict[tuple[str, int], cst.Module | None] = {}
        for number, commit in enumerate(data['commit']):
            for symbol in commit.pop('symbols'):
                if symbol in self._numbers:
                    raise Refusal(f'{path.name}: {symbol} belongs to two commits')
                self._numbers[symbol] = number
            for symbol in commit.pop('early', ()):
                self._early.setdefault(symbol, []).append(number)
            for word in ('folders', 'replaces', 'removes', 'edits', 'requires', 'pins'):
                commit.setdefault(word, [])
            commit.setdefault('replacing', '')
            commit['edits'] = [
                Edit(**{**e, 'old': e['old'] if isinstance(e['old'], list) else [e['old']]})
                for e in commit['edits']
            ]
            self.commits.append(Commit(**commit))

    def commit_of(self, file: str, *names: str) -> int:
        """Return the number of the commit a symbol belongs to; -1 if it is left out.

        :param file: path in the fork's tree.
        :param names: of a class and a member of it, or of a function, or none for the file itself.
        :raises Refusal: no commit names it.
        """
        for symbol in self._from_exact_to_broad(file, names):
            if symbol in self._numbers:
                self._used.add(symbol)
                return self._numbers[symbol]
        name = ':'.join(filter(None, (file, '.'.join(names))))
        raise Refusal(f'{self.path.name}: {name} belongs to no commit')

    @staticmethod
    def _from_exact_to_broad(file: str, names: tuple[str, ...]) -> Iterator[str]:
        for end in range(len(names), 0, -1):
            yield f'{file}:{".".join(names[:end])}'
        yield file
        for parent in Path(file).parents:
            yield f'{parent.as_posix()}/'

    def check_used(self) -> None:
        """Raise Refusal if the series file names something that does not exist."""
        unknown = sorted({*self._numbers, *self._early} - self._used)
        if unknown:
            raise Refusal(f'{self.path.name}: there is no {", ".join(unknown)}')

    def ways(self, file: str) -> Ways:
        """Return how to merge methods of a file of the release that return in the middle."""
        kept, skipped, described = (
            {s.partition(':')[2]: words for s, words in table.items() if s.startswith(f'{file}:')}
            for table in (self.kept, self.skipped, self.described)
        )
        return Ways(kept, set(skipped), set(described))

    def pick(self, file: str, source: str, until: int) -> cst.Module | None:
        """Return what the first commits have of a module of the fork, or None if they have nothing.

        :param source: of the whole module.
        :param until: number of the last commit that counts.
        """
        stage = max((number for number in self._stages(file) if number <= until), default=-1)
        if (file, stage) not in self._picked:
            self._picked[file, stage] = self._module(file, source, stage)
        return self._picked[file, stage]

    def _stages(self, file: str) -> set[int]:
        # the commits that may change a file
        if file not in self._known_stages:
            self._known_stages[file] = self._find_stages(file)
        return self._known_stages[file]

    def _find_stages(self, file: str) -> set[int]:
        broad = (file, *(f'{parent.as_posix()}/' for parent in Path(file).parents))
        numbers = {self._numbers[symbol] for symbol in broad if symbol in self._numbers}
        numbers.update(n for symbol, n in self._numbers.items() if symbol.startswith(f'{file}:'))
        numbers.update(n for _, n in self._early_forms(file))
        return numbers

    def _early_forms(self, file: str) -> set[tuple[str, int]]:
        # each symbol of a file that has an early form, with the commit that brings it
        return {
            (symbol, number)
            for symbol, numbers in self._early.items()
            for number in numbers
            if symbol.startswith(f'{file}:')
        }

    def follow(self, tree: Tree) -> None:
        """Use the names of a checkout, where it has others than the release."""
        for change in self.renamed:
            text = tree.original(tree.package / change['file']) or ''
            if re.search(rf'^    {change["new"]}\b', text, re.M):
                self.new_names[change['old']] = change['new']

    def read(self, path: Path) -> str:
        """Return a text of the fork with the names that the checkout has."""
        text = path.read_text(encoding='utf-8')
        for old, new in self.new_names.items():
            text = re.sub(rf'\b{old}\b', new, text)
        return text

    def _module(self, file: str, source: str, until: int) -> cst.Module | None:
        module = parse(source)
        if file not in self._early_read:
            self._early_read[file] = self._early_members(file)
        early = self._early_read[file]
        body = []
        is_there = False
        for statement in module.body:
            name = name_of(statement)
            picked: cst.CSTNode | None = statement
            if name is not None and name != 'upstream':
                picked = self._pick(file, statement, name, until, early)
                is_there = is_there or picked is not None
            if picked is not None:
                body.append(picked)
        if not is_there and any(name_of(s) not in (None, 'upstream') for s in module.body):
            return None
        if not is_there and not 0 <= self.commit_of(file) <= until:
            return None
        return module.with_changes(body=body)

    def _early_members(self, file: str) -> dict[tuple[str, int], cst.CSTNode]:
        wanted = self._early_forms(file)
        folder = self.path.parent / 'early'
        found: dict[tuple[str, int], cst.CSTNode] = {}
        for number, commit in enumerate(self.commits):
            for symbol, form in self._members(folder / commit.name / file, file).items():
                found[symbol, number] = form
        for symbol, form in self._members(folder / file, file).items():
            numbers = {n for s, n in wanted if s == symbol and (s, n) not in found}
            found[symbol, numbers.pop() if len(numbers) == 1 else -1] = form
        if found.keys() != wanted:
            names = ', '.join(sorted({symbol for symbol, _ in found.keys() ^ wanted}))
            raise Refusal(f'{self.path.name}: {names} must be both in early/{file} and in "early"')
        return found

    def _pick(
        self,
        file: str,
        statement: Any,
        name: str,
        until: int,
        early: dict[tuple[str, int], cst.CSTNode],
    ) -> cst.CSTNode | None:
        if not isinstance(statement, cst.ClassDef):
            return self._of_now(file, (name,), statement, until, early)
        members = statements_of(statement.body)
        left: list[cst.CSTNode] = []
        for member in members:
            inner = name_of(member)
            picked: cst.CSTNode | None = member
            if inner is not None:
                picked = self._of_now(file, (name, inner), member, until, early)
            if picked is not None:
                left.append(picked)
        if any(name_of(m) is not None for m in members):
            if not any(name_of(m) is not None for m in left):
                return None
        elif not 0 <= self.commit_of(file, name) <= until:
            return None
        body = statement.body.with_changes(body=left)
        bases = [base for base in statement.bases if self._is_base(file, name, base, until)]
        return statement.with_changes(body=body, bases=bases)

    def _of_now(
        self,
        file: str,
        names: tuple[str, ...],
        statement: cst.CSTNode,
        until: int,
        early: dict[tuple[str, int], cst.CSTNode],
    ) -> cst.CSTNode | None:
        symbol = f'{file}:{".".join(names)}'
        numbers = self._early.get(symbol, ())
        if numbers:
            self._used.add(symbol)
        if 0 <= self.commit_of(file, *names) <= until:
            return statement
        number = max((number for number in numbers if number <= until), default=None)
        return None if number is None else early[symbol, number]

    def _is_base(self, file: str, name: str, base: cst.Arg, until: int) -> bool:
        symbol = f'{file}:{name}({code(base.value)})'
        if symbol not in self._numbers:
            return True
        self._used.add(symbol)
        return 0 <= self._numbers[symbol] <= until

    def _members(self, path: Path, file: str) -> dict[str, cst.CSTNode]:
        # the functions, values and members of classes in a file of early forms, by symbol
        found: dict[str, cst.CSTNode] = {}
        if path.is_file():
            for statement in parse(self.read(path)).body:
                if isinstance(statement, cst.ClassDef):
                    for member in statements_of(statement.body):
                        if name_of(member) is not None:
                            found[f'{file}:{statement.name.value}.{name_of(member)}'] = member
                elif name_of(statement) not in (None, 'upstream'):
                    found[f'{file}:{name_of(statement)}'] = statement
        return found
