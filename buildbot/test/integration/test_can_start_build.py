# SPDX-License-Identifier: GPL-2.0-only
"""What a builder answers to a plugin that asks whether a build can start on a worker."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.process.builder import enforceChosenWorker
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.properties import renderer
from buildbot.test.util.lab import LabTestCase

LAB = MasterLock('lab')
VERSION = BranchLock('version')


@renderer
def rendered(props: Any) -> Any:
    return [LAB.access('exclusive')]


class CanStartBuild(LabTestCase):
    @defer.inlineCallbacks
    def start(self, **words: Any) -> Any:
        """Start a master on which no request is looked at by itself."""
        yield self.setup_lab({'a': {'steps': [], **words}})
        self.patch(self.master.botmaster.brd, 'maybeStartBuildsOn', lambda names: None)
        self.builder = self.master.botmaster.builders['a']
        [self.worker] = self.builder.getAvailableWorkers()

    @defer.inlineCallbacks
    def ask(self, **words: Any) -> Any:
        brid = yield self.request('a', **words)
        row = yield self.master.db.buildrequests.getBuildRequest(brid)
        request = yield BuildRequest.fromBrdict(self.master, row)
        return (yield self.builder.canStartBuild(self.worker, request))

    @defer.inlineCallbacks
    def hold(self, lockid: Any, branch: str | None = None) -> Any:
        real = yield self.master.botmaster.getLockByID(lockid, self.builder.config_version)
        copy = real.copy_for('', branch) if branch else real
        copy.claim(self, lockid.access('exclusive'))
        self.addCleanup(copy.release, self, lockid.access('exclusive'))

    @defer.inlineCallbacks
    def test_nothing_in_the_way(self) -> Any:
        """A build without locks can start."""
        yield self.start()
        self.assertTrue((yield self.ask()))

    @parameterized.expand(
        [
            ('yes', lambda *_: True, True),
            ('no', lambda *_: False, False),
            ('late_yes', lambda *_: defer.succeed(True), True),
            ('late_no', lambda *_: defer.succeed(False), False),
        ]
    )
    @defer.inlineCallbacks
    def test_user(self, _: str, says: Any, expected: bool) -> Any:
        """What the user's own canStartBuild says is the answer; it is told who asks what."""
        asked = []

        def can_start(*args: Any) -> Any:
            asked.append(args)
            return says(*args)

        yield self.start(canStartBuild=can_start)
        self.assertEqual((yield self.ask()), expected)
        [(builder, worker, request)] = asked
        self.assertIs(builder, self.builder)
        self.assertIs(worker, self.worker)
        self.assertEqual(request.id, 1)

    @defer.inlineCallbacks
    def test_lost_meanwhile(self) -> Any:
        """A build cannot start on a worker that is lost while the user's method is asked."""

        def can_start(_: Any, worker: Any, request: Any) -> bool:
            self.patch(worker, 'worker', None)
            return True

        yield self.start(canStartBuild=can_start)
        self.assertFalse((yield self.ask()))

    @parameterized.expand(
        [
            ('free', [LAB.access('exclusive')], False, True),
            ('taken', [LAB.access('exclusive')], True, False),
            ('rendered_free', rendered, False, True),
            ('rendered_taken', rendered, True, False),
        ]
    )
    @defer.inlineCallbacks
    def test_locks(self, _: str, locks: Any, is_taken: bool, expected: bool) -> Any:
        """A build whose lock is taken cannot start, and nothing is claimed by the question."""
        yield self.start(locks=locks)
        if is_taken:
            yield self.hold(LAB)
        self.assertEqual((yield self.ask()), expected)
        self.assertEqual((yield self.owners(LAB)), (int(is_taken), 0))

    @parameterized.expand([('its_own', 'main', False), ('another', 'next', True)])
    @defer.inlineCallbacks
    def test_branch(self, _: str, held: str, expected: bool) -> Any:
        """Only the lock of the request's own branch is in the way."""
        yield self.start(locks=[VERSION.access('exclusive')])
        yield self.hold(VERSION, held)
        self.assertEqual((yield self.ask(branch='main')), expected)

    @parameterized.expand([('fits', True), ('does_not_fit', False)])
    @defer.inlineCallbacks
    def test_worker_of_a_kind(self, _: str, fits: bool) -> Any:
        """A build can start only on a worker that it fits."""
        yield self.start(locks=rendered)
        worker = self.worker.worker
        worker.builds_may_be_incompatible = True
        worker.isCompatibleWithBuild = lambda props: defer.succeed(fits)
        self.assertEqual((yield self.ask()), fits)

    @parameterized.expand(
        [
            ('none', None, True),
            ('this', 'w1', True),
            ('another', 'w2', False),
            ('no_name', 0, True),
        ]
    )
    @defer.inlineCallbacks
    def test_chosen_worker(self, _: str, chosen: Any, expected: bool) -> Any:
        """A request that names a worker can start on that only."""
        yield self.start(canStartBuild=enforceChosenWorker)
        words = {} if chosen is None else {'properties': {'workername': (chosen, 'test')}}
        self.assertEqual((yield self.ask(**words)), expected)
