# SPDX-License-Identifier: GPL-2.0-only
"""Write the fixes of the release's own defects as patches.

Usage: python -m series.fixes CHECKOUT FOLDER

CHECKOUT is a checkout of Buildbot, which stays as it is. For each fix that it needs, FOLDER gets a
patch upon the commit that is checked out.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .fix import read_fixes
from .fix import write_fixes
from .names import Refusal
from .tree import Tree

FIXES = Path(__file__).resolve().parent.parent / 'fixes'


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
