# SPDX-License-Identifier: GPL-2.0-only
"""Groups whose steps run some at a time, groups in groups, and builds triggered from inside."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locks import MasterLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process.buildstep import BuildStep
from buildbot.process.buildstep import ShellMixin
from buildbot.process.groups.step import StepGroup
from buildbot.process.properties import Property
from buildbot.process.properties import renderer
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.schedulers.triggerable import Triggerable
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase


class Named(GatedStep):
    """A step with a gate of its own, found by the step's name."""

    def __init__(self, gates, **kwargs):
        super().__init__(gates.setdefault(kwargs['name'], Gate()), **kwargs)


class Adds(Named):
    """A step that adds others when its gate opens."""

    def __init__(self, gates, added, **kwargs):
        super().__init__(gates, **kwargs)
        self.gates = gates
        self.added = added

    @defer.inlineCallbacks
    def run(self):
        result = yield super().run()
        added: Any = [Named(self.gates, name=n) for n in self.added]
        self.build.addStepsAfterCurrentStep(added)
        return result


class ParallelCase(LabTestCase):
    def setUp(self):
        super().setUp()
        self.gates: dict[str, Gate] = {}
        self.lock = MasterLock('lab')
        self.access = self.lock.access('exclusive')

    def steps(self, names, **words):
        return [Named(self.gates, name=name, **words) for name in names]

    def running(self):
        return ''.join(sorted(name for name, gate in self.gates.items() if gate.running))

    def end(self, names, result=SUCCESS):
        for name in names:
            self.open(self.gates[name], result)

    @defer.inlineCallbacks
    def start(self, *groups):
        yield self.setup_lab({'a': {'steps': list(groups)}}, workers=['w1'])
        yield self.request('a')

    @defer.inlineCallbacks
    def assert_ended(self, result):
        self.assertEqual((yield self.builds()), [result])
        self.assertEqual((yield self.owners(self.lock)), (0, 0))


class Parallel(ParallelCase):
    writes_states = True

    @parameterized.expand([('as_given', 2), ('rendered', Property('boards', default=2))])
    @defer.inlineCallbacks
    def test_some_at_a_time(self, _, parallel):
        """As many run as may, the next starts when one ends, and the row names those that run."""
        yield self.start(StepGroup(name='g', steps=self.steps('abcd'), parallel=parallel))
        self.assertEqual(self.running(), 'ab')
        self.end('b')
        self.assertEqual(self.running(), 'ac')
        rows = yield self.master.data.get(('builds', 1, 'steps'))
        (row,) = [row for row in rows if row['name'] == 'g']
        self.assertEqual(row['state_string'], '3 of 4: a, c')
        self.end('ac')
        self.assertEqual(self.running(), 'd')
        self.end('d')
        yield self.assert_ended(SUCCESS)

    @defer.inlineCallbacks
    def test_clean_up_comes_last(self):
        """A step that always runs starts when all before it have ended."""
        clean = self.steps('z', alwaysRun=True)
        yield self.start(StepGroup(name='g', steps=[*self.steps('ab'), *clean], parallel=9))
        self.assertEqual(self.running(), 'ab')
        self.end('a', FAILURE)
        self.assertEqual(self.running(), 'b')
        self.end('b')
        self.assertEqual(self.running(), 'z')
        self.end('z')
        yield self.assert_ended(FAILURE)

    @parameterized.expand(
        [
            # limit, access of group, of each of its steps -> how many of three run at a time
            ('each_whole', 3, 'exclusive', ('exclusive', 1), 1),
            ('each_one', 3, 'exclusive', ('counting', 1), 3),
            ('each_two', 3, 'exclusive', ('counting', 2), 1),
            ('of_one_unit', 1, 'counting', ('counting', 1), 1),
            ('none_names_it', 1, 'exclusive', None, 3),
        ]
    )
    @defer.inlineCallbacks
    def test_siblings(self, _, limit, of_group, of_step, count):
        """Steps that run at a time share what their group holds by the rules of the lock."""
        self.lock = MasterLock('lab', limit)
        locks = [] if of_step is None else [self.lock.access(*of_step)]
        group = StepGroup(
            name='g',
            locks=[self.lock.access(of_group)],
            steps=self.steps('abc', locks=locks),
            parallel=3,
        )
        yield self.start(group)
        seen: list = []
        while self.running():
            seen.append(self.running())
            self.end(self.running()[0])
        self.assertEqual(max(map(len, seen)), count)
        yield self.assert_ended(SUCCESS)

    @parameterized.expand(
        [
            ('running_ones_end', {}, 'ac', FAILURE),
            ('interrupted', {'interruptOnFailure': True}, '', FAILURE),
        ]
    )
    @defer.inlineCallbacks
    def test_halt(self, _, flags, left, result):
        """A failure that ends the group starts no other, and interrupts others if it is told to."""
        group = StepGroup(
            name='g',
            steps=self.steps('abcde', haltOnFailure=True),
            parallel=3,
            locks=[self.access],
            **flags,
        )
        yield self.start(group)
        self.end('b', FAILURE)
        self.assertEqual(self.running(), left)
        self.end(left)
        rows = dict((yield self.step_rows()))
        self.assertNotIn('g/d', rows)
        self.assertEqual(rows['g/a'], SUCCESS if left else CANCELLED)
        yield self.assert_ended(result)

    @defer.inlineCallbacks
    def test_failure_that_does_not_halt(self):
        """A failure that does not end the group lets the others run and start."""
        yield self.start(
            StepGroup(name='g', steps=self.steps('abc'), parallel=2, interruptOnFailure=True)
        )
        self.end('a', FAILURE)
        self.assertEqual(self.running(), 'bc')
        self.end('bc')
        yield self.assert_ended(FAILURE)

    @parameterized.expand([('stop', CANCELLED), ('lose', RETRY)])
    @defer.inlineCallbacks
    def test_end_all(self, what, result):
        """A stop and a lost worker reach all that run, in groups inside too."""
        inner = StepGroup(name='i', steps=self.steps('xy'), parallel=2, locks=[self.access])
        group = StepGroup(
            name='g', steps=[inner, *self.steps('abc')], parallel=3, locks=[self.access]
        )
        yield self.start(group)
        self.assertEqual(self.running(), 'abxy')
        if what == 'stop':
            yield self.stop_build(1)
        else:
            self.lose_worker()
        self.assertEqual(self.running(), '')
        yield self.assert_ended(result)
        rows = yield self.step_rows()
        self.assertEqual(
            {r for _, r in rows}, {CANCELLED, RETRY} if what == 'lose' else {CANCELLED}
        )

    @defer.inlineCallbacks
    def test_lanes(self):
        """Each of the steps that run has a lane of its own, and all are given back."""
        inner = StepGroup(name='i', steps=self.steps('xyz'), parallel=2)
        yield self.start(StepGroup(name='g', steps=[inner, *self.steps('abc')], parallel=3))
        seen: list = []
        while self.running():
            build = self.master.workers.workers['w1'].workerforbuilders['a'].builder.building[0]
            running = [s for s in build.executedSteps if s.results is None and s.step_group]
            lanes = [s.worker_lane for s in running if not isinstance(s, StepGroup)]
            self.assertEqual(len(set(lanes)), len(lanes))
            seen += lanes
            self.end(self.running()[-1])
        self.assertEqual(build.lanes.open(), 1)
        self.assertLessEqual(max(seen), 5)
        yield self.assert_ended(SUCCESS)

    @defer.inlineCallbacks
    def test_worker_that_cannot_open_a_lane(self):
        """If the worker cannot be told of a lane, the steps fail, and the lock is given back."""
        yield self.setup_lab(
            {
                'a': {
                    'steps': [
                        StepGroup(name='g', steps=self.steps('ab'), parallel=2, locks=[self.access])
                    ]
                }
            }
        )
        worker = self.master.workers.workers['w1']
        self.patch(worker.conn, 'remoteSetBuilderList', lambda builders: defer.fail(OSError('no')))
        yield self.request('a')
        yield self.assert_ended(EXCEPTION)
        self.assertTrue(self.flushLoggedErrors(OSError))

    @defer.inlineCallbacks
    def test_lane_is_asked_for_again(self):
        """A worker that could not be told of a lane is told when it is needed again."""
        yield self.setup_lab({'a': {'steps': [StepGroup(steps=self.steps('x'), parallel=2)]}})
        connection = self.master.workers.workers['w1'].conn
        tell, told = connection.remoteSetBuilderList, []

        def fail_once(builders):
            told.append([name for name, _ in builders])
            return defer.fail(OSError('no')) if len(told) == 1 else tell(builders)

        self.patch(connection, 'remoteSetBuilderList', fail_once)
        yield self.request('a')
        self.reactor.advance(600)  # after an exception the worker rests
        yield self.request('a')
        self.end('x')
        self.assertEqual((yield self.builds()), [EXCEPTION, SUCCESS])
        self.assertEqual(told, [['a', 'a (lane 2)']] * 2)
        self.assertTrue(self.flushLoggedErrors(OSError))

    @defer.inlineCallbacks
    def test_clean_up_inside_is_not_interrupted(self):
        """A sibling's failure interrupts no clean-up in a group beside it."""
        inner = StepGroup(
            name='i',
            steps=[
                *self.steps('a', haltOnFailure=True),
                *self.steps('b'),
                *self.steps('z', alwaysRun=True),
            ],
        )
        bad = self.steps('x', haltOnFailure=True)
        group = StepGroup(name='g', steps=[inner, *bad], parallel=2, interruptOnFailure=True)
        yield self.start(group)
        self.end('a', FAILURE)
        self.assertEqual(self.running(), 'xz')
        self.end('x', FAILURE)
        self.assertEqual(self.running(), 'z')
        self.end('z')
        self.assertEqual(dict((yield self.step_rows()))['g/i/z'], SUCCESS)
        yield self.assert_ended(FAILURE)

    @defer.inlineCallbacks
    def test_interrupt_of_its_own(self):
        """A kind of group that does something to be interrupted does it in another group, too."""
        seen: list = []

        class Powered(StepGroup):
            def interrupt(self, reason):
                seen.append(reason)
                return super().interrupt(reason)

        inner = Powered(name='i', steps=self.steps('a'))
        yield self.start(StepGroup(name='g', steps=[inner]))
        yield self.stop_build(1)
        self.assertEqual(seen, ['enough'])
        yield self.assert_ended(CANCELLED)


class Dynamic(ParallelCase):
    @defer.inlineCallbacks
    def test_added_in_its_own_group(self):
        """What a step adds has its place in that step's group, whatever runs beside it."""
        left = StepGroup(name='l', steps=[Adds(self.gates, 'xy', name='a'), *self.steps('b')])
        right = StepGroup(name='r', steps=self.steps('cd'))
        yield self.start(StepGroup(name='g', steps=[left, right], parallel=2))
        self.assertEqual(self.running(), 'ac')
        for name in 'axyb':
            self.assertEqual(self.running(), ''.join(sorted(name + 'c')))
            self.end(name)
        self.end('cd')
        names = [name for name, _ in (yield self.step_rows())]
        self.assertEqual(
            [n for n in names if n[2:3] == 'l'], ['g/l', 'g/l/a', 'g/l/x', 'g/l/y', 'g/l/b']
        )
        yield self.assert_ended(SUCCESS)

    @defer.inlineCallbacks
    def test_added_before_its_end(self):
        """What a step adds while it runs begins after its end, even if there is room before."""

        class AddsFirst(Named):
            def run(step):
                step.build.addStepsAfterCurrentStep(self.steps('x'))
                return super().run()

        steps = [AddsFirst(self.gates, name='a'), *self.steps('bc')]
        yield self.start(StepGroup(name='g', steps=steps, parallel=2))
        self.end('b')
        self.assertEqual(self.running(), 'ac')
        self.end('c')
        self.assertEqual(self.running(), 'a')
        self.end('a')
        self.assertEqual(self.running(), 'x')
        self.end('x')
        yield self.assert_ended(SUCCESS)

    @defer.inlineCallbacks
    def test_added_by_somebody_else(self):
        """What is added from outside of a step's own code comes behind the step that runs."""
        yield self.start(
            StepGroup(name='g', steps=[StepGroup(name='i', steps=self.steps('ab'))]),
            *self.steps('z'),
        )
        build = self.gates['a'].running[0][0]
        build.addStepsAfterCurrentStep(self.steps('x'))
        self.end('axbz')
        names = [name for name, _ in (yield self.step_rows())]
        self.assertEqual(names, ['g', 'g/i', 'g/i/a', 'g/i/x', 'g/i/b', 'z'])

    @defer.inlineCallbacks
    def test_groups_are_added(self):
        """A group can be added behind the current step, and behind the last one."""

        class AddsGroups(BuildStep):
            def run(step):
                group = StepGroup(name='new', steps=self.steps('x'), locks=[self.access])
                last = StepGroup(name='last', steps=self.steps('y'), locks=[self.access])
                step.build.addStepsAfterCurrentStep([group])
                step.build.addStepsAfterLastStep([last])
                return SUCCESS

        yield self.start(
            StepGroup(name='g', steps=[AddsGroups(name='adds'), *self.steps('a')]),
            *self.steps('z'),
        )
        self.end('xazy')
        names = [name for name, _ in (yield self.step_rows())]
        expected = ['g', 'g/adds', 'g/new', 'g/new/x', 'g/a', 'z', 'last', 'last/y']
        self.assertEqual(names, expected)
        yield self.assert_ended(SUCCESS)

    @parameterized.expand(
        [('some', ['x', 'y'], SUCCESS), ('none', [], SUCCESS), ('wrong', [1], FAILURE)]
    )
    @defer.inlineCallbacks
    def test_rendered_steps(self, _, names, result):
        """The steps of a group may be made by a renderable, with the properties of the build."""

        @renderer
        def boards(props):
            return [Named(self.gates, name=n) if isinstance(n, str) else n for n in names]

        yield self.start(StepGroup(name='g', steps=boards, locks=[self.access]))
        if result == SUCCESS:
            self.end(names)
            expected = ['g', *(f'g/{name}' for name in names)]
            self.assertEqual([name for name, _ in (yield self.step_rows())], expected)
        else:
            self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        yield self.assert_ended(result)

    @parameterized.expand([('deep', 100, 1), ('long', 1, 150)])
    @defer.inlineCallbacks
    def test_many(self, _, levels, count):
        """Groups in one another, or steps in a row, are no calls in calls, and run to their end."""
        ran = []

        class Counts(BuildStep):
            def run(step):
                ran.append(step)
                return SUCCESS

        group = StepGroup(name='', steps=[Counts(name='s') for _ in range(count)])
        for _ in range(levels - 1):
            group = StepGroup(name='', steps=[group])
        yield self.start(group)
        for _ in range(20):
            self.settle()
        self.assertEqual(len(ran), count)
        yield self.assert_ended(SUCCESS)

    @defer.inlineCallbacks
    def test_stop_deep(self):
        """A stop reaches the step inside many groups, all of which give their lock back."""
        group = StepGroup(name='', steps=self.steps('x'), locks=[self.access])
        for _ in range(99):
            group = StepGroup(name='', steps=[group], locks=[self.access])
        yield self.start(group)
        self.assertEqual(self.running(), 'x')
        self.assertEqual((yield self.owners(self.lock)), (100, 0))
        yield self.stop_build(1)
        for _ in range(20):
            self.settle()
        yield self.assert_ended(CANCELLED)


class Env(ShellMixin, BuildStep):
    """A step that shows where and with which variables it would run its command."""

    def __init__(self, seen, **kwargs):
        kwargs = self.setupShellMixin(kwargs, prohibitArgs=['command'])
        super().__init__(**kwargs)
        self.seen = seen

    @defer.inlineCallbacks
    def run(self):
        command = yield self.makeRemoteShellCommand(command=['true'])
        self.seen.append((command.args['workdir'], command.args['env']))
        return SUCCESS


class Defaults(ParallelCase):
    writes_properties = True

    @parameterized.expand(
        [
            # of build, outer group, inner group, step -> what the command has
            ('none', {}, {}, {}, {}, ('build', {})),
            ('build', {'A': '1'}, {}, {}, {}, ('build', {'A': '1'})),
            ('outer', {'A': '1'}, {'env': {'A': '2'}}, {}, {}, ('build', {'A': '2'})),
            (
                'inner',
                {'A': '1'},
                {'env': {'A': '2', 'B': '2'}, 'workdir': 'o'},
                {'env': {'B': '3'}},
                {},
                ('o', {'A': '2', 'B': '3'}),
            ),
            (
                'step',
                {},
                {'env': {'A': '2', 'B': '2'}, 'workdir': 'o'},
                {'workdir': 'i'},
                {'env': {'B': '4'}, 'workdir': 's'},
                ('s', {'A': '2', 'B': '4'}),
            ),
            (
                'rendered',
                {},
                {'env': {'A': Property('a', default='9')}},
                {},
                {},
                ('build', {'A': '9'}),
            ),
        ]
    )
    @defer.inlineCallbacks
    def test_env_and_workdir(self, _, of_build, of_outer, of_inner, of_step, expected):
        """Steps that set no directory or variable have those of the nearest group that does."""
        seen: list = []
        step = Env(seen, name='s', **of_step)
        inner = StepGroup(name='i', steps=[step], **of_inner)
        outer = StepGroup(name='o', steps=[inner], **of_outer)
        yield self.setup_lab({'a': {'steps': [outer], 'env': of_build}})
        yield self.request('a')
        self.assertEqual(seen, [expected])

    @defer.inlineCallbacks
    def test_statistics(self):
        """What steps in groups count is summed up with that of all the build's steps."""

        class Counts(BuildStep):
            def run(step):
                step.setStatistic('tests', 3)
                return SUCCESS

        class Sums(BuildStep):
            def run(step):
                total = step.build.getSummaryStatistic('tests', lambda a, b: a + b, 0)
                step.setProperty('total', total, 'test')
                return SUCCESS

        inner = StepGroup(name='i', steps=[Counts(name='x')])
        yield self.start(StepGroup(name='g', steps=[inner, Counts(name='y')]), Sums(name='sum'))
        properties = yield self.master.data.get(('builds', 1, 'properties'))
        self.assertEqual(properties['total'], (6, 'test'))


class Triggered(ParallelCase):
    """Builds that are triggered from inside a group, and waited for."""

    @defer.inlineCallbacks
    def start_family(self, make_group, children):
        triggerables = [schedulers.Triggerable(name=n, builderNames=[n]) for n in children]
        builders = {
            name: {'steps': self.steps(name), 'locks': locks} for name, locks in children.items()
        }
        yield self.setup_lab(
            {'a': {'steps': [make_group]}, **builders},
            workers=['w1', 'w2', 'w3'],
            schedulers=triggerables,
        )
        yield self.request('a')
        self.settle()

    def trigger(self, name, **words):
        return steps.Trigger(schedulerNames=[name], waitForFinish=True, name=f't{name}', **words)

    def trigger_each_in_its_lock(self, other):
        """Return a group that triggers c under the lock, and at the same time d under another."""
        inner = [
            self.trigger('c', locks=[self.access]),
            self.trigger('d', locks=[other.access('exclusive')]),
        ]
        return StepGroup(name='g', steps=inner, parallel=2)

    @defer.inlineCallbacks
    def test_side_by_side(self):
        """Children of steps that run at a time share what the group holds, one after the other."""
        group = StepGroup(
            name='g', steps=[self.trigger('c'), self.trigger('d')], parallel=2, locks=[self.access]
        )
        yield self.start_family(group, {'c': [self.access], 'd': [self.access]})
        for _ in range(2):
            self.assertEqual(len(self.running()), 1)
            self.end(self.running())
        self.assertEqual(sorted((yield self.builds())), [SUCCESS] * 3)
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @defer.inlineCallbacks
    def test_each_in_its_own_step(self):
        """Of two steps that trigger at a time, each shares its own lock with its own child."""
        other = MasterLock('other')
        group = self.trigger_each_in_its_lock(other)
        yield self.start_family(group, {'c': [self.access], 'd': [other.access('exclusive')]})
        self.assertEqual(self.running(), 'cd')
        self.end('cd')
        self.assertEqual(sorted((yield self.builds())), [SUCCESS] * 3)
        self.assertEqual((yield self.owners(other)), (0, 0))
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @defer.inlineCallbacks
    def test_judged_before_its_step_is_told(self):
        """A child that has asked for its locks too early shares those of its step all the same."""
        other = MasterLock('other')
        group = self.trigger_each_in_its_lock(other)
        late = self.tell_late()
        yield self.start_family(group, {'c': [self.access], 'd': [other.access('exclusive')]})
        self.assertEqual(self.running(), '')
        late.callback(None)
        self.settle()
        self.assertEqual(self.running(), 'cd')
        self.end('cd')
        self.assertEqual(sorted((yield self.builds())), [SUCCESS] * 3)

    def tell_late(self):
        """Return a Deferred; steps know the requests that they trigger when it has fired."""
        make = Triggerable.trigger
        late: defer.Deferred[None] = defer.Deferred()

        def trigger(scheduler, *args, **kwargs):
            ids, results = make(scheduler, *args, **kwargs)
            return ids.addCallback(lambda made: late.addCallback(lambda _: made)), results

        self.patch(Triggerable, 'trigger', trigger)
        return late

    @parameterized.expand(
        [('reserved', 'claimBuildRequests'), ('begun', 'addBuild'), ('waits', None)]
    )
    @defer.inlineCallbacks
    def test_step_of_child(self, _, write):
        """So does a step of a child that has reserved its locks, or begun, too early."""
        other = MasterLock('other')
        group = self.trigger_each_in_its_lock(other)
        late = self.tell_late()
        children = {
            name: {
                'steps': self.steps(name, locks=[access]),
                'locks': [MasterLock(name).access('exclusive')],
            }
            for name, access in (('c', self.access), ('d', other.access('exclusive')))
        }
        yield self.setup_lab(
            {'a': {'steps': [group]}, **children},
            workers=['w1', 'w2', 'w3'],
            schedulers=[schedulers.Triggerable(name=n, builderNames=[n]) for n in children],
        )
        held: Any = None
        if write is not None:
            of_parent = ([1], 1)  # its request, or its builder
            held = self.hold_write(
                write, lambda *args, **words: words.get('builderid', *args) not in of_parent
            )
        yield self.request('a')
        late.callback(None)
        self.settle()
        if held is not None:
            held.held.callback(None)
            self.settle()
        self.assertEqual(self.running(), 'cd')
        self.end('cd')
        self.assertEqual(sorted((yield self.builds())), [SUCCESS] * 3)
        self.assertEqual((yield self.owners(other)), (0, 0))
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @parameterized.expand([('row', 'addStep'), ('start', 'startStep'), ('making', 'addBuildset')])
    @defer.inlineCallbacks
    def test_stopped_early(self, _, write):
        """A step that is stopped before or while it triggers leaves no child behind."""
        group = StepGroup(name='g', steps=[self.trigger('c')], locks=[self.access])
        triggerable = schedulers.Triggerable(name='c', builderNames=['c'])
        yield self.setup_lab(
            {'a': {'steps': [group]}, 'c': {'steps': self.steps('c'), 'locks': [self.access]}},
            workers=['w1', 'w2'],
            schedulers=[triggerable],
        )
        yield self.request('a')
        self.end('c')
        seen: list = []

        def is_meant(*args, **kwargs):
            seen.append(kwargs.get('name'))
            if write == 'addStep':
                return kwargs['name'] == 'g/tc'
            if write == 'startStep':
                return len(seen) == 3  # behind the worker's preparation and the group
            return kwargs.get('waited_for')

        held = self.hold_write(write, is_meant)
        yield self.request('a')
        self.assertIsNotNone(held.held)
        count = len((yield self.builds()))
        yield self.stop_build(count)
        held.held.callback(None)
        self.settle()
        self.assertEqual(self.running(), '')
        requests = yield self.master.data.get(('buildrequests',))
        self.assertEqual([r for r in requests if not r['complete']], [])
        self.assertNotIn(None, (yield self.builds()))
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        self.assertEqual(requests[2]['results'], CANCELLED)


class SkippedSteps(ParallelCase):
    @defer.inlineCallbacks
    def test_all_skipped(self):
        """A group all of whose steps are skipped is a success, as a build is."""
        yield self.start(StepGroup(name='g', steps=self.steps('ab', doStepIf=False)))
        self.assertEqual(
            (yield self.step_rows()), [('g', SUCCESS), ('g/a', SKIPPED), ('g/b', SKIPPED)]
        )
        yield self.assert_ended(SUCCESS)
