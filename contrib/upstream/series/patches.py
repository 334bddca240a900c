# SPDX-License-Identifier: GPL-2.0-only
"""The commits of the series in a checkout, and their patches."""

from __future__ import annotations

import os
import re
import time
from functools import cache
from pathlib import Path
from typing import Any
from typing import Sequence

import libcst as cst
import libcst.matchers as m

from .author import check_author
from .fork import Fork
from .fork import as_new
from .names import Function
from .names import Refusal
from .names import name_of
from .names import only_small
from .names import parse
from .names import statements_of
from .plan import Series
from .tree import Tree
from .typed import UNUSED
from .typed import more_than

BRANCH = 'interlock'
# why words may be missing in later commits only, whatever the checkout is
UNTIL = re.compile(r'until [^;,]+')


def write_series(tree: Tree, fork: Fork, series: Series, folder: Path) -> list[Path]:
    """Make a branch of a checkout with the commits of the series, and write their patches.

    :param folder: for the patches; those of an earlier run are removed.
    :returns: the patches, in order.
    :raises Refusal: the checkout has changes, or such a branch; or something cannot be merged; or
        git does not know the author of the patches.
    """
    check_author(tree)
    base = tree.base()
    tree.git('checkout', '--quiet', '-b', BRANCH)
    write_whole(tree, fork, series, base)
    tree.git('add', '--all')
    whole = tree.git('write-tree')
    missing = fork.missing(tree)
    for number, commit in enumerate(series.commits):
        print(f'series: {number + 1} of {len(series.commits)}: {commit.title}', flush=True)
        late = missing.of(fork.codes(number))
        if late:
            raise Refusal('\n'.join(late))
        write_tree(tree, fork, series, number)
        tree.git('add', '--all')
        text = f'{commit.title}\n\n{commit.message.strip()}\n'
        if commit.replacing and fork.replaces_fixes(tree, commit):
            text += f'\n{commit.replacing.strip()}\n'
        tree.git('commit', '--quiet', '--message', text)
    if tree.git('rev-parse', 'HEAD^{tree}') != whole:
        raise Refusal('the last commit is not the whole fork')
    for former in folder.glob('*.patch'):
        former.unlink()
    headers = (f'Origin: {series.origin}', 'Forwarded: no', f'Last-Update: {_today()}')
    more = [f'--add-header={header}' for header in headers]
    names = tree.git('format-patch', '--zero-commit', '-o', str(folder), *more, base)
    return [Path(name) for name in names.splitlines()]


def write_whole(tree: Tree, fork: Fork, series: Series, base: str) -> None:
    """Bring a checkout to its state after all commits, and mark what mypy doubts there.

    :param base: the commit that the checkout is at.
    """
    before = tree.doubts_before(base)
    print('series: typing what it becomes (half a minute)', flush=True)
    write_tree(tree, fork, series, len(series.commits) - 1)
    series.check_used()
    tree.mark(before, fork.members())


def doubted(tree: Tree, count: int) -> list[str]:
    """Return mypy's complaints about the commits of the series that the checkout does not have.

    :param count: how many commits the series has.
    :raises Refusal: the checkout has changes, or is not at the last of them.
    """
    base, *commits = tree.series(count)
    tree.git('checkout', '--quiet', base)
    before, found = tree.doubts_before(base), []
    for number, commit in enumerate(commits):
        tree.git('checkout', '--quiet', commit)
        print(f'series: typing {number + 1} of {count}', flush=True)
        for doubt in more_than(before, tree.doubts()):
            if not doubt.text.startswith(UNUSED):
                found.append(f'{number + 1}: {doubt.file}, line {doubt.line}: {doubt.text}')
    tree.git('checkout', '--quiet', BRANCH)
    return found


def write_tree(tree: Tree, fork: Fork, series: Series, until: int) -> None:
    """Bring a checkout to its state after the first commits of the series.

    :param until: number of the last commit that counts.
    """
    tree.begin()
    fork.merge_into(tree, until)
    for number, commit in enumerate(series.commits[: until + 1]):
        for beside in commit.folders:
            if is_for(tree, beside):
                copy_folder(tree, fork.root.parent, beside['folder'], beside.get('without', ()))
        for symbol in commit.removes:
            _remove(tree, symbol)
        for edit in commit.edits:
            path = tree.package / edit.file
            tree.write(path, edit.apply(tree.read(path) or ''))
        for replaced in commit.replaces:
            for symbol in replaced.get('removes', ()):
                _remove(tree, symbol, is_maybe_gone=True)
        for requirement in (*commit.requires, *commit.pins):
            _pin(tree, requirement)
        for requirement in commit.requires:
            _require(tree, requirement.partition('==')[0])
        for news in commit.news:
            tree.write(tree.root / 'newsfragments' / news['file'], f'{news["text"]}\n')
        for text in commit.manual:
            if is_for(tree, text):
                document(tree, series.path.parent / 'manual', text, number == until)
    tree.put()


def is_for(tree: Tree, words: dict[str, Any]) -> bool:
    """Tell whether a checkout has what a text or folder of a commit needs, if that names any."""
    return 'where' not in words or (tree.root / words['where']).exists()


def _today() -> str:
    return time.strftime('%Y-%m-%d', time.gmtime())


def _remove(tree: Tree, symbol: str, is_maybe_gone: bool = False) -> None:
    # a member of upstream's, or some rows of a test's table; see Commit
    found = re.fullmatch(r'([^:]+):(\w+)\.(\w+)(?:\[([\d,]+)\])?', symbol)
    source = tree.read(tree.package / found[1]) if found is not None else None
    if found is None or source is None:
        raise Refusal(f'{symbol} names nothing in the checkout')
    rows = tuple(int(row) for row in (found[4] or '').split(',') if row)
    changed = without_member(source, found[2], found[3], rows)
    if changed is None and is_maybe_gone:
        return
    if changed is None:
        raise Refusal(f'{symbol} names nothing in the checkout')
    tree.write(tree.package / found[1], changed)


@cache
def without_member(source: str, owner: str, name: str, rows: tuple[int, ...] = ()) -> str | None:
    """Return a module without a member of a class; None if there is no such member.

    :param name: of a method, or of an attribute that its methods set.
    :param rows: rows of the method's table; then only they are left out.
    """
    removal = _Removal(owner, name, rows)
    changed = parse(source).visit(removal)
    assert isinstance(changed, cst.Module)
    return changed.code if removal.is_done else None


class _Removal(cst.CSTTransformer):
    def __init__(self, owner: str, name: str, rows: Sequence[int]) -> None:
        self.owner, self.name, self.rows = owner, name, rows
        self.owners: list[str] = []
        self.is_done = False

    def visit_ClassDef(self, node: cst.ClassDef) -> None:
        self.owners.append(node.name.value)

    def leave_ClassDef(
        self, original_node: cst.ClassDef, updated_node: cst.ClassDef
    ) -> cst.ClassDef:
        self.owners.pop()
        if original_node.name.value != self.owner:
            return updated_node
        members: list[cst.BaseStatement] = []
        for member in statements_of(updated_node.body):
            if name_of(member) == self.name and isinstance(member, Function):
                self.is_done = True
                if self.rows:
                    members.append(self._with_less_rows(member))
            else:
                members.append(member)
        return updated_node.with_changes(body=updated_node.body.with_changes(body=members))

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine | cst.RemovalSentinel:
        small = only_small(updated_node)
        if not self.owners or self.owners[-1] != self.owner:
            return updated_node
        target = m.Attribute(value=m.Name('self'), attr=m.Name(self.name))
        found = m.Assign(targets=[m.AssignTarget(target)]) | m.AnnAssign(target)
        if small is None or not m.matches(small, found):
            return updated_node
        self.is_done = True
        return cst.RemoveFromParent()

    def _with_less_rows(self, test: Function) -> Function:
        first, *others = test.decorators
        call = first.decorator
        if not isinstance(call, cst.Call) or not isinstance(call.args[0].value, cst.List):
            raise Refusal(f'{self.owner}.{self.name} has no table')
        table = call.args[0].value
        left = [e for i, e in enumerate(table.elements) if i not in self.rows]
        args = [call.args[0].with_changes(value=table.with_changes(elements=left)), *call.args[1:]]
        changed = first.with_changes(decorator=call.with_changes(args=args))
        return test.with_changes(decorators=[changed, *others])


def copy_folder(tree: Tree, root: Path, folder: str, without: Sequence[str]) -> None:
    """Copy a folder or file to its place in a checkout, with upstream's header in Python modules.

    :param root: the fork's folder that contains it.
    :param without: names of folders and files that are left out.
    :raises Refusal: the folder is empty.
    """
    paths = [root / folder, *sorted((root / folder).rglob('*'))]
    names = [path.relative_to(root) for path in paths]
    names = [n for n in names if (root / n).is_file() and not set(without) & set(n.parts)]
    if not names:
        raise Refusal(f'{folder} is no folder of the fork')
    for name in names:
        source = (root / name).read_text(encoding='utf-8')
        is_module = name.suffix == '.py'
        tree.write(tree.root / name, as_new(source, tree.header) if is_module else source)


def _pin(tree: Tree, requirement: str) -> None:
    name = requirement.partition('==')[0]
    path = tree.root / 'requirements-ci.txt'
    lines = (tree.read(path) or '').splitlines(keepends=True)
    place = next(
        (i for i, s in enumerate(lines) if re.match(r'[A-Za-z]', s) and s.lower() > name),
        len(lines),
    )
    tree.write(path, ''.join([*lines[:place], f'{requirement}\n', *lines[place:]]))


def _require(tree: Tree, name: str) -> None:
    # what the tests need, before "parameterized", which upstream's tests need as well
    for file in ('setup.py', 'pyproject.toml'):
        path = tree.root / 'master' / file
        text = tree.read(path) or ''
        changed = re.sub(
            r'^( +)([\'"])parameterized\2,\n', rf'\1\2{name}\2,\n\g<0>', text, count=1, flags=re.M
        )
        if changed != text:
            tree.write(path, changed)


def document(tree: Tree, folder: Path, text: dict[str, str], is_new: bool = False) -> None:
    """Put a text into the manual of a checkout.

    :param folder: of our texts.
    :param text: what goes where, as in ``Commit.manual``.
    :param is_new: whether it belongs to the commit that is being made. Words that are there "until"
        a later one must be there then.
    :raises Refusal: the manual has no such place.
    """
    path = Path(os.path.normpath(tree.root / 'master' / 'docs' / text['file']))
    is_page = not text.keys() & {'old', 'before', 'entry'}
    if 'maybe' in text and not (path.parent if is_page else path).exists():
        return
    if 'old' in text:
        page = tree.read(path) or ''
        is_sure = is_new and UNTIL.fullmatch(text.get('maybe', ''))
        if 'maybe' in text and text['old'] not in page and not is_sure:
            return
        if page.count(text['old']) != 1:
            raise Refusal(f'{text["file"]} of the manual does not say {text["old"]!r} once')
        tree.write(path, page.replace(text['old'], text['new']))
        return
    ours = (folder / text['text']).read_text(encoding='utf-8') if 'text' in text else ''
    if 'before' not in text and 'entry' not in text:
        tree.write(path, ours)
        return
    lines = (tree.read(path) or '').splitlines(keepends=True)
    mark = text.get('before', text.get('behind', ''))
    # a heading is two lines
    two = [line.strip() + '\n' + below for line, below in zip(lines, [*lines[1:], ''])]
    place = next((i for i, start in enumerate(two) if start.startswith(mark)), None)
    if place is None:
        raise Refusal(f'{text["file"]} of the manual has no line {mark!r}')
    if 'entry' in text:
        indent = lines[place][: -len(lines[place].lstrip())]
        new, place = f'{indent}{text["entry"]}\n', place + 1
    else:
        new = f'{ours}\n'
    tree.write(path, ''.join([*lines[:place], new, *lines[place:]]))
