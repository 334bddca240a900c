# SPDX-License-Identifier: GPL-2.0-only
"""The class of a step counts."""

from buildbot.process import buildstep
from buildbot_overlay import release

upstream = release(__name__)


class TestBuildStep(upstream.TestBuildStep):
    def test_compare_factories_of_different_classes(self):
        factory = buildstep.BuildStep(name="me").get_step_factory()
        self.assertEqual(factory, buildstep.BuildStep(name="me").get_step_factory())
        self.assertNotEqual(factory, upstream.NewStyleStep(name="me").get_step_factory())
