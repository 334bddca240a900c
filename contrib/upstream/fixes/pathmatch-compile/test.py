# SPDX-License-Identifier: GPL-2.0-only
"""The patterns are sorted when they have changed, and only then."""

from unittest import mock

from buildbot_overlay import release

upstream = release(__name__)


class Matcher(upstream.Matcher):
    def test_compiles_once(self):
        self.m[('abc', 'def')] = 2
        with mock.patch.object(self.m, '_compile', wraps=self.m._compile) as compile_patterns:
            self.m[('abc', 'def')]
            self.m[('abc', 'def')]
            self.assertEqual(compile_patterns.call_count, 1)

            self.m[('abc', 'efg')] = 3
            self.assertEqual(self.m[('abc', 'efg')], (3, {}))
            self.assertEqual(compile_patterns.call_count, 2)
