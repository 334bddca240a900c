# SPDX-License-Identifier: GPL-2.0-only
"""Write the series, or the merged tree, into a checkout of Buildbot.

Usage: python -m series tree|patches CHECKOUT TOOLS

CHECKOUT is a checkout of Buildbot without changes of its own. ``tree`` leaves the whole fork merged
into its files; ``patches`` makes a branch with one commit for each feature, and the patches of it.
TOOLS is a folder for tools in the versions that the checkout asks for.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .names import Refusal
from .plan import Series
from .tree import Fork
from .tree import Tree

HERE = Path(__file__).resolve().parent.parent
FORK = HERE.parent.parent / 'buildbot'


def main() -> int:
    if len(sys.argv) != 4 or sys.argv[1] not in ('tree', 'patches'):
        print(__doc__)
        return 2
    try:
        series = Series(HERE / 'series.toml')
        tree = Tree(Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve())
        fork = Fork(FORK, series)
        if sys.argv[1] == 'tree':
            base = tree.git('rev-parse', 'HEAD').strip()
            fork.merge_into(tree, base, len(series.commits) - 1)
            series.check_used()
            tree.tidy()
    except Refusal as e:
        print(f'series: {e}', file=sys.stderr)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
