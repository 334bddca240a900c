# SPDX-License-Identifier: GPL-2.0-only
"""Write the series, or the merged tree, into a checkout of Buildbot.

Usage: python -m series tree|patches CHECKOUT FOLDER

CHECKOUT is a checkout of Buildbot without changes of its own. ``tree`` leaves the whole fork merged
into its files, to be read; ``patches`` makes a branch ``interlock`` there with one commit for each
feature, and writes the patches to FOLDER. Tools in the versions that the checkout asks for are kept
in FOLDER/tools.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .fork import Fork
from .names import Refusal
from .patches import write_series
from .patches import write_tree
from .plan import Series
from .tree import Tree

HERE = Path(__file__).resolve().parent.parent
FORK = HERE.parent.parent / 'buildbot'


def main() -> int:
    if len(sys.argv) != 4 or sys.argv[1] not in ('tree', 'patches'):
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
        if sys.argv[1] == 'tree':
            tree.base()
            before = tree.settle_types(None)
            write_tree(tree, fork, series, len(series.commits) - 1)
            series.check_used()
            tree.settle_types(before, fork.members())
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
