# SPDX-License-Identifier: GPL-2.0-only
"""A step that is stopped leaves no build behind."""

from unittest.mock import Mock

from twisted.internet import defer

from buildbot.process.results import CANCELLED
from buildbot.steps import trigger
from buildbot_overlay import release

upstream = release(__name__)


class TestTrigger(upstream.TestTrigger):
    @defer.inlineCallbacks
    def test_interrupt_while_adding_buildset(self):
        yield self.setup_step(trigger.Trigger(schedulerNames=['a'], waitForFinish=True))
        step = self.get_nth_step(0)
        self.patch(step, 'addURL', Mock(return_value=defer.succeed(None)))
        control = Mock(return_value=defer.succeed(None))
        self.patch(self.master.data, 'control', control)
        ids: defer.Deferred[tuple] = defer.Deferred()
        self.patch(self.scheduler_a, 'trigger', lambda **kwargs: (ids, defer.Deferred()))
        d = step.run()

        step.interrupt('stop it')
        control.assert_not_called()
        ids.callback((1, {77: 11}))

        self.assertEqual((yield d), CANCELLED)
        control.assert_called_once_with(
            "cancel", {'reason': 'parent build was interrupted'}, ("buildrequests", 11)
        )
