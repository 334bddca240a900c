# SPDX-License-Identifier: GPL-2.0-only
"""Children that use the place of the build that waits for them, where max_builds leaves none."""

from __future__ import annotations

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locks import WorkerLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process.eye.reasons import why_pending
from buildbot.process.groups.step import StepGroup
from buildbot.process.results import CANCELLED
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.schedulers.triggerable import Triggerable
from buildbot.steps.trigger import Trigger
from buildbot.test.fake import latent
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.distribution import Slow
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.remote import Remote
from buildbot.worker.places import places_taken


class LentCase(DistributionCase):
    """Builders whose steps wait at gates or trigger other builders.

    :ivar worker: the first worker.
    """

    @defer.inlineCallbacks
    def start_family(self, builders, most=1, workers=None, **config):
        """Start a master.

        :param builders: for each name, its steps; one that is a text triggers the builders whose
            names are its letters, and waits for them. A builder whose name is not among these waits
            at its gate.
        :param most: ``max_builds`` of each worker.
        :param workers: for each worker, the names of its builders; None stands for one of all.
        """
        names = sorted({*builders, *'cx'})
        workers = workers or {'w1': ''.join(names)}
        words = {
            name: {
                'steps': [self.step(step) for step in builders.get(name, ())]
                or [GatedStep(self.gate(name))],
                'workernames': [worker for worker, of in workers.items() if name in of],
            }
            for name in names
        }
        yield self.setup_lab(
            words,
            [self.createLocalWorker(name, max_builds=most) for name in workers],
            schedulers=self.triggerables(names),
            **config,
        )

    def triggerables(self, names):
        return [schedulers.Triggerable(name=n, builderNames=[n]) for n in names]

    def step(self, step):
        if not isinstance(step, str):
            return step
        return steps.Trigger(schedulerNames=list(step), waitForFinish=True, name=f't{step}')

    @property
    def worker(self):
        return self.master.workers.workers[self.lab_workers[0].name]

    @property
    def taken(self):
        return places_taken(self.worker)

    def tell_late(self, name):
        """Let steps know what they have triggered by a scheduler only when the result fires."""
        make = Triggerable.trigger
        late: defer.Deferred = defer.Deferred()

        def trigger(scheduler, *args, **kwargs):
            ids, results = make(scheduler, *args, **kwargs)
            if scheduler.name == name:
                ids.addCallback(lambda made: late.addCallback(lambda _: made))
            return ids, results

        self.patch(Triggerable, 'trigger', trigger)
        return late

    def builds_on_it(self):
        """Return the names of the builders of the builds on the worker, in order of their begin."""
        return ''.join(build.builder.name for build in self.worker.builds)

    def why(self, name, brid):
        """Return the sentences of the reasons why a request is pending."""
        builder = self.master.botmaster.builders[name]
        found = why_pending(builder, 1, [brid], self.reactor.seconds())
        return [reason.text for reason in found]

    @defer.inlineCallbacks
    def results(self):
        rows = yield self.master.data.get(('buildrequests',), order=['buildrequestid'])
        return [row['results'] for row in rows]

    @defer.inlineCallbacks
    def assert_nothing_left(self):
        yield self.assert_all_done()
        self.assertEqual(list(self.master.botmaster.awaited), [])
        for worker in self.master.workers.workers.values():
            self.assertEqual((list(worker.builds), places_taken(worker)), ([], 0))


class Lent(LentCase):
    @defer.inlineCallbacks
    def test_beside_its_parent(self):
        """A child starts at once on the only place, which its parent has, and both end."""
        yield self.start_family({'p': ['c']})
        yield self.request('p')
        self.assertEqual((self.builds_on_it(), self.taken), ('pc', 1))
        self.end('c')
        self.assertEqual((yield self.results()), [SUCCESS, SUCCESS])
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_switched_off(self):
        """With parentLendsPlace = False it waits, and says for what; it starts when that is on."""
        workers = {'w1': 'pc', 'w2': 'cx'}
        yield self.start_family({'p': ['c']}, workers=workers, parentLendsPlace=False)
        yield self.request('x')
        yield self.request('p')
        self.assertEqual(self.builds_on_it(), 'p')
        full = 'runs as many builds as its max_builds allows'
        why = [f'worker w1 {full}: p #1', f'worker w2 {full}: x #1']
        self.assertEqual(self.why('c', 3), why)
        self.master.config.parentLendsPlace = True
        self.master.botmaster.maybeStartBuildsForAllBuilders()
        self.settle()
        self.assertEqual(self.builds_on_it(), 'pc')
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_nobody_else(self):
        """No other request of the child's builder or of another one gets the place, before, while
        or after the child has it.
        """
        yield self.start_family({'p': [GatedStep(self.gate('p')), 'c', GatedStep(self.gate('q'))]})
        yield self.request('p')
        others = []
        for name in 'ccx':
            others.append((yield self.request(name, priority=9)))
        self.end('p')
        self.assertEqual(self.running(), 'c')
        self.assertEqual(self.gates['c'].running[0][0].requests[0].id, 5)
        text = 'worker w1 runs as many builds as its max_builds allows'
        full = f'{text}: c #1 (and p #1, which only waits)'
        self.assertEqual(self.why('x', others[2]), [full])
        self.end('c')
        self.assertEqual(self.running(), 'q')
        full = 'worker w1 runs as many builds as its max_builds allows: p #1'
        self.assertEqual([self.why(*of) for of in zip('ccx', others)], [[full]] * 3)
        self.end('q')
        self.assertEqual(len(self.running().split()), 1)
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_reasons(self):
        """A place that the child does not use yet is a reason for others, and none for it."""
        slow = Slow()
        yield self.start_family({'p': [GatedStep(self.gate('p')), 'c']})
        self.master.botmaster.builders['c'].config.canStartBuild = slow
        yield self.request('p')
        other = yield self.request('c')
        self.end('p')
        slow_yet = 'canStartBuild has not answered for under a minute'
        full = 'worker w1 runs as many builds as its max_builds allows: p #1'
        self.assertEqual(self.why('c', 3), [slow_yet])
        self.assertEqual(self.why('c', other), [slow_yet, full])
        while slow.asked:
            slow.asked.pop()[0].callback(False)
            self.settle()
        self.assertEqual(self.why('c', 3), ['canStartBuild said no (worker w1)'])
        self.assertEqual(self.why('c', other), [full])
        self.master.botmaster.builders['c'].config.canStartBuild = None
        self.master.botmaster.maybeStartBuildsForAllBuilders()
        self.settle()
        self.assertEqual((self.running(), self.taken), ('c', 1))
        yield self.assert_nothing_left()

    @parameterized.expand(
        [
            ('three', {'p': ['q'], 'q': ['c']}, 'pqc'),
            ('four', {'p': ['q'], 'q': ['r'], 'r': ['c']}, 'pqrc'),
        ]
    )
    @defer.inlineCallbacks
    def test_chain(self, _, builders, running):
        """Each of a chain of builds that wait for one another lends its place to the next."""
        yield self.start_family(builders)
        yield self.request('p')
        self.assertEqual((self.builds_on_it(), self.taken), (running, 1))
        yield self.request('x')
        self.assertEqual(self.running(), 'c')
        self.end('c')
        self.assertEqual((self.builds_on_it(), self.running()), ('x', 'x'))
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_child_elsewhere(self):
        """A build lends its place to the child of a child that waits on another worker."""
        late = self.tell_late('c')
        yield self.start_family({'p': ['q'], 'q': ['c']}, workers={'w1': 'pcx', 'w2': 'q'})
        yield self.request('p')
        self.assertEqual(self.builds_on_it(), 'p')
        late.callback(None)
        self.settle()
        self.assertEqual(self.builds_on_it(), 'pc')
        self.end('c')
        self.assertEqual((yield self.results()), [SUCCESS] * 3)
        yield self.assert_nothing_left()

    @parameterized.expand([('at_once', ['cd']), ('in_turn', ['c', 'd'])])
    @defer.inlineCallbacks
    def test_two_children(self, _, triggers):
        """Two children use the place one after the other, also if both wait for it."""
        yield self.start_family({'p': triggers, 'd': []})
        yield self.request('p')
        seen = [self.running()]
        self.assertEqual(self.taken, 1)
        self.end(seen[0])
        seen.append(self.running())
        self.assertEqual((sorted(seen), self.taken), (['c', 'd'], 1))
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_many_children_of_one_builder(self):
        """Of many children of one builder each starts when the one before it has ended."""
        yield self.start_family({'p': [self.many('c', 5)]})
        yield self.request('p')
        for _ in range(5):
            self.assertEqual((self.running(), self.taken), ('c', 1))
            self.end('c')
        yield self.assert_nothing_left()

    def many(self, name, count):
        group = [self.step(name) for _ in range(count)]
        return StepGroup(name='g', steps=group, parallel=count)

    @defer.inlineCallbacks
    def test_own_builder(self):
        """A child of its own builder is not started beside it: that is one build at a time, so it
        could never begin.
        """
        yield self.start_family({'p': ['p']})
        yield self.request('p')
        self.assertEqual((yield self.results()), [FAILURE, CANCELLED])
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_not_waited_for(self):
        """Who triggers a build and does not wait for it lends it nothing."""
        trigger = steps.Trigger(schedulerNames=['c'], waitForFinish=False)
        yield self.start_family({'p': [trigger, GatedStep(self.gate('p'))]})
        yield self.request('p')
        self.assertEqual(self.running(), 'p')
        self.end('p')
        self.assertEqual(self.running(), 'c')
        yield self.assert_nothing_left()


class Beside(LentCase):
    """A step that triggers beside others."""

    def group(self, *others):
        inner = [*(self.step(step) for step in others), self.step('c')]
        return StepGroup(name='g', steps=inner, parallel=len(inner))

    @defer.inlineCallbacks
    def test_step(self):
        """The child starts when the steps that run beside have all ended."""
        group = self.group(GatedStep(self.gate('s'), name='s'), GatedStep(self.gate('t'), name='t'))
        yield self.start_family({'p': [group]})
        yield self.request('p')
        self.assertEqual(self.running(), 's t')
        full = 'worker w1 runs as many builds as its max_builds allows: p #1'
        self.assertEqual(self.why('c', 2), [full])
        self.end('s')
        self.assertEqual(self.running(), 't')
        self.end('t')
        self.assertEqual((self.running(), self.taken), ('c', 1))
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_step_after_step(self):
        """The child does not slip in between two steps of a group that runs beside."""
        inner = [GatedStep(self.gate(name), name=name) for name in 'st']
        yield self.start_family({'p': [self.group(StepGroup(name='i', steps=inner))]})
        yield self.request('p')
        self.assertEqual(self.order_of_ends(), ['s', 't', 'c'])
        yield self.assert_nothing_left()

    @parameterized.expand([('at_once', False), ('written_late', True)])
    @defer.inlineCallbacks
    def test_room_for_the_next_step(self, _, is_late):
        """The child does not slip in before the next step of its own group, however long the end
        of the step before takes to be written.
        """
        group = self.full_group('s', 't')
        yield self.start_family({'p': [group]})
        yield self.request('p')
        self.assertEqual(self.running(), 's')
        write = self.hold_write('setBuildProperties', lambda *args: is_late)
        self.end('s')
        if is_late:
            self.assertEqual(self.running(), '')
            write.held.callback(None)
            self.settle()
        self.assertEqual((self.running(), self.taken), ('t', 1))
        self.end('t')
        self.assertEqual((self.running(), self.taken), ('c', 1))
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_child_after_child(self):
        """Nor does one child slip in behind another, before the step that comes then."""
        group = StepGroup(
            name='g', steps=[self.step('c'), self.step('d'), self.gated('s')], parallel=2
        )
        yield self.start_family({'p': [group], 'd': []})
        yield self.request('p')
        seen = self.order_of_ends()
        self.assertEqual((seen[1], sorted(seen)), ('s', ['c', 'd', 's']))
        yield self.assert_nothing_left()

    @parameterized.expand([('halted', FAILURE, ('s', 't')), ('no_more', SUCCESS, ('s',))])
    @defer.inlineCallbacks
    def test_no_next_step(self, _, result, names):
        """The child has the place as soon as it is known that no other step comes."""
        yield self.start_family({'p': [self.full_group(*names)]})
        yield self.request('p')
        self.open(self.gates['s'], result)
        self.assertEqual((self.running(), self.taken), ('c', 1))
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_groups_one_after_another(self):
        """Nor does it slip in between two groups, or before their end is known."""
        inner = [StepGroup(name=name, steps=[self.gated(name)]) for name in 'st']
        group = StepGroup(name='g', steps=[self.step('c'), *inner], parallel=2)
        yield self.start_family({'p': [group]})
        yield self.request('p')
        self.assertEqual(self.order_of_ends(), ['s', 't', 'c'])
        yield self.assert_nothing_left()

    def order_of_ends(self):
        """End what runs until nothing does, and return what it was; one place is taken by it."""
        seen = []
        while self.running():
            seen.append(self.running())
            self.assertEqual(self.taken, 1)
            self.end(seen[-1])
        return seen

    def full_group(self, *names):
        inner = [self.step('c'), *(self.gated(name) for name in names)]
        return StepGroup(name='g', steps=inner, parallel=2)

    def gated(self, name):
        return GatedStep(self.gate(name), name=name, haltOnFailure=True)

    @defer.inlineCallbacks
    def test_other_trigger(self):
        """The child may start as soon as the other step beside has triggered, too."""
        late = self.tell_late('d')
        builders = {'p': [self.group('d')], 'd': []}
        yield self.start_family(builders, workers={'w1': 'pcx', 'w2': 'd'})
        self.master.workers.workers['w2'].pause('enough')
        yield self.request('p')
        self.assertEqual(self.running(), '')
        late.callback(None)
        self.settle()
        self.assertEqual((self.running(), self.taken), ('c', 1))
        self.master.workers.workers['w2'].unpause()
        self.settle()
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_not_waited_for(self):
        """A child that nobody waits for gets no place of one that waits for another child."""
        inner = [steps.Trigger(schedulerNames=['x'], waitForFinish=False), self.step('c')]
        group = StepGroup(name='g', steps=inner, parallel=2)
        yield self.start_family({'p': [group]}, workers={'w1': 'px', 'w2': 'c'})
        yield self.request('p')
        self.assertEqual(self.running(), 'c')
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_room_for_all(self):
        """A child that runs already is counted with its parent as soon as that only waits."""
        group = self.group(GatedStep(self.gate('s'), name='s'))
        yield self.start_family({'p': [group]}, most=2)
        yield self.request('p')
        yield self.request('x')
        self.assertEqual((self.running(), self.taken), ('c s', 2))
        self.end('s')
        self.assertEqual((self.running(), self.taken), ('c x', 2))
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_told_late(self):
        """A child that began before its step knew of it counts with its parent from then on."""
        late = self.tell_late('c')
        yield self.start_family({'p': ['c']}, most=2)
        yield self.request('p')
        yield self.request('x')
        self.assertEqual((self.running(), self.taken), ('c', 2))
        late.callback(None)
        self.settle()
        self.assertEqual((self.running(), self.taken), ('c x', 2))
        yield self.assert_nothing_left()


class Limits(LentCase):
    @defer.inlineCallbacks
    def test_pairs(self):
        """With max_builds = 2 never more than two builds do something, with as many parents."""
        yield self.start_family({'p': ['c'], 'q': ['d'], 'd': [], 'y': []}, most=2)
        for name in 'pqxy':
            yield self.request(name)
        self.assertEqual((self.builds_on_it(), self.running(), self.taken), ('pcqd', 'c d', 2))
        self.end('c')
        self.assertEqual(self.taken, 2)
        self.assertEqual(len(self.running().split()), 2)
        self.end('d')
        self.assertEqual((self.running(), self.taken), ('x y', 2))
        yield self.assert_nothing_left()

    @parameterized.expand(
        [
            ('paused', lambda w: w.pause('enough'), lambda w: w.unpause(), 'is paused: enough'),
            (
                'in_quarantine',
                lambda w: w.putInQuarantine(),
                lambda w: w.exitQuarantine(),
                'is in quarantine, which ends in under a minute',
            ),
            ('leaves', lambda w: w.shutdownRequested(), None, 'is being shut down'),
        ]
    )
    @defer.inlineCallbacks
    def test_closed(self, _, close, reopen, why):
        """A worker that takes no builds for another reason takes no child either."""
        yield self.start_family({'p': [GatedStep(self.gate('p')), 'c']})
        yield self.request('p')
        self.worker.shutdown = lambda: defer.succeed(None)  # one in memory would end twice
        close(self.worker)
        self.end('p')
        self.assertEqual(self.builds_on_it(), 'p')
        away = ['it can start only if something that is away comes back']
        suspected = [] if 'quarantine' in why else away
        self.assertEqual(self.why('c', 2), [f'worker w1 {why}', *suspected])
        if reopen is None:
            path = ('buildrequests', 2)
            yield self.master.data.control('cancel', {'reason': 'enough'}, path)
        else:
            reopen(self.worker)
        self.settle()
        self.assertEqual(self.builds_on_it(), 'pc' if reopen else '')
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_reconfig(self):
        """A limit that is lowered keeps the child waiting until it may use the place."""
        yield self.start_family({'p': [GatedStep(self.gate('p')), 'c']}, most=2)
        yield self.request('p')
        yield self.request('x')
        self.worker.max_builds = 1
        self.end('p')
        self.assertEqual((self.running(), self.taken), ('x', 2))
        self.end('x')
        self.assertEqual((self.running(), self.taken), ('c', 1))
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_canStartBuild_of_worker(self):
        """A worker whose own canStartBuild says no takes no child."""
        yield self.start_family({'p': [GatedStep(self.gate('p')), 'c']})
        yield self.request('p')
        worker = self.worker
        rule = worker.canStartBuild
        says = [False]
        worker.canStartBuild = lambda: says[0] and rule()
        self.end('p')
        self.assertEqual(self.running(), '')
        says[0] = True
        self.master.botmaster.maybeStartBuildsForWorker('w1')
        self.settle()
        self.assertEqual(self.running(), 'c')
        yield self.assert_nothing_left()


class SlowTrigger(Trigger):
    """Asks somebody else, who may be slow, which schedulers to trigger."""

    def __init__(self, answer, **kwargs):
        super().__init__(**kwargs)
        self.answer = answer

    @defer.inlineCallbacks
    def getSchedulersAndProperties(self):
        yield self.answer
        return (yield super().getSchedulersAndProperties())


class Endings(LentCase):
    @defer.inlineCallbacks
    def test_parent_is_stopped_before(self):
        """A parent that is stopped before it knows what to trigger triggers nothing."""
        answer: defer.Deferred[None] = defer.Deferred()
        trigger = SlowTrigger(answer, schedulerNames=['c'], waitForFinish=True)
        yield self.start_family({'p': [trigger], 'c': []})
        yield self.request('p')
        yield self.stop_build(1)
        answer.callback(None)
        self.settle()
        self.assertEqual((yield self.results()), [CANCELLED])
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_parent_is_stopped(self):
        """A parent that is stopped takes its child with it, and then the worker is free."""
        yield self.start_family({'p': ['c']})
        yield self.request('p')
        yield self.request('x')
        yield self.stop_build(1)
        self.assertEqual((yield self.results()), [CANCELLED, CANCELLED, -1])
        self.assertEqual((self.running(), self.taken), ('x', 1))
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_worker_is_lost(self):
        """Both are tried again when the worker is lost, and come to their end."""
        yield self.start_family({'p': ['c']}, workers={'w1': 'pcx', 'w2': 'pc'})
        yield self.request('p')
        name = self.gates['c'].running[0][0].workername
        self.lose_worker(name)
        left = {'w1': 'w2', 'w2': 'w1'}[name]
        self.assertEqual(self.worker_of('c'), left)
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_worker_is_removed(self):
        """A reconfig that removes the worker counts nothing any more, and all begins elsewhere."""
        two = {'w1': 'p', 'w2': 'pc'}
        yield self.start_family({'p': ['c'], 'c': ['d'], 'd': []}, workers={**two, 'w3': 'dx'})
        yield self.request('p')
        words = {
            'p': {'steps': [self.step('c')], 'workernames': ['w2']},
            'c': {'steps': [self.step('d')], 'workernames': ['w2']},
            'd': self.builder('d', workernames=['w3']),
        }
        removed = self.worker
        self.lab_workers = self.lab_workers[1:]
        config = self.lab_config(words, schedulers=self.triggerables('cd'))
        yield self.reconfig_master(config)
        self.settle()
        self.assertEqual(places_taken(removed), 0)
        self.assertEqual(self.running(), 'd')
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_clean_shutdown(self):
        """A shutdown waits for the parent, whose child still starts on its place, and no other."""
        yield self.start_family({'p': [GatedStep(self.gate('p')), 'c']})
        yield self.request('p')
        self.master.botmaster.cleanShutdown(stopReactor=False)
        yield self.request('c', priority=9)
        self.end('p')
        self.assertEqual((self.running(), self.builds_on_it()), ('c', 'pc'))
        self.end('c')
        self.assertEqual(self.running(), '')
        self.assertEqual((yield self.results()), [SUCCESS, -1, SUCCESS])

    @defer.inlineCallbacks
    def test_full_again(self):
        """When the child has ended its parent has the place again, and nobody else."""
        yield self.start_family({'p': ['c', GatedStep(self.gate('p'))]})
        yield self.request('p')
        yield self.request('x')
        self.end('c')
        self.assertEqual((self.running(), self.taken), ('p', 1))
        self.assertEqual(list(self.master.botmaster.awaited), [])
        self.end('p')
        self.assertEqual((self.running(), self.taken), ('x', 1))
        yield self.assert_nothing_left()


class Chosen(LentCase):
    """What the user and the locks say still counts."""

    @parameterized.expand([('starts', True, 'c'), ('is_refused', False, '')])
    @defer.inlineCallbacks
    def test_next_build(self, _, may_start, running):
        """nextBuild is offered only the requests that may use the place, if there are any."""
        seen = []

        def next_build(builder, requests):
            seen.append([request.id for request in requests])
            return requests[0]

        yield self.start_family({'p': [GatedStep(self.gate('p')), 'c']})
        config = self.master.botmaster.builders['c'].config
        config.nextBuild, config.canStartBuild = next_build, lambda *args: may_start
        yield self.request('p')
        yield self.request('c')
        self.end('p')
        self.assertEqual(
            ([list(ids) for ids in set(map(tuple, seen))], self.running()), ([[3]], running)
        )
        config.canStartBuild = None
        self.master.botmaster.maybeStartBuildsForAllBuilders()
        self.settle()
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_no_elsewhere(self):
        """A child to which canStartBuild says no on an idle worker starts on its parent's."""
        yield self.start_family(
            {'p': [GatedStep(self.gate('p')), 'c']}, workers={'w1': 'pcx', 'w2': 'c'}
        )
        config = self.master.botmaster.builders['c'].config
        config.canStartBuild = lambda builder, worker, request: worker.worker.name == 'w1'
        yield self.request('p')
        self.end('p')
        self.assertEqual((self.running(), self.builds_on_it()), ('c', 'pc'))
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_in_line_elsewhere(self):
        """A child in line for the board of another worker starts on its parent's when it may."""
        board = WorkerLock('board').access('exclusive')
        inner = [GatedStep(self.gate('s'), name='s'), self.step('c')]
        group = StepGroup(name='g', steps=inner, parallel=2)
        workers = {'w1': 1, 'w2': 2}
        yield self.setup_lab(
            {
                'p': {'steps': [group], 'workernames': ['w1']},
                'c': self.builder('c', board),
                'x': self.builder('x', board, workernames=['w2']),
            },
            [self.createLocalWorker(name, max_builds=most) for name, most in workers.items()],
            schedulers=self.triggerables('c'),
        )
        yield self.request('x')
        yield self.request('p')
        self.assertEqual(self.running(), 's x')
        self.end('s')
        self.assertEqual((self.running(), self.builds_on_it()), ('c x', 'pc'))
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_slow_answer(self):
        """What has become of the place while the user's method was asked is seen."""
        slow = Slow()
        yield self.start_family({'p': [GatedStep(self.gate('p')), 'cd'], 'd': []})
        self.master.botmaster.builders['c'].config.canStartBuild = slow
        yield self.request('p')
        self.end('p')
        self.assertEqual(self.running(), 'd')
        self.assertEqual(len(slow.asked), 1)
        slow.asked.pop()[0].callback(True)
        self.settle()
        self.assertEqual((self.running(), self.taken), ('d', 1))
        self.end('d')
        slow.asked.pop()[0].callback(True)
        self.settle()
        self.assertEqual((self.running(), self.taken), ('c', 1))
        yield self.assert_nothing_left()

    @defer.inlineCallbacks
    def test_lock(self):
        """The child waits in line for its lock, those who cannot start do not, and it is next."""
        access = self.lock.access('exclusive')
        trigger = steps.Trigger(schedulerNames=['c'], waitForFinish=True)
        yield self.setup_lab(
            {
                'p': {'steps': [trigger], 'workernames': ['w1']},
                'c': self.builder('c', access, workernames=['w1']),
                'x': self.builder('x', access, workernames=['w2']),
                'y': self.builder('y', access, workernames=['w2']),
            },
            [self.createLocalWorker(name, max_builds=1) for name in ('w1', 'w2')],
            schedulers=self.triggerables('c'),
        )
        yield self.request('x')
        yield self.request('c', priority=9)
        self.assertEqual(self.running(), 'x')
        yield self.request('p')
        yield self.request('y')
        self.worker.announce_occupied()
        self.assertEqual((yield self.owners(self.lock)), (1, 1))
        self.assertEqual(self.why('c', 4), ['waiting for lab: held by x #1 (under a minute)'])
        self.end('x')
        self.assertEqual((self.running(), self.builds_on_it()), ('c', 'pc'))
        yield self.assert_nothing_left()


class Latent(LentCase):
    @defer.inlineCallbacks
    def test_latent(self):
        """A parent on a latent worker lends its place as long as the worker is there."""
        self.patch(latent, 'RemoteWorker', Remote)
        controller = latent.LatentController(self, 'l1', max_builds=1)
        yield self.setup_lab(
            {'p': {'steps': [self.step('c')]}, 'c': self.builder('c'), 'x': self.builder('x')},
            [controller.worker],
            schedulers=self.triggerables('c'),
        )
        controller.auto_start(True)
        yield self.request('p')
        yield self.request('x')
        self.settle()
        self.assertEqual((self.builds_on_it(), self.running(), self.taken), ('pc', 'c', 1))
        self.end('c')
        self.assertEqual(self.running(), 'x')
        yield controller.auto_stop(True)
        yield self.assert_nothing_left()
        self.settle()
