# SPDX-License-Identifier: GPL-2.0-only
"""The rows of steps that begin at once."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.trial import unittest

from buildbot.test import fakedb
from buildbot.test.fake import fakemaster
from buildbot.test.reactor import TestReactorMixin
from buildbot.test.util.lab import set_up


class AtOnce(TestReactorMixin, unittest.TestCase):
    @set_up
    def setUp(self) -> Any:
        self.setup_test_reactor()
        self.master = yield fakemaster.make_master(self, wantDb=True, wantMq=True, wantData=True)
        yield self.master.db.insert_test_data(
            [
                *(
                    fakedb.Master(id=1),
                    fakedb.Worker(id=1, name='w1'),
                    fakedb.Builder(id=1, name='b'),
                ),
                *(fakedb.Buildset(id=1), fakedb.BuildRequest(id=1, buildsetid=1, builderid=1)),
                *(
                    fakedb.Build(
                        id=i, number=i, buildrequestid=1, builderid=1, workerid=1, masterid=1
                    )
                    for i in (1, 2)
                ),
            ]
        )
        self.asked: list[tuple[int, str]] = []
        self.goes_on: list[defer.Deferred[None]] = []
        self.patch(self.master.db.steps, 'addStep', self.add_late(self.master.db.steps.addStep))
        self.step = self.master.data.rtypes.step

    def add_late(self, add: Any) -> Any:
        def add_when_it_goes_on(buildid: int, name: str, state_string: str) -> Any:
            self.asked.append((buildid, name))
            goes_on: defer.Deferred[None] = defer.Deferred()
            self.goes_on.append(goes_on)
            return goes_on.addCallback(lambda _: add(buildid, name, state_string))

        return add_when_it_goes_on

    @defer.inlineCallbacks
    def test_one_build(self) -> Any:
        """Of one build the next is added when the one before has its row; another does not wait,
        and nothing is kept."""
        added = [self.step.addStep(1, 'x'), self.step.addStep(1, 'y'), self.step.addStep(2, 'z')]
        self.assertEqual(self.asked, [(1, 'x'), (2, 'z')])
        self.goes_on[0].callback(None)
        self.assertEqual(self.asked[2:], [(1, 'y')])
        for goes_on in self.goes_on[1:]:
            goes_on.callback(None)
        rows = yield defer.gatherResults(added)
        self.assertEqual([row[1:] for row in rows], [(0, 'x'), (1, 'y'), (0, 'z')])
        self.assertEqual(list(self.step._adding), [])

    @defer.inlineCallbacks
    def test_one_fails(self) -> Any:
        """The next is added also if the one before could not be."""
        first, second = self.step.addStep(1, 'x'), self.step.addStep(1, 'y')
        self.goes_on[0].errback(OSError('disk is full'))
        yield self.assertFailure(first, OSError)
        self.goes_on[1].callback(None)
        self.assertEqual((yield second)[1:], (0, 'y'))
