# SPDX-License-Identifier: GPL-2.0-only
"""What a reconfig takes for a change of a step."""

from __future__ import annotations

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.process.properties import Property
from buildbot.steps.shell import ShellCommand


class Changes(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            ('same', ['make', Property('a')], True),
            ('other_property', ['make', Property('b')], False),
            ('no_property', ['make', 'a'], False),
            ('longer', ['make', Property('a'), 'b'], False),
        ]
    )
    def test_renderable(self, _, command, is_equal):
        """A changed renderable is a change, also deep in an argument."""
        one = ShellCommand(command=['make', Property('a')]).get_step_factory()
        other = ShellCommand(command=command).get_step_factory()
        self.assertEqual((one == other, one != other), (is_equal, not is_equal))
