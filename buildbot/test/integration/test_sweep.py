# SPDX-License-Identifier: GPL-2.0-only
"""What is held or waited for by what has ended is found, told, and freed the second time."""

from __future__ import annotations

from typing import Any
from typing import Callable

from parameterized import parameterized
from twisted.internet import defer
from twisted.trial import unittest

from buildbot.config.errors import ConfigErrors
from buildbot.config.master import MasterConfig
from buildbot.locking.copy import LockClaim
from buildbot.locks import MasterLock
from buildbot.process.build import Build
from buildbot.process.buildstep import BuildStep
from buildbot.process.groups.step import StepGroup
from buildbot.process.hand.hold import Hold
from buildbot.process.hand.hold import Taking
from buildbot.process.hand.quarantine import Quarantine
from buildbot.process.results import SUCCESS
from buildbot.process.sweep import LeftoverError
from buildbot.process.sweep import Sweep
from buildbot.process.waiting.reservation import Reservation
from buildbot.reporters.lockmetrics import Labels
from buildbot.reporters.lockmetrics import Times
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase

BOARD = MasterLock('board')
WHOLE = BOARD.access('exclusive')


class SweepCase(LabTestCase):
    @defer.inlineCallbacks
    def set_up(self, steps_of: Callable[[Gate], Any], **words: Any) -> Any:
        self.gate = Gate()
        builders = {
            'lab': {'steps': steps_of(self.gate), **words},
            'other': {'steps': [GatedStep(self.gate, name='flash', locks=[WHOLE])]},
        }
        yield self.setup_lab(builders, ['w1', 'w2'])
        self.sweep = yield Sweep.getService(self.master.botmaster)
        self.heard: list[Any] = []
        self.sweep.leftovers.subscribe(self.heard.append)
        self.copy = yield self.master.botmaster.getLockByID(BOARD, 0)

    def told(self) -> list[str]:
        """Let a minute go, and return what has been found since the last time."""
        self.reactor.advance(60)
        return [str(why.value) for why in self.flushLoggedErrors(LeftoverError)]

    def build(self) -> Any:
        """Return the build of the lab that came to its gate first."""
        return self.gate.running[0][0]


def board(gate: Gate) -> Any:
    return [GatedStep(gate, name='flash', locks=[WHOLE]), GatedStep(gate, name='after')]


class Found(SweepCase):
    """Each kind of owner, whose release is left out."""

    @defer.inlineCallbacks
    def check(self, sentence: str) -> Any:
        """Fail unless it is found with a sentence, and freed when it is found again."""
        end = 'if the next sweep finds it again, it is given back'
        self.assertEqual(self.told(), [f'{sentence}; {end}'])
        self.assertEqual(len(self.copy.owners), 1)
        (again,) = self.told()
        self.assertTrue(again.endswith('; it is given back'), again)
        self.assertEqual(self.copy.owners, [])
        self.assertEqual(self.told(), [])
        self.assertEqual([left.copy for left in self.heard], [self.copy])
        # who comes now has it
        yield self.request('other')
        self.assertEqual([owner.name for owner in self.copy.owners], ['flash'])

    @parameterized.expand(
        [
            ('step', board, "step 'flash'"),
            (
                'group',
                lambda gate: [
                    StepGroup([GatedStep(gate, name='flash')], name='test', locks=[WHOLE]),
                    GatedStep(gate, name='after'),
                ],
                "step group 'test'",
            ),
        ]
    )
    @defer.inlineCallbacks
    def test_of_a_running_build(self, _, steps_of, name):
        """A step or group that has ended and not given back its locks, while its build runs on."""
        yield self.set_up(steps_of)
        yield self.request('lab')
        step = self.copy.owners[0]
        step.releaseLocks = lambda: None
        self.open(self.gate, SUCCESS)
        yield self.check(f'board held by {name} of lab #1 for 65 s, which has ended')

    @defer.inlineCallbacks
    def test_step_of_an_ended_build(self):
        """A step that has not given back its locks when its build ended."""
        yield self.set_up(board)
        yield self.request('lab')
        self.copy.owners[0].releaseLocks = lambda: None
        self.open(self.gate, SUCCESS)
        self.open(self.gate, SUCCESS)
        yield self.check(
            "board held by step 'flash' of lab #1 for 68 s, whose build is not running"
        )

    @defer.inlineCallbacks
    def test_build(self):
        """A build that has not given back its locks."""
        yield self.set_up(lambda gate: [GatedStep(gate)], locks=[WHOLE])
        yield self.request('lab')
        self.patch(Build, 'releaseLocks', lambda build: None)
        self.open(self.gate, SUCCESS)
        yield self.check('board held by lab #1 for 65 s, a build that is not running')

    @defer.inlineCallbacks
    def test_hold(self):
        """A hold by hand that is known no more."""
        yield self.set_up(board)
        words: dict[str, Any] = {name: lambda *args: None for name in ('begins', 'fails', 'yields')}
        words['now'] = self.reactor.seconds
        now = self.reactor.seconds()
        Hold(1, self.copy, 'ann', 'upkeep', Taking(), now, now + 9999, **words).enter()
        self.assertEqual(self.told(), [])
        self.copy.by_hand = ()
        yield self.check('board held by ann, by hand (upkeep) for 120 s, which has ended')

    @defer.inlineCallbacks
    def test_quarantine(self):
        """A quarantine that the copy does not know any more."""
        yield self.set_up(board)
        now = self.reactor.seconds
        Quarantine(self.copy, 'ann', 'smoke', now(), now).begin()
        self.assertEqual(self.told(), [])
        self.copy.quarantine = None
        yield self.check('board held by quarantine by ann (smoke) for 120 s, which has ended')

    @parameterized.expand(
        [
            ('not_known', 'which its builder does not know'),
            ('replaced', 'which its builder does not know'),
            ('not_pending', 'which is not pending'),
            ('no_builder', 'whose builder does not exist'),
        ]
    )
    @defer.inlineCallbacks
    def test_request(self, what, why):
        """A request that is in line, and of which its builder knows nothing any more."""
        yield self.set_up(lambda gate: [GatedStep(gate)], locks=[WHOLE])
        yield self.request('other')
        yield self.request('lab')
        (request,) = self.copy.waiting
        builders = self.master.botmaster.builders
        builder = builders['lab']
        if what == 'not_known':
            builder.reservations._in_line.clear()
        elif what == 'replaced':
            other = Reservation(request.request, 'lab', request.resolved, builder.wake)
            builder.reservations.keep(other)
        elif what == 'not_pending':
            builder.inbox.requests.discard(request.request.id)
        else:
            del builders['lab']
        (told,) = self.told()
        self.assertEqual(
            told,
            f'board waited for by build request 2 of lab for 62 s, {why}; if the next sweep finds'
            ' it again, it waits no longer',
        )
        (told,) = self.told()
        self.assertTrue(told.endswith(f'{why}; it waits no longer'), told)
        # it may wait anew
        self.assertFalse(any(owner is request for owner in self.copy.waiting))
        builders['lab'] = builder

    @defer.inlineCallbacks
    def test_step_that_waits(self):
        """A step that waits though its build has ended."""
        yield self.set_up(lambda gate: [GatedStep(gate, name='first')])
        yield self.request('lab')
        step = self.build().currentStep
        self.open(self.gate, SUCCESS)
        yield self.request('other')
        LockClaim(step, [(self.copy, WHOLE)]).wait()
        self.assertEqual(
            [self.told(), len(self.copy.waiting)],
            [
                [
                    "board waited for by step 'first' of lab #1, whose build is not running; if the"
                    ' next sweep finds it again, it waits no longer'
                ],
                1,
            ],
        )
        self.assertEqual(len(self.told()), 1)
        self.assertEqual(self.copy.waiting, [])


class OwnStart(GatedStep):
    @defer.inlineCallbacks
    def startStep(self, remote):
        yield self.addStep()
        lock = yield self.master.botmaster.getLockByID(BOARD, 0)
        lock.claim(self, WHOLE)
        self.results = yield self.run()
        return self.results


class LetBe(SweepCase):
    """What is right, or nobody knows."""

    writes_states = True

    @defer.inlineCallbacks
    def test_owner_of_a_plugin(self):
        """An owner of an unknown kind is let be."""
        yield self.set_up(board)
        self.copy.claim(self, WHOLE)
        self.assertEqual([self.told(), self.told(), self.copy.owners], [[], [], [self]])

    @defer.inlineCallbacks
    def test_step_of_a_plugin(self):
        """A step that is started in a way of its own is let be while its build runs."""
        yield self.set_up(lambda gate: [OwnStart(gate)])
        yield self.request('lab')
        self.assertEqual([self.told(), self.told()], [[], []])
        self.assertEqual([type(owner) for owner in self.copy.owners], [OwnStart])
        self.copy.release(self.copy.owners[0], WHOLE)
        self.open(self.gate, SUCCESS)

    @defer.inlineCallbacks
    def test_at_the_end_of_a_step(self):
        """A step that has a result and whose end is still being written lives."""
        yield self.set_up(board)
        held = self.hold_write(
            'setStepStateString', lambda *args: [o.results for o in self.copy.owners] == [SUCCESS]
        )
        yield self.request('lab')
        self.open(self.gate, SUCCESS)
        self.assertIsNotNone(held.held)
        self.assertEqual(self.copy.owners[0].results, SUCCESS)
        self.assertEqual([self.told(), self.told()], [[], []])
        held.held.callback(None)

    @defer.inlineCallbacks
    def test_build_that_has_just_ended(self):
        """A build gives back its locks a turn of the reactor after it has ended."""
        yield self.set_up(lambda gate: [GatedStep(gate)], locks=[WHOLE])
        yield self.request('lab')
        seen = []

        @self.build().waitUntilFinished().addCallback
        @defer.inlineCallbacks
        def look(_: Any) -> Any:
            seen.append(len((yield self.sweep.look())))
            seen.append((yield self.sweep.sweep()))

        self.open(self.gate, SUCCESS)
        self.assertEqual([seen, self.told()], [[1, []], []])

    @defer.inlineCallbacks
    def test_found_once(self):
        """What is found, and then ends itself, is not freed by the sweep."""
        yield self.set_up(board)
        yield self.request('lab')
        step = self.copy.owners[0]
        step.releaseLocks = lambda: None
        self.open(self.gate, SUCCESS)
        self.assertEqual(len(self.told()), 1)
        BuildStep.releaseLocks(step)
        self.assertEqual([self.told(), self.copy.owners], [[], []])


class Config(SweepCase):
    """How often it is looked, and who hears of it."""

    @parameterized.expand([('never', None, 0), ('often', 10, 6), ('as_usual', 60, 1)])
    @defer.inlineCallbacks
    def test_how_often(self, _, seconds, times):
        """It is looked as often as the configuration says, from the next reconfig on."""
        yield self.set_up(board)
        yield self.reconfig_master(
            self.lab_config({'lab': {'steps': board(self.gate)}}, lockSweep=seconds)
        )
        seen: Any = []
        self.patch(self.sweep, 'look', lambda: seen.append(1) or [])
        for _ in range(60):
            self.reactor.advance(1)
        self.assertEqual(len(seen), times)

    @defer.inlineCallbacks
    def test_error_while_looking(self):
        """An error while it is looked is logged, and it is looked again."""
        yield self.set_up(board)
        self.patch(self.sweep, 'look', lambda: defer.fail(KeyError('look')))
        self.assertEqual([self.told(), self.told()], [[], []])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 2)

    @defer.inlineCallbacks
    def test_error_of_a_listener(self):
        """Who cannot hear of it keeps nobody from being freed."""
        yield self.set_up(lambda gate: [GatedStep(gate)], locks=[WHOLE])
        self.sweep.leftovers.subscribe({}.pop)
        yield self.request('lab')
        self.patch(Build, 'releaseLocks', lambda build: None)
        self.open(self.gate, SUCCESS)
        self.assertEqual([len(self.told()), len(self.told())], [1, 1])
        self.assertEqual(len(self.flushLoggedErrors(KeyError, TypeError)), 1)
        self.assertEqual([self.copy.owners, len(self.heard)], [[], 1])

    @defer.inlineCallbacks
    def test_metric(self):
        """What is found is counted for Prometheus, once."""
        times = Times(Labels())
        yield self.set_up(lambda gate: [GatedStep(gate)], locks=[WHOLE])
        self.sweep.leftovers.subscribe(times.hear_of_leftover)
        yield self.request('lab')
        self.patch(Build, 'releaseLocks', lambda build: None)
        self.open(self.gate, SUCCESS)
        self.assertEqual([len(self.told()), len(self.told())], [1, 1])
        (family,) = times._leftovers.collect()
        counted = {s.labels['lock']: s.value for s in family.samples if s.name.endswith('_total')}
        self.assertEqual(counted, {'board': 1})


class WrongConfig(unittest.SynchronousTestCase):
    """What ``lockSweep`` and ``stuckAfter`` cannot be."""

    @parameterized.expand([('text', '60'), ('zero', 0), ('negative', -1), ('bool', True)])
    def test_wrong(self, _, value):
        """What is no number of seconds is refused."""
        for key in ('lockSweep', 'stuckAfter'):
            with self.assertRaises(ConfigErrors) as caught:
                MasterConfig.loadFromDict({key: value}, 'master.cfg')
            self.assertIn(
                f"c['{key}'] must be a number of seconds above 0, or None, not {value!r}",
                caught.exception.errors,
            )
