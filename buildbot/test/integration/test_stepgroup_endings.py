# SPDX-License-Identifier: GPL-2.0-only
"""Whatever happens to a group, at whatever moment: its lock goes on, and nothing is left."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locks import MasterLock
from buildbot.process.buildstep import BuildStep
from buildbot.process.groups.step import StepGroup
from buildbot.process.properties import Property
from buildbot.process.properties import renderer
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase


class Odd(Exception):
    """What goes wrong in these tests."""


class Ending(LabTestCase):
    """Builder a has a group of the steps x and y; b waits for its lock on another worker."""

    writes_states = True

    @defer.inlineCallbacks
    def start(self, moment):
        self.moment = moment
        self.lock = MasterLock('lab')
        access = self.lock.access('exclusive')
        self.inside, self.other, self.before = Gate(), Gate(), Gate()
        self.decision: Any = None
        steps = [GatedStep(self.inside, name=name, haltOnFailure=True) for name in 'xy']
        group = StepGroup(name='g', locks=[access], steps=steps, doStepIf=self.decide)
        yield self.setup_lab(
            {
                'a': {'steps': [group], 'workernames': ['w1']},
                'b': {
                    'steps': [GatedStep(self.other, locks=[access])],
                    'workernames': ['w2'],
                },
                'before': {
                    'steps': [GatedStep(self.before, locks=[access])],
                    'workernames': ['w3'],
                },
            },
            workers=['w1', 'w2', 'w3'],
        )
        self.write = self.held_write(moment)
        if moment == 'if':
            self.decision = defer.Deferred()
        if moment == 'waiting':
            yield self.request('before')
        yield self.request('a')
        if moment in ('between', 'last', 'after'):
            self.open(self.inside, SUCCESS)
        if moment == 'after':
            self.open(self.inside, SUCCESS)
        yield self.request('b')
        if moment in ('row', 'if', 'waiting', 'acquired'):
            self.assertEqual(self.inside.seen, 0)
        else:
            # whatever b waits for, it is not the lock of a group whose last row is being written
            self.assertEqual(len(self.other.running), moment == 'after')

    def decide(self, step):
        return defer.succeed(True) if self.decision is None else self.decision

    def held_write(self, moment):
        group: list = []

        def is_row(buildid, name):
            return name == 'g'

        def is_group(stepid, *args, **kwargs):
            return group == [stepid]

        def is_between(buildid, build):
            return self.inside.seen == 1 and build.builder.name == 'a'

        def remember(result):
            group.append(result[0])
            return result

        if moment == 'row':
            return self.hold_write('addStep', is_row)
        updates = self.master.data.updates
        add = updates.addStep

        def add_step(buildid, name):
            d = add(buildid=buildid, name=name)
            return d.addCallback(remember) if name == 'g' else d

        self.patch(updates, 'addStep', add_step)
        if moment == 'acquired':
            return self.hold_write('set_step_locks_acquired_at', is_group)
        if moment == 'between':
            return self.hold_write('setBuildProperties', is_between)
        if moment == 'after':
            return self.hold_write('finishStep', is_group)
        return None

    @defer.inlineCallbacks
    def happen(self, what):
        if what == 'stop':
            rows = yield self.master.data.get(('builds',))
            (a,) = [row for row in rows if row['workerid'] == self.workerid('w1')]
            yield self.stop_build(a['buildid'])
        elif what == 'lose':
            self.lose_worker('w1')
        elif what == 'database':
            if self.write is not None:
                self.write.held.errback(Odd('disk is full'))
                self.write = None
            else:
                finish = self.master.data.updates.finishStep
                self.patch(self.master.data.updates, 'finishStep', self.fail_once(finish))
                self.open(self.inside, SUCCESS)
        elif what == 'raise' and self.moment == 'if':
            self.decision.errback(Odd('no decision'))
            self.decision = None
        elif what == 'raise':
            self.inside.running.pop(0)[1].errback(Odd('no board'))
        else:
            self.open(self.inside, {'fail': FAILURE, 'retry': RETRY}[what])
        self.settle()
        if self.write is not None:
            self.write.held.callback(None)
        if self.decision is not None:
            self.decision.callback(True)
        self.settle()

    def workerid(self, name):
        return self.master.workers.workers[name].workerid

    def fail_once(self, write):
        failed: list = []

        def failing(*args, **kwargs):
            if not failed:
                failed.append(True)
                return defer.fail(Odd('disk is full'))
            return write(*args, **kwargs)

        return failing

    @parameterized.expand(
        [
            # moment, what happens -> results of group (None: has no row) and build
            ('row', 'stop', CANCELLED, CANCELLED),
            ('row', 'lose', CANCELLED, RETRY),
            ('row', 'database', None, EXCEPTION),
            ('if', 'stop', CANCELLED, CANCELLED),
            ('if', 'lose', CANCELLED, RETRY),
            ('if', 'raise', EXCEPTION, FAILURE),
            ('waiting', 'stop', CANCELLED, CANCELLED),
            ('waiting', 'lose', CANCELLED, RETRY),
            ('acquired', 'stop', CANCELLED, CANCELLED),
            ('acquired', 'lose', RETRY, RETRY),
            ('acquired', 'database', SUCCESS, SUCCESS),
            ('first', 'fail', FAILURE, FAILURE),
            ('first', 'raise', EXCEPTION, EXCEPTION),
            ('first', 'retry', RETRY, RETRY),
            ('first', 'stop', CANCELLED, CANCELLED),
            ('first', 'lose', RETRY, RETRY),
            ('first', 'database', EXCEPTION, EXCEPTION),
            ('between', 'stop', CANCELLED, CANCELLED),
            ('between', 'lose', RETRY, RETRY),
            ('between', 'database', EXCEPTION, EXCEPTION),
            ('last', 'fail', FAILURE, FAILURE),
            ('last', 'raise', EXCEPTION, EXCEPTION),
            ('last', 'retry', RETRY, RETRY),
            ('last', 'stop', CANCELLED, CANCELLED),
            ('last', 'lose', RETRY, RETRY),
            ('last', 'database', EXCEPTION, EXCEPTION),
            ('after', 'stop', SUCCESS, CANCELLED),
            ('after', 'lose', SUCCESS, RETRY),
            ('after', 'database', EXCEPTION, EXCEPTION),
        ]
    )
    @defer.inlineCallbacks
    def test(self, moment, what, of_group, of_build):
        """The group, its build and the next in line come to the end they should."""
        yield self.start(moment)
        yield self.happen(what)
        if moment == 'waiting':
            self.open(self.before, SUCCESS)
        if moment == 'acquired' and what == 'database':
            for _ in 'xy':
                self.open(self.inside, SUCCESS)
        # a build that is tried again, on its worker, waits behind the other one
        self.assertEqual((len(self.inside.running), len(self.other.running)), (0, 1))
        self.open(self.other, SUCCESS)

        builds = yield self.master.data.get(('builds',), order=['buildid'])
        first = next(row for row in builds if row['workerid'] == self.workerid('w1'))
        self.assertEqual(first['results'], of_build)
        rows = dict((yield self.step_rows(first['buildid'])))
        self.assertEqual(rows.get('g'), of_group)
        if what == 'retry':
            for _ in 'xy':
                self.open(self.inside, SUCCESS)
        elif of_build == EXCEPTION:
            self.reactor.advance(3600)  # a worker rests after that
        self.assertEqual((yield self.owners(self.lock)), (0, 0))
        pending = yield self.master.data.get(('buildrequests',))
        left = [r for r in pending if not r['complete']]
        self.assertEqual(len(left), what == 'lose')  # for when the worker is back
        errors = self.flushLoggedErrors(Odd)
        self.assertEqual(bool(errors), what in ('database', 'raise') and moment != 'acquired')


class Limits(LabTestCase):
    """A group with limits of time, and one that has its lock."""

    writes_states = True

    @defer.inlineCallbacks
    def start(self, **words):
        self.lock = MasterLock('lab')
        access = self.lock.access('exclusive')
        self.inside, self.clean, self.other, self.behind = Gate(), Gate(), Gate(), Gate()
        steps = [
            GatedStep(self.inside, name='x'),
            GatedStep(self.inside, name='y'),
            GatedStep(self.clean, name='clean', alwaysRun=True),
        ]
        group = StepGroup(name='g', locks=[access], steps=steps, **words)
        yield self.setup_lab(
            {
                'other': {'steps': [GatedStep(self.other, locks=[access])]},
                'a': {'steps': [group, GatedStep(self.behind, name='behind')]},
            },
            workers=['w1', 'w2'],
        )

    @defer.inlineCallbacks
    def row(self, name, buildid):
        rows = yield self.master.data.get(('builds', buildid, 'steps'))
        (row,) = [row for row in rows if row['name'] == name]
        return row

    @defer.inlineCallbacks
    def state(self, name, buildid):
        row = yield self.row(name, buildid)
        return row['state_string'], row['results']

    @defer.inlineCallbacks
    def logs(self, name, buildid):
        row = yield self.row(name, buildid)
        logs = yield self.master.data.get(('steps', row['stepid'], 'logs'))
        texts = []
        for entry in logs:
            contents = yield self.master.data.get(('logs', entry['logid'], 'contents'))
            texts.append((entry['name'], contents['content']))
        return texts

    @parameterized.expand(
        [
            ('goes_on', {}, FAILURE),
            ('no_matter', {'flunkOnFailure': False}, SUCCESS),
            ('halts', {'haltOnFailure': True}, FAILURE),
        ]
    )
    @defer.inlineCallbacks
    def test_wait_timeout(self, _, flags, of_build):
        """A group that has waited too long fails as its flags say, and says what it waited for."""
        yield self.start(waitTimeout=600, **flags)
        yield self.request('other')
        yield self.request('a')
        self.reactor.advance(500)
        self.assertEqual((yield self.owners(self.lock)), (1, 1))
        self.reactor.advance(100)
        self.settle()
        self.assertEqual((yield self.owners(self.lock)), (1, 0))
        why = "waited 600 seconds in vain for lab, which was held by step 'generic' of other #1"
        self.assertEqual((yield self.state('g', 2)), (f'{why} (failure)', FAILURE))
        text = f"step group 'g': {why}\n"
        self.assertEqual((yield self.logs('g', 2)), [('gave up', text)])
        self.assertEqual(len(self.behind.running), 'haltOnFailure' not in flags)
        if self.behind.running:
            self.open(self.behind, SUCCESS)
        self.open(self.other, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, of_build])
        self.assertEqual((self.inside.seen, self.clean.seen), (0, 0))
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @defer.inlineCallbacks
    def test_wait_in_time(self):
        """A group that gets its lock in time does not hear of the limit any more."""
        yield self.start(waitTimeout=600)
        yield self.request('other')
        yield self.request('a')
        self.reactor.advance(500)
        self.open(self.other, SUCCESS)
        self.reactor.advance(5000)
        for gate in (self.inside, self.inside, self.clean, self.behind):
            self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])

    @defer.inlineCallbacks
    def test_stopped_while_waiting(self):
        """A stop ends the wait, and its limit with it."""
        yield self.start(waitTimeout=600)
        yield self.request('other')
        yield self.request('a')
        yield self.stop_build(2)
        self.reactor.advance(5000)
        self.open(self.other, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, CANCELLED])

    @defer.inlineCallbacks
    def test_stopped_while_it_gives_up(self):
        """A stop while it is being written what was waited for in vain cancels the build."""
        yield self.start(waitTimeout=600)
        yield self.request('other')
        yield self.request('a')
        write = self.hold_write('addLog', lambda stepid, name, type: name == 'gave up')
        self.reactor.advance(600)
        self.settle()
        yield self.stop_build(2)
        write.held.callback(None)
        self.settle()
        self.open(self.other, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, CANCELLED])
        self.assertEqual((yield self.owners(self.lock)), (0, 0))

    @defer.inlineCallbacks
    def test_max_time(self):
        """A group that takes too long is ended, cleans up with the lock held, and has failed."""
        yield self.start(maxTime=60)
        yield self.request('other')
        yield self.request('a')
        self.reactor.advance(600)  # none of its wait counts
        self.open(self.other, SUCCESS)
        self.reactor.advance(50)
        self.assertEqual(len(self.inside.running), 1)
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((len(self.inside.running), len(self.clean.running)), (0, 1))
        self.assertEqual((yield self.owners(self.lock)), (1, 0))
        self.reactor.advance(600)  # to clean up takes as long as it takes
        self.open(self.clean, SUCCESS)
        self.open(self.behind, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, FAILURE])
        summary = '2 of 3 steps: x cancelled (timed out)'
        self.assertEqual((yield self.state('g', 2)), (summary, FAILURE))
        text = "step group 'g' was ended after 60 seconds\n"
        self.assertEqual((yield self.logs('g', 2)), [('timed out', text)])

    @parameterized.expand([('outer', {'maxTime': 60}, {}), ('inner', {}, {'maxTime': 60})])
    @defer.inlineCallbacks
    def test_clean_up_inside(self, _, of_outer, of_inner):
        """What cleans up in a group inside is not cut short by the time of one around it."""
        gates = [Gate() for _ in range(3)]
        names = [GatedStep(gates[0], name='a'), GatedStep(gates[1], name='z', alwaysRun=True)]
        inner = StepGroup(name='i', steps=names, **of_inner)
        outer = [inner, GatedStep(gates[2], name='never')]
        group = StepGroup(name='g', steps=outer, haltOnFailure=True, **of_outer)
        yield self.setup_lab({'a': {'steps': [group]}})
        yield self.request('a')
        self.reactor.advance(60)
        self.settle()
        self.assertEqual([len(gate.running) for gate in gates], [0, 1, 0])
        self.reactor.advance(600)
        self.open(gates[1], SUCCESS)
        if of_inner:  # the group around it goes on
            self.open(gates[2], SUCCESS)
        rows = dict((yield self.step_rows()))
        self.assertEqual((rows['g'], rows['g/i/z']), (FAILURE, SUCCESS))
        self.assertEqual(rows['g/i'], CANCELLED if of_outer else FAILURE)

    @defer.inlineCallbacks
    def test_in_time(self):
        """A group that ends in time does not hear of its limit any more."""
        yield self.start(maxTime=60)
        yield self.request('a')
        for gate in (self.inside, self.inside, self.clean):
            self.open(gate, SUCCESS)
        self.reactor.advance(600)
        self.open(self.behind, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS])

    @defer.inlineCallbacks
    def test_steps_without_answer(self):
        """A group with a limit does not wait longer than that for what its steps are."""
        lock = MasterLock('lab')
        words = {'locks': [lock.access('exclusive')], 'maxTime': 60}
        steps = renderer(lambda props: defer.Deferred())
        yield self.setup_lab({'a': {'steps': [StepGroup(name='g', steps=steps, **words)]}})
        yield self.request('a')
        self.reactor.advance(50)
        self.assertEqual((yield self.owners(lock)), (1, 0))
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((yield self.builds()), [FAILURE])
        text = "step group 'g' was ended after 60 seconds (failure)"
        self.assertEqual((yield self.state('g', 1)), (text, FAILURE))
        self.assertEqual((yield self.owners(lock)), (0, 0))

    @defer.inlineCallbacks
    def test_rendered_limits(self):
        """Limits can be rendered, and one that is no number is told on the build."""
        yield self.start(maxTime=Property('limit', default=5))
        yield self.request('a')
        yield self.request('a', properties={'limit': ('long', 'test')})
        self.assertEqual((yield self.builds()), [None, FAILURE])
        (text,) = [t for n, t in (yield self.logs('g', 2)) if n == 'err.text']
        sentence = "group 'g': maxTime must be a number of seconds, not 'long'"
        self.assertTrue(text.endswith(f': {sentence}\n'), text)
        self.assertEqual([str(e.value) for e in self.flushLoggedErrors(ValueError)], [sentence])


class Rows(LabTestCase):
    """What the rows of a group and its steps tell."""

    writes_states = True

    @defer.inlineCallbacks
    def rows(self, buildid=1, hidden=False):
        rows = yield self.master.data.get(('builds', buildid, 'steps'))
        own = ('worker_preparation', 'locks_acquire')
        return {row['name']: row for row in rows if row['name'] not in own}

    @defer.inlineCallbacks
    def test_waiting(self):
        """The row of a step that waits says for what, since when, and who has it."""
        lock, gate = MasterLock('lab'), Gate()
        access = lock.access('exclusive')
        group = StepGroup(name='g', locks=[access], steps=[GatedStep(gate, name='flash')])
        step = GatedStep(gate, name='s', locks=[access])
        builders = {'a': {'steps': [group]}, 'b': {'steps': [step]}, 'c': {'steps': [group]}}
        yield self.setup_lab(builders)
        self.reactor.advance(7200)
        yield self.request('a')
        rows = yield self.rows()
        self.assertEqual(rows['g']['state_string'], '1 of 1: flash (holds lab)')
        yield self.request('b')
        rows = yield self.rows(2)
        said = 'waiting for lab: held by a #1 / g (under a minute)'
        self.assertEqual(rows['s']['state_string'], said)
        yield self.request('c')
        rows = yield self.rows(3)
        self.assertEqual(rows['g']['state_string'], f'{said}, 1 ahead')
        self.open(gate, SUCCESS)
        rows = yield self.rows(2)
        self.assertEqual(rows['s']['state_string'], 'running')
        self.reactor.pump([5] * 7)
        rows = yield self.rows(3)
        said = 'waiting for lab: held by b #1 / s (under a minute)'
        self.assertEqual(rows['g']['state_string'], said)

    @defer.inlineCallbacks
    def test_waiting_inside(self):
        """Who waits in a group is told of its siblings, who waits outside of the group only."""
        lock, gate = MasterLock('lab'), Gate()
        locks = [lock.access('exclusive')]
        inner = [GatedStep(gate, name=name, locks=locks) for name in 'xy']
        group = StepGroup(name='g', locks=locks, steps=inner, parallel=2)
        yield self.setup_lab(
            {'a': {'steps': [group]}, 'b': {'steps': [GatedStep(gate, name='s', locks=locks)]}}
        )
        yield self.request('a')
        yield self.request('b')
        rows = yield self.rows()
        said = 'waiting for lab: held by {} (under a minute)'
        self.assertEqual(rows['g/y']['state_string'], said.format('a #1 / g/x'))
        rows = yield self.rows(2)
        said = said.format('a #1 / g')
        self.assertEqual(rows['s']['state_string'], f'{said}, 1 ahead')  # g/y is before it
        for _ in range(3):
            self.open(gate, SUCCESS)
        self.assertEqual((yield self.owners(lock)), (0, 0))

    @parameterized.expand(
        [
            ('shown', False, False),
            ('hidden', True, True),
            ('shown_after_all', lambda results, step: results == FAILURE, False),
            ('hidden_after_all', lambda results, step: results == SUCCESS, True),
        ]
    )
    @defer.inlineCallbacks
    def test_hide(self, _, hide, hidden):
        """hideStepIf hides the rows of the group and of all that is in it."""
        inner = StepGroup(name='i', steps=[BuildStepThatEnds(name='x')])
        group = StepGroup(name='g', steps=[inner, BuildStepThatEnds(name='y')], hideStepIf=hide)
        yield self.setup_lab({'a': {'steps': [group]}})
        yield self.request('a')
        rows = yield self.rows()
        names = ['g', 'g/i', 'g/i/x', 'g/y']
        self.assertEqual({n: r['hidden'] for n, r in rows.items()}, dict.fromkeys(names, hidden))
        self.assertEqual({r['results'] for r in rows.values()}, {SUCCESS})

    @defer.inlineCallbacks
    def test_hidden_rows_keep_their_times(self):
        """A row that is hidden at the end of its group still says when its step ended."""
        gate = Gate()
        steps = [GatedStep(gate, name='a'), GatedStep(gate, name='b')]
        yield self.setup_lab(
            {'a': {'steps': [StepGroup(name='g', steps=steps, hideStepIf=lambda r, s: True)]}}
        )
        yield self.request('a')
        self.open(gate, SUCCESS)
        before = (yield self.rows())['g/a']['complete_at']
        self.reactor.advance(1000)
        self.open(gate, SUCCESS)
        after = (yield self.rows())['g/a']
        self.assertEqual((after['complete_at'], after['hidden']), (before, True))

    @parameterized.expand([('text', 'failure'), ('none', None), ('tuple', (SUCCESS, ['x']))])
    @defer.inlineCallbacks
    def test_result_that_is_none(self, _, result):
        """A step whose result is no result is an exception in its group, which ends."""
        lock = MasterLock('lab')
        group = StepGroup(
            name='g', steps=[Says(name='s', results=result)], locks=[lock.access('exclusive')]
        )
        yield self.setup_lab({'a': {'steps': [group]}})
        yield self.request('a')
        self.assertEqual((yield self.builds()), [EXCEPTION])
        self.assertEqual((yield self.owners(lock)), (0, 0))
        self.flushLoggedErrors()

    @defer.inlineCallbacks
    def test_how_far_it_came(self):
        """The row of a group that has been halted says how far it came."""
        steps = [Says(name=n, results=FAILURE, haltOnFailure=True) for n in 'abcd']
        yield self.setup_lab({'a': {'steps': [StepGroup(name='g', steps=steps)]}})
        yield self.request('a')
        rows = yield self.rows()
        self.assertEqual(rows['g']['state_string'], '1 of 4 steps: a failure')

    @parameterized.expand(
        [
            # flags of the group, words of its steps -> what the build says
            ('own', {}, [{'results': FAILURE}], "'s0' (failure)"),
            ('no_matter', {'flunkOnFailure': False}, [{'results': FAILURE}], None),
            ('said', {}, [{'build': '3 tests'}, {'build': '4 tests'}], '3 tests 4 tests'),
        ]
    )
    @defer.inlineCallbacks
    def test_build_summary(self, _, flags, words, said):
        """What its steps have to say of the build comes through, as the group's flags let it."""
        steps = [Says(name=f's{i}', **w) for i, w in enumerate(words)]
        yield self.setup_lab({'a': {'steps': [StepGroup(name='g', steps=steps, **flags)]}})
        yield self.request('a')
        (build,) = yield self.master.data.get(('builds',))
        start = 'failed ' if build['results'] == FAILURE else 'build successful'
        end = build['state_string'][len(start) :].strip()
        self.assertEqual(end or None, said)

    @defer.inlineCallbacks
    def test_long_rendered_path(self):
        """A path that turns out too long in a build fails the step, with the reason in its log."""
        steps = [BuildStepThatEnds(name=Property('name', default='x' * 60))]
        yield self.setup_lab({'a': {'steps': [StepGroup(name='g', steps=steps)]}})
        yield self.request('a')
        rows = yield self.rows()
        self.assertEqual(rows['g/' + 'x' * 48]['results'], EXCEPTION)
        logs = yield self.master.data.get(
            ('steps', rows['g/' + 'x' * 48]['stepid'], 'logs', 'err_text', 'contents')
        )
        sentence = (
            f"the path 'g/{'x' * 60}' is longer than the 50 characters that the name of a step may"
            ' have'
        )
        self.assertTrue(logs['content'].endswith(f'ValueError: {sentence}\n'), logs['content'])
        self.assertEqual([str(e.value) for e in self.flushLoggedErrors(ValueError)], [sentence])


class BuildStepThatEnds(BuildStep):
    def run(self):
        return SUCCESS


class Says(BuildStep):
    """A step with a result, and words about its build."""

    def __init__(self, results=SUCCESS, build=None, **kwargs):
        super().__init__(**kwargs)
        self.ends_with = results
        self.words = build

    def run(self):
        return self.ends_with

    def getResultSummary(self):
        summary = {'step': f"'{str(self.name).rpartition('/')[2]}' (failure)"}
        if self.words:
            summary['build'] = self.words
        return summary
