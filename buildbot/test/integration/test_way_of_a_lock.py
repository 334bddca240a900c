# SPDX-License-Identifier: GPL-2.0-only
"""The way of a lock access, as the manual tells it, is the way that builds take."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from pathlib import Path
from types import CodeType
from types import FrameType
from typing import Any
from typing import NamedTuple

from twisted.internet import defer
from twisted.trial import unittest

from buildbot.locks import BranchLock
from buildbot.locks import WorkerLock
from buildbot.process.results import SUCCESS
from buildbot.test.util.lab import AwaitedGate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase

SOURCE = os.environ.get('INTERLOCK_SOURCE')


class Call(NamedTuple):
    """A call that the manual names.

    :param path: of the module.
    :param name: of the function, or of the class and method.
    :param mark: what it says about the call.
    """

    path: str
    name: str
    mark: str

    def code(self) -> CodeType:
        """Return the code of the function or method, without its decorators."""
        found: Any = importlib.import_module('buildbot.' + self.path[:-3].replace('/', '.'))
        for part in self.name.split('.'):
            found = getattr(found, part)
        return inspect.unwrap(getattr(found, '__func__', found)).__code__


def told_calls() -> list[Call]:
    """Return the calls that the manual names, in order."""
    text = (Path(SOURCE or '') / 'docs' / 'design.rst').read_text()
    section = text.partition('\nThe way of a lock access\n')[2].partition('\nOther ways of a ')[0]
    calls = re.findall(r'^ +([\w/]+\.py) +([\w.]+)(| \(B\))$', section, re.M)
    return [Call(*each) for each in calls]


class Way(LabTestCase):
    if SOURCE is None:
        skip = 'INTERLOCK_SOURCE does not name the checkout with the manual; `make test` does'

    def setUp(self):
        super().setUp()
        self.calls: list[CodeType] = []
        self.addCleanup(sys.setprofile, sys.getprofile())

    def watch(self, frame: FrameType, event: str, _: Any) -> None:
        if event == 'call':
            self.calls.append(frame.f_code)

    @defer.inlineCallbacks
    def two_builds(self) -> Any:
        # the locks of the first are held when the second is requested
        gate = AwaitedGate()
        version, board = BranchLock('version'), WorkerLock('board')

        def builder():
            step = GatedStep(gate, locks=[board.access('counting')])
            return {'steps': [step], 'locks': [version.access('exclusive')]}

        yield self.setup_lab({'a': builder(), 'b': builder()}, ['w1', 'w2'])
        for name in 'ab':
            yield self.request(name, 'main')
        for _ in range(2):
            yield gate.arrivals.get()
            self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])

    @defer.inlineCallbacks
    def test_order(self):
        """Two builds, one after the other, call all that is named, in this order."""
        sys.setprofile(self.watch)
        yield self.two_builds()
        sys.setprofile(None)
        calls = iter(self.calls)
        for each in told_calls():
            code = each.code()
            self.assertTrue(any(call is code for call in calls), each)


class Named(unittest.SynchronousTestCase):
    if SOURCE is None:
        skip = Way.skip

    def test_whose(self):
        """What is marked as Buildbot's own is, and nothing else is."""
        calls = told_calls()
        self.assertGreater(len(calls), 30)
        for each in calls:
            is_ours = 'buildbot_overlay' in each.code().co_filename
            self.assertEqual(each.mark, '' if is_ours else ' (B)', each)
