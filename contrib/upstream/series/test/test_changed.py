# SPDX-License-Identifier: GPL-2.0-only
"""Which test modules a commit can change the outcome of."""

from __future__ import annotations

from parameterized import parameterized
from twisted.trial import unittest

from series.changed import Change

PATH = 'master/buildbot/lamp.py'
TEST = 'master/buildbot/test/test_lamp.py'
OLD = """import os
SIZE = 1
class Lamp:
    watt = 2
    def on(self):
        return 1
def off():
    return 2
"""


class Concerns(unittest.SynchronousTestCase):
    """A test module that has called some functions."""

    @parameterized.expand(
        [
            ('called', 'return 1', 'return 3', [f'{PATH}:Lamp.on'], True),
            ('not_called', 'return 1', 'return 3', [f'{PATH}:off'], False),
            ('docstring', 'return 1', '"Text."; return 1', [f'{PATH}:Lamp.on'], False),
            ('import', 'import os', 'import os, re', [f'{PATH}:Lamp.on'], False),
            ('attribute', 'watt = 2', 'watt = 3', [], True),
            ('constant', 'SIZE = 1', 'SIZE = 2', [], True),
            ('new_constant', 'SIZE = 1', 'SIZE = 1\nPOWER = 1', [f'{PATH}:off'], False),
            ('gone', 'def off', 'def dark', [f'{PATH}:off'], True),
            ('override', 'def off', 'class Torch(Lamp):\n  pass\ndef off', [f'{PATH}:off'], False),
            ('method', 'def on', 'def go(self): pass\n    def on', ['master/a.py:B.go'], True),
            ('process', 'return 1', 'return 3', ['process'], True),
        ]
    )
    def test_changed(self, _, one, other, called, expected):
        """It runs again if it can meet what has changed."""
        change = Change({PATH: (OLD, OLD.replace(one, other))})
        self.assertEqual(change.concerns(TEST, called), expected)

    @parameterized.expand(
        [
            ('own', TEST, True),
            ('new', PATH, False),
            ('data', 'master/buildbot/spec/api.raml', True),
            ('setup', 'master/setup.py', True),
            ('manual', 'master/docs/index.rst', False),
        ]
    )
    def test_file(self, _, path, expected):
        """Data can matter to all; a new module only to whom a changed function calls it."""
        self.assertEqual(Change({path: (None, '')}).concerns(TEST, []), expected)
