# SPDX-License-Identifier: GPL-2.0-only
"""New: tiny configurations with locks, and all the ways in which their builds can run."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Iterator
from typing import NamedTuple
from typing import Sequence

if TYPE_CHECKING:
    from typing_extensions import TypeAlias


class Take(NamedTuple):
    """How a lock is taken in a plan.

    :param lock: name of it.
    :param is_of_worker: whether it has a copy for each worker.
    :param units: how many of them there are.
    :param taken: how many are taken; None for all.
    """

    lock: str
    is_of_worker: bool
    units: int
    taken: int | None


class Block(NamedTuple):
    """A step, group or builder of a plan: what it takes from its begin to its end, and its inside.

    :param inside: the blocks in it, one after another; None for a step.
    """

    takes: tuple[Take, ...]
    inside: tuple[Block, ...] | None = None


class Slot(NamedTuple):
    """Where a build can run: a builder on one of its workers.

    :param builder: number of the builder.
    :param worker: number of the worker.
    """

    builder: int
    worker: int


class Plan(NamedTuple):
    """A tiny configuration.

    :param builders: what they do.
    :param slots: where they can do it.
    :param most: of each worker, how many builds may run on it; 0 for any number.
    """

    builders: tuple[Block, ...]
    slots: tuple[Slot, ...]
    most: tuple[int, ...]


#: one thing that a build does: it takes what a block takes, or gives it back at its end
Act: TypeAlias = 'tuple[bool, int, tuple[Take, ...]]'

#: of each slot, how many things its build has done (0: there is none); and who waits, in order
State: TypeAlias = 'tuple[tuple[int, ...], tuple[int, ...]]'


def acts_of(block: Block) -> list[Act]:
    """Return all that a build of a block does, in order; blocks have numbers."""
    acts: list[Act] = []

    def walk(block: Block) -> None:
        number = len(acts)
        acts.append((True, number, block.takes))
        for inner in block.inside or ():
            walk(inner)
        acts.append((False, number, block.takes))

    walk(block)
    return acts


class Interleavings:
    """Runs the builds of a plan in every order, and looks whether some of them ever stand still.

    It knows no lock of Buildbot's. Who waits for one lock is overtaken by nobody; who waits for
    several is overtaken where it can be.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._acts = [acts_of(plan.builders[slot.builder]) for slot in plan.slots]

    def stand_still(self) -> bool:
        """Tell whether some builds can come to wait for one another."""
        first: State = ((0,) * len(self._acts), ())
        seen, todo = {first}, [first]
        while todo:
            state = todo.pop()
            begun = [i for i, done in enumerate(state[0]) if done]
            if begun and len(state[1]) == len(begun):
                return True
            for after in self._next(state):
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
        return False

    def _next(self, state: State) -> Iterator[State]:
        done, line = state
        for i, acts in enumerate(self._acts):
            if i in line or (not done[i] and not self._has_place(i, done)):
                continue
            takes = acts[done[i]][0]
            if not takes:
                yield self._serve(self._step(i, state))
            elif self._may_have(i, state, line):
                yield self._step(i, state)
            elif done[i]:
                yield done, (*line, i)

    def _has_place(self, i: int, done: Sequence[int]) -> bool:
        worker = self._plan.slots[i].worker
        busy = [1 for slot, n in zip(self._plan.slots, done) if n and slot.worker == worker]
        return not self._plan.most[worker] or len(busy) < self._plan.most[worker]

    def _step(self, i: int, state: State) -> State:
        done = list(state[0])
        done[i] = (done[i] + 1) % len(self._acts[i])
        return tuple(done), tuple(j for j in state[1] if j != i)

    def _serve(self, state: State) -> State:
        for i in state[1]:
            if self._may_have(i, state, state[1][: state[1].index(i)]):
                return self._serve(self._step(i, state))
        return state

    def _copy(self, i: int, take: Take) -> Any:
        return (take.lock, self._plan.slots[i].worker if take.is_of_worker else None)

    def _wants(self, i: int, state: State) -> dict[Any, Take]:
        takes, _, what = self._acts[i][state[0][i]]
        return {self._copy(i, take): take for take in what} if takes else {}

    def _holds(self, i: int, state: State) -> dict[Any, int | None]:
        # of each copy the most that any block around has: a count, or None for all
        open_blocks: dict[int, tuple[Take, ...]] = {}
        for takes, number, what in self._acts[i][: state[0][i]]:
            if takes:
                open_blocks[number] = what
            else:
                del open_blocks[number]
        found: dict[Any, int | None] = {}
        for what in open_blocks.values():
            for take in what:
                copy = self._copy(i, take)
                before = found.get(copy, 0)
                has_all = before is None or take.taken is None
                found[copy] = None if has_all else max(before or 0, take.taken or 0)
        return found

    def _fits(self, i: int, copy: Any, take: Take, state: State) -> bool:
        own = self._holds(i, state).get(copy, 0)
        others = [
            self._holds(j, state)[copy]
            for j in range(len(self._acts))
            if j != i and copy in self._holds(j, state)
        ]
        if own is None or (own and take.taken is not None and take.taken <= own):
            return True
        if None in others or (take.taken is None and others):
            return False
        return take.taken is None or take.taken + sum(n or 0 for n in others) <= take.units

    def _may_have(self, i: int, state: State, ahead: Sequence[int]) -> bool:
        for copy, take in self._wants(i, state).items():
            if not self._fits(i, copy, take, state):
                return False
            if copy in self._holds(i, state):
                continue
            for j in state[1]:
                wants = self._wants(j, state)
                if j == i or copy not in wants:
                    continue
                is_inside = copy in self._holds(j, state)
                if is_inside and not self._fits(j, copy, wants[copy], state):
                    return False
                if j in ahead and not is_inside and len(wants) == 1:
                    return False
        return True
