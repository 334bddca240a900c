# SPDX-License-Identifier: GPL-2.0-only
"""The test as it is in Buildbot, where the revision is one of its own."""

from __future__ import annotations

from twisted.trial import unittest

from buildbot.test.util import migration


class Migration(migration.MigrateTestMixin, unittest.TestCase):
    def setUp(self):
        return self.setUpMigrateTest()
