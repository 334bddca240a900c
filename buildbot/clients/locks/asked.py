# SPDX-License-Identifier: GPL-2.0-only
"""New: one call of ``buildbot locks``: which master it asks, and where it writes."""

from __future__ import annotations

import json
from typing import Any
from typing import Awaitable
from typing import Callable
from typing import NamedTuple
from typing import Sequence

from buildbot.clients.locks.api import Api
from buildbot.clients.locks.look import Look


class Asked(NamedTuple):
    """One call of the command. It does not know what is asked.

    :param api: of the master.
    :param write: takes lines of the answer.
    :param say: takes words for a user who waits.
    :param agree: takes lines and a question, and returns whether the user says yes.
    :param is_json: whether the answer is to be JSON.
    """

    api: Api
    write: Callable[[Sequence[str]], object]
    say: Callable[[str], object]
    agree: Callable[[Sequence[str], str], Awaitable[bool]]
    look: Look
    is_json: bool

    def write_json(self, content: Any) -> None:
        self.write([json.dumps(content, sort_keys=True)])
