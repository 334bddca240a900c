# SPDX-License-Identifier: GPL-2.0-only
"""What ``checkconfig`` says of a configuration is a line for each fault, with its place."""

from __future__ import annotations

from pathlib import Path

from parameterized import parameterized

from buildbot.test.util.reading import Reading
from buildbot.warnings import ConfigWarning

#: what is said of a function where a renderable is meant
HINT = 'to have it called for each build, make it a renderable with @util.renderer'
LONG = 'n' * 51


class Places(Reading):
    """Where it stands: the builder, the groups around a step, and the line."""

    @parameterized.expand(
        [
            (
                'builder',
                "build(locks=['board'])",
                "builder 'a': 'board' is not a lock",
            ),
            (
                'worker',
                "c['workers'].append(worker.Worker('v', 'pw', locks=['board']))",
                "worker 'v': 'board' is not a lock",
            ),
            (
                'step',
                "build(Shell(name='flash', command='x', locks=['board']))  # here",
                "builder 'a', step 'flash': 'board' is not a lock (HERE)",
            ),
            (
                'group',
                "build(StepGroup(name='test', steps=[make], locks=['board']))  # here",
                "builder 'a', group 'test': 'board' is not a lock (HERE)",
            ),
            (
                'step_in_groups',
                "flash = Shell(name='flash', command='x', locks=['board'])  # here\n"
                "inner = StepGroup(name='inner', steps=[flash])\n"
                "build(StepGroup(name='outer', steps=[inner]))",
                "builder 'a', group 'outer', group 'inner', step 'flash': 'board' is not a lock"
                ' (HERE)',
            ),
            (
                'group_in_a_group_whose_name_is_rendered',
                "inner = StepGroup(name='', steps=[make], locks=['board'])  # here\n"
                "build(StepGroup(name=util.Property('p'), steps=[inner]))",
                "builder 'a', group Property(p), group '': 'board' is not a lock (HERE)",
            ),
            (
                'added_to_a_group',
                "group = StepGroup(name='test')\n"
                "group.addStep(Shell(name='flash', command='x', locks=['board']))  # here\n"
                'build(group)',
                "builder 'a', group 'test', step 'flash': 'board' is not a lock (HERE)",
            ),
            (
                'argument_of_a_group',
                "inner = StepGroup(name='inner', steps=[make], parallel=0)  # here\n"
                "build(StepGroup(name='outer', steps=[inner]))",
                "builder 'a', group 'outer', group 'inner': parallel must be a number of steps,"
                ' not 0 (HERE)',
            ),
            (
                'group_without_steps',
                "build(StepGroup(name='test'))  # here",
                "builder 'a', group 'test': it has no steps (HERE)",
            ),
            (
                'group_in_itself',
                "group = StepGroup(name='test', steps=[make])  # here\n"
                'group.addStep(group)\n'
                'build(group)',
                "builder 'a', group 'test', group 'test': it contains itself (HERE)",
            ),
            (
                'step_that_is_made_once',
                'class Once(steps.BuildStep):\n'
                '    made = []\n'
                '    def __init__(self):\n'
                '        super().__init__()\n'
                '        self.made.append(self)\n'
                '        if len(self.made) > 1:\n'
                "            raise KeyError('x')\n"
                "build(StepGroup(name='test', steps=[Once()]))  # here",
                "builder 'a', group 'test': step Once cannot be made for a build: KeyError('x')"
                ' (HERE)',
            ),
            (
                'path',
                f"inner = Shell(name='{LONG[:30]}', command='x')  # here\n"
                f"build(StepGroup(name='{LONG[:30]}', steps=[inner]))",
                f"builder 'a', group '{LONG[:30]}', step '{LONG[:30]}': its path"
                f" '{LONG[:30]}/{LONG[:30]}' is longer than the 50 characters that the name of a"
                ' step may have (HERE)',
            ),
        ]
    )
    def test_place(self, _, text, sentence):
        """What is wrong is told with builder, groups and step, from the outside in."""
        self.assertEqual(self.read(text), [sentence])

    def test_like_groups(self):
        """Two groups of one name that are made in one line are told apart by their builders."""
        told = self.read(
            'def group():\n'
            "    return StepGroup('', locks=[board.access('counting', 3)], name='test')  # here\n"
            "build(group(), name='a')\n"
            "build(group(), name='b')\n".replace("''", '[make]')
        )
        what = "lock 'board': 3 units can never be granted: it has 2 at most (HERE)"
        self.assertEqual(
            told, [f"builder 'a', group 'test': {what}", f"builder 'b', group 'test': {what}"]
        )

    def test_in_a_module(self):
        """The line is the user's own that makes the thing, in whatever file it is."""
        module = Path(self.mktemp())
        module.mkdir()
        path = module.resolve() / 'boards_of_this_test.py'
        path.write_text('def take(lock):\n    return lock.access("shared")\n')
        (told,) = self.read(
            f'import sys\nsys.path.insert(0, {str(path.parent)!r})\n'
            'try:\n    import boards_of_this_test\nfinally:\n    del sys.path[0]\n'
            'boards_of_this_test.take(board)\n'
        )
        self.assertTrue(told.endswith(f'({path}:2)'), told)


class Once(Reading):
    """One fault is told once."""

    @parameterized.expand(
        [
            (
                'no_step',
                "build(StepGroup(name='test', steps=['make']))  # here",
                ["builder 'a', group 'test': 'make' is not a step (HERE)"],
            ),
            (
                'no_list_of_steps',
                "build(StepGroup(name='test', steps='make'))  # here",
                ["builder 'a', group 'test': steps must be a list of steps, not 'make' (HERE)"],
            ),
            (
                'nothing',
                "build(StepGroup(name='test', steps=0))  # here",
                ["builder 'a', group 'test': steps must be a list of steps, not 0 (HERE)"],
            ),
            (
                'no_step_added',
                "group = StepGroup(name='test')\ngroup.addStep('make')  # here\nbuild(group)",
                ["group 'test': 'make' is not a step (HERE)"],
            ),
            (
                'name',
                f"build(Shell(name='{LONG}', command='x'))",
                [f"Step ShellCommand name '{LONG}' exceeds maximum length of 50"],
            ),
            (
                'name_of_a_group',
                f"build(StepGroup(name='{LONG}', steps=[make]))",
                [f"Step StepGroup name '{LONG}' exceeds maximum length of 50"],
            ),
            (
                'name_in_a_group',
                f"build(StepGroup(name='test', steps=[Shell(name='{LONG}', command='x')]))",
                [f"Step ShellCommand name '{LONG}' exceeds maximum length of 50"],
            ),
            (
                'name_that_is_no_text',
                "build(Shell(name=5, command='x'))",
                ['ShellCommand argument name must be an instance of str'],
            ),
            (
                'name_that_is_no_text_in_a_group',
                "build(StepGroup(name='test', steps=[Shell(name=5, command='x')]))",
                ['ShellCommand argument name must be an instance of str'],
            ),
            (
                'step_that_stands_thrice',
                "flash = Shell(name='flash', command='x', locks=['board'])  # here\n"
                'build(flash, flash, flash)',
                ["builder 'a', step 'flash': 'board' is not a lock (HERE)"],
            ),
            (
                'factory_of_two_builders',
                'factory = util.BuildFactory()\n'
                "factory.addStep(Shell(name='flash', command='x', locks=['board']))  # here\n"
                "build(name='a', factory=factory)\n"
                "build(name='b', factory=factory)",
                ["builder 'a', step 'flash': 'board' is not a lock (HERE)"],
            ),
            (
                'lock_that_stands_thrice',
                'build(locks=[board, board, board])',
                ["builder 'a': lock 'board': it is in one list twice"],
            ),
            (
                'argument_that_is_set',
                "flash = Shell(name='flash', command='x', locks=['board'])  # here\n"
                "flash.set_step_arg('command', 'y')\n"
                'build(flash)',
                ["builder 'a', step 'flash': 'board' is not a lock (HERE)"],
            ),
            (
                'access_to_no_lock',
                "build(locks=[LockAccess('board', 'counting')])  # here",
                ["'board' is not a lock, so there is no access to it (HERE)"],
            ),
            (
                'several',
                "build(Shell(name='flash', command='x', locks=['x', board, board]))  # here",
                [
                    "builder 'a', step 'flash': 'x' is not a lock (HERE)",
                    "builder 'a', step 'flash': lock 'board': it is in one list twice (HERE)",
                ],
            ),
            ('not_in_a_builder', "Shell(command='x', locks=['x'])", []),
        ]
    )
    def test_once(self, _, text, sentences):
        """Nothing else is said, however often the thing is made or met."""
        self.assertEqual(self.read(text), sentences)


class Sentences(Reading):
    """What is wrong with a list of locks."""

    @parameterized.expand(
        [
            (
                'too_many',
                "[board.access('counting', 3)]",
                "lock 'board': 3 units can never be granted: it has 2 at most",
            ),
            (
                'none',
                "[util.MasterLock('m', 0)]",
                "lock 'm': 1 unit can never be granted: it has 0 at most",
            ),
            (
                'no_list',
                'board',
                "locks must be a list of locks, not WorkerLock('board', maxCount=2)",
            ),
            ('function', '[lambda props: board]', f"the function '<lambda>' is not a lock; {HINT}"),
            (
                'function_for_all',
                'lambda props: [board]',
                f"locks must be a list of locks, not the function '<lambda>'; {HINT}",
            ),
            ('class', '[util.MasterLock]', "<class 'buildbot.locks.MasterLock'> is not a lock"),
            (
                'generator',
                '(lock for lock in [board])',
                'locks must be a list of locks, not a generator',
            ),
        ]
    )
    def test_of_a_build(self, _, locks, sentence):
        """A wrong list of a builder, a step or a group is told by the same sentence."""
        self.assertEqual(self.read(f'build(locks={locks})'), [f"builder 'a': {sentence}"])
        for kind, words in (
            ('step', "Shell(name='x', command='x'"),
            ('group', "StepGroup(name='x', steps=[make]"),
        ):
            told = self.read(f'build({words}, locks={locks}))  # here')
            self.assertEqual(told, [f"builder 'a', {kind} 'x': {sentence} (HERE)"])

    @parameterized.expand(
        [
            ('function', '[lambda props: board]', "the function '<lambda>' is not a lock"),
            (
                'function_for_all',
                'lambda props: [board]',
                "locks must be a list of locks, not the function '<lambda>'",
            ),
            (
                'branch',
                "[util.BranchLock('v')]",
                "lock 'v': a branch lock cannot be used here, where no branch is known",
            ),
            (
                'branch_access',
                "[util.BranchLock('v').access('exclusive')]",
                "lock 'v': a branch lock cannot be used here, where no branch is known",
            ),
            (
                'renderable',
                "[util.Property('l')]",
                "Property(l) cannot be used here, where no build is known to render it for",
            ),
        ]
    )
    def test_of_a_worker(self, _, locks, sentence):
        """The list of a worker has no build."""
        told = self.read(f"c['workers'] = [worker.Worker('w', 'pw', locks={locks})]")
        self.assertEqual(told, [f"worker 'w': {sentence}"])

    def test_steps_that_are_a_function(self):
        """A function for the steps of a group is told like one for locks."""
        (told,) = self.read("build(StepGroup(name='test', steps=lambda props: [make]))  # here")
        self.assertEqual(
            told,
            "builder 'a', group 'test': steps must be a list of steps, not the function"
            f" '<lambda>'; {HINT} (HERE)",
        )

    def test_no_repair(self):
        """A repair builder that there is not is told with the line of the lock."""
        told = self.read(
            "one = util.MasterLock('cpu', repairBuilder='repiar')  # here\nbuild(locks=[one])"
        )
        self.assertEqual(told, ["lock 'cpu': its repairBuilder 'repiar' is no builder (HERE)"])

    def test_unlike_locks(self):
        """Two locks of one name are told with the places and the lines of both."""
        (told,) = self.read(
            "one = util.MasterLock('cpu')\n"
            'build(locks=[one])\n'
            "other = util.MasterLock('cpu', 2)  # here\n"
            "build(StepGroup(name='test', steps=[make], locks=[other]), name='b')"
        )
        first = f'{self.file}:{self.here[0] - 2}'
        self.assertEqual(
            told,
            "builder 'b', group 'test': lock 'cpu': Two locks share this name: MasterLock('cpu',"
            f" maxCount=2) (HERE), and MasterLock('cpu', maxCount=1) of builder 'a' ({first})",
        )


class Objects(Reading):
    """What is found while a lock or an access is made names the line that makes it."""

    @parameterized.expand(
        [
            (
                'mode',
                "board.access('shared')",
                "lock 'board': 'shared' is not a way to take a lock; use 'counting' or 'exclusive'",
            ),
            (
                'count',
                "board.access('counting', -1)",
                "lock 'board': -1 is not a number of units of a lock",
            ),
            ('name', "util.MasterLock('')", "lock '': its name must be a string that is not empty"),
            (
                'units',
                "util.MasterLock('m', '3')",
                "lock 'm': maxCount must be a number of units, not '3'",
            ),
            (
                'codebase',
                "util.BranchLock('v', codebase=5)",
                "lock 'v': codebase must be a string, not 5",
            ),
            (
                'key_and_default',
                "util.BranchLock('v', defaultBranch='x', key=util.Property('k'))",
                "lock 'v': it has a key, so it can have no codebase and no defaultBranch",
            ),
            (
                'key',
                "util.BranchLock('v', key=lambda props: 'x')",
                f"lock 'v': key cannot be the function '<lambda>'; {HINT}",
            ),
            (
                'surrogate',
                "util.MasterLock('m\\udc80')",
                "lock 'm\\udc80': its name has a lone surrogate, which cannot be stored",
            ),
            (
                'surrogate_of_a_default',
                "util.BranchLock('v', defaultBranch='m\\udc80')",
                "lock 'v': defaultBranch 'm\\udc80' has a lone surrogate, which cannot be stored",
            ),
            (
                'surrogate_of_a_codebase',
                "util.BranchLock('v', codebase='m\\udc80')",
                "lock 'v': codebase 'm\\udc80' has a lone surrogate, which cannot be stored",
            ),
            (
                'surrogate_of_a_key',
                "util.BranchLock('v', key='m\\udc80')",
                "lock 'v': key 'm\\udc80' has a lone surrogate, which cannot be stored",
            ),
            (
                'surrogate_of_a_branch',
                "util.BranchLock('v', 1, {'m\\udc80': 2})",
                "lock 'v': the name 'm\\udc80' in maxCountForBranch has a lone surrogate, which"
                ' cannot be stored',
            ),
        ]
    )
    def test_line(self, _, made, sentence):
        """The line is that of the configuration, also in a function of it."""
        told = self.read(f'def thing():\n    return {made}  # here\nthing()')
        self.assertEqual(told, [f'{sentence} (HERE)'])

    def test_all_told(self):
        """All that is wrong with a lock is told, each with the line."""
        told = self.read("util.WorkerLock('', -1)  # here")
        self.assertEqual([e.rpartition(' ')[2] for e in told], ['(HERE)', '(HERE)'])


class Warnings(Reading):
    """What works, and hardly is meant."""

    def sentences(self):
        return [(str(w.message), w.category, w.filename, w.lineno) for w in self.warned]

    def test_no_such_worker(self):
        """A limit for a worker that there is not is told, and is no error: it does no harm."""
        errors = self.read(
            "cpu = util.WorkerLock('cpu', 2, {'w': 1, 'x': 3, 'y': 4})  # here\n"
            "build(make, locks=[cpu])\nbuild(Shell(command='x', locks=[cpu]), name='b')"
        )
        self.assertEqual(errors, [])
        text = "lock 'cpu': maxCountForWorker names 'x', 'y', and there is no such worker"
        self.assertEqual(self.sentences(), [(text, ConfigWarning, self.file, self.here[0])])

    def test_of_a_worker(self):
        """A lock that only a worker names is looked at, too."""
        self.read(
            "cpu = util.WorkerLock('cpu', 2, {'x': 3})  # here\n"
            "c['workers'] = [worker.Worker('w', 'pw', locks=[cpu])]"
        )
        self.assertEqual(len(self.sentences()), 1)

    def test_such_workers(self):
        """Nothing is said of limits for workers that there are."""
        self.assertEqual(self.read("build(locks=[util.WorkerLock('cpu', 2, {'w': 1})])"), [])
        self.assertEqual(self.sentences(), [])


class Rules(Reading):
    """What is wrong with a rule of who may do what with a lock."""

    @parameterized.expand(
        [
            (
                'action',
                "action='take'",
                "'take' is not an action; actions are hold, extend, release, handover, first, back,"
                ' kick, quarantine, restore',
            ),
            (
                'lock',
                'lock=board',
                'lock must be the name of a lock, or a pattern, not'
                " WorkerLock('board', maxCount=2)",
            ),
        ]
    )
    def test_rule(self, _, words, sentence):
        """A rule names an action that there is, and its lock by name."""
        told = self.read(f"util.LockEndpointMatcher(role='lab', {words})")
        self.assertEqual(told, [f'LockEndpointMatcher: {sentence}'])
