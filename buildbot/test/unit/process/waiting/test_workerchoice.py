# SPDX-License-Identifier: GPL-2.0-only
"""Which worker a build is best started on."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.config import BuilderConfig
from buildbot.config.errors import ConfigErrors
from buildbot.config.errors import capture_config_errors
from buildbot.config.master import MasterConfig
from buildbot.config.steps import steps_of_builder
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.buildstep import BuildStep
from buildbot.process.factory import BuildFactory
from buildbot.process.groups.step import StepGroup
from buildbot.process.waiting.workerchoice import StepLocks
from buildbot.process.waiting.workerchoice import WorkerChoice
from buildbot.process.waiting.workerchoice import is_fed
from buildbot.process.waiting.workerchoice import least_crowded
from buildbot.process.waiting.workerchoice import least_needed

BOARD, CPU = WorkerLock('board', 1, {'big': 3}), WorkerLock('cpu', 4)
FED = ('board', 'board')  # one build that holds it, and one that prepares


def step(*locks):
    return BuildStep(locks=list(locks))


def step_locks(*steps):
    builder = BuilderConfig('a', workernames=['w'], factory=BuildFactory(steps))
    return StepLocks(steps_of_builder(builder))


def worker(name, *builds):
    """A worker with builds, each of which comes to some locks yet: ``'board cpu'``."""
    found = [SimpleNamespace(step_locks_to_come=lambda text=b: set(text.split())) for b in builds]
    words = {'workername': name, 'builds': found, 'subscribe_to_room': lambda callback: None}
    return SimpleNamespace(worker=SimpleNamespace(**words))


def names(workers):
    return ' '.join(w.worker.workername for w in workers)


class Locks(unittest.TestCase):
    def test_by_step(self):
        """The locks of a group and of what is in it are those of one top-level step."""
        inner = StepGroup(name='inner', steps=[step(CPU.access('counting'))])
        group = StepGroup(name='g', locks=[BOARD.access('exclusive')], steps=[step(), inner])
        found = step_locks(step(CPU), step(), group, step(MasterLock('m').access('exclusive')))
        self.assertEqual(found.by_step, [{'cpu'}, set(), {'board', 'cpu'}, set()])
        self.assertEqual(list(found.lockids), ['cpu', 'board'])

    @parameterized.expand(
        [
            # accesses of steps, worker -> how many builds can hold the lock
            ('exclusive', [BOARD.access('exclusive')], 'big', 1),
            ('counting', [BOARD.access('counting')], 'w', 1),
            ('of_this_worker', [BOARD.access('counting')], 'big', 3),
            ('most_units', [BOARD.access('counting'), BOARD.access('counting', 2)], 'big', 1),
            ('both', [BOARD.access('exclusive'), BOARD.access('counting')], 'big', 1),
            ('more_than_there_are', [BOARD.access('counting', 2)], 'w', 1),
        ]
    )
    def test_holders(self, _, accesses, workername, holders):
        """As many builds can hold a lock as the step that takes the most of it allows."""
        found = step_locks(*map(step, accesses))
        self.assertEqual(found.holders('board', workername), holders)


class Choice(unittest.TestCase):
    @parameterized.expand(
        [
            # builds that come to a and b yet, how many can hold them -> is the worker fed
            ('empty', {}, {'a': 1}, False),
            ('one_holds', {'a': 1}, {'a': 1}, False),
            ('one_prepares', {'a': 2}, {'a': 1}, True),
            ('two_hold', {'a': 2}, {'a': 2}, False),
            ('pipeline', {'a': 1, 'b': 2}, {'a': 1, 'b': 1}, False),
            ('full_pipeline', {'a': 1, 'b': 3}, {'a': 1, 'b': 1}, True),
        ]
    )
    def test_is_fed(self, _, counts, holders, fed):
        """A worker is fed with those who can hold each lock and those before it, and one more."""
        self.assertEqual(is_fed(Counter(counts), holders), fed)

    @parameterized.expand(
        [
            ('no_locks', [], {'w1': ['board'], 'w2': []}, 'w1 w2'),
            ('free_board', [BOARD.access('exclusive')], {'w1': ['board'], 'w2': []}, 'w2'),
            ('other_lock', [BOARD.access('exclusive')], {'w1': ['cpu'], 'w2': ['board']}, 'w1'),
            ('fewer_builds', [BOARD.access('exclusive')], {'w1': ['cpu'], 'w2': []}, 'w2'),
            ('more_units', [BOARD.access('counting')], {'w1': ['board'], 'big': ['board']}, 'big'),
            ('alike', [BOARD.access('exclusive')], {'w1': ['board'], 'w2': ['board']}, 'w1 w2'),
        ]
    )
    def test_least_crowded(self, _, accesses, builds, best):
        """Those are best where the fewest, for the units there are, come to the locks."""
        workers = [worker(name, *those) for name, those in builds.items()]
        found = least_crowded(step_locks(step(*accesses)), workers, lambda lock, worker: 0)
        self.assertEqual(names(found), best)

    @parameterized.expand(
        [
            ('nobody_else', 'w1 w2', [], 'w1 w2'),
            ('one_needs_w1', 'w1 w2', ['w1'], 'w2'),
            ('all_are_needed', 'w1 w2', ['w1', 'w2', 'w1'], 'w2'),
            ('there_is_one', 'w1', ['w1'], 'w1'),
        ]
    )
    def test_least_needed(self, _, workers, needs, best):
        """Of several workers those are taken that the fewest others can use."""
        found = least_needed(
            [worker(name) for name in workers.split()],
            Counter(frozenset(n.split()) for n in needs),
        )
        self.assertEqual(names(found), best)

    @parameterized.expand(
        [
            # builds on each idle worker -> left for later, who was asked
            ('none_has_room', {'w1': FED, 'w2': FED}, True, 'w1 w2'),
            ('one_has', {'w1': FED, 'w2': [], 'w3': FED}, False, 'w1 w2'),
            ('no_worker', {}, False, ''),
        ]
    )
    def test_leaves_all(self, _, builds, left, asked):
        """A build is left for later if no idle worker has room; the first that has is enough."""
        choice, found = WorkerChoice(list, dict), []
        choice.step_locks = step_locks(step(BOARD.access('exclusive')))
        has_room = choice.has_room

        def note(one):
            found.append(one)
            return has_room(one)

        self.patch(choice, 'has_room', note)
        workers = [worker(name, *those) for name, those in builds.items()]
        self.assertEqual(choice.leaves_all(workers), left)
        self.assertEqual(names(found), asked)


class LateBinding(unittest.TestCase):
    @parameterized.expand([('default', {}, True), ('no', {'lateBinding': False}, False)])
    def test_value(self, _, config, late):
        """lateBinding is on unless it is switched off."""
        self.assertEqual(self.load(config).lateBinding, late)

    def load(self, config):
        loaded = MasterConfig()
        with capture_config_errors(raise_on_error=True):
            loaded.load_global('master.cfg', config)
        return loaded

    def test_no_boolean(self):
        """What is neither True nor False is told."""
        error = self.assertRaises(ConfigErrors, self.load, {'lateBinding': 'never'})
        sentence = "c['lateBinding'] must be True or False, not 'never'"
        self.assertEqual(error.errors, [sentence])
