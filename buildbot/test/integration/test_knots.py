# SPDX-License-Identifier: GPL-2.0-only
"""Builds that wait for builds which can never begin, because of those who wait for one another."""

from __future__ import annotations

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process.eye.history import History
from buildbot.process.eye.reasons import why_pending
from buildbot.process.groups.step import StepGroup
from buildbot.process.results import Results
from buildbot.reporters.lockmetrics import Labels
from buildbot.reporters.lockmetrics import Times
from buildbot.steps.trigger import Trigger
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.lab import GatedStep


class KnotCase(DistributionCase):
    """Builders p and q trigger builds, the others are steps that wait at gates."""

    @defer.inlineCallbacks
    def start_knot(self, builders, workers='12', most=1, also='', **config):
        """Start a master.

        :param builders: for each name its workers (digits of their names) and steps: a lock is a
            step that takes it, another text triggers the builders of its letters, and None is a
            step at the builder's gate. A lock in front of the workers is one of the builder.
        :param also: a builder that is triggered together with any other.
        """
        words = {}
        for name, (numbers, *of) in builders.items():
            locks = []
            if not isinstance(numbers, str):
                locks, numbers, of = [numbers.access('exclusive')], of[0], of[1:]
            words[name] = {
                'workernames': [f'w{n}' for n in numbers],
                'locks': locks,
                'steps': [self.step(name, step) for step in of or [None]],
            }
        self._words, self._also = (words, config), also
        yield self.setup_lab(
            words,
            [self.createLocalWorker(f'w{n}', max_builds=most) for n in workers],
            schedulers=self.triggerables(words),
            **config,
        )

    def triggerables(self, names):
        # one of a removed builder is there still for the others that it triggers
        of_each = {n: sorted({n, *self._also} & set(names)) for n in self._words[0]}
        return [schedulers.Triggerable(name=n, builderNames=of) for n, of in of_each.items() if of]

    @defer.inlineCallbacks
    def reconfig_lab(self, without='', p=None, **config):
        """Reconfigure the master, with other words, without a builder, or with other steps of p."""
        words, before = self._words
        if p is not None:
            words['p']['steps'] = p
        left = {name: of for name, of in words.items() if name != without}
        config = {**before, **config, 'schedulers': self.triggerables(left)}
        yield self.reconfig_master(self.lab_config(left, **config))
        self.settle()

    def step(self, builder, step):
        if step is None:
            return GatedStep(self.gate(builder))
        if isinstance(step, str):
            return steps.Trigger(schedulerNames=list(step), waitForFinish=True, name=f't{step}')
        access = step.access('exclusive')
        return GatedStep(self.gate(builder), name=f'l{step.name}', locks=[access])

    @defer.inlineCallbacks
    def results(self):
        """Return the results of all requests, in the order in which they were made."""
        rows = yield self.master.data.get(('buildrequests',), order=['buildrequestid'])
        return [Results[r['results']] if r['complete'] else '' for r in rows]

    def why(self, name, brid):
        builder = self.master.botmaster.builders[name]
        found = why_pending(builder, 1, [brid], self.reactor.seconds())
        return [reason.text for reason in found]

    @defer.inlineCallbacks
    def log_of(self, buildid, name='deadlock'):
        """Return the texts of the logs of a name of the steps of a build."""
        found = []
        for row in (yield self.master.data.get(('builds', buildid, 'steps'))):
            for log in (yield self.master.data.get(('steps', row['stepid'], 'logs'))):
                if log['slug'] == name:
                    text = yield self.master.data.get(('logs', log['logid'], 'contents'))
                    found.append((row['name'], text['content']))
        return found

    @defer.inlineCallbacks
    def assert_log(self, buildid, step, *waits, late=False):
        """Check the one log ``deadlock`` of a build, of a step, for its waits and its end."""
        text, why = 'None of these could ever continue:\n\n', ''
        if late:
            text = 'None of these could continue for 600 seconds, because something is away:\n\n'
            why = " by c['stuckAfter']"
        text += ''.join(f'- {wait}\n' for wait in waits)
        text += f'\nThis step was ended{why}, so that the others can.\n'
        self.assertEqual((yield self.log_of(buildid)), [(step, text)])


A, B = MasterLock('a'), MasterLock('b')
OF_WORKER = WorkerLock('of')

#: each row: what it is; the builders; what happens, a letter for a request, after a dot for the end
#: of a gated step; the results of all requests when all that can has ended
TABLE = [
    (
        'a_step_closes_it',
        {'p': (A, '1', None, 'c'), 'x': ('2', None, A), 'c': ('2',)},
        'p x .p .x',
        'success failure success',
    ),
    (
        'a_trigger_closes_it',
        {'p': (A, '1', None, 'c'), 'x': ('2', A), 'c': ('2',)},
        'p x .p',
        'failure success cancelled',
    ),
    (
        'a_worker_that_is_taken_closes_it',
        {'p': (A, '1', 'c'), 'y': ('2',), 'x': ('2', A), 'c': ('2',)},
        'y x/9 p .y',
        'success failure success success',
    ),
    (
        'another_worker_becomes_idle',
        {'p': (A, '1', None, 'c'), 'x': ('2', A), 'y': ('3',), 'c': ('23',)},
        'p x y .p .y',
        'success success success success',
    ),
    (
        'one_of_a_build_that_will_end',
        {'p': (A, '1', None, 'c'), 'x': ('2', None, A), 'y': ('3',), 'c': ('23',)},
        'p x y .p .x .y',
        'success success success success',
    ),
    (
        'no_other_worker_helps',
        {'p': (A, '1', None, 'c'), 'x': ('2', A), 'y': ('3', None, A), 'c': ('23',)},
        'p x y .p .y',
        'success success failure success',
    ),
    (
        'two_parents_on_the_workers_of_their_children',
        {'p': ('1', None, 'd'), 'q': ('2', None, 'c'), 'c': ('1',), 'd': ('2',)},
        'p q .p .q',
        'success failure success cancelled',
    ),
    (
        'a_child_of_a_child',
        {'p': (A, '1', 'q'), 'q': ('2', None, 'c'), 'x': ('3', A), 'c': ('3',)},
        'p x .q',
        'failure failure success cancelled',
    ),
    (
        'a_lock_of_the_worker_on_one_of_two',
        {
            'p': (A, '1', None, 'c'),
            'x': (OF_WORKER, '2', None, A),
            'y': (OF_WORKER, '3'),
            'c': (OF_WORKER, '23'),
        },
        'p x y .p .x .y',
        'success success success success',
    ),
    (
        'a_lock_of_the_worker_on_both',
        {
            'p': (A, '1', None, 'c'),
            'x': (OF_WORKER, '2', None, A),
            'y': (OF_WORKER, '3', None, A),
            'c': (OF_WORKER, '23'),
        },
        'p x y .p .x .y',
        'success success failure success',
    ),
]


class Knots(KnotCase):
    @defer.inlineCallbacks
    def play(self, history):
        for word in history.split():
            if word.startswith('.'):
                self.end(word[1:])
            else:
                name, _, priority = word.partition('/')
                yield self.request(name, priority=int(priority or 0))

    @parameterized.expand(TABLE)
    @defer.inlineCallbacks
    def test_table(self, _, builders, history, results):
        """What would wait forever is ended, one of each knot, and all the rest ends well."""
        yield self.start_knot(builders, '123', most=2 if 'OF_WORKER' in str(builders) else 1)
        yield self.play(history)
        yield self.assert_all_done(A, B)
        self.assertEqual(' '.join((yield self.results())), results)
        self.flushLoggedErrors()

    def hold_urls(self):
        """Return a function that lets steps write what they have triggered, the last one first."""
        late: list[defer.Deferred[None]] = []
        write = self.master.data.updates.addStepURL

        def hold(*args):
            late.append(defer.Deferred())
            return late[-1].addCallback(lambda _: write(*args))

        def let_go():
            while late:
                late.pop().callback(None)
                self.settle()

        self.patch(self.master.data.updates, 'addStepURL', hold)
        return let_go

    @parameterized.expand(TABLE)
    @defer.inlineCallbacks
    def test_known_late(self, _, builders, history, results):
        """So is what waits before it is known that a step waits for it."""
        yield self.start_knot(builders, '123', most=2 if 'OF_WORKER' in str(builders) else 1)
        let_go = self.hold_urls()
        for word in history.split():
            yield self.play(word)
            let_go()
        while self.running():
            self.end(self.running().split()[0])
            let_go()
        yield self.assert_all_done(A, B)
        self.assertEqual(' '.join((yield self.results())), results)
        self.flushLoggedErrors()

    @defer.inlineCallbacks
    def test_known_after_its_child(self):
        """So is what a build has triggered before it is known that a step waits for that build."""
        parents = {'p': (A, '1', None, 'c'), 'x': ('2', None, A)}
        yield self.start_knot({**parents, 'c': ('3', 'd'), 'd': ('2',)}, '123')
        yield self.play('p x')
        let_go = self.hold_urls()
        yield self.play('.p .x')
        let_go()
        yield self.assert_all_done(A, B)
        self.assertEqual((yield self.results()), ['failure', 'success', 'failure', 'cancelled'])
        self.flushLoggedErrors()

    @defer.inlineCallbacks
    def test_told(self):
        """The log of the step that is ended names all that wait, and what for."""
        yield self.start_knot({'p': (A, '1', None, 'c'), 'x': ('2', None, A), 'c': ('2',)})
        yield self.play('p x .p .x')
        yield self.assert_all_done(A)
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        yield self.assert_log(
            2,
            'la',
            "step 'la' of x #1 on w2 waits for a held by p #1",
            "build request 3 of c, for which step 'tc' of p #1 waits, waits for worker w2, taken by"
            ' x #1',
        )

    @defer.inlineCallbacks
    def test_told_late(self):
        """A step that is ended waits until its log of that is written."""
        yield self.start_knot({'p': ('1', 'c'), 'c': ('1',)}, parentLendsPlace=False)
        write = self.hold_write('appendLog', lambda *args: True)
        yield self.play('p')
        self.assertEqual((yield self.results()), ['', 'cancelled'])
        write.held.callback(None)
        self.settle()
        self.assertEqual((yield self.results()), ['failure', 'cancelled'])
        self.assertEqual(len((yield self.log_of(1))), 1)

    @defer.inlineCallbacks
    def test_counted(self):
        """A wait that ends so is one in the history of its lock, and is told to who hears."""
        yield self.start_knot({'p': (A, '1', None, 'c'), 'x': ('2', None, A), 'c': ('2',)})
        heard = []
        knots = self.master.botmaster.knots
        times = Times(Labels())
        knots.ended.subscribe(times.hear_of_deadlock)
        knots.ended.subscribe(
            lambda owner, error: heard.append((owner.lock_name(), error.lock.label))
        )
        yield self.play('p x .p .x')
        yield self.assert_all_done(A)
        self.flushLoggedErrors()
        self.assertEqual(heard, [("step 'la' of x #1", 'a')])
        [family] = times._deadlocks.collect()
        counted = {s.labels['lock']: s.value for s in family.samples if s.name.endswith('_total')}
        self.assertEqual(counted, {'a': 1})
        history = yield History.getService(self.master.botmaster)
        yield history.write()
        rows = yield self.master.data.get(('locks', 1, 'uses'))
        self.assertEqual([row['result'] for row in rows], ['deadlock', 'released'])

    @defer.inlineCallbacks
    def test_drains_for_a_child(self):
        """No step fails because a lock drains for a child that waits for the step's build."""
        a, b = (lock.access('exclusive') for lock in (A, B))
        steps_of_y = [GatedStep(self.gate('y')), self.step('y', A)]
        words = {
            'p': {'workernames': ['w1'], 'steps': [self.step('p', 'c')]},
            'y': {'workernames': ['w2'], 'steps': steps_of_y, 'locks': [b]},
            'c': {'workernames': ['w3'], 'steps': [self.step('c', None)], 'locks': [a, b]},
            'w': {'workernames': ['w4'], 'steps': [self.step('w', A)]},
        }
        self._words, self._also = (words, {}), ''
        workers = [f'w{n}' for n in range(1, 5)]
        yield self.setup_lab(words, workers, schedulers=self.triggerables('c'))
        yield self.play('y p' + 4 * ' w .w' + ' .y')
        self.assertEqual(self.running(), 'y')
        yield self.assert_all_done(A, B)
        self.assertEqual(set((yield self.results())), {'success'})

    @defer.inlineCallbacks
    def test_without_a_lent_place(self):
        """A child at the only place, which its parent has and may not lend, waits forever."""
        yield self.start_knot({'p': ('1', 'c'), 'c': ('1',)}, parentLendsPlace=False)
        yield self.play('p')
        self.assertEqual((yield self.results()), ['failure', 'cancelled'])
        yield self.assert_log(
            1,
            'tc',
            "build request 2 of c, for which step 'tc' of p #1 waits, waits for worker w1, taken by"
            ' p #1',
        )

    @defer.inlineCallbacks
    def test_given_up(self):
        """Until a request that is given up is cancelled, nobody is ended who waits for its end."""
        yield self.start_knot(
            {'p': (A, '1', None, 'c'), 'q': ('2', 'd'), 'c': ('1',), 'd': (A, '3')},
            '123',
            parentLendsPlace=False,
        )
        heard, cancels, cancel = [], [], Trigger._cancel
        knots = self.master.botmaster.knots
        knots.ended.subscribe(lambda owner, error: heard.append(owner.lock_name()))
        self.patch(Trigger, '_cancel', lambda *words: cancels.append(words))
        yield self.play('p q .p')
        knots.use_config(None)
        self.settle()
        self.assertEqual(heard, ["step 'tc' of p #1"])
        cancel(*cancels[0])
        self.settle()
        yield self.assert_all_done(A)
        self.assertEqual((yield self.results()), ['failure', 'success', 'success', 'cancelled'])

    @defer.inlineCallbacks
    def test_begins_while_given_up(self):
        """A step that begins to wait for whoever waits for such a request is not ended, either."""
        yield self.start_knot(
            {'p': (A, '1', None, 'c'), 'x': ('2', None, A), 'c': ('1',)}, parentLendsPlace=False
        )
        cancels, cancel = [], Trigger._cancel
        self.patch(Trigger, '_cancel', lambda *words: cancels.append(words))
        yield self.play('p x .p .x')
        self.assertEqual((yield self.owners(A)), (1, 1))
        cancel(*cancels[0])
        self.settle()
        yield self.assert_all_done(A)
        self.assertEqual((yield self.results()), ['failure', 'success', 'cancelled'])

    @defer.inlineCallbacks
    def test_only_what_waits_is_ended(self):
        """Of two children one can begin: it goes on, and its parent waits for its end."""
        yield self.start_knot(
            {'p': (A, '1', None, 'cd'), 'x': ('2', A), 'c': ('2',), 'd': ('3',)}, '123'
        )
        yield self.play('p x .p')
        self.assertEqual((yield self.results()), ['', '', 'cancelled', ''])
        self.assertEqual(self.running(), 'd')
        yield self.assert_all_done(A)
        self.assertEqual((yield self.results()), ['failure', 'success', 'cancelled', 'success'])

    @defer.inlineCallbacks
    def test_beside_a_step_that_ends(self):
        """A parent lends its place when its other steps have ended, so its child can begin."""
        yield self.start_knot({'p': ('1',), 'c': ('1',)})
        group = StepGroup(steps=[GatedStep(self.gate('s')), self.step('p', 'c')], parallel=2)
        yield self.reconfig_lab(p=[group])
        yield self.play('p .s')
        self.assertEqual(self.running(), 'c')
        yield self.assert_all_done()
        self.assertEqual((yield self.results()), ['success', 'success'])


class Away(KnotCase):
    """A parent holds a lock, and the only worker of its child takes no build."""

    @defer.inlineCallbacks
    def start_away(self, leave, parent=(A, '1', None, 'c'), **config):
        yield self.start_knot({'p': parent, 'c': ('2',), 'x': (A, '1')}, **config)
        yield self.request('p')
        leave(self)
        self.end('p')
        self.reactor.advance(10)

    def pass_time(self, seconds):
        self.reactor.pump([10] * (seconds // 10))

    def lose(self):
        self.lose_worker('w2')

    def pause(self):
        self.master.workers.workers['w2'].pause('a new board')

    @parameterized.expand([('lost', lose, 'is not connected'), ('paused', pause, 'is paused')])
    @defer.inlineCallbacks
    def test_stays_away(self, _, leave, why):
        """After ten minutes the step that waits is ended, and tells what for."""
        yield self.start_away(leave)
        self.assertEqual(
            self.why('c', 2)[-1],
            "it can start only if something that is away comes back; if nothing does, step"
            " 'tc' of p #1 gives up in 9 min",
        )
        self.pass_time(580)
        self.assertEqual((yield self.results()), ['', ''])
        self.pass_time(20)
        self.assertEqual((yield self.results()), ['failure', 'cancelled'])
        yield self.assert_log(
            1,
            'tc',
            "build request 2 of c, for which step 'tc' of p #1 waits, waits for worker w2, which"
            f' {why}',
            late=True,
        )
        yield self.assert_all_done(A)

    @defer.inlineCallbacks
    def test_comes_back(self):
        """If it comes back in time nothing is ended, and the next time counts anew."""
        yield self.start_away(self.__class__.pause)
        self.pass_time(500)
        self.master.workers.workers['w2'].unpause()
        self.settle()
        self.assertEqual(self.running(), 'c')
        self.pass_time(600)
        yield self.assert_all_done(A)
        self.assertEqual((yield self.results()), ['success', 'success'])

    @defer.inlineCallbacks
    def test_leaves_again(self):
        """If it comes back and goes again, with the build that began, the time counts anew."""
        yield self.start_away(self.__class__.pause)
        self.pass_time(500)
        self.master.workers.workers['w2'].unpause()
        self.settle()
        self.assertEqual(self.running(), 'c')
        self.lose()
        self.pass_time(590)
        self.assertEqual((yield self.results()), ['', ''])
        self.pass_time(10)
        self.assertEqual((yield self.results()), ['failure', 'cancelled'])
        yield self.assert_all_done(A)

    @parameterized.expand([('without_a_lock', ('1', None, 'c'), 600), ('never', None, None)])
    @defer.inlineCallbacks
    def test_waits_on(self, _, parent, after):
        """A parent that holds no lock may wait as long as it likes, and any if nobody minds."""
        words = {} if parent is None else {'parent': parent}
        yield self.start_away(self.__class__.pause, stuckAfter=after, **words)
        self.assertEqual(
            self.why('c', 2)[-1], 'it can start only if something that is away comes back'
        )
        self.pass_time(10000)
        self.assertEqual((yield self.results()), ['', ''])
        self.master.workers.workers['w2'].unpause()
        self.settle()
        yield self.assert_all_done(A)

    @defer.inlineCallbacks
    def test_another_time(self):
        """The time can be set, and a reconfig sets it for what waits already."""
        yield self.start_away(self.__class__.pause, stuckAfter=None)
        yield self.reconfig_lab(stuckAfter=60)
        self.pass_time(70)
        self.assertEqual((yield self.results()), ['failure', 'cancelled'])
        yield self.assert_all_done(A)

    @defer.inlineCallbacks
    def test_removed_builder(self):
        """A builder that is removed while a parent waits for a build of it is away, too."""
        yield self.start_knot({'p': (A, '1', None, 'c'), 'c': ('2',), 'd': ('1',)}, also='d')
        self.pause()
        yield self.request('p')
        self.end('p')
        yield self.reconfig_lab(without='c')
        self.end('d')
        self.pass_time(590)
        self.assertEqual(sorted((yield self.results())), ['', '', 'success'])
        self.pass_time(10)
        self.assertEqual(sorted((yield self.results())), ['cancelled', 'failure', 'success'])
        waits = "of c, for which step 'tc' of p #1 waits, waits for its builder\n"
        self.assertIn(waits, (yield self.log_of(1))[0][1])
        yield self.assert_all_done(A)
