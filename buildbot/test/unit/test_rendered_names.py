# SPDX-License-Identifier: GPL-2.0-only
"""Locks that only renderables name: each is one, however often it is dropped and comes back."""

from __future__ import annotations

import gc
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies
from twisted.internet.task import Clock
from twisted.trial import unittest

from buildbot.locking.copies import LocksInUse
from buildbot.locking.copy import LockClaim
from buildbot.locking.copy import LockError
from buildbot.locks import LockOwner
from buildbot.locks import MasterLock
from buildbot.process.botmaster import LockRetrieverMixin
from buildbot.process.locks import get_real_locks_from_accesses_raw
from buildbot.util import eventual
from buildbot.util.service import AsyncMultiService


class Botmaster(AsyncMultiService, LockRetrieverMixin):
    builders: dict = {}
    master = SimpleNamespace(workers=SimpleNamespace(workers={}))


class Step(LockOwner):
    """One of the steps of a build, which finds out its locks first, and claims them later.

    :ivar version: of the configuration with which its build began.
    :ivar demand: what it has found out; None before and after.
    :ivar claim: None before it has claimed.
    """

    def __init__(self, version):
        self.version = version
        self.demand = self.claim = None

    def end(self):
        if self.claim is not None:
            self.claim.end()
        self.demand = self.claim = None


class History:
    """Steps that want locks by names, and what is known of these locks.

    :ivar known: by name, version of the configuration and limit of the lock that there is.
    """

    def __init__(self, case):
        self.case = case
        self.botmaster = Botmaster()
        self.version = 1
        self.steps = [Step(1) for _ in range(4)]
        self.known: dict[Any, Any] = {}

    def owners_of(self, name):
        return [s for s in self.steps if s.demand and s.demand[0][0].lockName == name]

    def copies(self, name):
        return [step.demand[0][0] for step in self.owners_of(name)]

    def find_out(self, number, name, limit, exclusive):
        """Let a step find out its lock, if it has done with the one before."""
        step = self.steps[number]
        if step.demand is not None:
            return
        gc.collect()  # so that a lock that nobody refers to is gone
        version, known = self.known.get(name, (0, 0)) if self.owners_of(name) else (0, 0)
        is_idle = all(copy.is_idle for copy in self.copies(name))
        is_refused = version == step.version and known != limit and not is_idle
        if version < step.version or (version == step.version and is_idle):
            version, known = step.version, limit
        builder = SimpleNamespace(botmaster=self.botmaster)
        worker = SimpleNamespace(worker=SimpleNamespace(workername='w'))
        access = MasterLock(name, limit).access('exclusive' if exclusive else 'counting')
        found = get_real_locks_from_accesses_raw([access], None, builder, worker, step.version)
        if is_refused:
            self.case.failureResultOf(found, LockError)
            return
        step.demand = self.case.successResultOf(found)
        self.known[name] = (version, known)
        self.case.assertEqual(step.demand[0][0].maxCount, known)

    def claim(self, number):
        step = self.steps[number]
        if step.demand is None or step.claim is not None:
            return
        [(copy, _)] = step.demand
        used = copy.used
        step.claim = LockClaim(step, step.demand)
        if not step.claim.take_at_once():
            step.claim.wait().addErrback(lambda why: why.trap(LockError))
        elif copy.used > used:
            self.case.assertLessEqual(copy.used, copy.maxCount)

    def end(self, number):
        self.steps[number].end()

    def begin_build(self, number):
        """Let another step, of a build of the newest configuration, take the place of one."""
        self.steps[number].end()
        self.steps[number] = Step(self.version)

    def reconfig(self):
        self.version += 1

    def check(self):
        for name in 'xy':
            copies = self.copies(name)
            self.case.assertTrue(all(copy is copies[0] for copy in copies))
            holders = [s for s in self.owners_of(name) if s.claim is not None and s.claim.holds]
            if any(access.mode == 'exclusive' for s in holders for _, access in s.demand):
                self.case.assertEqual(len(holders), 1)

    def in_use(self):
        self.case.clock.advance(0)  # who has been granted its lock hears of it
        gc.collect()
        in_use = self.case.successResultOf(LocksInUse.getService(self.botmaster))
        return sorted(name for _, name in in_use.locks)


NUMBERS = strategies.integers(0, 3)
EVENTS = strategies.one_of(
    strategies.tuples(
        *(strategies.just('find_out'), NUMBERS, strategies.sampled_from('xy')),
        *(strategies.integers(1, 2), strategies.booleans()),
    ),
    strategies.tuples(strategies.sampled_from(['claim', 'end', 'begin_build']), NUMBERS),
    strategies.tuples(strategies.just('reconfig')),
)


class RenderedNames(unittest.SynchronousTestCase):
    def setUp(self):
        self.clock = Clock()
        eventual._setReactor(self.clock)
        self.addCleanup(eventual._setReactor, None)
        gc.collect()
        gc.freeze()  # what is there already is no garbage, which is looked for again and again

    @settings(deadline=None, max_examples=60)
    @given(strategies.lists(EVENTS, min_size=5, max_size=40))
    def test_one_of_a_name(self, events):
        """Nobody has another lock of a name than all others, and it has the limit that it must.

        That of the newest configuration counts, and of one configuration the first that is in use.
        In the end nothing is left.
        """
        history = History(self)
        for what, *words in events:
            getattr(history, what)(*words)
            history.check()
        used = sorted({copy.lockName for name in 'xy' for copy in history.copies(name)})
        self.assertEqual(history.in_use(), used)
        for number in range(4):
            history.end(number)
        self.assertEqual(history.in_use(), [])
