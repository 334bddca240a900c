# SPDX-License-Identifier: GPL-2.0-only
"""A step does not wait for a buildset that does not exist."""

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
        add_log = Mock(return_value=defer.succeed(None))
        self.patch(step, 'addLogWithException', add_log)
        error = RuntimeError('oh noes')
        ids: defer.Deferred[None] = defer.fail(error)
        self.patch(self.scheduler_a, 'trigger', lambda **kwargs: (ids, defer.Deferred()))

        results = yield step.run()

        self.assertEqual(results, EXCEPTION)
        add_log.assert_called_once_with(error)
