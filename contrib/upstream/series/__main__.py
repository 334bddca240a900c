# SPDX-License-Identifier: GPL-2.0-only
"""Write the series, or the merged tree, into a checkout of Buildbot.

Usage: python -m series tree|patches|types CHECKOUT FOLDER
       python -m series tests CHECKOUT FOLDER [--changed] [--help]

CHECKOUT is a checkout of Buildbot without changes of its own. ``tree`` merges the whole fork into
its files, for reading; ``patches`` makes a branch ``interlock`` there with one commit for each
feature, and writes the patches to FOLDER; ``types`` runs mypy on each commit of that branch;
``tests`` runs upstream's own tests and linter on each, in a clone. Tools in the versions that the
checkout asks for are kept in FOLDER/tools.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from . import suite
from .fix import read_fixes
from .fixes import FIXES
from .fork import Fork
from .names import Refusal
from .patches import doubted
from .patches import write_series
from .patches import write_whole
from .plan import Series
from .tree import Tree

HERE = Path(__file__).resolve().parent.parent
FORK = HERE.parent.parent / 'buildbot'


def main() -> int:
    command, *words = sys.argv[1:] or ['']
    is_tests = command == 'tests' and len(words) >= 2
    if not is_tests and (len(words) != 2 or command not in ('tree', 'patches', 'types')):
        print(__doc__)
        return 2
    # Syntax trees have no circles and all are kept; searching for circles takes a fifth of a run.
    gc.disable()
    try:
        series = Series(HERE / 'series.toml')
        folder = Path(words[1]).resolve()
        tree = Tree(Path(words[0]).resolve(), folder / 'tools')
        series.follow(tree)
        fork = Fork(FORK, series, read_fixes(FIXES))
        tree.install_tools(
            [need for commit in series.commits for need in (*commit.requires, *commit.pins)]
        )
        if is_tests:
            return suite.main(tree, len(series.commits), folder / 'suite', words[2:])
        if command == 'types':
            found = doubted(tree, len(series.commits))
            print(*found, sep='\n')
            return 1 if found else 0
        if command == 'tree':
            write_whole(tree, fork, series, tree.base())
            tree.git('reset', '--quiet', 'HEAD')
            print(f'series: the merged tree is in {tree.root}')
        else:
            for path in write_series(tree, fork, series, folder):
                print(f'series: {path}')
    except Refusal as e:
        print(f'series: {e}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
