# SPDX-License-Identifier: GPL-2.0-only
"""A step can be stopped, whatever it waits for."""

from unittest import mock

from parameterized import parameterized
from twisted.internet import defer

from buildbot.process.properties import renderer
from buildbot.process.results import CANCELLED
from buildbot_overlay import release

upstream = release(__name__)


class TestBuildStep(upstream.TestBuildStep):
    @parameterized.expand(
        [
            ('renderable', {'workdir': renderer(lambda props: defer.Deferred())}),
            ('doStepIf', {'doStepIf': lambda step: defer.Deferred()}),
            ('locks', {'locks': renderer(lambda props: defer.Deferred())}),
        ]
    )
    @defer.inlineCallbacks
    def test_interrupt_when_not_answered(self, name, kwargs):
        step = self.setup_step(self.FakeBuildStep(**kwargs))
        run = mock.Mock()
        self.patch(step, 'run', run)
        d = step.startStep(mock.Mock())
        self.assertNoResult(d)

        yield step.interrupt('stop it')

        self.assertEqual((yield d), CANCELLED)
        run.assert_not_called()
