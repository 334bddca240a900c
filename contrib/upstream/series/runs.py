# SPDX-License-Identifier: GPL-2.0-only
"""What is known of earlier runs of the tests, also from before the series was made anew."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path
from typing import Any


class Runs:
    """For each commit, by its title: the tree, what each test module called, and which were bad.

    :param folder: where they are kept, each in a file.
    :param only: the package whose tests have run.
    """

    def __init__(self, folder: Path, only: str) -> None:
        self._folder, self._only = folder, only
        folder.mkdir(exist_ok=True)

    def of(self, title: str) -> dict[str, Any]:
        """Return the last run at a commit; nothing if none is known."""
        path = self._path(title)
        return json.loads(gzip.decompress(path.read_bytes())) if path.is_file() else {}

    def keep(self, title: str, run: dict[str, Any]) -> None:
        """Keep a run at a commit instead of the one before."""
        self._path(title).write_bytes(gzip.compress(json.dumps(run).encode(), 1, mtime=0))

    def _path(self, title: str) -> Path:
        return self._folder / hashlib.sha1(f'{self._only} {title}'.encode()).hexdigest()
