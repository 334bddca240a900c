# SPDX-License-Identifier: GPL-2.0-only
"""Write the fixes of the release's own defects as patches.

Usage: python -m series.fixes CHECKOUT FOLDER

CHECKOUT is a checkout of Buildbot, which stays as it is. For each fix that it needs, FOLDER gets a
patch based on the commit that is checked out.
"""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path
from typing import Sequence

from .author import check_author
from .fix import Fix
from .fix import read_fixes
from .names import Refusal
from .tree import Tree

FIXES = Path(__file__).resolve().parent.parent / 'fixes'


def write_fixes(tree: Tree, fixes: Sequence[Fix], folder: Path) -> list[Path]:
    """Write the patch of each fix that a checkout needs, and leave the checkout as it is.

    :param folder: for the patches; those of an earlier run are removed.
    :returns: the patches.
    :raises Refusal: a fix does not fit and is not known to be mended, or git does not know the
        author of the patches.
    """
    check_author(tree)
    folder.mkdir(parents=True, exist_ok=True)
    install_ruff(tree)
    for old in folder.glob('*.patch'):
        old.unlink()
    beside = folder / 'tree'
    tree.git('worktree', 'prune')
    tree.git('worktree', 'add', '--quiet', '--force', '--detach', str(beside), 'HEAD')
    try:
        paths = [_write_patch(Tree(beside, tree.tools), fix, folder) for fix in fixes]
    finally:
        tree.git('worktree', 'remove', '--force', str(beside))
    return [path for path in paths if path is not None]


def _write_patch(tree: Tree, fix: Fix, folder: Path) -> Path | None:
    base = tree.base()
    try:
        fix.write_into(tree)
    except Refusal as e:
        if not fix.mended:
            raise Refusal(f'{fix.name}: {e}') from e
        print(f'fixes: {fix.name} is mended there: {fix.mended}', flush=True)
        return None
    tree.git('add', '--all')
    tree.git('commit', '--quiet', '--message', f'{fix.title}\n\n{fix.message.strip()}\n')
    path = folder / f'{fix.name}.patch'
    words = ('format-patch', '-1', '--stdout', '--zero-commit', '--no-signature')
    path.write_text(tree.git(*words), encoding='utf-8')
    tree.git('reset', '--quiet', '--hard', base)
    return path


def install_ruff(tree: Tree) -> None:
    """Install the formatter in the version that a checkout asks for, unless it is there."""
    if (tree.tools / 'bin' / 'ruff').is_file():
        return
    lines = (tree.root / 'requirements-ci.txt').read_text(encoding='utf-8').splitlines()
    wanted = [line for line in lines if line.startswith('ruff==')]
    print("fixes: installing the checkout's own ruff", flush=True)
    venv.create(tree.tools, with_pip=True, clear=True)
    pip = [str(tree.tools / 'bin' / 'pip'), '--quiet', '--disable-pip-version-check']
    subprocess.run([*pip, 'install', *wanted], check=True)


def main() -> int:
    if len(sys.argv) != 3:
        print(__doc__)
        return 2
    folder = Path(sys.argv[2]).resolve()
    try:
        tree = Tree(Path(sys.argv[1]).resolve(), folder / 'tools')
        for path in write_fixes(tree, read_fixes(FIXES), folder):
            print(f'fixes: {path}')
    except Refusal as e:
        print(f'fixes: {e}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
