# SPDX-License-Identifier: GPL-2.0-only
"""Names with hostile content are text wherever they are shown, and kept as they are."""

from __future__ import annotations

import unicodedata
from typing import Any

from parameterized import parameterized
from twisted.internet import defer
from twisted.python import log

from buildbot.locking.plain import UNSEEN
from buildbot.locks import BranchLock
from buildbot.locks import LockError
from buildbot.locks import MasterLock
from buildbot.process.eye.history import History
from buildbot.process.groups.step import StepGroup
from buildbot.process.hand.hand import Hand
from buildbot.process.hand.version import version_of
from buildbot.process.hand.wishes import By
from buildbot.process.properties import Interpolate
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase

NAMES = {
    'markup': '<script>alert(1)</script>&amp;',
    'lines': 'x\r\n2026-11-27 12:00:00+0000 [-] all is well\n',
    'escapes': '\x1b[2J\x1b]0;title\x07\x9b1m',
    'reversed': '\u202egnp.exe\u200f\u2066',
    'quotes': '\'"`%s%(x)s{0}{{x}}\\',
    'brackets': ']x[y] [',
    'path': '../..//%2f/etc',
    'emoji': '\U0001f600e\u0301\u200d',
    'spaces': ' \u00a0\u3000 ',
    'long': 'x' * 10_000,
}


class Hostile(LabTestCase):
    writes_states = True

    @defer.inlineCallbacks
    def start(self, name: str) -> Any:
        """Let one build hold locks of such a name, a request and a step wait, and one give up."""
        self.lines: list[str] = []
        log.addObserver(self.hear)
        self.addCleanup(log.removeObserver, self.hear)
        self.gate = Gate()
        branch = BranchLock('v').access('exclusive')
        by_name = MasterLock(name, maxWait=500).access('exclusive')
        by_key = BranchLock('k', key=Interpolate('%(src::branch)s')).access('exclusive')
        step = GatedStep(self.gate, name='s', locks=[by_name, by_key])
        group = StepGroup(name='g', locks=[by_name], steps=[GatedStep(self.gate)])
        builders = {'a': {'steps': [group], 'locks': [branch]}, 'b': {'steps': [step]}}
        yield self.setup_lab(builders)
        yield self.request('a', name)
        self.waiting = yield self.request('a', name)
        yield self.request('b', name)
        self.reactor.advance(60)
        self.settle()

    def hear(self, event: dict[str, Any]) -> None:
        self.lines.append(log.textFromEventDict(event) or '')

    def assert_harmless(self, text: str) -> None:
        """Nothing in a text acts on what is around it, and it goes into each database."""
        self.assertEqual([char for char in text if unicodedata.category(char) in UNSEEN], [])
        self.assertLess(len(text.encode()), 2**16)

    @parameterized.expand(list(NAMES.items()))
    @defer.inlineCallbacks
    def test_told(self, _: str, name: str) -> Any:
        """Rows of steps, reasons and the log have it as text of one line."""
        yield self.start(name)
        rows = yield self.all_steps()
        reasons = yield self.master.data.get(('buildrequests', self.waiting, 'reasons'))
        reasons += yield self.master.data.get(('builds', 2, 'reasons'))
        self.assertEqual(len(reasons), 2)
        self.reactor.advance(1000)  # the step gives up
        self.settle()
        rows += yield self.all_steps()
        texts = [row['state_string'] for row in rows] + [reason['text'] for reason in reasons]
        for text in texts:
            self.assert_harmless(text)
        self.assertTrue(any(text.startswith('waiting for ') for text in texts))
        while self.gate.running:
            self.open(self.gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, FAILURE, SUCCESS])
        lines = [line for line in self.lines if 'was granted' in line or 'waits for' in line]
        self.assertGreater(len(lines), 4)
        for line in lines:
            self.assert_harmless(line)

    @defer.inlineCallbacks
    def all_steps(self) -> Any:
        rows = []
        for buildid in range(1, len((yield self.builds())) + 1):
            rows += yield self.master.data.get(('builds', buildid, 'steps'))
        return rows

    @parameterized.expand(list(NAMES.items()))
    @defer.inlineCallbacks
    def test_kept(self, _: str, name: str) -> Any:
        """The data API has it as it is, of what is in use and of what was."""
        yield self.start(name)
        locks = yield self.master.data.get(('locks',))
        self.assertEqual({row['name'] for row in locks}, {name, 'v', 'k'})
        ids = {row['name']: row['lockid'] for row in locks}
        [copy] = yield self.master.data.get(('locks', ids['v'], 'copies'))
        self.assertEqual((copy['name'], copy['branch']), (f'v[{name}]', name))
        while self.gate.running:
            self.open(self.gate, SUCCESS)
        self.flushLoggedErrors(LockError)
        yield (yield History.getService(self.master.botmaster)).write()
        uses = yield self.master.data.get(('locks', ids[name], 'uses'))
        self.assertEqual({(use['copy'], use['branch']) for use in uses}, {(name, name)})

    @parameterized.expand([item for item in NAMES.items() if item[0] not in ('spaces', 'long')])
    @defer.inlineCallbacks
    def test_by_hand(self, _: str, name: str) -> Any:
        """So has the log the name of a person and a reason, which the data API has as they are."""
        yield self.start(name)
        real = yield self.master.botmaster.getLockByID(BranchLock('v'), -1)
        [copy] = real.all_copies()
        hand = yield Hand.getService(self.master.botmaster)
        yield hand.act('quarantine', copy, By(name, name, version_of(copy)))
        line = self.lines[-1]
        self.assertIn(': ', line)
        self.assertIn(' has taken it out of use', line)
        self.assert_harmless(line)
        locks = yield self.master.data.get(('locks',))
        [lockid] = [row['lockid'] for row in locks if row['name'] == 'v']
        [action] = yield self.master.data.get(('locks', lockid, 'actions'))
        kept = [action[what] for what in ('who', 'reason', 'copy')]
        self.assertEqual(kept, [name, name.strip(), f'v[{name}]'])
        while self.gate.running:
            self.open(self.gate, SUCCESS)
        self.flushLoggedErrors(LockError)
