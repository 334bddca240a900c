# SPDX-License-Identifier: GPL-2.0-only
"""A stop reaches the command."""

from unittest import mock

from twisted.internet import defer

from buildbot.process import buildstep
from buildbot_overlay import release

upstream = release(__name__)


class TestBuildStep(upstream.TestBuildStep):
    @defer.inlineCallbacks
    def test_interrupt_reaches_command_when_log_fails(self):
        step = self.setup_step(buildstep.BuildStep())
        self.patch(step, 'addCompleteLog', lambda *_: defer.fail(RuntimeError('no db')))
        step.stepid = 1
        step.cmd = mock.Mock()

        yield step.interrupt('stop it')

        step.cmd.interrupt.assert_called_once_with('stop it')
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
