# SPDX-License-Identifier: GPL-2.0-only
"""New: random events, as data that says nothing of what is there when they happen."""

from __future__ import annotations

import random
from typing import Any
from typing import Callable
from typing import Iterator

from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.test.util.storm.configuration import ANSWERS
from buildbot.test.util.storm.configuration import LOCAL
from buildbot.test.util.storm.configuration import LOCKS
from buildbot.test.util.storm.configuration import draw_locks
from buildbot.test.util.storm.configuration import draw_steps
from buildbot.test.util.storm.configuration import each_once

PEOPLE = ('ann', 'bob')
#: writes that may be slow: of requests and builds, and of what steps do
SLOW = (
    *('addBuild', 'unclaimBuildRequests', 'claimBuildRequests', 'finishBuild'),
    *('addStep', 'startStep', 'set_step_locks_acquired_at', 'addStepURL', 'addLog', 'finishStep'),
)
SAID = [answer for answers in ANSWERS.values() for answer in (*answers, answers[0])]


class Drawing:
    """Draws what is to be known of an event.

    :param rng: the source of chance.
    :param configuration: with which the master starts.
    """

    def __init__(self, rng: random.Random, configuration: dict[str, Any]) -> None:
        self._rng = rng
        self._configuration = configuration

    def which(self) -> int:
        """Return which one of those that there are then: as many from the first on, and round."""
        return self._rng.randrange(60)

    def one(self, *of: Any) -> Any:
        return self._rng.choice(of)

    def yes(self, likely: float = 0.5) -> bool:
        return self._rng.random() < likely

    def builder(self) -> str:
        return self._rng.choice(list(self._configuration['builders']))

    def worker(self) -> str:
        return self._rng.choice(list(self._configuration['workers']))

    def workers(self) -> tuple[str, ...]:
        known = list(self._configuration['workers'])
        return tuple(self._rng.sample(known, self._rng.randint(1, min(3, len(known)))))

    def pool(self) -> tuple[str, ...]:
        return tuple(self._rng.sample(LOCAL, self._rng.randint(1, 2)))

    def locks(self) -> tuple[Any, ...]:
        return each_once(draw_locks(self._rng, 0.6) + draw_locks(self._rng, 0.2))

    def steps(self) -> tuple[Any, ...]:
        return draw_steps(self._rng)


Draw = Callable[[Drawing], Any]

#: for each event, how likely it is, and what is to be known of it
EVENTS: dict[str, tuple[int, Draw]] = {
    'request': (
        34,
        lambda d: (d.builder(), d.one('x', 'x', 'y'), d.one(0, 0, 0, 5), d.pool()),
    ),
    'end': (34, lambda d: (d.which(), d.one(SUCCESS, SUCCESS, FAILURE))),
    'cancel': (5, lambda d: (d.which(),)),
    'stop': (4, lambda d: (d.which(),)),
    'priority': (3, lambda d: (d.which(), d.one(-5, 0, 9))),
    'wait': (5, lambda d: (d.one(1, 60, 3600),)),
    'heed': (4, lambda d: (d.which(),)),
    # workers
    'lose': (3, lambda d: (d.which(),)),
    'come_back': (5, lambda d: (d.which(),)),
    'pause': (2, lambda d: (d.which(),)),
    'unpause': (4, lambda d: (d.which(),)),
    'instance': (6, lambda d: (d.which(), d.yes(0.75))),
    # the user
    'change_mind': (8, lambda d: (d.which(), d.one(*SAID))),
    'answer': (12, lambda d: (d.which(), d.one('yes', 'yes', 'none', 'error'))),
    'change_plugin': (2, lambda d: (d.one('yes', 'yes', 'no', 'error'),)),
    # the configuration
    'change_limit': (2, lambda d: (d.one(*LOCKS), d.one(1, 2, 3))),
    'change_locks': (2, lambda d: (d.builder(), d.locks())),
    'change_steps': (2, lambda d: (d.builder(), d.steps())),
    'change_builder': (2, lambda d: (d.builder(),)),
    'change_scheduler': (2, lambda d: (d.builder(),)),
    'change_workers': (2, lambda d: (d.builder(), d.workers())),
    'change_room': (1, lambda d: (d.worker(), d.one(None, 1, 2), d.yes())),
    'change_worker': (1, lambda d: (d.worker(),)),
    'read_anew': (1, lambda d: ()),
    # the master, and another one
    'shut_down': (2, lambda d: (d.yes(0.8),)),
    'go_on': (5, lambda d: ()),
    'restart': (1, lambda d: ()),
    'kill': (1, lambda d: ()),
    'other_master': (3, lambda d: (d.which(), d.yes(0.7))),
    'other_master_done': (4, lambda d: (d.which(), d.yes())),
    # the database
    'slow_write': (
        4,
        lambda d: (d.one(*SLOW),),
    ),
    'slow_answer': (2, lambda d: ()),
    'write': (8, lambda d: (d.yes(0.4),)),
    'fail_writes': (2, lambda d: (d.one(0, 0, 1, 2, 3, 5, 8, 13), d.one(1, 1, 1, 2, 4))),
    # people
    'hold': (
        4,
        lambda d: (
            d.which(),
            d.one(*PEOPLE),
            d.one(30, 300, 3600),
            *d.one(('exclusive', None), ('counting', 1), ('counting', 2)),
        ),
    ),
    'extend': (1, lambda d: (d.which(), d.one(60, 600))),
    'release': (4, lambda d: (d.which(),)),
    'hand_over': (1, lambda d: (d.which(), d.one(*PEOPLE))),
    'first': (2, lambda d: (d.which(),)),
    'back': (1, lambda d: (d.which(),)),
    'kick': (1, lambda d: (d.which(),)),
    'quarantine': (2, lambda d: (d.which(),)),
    'restore': (4, lambda d: (d.which(),)),
}


def draw_events(
    rng: random.Random, configuration: dict[str, Any], size: int
) -> Iterator[tuple[Any, ...]]:
    """Yield random events.

    Each has a source of chance of its own, so what one needs more of is no matter for the others.
    """
    names = list(EVENTS)
    likely = [EVENTS[name][0] for name in names]
    for _ in range(size):
        own = random.Random(rng.random())
        name = own.choices(names, likely)[0]
        yield (name, *EVENTS[name][1](Drawing(own, configuration)))
