# SPDX-License-Identifier: GPL-2.0-only
"""What may stand in a list of locks, and what a build says of the rest."""

from __future__ import annotations

from types import SimpleNamespace

from parameterized import parameterized
from twisted.internet import defer
from zope.interface import implementer

from buildbot.config.errors import ConfigErrors
from buildbot.interfaces import IRenderable
from buildbot.locks import BranchLock
from buildbot.locks import LockError
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.buildstep import BuildStep
from buildbot.process.groups.step import StepGroup
from buildbot.process.locks import get_real_locks_from_accesses_raw
from buildbot.process.properties import Property
from buildbot.process.properties import Transform
from buildbot.process.properties import renderer
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase

LOCKS = {
    'master': MasterLock('board'),
    'worker': WorkerLock('board'),
    'branch': BranchLock('board'),
}


class MereLocks(LabTestCase):
    """A lock itself stands for its usual access, in each list."""

    def places(self, lock):
        """Return, for each place of a list, the words for a builder and for a worker."""
        gate = self.gate

        def steps(**words):
            return {'steps': [GatedStep(gate, name='s', **words)]}

        def group(locks):
            return {'steps': [StepGroup(name='g', locks=locks, steps=[GatedStep(gate)])]}

        rendered = renderer(lambda props: [lock])
        of_list = [renderer(lambda props: lock)]
        return {
            'builder': ({**steps(), 'locks': [lock]}, {}),
            'builder_rendered': ({**steps(), 'locks': rendered}, {}),
            'builder_list': ({**steps(), 'locks': of_list}, {}),
            'worker': (steps(), {'locks': [lock]}),
            'builder_and_worker': ({**steps(), 'locks': [lock]}, {'locks': [lock]}),
            'step': (steps(locks=[lock]), {}),
            'step_rendered': (steps(locks=rendered), {}),
            'step_list': (steps(locks=of_list), {}),
            'group': (group([lock]), {}),
            'group_rendered': (group(rendered), {}),
            'group_list': (group(of_list), {}),
            'tuple': (steps(locks=(lock,)), {}),
        }

    @parameterized.expand(
        [
            (f'{place}_{kind}', place, kind)
            for place in (
                'builder',
                'builder_rendered',
                'builder_list',
                'worker',
                'builder_and_worker',
                'step',
                'step_rendered',
                'step_list',
                'group',
                'group_rendered',
                'group_list',
                'tuple',
            )
            for kind in LOCKS
            if not ('worker' in place and kind == 'branch')
        ]
    )
    @defer.inlineCallbacks
    def test_place(self, _, place, kind):
        """Two builds on one worker take the lock one after the other, wherever it stands."""
        self.gate = Gate()
        lock = LOCKS[kind]
        builder, of_worker = self.places(lock)[place]
        workers = [self.createLocalWorker('w1', **of_worker)]
        yield self.setup_lab({'a': builder, 'b': builder}, workers)
        yield self.request('a', 'x')
        yield self.request('b', 'x')
        self.assertEqual(len(self.gate.running), 1)
        self.assertEqual((yield self.owners(lock))[0], 1)
        self.open(self.gate, SUCCESS)
        self.assertEqual(len(self.gate.running), 1)
        self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])
        self.assertEqual((yield self.owners(lock)), (0, 0))

    @defer.inlineCallbacks
    def test_reconfig_of_a_worker(self):
        """A worker that gets a mere lock by a reconfig takes it for the builds that come then."""
        self.gate = Gate()
        builders = {name: {'steps': [GatedStep(self.gate)]} for name in 'ab'}
        yield self.setup_lab(builders)
        self.lab_workers = [self.createLocalWorker('w1', locks=[LOCKS['master']])]
        yield self.reconfig_master(self.lab_config(builders))
        yield self.request('a')
        yield self.request('b')
        self.assertEqual(len(self.gate.running), 1)


@implementer(IRenderable)
class OfAUser:
    def __init__(self, items):
        self.items = items

    def getRenderingFor(self, props):
        yield self.items[0]


def generators(items):
    """Return renderables of a user's that give a generator, by name."""

    def function(props):
        yield items[0]

    return {
        'expression': renderer(lambda props: (item for item in items)),
        'function': renderer(function),
        'with_arguments': renderer(lambda props, x: (item for item in items)).withArgs(1),
        'transform': Transform(lambda: (item for item in items)),
        'class_of_a_user': OfAUser(items),
    }


class Refused(LabTestCase):
    """What cannot be had, or told of, fails one request, which says why."""

    @defer.inlineCallbacks
    def assert_refused(self, place, locks, sentence, error=LockError):
        """The bad request fails with the sentence, and the one behind it runs."""
        gate = Gate()
        builder = {
            'builder': {'steps': [GatedStep(gate)], 'locks': locks},
            'step': {'steps': [GatedStep(gate, locks=locks)]},
        }[place]
        yield self.setup_lab({'a': builder}, ['w1', 'w2'])
        yield self.request('a', properties={'what': ('bad', 'test')})
        yield self.request('a', properties={'what': ('good', 'test')})
        self.assertEqual((yield self.builds()), [FAILURE, None])
        self.assertEqual(len(gate.running), 1)
        told = {str(failure.value) for failure in self.flushLoggedErrors(error)}
        self.assertEqual(told, {sentence})

    @parameterized.expand(
        [(f'{kind}_{at}', kind, at) for kind in generators([]) for at in ('builder', 'step')]
    )
    @defer.inlineCallbacks
    def test_generator(self, _, kind, place):
        """A renderable that gives a generator is refused, where it took no lock."""
        bad = generators([MasterLock('lab')])[kind]
        locks = renderer(lambda props: bad if props.getProperty('what') == 'bad' else [])
        sentence = 'locks must be a list of locks, not a generator'
        yield self.assert_refused(place, locks, sentence)

    @parameterized.expand([('builder',), ('step',)])
    @defer.inlineCallbacks
    def test_generator_in_a_list(self, place):
        """So is one that stands in a list for a lock."""
        bad, good = renderer(lambda props: (lock for lock in '')), MasterLock('lab')
        one = renderer(lambda props: bad if props.getProperty('what') == 'bad' else good)
        yield self.assert_refused(place, [one], 'a generator is not a lock')

    @parameterized.expand([('builder',), ('step',)])
    @defer.inlineCallbacks
    def test_function(self, place):
        """A function that a renderable gives is told how it would be called."""
        one = renderer(lambda props: [(lambda p: [])] * (props.getProperty('what') == 'bad'))
        sentence = (
            "the function '<lambda>' is not a lock; to have it called for each build, make it a"
            ' renderable with @util.renderer'
        )
        yield self.assert_refused(place, one, sentence)

    @parameterized.expand([('builder',), ('step',)])
    @defer.inlineCallbacks
    def test_class(self, place):
        """The class of a lock is no lock."""
        one = renderer(lambda props: [MasterLock] * (props.getProperty('what') == 'bad'))
        sentence = "<class 'buildbot.locks.MasterLock'> is not a lock"
        yield self.assert_refused(place, one, sentence)

    @parameterized.expand([('builder',), ('step',)])
    @defer.inlineCallbacks
    def test_surrogate_in_a_name(self, place):
        """A name with a lone surrogate, which no file can have, is refused."""
        names = {'bad': 'lab-\udc80', 'good': 'lab'}
        locks = renderer(lambda props: [MasterLock(names[props.getProperty('what')])])
        sentence = "lock 'lab-\\udc80': its name has a lone surrogate, which cannot be stored"
        yield self.assert_refused(place, locks, sentence, ConfigErrors)

    @parameterized.expand([('builder',), ('step',)])
    @defer.inlineCallbacks
    def test_surrogate_in_a_key(self, place):
        """A key with a lone surrogate is refused, as no row or log could tell of its copy."""
        keys = {'bad': 'x\udc80', 'good': 'x'}
        lock = BranchLock('lab', key=renderer(lambda props: keys[props.getProperty('what')]))
        sentence = (
            "lock 'lab': its copy 'lab[x\\udc80]' has a lone surrogate, which cannot be stored"
        )
        yield self.assert_refused(place, [lock], sentence)

    @parameterized.expand([('builder',), ('step',)])
    @defer.inlineCallbacks
    def test_generator_for_a_key(self, place):
        """A key that is a generator is refused, where all such builds shared a copy."""
        key = renderer(lambda props: (x for x in '') if props.getProperty('what') == 'bad' else 'x')
        lock = BranchLock('lab', key=key)
        sentence = (
            "lock 'lab': its key must be text or a number, or a list of these, not a generator"
        )
        yield self.assert_refused(place, [lock], sentence)

    @parameterized.expand([('builder',), ('step',)])
    @defer.inlineCallbacks
    def test_twice(self, place):
        """A lock that stands twice in a list is told with its name first."""
        lock = MasterLock('lab')
        locks = renderer(lambda props: [lock] * (1 + (props.getProperty('what') == 'bad')))
        yield self.assert_refused(place, locks, "lock 'lab': it is in one list twice")


class Rendered(LabTestCase):
    """What is no list to look at, and gives one."""

    def coroutine(props):
        lock = yield defer.succeed(MasterLock('lab'))
        return [lock]

    def none(props):
        pass

    @defer.inlineCallbacks
    def deferred(props):
        lock = yield defer.succeed(MasterLock('lab'))
        return (lock,)

    @parameterized.expand(
        [
            ('coroutine', renderer(coroutine), 1),
            ('none', renderer(none), 0),
            ('deferred', renderer(deferred), 1),
            ('property', Property('none', default=[MasterLock('lab')]), 1),
        ]
    )
    @defer.inlineCallbacks
    def test_as_ever(self, _, locks, held):
        """What gives a list, or None, is a list of locks."""
        gate = Gate()
        yield self.setup_lab({'a': {'steps': [GatedStep(gate)], 'locks': locks}})
        yield self.request('a')
        self.assertEqual(len(gate.running), 1)
        self.assertEqual((yield self.owners(MasterLock('lab'))), (held, 0))

    @defer.inlineCallbacks
    def test_steps_of_a_group(self):
        """A renderable of steps that gives a generator is refused, where none of them ran."""
        rendered = renderer(lambda props: (BuildStep(name=name) for name in 'xy'))
        yield self.setup_lab({'a': {'steps': [StepGroup(name='g', steps=rendered)]}})
        yield self.request('a')
        self.assertEqual((yield self.builds()), [FAILURE])
        told = [str(failure.value) for failure in self.flushLoggedErrors(ValueError)]
        self.assertEqual(told, ["group 'g': steps must be a list of steps, not a generator"])

    @defer.inlineCallbacks
    def test_surrogate_in_a_branch(self):
        """A branch with a lone surrogate is refused where its copy is looked for."""
        yield self.setup_lab({'a': {'steps': []}})
        builder = self.master.botmaster.builders['a']
        stamp = SimpleNamespace(branch='x\udc80', codebase='')
        worker = SimpleNamespace(worker=SimpleNamespace(workername='w1'))
        d = get_real_locks_from_accesses_raw(
            [BranchLock('lab')], None, builder, worker, 1, lambda: [stamp]
        )
        error = yield self.assertFailure(d, LockError)
        self.assertEqual(
            str(error),
            "lock 'lab': its copy 'lab[x\\udc80]' has a lone surrogate, which cannot be stored",
        )
