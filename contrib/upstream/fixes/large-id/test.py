# SPDX-License-Identifier: GPL-2.0-only
"""A number that no database has matches nothing."""

from buildbot_overlay import release

upstream = release(__name__)


class Matcher(upstream.Matcher):
    def test_pattern_variables_num_too_large(self):
        self.m[('A', 'n:a')] = 1
        largest = 2**63 - 1
        self.assertEqual(self.m[('A', str(largest))], (1, {'a': largest}))
        for number in (largest + 1, -largest - 1):
            with self.assertRaises(KeyError):
                self.m[('A', str(number))]
