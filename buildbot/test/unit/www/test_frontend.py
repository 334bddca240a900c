# SPDX-License-Identifier: GPL-2.0-only
"""What the pages are told of the configuration."""

from __future__ import annotations

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin
from buildbot.www.config import get_www_frontend_config_dict


class Frontend(TestReactorMixin, unittest.TestCase):
    @parameterized.expand([('nobody', False, {}), ('all', True, {'handForAnonymous': True})])
    def test_hand(self, _, may_act, told):
        """The page knows whether who has not logged in may act, where that is allowed."""
        self.setup_test_reactor()
        master = fakemaster.FakeMaster(self.reactor)
        master.config.handForAnonymous = may_act
        config = get_www_frontend_config_dict(master, {'port': 8010})
        self.assertEqual({k: v for k, v in config.items() if k == 'handForAnonymous'}, told)
        self.assertEqual(config['port'], 8010)
