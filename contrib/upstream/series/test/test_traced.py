# SPDX-License-Identifier: GPL-2.0-only
"""Which functions of a module have been called."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import traced
from parameterized import parameterized
from twisted.trial import unittest

LAMP = '''"A lamp."
from __future__ import annotations

def made(kind):
    return kind

@made
class Lamp:
    def on(self):
        """Text."""
        def later():
            return 1
        return later()

    async def off(self):
        pass

def wait():
    yield 1

watt = made(2)
'''


class Called(unittest.SynchronousTestCase):
    def setUp(self):
        self.root = Path(self.mktemp()).resolve()
        (self.root / 'buildbot_pkg').mkdir(parents=True)
        (self.root / 'buildbot_pkg' / '__init__.py').write_text('')
        (self.root / 'buildbot_pkg' / 'lamp.py').write_text(LAMP)
        for name in ('buildbot_pkg', 'buildbot_pkg.lamp'):
            self.addCleanup(sys.modules.pop, name, None)
        self.patch(sys, 'path', [str(self.root), *sys.path])
        self.patch(sys, 'meta_path', [*sys.meta_path])
        self.patch(sys, 'addaudithook', lambda hook: setattr(self, 'hear', hook))
        self.patch(traced, 'called', set())
        self.patch(traced, 'shared', set())
        self.patch(traced.Loader, 'root', Path())
        traced.trace(self.root)
        self.lamp = importlib.import_module('buildbot_pkg.lamp')

    @parameterized.expand(
        [
            ('method', lambda lamp: lamp.Lamp().on(), {'Lamp.on'}),
            ('generator', lambda lamp: list(lamp.wait()), {'wait'}),
            ('not_begun', lambda lamp: lamp.wait(), set()),
            ('coroutine', lambda lamp: lamp.Lamp().off(), set()),
        ]
    )
    def test_called(self, _, call, names):
        """A function counts as called when it begins; an inner one belongs to the one around it."""
        got = call(self.lamp)
        if hasattr(got, 'close'):
            got.close()
        found = {name.rpartition(':')[2] for name in traced.called if 'lamp.py:' in name}
        self.assertEqual(found, names)

    def test_at_import(self):
        """What is called while a module is imported is kept apart."""
        self.assertEqual(traced.called, set())
        self.assertEqual(traced.shared, {'buildbot_pkg/lamp.py:made'})

    def test_same_module(self):
        """The docstrings and results are those of the module as it is."""
        self.assertEqual((self.lamp.__doc__, self.lamp.Lamp.on.__doc__), ('A lamp.', 'Text.'))
        self.assertEqual((self.lamp.watt, self.lamp.Lamp().on()), (2, 1))

    def test_process(self):
        """Nobody knows what a process calls that is started."""
        self.hear('subprocess.Popen', ('make',))
        self.assertEqual(traced.called, {traced.PROCESS})
