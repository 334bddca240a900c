# SPDX-License-Identifier: GPL-2.0-only
"""The comparison of the suite on plain Buildbot and on the fork."""

from __future__ import annotations

import contextlib
import io

import check
from parameterized import parameterized
from twisted.trial import unittest

FOUND = {'p': {'p.a', 'p.q.b'}, 'p.q': {'p.q.b'}}
ENDED = {'p.a': 'success', 'p.q.b': 'skip'}


class Comparison(unittest.SynchronousTestCase):
    """Two suites made up for the comparison. No test of them runs."""

    def compare(self, found=FOUND, ended=ENDED, meant=None, plain_ended=ENDED):
        with contextlib.redirect_stdout(io.StringIO()) as output:
            plain = check.Suite(FOUND, plain_ended)
            good = check.compare(plain, check.Suite(found, ended), meant or {})
        lines = [line.strip() for line in output.getvalue().splitlines()]
        return good, [line for line in lines if "the fork's own tests" not in line]

    def test_alike(self):
        """Two suites with the same tests and outcomes do not differ."""
        self.assertEqual(self.compare(), (True, []))

    @parameterized.expand([('whole', 'p', {'p.a'}), ('package', 'p.q', set())])
    def test_not_found(self, _, package, tests):
        """A test that trial does not find on the fork is reported, even if it could be run."""
        lines = [
            f'NOT FOUND by trial {package}: 1 of {len(FOUND[package])}, such as p.q.b',
        ]
        self.assertEqual(self.compare(found={**FOUND, package: tests}), (False, lines))

    def test_ours(self):
        """The fork's own tests make no difference while they pass."""
        found = {**FOUND, 'p': {*FOUND['p'], 'p.ours'}}
        self.assertEqual(self.compare(found, {**ENDED, 'p.ours': 'success'}), (True, []))

    @parameterized.expand([('failure',), ('error',), ('not run',)])
    def test_ours_fails(self, outcome):
        """A failing test of the fork's own is reported."""
        lines = [f'of our own: p.ours: {outcome}']
        self.assertEqual(self.compare(ended={**ENDED, 'p.ours': outcome}), (False, lines))

    @parameterized.expand(
        [
            ('differs', {'p.a': 'error'}, {}, False, ['DIFFERS: p.a: success -> error']),
            (
                'meant',
                {'p.a': 'error'},
                {'p.a': 'why'},
                True,
                ['meant: p.a: success -> error: why'],
            ),
            (
                'too_long',
                {},
                {'p.a': 'why'},
                False,
                ['no longer deviates: p.a: success; take it off the list'],
            ),
            ('unknown', {}, {'p.c': 'why'}, False, ['unknown test in the list: p.c']),
            (
                'not_run',
                {'p.a': 'not run'},
                {'p.a': 'why'},
                False,
                ['NOT RUN: p.a: success -> not run'],
            ),
        ]
    )
    def test_outcomes(self, _, change, meant, good, lines):
        """Each difference between outcomes is reported, and is right only if it is meant."""
        self.assertEqual(self.compare(ended={**ENDED, **change}, meant=meant), (good, lines))

    def test_never_run(self):
        """A test that runs on neither side is reported."""
        ended = {**ENDED, 'p.a': 'not run'}
        lines = ['NOT RUN: p.a: not run -> not run']
        self.assertEqual(self.compare(ended=ended, plain_ended=ended), (False, lines))
