# SPDX-License-Identifier: GPL-2.0-only
"""New: a lab of builders whose one step waits until the test lets it end."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.locks import BaseLockId
from buildbot.locks import MasterLock
from buildbot.process.results import SUCCESS
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase

TWO = ['w1', 'w2']
THREE = ['w1', 'w2', 'w3']


class Slow:
    """Something that a user wrote, and that takes until the test answers.

    :ivar asked: what has been asked: a Deferred, and the arguments.
    """

    def __init__(self):
        self.asked: list[Any] = []

    def __call__(self, *args):
        d: defer.Deferred[Any] = defer.Deferred()
        self.asked.append((d, args))
        return d


class DistributionCase(LabTestCase):
    """Builders whose one step waits at a gate of the builder's name."""

    def setUp(self):
        super().setUp()
        self.gates: dict[str, Gate] = {}
        self.lock: BaseLockId = MasterLock('lab')

    def gate(self, name):
        return self.gates.setdefault(name, Gate())

    def builder(self, name, *locks, **words):
        return {'steps': [GatedStep(self.gate(name))], 'locks': list(locks), **words}

    @defer.inlineCallbacks
    def start(self, builders, workers=TWO, **config):
        yield self.setup_lab(
            {name: self.builder(name, *locks) for name, locks in builders.items()},
            workers=workers,
            **config,
        )

    def running(self):
        return ' '.join(name for name in sorted(self.gates) for _ in self.gates[name].running)

    def end(self, name):
        self.open(self.gates[name], SUCCESS)

    @defer.inlineCallbacks
    def assert_all_done(self, *locks):
        while self.running():
            self.end(self.running().split()[0])
        requests = yield self.master.data.get(('buildrequests',))
        self.assertEqual([r['buildrequestid'] for r in requests if not r['complete']], [])
        for lock in locks or [self.lock]:
            self.assertEqual((yield self.owners(lock)), (0, 0))
        for builder in self.master.botmaster.builders.values():
            self.assertEqual(list(builder.reservations), [])

    def worker_of(self, gate, i=0):
        return self.gates[gate].running[i][0].workername
