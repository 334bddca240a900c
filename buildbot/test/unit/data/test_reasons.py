# SPDX-License-Identifier: GPL-2.0-only
"""The endpoints of reasons, for what is in the database and is not on this master."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.trial import unittest

from buildbot.data import reasons
from buildbot.data.exceptions import InvalidPathError
from buildbot.test import fakedb
from buildbot.test.util import endpoint
from buildbot.test.util.lab import set_up


class ReasonsCase(endpoint.EndpointMixin):
    resourceTypeClass = reasons.Reason

    @set_up
    def setUp(self) -> Any:
        builders: dict[int, object] = {}
        yield self.setUpEndpoint()
        self.master.botmaster.getBuilderById = builders.get
        yield self.master.db.insert_test_data(
            [
                fakedb.Worker(id=47, name='w1'),
                fakedb.Builder(id=77, name='fw'),
                fakedb.Builder(id=78, name='idle'),
                fakedb.Master(id=88),
                fakedb.SourceStamp(id=92),
                fakedb.Buildset(id=8822),
                fakedb.BuildsetSourceStamp(buildsetid=8822, sourcestampid=92),
                fakedb.BuildRequest(id=81, builderid=77, buildsetid=8822),
                fakedb.BuildRequest(id=82, builderid=77, buildsetid=8822, priority=5),
                fakedb.BuildRequest(id=83, builderid=77, buildsetid=8822),
                fakedb.BuildRequestClaim(brid=83, masterid=88, claimed_at=1),
                fakedb.BuildRequest(id=84, builderid=77, buildsetid=8822, complete=1),
                fakedb.Build(
                    id=30, builderid=77, number=7, masterid=88, buildrequestid=83, workerid=47
                ),
                fakedb.Step(id=70, number=0, name='test', buildid=30),
            ]
        )

    @defer.inlineCallbacks
    def get(self, *path):
        found = yield self.callGet(path)
        for row in found:
            self.validateData(row)
        return [(row['kind'], row['text'], row['buildrequestids']) for row in found]

    @defer.inlineCallbacks
    def assert_unknown(self, *path):
        with self.assertRaises(InvalidPathError):
            yield self.callGet(path)


class OfRequest(ReasonsCase, unittest.TestCase):
    endpointClass = reasons.BuildRequestReasonsEndpoint

    @defer.inlineCallbacks
    def test_get(self):
        """A pending request of a builder that is not here says so; a claimed or complete one waits
        for nothing."""
        said = ('elsewhere', 'builder fw is not one of this master', [81])
        self.assertEqual((yield self.get('buildrequests', 81, 'reasons')), [said])
        for brid in (83, 84):
            self.assertEqual((yield self.get('buildrequests', brid, 'reasons')), [])
        yield self.assert_unknown('buildrequests', 99, 'reasons')


class OfBuilder(ReasonsCase, unittest.TestCase):
    endpointClass = reasons.BuilderReasonsEndpoint

    @defer.inlineCallbacks
    def test_get(self):
        """The pending requests of a builder are told of together, the first one first."""
        said = ('elsewhere', 'builder fw is not one of this master', [82, 81])
        self.assertEqual((yield self.get('builders', 77, 'reasons')), [said])
        self.assertEqual((yield self.get('builders', 78, 'reasons')), [])
        yield self.assert_unknown('builders', 99, 'reasons')


class OfBuild(ReasonsCase, unittest.TestCase):
    endpointClass = reasons.BuildReasonsEndpoint

    @defer.inlineCallbacks
    def test_get(self):
        """A build of another master waits for nothing that is known here."""
        self.assertEqual((yield self.get('builds', 30, 'reasons')), [])
        yield self.assert_unknown('builds', 99, 'reasons')


class OfStep(ReasonsCase, unittest.TestCase):
    endpointClass = reasons.StepReasonsEndpoint

    @defer.inlineCallbacks
    def test_get(self):
        """So does a step of it."""
        self.assertEqual((yield self.get('steps', 70, 'reasons')), [])
        yield self.assert_unknown('steps', 99, 'reasons')
