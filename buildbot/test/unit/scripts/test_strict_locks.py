# SPDX-License-Identifier: GPL-2.0-only
"""``buildbot checkconfig --strict-locks``, and what is said without it."""

from __future__ import annotations

import io
import sys
import warnings
from pathlib import Path

from twisted.python.reflect import namedAny
from twisted.trial import unittest

from buildbot.scripts.runner import Options
from buildbot.test.util.reading import HEAD
from buildbot.warnings import ConfigWarning

CIRCLE = """
A, B = util.MasterLock('A'), util.MasterLock('B')
flash = Shell(name='flash', command='x', locks=[B.access('exclusive')])
copy = Shell(name='copy', command='x', locks=[A.access('exclusive')])
build(flash, name='a', locks=[A.access('exclusive')])
build(copy, name='b', locks=[B.access('exclusive')])
c['schedulers'] = []
"""
SENTENCE = (
    "builder 'a', step 'flash' wants 'B' while it holds 'A' (builder 'a'); builder 'b', step 'copy'"
    " wants 'A' while it holds 'B' (builder 'b'): each may wait for the other forever"
)


class Strict(unittest.SynchronousTestCase):
    def run_command(self, *arguments):
        """Return the status of ``checkconfig`` of a circle, what it prints, and the warnings."""
        path = Path(self.mktemp()).resolve()
        path.write_text(HEAD + CIRCLE)
        self.line = (HEAD + CIRCLE).split('\n').index(CIRCLE.split('\n')[2]) + 1
        self.path = path
        out, err = io.StringIO(), io.StringIO()
        self.patch(sys, 'stdout', out)
        self.patch(sys, 'stderr', err)
        options = Options()
        options.parseOptions(['checkconfig', *arguments, str(path)])
        command = namedAny(options.subOptions.subcommandFunction)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter('always')
            status = vars(command)['_orig'](options.subOptions)
        told = [str(w.message) for w in warned if w.category is ConfigWarning]
        return status, out.getvalue(), err.getvalue(), told

    def test_warns(self):
        """Without the option a circle is a warning, and the configuration is good."""
        good = 'Config file is good!\n'
        self.assertEqual(self.run_command(), (0, good, '', [SENTENCE]))

    def test_strict(self):
        """With the option it is an error, with the line of the first place."""
        status, out, err, told = self.run_command('--strict-locks')
        self.assertEqual((status, out, told), (1, '', []))
        line = f'{self.path}:{self.line}'
        self.assertEqual(err, f'Configuration Errors:\n  {SENTENCE} ({line})\n')

    def test_for_one_command(self):
        """What comes after the command is not strict."""
        self.run_command('--strict-locks')
        self.assertEqual(self.run_command()[0], 0)

    def test_quiet(self):
        """It fails without a word if it is to be quiet."""
        status, out, err, _ = self.run_command('--strict-locks', '--quiet')
        self.assertEqual((status, out, err), (1, '', ''))
