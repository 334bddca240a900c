# SPDX-License-Identifier: GPL-2.0-only
"""Of which orders of locks ``checkconfig`` warns: those in which builds can come to stand still."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from parameterized import parameterized
from twisted.trial import unittest

from buildbot.config import BuilderConfig
from buildbot.config import orders
from buildbot.config import places
from buildbot.config import search
from buildbot.config.orders import circles_of
from buildbot.config.steps import steps_of_builder
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import steps
from buildbot.process.buildstep import BuildStep
from buildbot.process.factory import BuildFactory
from buildbot.schedulers.triggerable import Triggerable
from buildbot.test.util.interleavings import Block
from buildbot.test.util.interleavings import Interleavings
from buildbot.test.util.interleavings import Plan
from buildbot.test.util.interleavings import Slot
from buildbot.test.util.interleavings import Take
from buildbot.test.util.reading import Reading
from buildbot.warnings import ConfigWarning
from buildbot.worker import Worker

#: ``LOCK_HISTORIES=100`` looks longer for one that goes wrong, as CI does, or more
EXAMPLES = int(os.environ.get('LOCK_HISTORIES', '30'))

UNITS = {'A': 1, 'B': 2, 'W': 1}


def config_of(plan: Plan) -> Any:
    """Return a plan as a configuration, as far as orders of locks are concerned."""

    def accesses(block: Block) -> list[Any]:
        found = []
        for take in block.takes:
            kind = WorkerLock if take.is_of_worker else MasterLock
            lock = kind(take.lock, take.units)
            mode = 'exclusive' if take.taken is None else 'counting'
            found.append(lock.access(mode, take.taken or 1))
        return found

    def step(block: Block) -> Any:
        if block.inside is None:
            return BuildStep(name='s', locks=accesses(block))
        inside = [step(inner) for inner in block.inside]
        return steps.StepGroup(name='g', locks=accesses(block), steps=inside)

    builders = []
    for i, block in enumerate(plan.builders):
        names = [f'w{slot.worker}' for slot in plan.slots if slot.builder == i]
        factory = BuildFactory([step(inner) for inner in block.inside or ()])
        builders.append(
            BuilderConfig(f'b{i}', workernames=names, factory=factory, locks=accesses(block))
        )
    workers = [Worker(f'w{i}', 'pw', max_builds=most or None) for i, most in enumerate(plan.most)]
    return SimpleNamespace(builders=builders, workers=workers, schedulers={})


@st.composite
def takes(draw: Any) -> tuple[Take, ...]:
    names = draw(st.lists(st.sampled_from(sorted(UNITS)), unique=True, max_size=2))
    found = []
    for name in names:
        counts = [None, *range(1, UNITS[name] + 1)]
        found.append(Take(name, name == 'W', UNITS[name], draw(st.sampled_from(counts))))
    return tuple(found)


@st.composite
def builders(draw: Any) -> Block:
    def block(depth: int) -> Block:
        inside = None
        if depth < 2 and draw(st.integers(0, 2)):
            inside = tuple(block(depth + 1) for _ in range(draw(st.integers(1, 2))))
        return Block(draw(takes()), inside)

    return Block(draw(takes()), tuple(block(1) for _ in range(draw(st.integers(1, 2)))))


@st.composite
def plans(draw: Any) -> Plan:
    slots = draw(
        st.sampled_from(
            [
                ((0, 0), (1, 0)),
                ((0, 0), (1, 1)),
                ((0, 0), (0, 1)),
                ((0, 0), (0, 1), (0, 2)),
                ((0, 0), (0, 1), (1, 0)),
                ((0, 0), (0, 1), (1, 1)),
                ((0, 0), (1, 0), (2, 0)),
                ((0, 0), (1, 1), (2, 1)),
            ]
        )
    )
    workers = 1 + max(worker for _, worker in slots)
    most = tuple(draw(st.sampled_from([0, 0, 1, 2])) for _ in range(workers))
    made = tuple(draw(builders()) for _ in range(1 + max(builder for builder, _ in slots)))
    return Plan(made, tuple(Slot(*slot) for slot in slots), most)


HEAD = """
from buildbot.plugins import schedulers
for name in 'vxyz':
    c['workers'].append(worker.Worker(name, 'pw'))
A, B, C = util.MasterLock('A'), util.MasterLock('B'), util.MasterLock('C', 2)
W, V, D = util.WorkerLock('W'), util.BranchLock('V'), util.MasterLock('D', 3)
ALL = ['v', 'w', 'x', 'y', 'z']


def step(*locks, name='s', **words):
    return Shell(name=name, command='x', locks=all_of(locks), **words)


def group(locks, *inner, name='g', **words):
    return StepGroup(name=name, locks=all_of(locks), steps=inner, **words)


def add(name, locks, *inner, on=('w',)):
    build(*inner, name=name, locks=all_of(locks), workername=None, workernames=list(on))


def all_of(locks):
    return [lock if isinstance(lock, LockAccess) else lock.access('exclusive') for lock in locks]


def some(lock, count=1):
    return lock.access('counting', count)


def trigger(name, *builders, wait=True, **words):
    names = ['to ' + builder for builder in builders]
    c.setdefault('schedulers', [])
    for builder in builders:
        c['schedulers'].append(schedulers.Triggerable('to ' + builder, [builder]))
    return steps.Trigger(name=name, schedulerNames=names, waitForFinish=wait, **words)


"""


class Orders(Reading):
    def told(self, text):
        """Return what is warned of; there is no error."""
        self.assertEqual(self.read(HEAD + text), [])
        self.assertEqual({w.category for w in self.warned} - {ConfigWarning}, set())
        return [str(warning.message) for warning in self.warned]


class Told(Orders):
    """Orders in which builds can come to wait for one another forever."""

    @parameterized.expand(
        [
            (
                'builders_and_steps',
                "add('a', [A], step(B, name='flash'))\n"
                "add('b', [], group([B], step(A, name='copy'), name='test'))",
                "builder 'a', step 'flash' wants 'B' while it holds 'A' (builder 'a'); builder 'b',"
                " step 'test/copy' wants 'A' while it holds 'B' (builder 'b', group 'test'): each"
                ' may wait for the other forever',
            ),
            (
                'one_builder_on_two_workers',
                "add('a', [], group([A], step(B)), group([B], step(A), name='h'), on='vw')",
                "builder 'a', step 'g/s' wants 'B' while it holds 'A' (builder 'a', group 'g');"
                " builder 'a', step 'h/s' wants 'A' while it holds 'B' (builder 'a', group 'h'):"
                ' each may wait for the other forever',
            ),
            (
                'more_of_what_is_held',
                "add('a', [some(C)], step(C), on='vw')",
                "builder 'a', step 's' wants 'C' while it holds 'C' (builder 'a') (in 2 builds):"
                ' each may wait for the other forever',
            ),
            (
                'counts_that_do_not_fit',
                "add('a', [some(C)], step(B), on='vw')\nadd('b', [B], step(some(C)))",
                "builder 'a', step 's' wants 'B' while it holds 'C' (builder 'a') (in 2 builds);"
                " builder 'b', step 's' wants 'C' while it holds 'B' (builder 'b'): each may wait"
                ' for another forever',
            ),
            (
                'counts_of_unlike_builds',
                "add('a', [some(C)], step(A))\nadd('b', [some(C)], step(B))\n"
                "add('c', [A], step(some(C)))\nadd('d', [B], step(some(C)))",
                "builder 'a', step 's' wants 'A' while it holds 'C' (builder 'a'); builder 'c',"
                " step 's' wants 'C' while it holds 'A' (builder 'c'); builder 'b', step 's' wants"
                " 'B' while it holds 'C' (builder 'b'); builder 'd', step 's' wants 'C' while it"
                " holds 'B' (builder 'd'): each may wait for another forever",
            ),
            (
                'three_locks',
                "add('a', [A], step(B))\nadd('b', [B], step(D))\nadd('d', [D], step(A))",
                "builder 'a', step 's' wants 'B' while it holds 'A' (builder 'a'); builder 'b',"
                " step 's' wants 'D' while it holds 'B' (builder 'b'); builder 'd', step 's' wants"
                " 'A' while it holds 'D' (builder 'd'): each may wait for another forever",
            ),
            (
                'locks_of_one_worker',
                "add('a', [W], step(A), on='vw')\nadd('b', [A], step(W), on='wx')",
                "builder 'a', step 's' wants 'A' while it holds 'W' (builder 'a'); builder 'b',"
                " step 's' wants 'W' while it holds 'A' (builder 'b'): each may wait for the other"
                ' forever',
            ),
            (
                'locks_that_a_worker_has',
                "c['workers'].append(worker.Worker('u', 'pw', locks=[A.access('exclusive')]))\n"
                "add('a', [], step(B), on='u')\nadd('b', [B], step(A))",
                "builder 'a', step 's' wants 'B' while it holds 'A' (worker 'u'); builder 'b', step"
                " 's' wants 'A' while it holds 'B' (builder 'b'): each may wait for the other"
                ' forever',
            ),
            (
                'list_in_a_list',
                "add('a', [A], group([C, D], step(B)))\nadd('b', [B], step(D))\n",
                "builder 'a', step 'g/s' wants 'B' while it holds 'D' (builder 'a', group 'g');"
                " builder 'b', step 's' wants 'D' while it holds 'B' (builder 'b'): each may wait"
                ' for the other forever',
            ),
            (
                'gate_of_another_branch',
                "add('a', [V, A], step(B))\nadd('b', [V, B], step(A))",
                "builder 'a', step 's' wants 'B' while it holds 'A' (builder 'a'); builder 'b',"
                " step 's' wants 'A' while it holds 'B' (builder 'b'): each may wait for the other"
                ' forever',
            ),
            (
                'one_branch',
                "add('a', [V], step(A))\nadd('b', [A], step(V))",
                "builder 'a', step 's' wants 'A' while it holds 'V' (builder 'a'); builder 'b',"
                " step 's' wants 'V' while it holds 'A' (builder 'b'): each may wait for the other"
                ' forever',
            ),
            (
                'place_in_line',
                "add('a', [A], step(some(C)))\nadd('b', [some(C)], step(A))\n"
                "add('w', [], step(C, name='all'))",
                "builder 'a', step 's' wants 'C' while it holds 'A' (builder 'a'); builder 'b',"
                " step 's' wants 'A' while it holds 'C' (builder 'b'); builder 'w', step 'all'"
                " wants 'C' and may stand in line first: each may wait for another forever",
            ),
            (
                'steps_at_one_time',
                "add('a', [], group([], group([A], step(B)), group([B], step(A), name='h'),"
                ' parallel=2))',
                "builder 'a', step 'g/g/s' wants 'B' while it holds 'A' (builder 'a', group"
                " 'g/g'); builder 'a', step 'g/h/s' wants 'A' while it holds 'B' (builder 'a',"
                " group 'g/h'): each may wait for the other forever",
            ),
            (
                'steps_at_one_time_that_share',
                "add('a', [A], group([], group([A], step(B)), group([B], step(A), name='h'),"
                ' parallel=2))',
                "builder 'a', step 'g/g/s' wants 'B' while it holds 'A' (builder 'a'); builder"
                " 'a', step 'g/h/s' wants 'A' while it holds 'B' (builder 'a', group 'g/h'): each"
                ' may wait for the other forever',
            ),
            (
                'triggered',
                "add('a', [A], trigger('go', 'c'))\nadd('c', [], step(B))\nadd('b', [B], step(A))",
                "builder 'c', step 's' (triggered by builder 'a', step 'go') wants 'B' while it"
                " holds 'A' (builder 'a'); builder 'b', step 's' wants 'A' while it holds 'B'"
                " (builder 'b'): each may wait for the other forever",
            ),
            (
                'locks_of_a_triggered_builder',
                "add('a', [], group([A], trigger('go', 'c'), name='test'))\nadd('c', [B])\n"
                "add('b', [B], step(A))",
                "builder 'c' (triggered by builder 'a', step 'test/go') wants 'B' while it holds"
                " 'A' (builder 'a', group 'test'); builder 'b', step 's' wants 'A' while it holds"
                " 'B' (builder 'b'): each may wait for the other forever",
            ),
            (
                'triggered_on_another_worker',
                "add('a', [W], trigger('go', 'c'), on='vw')\nadd('c', [], step(W), on='vw')",
                "builder 'c', step 's' (triggered by builder 'a', step 'go') wants 'W' while it"
                " holds 'W' (builder 'a') (in 2 builds): each may wait for the other forever",
            ),
            (
                'triggered_at_one_time',
                "add('a', [], trigger('go', 'b', 'd', locks=[some(C)]))\n"
                "add('b', [A], step(B))\nadd('d', [B], step(A))",
                "builder 'b', step 's' (triggered by builder 'a', step 'go') wants 'B' while it"
                " holds 'A' (builder 'b'); builder 'd', step 's' (triggered by builder 'a', step"
                " 'go') wants 'A' while it holds 'B' (builder 'd'): each may wait for the other"
                ' forever',
            ),
        ]
    )
    def test_told(self, _, text, sentence):
        """It is told once, with both places, the locks, and where they are held."""
        self.assertEqual(self.told(text), [sentence])

    def test_many_units(self):
        """As many builds are thought of as it takes to have none left of a lock of many units."""
        told = self.told(
            "c['workers'] += [worker.Worker(f'w{i}', 'pw') for i in range(12)]\n"
            "L = util.MasterLock('L', 10)\n"
            "add('a', [some(L)], step(B), on=[f'w{i}' for i in range(12)])\n"
            "add('b', [B], step(some(L)))"
        )
        sentence = (
            "builder 'a', step 's' wants 'B' while it holds 'L' (builder 'a') (in 10 builds);"
            " builder 'b', step 's' wants 'L' while it holds 'B' (builder 'b'): each may wait for"
            ' another forever'
        )
        self.assertEqual(told, [sentence])

    def test_each_once(self):
        """Of each circle the shortest example is told, once, however many places there are."""
        told = self.told(
            "for name in 'abc':\n    add(name, [A], step(B), step(B, name='t'), on=ALL)\n"
            "for name in 'def':\n    add(name, [B], step(A), step(C), on=ALL)\n"
            "add('g', [C], step(B))"
        )
        self.assertEqual([text.count(' wants ') for text in told], [2, 2])
        self.assertIn("builder 'a', step 's' wants 'B'", told[0])
        self.assertIn("builder 'd', step 's_1' wants 'C'", told[1])

    def test_who_only_waits_behind(self):
        """Who waits for those in a circle is no part of it, even if they want what it holds."""
        told = self.told(
            "add('a', [A], step(B))\nadd('b', [B], step(D))\nadd('d', [D], step(B, A))"
        )
        sentence = (
            "builder 'b', step 's' wants 'D' while it holds 'B' (builder 'b'); builder 'd', step"
            " 's' wants 'B' while it holds 'D' (builder 'd'): each may wait for the other forever"
        )
        self.assertEqual(told, [sentence])

    def test_line(self):
        """The warning has the line of the configuration where the first of the places is."""
        self.told(
            "add('a', [A],\n    step(B))\nadd('b', [B],\n    Shell(name='s', command='x',\n"
            "      locks=[A.access('exclusive')]))"
        )
        self.assertEqual({w.filename for w in self.warned}, {self.file})
        self.assertGreater(self.warned[0].lineno, 1)


class NotTold(Orders):
    """Orders in which all builds go on in the end, or nobody knows that they do not."""

    @parameterized.expand(
        [
            ('same_order', "add('a', [A], step(B))\nadd('b', [A], step(B))"),
            ('lists', "add('a', [], step(A, B))\nadd('b', [], step(B, A))"),
            ('one_after_another', "add('a', [], step(A), step(B))\nadd('b', [], step(B), step(A))"),
            ('builders_that_only_wait', "add('a', [A], step(B))\nadd('b', [A, B])"),
            ('gate', "add('a', [D], group([A], step(B)))\nadd('b', [D], group([B], step(A)))"),
            ('gate_in_a_list', "add('a', [D, A], step(B))\nadd('b', [D], group([B], step(A)))"),
            (
                'gate_of_a_worker',
                "add('a', [W], group([A], step(B)))\nadd('b', [W], group([B], step(A)))",
            ),
            (
                'gate_of_counts',
                "add('a', [some(C, 2), A], step(B))\nadd('b', [some(C), B], step(A))",
            ),
            ('one_build_at_a_time', "add('a', [], group([A], step(B)), group([B], step(A)))"),
            (
                'one_build_on_the_worker',
                "c['workers'].append(worker.Worker('u', 'pw', max_builds=1))\n"
                "add('a', [A], step(B), on='u')\nadd('b', [B], step(A), on='u')",
            ),
            (
                'worker_with_a_lock',
                "c['workers'].append(worker.Worker('u', 'pw', locks=[D.access('exclusive')]))\n"
                "add('a', [A], step(B), on='u')\nadd('b', [B], step(A), on='u')",
            ),
            (
                'counts_that_fit',
                "add('a', [some(C)], step(B), on='v')\nadd('b', [B], step(some(C)))",
            ),
            (
                'counts_that_fit_on_all_workers',
                "add('a', [some(D)], step(B), on='vw')\nadd('b', [B], step(some(D)))",
            ),
            ('count_of_nothing', "add('a', [some(A, 0)], step(B))\nadd('b', [B], step(A))"),
            ('shared', "add('a', [A, B], step(B))\nadd('b', [B, A], step(A))"),
            ('shared_in_part', "add('a', [some(C, 2)], step(some(C)), on='vw')"),
            (
                'shared_through_a_trigger',
                "add('a', [A, B], trigger('go', 'c'))\nadd('c', [A], step(B))",
            ),
            ('unlike_workers', "add('a', [W], step(A), on='v')\nadd('b', [A], step(W), on='w')"),
            (
                'limits_for_workers',
                "L = util.WorkerLock('L', 1, {'w': 2})\n"
                "add('a', [some(L)], step(A))\nadd('b', [A], step(some(L)))",
            ),
            ('upgrade_of_one', "add('a', [some(C)], step(C))"),
            (
                'steps_one_after_another',
                "add('a', [], group([], group([A], step(B)), group([B], step(A))))",
            ),
            (
                'step_that_never_runs',
                "add('a', [A], step(B, doStepIf=False))\nadd('b', [B], step(A))",
            ),
            (
                'group_that_never_runs',
                "add('a', [A], group([], step(B), doStepIf=False))\nadd('b', [B], step(A))",
            ),
            (
                'renderable',
                "add('a', [], step(B))\nc['builders'][-1].locks = util.Property('l')\n"
                "add('b', [B], step(A))",
            ),
            (
                'not_waited_for',
                "add('a', [A], trigger('go', 'c', wait=False))\nadd('c', [], step(B))\n"
                "add('b', [B], step(A))",
            ),
            (
                'unknown_scheduler',
                "add('a', [A], steps.Trigger(schedulerNames=[util.Property('s')],"
                " waitForFinish=True))\nadd('c', [], step(B))\nadd('b', [B], step(A))",
            ),
            (
                'triggers_itself',
                "add('a', [A], trigger('go', 'a'))\nadd('b', [B], step(A))",
            ),
        ]
    )
    def test_not_told(self, _, text):
        """Nothing is said."""
        self.assertEqual(self.told(text), [])


class Bounds(unittest.SynchronousTestCase):
    """What it costs to look."""

    def config(self, lock_of: Any) -> Any:
        locks = [MasterLock(f'l{i}') for i in range(50)]

        def access(i: int) -> Any:
            return locks[i % 50].access('exclusive')

        builders = []
        for i in range(200):
            inner = [BuildStep(name=f's{j}', locks=[access(lock_of(i, j))]) for j in range(1, 10)]
            words: dict[str, Any] = {'locks': [access(i % 5)], 'factory': BuildFactory(inner)}
            builders.append(BuilderConfig(f'b{i}', workernames=['w0', 'w1'], **words))
        workers = [Worker(f'w{i}', 'pw') for i in range(2)]
        return SimpleNamespace(builders=builders, workers=workers, schedulers={})

    def looks(self, config: Any) -> int:
        seen: Any = []
        looks = search.who_goes_on
        self.patch(search, 'who_goes_on', lambda stands: seen.append(1) or looks(stands))
        circles_of(config)
        return len(seen)

    def test_in_order(self):
        """Where all claim in one order no state is looked at."""
        self.assertEqual(self.looks(self.config(lambda i, j: 5 * j + i % 5)), 0)

    def test_all_trigger_all(self):
        """There is an end to the ways in which builds can trigger others."""
        names = [f'b{i}' for i in range(20)]
        lock = MasterLock('l').access('counting')
        builders = [
            BuilderConfig(
                name,
                workernames=['w'],
                factory=BuildFactory([steps.Trigger(schedulerNames=['all'], waitForFinish=True)]),
                locks=[lock],
            )
            for name in names
        ]
        config = SimpleNamespace(
            builders=builders, workers=[], schedulers={'all': Triggerable('all', names)}
        )
        found = list(places.places_of(config, steps_of_builder))
        # of each build a place for the builder, and one for its step
        self.assertEqual(len(found), 2 * (len(names) + places.WAYS))

    def test_in_disorder(self):
        """Where there are thousands of circles there is an end to the looks."""
        looks = self.looks(self.config(lambda i, j: 7 * j + 11 * i))
        self.assertLess(looks, 2 * orders.ALL_LOOKS)


class AllWays(unittest.SynchronousTestCase):
    """All configurations of a few builds, against all the ways in which these can run."""

    def test_warned_if_and_only_if(self):
        """A circle is told of exactly if builds can come to wait for one another forever."""

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(plans())
        def check(plan: Plan) -> None:
            told = circles_of(config_of(plan))
            self.assertEqual(bool(told), Interleavings(plan).stand_still(), f'{plan}: {told}')

        check()
