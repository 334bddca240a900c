# SPDX-License-Identifier: GPL-2.0-only
"""Who waits for which build requests, and whether places are lent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.config.errors import ConfigErrors
from buildbot.config.errors import capture_config_errors
from buildbot.config.master import MasterConfig
from buildbot.process.awaited import Awaited
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SUCCESS
from buildbot.worker.places import builds_on
from buildbot.worker.places import places_taken


class Family:
    """A build of some requests."""

    finished, results = False, SUCCESS

    def __init__(self, *brids):
        self.requests = [SimpleNamespace(id=brid, waitedFor=True) for brid in brids]


class Requests(unittest.TestCase):
    def setUp(self):
        self.awaited = Awaited()
        self.parent, self.child, self.other = Family(1), Family(2), Family(8, 9)
        for brid, build in ((2, self.parent), (3, self.parent), (4, self.child), (10, self.other)):
            self.awaited.add(brid, build, 0.0)

    @parameterized.expand([(1, ''), (2, 'p'), (3, 'p'), (4, 'cp'), (10, 'o'), (11, '')])
    def test_around(self, brid, names):
        """The builds that wait for a request come from the nearest outwards."""
        builds = {'p': self.parent, 'c': self.child, 'o': self.other}
        self.assertEqual(self.awaited.around(brid), [builds[name] for name in names])

    def test_within(self):
        """A build waits for what its children wait for, too."""
        self.assertEqual(self.awaited.within(self.parent), [2, 3, 4])
        self.assertEqual(self.awaited.within(self.child), [4])

    def test_second_request(self):
        """A build that has several requests is waited for if any of them is."""
        self.awaited.add(9, self.child, 1.0)
        self.assertEqual(self.awaited.around(10), [self.other, self.child, self.parent])

    def test_discard(self):
        """What nobody waits for any more is forgotten, and that may be said again."""
        for _ in range(2):
            self.awaited.discard(2)
        self.assertEqual(self.awaited.around(2), [])
        self.assertEqual(self.awaited.around(4), [self.child])
        for brid in (3, 4, 10):
            self.awaited.discard(brid)
        self.assertFalse(self.awaited)

    @parameterized.expand([('for_good', FAILURE, False), ('to_be_tried_again', RETRY, True)])
    def test_end(self, _, results, is_to_end):
        """A request has ended with its build, before who waits for it hears of that, unless it is
        tried again.
        """
        seen = [self.awaited.is_to_end(2)]
        self.awaited.begun(self.child)
        seen.append(self.awaited.is_to_end(2))
        self.child.finished, self.child.results = True, results
        seen.append(self.awaited.is_to_end(2))
        self.awaited.ended(self.child)
        seen.append(self.awaited.is_to_end(2))
        self.assertEqual(seen, [True, True, is_to_end, is_to_end])
        self.awaited.discard(2)
        self.assertFalse(self.awaited.is_to_end(2))

    def test_end_of_one_that_is_not_known(self):
        """The end of a build is not kept if nobody is known to wait for it."""
        stranger = Family(5)
        self.awaited.begun(stranger)
        stranger.finished = True
        self.awaited.ended(stranger)
        self.awaited.add(5, self.parent, 0.0)
        self.assertTrue(self.awaited.is_to_end(5))


class Places(unittest.TestCase):
    def worker(self, builds, **words):
        busy = {build.workerforbuilder: None for build in builds}
        return SimpleNamespace(
            builds=dict.fromkeys(builds),
            workerforbuilders={str(i): w for i, w in enumerate(busy)},
            **words,
        )

    def build(self, workerforbuilder, awaited=()):
        build: Any = Family(1)
        build.workerforbuilder, build.awaited = workerforbuilder, set(awaited)
        return build

    def test_latest(self):
        """A build that has ended, and is still known, is not counted with the next one."""
        own = Mock()
        builds = [self.build(own), self.build(own)]
        self.assertEqual(builds_on(self.worker(builds)), builds[1:])

    def test_removed(self):
        """A worker that has been removed lends nothing."""
        self.assertEqual(places_taken(self.worker([self.build(Mock(), [2])], master=None)), 1)


class Switch(unittest.TestCase):
    def load(self, config):
        loaded = MasterConfig()
        with capture_config_errors(raise_on_error=True):
            loaded.load_global('master.cfg', config)
        return loaded.parentLendsPlace

    @parameterized.expand([('default', {}, True), ('no', {'parentLendsPlace': False}, False)])
    def test_value(self, _, config, lends):
        """Places are lent unless that is switched off."""
        self.assertEqual(self.load(config), lends)

    def test_no_boolean(self):
        """What is neither True nor False is told."""
        error = self.assertRaises(ConfigErrors, self.load, {'parentLendsPlace': 'never'})
        sentence = "c['parentLendsPlace'] must be True or False, not 'never'"
        self.assertEqual(error.errors, [sentence])
