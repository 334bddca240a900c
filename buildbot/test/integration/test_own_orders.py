# SPDX-License-Identifier: GPL-2.0-only
"""A test of one's own that the locks of a configuration close no circle, as the manual shows it."""

from __future__ import annotations

from pathlib import Path

from twisted.trial import unittest

from buildbot.config.master import FileLoader
from buildbot.config.orders import circles_of

BASEDIR = str(Path(__file__).parent / 'examples')
CONFIG = 'readme.cfg'


class Locks(unittest.SynchronousTestCase):
    def test_orders(self):
        """No builds can come to wait for one another forever."""
        config = FileLoader(BASEDIR, CONFIG).loadConfig()
        self.assertEqual(circles_of(config), [])
