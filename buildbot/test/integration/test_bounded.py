# SPDX-License-Identifier: GPL-2.0-only
"""Branches that come and go leave nothing behind, whatever happens to their builds."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.process.eye.history import History
from buildbot.process.eye.holds import Holds
from buildbot.process.eye.userows import UseRows
from buildbot.process.groups.step import StepGroup
from buildbot.process.hand.failures import Failures
from buildbot.process.hand.hand import Hand
from buildbot.process.hand.version import version_of
from buildbot.process.hand.wishes import By
from buildbot.process.properties import Interpolate
from buildbot.process.properties import renderer
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.test.util.census import census
from buildbot.test.util.census import grown
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase

#: branches between two counts; what grows by one for each of them is found
BRANCHES = 4

LIMITS: dict[str, Any] = {'maxWait': 1000, 'maxHold': 1000, 'quarantineAfter': 9}


class Branches(LabTestCase):
    def setUp(self) -> None:
        super().setUp()
        # what is kept of the last so and so many is kept of very few
        self.patch(Holds, 'kinds', 1)
        self.patch(UseRows, 'most', 0)
        self.patch(Failures, 'most', 1)

    def words(self, kind: str) -> dict[str, Any]:
        """Return a builder that takes locks for the branch."""
        self.gate = Gate()

        @renderer
        def rendered(props: Any) -> Any:
            branch = props.getProperty('branch')
            found = [MasterLock(f'm-{branch}', **LIMITS), WorkerLock(f'w-{branch}', **LIMITS)]
            return [lock.access('exclusive') for lock in found]

        branch = [BranchLock('version', **LIMITS).access('exclusive')]
        key = [BranchLock('key', key=Interpolate('%(src::branch)s'), **LIMITS).access('exclusive')]
        step = GatedStep(self.gate, locks=key)
        builders: dict[str, dict[str, Any]] = {
            'branch': {'steps': [step], 'locks': branch},
            'rendered': {'steps': [step], 'locks': rendered},
            'of_group': {'steps': [StepGroup(locks=rendered, steps=[step])]},
        }
        return builders[kind]

    @defer.inlineCallbacks
    def live(self, branch: str) -> Any:
        """Let a branch have builds that wait, are asked for, fail, are stopped and cancelled."""
        builds = len((yield self.builds()))
        brids = []
        for name in 'aabb':
            brids.append((yield self.request(name, branch)))
        for path in (('locks',), ('buildrequests', brids[-1], 'reasons')):
            yield self.master.data.get(path)
        yield self.master.data.control('cancel', {'reason': 'gone'}, ('buildrequests', brids[1]))
        yield self.stop_build(builds + 1)
        yield self.by_hand(branch)
        self.open(self.gate, FAILURE)
        while self.gate.running:
            self.open(self.gate, SUCCESS)
        self.reactor.advance(100)
        self.settle()

    @defer.inlineCallbacks
    def by_hand(self, branch: str) -> Any:
        """Let a person wait for the copy of a branch, and then not want it any more."""
        lock = yield self.master.botmaster.getLockByID(BranchLock('key'), -1)
        copy = lock.copy_for('', branch)
        hand = yield Hand.getService(self.master.botmaster)
        by = By('ann', 'on my desk', version_of(copy))
        words = {'until': self.reactor.seconds() + 500, 'mode': 'exclusive', 'units': None}
        hold = yield hand.act('hold', copy, by, **words)
        by = By('ann', 'on my desk', version_of(copy))
        yield hand.act('release', copy, by, holdid=hold.holdid)

    @defer.inlineCallbacks
    def count(self, first: int) -> Any:
        """Let some branches live, and count what there is then."""
        for number in range(first, first + BRANCHES):
            yield self.live(f'branch-{number}')
        yield (yield History.getService(self.master.botmaster)).write()
        return census(self.master)

    @parameterized.expand([('branch',), ('rendered',), ('of_group',)])
    @defer.inlineCallbacks
    def test_nothing_is_left(self, kind: str) -> Any:
        """After twice as many branches there are as many objects and entries of each kind."""
        builder = self.words(kind)
        yield self.setup_lab({name: builder for name in 'ab'}, ['w1', 'w2'])
        yield self.count(0)
        before = yield self.count(BRANCHES)
        after = yield self.count(2 * BRANCHES)
        left = grown(before, after)
        self.assertEqual({what: more for what, more in left.items() if more >= BRANCHES}, {})
        self.assertNotIn(None, (yield self.builds()))

    @defer.inlineCallbacks
    def test_what_is_left_is_found(self) -> Any:
        """What somebody keeps of each branch is counted where it is kept."""
        yield self.setup_lab({'a': {'steps': []}})
        self.master.botmaster.kept = {}
        before = census(self.master)
        for number in range(BRANCHES):
            self.master.botmaster.kept[number] = [MasterLock(f'm-{number}')]
        self.assertEqual(
            grown(before, census(self.master)),
            {
                'BotMaster.kept': BRANCHES,
                'BotMaster.kept[]': BRANCHES,
                'buildbot.locks.MasterLock': BRANCHES,
            },
        )
