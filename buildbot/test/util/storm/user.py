# SPDX-License-Identifier: GPL-2.0-only
"""New: a user whose methods and renderables answer at once, late, never, or with an error."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot.process.properties import renderer
from buildbot.test.util.storm.configuration import ANSWERS

if TYPE_CHECKING:
    from buildbot.test.util.storm.lab import StormLab


class UserError(Exception):
    """What a user's method raises."""


class User:
    """What the user is asked for one builder.

    :param lab: in which it is asked.
    :param name: of the builder.
    :param methods: those that are set.
    :ivar says: for each of them, what it says now.
    """

    def __init__(self, lab: StormLab, name: str, methods: tuple[str, ...]) -> None:
        self._lab = lab
        self._name = name
        self.says = {method: ANSWERS[method][0] for method in methods}

    def words(self) -> dict[str, Any]:
        """Return what ``BuilderConfig`` takes."""
        found = {
            'canStartBuild': self._can_start_build,
            'nextWorker': self._next_worker,
            'nextBuild': self._next_build,
        }
        return {method: found[method] for method in self.says if method in found}

    def rendered(self, what: str, accesses: list[Any]) -> Any:
        """Return locks that are rendered if the user does that, which may take its time.

        :param what: ``locks`` are those of the builder, ``step locks`` those of steps.
        """
        if what not in self.says:
            return accesses
        rendered: Any = renderer(lambda props: self._render(what, accesses))
        rendered.accesses = accesses  # what it comes to in the end
        return rendered

    def _render(self, what: str, accesses: list[Any]) -> Any:
        says = self.says[what]

        def answer(says: str) -> list[Any]:
            if says == 'error':
                raise UserError(what)
            return list(accesses)

        return self._late(answer) if says == 'late' else answer(says)

    def _can_start_build(self, builder: Any, worker: Any, request: Any) -> Any:
        self._lab.pace.step('asks')
        says = self.says['canStartBuild']
        name = worker.worker.workername

        def answer(says: str) -> bool:
            yes = says in ('yes', 'late')
            yes = yes or (says == 'by worker' and name != 'w0')
            yes = yes or (says == 'by request' and request.id % 2 == 0)
            if not yes:
                self._lab.refuse(request.id, None if says == 'error' else name)
            if says == 'error':
                raise UserError('canStartBuild')
            return yes

        return self._late(answer) if says == 'late' else answer(says)

    def _next_worker(self, builder: Any, workers: list[Any], request: Any) -> Any:
        self._lab.pace.step('asks')
        says = self.says['nextWorker']

        def answer(says: str) -> Any:
            if says in ('none', 'error'):
                self._lab.refuse(request.id, None)
            if says == 'error':
                raise UserError('nextWorker')
            if says == 'none':
                return None
            pool = self._lab.pool_of(request.id)
            # one may have been lost until there is an answer
            fitting = [w for w in workers if w.worker and w.worker.workername in pool]
            return fitting[0] if fitting else None

        return self._late(answer) if says == 'late' else answer(says)

    def may_choose(self, brid: int, worker: str) -> bool:
        """Tell whether ``nextWorker`` would choose a worker for a request."""
        return 'nextWorker' not in self.says or worker in self._lab.pool_of(brid)

    def _next_build(self, builder: Any, requests: list[Any]) -> Any:
        self._lab.pace.step('asks')
        says = self.says['nextBuild']

        def answer(says: str) -> Any:
            if says in ('none', 'error'):
                for request in requests:
                    self._lab.refuse(request.id, None)
            if says == 'error':
                raise UserError('nextBuild')
            return requests[-1] if says != 'none' else None

        return self._late(answer) if says == 'late' else answer(says)

    def _late(self, answer: Callable[[str], Any]) -> defer.Deferred[Any]:
        return self._lab.ask_later(self._name, answer)


class Order:
    """The user's ``prioritizeBuilders``, which goes by name.

    :param lab: in which it is asked.
    """

    def __init__(self, lab: StormLab) -> None:
        self._lab = lab
        self.says = {'prioritizeBuilders': ANSWERS['prioritizeBuilders'][0]}

    def __call__(self, master: Any, builders: list[Any]) -> Any:
        def answer(says: str) -> list[Any]:
            if says == 'error':
                raise UserError('prioritizeBuilders')
            found = sorted(builders, key=lambda builder: builder.name)
            if says == 'reversed':
                found.reverse()
            return [b for b in found if says != 'not the first' or b.name != 'a']

        says = self.says['prioritizeBuilders']
        return self._lab.ask_later('', answer) if says == 'late' else answer(says)

    @property
    def is_late(self) -> bool:
        """Whether it has not answered yet."""
        return any(name == '' for name, _ in self._lab.questions)
