# SPDX-License-Identifier: GPL-2.0-only
"""A build ends although its properties cannot be written."""

from twisted.internet import defer

from buildbot.process.results import EXCEPTION
from buildbot_overlay import release

upstream = release(__name__)


class TestBuild(upstream.TestBuild):
    @defer.inlineCallbacks
    def test_properties_not_written_after_step(self):
        b = self.build
        step = self.create_fake_build_step()
        b.setStepFactories([upstream.FakeStepFactory(step)])

        @defer.inlineCallbacks
        def run():
            yield defer.succeed(None)
            self.patch(
                self.master.data.updates,
                'setBuildProperties',
                lambda *args, **kwargs: defer.fail(upstream.TestException()),
            )
            return step._expected_results

        step.run = run

        yield b.startBuild(self.workerforbuilder)

        self.assertEqual(b.results, EXCEPTION)
        self.assertEqual(len(self.flushLoggedErrors(upstream.TestException)), 2)
