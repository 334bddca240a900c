# SPDX-License-Identifier: GPL-2.0-only
"""Random histories: whatever happens, nothing goes round forever, pends for nothing or is left."""

from __future__ import annotations

import os
import subprocess
import sys

from parameterized import parameterized
from twisted.internet import defer

from buildbot.test.util.storm.history import History
from buildbot.test.util.storm.history import draw
from buildbot.test.util.storm.storm import StormCase

#: ``STORM=0-49`` tells more, as CI does, or others; ``make storm`` shrinks those that fail
FIRST, _, LAST = os.environ.get('STORM', '0-1').partition('-')

#: what has once gone wrong, as ``make storm`` writes it
HISTORIES = {
    'triggered_and_merged_at_once': History(
        {
            'builders': {
                'b': {'asks': (), 'locks': (), 'steps': (), 'workers': ('w2',)},
                't': {
                    'asks': (),
                    'locks': (),
                    'steps': (('group', (), 2, (('trigger', ('b',)), ('trigger', ('b',)))),),
                    'workers': ('w3',),
                },
            },
            'collapseRequests': True,
            'lateBinding': False,
            'luck': 761,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {
                'w2': {'latent': False, 'most': 1, 'own': False},
                'w3': {'latent': False, 'most': 2, 'own': False},
            },
        },
        (('request', 't', 'x', 5, ('w1',)),),
    ),
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
    'build_that_its_step_never_knows': History(
        {
            'builders': {
                'a': {
                    'asks': (),
                    'locks': (('n', 'exclusive', 1), ('m', 'exclusive', 1)),
                    'steps': (('step', ()),),
                    'workers': ('w0',),
                },
                'b': {
                    'asks': (),
                    'locks': (('m', 'exclusive', 1),),
                    'steps': (('step', ()),),
                    'workers': ('w1',),
                },
                't': {
                    'asks': (),
                    'locks': (('n', 'exclusive', 1),),
                    'steps': (('trigger', ('a',)), ('clean', ())),
                    'workers': ('w2',),
                },
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 0,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {
                name: {'latent': False, 'most': 1, 'own': False} for name in ('w0', 'w1', 'w2')
            },
        },
        (
            ('request', 'b', 'x', 0, ('w1',)),
            ('slow_answer',),
            ('request', 't', 'x', 0, ('w2',)),
            ('write', True),
            ('end', 0, 0),
        ),
    ),
    'wait_by_hand_for_what_nobody_knows': History(
        {
            'builders': {
                'a': {'asks': (), 'locks': (('b', 'counting', 1),), 'steps': (), 'workers': ()},
                'b': {'asks': (), 'locks': (('w', 'counting', 2),), 'steps': (), 'workers': ()},
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 551,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {'w0': {'latent': False, 'most': 1, 'own': False}},
        },
        (
            ('request', 'a', 'x', 5, ('w3',)),
            ('request', 'b', 'x', 0, ('w2', 'w0')),
            ('hold', 28, 'ann', 300, 'counting', 2),
            ('hold', 53, 'bob', 3600, 'counting', 1),
            ('restart',),
        ),
    ),
    'claim_that_cannot_be_given_back': History(
        {
            'builders': {'a': {'asks': (), 'locks': (), 'steps': (), 'workers': ()}},
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 734,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {
                'w0': {'latent': False, 'most': 1, 'own': False},
                'w3': {'latent': False, 'most': None, 'own': False},
            },
        },
        (
            ('fail_writes', 13, 4),
            ('hold', 50, 'ann', 3600, 'exclusive', None),
            ('lose', 13),
            ('kick', 33),
            ('request', 'a', 'x', 0, ('w3',)),
            ('hold', 24, 'ann', 300, 'counting', 1),
        ),
    ),
    'cancel_that_cannot_be_written': History(
        {
            'builders': {
                'b': {'asks': ('step locks',), 'locks': (), 'steps': (), 'workers': ()},
                't': {'asks': ('nextWorker', 'locks'), 'locks': (), 'steps': (), 'workers': ()},
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 64,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': True,
            'workers': {'w0': {'latent': False, 'most': 1, 'own': False}},
        },
        (
            ('change_mind', 55, 'late'),
            ('request', 'b', 'x', 0, ('w1', 'w0')),
            ('fail_writes', 8, 1),
            ('request', 't', 'y', 0, ('w2', 'w3')),
            ('cancel', 3),
            ('cancel', 44),
        ),
    ),
    'requests_that_nobody_has_read': History(
        {
            'builders': {
                'b': {'asks': ('nextBuild',), 'locks': (), 'steps': (('step', ()),), 'workers': ()}
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 606,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': True,
            'workers': {'w0': {'latent': False, 'most': 1, 'own': False}},
        },
        (('request', 'b', 'y', 0, ('w0',)), ('pause', 37), ('kill',)),
    ),
    'worker_that_cannot_attach': History(
        {
            'builders': {'a': {'asks': (), 'locks': (), 'steps': (), 'workers': ('w1',)}},
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 360,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {'w1': {'latent': False, 'most': 1, 'own': False}},
        },
        (('lose', 16), ('request', 'a', 'y', 0, ('w0', 'w2')), ('fail_writes', 0, 4), ('heed', 50)),
    ),
    'latent_worker_of_a_builder_that_comes_back': History(
        {
            'builders': {
                'a': {'asks': (), 'locks': (), 'steps': (), 'workers': ()},
                'b': {'asks': (), 'locks': (), 'steps': (), 'workers': ('z0',)},
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 557,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {
                'w0': {'latent': False, 'most': None, 'own': False},
                'w1': {'latent': False, 'most': None, 'own': False},
                'w2': {'latent': False, 'most': 1, 'own': False},
                'w3': {'latent': False, 'most': None, 'own': False},
                'z0': {'latent': True, 'most': 2, 'own': False},
            },
        },
        (('pause', 49), ('request', 'b', 'y', 0, ('w0',)), ('change_builder', 'b')),
    ),
    'latent_worker_that_builds_for_it_meanwhile': History(
        {
            'builders': {
                'b': {'asks': (), 'locks': (), 'steps': (), 'workers': ('z0',)},
                't': {'asks': (), 'locks': (), 'steps': (), 'workers': ('w1',)},
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 347,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {
                'w1': {'latent': False, 'most': 1, 'own': False},
                'z0': {'latent': True, 'most': 2, 'own': False},
            },
        },
        (('request', 'b', 'x', 5, ('w0',)), ('change_builder', 'b'), ('wait', 3600)),
    ),
    'circle_found_on_one_worker_of_two': History(
        {
            'builders': {
                'c': {'asks': (), 'locks': (), 'steps': (), 'workers': ('w0', 'w2')},
                't': {
                    'asks': (),
                    'locks': (('w', 'exclusive', 1),),
                    'steps': (
                        ('group', (), 1, (('group', (), 2, (('step', ()),)),)),
                        ('trigger', ('c',)),
                    ),
                    'workers': (),
                },
                'u': {
                    'asks': (),
                    'locks': (('m', 'counting', 2),),
                    'steps': (('trigger', ('t',)),),
                    'workers': (),
                },
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 79,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {
                'w0': {'latent': False, 'most': None, 'own': False},
                'w2': {'latent': False, 'most': 1, 'own': False},
            },
        },
        (
            ('request', 't', 'x', 0, ('w3',)),
            ('change_locks', 'c', (('m', 'exclusive', 1), ('w', 'counting', 2))),
            ('request', 'u', 'x', 5, ('w0', 'w3')),
        ),
    ),
    'pool_put_to_use_again': History(
        {
            'builders': {
                'b': {
                    'asks': (),
                    'locks': (),
                    'steps': (
                        ('group', (), 2, (('group', (), 2, (('step', (('p', 'counting', 2),)),)),)),
                    ),
                    'workers': (),
                }
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 953,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {'w0': {'latent': False, 'most': 2, 'own': False}},
        },
        (('quarantine', 59), ('request', 'b', 'x', 0, ('w0', 'w1')), ('restore', 31)),
    ),
    'place_on_a_worker_that_builds_for_it_no_more': History(
        {
            'builders': {
                'd': {'asks': (), 'locks': (), 'steps': (), 'workers': ('w2',)},
                't': {
                    'asks': (),
                    'locks': (),
                    'steps': (('step', ()), ('trigger', ('d',))),
                    'workers': ('w2',),
                },
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 543,
            'parentLendsPlace': True,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {
                'w0': {'latent': False, 'most': 1, 'own': False},
                'w2': {'latent': False, 'most': 1, 'own': False},
            },
        },
        (('request', 't', 'y', 5, ('w0', 'w1')), ('change_worker', 'w2')),
    ),
    'whole_pool_after_whole_pool': History(
        {
            'builders': {
                'a': {
                    'asks': ('locks',),
                    'locks': (('p', 'exclusive', 1),),
                    'steps': (('group', (), 2, (('step', ()),)),),
                    'workers': (),
                },
                't': {'asks': (), 'locks': (('p', 'x', 1),), 'steps': (), 'workers': ()},
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 2,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {'w0': {'latent': False, 'most': None, 'own': False}},
        },
        (
            ('request', 'a', 'x', 0, ('w1',)),
            ('request', 'a', 'y', 0, ('w1', 'w2')),
            ('request', 't', 'x', 0, ('w3',)),
            ('request', 'a', 'y', 5, ('w2',)),
        ),
    ),
    'locks_that_are_found_out_on_one_worker_only': History(
        {
            'builders': {
                'a': {
                    'asks': ('canStartBuild', 'locks'),
                    'locks': (('p', 'counting', 1),),
                    'steps': (('step', ()), ('step', (('p', 'x', 2),))),
                    'workers': ('w0', 'w1'),
                }
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 468,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {
                'w0': {'latent': False, 'most': None, 'own': False},
                'w1': {'latent': False, 'most': None, 'own': False},
            },
        },
        (
            ('request', 'a', 'x', 0, ('w2', 'w1')),
            ('end', 20, 2),
            ('request', 'a', 'x', 0, ('w3', 'w2')),
            ('change_mind', 5, 'error'),
            ('end', 28, 0),
        ),
    ),
    'circle_that_has_gone': History(
        {
            'builders': {
                'a': {
                    'asks': (),
                    'locks': (('p', 'x', 2), ('b', 'exclusive', 1)),
                    'steps': (('step', ()),),
                    'workers': ('w1', 'w2', 'z0'),
                },
                'b': {'asks': (), 'locks': (), 'steps': (('step', ()),), 'workers': ('w1', 'z0')},
                't': {
                    'asks': (),
                    'locks': (('n', 'counting', 1),),
                    'steps': (('step', ()), ('group', (), 1, (('trigger', ('a', 'b')),))),
                    'workers': ('w2', 'z0'),
                },
                'u': {
                    'asks': ('canStartBuild', 'locks'),
                    'locks': (('n', 'counting', 2),),
                    'steps': (('group', (), 2, (('trigger', ('t',)),)),),
                    'workers': ('w3',),
                },
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 273,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': True,
            'workers': {
                'w0': {'latent': False, 'most': 1, 'own': False},
                'w1': {'latent': False, 'most': None, 'own': False},
                'w2': {'latent': False, 'most': 2, 'own': False},
                'w3': {'latent': False, 'most': None, 'own': False},
                'z0': {'latent': False, 'most': 2, 'own': False},
            },
        },
        (
            ('request', 'u', 'x', 0, ('w1',)),
            ('request', 'u', 'y', 0, ('w3', 'w0')),
            ('end', 17, 0),
            ('request', 't', 'y', 0, ('w1',)),
            ('change_worker', 'w3'),
            ('change_locks', 'b', (('p', 'counting', 1),)),
        ),
    ),
    'buildset_of_a_cancelled_request': History(
        {
            'builders': {
                'b': {'asks': (), 'locks': (), 'steps': (), 'workers': ()},
                'c': {'asks': (), 'locks': (), 'steps': (('step', ()),), 'workers': ()},
                't': {
                    'asks': (),
                    'locks': (),
                    'steps': (('step', ()), ('trigger', ('b', 'c'))),
                    'workers': ('w3',),
                },
            },
            'collapseRequests': False,
            'lateBinding': False,
            'luck': 859,
            'parentLendsPlace': False,
            'plugin': False,
            'prioritizeBuilders': False,
            'workers': {
                'w0': {'latent': False, 'most': 1, 'own': False},
                'w3': {'latent': False, 'most': None, 'own': False},
            },
        },
        (
            ('request', 'c', 'x', 0, ('w0', 'w1')),
            ('request', 't', 'x', 5, ('w1',)),
            ('end', 7, 0),
            ('fail_writes', 2, 1),
            ('cancel', 19),
            ('restart',),
        ),
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


class Same(StormCase):
    @defer.inlineCallbacks
    def test_whatever_the_order_of_sets(self):
        """A history is the same whenever it is told."""
        there = subprocess.run(
            [sys.executable, '-c', TELL],
            env={**os.environ, 'PYTHONHASHSEED': '1'},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what is logged
            check=True,
            text=True,
        ).stdout
        yield self.tell(draw(6))  # with the order of sets that this process has
        self.assertGreater(len(self.told), 20)
        self.assertEqual(there.splitlines(), '\n'.join(self.told).splitlines())
