# SPDX-License-Identifier: GPL-2.0-only
"""Random histories: whatever happens, nothing goes round for ever, pends for nothing or is left."""

from __future__ import annotations

import os
import subprocess
import sys

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.test.util.storm.history import History
from buildbot.test.util.storm.history import draw
from buildbot.test.util.storm.storm import StormCase

#: ``STORM=100-900`` tells other ones; ``make storm`` shrinks those that fail
FIRST, _, LAST = os.environ.get('STORM', '0-49').partition('-')

#: what has once gone wrong, as ``make storm`` writes it
HISTORIES = {
    'builds_that_could_not_be_asked_for': History(
        {
            'builders': {
                'a': {'asks': (), 'locks': (), 'steps': (), 'workers': ()},
                't': {
                    'asks': (),
                    'locks': (),
                    'steps': (('step', ()), ('trigger', ('a',))),
                    'workers': (),
                },
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 0,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {'w0': {'latent': False, 'most': None, 'own': False}},
        },
        (('request', 't', 'x', 0, ('w0',)), ('fail_writes', 7, 4), ('end', 1, 0)),
    ),
}

#: tells one, and prints what has happened
TELL = """
from twisted.trial.reporter import TestResult
from buildbot.test.util.storm.history import draw
from buildbot.test.util.storm.storm import StormCase

class Told(StormCase):
    def runTest(self):
        told = self.told
        return self.tell(draw(6)).addBoth(lambda _: print('\\n'.join(told)))

Told('runTest').run(TestResult())
"""


class Storm(StormCase):
    @parameterized.expand([(seed,) for seed in range(int(FIRST), int(LAST or FIRST) + 1)])
    def test_seed(self, seed):
        """Whatever happens: it comes to rest, who could start has started, and all runs out."""
        return self.tell(draw(seed))

    @parameterized.expand([(name,) for name in HISTORIES])
    def test_known(self, name):
        """What has once gone wrong does so no more."""
        return self.tell(HISTORIES[name])


class Same(unittest.SynchronousTestCase):
    def test_whatever_the_order_of_sets(self):
        """A history is the same whenever it is told."""
        told = [
            subprocess.run(
                [sys.executable, '-c', TELL],
                env={**os.environ, 'PYTHONHASHSEED': seed},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # what is logged
                check=True,
                text=True,
            ).stdout
            for seed in '12'
        ]
        self.assertGreater(told[0].count('\n'), 20)
        self.assertEqual(*told)
