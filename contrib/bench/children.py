# SPDX-License-Identifier: GPL-2.0-only
"""Measures in separate processes, several at a time, with a line that shows the progress."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import Any
from typing import NamedTuple
from typing import Sequence


class Child(NamedTuple):
    """One thing to be measured. It is not the process.

    :param words: arguments of the script after ``--child``; it prints a JSON object for them.
    :param plain: whether to use plain Buildbot, with the overlay switched off.
    """

    words: tuple[Any, ...]
    plain: bool


def measure(script: str, children: Sequence[Child], at_once: int = 0) -> dict[Child, Any]:
    """Let a script measure several things.

    :param at_once: how many at a time; 0 stands for one per processor.
    :returns: what was printed for each of them.
    :raises SystemExit: one of them failed.
    """
    todo, running = list(children), dict[Child, Any]()
    found: dict[Child, Any] = {}
    with tempfile.TemporaryDirectory() as directory:  # the masters in memory write into it
        while todo or running:
            while todo and len(running) < (at_once or os.cpu_count() or 1):
                child = todo.pop(0)
                running[child] = _start(script, child, directory)
            print(f'\r{len(found)} of {len(children)} labs ', end='', file=sys.stderr, flush=True)
            child = next(iter(running))
            process = running.pop(child)
            output, _ = process.communicate()
            if process.returncode:
                raise SystemExit(f'the lab {child.words} failed')
            found[child] = json.loads(output.splitlines()[-1])
    print('\r', end='', file=sys.stderr)
    return found


def _start(script: str, child: Child, directory: str) -> subprocess.Popen[str]:
    env = {**os.environ, 'BUILDBOT_INTERLOCK': 'off' if child.plain else 'on'}
    command = [sys.executable, os.path.abspath(script), '--child', *map(str, child.words)]
    return subprocess.Popen(command, env=env, cwd=directory, stdout=subprocess.PIPE, text=True)
