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
            ('attribute', 'watt = 2', 'watt = 3', [f'{PATH}:off'], True),
            ('attribute_of_others', 'watt = 2', 'watt = 3', ['master/a.py:go'], False),
            ('constant', 'SIZE = 1', 'SIZE = 2', [f'{PATH}:off'], True),
            ('new_constant', 'SIZE = 1', 'SIZE = 1\nPOWER = 1', [f'{PATH}:off'], False),
            ('gone', 'def off', 'def dark', [f'{PATH}:off'], True),
            ('override', 'def off', 'class Torch(Lamp):\n  pass\ndef off', [f'{PATH}:off'], False),
            ('method', 'def on', 'def go(self): pass\n    def on', [f'{PATH}:off'], True),
            ('function', 'def off', 'def go(): pass\ndef off', ['master/a.py:B.go'], False),
            ('process', 'return 1', 'return 3', ['process'], True),
        ]
    )
    def test_changed(self, _, one, other, called, expected):
        """It runs again if it can meet what has changed."""
        change = Change({PATH: (OLD, OLD.replace(one, other))})
        self.assertEqual(change.concerns(TEST, called, [], change.modules), expected)

    @parameterized.expand(
        [
            ('own', TEST, True),
            ('new', PATH, False),
            ('data', 'master/buildbot/test/examples/lamp.cfg', True),
            ('specification', 'master/buildbot/spec/api.raml', False),
            ('setup', 'master/setup.py', False),
            ('manual', 'master/docs/index.rst', False),
        ]
    )
    def test_file(self, _, path, expected):
        """Data can matter to all; a new module only to whom a changed function calls it."""
        self.assertEqual(Change({path: (None, '')}).concerns(TEST, [], [], []), expected)

    @parameterized.expand(
        [
            ('entry_points', 'master/setup.py', 'master/buildbot/plugins/db.py:get_plugins'),
            ('api', 'master/buildbot/spec/api.raml', 'master/buildbot/util/raml.py:RamlSpec.load'),
        ]
    )
    def test_read(self, _, path, reader):
        """What plugins there are, or what the API says of itself, matters to whoever reads that."""
        self.assertTrue(Change({path: ('', 'x = 1')}).concerns(TEST, [reader], [], []))

    def test_first_method(self):
        """The first method of a class may replace that of a base class in another module."""
        old = OLD.replace('watt = 2\n    def on(self):\n        return 1', 'watt = 2')
        change = Change({PATH: (old, OLD)})
        self.assertTrue(change.concerns(TEST, ['master/a.py:Bulb.on'], [], []))

    def test_at_import(self):
        """What is called while a module is imported matters to all."""
        change = Change({PATH: (OLD, OLD.replace('return 2', 'return 3'))})
        self.assertTrue(change.concerns(TEST, [], [f'{PATH}:off'], []))
