# SPDX-License-Identifier: GPL-2.0-only
"""Whatever becomes of a triggered build, and however soon: who waits for it does not forever."""

from __future__ import annotations

from twisted.internet import defer

from buildbot.plugins import schedulers
from buildbot.plugins import steps
from buildbot.process.results import EXCEPTION
from buildbot.process.results import SUCCESS
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
