# SPDX-License-Identifier: GPL-2.0-only
"""A step does not wait for what there is not."""

from unittest.mock import Mock

from twisted.internet import defer

from buildbot.process.results import EXCEPTION
from buildbot.steps import trigger
from buildbot_overlay import release

upstream = release(__name__)


class TestTrigger(upstream.TestTrigger):
    @defer.inlineCallbacks
    def test_waitForFinish_buildset_not_added(self):
        yield self.setup_step(trigger.Trigger(schedulerNames=['a'], waitForFinish=True))
        step = self.get_nth_step(0)
        step.addLogWithException = Mock(return_value=defer.succeed(None))
        error = RuntimeError('oh noes')
        self.scheduler_a.trigger = lambda **kwargs: (defer.fail(error), defer.Deferred())

        results = yield step.run()

        self.assertEqual(results, EXCEPTION)
        step.addLogWithException.assert_called_once_with(error)
