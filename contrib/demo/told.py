# SPDX-License-Identifier: GPL-2.0-only
"""Which lines of the master's log the demo reports, and which it must have reported."""

from __future__ import annotations

import re
from typing import Callable

#: each kind of line that is reported, and its words
WORTH_TELLING = {
    'a build that begins': (
        re.compile(r"starting build <Build (firmware-\w+) .* using worker .*worker='([\w-]+)"),
        r'a build of \1 begins on \2',
    ),
    'a request that waits for its branch': (
        re.compile(r'\] (build request \d+ of firmware-\w+ waits for version\[\S+\]) '),
        r'\1',
    ),
    'a branch that a request has waited for': (
        re.compile(r'\] (firmware-\w+ #\d+ was granted version\[\S+\]) .*( after .* s), in line'),
        r'\1\2',
    ),
    'a group that waits for the board': (
        re.compile(r'\] (firmware-\w+ #\d+ / test waits for jtag\[\S+\]) '),
        r'\1',
    ),
    'a group that has the board': (
        re.compile(r'\] (firmware-\w+ #\d+ / test was granted jtag\[\S+\]) .*( after .* s)'),
        r'\1\2',
    ),
    'a group that lets the board go': (
        re.compile(r'\] (firmware-\w+ #\d+ / test released jtag\[\S+\]) .*( after .* s)'),
        r'\1\2',
    ),
    'what people do by hand': (
        re.compile(r'\] (\w+(?:\[\S+\])?: (?:ann|bob) .*)'),
        r'\1',
    ),
    'a build that ends': (
        re.compile(r'<Build (firmware-\w+) number:(\d+) results:(\w+)>: build finished'),
        r'\1 #\2 finished: \3',
    ),
}
#: is reported, too, and should never be in the log
TROUBLE = re.compile(r'Traceback|Error')


class Told:
    """Reports lines of the log, and remembers which kinds there were. It reads no file.

    :param tell: is called with each sentence.
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self.tell = tell
        self.kinds: set[str] = set()
        self.trouble: list[str] = []

    def hear(self, line: str) -> None:
        """Report a line of the log, if it is worth it."""
        if TROUBLE.search(line):
            self.trouble.append(line)
            self.tell(line)
        for kind, (pattern, words) in WORTH_TELLING.items():
            match = pattern.search(line)
            if match:
                self.kinds.add(kind)
                self.tell(match.expand(words))

    def wrong(self) -> list[str]:
        """Say which kinds of lines were missing, and which should not have been there."""
        missing = [
            f'nothing was told of {kind}' for kind in WORTH_TELLING if kind not in self.kinds
        ]
        return [*missing, *(f'the log says: {line}' for line in self.trouble)]
