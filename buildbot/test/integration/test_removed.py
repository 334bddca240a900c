# SPDX-License-Identifier: GPL-2.0-only
"""A build runs on although a reconfig has removed its builder, or its worker."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from parameterized import parameterized_class
from twisted.internet import defer
from twisted.internet.error import ConnectionLost

from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.plugins import util
from buildbot.process import builder
from buildbot.process import locks as process_locks
from buildbot.process.buildstep import BuildStep
from buildbot.process.groups.step import StepGroup
from buildbot.process.properties import Interpolate
from buildbot.process.properties import renderer
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.test.fake import latent
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase
from buildbot.test.util.real import RealCase
from buildbot.test.util.remote import Remote
from buildbot.util.eventual import flushEventualQueue


class AddsSteps(BuildStep):
    """Adds a step behind itself.

    :param step: the step.
    """

    def __init__(self, step, **kwargs):
        super().__init__(**kwargs)
        self.step = step

    def run(self):
        self.build.addStepsAfterCurrentStep([self.step])
        return SUCCESS


class Removed(LabTestCase):
    """Builder a, whose build has a step that waits when a reconfig removes something."""

    @defer.inlineCallbacks
    def start(self, *more, words=()):
        self.gate, self.behind = Gate(), Gate()
        self.a = {'steps': [GatedStep(self.gate, name='first'), *more], **dict(words)}
        self.kept: dict[str, dict[str, Any]] = {'kept': {'steps': [GatedStep(self.behind)]}}
        yield self.setup_lab({'a': self.a, **self.kept}, ['w1', 'w2'])
        self.brid = yield self.request('a', 'main')
        self.build = self.gate.running[0][0]
        self.worker = self.build.workerforbuilder.worker

    @defer.inlineCallbacks
    def reconfig(self, builders):
        yield self.reconfig_master(self.lab_config(builders))
        yield flushEventualQueue()  # what it does last may be a turn of that queue
        self.settle()

    def words_for(self):
        """Return the names of the builders that the worker knows."""
        return sorted(self.worker.conn.worker.bot.builders)

    @defer.inlineCallbacks
    def assert_results(self, *results):
        self.assertEqual((yield self.builds()), list(results))


def locks_of(props):
    return [MasterLock('L').access('exclusive')]


class Builders(Removed):
    @parameterized.expand(
        [
            ('master', [MasterLock('L').access('exclusive')]),
            ('worker', [WorkerLock('L').access('counting')]),
            ('branch', [BranchLock('L').access('exclusive')]),
            ('key', [BranchLock('L', key=Interpolate('%(src::branch)s')).access('exclusive')]),
            ('renderable', renderer(locks_of)),
        ]
    )
    @defer.inlineCallbacks
    def test_step_with_a_lock(self, _, locks):
        """A step whose turn comes after the builder was removed has its lock."""
        yield self.start(GatedStep(gate := Gate(), name='locked', locks=locks))
        yield self.reconfig(self.kept)
        self.open(self.gate, SUCCESS)
        self.assertEqual(len(gate.running), 1)
        self.open(gate, SUCCESS)
        yield self.assert_results(SUCCESS)
        request = yield self.master.data.get(('buildrequests', self.brid))
        self.assertEqual((request['complete'], request['results']), (True, SUCCESS))

    @defer.inlineCallbacks
    def test_group_and_added_steps(self):
        """So has a group, whose steps run beside each other and add others."""
        gate = Gate()
        access = MasterLock('L').access('exclusive')
        inner = [GatedStep(gate, name=name, locks=[access]) for name in 'xy']
        adds = AddsSteps(GatedStep(gate, name='added'))
        yield self.start(StepGroup(name='g', locks=[access], parallel=3, steps=[*inner, adds]))
        yield self.reconfig(self.kept)
        self.open(self.gate, SUCCESS)
        for _ in range(3):
            self.open(gate, SUCCESS)
        yield self.assert_results(SUCCESS)
        self.assertEqual((yield self.owners(access.lockid)), (0, 0))
        names = ['first', 'g', 'g/x', 'g/y', 'g/generic', 'g/added']
        self.assertEqual([name for name, _ in (yield self.step_rows())], names)

    @defer.inlineCallbacks
    def test_its_place_on_the_worker(self):
        """The worker knows a builder, and its lanes, as long as a build of it runs there."""
        gate = Gate()
        inner = [GatedStep(gate, name=name) for name in 'xy']
        yield self.start(StepGroup(name='g', parallel=2, steps=inner))
        self.assertEqual(self.words_for(), ['a', 'kept'])
        yield self.reconfig(self.kept)
        self.assertEqual(self.words_for(), ['a', 'kept'])
        self.open(self.gate, SUCCESS)
        self.assertEqual(self.words_for(), ['a', 'a (lane 2)', 'a (lane 3)', 'kept'])
        for _ in range(2):
            self.open(gate, SUCCESS)
        yield self.assert_results(SUCCESS)
        self.assertEqual(self.words_for(), ['kept'])

    @defer.inlineCallbacks
    def test_builder_that_leaves_the_worker(self):
        """It is the same if the builder is kept, and is to run on another worker from now on."""
        yield self.start(GatedStep(gate := Gate(), locks=[MasterLock('L').access('exclusive')]))
        (other,) = {'w1', 'w2'} - {self.worker.name}
        yield self.reconfig({'a': {**self.a, 'workernames': [other]}, **self.kept})
        self.assertEqual(self.words_for(), ['a', 'kept'])
        self.open(self.gate, SUCCESS)
        self.open(gate, SUCCESS)
        yield self.assert_results(SUCCESS)
        self.assertEqual(self.words_for(), ['kept'])

    @defer.inlineCallbacks
    def test_builder_that_comes_back(self):
        """A builder that comes back begins nothing where a build of its former self runs."""
        yield self.start(GatedStep(gate := Gate()))
        yield self.reconfig(self.kept)
        yield self.reconfig({'a': {**self.a, 'workernames': [self.worker.name]}, **self.kept})
        yield self.request('a', 'main')
        self.assertEqual((len(self.gate.running), len(gate.running)), (1, 0))
        self.open(self.gate, SUCCESS)
        self.assertEqual((len(self.gate.running), len(gate.running)), (0, 1))
        self.open(gate, SUCCESS)
        self.assertEqual((len(self.gate.running), len(gate.running)), (1, 0))
        self.open(self.gate, SUCCESS)
        self.open(gate, SUCCESS)
        yield self.assert_results(SUCCESS, SUCCESS)

    @defer.inlineCallbacks
    def test_lost_worker(self):
        """If its worker is lost too, the request is there for when the builder comes back."""
        access = MasterLock('L').access('exclusive')
        yield self.start(words={'locks': [access]})
        yield self.reconfig(self.kept)
        self.lose_worker(self.worker.name)
        yield self.assert_results(RETRY)
        self.assertEqual((yield self.owners(access.lockid)), (0, 0))
        request = yield self.master.data.get(('buildrequests', self.brid))
        self.assertEqual((request['complete'], request['claimed']), (False, False))

    @parameterized.expand([('removed', True), ('kept', False)])
    @defer.inlineCallbacks
    def test_lost_in_a_shutdown(self, _, is_removed):
        """A request is given back if its worker is lost while the master shuts down."""
        yield self.start()
        if is_removed:
            yield self.reconfig(self.kept)
        distributor = self.master.botmaster.brd
        yield distributor.disownServiceParent()  # as a quick shutdown begins
        self.lose_worker(self.worker.name)
        request = yield self.master.data.get(('buildrequests', self.brid))
        self.assertEqual((request['complete'], request['claimed']), (False, False))
        yield distributor.setServiceParent(self.master.botmaster)

    @defer.inlineCallbacks
    def test_worker_that_cannot_be_told(self):
        """If the worker cannot be told that the builder has gone, the log says it, and no more."""
        yield self.start()
        yield self.reconfig(self.kept)
        lost = ConnectionLost('in the middle')
        self.patch(self.worker.conn, 'remoteSetBuilderList', lambda builders: defer.fail(lost))
        lines = self.listen()
        self.open(self.gate, SUCCESS)
        yield self.assert_results(SUCCESS)
        said = (
            f"worker '{self.worker.name}' could not be told that it builds for 'a' no longer, and"
            f' is told when it is connected again: {lost!r}'
        )
        self.assertEqual(lines.count(said), 1)

    @defer.inlineCallbacks
    def test_removed_while_its_build_is_made(self):
        """A request whose build is being made then has none, and nothing goes wrong."""
        kept = {'kept': {'steps': [GatedStep(Gate())]}}
        yield self.setup_lab({'a': {'steps': [GatedStep(Gate())]}, **kept})
        parent: defer.Deferred = defer.Deferred()
        self.patch(process_locks, 'find_owner_around', lambda builder, request: parent)
        self.patch(builder, 'find_owner_around', lambda builder, request: parent)
        brid = yield self.request('a')
        yield self.reconfig(kept)
        parent.callback(None)
        self.settle()
        yield self.assert_results()
        request = yield self.master.data.get(('buildrequests', brid))
        self.assertEqual((request['complete'], request['claimed']), (False, False))

    @defer.inlineCallbacks
    def test_removed_between_its_creation_and_its_first_step(self):
        """A build that is being prepared goes on, with a virtual builder too."""
        kept = {'kept': {'steps': [GatedStep(Gate())]}}
        yield self.setup_lab({'a': {'steps': [GatedStep(gate := Gate())]}, **kept})
        held = self.hold_write('findBuilderId', lambda name: name == 'virtual')
        brid = yield self.request('a', properties={'virtual_builder_name': ('virtual', 'test')})
        yield self.reconfig(kept)
        held.held.callback(None)
        self.settle()
        self.open(gate, SUCCESS)
        yield self.assert_results(SUCCESS)
        request = yield self.master.data.get(('buildrequests', brid))
        self.assertEqual((request['complete'], request['results']), (True, SUCCESS))


class Workers(Removed):
    @parameterized.expand([('with_its_builder', False), ('alone', True)])
    @defer.inlineCallbacks
    def test_removed_worker(self, _, is_kept):
        """A build whose worker is removed is tried again, and its end needs nothing of that."""
        access = MasterLock('L').access('exclusive')
        yield self.start(words={'locks': [access]})
        write = self.hold_write('finishBuild', lambda *_: True)
        (other,) = {'w1', 'w2'} - {self.worker.name}
        self.lab_workers = [worker for worker in self.lab_workers if worker.name == other]
        a = {'a': {**self.a, 'workernames': [other]}} if is_kept else {}
        for words in (*a.values(), *self.kept.values()):
            words['workernames'] = [other]
        yield self.reconfig({**a, **self.kept})
        write.held.callback(None)
        self.settle()
        yield self.assert_results(RETRY, *([None] if is_kept else []))
        if is_kept:
            self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.owners(access.lockid)), (0, 0))


class Latent(Removed):
    """Builder a builds on a latent worker."""

    @defer.inlineCallbacks
    def start_latent(self):
        self.patch(latent, 'RemoteWorker', Remote)
        self.controller = latent.LatentController(self, 'l1')
        self.gate, self.behind = Gate(), Gate()
        self.access = MasterLock('L').access('exclusive')
        self.a = {'steps': [GatedStep(self.gate)], 'locks': [self.access]}
        self.kept = {'kept': {'steps': [GatedStep(self.behind)], 'workernames': ['w1']}}
        builders = {'a': {**self.a, 'workernames': ['l1']}, **self.kept}
        yield self.setup_lab(builders, [self.controller.worker, 'w1'])
        self.controller.auto_start(True)
        yield self.controller.auto_stop(True)

    @parameterized.expand([('never_used', False), ('connected', True)])
    @defer.inlineCallbacks
    def test_given_back(self, _, is_used):
        """A builder that was to run elsewhere, and gets its latent worker back, builds there."""
        yield self.start_latent()
        if is_used:
            yield self.request('a')
            self.open(self.gate, SUCCESS)
        for name in ('w1', 'l1'):
            yield self.reconfig({'a': {**self.a, 'workernames': [name]}, **self.kept})
        yield self.request('a')
        self.assertEqual([build.workername for build, _ in self.gate.running], ['l1'])
        self.open(self.gate, SUCCESS)
        yield self.assert_results(*[SUCCESS] * (1 + is_used))

    @defer.inlineCallbacks
    def test_removed_worker(self):
        """A build whose latent worker is removed is tried again, without an error."""
        yield self.start_latent()
        yield self.request('a')
        write = self.hold_write('finishBuild', lambda *_: True)
        self.lab_workers = self.lab_workers[1:]
        yield self.reconfig({'a': {**self.a, 'workernames': ['w1']}, **self.kept})
        write.held.callback(None)
        self.settle()
        self.assertEqual([build.workername for build, _ in self.gate.running], ['w1'])
        self.open(self.gate, SUCCESS)
        yield self.assert_results(RETRY, SUCCESS)
        self.assertEqual((yield self.owners(self.access.lockid)), (0, 0))


class RemovesBuilder(BuildStep):
    """Takes the build's own builder out of the configuration."""

    @defer.inlineCallbacks
    def run(self):
        config = self.master.config_loader.config_dict
        factory = util.BuildFactory([steps.ShellCommand(command=['true'])])
        config['builders'] = [util.BuilderConfig('b', workernames=['local1'], factory=factory)]
        config['schedulers'] = [schedulers.ForceScheduler(name='f', builderNames=['b'])]
        yield self.master.doReconfig()
        return SUCCESS if 'lab' not in self.master.botmaster.builders else FAILURE


@parameterized_class([{'proto': 'null'}, {'proto': 'pb'}, {'proto': 'msgpack'}])
class Commands(RealCase):
    @defer.inlineCallbacks
    def test_it_runs_on(self):
        """A command that runs on the worker runs on, and those behind it find their builder."""
        place = self.pipes('abcd')
        a, b, c, d = (str(place / name) for name in 'abcd')
        inner = [
            steps.ShellCommand(name='long', command=f'meet {a} {b} && meet {c} {d}', timeout=50),
            steps.ShellCommand(name='before', command=['meet', b, a], timeout=50),
            RemovesBuilder(name='removes'),
            steps.ShellCommand(name='behind', command=['meet', d, c], timeout=50),
        ]
        group = steps.StepGroup(name='g', steps=inner, parallel=2)
        last = steps.ShellCommand(name='last', command=['true'])
        build = yield self.run_build(util.BuildFactory([group, last]))
        names = ['g', 'g/long', 'g/before', 'g/removes', 'g/behind', 'last']
        self.assertEqual(self.rows(build), [(name, SUCCESS) for name in names])
        self.assertEqual(build['results'], SUCCESS)
