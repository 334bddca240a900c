# SPDX-License-Identifier: GPL-2.0-only
"""Write the series, or the merged tree, into a checkout of Buildbot.

Usage: python -m series tree|patches|types CHECKOUT FOLDER

CHECKOUT is a checkout of Buildbot without changes of its own. ``tree`` leaves the whole fork merged
into its files, to be read; ``patches`` makes a branch ``interlock`` there with one commit for each
feature, and writes the patches to FOLDER; ``types`` lets mypy look at each commit of that branch.
Tools in the versions that the checkout asks for are kept in FOLDER/tools.
"""

from __future__ import annotations

import sys
from pathlib import Path

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
    if len(sys.argv) != 4 or sys.argv[1] not in ('tree', 'patches', 'types'):
        print(__doc__)
        return 2
    try:
        series = Series(HERE / 'series.toml')
        folder = Path(sys.argv[3]).resolve()
        tree = Tree(Path(sys.argv[2]).resolve(), folder / 'tools')
        fork = Fork(FORK, series)
        tree.install_tools(
            [need for commit in series.commits for need in (*commit.requires, *commit.pins)]
        )
        if sys.argv[1] == 'types':
            found = doubted(tree, len(series.commits))
            print(*found, sep='\n')
            return 1 if found else 0
        if sys.argv[1] == 'tree':
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
