# SPDX-License-Identifier: GPL-2.0-only
"""New: what a master is configured with, and all that happens to it, as plain data."""

from __future__ import annotations

import random
from pprint import pformat
from typing import Any
from typing import NamedTuple

from buildbot.test.util.storm.configuration import draw_configuration
from buildbot.test.util.storm.events import draw_events

#: how many events a history has
SIZE = 60


class History(NamedTuple):
    """A history of a master.

    :ivar configuration: what it is configured with, in words of its own.
    :ivar events: what happens to it; each is a name, and what is to be known of it. What makes no
        sense at the moment does not happen, so any of them can be left out.
    """

    configuration: dict[str, Any]
    events: tuple[tuple[Any, ...], ...]

    def written(self) -> str:
        """Return it as it can be written into a test."""
        return f'History(\n{pformat(self.configuration, width=90)},\n{pformat(self.events)},\n)'


def draw(seed: int, size: int = SIZE) -> History:
    """Return the history of a seed.

    :param size: how many events it has; the first of them are those of a shorter one.
    """
    rng = random.Random(f'storm {seed}')
    configuration = draw_configuration(rng)
    return History(configuration, tuple(draw_events(rng, configuration, size)))
