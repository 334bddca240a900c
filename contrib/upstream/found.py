# SPDX-License-Identifier: GPL-2.0-only
"""Write which tests trial finds in packages, one JSON line per package: its name, the ids.

Usage: python found.py FILE PACKAGE...

Each package is searched in a process of its own, as by ``trial PACKAGE``: modules that have been
imported before change what is found.
"""

from __future__ import annotations

import json
import multiprocessing
import sys
from typing import Any
from typing import Iterator

from twisted.trial import runner


def suite_of(*packages: str) -> Any:
    return runner.TestLoader().loadByNames(list(packages), recurse=True)


def cases_of(suite: Any) -> Iterator[Any]:
    try:
        inner = iter(suite)
    except TypeError:  # a test case, or a stand-in for a module that could not be loaded
        yield suite
    else:
        for case in inner:
            yield from cases_of(case)


def found(package: str) -> list[str]:
    return [case.id() for case in cases_of(suite_of(package))]


def main() -> int:
    path, *packages = sys.argv[1:]
    with multiprocessing.Pool(maxtasksperchild=1) as pool:
        ids = pool.map(found, packages, chunksize=1)
    with open(path, 'w', encoding='utf-8') as f:
        f.writelines(json.dumps(item) + '\n' for item in zip(packages, ids))
    return 0


if __name__ == '__main__':
    sys.exit(main())
