# SPDX-License-Identifier: GPL-2.0-only
"""What a configuration may say about locks, and what it is told when it says it wrongly."""

from __future__ import annotations

import gc
from typing import Any

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.config import BuilderConfig
from buildbot.config.errors import ConfigErrors
from buildbot.config.errors import capture_config_errors
from buildbot.config.master import MasterConfig
from buildbot.locks import BranchLock
from buildbot.locks import LockAccess
from buildbot.locks import MasterLock
from buildbot.locks import RealBranchLock
from buildbot.locks import WorkerLock
from buildbot.process.buildstep import BuildStep
from buildbot.process.factory import BuildFactory
from buildbot.process.groups.step import StepGroup
from buildbot.process.properties import Interpolate
from buildbot.process.properties import Property
from buildbot.worker import Worker


def anyhow(kind: Any, *args: Any, **words: Any) -> Any:
    """Make something of what its types do not allow."""
    return kind(*args, **words)


class Stamp:
    def __init__(self, branch, codebase=''):
        self.branch = branch
        self.codebase = codebase


class Limits(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('plain', {}, 'x', 3),
            ('no_branch', {'*': 1}, None, 3),
            ('exact', {'x': 1}, 'x', 1),
            ('other', {'x': 1}, 'y', 3),
            ('pattern', {'release/*': 1}, 'release/2.0', 1),
            ('pattern_of_case', {'release/*': 1}, 'Release/2.0', 3),
            ('exact_before_pattern', {'release/*': 1, 'release/x': 2}, 'release/x', 2),
            ('first_pattern', {'r*': 1, 'release/*': 2}, 'release/x', 1),
        ]
    )
    def test_table(self, _, limits, branch, expected):
        """The limit of a branch is that of its name, else of the first pattern, else maxCount."""
        lock = BranchLock('version', maxCount=3, maxCountForBranch=limits)
        self.assertEqual(lock.max_count_for(branch), expected)


class Copies(unittest.SynchronousTestCase):
    def real(self, **words):
        real = RealBranchLock('version')
        real.updateFromLockId(BranchLock('version', **words), 1)
        return real

    def test_one_copy_a_branch(self):
        """One branch has one copy, another branch another."""
        real = self.real()
        (x,), (x2,), (y,) = (real.locks_for_sources([Stamp(b)]) for b in 'xxy')
        self.assertIs(x, x2)
        self.assertIsNot(x, y)

    def test_codebases(self):
        """A build of several codebases takes one copy for each."""
        copies = self.real().locks_for_sources([Stamp('x', 'app'), Stamp('x', 'lib')])
        self.assertEqual(len(set(copies)), 2)

    def test_no_source(self):
        """A build without source stamps takes the copy of no branch."""
        real = self.real()
        self.assertEqual(real.locks_for_sources([]), real.locks_for_sources([Stamp(None)]))

    def test_new_limits_reach_copies(self):
        """Limits of a newer configuration reach the copies in use."""
        real = self.real()
        (copy,) = real.locks_for_sources([Stamp('x')])
        real.updateFromLockId(BranchLock('version', maxCountForBranch={'x': 5}), 2)
        self.assertEqual(copy.maxCount, 5)

    def test_dead_branches(self):
        """Ten thousand branches that nobody has any more leave no copy."""
        real = self.real()
        held, *_ = real.locks_for_sources([Stamp('held')])
        access = BranchLock('version').access('exclusive')
        for i in range(10_000):
            (copy,) = real.locks_for_sources([Stamp(f'b{i}')])
            copy.claim(self, access)
            copy.release(self, access)
        del copy
        gc.collect()
        self.assertEqual(list(real.copies.values()), [held])

    @parameterized.expand([('', 'version[main]'), ('app', 'version[app:main]')])
    def test_name(self, codebase, name):
        """A log reader sees lock and branch, and the codebase if there is one."""
        (copy,) = self.real().locks_for_sources([Stamp('main', codebase)])
        self.assertEqual(repr(copy), name)


class Identity(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('same', BranchLock('a'), BranchLock('a'), True),
            ('name', BranchLock('a'), BranchLock('b'), False),
            ('count', BranchLock('a'), BranchLock('a', 2), False),
            ('default', BranchLock('a'), BranchLock('a', defaultBranch='x'), False),
            (
                'order_of_patterns',
                BranchLock('a', maxCountForBranch={'x*': 1, 'y*': 2}),
                BranchLock('a', maxCountForBranch={'y*': 2, 'x*': 1}),
                False,
            ),
            ('kind', BranchLock('a'), MasterLock('a'), False),
            ('codebase', BranchLock('a'), BranchLock('a', codebase='app'), False),
            ('key', BranchLock('a', key=Property('x')), BranchLock('a', key=Property('x')), True),
            (
                'other_key',
                BranchLock('a', key=Property('x')),
                BranchLock('a', key=Property('y')),
                False,
            ),
            (
                'interpolated_key',
                BranchLock('a', key=Interpolate('%(prop:x)s')),
                BranchLock('a', key=Interpolate('%(prop:x)s')),
                True,
            ),
            (
                'other_interpolated_key',
                BranchLock('a', key=Interpolate('%(prop:x)s')),
                BranchLock('a', key=Interpolate('%(prop:y)s')),
                False,
            ),
            (
                'kind_of_key',
                BranchLock('a', key=Property('x')),
                BranchLock('a', key=Interpolate('x')),
                False,
            ),
        ]
    )
    def test_equal(self, _, one, other, equal):
        """A reconfig sees a change of a lock exactly where there is one."""
        self.assertEqual(one == other, equal)

    @parameterized.expand(
        [
            (
                'text',
                lambda: anyhow(MasterLock, 'l', '3'),
                "maxCount must be a number of units, not '3'",
            ),
            (
                'none',
                lambda: anyhow(WorkerLock, 'l', None),
                'maxCount must be a number of units, not None',
            ),
            ('negative', lambda: BranchLock('l', -1), 'maxCount must be a number of units, not -1'),
            (
                'part',
                lambda: anyhow(MasterLock, 'l', 2.5),
                'maxCount must be a number of units, not 2.5',
            ),
            ('bool', lambda: MasterLock('l', True), 'maxCount must be a number of units, not True'),
            (
                'of_a_worker',
                lambda: anyhow(WorkerLock, 'l', 1, {'w': '2'}),
                "maxCountForWorker['w'] must be a number of units, not '2'",
            ),
            (
                'of_a_branch',
                lambda: BranchLock('l', 1, {'main': -2}),
                "maxCountForBranch['main'] must be a number of units, not -2",
            ),
            (
                'list_of_workers',
                lambda: anyhow(WorkerLock, 'l', maxCountForWorker=['w']),
                "maxCountForWorker must be a dictionary, not ['w']",
            ),
            (
                'list_of_branches',
                lambda: anyhow(BranchLock, 'l', maxCountForBranch=['main']),
                "maxCountForBranch must be a dictionary, not ['main']",
            ),
            (
                'worker_that_is_no_name',
                lambda: anyhow(WorkerLock, 'l', 1, {5: 2}),
                'a name in maxCountForWorker must be a string, not 5',
            ),
            (
                'no_branch',
                lambda: anyhow(BranchLock, 'l', 1, {None: 2}),
                'a name in maxCountForBranch must be a string, not None',
            ),
            (
                'codebase',
                lambda: anyhow(BranchLock, 'l', codebase=['app']),
                "codebase must be a string, not ['app']",
            ),
            (
                'default_branch',
                lambda: anyhow(BranchLock, 'l', defaultBranch=5),
                'defaultBranch must be a string, not 5',
            ),
            (
                'mode',
                lambda: MasterLock('l').access('shared'),
                "'shared' is not a way to take a lock; use 'counting' or 'exclusive'",
            ),
            (
                'mode_of_a_build',
                lambda: MasterLock('l').access(anyhow(Property, 'mode')),
                "Property(mode) is not a way to take a lock; use 'counting' or 'exclusive'",
            ),
            (
                'count',
                lambda: MasterLock('l').access('counting', True),
                'True is not a number of units of a lock',
            ),
            (
                'exclusive_count',
                lambda: MasterLock('l', 3).access('exclusive', 2),
                'exclusive access takes all units of a lock, so a count of 2 has no meaning',
            ),
        ]
    )
    def test_argument(self, _, make, sentence):
        """What a lock, or an access to it, cannot be made of is a sentence that names the lock."""
        error = self.assertRaises(ConfigErrors, make)
        self.assertEqual(error.errors, [f"lock 'l': {sentence}"])

    @parameterized.expand([('empty', ''), ('none', None), ('number', 5)])
    def test_name(self, _, name):
        """A lock must have a name."""
        for kind in (MasterLock, WorkerLock, BranchLock):
            error = self.assertRaises(ConfigErrors, kind, name)
            sentence = f'lock {name!r}: its name must be a string that is not empty'
            self.assertEqual(error.errors, [sentence])

    def test_all_told(self):
        """All that is wrong with a lock is told at once."""
        error = self.assertRaises(ConfigErrors, WorkerLock, '', -1, {5: True})
        self.assertEqual(len(error.errors), 4)

    def test_access(self):
        """An access to a branch lock is made as to any lock."""
        lock = BranchLock('a', maxCount=3)
        self.assertEqual(lock.access('counting', 2), LockAccess(lock, 'counting', 2))
        self.assertNotEqual(lock.access('counting', 2), LockAccess(lock, 'counting', 1))
        text = "BranchLock('a', maxCount=3).access('counting', 2)"
        self.assertEqual(repr(lock.access('counting', 2)), text)
        self.assertEqual(lock.defaultAccess(), lock.access('counting'))


class BadInput(unittest.TestCase):
    def errors_of(self, builder_locks=(), worker_locks=(), steps=()):
        with capture_config_errors() as errors:
            factory = BuildFactory(list(steps))
            MasterConfig.loadFromDict(
                {
                    'builders': [
                        BuilderConfig(
                            'lab', workernames=['w'], factory=factory, locks=builder_locks
                        )
                    ],
                    'workers': [Worker('w', 'secret', locks=worker_locks)],
                    'protocols': {'null': {}},
                    'multiMaster': True,
                },
                '<dict>',
            )
        return errors.errors

    lock = BranchLock('version')

    @parameterized.expand(
        [
            ('word', ['version'], "builder 'lab': 'version' is not a lock"),
            (
                'mere_lock',
                MasterLock('m'),
                "builder 'lab': locks must be a list of locks, not MasterLock('m', maxCount=1)",
            ),
            (
                'twice',
                [lock.access('exclusive'), lock.access('counting')],
                "builder 'lab': lock 'version': it is in one list twice",
            ),
        ]
    )
    def test_builder(self, _, locks, sentence):
        """Each wrong thing in a builder's list is one sentence that names the builder."""
        self.assertEqual(self.errors_of(builder_locks=locks), [sentence])

    def test_worker(self):
        """A worker has no branch, so it cannot have a branch lock."""
        errors = self.errors_of(worker_locks=[self.lock.access('counting')])
        what = 'a branch lock cannot be used here, where no branch is known'
        self.assertEqual(errors, [f"worker 'w': lock 'version': {what}"])

    @parameterized.expand([('all', Property('lock')), ('one', [MasterLock('m'), Property('lock')])])
    def test_rendered_for_a_worker(self, _, locks):
        """The locks of a worker cannot be rendered, for they do not depend on a build."""
        what = 'Property(lock) cannot be used here, where no build is known to render it for'
        self.assertEqual(self.errors_of(worker_locks=locks), [f"worker 'w': {what}"])

    @parameterized.expand(
        [
            ('default', MasterLock('m', 0), False),
            ('counting', MasterLock('m', 0).access('counting'), False),
            ('nothing', MasterLock('m', 0).access('counting', 0), True),
            ('exclusive', MasterLock('m', 0).access('exclusive'), True),
            ('some_worker', WorkerLock('m', 0, {'w': 1}), True),
            ('no_worker', WorkerLock('m', 0, {'w': 0}), False),
            ('some_branch', BranchLock('m', 0, {'main': 1}), True),
        ]
    )
    def test_none_to_be_had(self, _, access, is_good):
        """A unit of a lock that has none anywhere is an error, whether or not it is written out."""
        errors = self.errors_of(builder_locks=[access])
        sentence = "builder 'lab': lock 'm': 1 unit can never be granted: it has 0 at most"
        self.assertEqual(errors, [] if is_good else [sentence])

    @parameterized.expand(
        [
            (
                'builder_and_worker',
                [MasterLock('m', 1)],
                [MasterLock('m', 2)],
                [],
                "worker 'w': lock 'm': Two locks share this name: MasterLock('m', maxCount=2), and"
                " MasterLock('m', maxCount=1) of builder 'lab'",
            ),
            (
                'builder_and_step',
                [MasterLock('m', 1)],
                [],
                [BuildStep(name='s', locks=[WorkerLock('m')])],
                "builder 'lab', step 's': lock 'm': Two locks share this name: WorkerLock('m',"
                " maxCount=1), and MasterLock('m', maxCount=1) of builder 'lab'",
            ),
            (
                'steps_in_groups',
                [],
                [],
                [
                    StepGroup(name='g', steps=[BuildStep(name='s', locks=[lock])]),
                    StepGroup(
                        name='h',
                        steps=[
                            StepGroup(
                                name='i', locks=[BranchLock('version', 2)], steps=[BuildStep()]
                            )
                        ],
                    ),
                ],
                "builder 'lab', group 'h', group 'i': lock 'version': Two locks share this name:"
                " BranchLock('version', maxCount=2), and BranchLock('version', maxCount=1) of"
                " builder 'lab', group 'g', step 's'",
            ),
        ]
    )
    def test_unlike_locks_of_one_name(self, _, of_builder, of_worker, of_steps, sentence):
        """Two unlike locks of one name are an error that names both places."""
        self.assertEqual(self.errors_of(of_builder, of_worker, of_steps), [sentence])

    def test_equal_locks_of_one_name(self):
        """Two equal definitions are one lock."""
        steps = [BuildStep(locks=[MasterLock('m')])]
        self.assertEqual(self.errors_of([MasterLock('m')], [MasterLock('m')], steps), [])

    def test_good(self):
        """Locks, accesses and renderables are all fine."""
        locks = [self.lock, MasterLock('m').access('exclusive')]
        steps = [BuildStep(locks=[Interpolate('%(prop:branch)s')])]
        self.assertEqual(self.errors_of(locks, [WorkerLock('w')], steps), [])

    @parameterized.expand(
        [
            ('step', lambda: BuildStep(name='s', locks=['x']), "step 's': 'x' is not a lock"),
            (
                'group',
                lambda: StepGroup(name='g', locks=['x']),
                "group 'g': 'x' is not a lock",
            ),
            (
                'access',
                lambda: LockAccess('x', 'counting'),
                "'x' is not a lock, so there is no access to it",
            ),
            (
                'too_many',
                lambda: BuildStep(
                    name='s', locks=[WorkerLock('w', 1, {'a': 2}).access('counting', 3)]
                ),
                "step 's': lock 'w': 3 units can never be granted: it has 2 at most",
            ),
        ]
    )
    def test_step(self, _, make, sentence):
        """Each wrong step is one sentence that names it."""
        error = self.assertRaises(ConfigErrors, make)
        self.assertEqual(error.errors, [sentence])
