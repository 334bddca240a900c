# SPDX-License-Identifier: GPL-2.0-only
"""Whatever becomes of a triggered build, and however soon: who waits for it does not forever."""

from __future__ import annotations

from parameterized import parameterized
from twisted.internet import defer

from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process.results import EXCEPTION
from buildbot.process.results import SUCCESS
from buildbot.test.util.distribution import THREE
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.distribution import Slow
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase


class TriggeredEnds(LabTestCase):
    @defer.inlineCallbacks
    def set_up(self):
        self.gate = Gate()
        self.scheduler = schedulers.Triggerable(name='t', builderNames=['child'])
        trigger = steps.Trigger(schedulerNames=['t'], waitForFinish=True)
        builders = {
            'child': {'steps': [GatedStep(self.gate)]},
            'parent': {'steps': [trigger]},
        }
        yield self.setup_lab(builders, ['w1', 'w2'], schedulers=[self.scheduler])

    def end_at_once(self):
        """Let what is asked for have ended before anybody hears of it."""
        add = self.master.data.updates.addBuildset

        @defer.inlineCallbacks
        def add_and_end(*args, **kwargs):
            made = yield add(*args, **kwargs)
            if kwargs.get('waited_for'):
                brids = list(made[1].values())
                yield self.master.data.updates.completeBuildRequests(brids, SUCCESS)
                yield self.master.data.updates.maybeBuildsetComplete(made[0])
            return made

        self.patch(self.master.data.updates, 'addBuildset', add_and_end)

    @defer.inlineCallbacks
    def test_at_once(self):
        """A build whose child has ended before the scheduler subscribed to that goes on."""
        yield self.set_up()
        self.end_at_once()
        yield self.request('parent')
        self.settle()
        self.assertEqual((yield self.builds()), [SUCCESS])

    @defer.inlineCallbacks
    def test_cannot_be_read(self):
        """If it cannot be read whether a child has ended, that is tried again, and said."""
        yield self.set_up()
        self.end_at_once()
        get = self.master.data.get
        fails = [True]

        def get_unless(path, *args, **kwargs):
            if path == ('buildsets', 2) and fails:
                return defer.fail(RuntimeError('disk is full'))
            return get(path, *args, **kwargs)

        self.patch(self.master.data, 'get', get_unless)
        yield self.request('parent')
        self.settle()
        self.assertEqual((yield self.builds()), [None])
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        fails.clear()
        self.reactor.advance(10)
        self.settle()
        self.assertEqual((yield self.builds()), [SUCCESS])

    @defer.inlineCallbacks
    def test_stopped_meanwhile(self):
        """A build that asks a scheduler which stops before it has asked ends with an exception."""
        yield self.set_up()
        add = self.master.data.updates.addBuildset
        slow: defer.Deferred[None] = defer.Deferred()

        @defer.inlineCallbacks
        def add_slowly(*args, **kwargs):
            if kwargs.get('waited_for'):
                yield slow
            return (yield add(*args, **kwargs))

        self.patch(self.master.data.updates, 'addBuildset', add_slowly)
        yield self.request('parent')
        self.settle()
        yield self.scheduler.disownServiceParent()
        slow.callback(None)
        self.settle()
        self.assertEqual((yield self.builds())[0], EXCEPTION)


class LeftBehind(DistributionCase):
    """A triggered build for which nobody waits any longer has not begun yet."""

    @defer.inlineCallbacks
    def start(self, of_parent, of_clean, **words):
        """Start a master on which builder ``p`` triggers ``c`` and ``d``, and then cleans up.

        :param of_parent: the locks of ``p``.
        :param of_clean: the locks of its step that always runs.
        :param words: what builder ``c`` has besides the lock.
        """
        access = self.lock.access('exclusive')
        self.builders = {
            'p': {
                'steps': [
                    steps.Trigger(schedulerNames=['c', 'd'], waitForFinish=True),
                    GatedStep(self.gate('clean'), alwaysRun=True, locks=of_clean),
                ],
                'locks': of_parent,
                'workernames': ['w1'],
            },
            'c': self.builder('c', access, workernames=['w2'], **words),
            'd': self.builder('d', access, workernames=['w3']),
            'x': self.builder('x', workernames=['w2', 'w3']),
        }
        workers = [self.createLocalWorker(name, max_builds=1) for name in THREE]
        triggered = [schedulers.Triggerable(name=name, builderNames=[name]) for name in 'cd']
        yield self.setup_lab(self.builders, workers, schedulers=triggered)

    @defer.inlineCallbacks
    def leave_behind(self):
        """Let a reconfig remove the schedulers, so that the parent does not wait any longer."""
        yield self.reconfig_master(self.lab_config(self.builders))
        self.settle()

    @parameterized.expand([('builder',), ('step',)])
    @defer.inlineCallbacks
    def test_shares_nothing(self, level):
        """It waits for a lock that the build which has triggered it holds."""
        locks = [self.lock.access('exclusive')]
        yield self.start(*((locks, []) if level == 'builder' else ([], locks)))
        for _ in 'cd':
            yield self.request('x')
        yield self.request('p')
        self.assertEqual(self.running(), 'x x')
        yield self.leave_behind()
        self.end('x')
        self.end('x')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('clean', (1, 2)))
        self.end('clean')
        self.assertEqual((len(self.running()), (yield self.owners(self.lock))), (1, (1, 1)))
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_in_line(self):
        """If it has waited for a sibling to share that with, it waits for the parent now, too."""
        yield self.start([self.lock.access('exclusive')], [])
        yield self.request('p')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('c', (2, 1)))
        yield self.leave_behind()
        self.end('c')
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('clean', (1, 1)))
        self.end('clean')
        self.assertEqual(self.running(), 'd')
        yield self.assert_all_done()

    @defer.inlineCallbacks
    def test_about_to_begin(self):
        """It does not begin if the parent has left while the user was asked whether it may."""
        slow = Slow()
        yield self.start([self.lock.access('exclusive')], [], canStartBuild=slow)
        yield self.request('p')
        self.assertEqual((self.running(), len(slow.asked)), ('', 1))
        yield self.leave_behind()
        slow.asked.pop(0)[0].callback(True)
        self.settle()
        self.assertEqual((self.running(), (yield self.owners(self.lock))), ('clean', (1, 2)))
        self.end('clean')
        self.end('d')
        slow.asked.pop(0)[0].callback(True)
        self.settle()
        self.assertEqual(self.running(), 'c')
        yield self.assert_all_done()
