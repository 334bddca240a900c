# SPDX-License-Identifier: GPL-2.0-only
"""A checkout of Buildbot, into which the fork is merged."""

from __future__ import annotations

import re
import subprocess
import venv
from functools import cache
from pathlib import Path
from typing import Container
from typing import Iterable
from typing import Sequence

import libcst as cst
import libcst.matchers as m

from .merge import Order
from .merge import is_overlaid
from .merge import is_package_of_overlay
from .merge import merge_module
from .merge import order_of
from .names import Refusal
from .names import is_docstring
from .names import only_small
from .names import statements_of
from .plan import Series
from .setupfile import entry_points
from .setupfile import extend_setup
from .typed import Doubt
from .typed import doubts
from .typed import settle
from .typed import with_annotations

REPLACES = ('New: ', 'Replaced wholly: ')


class Tree:
    """A checkout of Buildbot.

    :param root: its folder.
    :param tools: a folder for the tools in the versions that the checkout asks for.
    :raises Refusal: it is no checkout of Buildbot.
    """

    def __init__(self, root: Path, tools: Path) -> None:
        self.root, self.tools = root, tools
        self.package = root / 'master' / 'buildbot'
        if not (self.package / 'locks.py').is_file():
            raise Refusal(f'{root} is no checkout of Buildbot')
        lines = (self.package / 'master.py').read_text(encoding='utf-8').splitlines(keepends=True)
        end = next(i for i, line in enumerate(lines) if not line.startswith('#'))
        #: what upstream begins its files with
        self.header = ''.join(lines[:end]) + '\n'
        self.touched: set[Path] = set()

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

    def original(self, path: Path, base: str) -> str | None:
        """Return the text of a file as it is in a commit; None if it is not there."""
        name = path.relative_to(self.root).as_posix()
        if not self.git('ls-tree', base, '--', name):
            return None
        return self.git('show', f'{base}:{name}')

    def write(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
        self.touched.add(path)

    def tidy(self) -> None:
        """Order and shorten the imports of what was written, and format it as upstream does."""
        ruff = str(self.tools / 'bin' / 'ruff')
        files = [str(p) for p in sorted(self.touched) if p.suffix == '.py']
        fix = ['--fix', '--unsafe-fixes', '--quiet', '--exit-zero', '--select']
        # A block for types that has become empty goes before another rule puts something to its
        # "pass"; and what is moved for one rule may be in another's way.
        chosen = 'I,UP035,F401,F811,TC001,TC002,TC003,TC004,TC005'
        checks = [['check', *fix, rules] for rules in ('F401,TC005', chosen, chosen)]
        for command in (*checks, ['format', '--quiet']):
            subprocess.run([ruff, *command, *files], cwd=self.root, check=True)
        self.touched.clear()

    def install_tools(self, besides: Sequence[str]) -> None:
        """Install ruff, mypy and what else the checkout asks for, if they are not there.

        :param besides: what our tests need, too.
        """
        if (self.tools / 'complete').is_file():
            return
        text = (self.root / 'requirements-ci.txt').read_text(encoding='utf-8')
        lines = [line for line in text.splitlines() if not line.startswith(('-e', 'buildbot'))]
        print("series: installing the checkout's own tools (a minute or two)", flush=True)
        venv.create(self.tools, with_pip=True, clear=True)
        wanted = self.tools / 'requirements.txt'
        wanted.write_text('\n'.join([*lines, *besides]) + '\n', encoding='utf-8')
        pip = [str(self.tools / 'bin' / 'pip'), '--quiet', '--disable-pip-version-check']
        subprocess.run([*pip, 'install', '-r', str(wanted)], check=True)
        (self.tools / 'complete').touch()

    def settle_types(
        self, base: Sequence[Doubt] | None, members: Container[str] = ()
    ) -> list[Doubt]:
        """Mark the lines that mypy doubts more than before.

        :param base: what it said before; None if this is before.
        :param members: of the classes of the fork, which must not be missing.
        :returns: what it says of the checkout as it was.
        """
        mypy = str(self.tools / 'bin' / 'mypy')
        found = doubts(self.root, mypy, self.tools / 'cache')
        if base is not None:
            self.touched.update(settle(self.root, found, base, members))
            self.tidy()
        return found


class Fork:
    """The files of the fork, and what they become in a checkout."""

    def __init__(self, root: Path, series: Series) -> None:
        self.root, self.series = root, series
        self._orders: dict[str, Order] = {}
        self.files = sorted(
            path.relative_to(root).as_posix()
            for path in root.rglob('*')
            if path.suffix in ('.py', '.cfg')
        )

    def members(self) -> set[str]:
        """Return what its classes have, as ``Class.member``."""
        found: set[str] = set()
        for file in self.files:
            if file.endswith('.py'):
                for name, members in order_of((self.root / file).read_text('utf-8')).items():
                    found.update(f'{name}.{member}' for member in members)
        return found

    def merge_into(self, tree: Tree, base: str, until: int) -> None:
        """Write what the first commits of the series make of a checkout.

        :param base: the commit that the series starts from.
        :param until: number of the last commit that counts.
        :raises Refusal: something cannot be merged.
        """
        sources = {file: (self.root / file).read_text(encoding='utf-8') for file in self.files}
        picked: dict[str, str] = {}
        refused = []
        for file, source in sources.items():
            if file.endswith('.py') and is_package_of_overlay(source):
                if tree.original(tree.package / file, base) is None:
                    refused.append(f'{file}: the checkout has no such package')
                continue
            part: str | None = source
            if file.endswith('.py'):
                part = self.series.pick(file, source, until)
            elif not 0 <= self.series.commit_of(file) <= until:
                part = None
            if part is not None:
                picked[file] = part
        mentioned = _mentioned(s for f, s in picked.items() if f.endswith('.py'))
        for file, source in list(picked.items()):
            if file.endswith('.py'):
                part = _without_idle_attributes(source, mentioned)
                try:
                    whole = sources[file] if until < len(self.series.commits) - 1 else None
                    source = self._module(tree, base, file, part, whole)
                except Refusal as e:
                    refused.append(str(e))
            picked[file] = source
        if refused:
            raise Refusal('\n'.join(refused))
        for file, source in picked.items():
            tree.write(tree.package / file, source)
        self._extend_setup(tree, base, picked, until)

    def _extend_setup(self, tree: Tree, base: str, picked: dict[str, str], until: int) -> None:
        path = tree.root / 'master' / 'setup.py'
        source = tree.original(path, base) or ''
        packages = [
            f'buildbot.{Path(file).parent.as_posix().replace("/", ".")}'
            for file in picked
            if file.endswith('/__init__.py')
        ]
        points = []
        for point in entry_points(self.root.parent / 'setup.py'):
            package, _, module = point.module.partition('.')
            if package != 'buildbot':
                continue
            file = module.replace('.', '/') + '.py'
            if 0 <= self.series.commit_of(file, point.name) <= until:
                points.append(point)
        if packages or points:
            tree.write(path, extend_setup(source, packages, points))

    def _module(self, tree: Tree, base: str, file: str, source: str, whole: str | None) -> str:
        source = with_annotations(self._for(tree, base, source))
        theirs = tree.original(tree.package / file, base)
        if not is_overlaid(source):
            return as_new(source, tree.header)
        if theirs is None:
            raise Refusal(f'{file}: the checkout has no such file')
        ways = self.series.ways(file)
        if whole is not None and file not in self._orders:
            all_of_it = self.series.pick(file, whole, len(self.series.commits) - 1) or ''
            all_of_it = with_annotations(all_of_it)
            self._orders[file] = order_of(merge_module(all_of_it, theirs, file, ways))
        return merge_module(source, theirs, file, ways, self._orders.get(file))

    def _for(self, tree: Tree, base: str, source: str) -> str:
        # names that the release has changed since
        for change in self.series.renamed:
            text = tree.original(tree.package / change['file'], base) or ''
            if re.search(rf'^    {change["new"]}\b', text, re.M):
                source = re.sub(rf'\b{change["old"]}\b', change['new'], source)
        return source


@cache
def as_new(source: str, header: str) -> str:
    """Return a module of ours as a new one of upstream's, with upstream's header."""
    module = cst.parse_module(source)
    body = list(module.body)
    if body and is_docstring(body[0]):
        small = only_small(body[0])
        assert isinstance(small, cst.Expr) and isinstance(small.value, cst.SimpleString)
        text = small.value.value
        for word in REPLACES:
            if text.startswith(f'"""{word}'):
                rest = text[3 + len(word) :]
                text = f'"""{rest[0].upper()}{rest[1:]}'
        body[0] = body[0].with_changes(body=[cst.Expr(cst.SimpleString(text))])
    return header + module.with_changes(header=[], body=body).code.lstrip('\n')


class _Mentioned(cst.CSTVisitor):
    def __init__(self) -> None:
        self.names: set[str] = set()
        self.in_init = 0

    def visit_Attribute(self, node: cst.Attribute) -> None:
        self.names.add(node.attr.value)

    def visit_SimpleString(self, node: cst.SimpleString) -> None:
        self.names.add(node.value.strip('\'"'))


def _mentioned(sources: Iterable[str]) -> set[str]:
    # the attributes that some modules speak of, their first assignments in __init__ apart
    return {name for source in sources for name in _names_mentioned(source)}


@cache
def _names_mentioned(source: str) -> frozenset[str]:
    visitor = _Mentioned()
    cst.parse_module(source).visit(_Init(None)).visit(visitor)
    return frozenset(visitor.names)


def _without_idle_attributes(source: str, mentioned: set[str]) -> str:
    # an attribute is set where nothing speaks of it yet: it comes with who does
    if not is_overlaid(source):
        return source
    changed = cst.parse_module(source).visit(_Init(mentioned))
    assert isinstance(changed, cst.Module)
    return changed.code


class _Init(cst.CSTTransformer):
    # takes from each __init__ that calls up the attributes that are not mentioned; or all
    def __init__(self, mentioned: set[str] | None) -> None:
        self.mentioned = mentioned

    def leave_FunctionDef(
        self, original_node: cst.FunctionDef, updated_node: cst.FunctionDef
    ) -> cst.FunctionDef:
        if original_node.name.value != '__init__':
            return updated_node
        body = [s for s in statements_of(updated_node.body) if not self._is_idle(s)]
        return updated_node.with_changes(body=updated_node.body.with_changes(body=body))

    def _is_idle(self, statement: cst.BaseStatement) -> bool:
        small = only_small(statement)
        if isinstance(small, cst.Assign):
            target: cst.BaseExpression = small.targets[0].target
        elif isinstance(small, cst.AnnAssign):
            target = small.target
        else:
            return False
        if not m.matches(target, m.Attribute(value=m.Name('self'))):
            return False
        assert isinstance(target, cst.Attribute)
        return self.mentioned is None or target.attr.value not in self.mentioned
