# SPDX-License-Identifier: GPL-2.0-only
"""Which step of a group starts next, and what their results come to."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.trial import unittest

from buildbot.process.buildstep import BuildStep
from buildbot.process.groups.agenda import Agenda
from buildbot.process.groups.tally import Tally
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.process.results import WARNINGS


def make(name, **flags):
    return BuildStep(name=name, **flags).get_step_factory().buildStep()


class NextStep(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            # parallel, steps ('!' always runs), what happens -> what starts then
            ('one', 1, 'a b', '', 'a'),
            ('one_by_one', 1, 'a b', '-a', 'a b'),
            ('two', 2, 'a b c', '', 'a b'),
            ('two_and_next', 2, 'a b c', '-b', 'a b c'),
            ('more_than_there_are', 9, 'a b', '', 'a b'),
            ('halted', 1, 'a b', 'halt -a', 'a'),
            ('halted_runs_always', 1, 'a b c!', 'halt -a', 'a c'),
            ('always_runs_after_all', 3, 'a b c!', '-a', 'a b'),
            ('always_runs_after_all_ended', 3, 'a b c!', '-a -b', 'a b c'),
            ('border_keeps_order', 2, 'a b! c', '', 'a'),
            ('behind_the_border', 2, 'a b! c', '-a', 'a b c'),
            ('two_borders', 2, 'a! b!', '', 'a'),
            ('halted_waits_for_running', 2, 'a b c d!', 'halt -a', 'a b'),
            ('halted_and_ended', 2, 'a b c d!', 'halt -a -b', 'a b d'),
            ('added_comes_next', 1, 'a b', '+x -a', 'a x'),
            ('added_in_order', 1, 'a b', '+xy -a -x', 'a x y'),
            ('added_behind_its_own', 2, 'a b c', '+xy:a -b -a -c', 'a b c x y'),
            ('added_twice', 2, 'a b c', '+x:a +yz:a -b -a -c -y', 'a b c y z x'),
            ('added_and_cleared', 2, 'a b', '+x:a clear -a -b', 'a b'),
            ('cleared', 1, 'a b', 'clear -a', 'a'),
        ]
    )
    def test_table(self, _, parallel, words, happens, started):
        """What starts, as steps end, are added and the group is halted."""
        agenda = Agenda(parallel)
        steps = {w.rstrip('!'): make(w.rstrip('!'), alwaysRun=w[-1] == '!') for w in words.split()}
        agenda.add(steps.values())
        halted = False
        seen = []

        def start():
            while (step := agenda.start(halted)) is not None:
                seen.append(step.name)

        start()
        for word in happens.split():
            if word == 'halt':
                halted = True
            elif word == 'clear':
                agenda.clear()
            elif word[0] == '+':
                names, _, after = word[1:].partition(':')
                steps.update((name, make(name)) for name in names)
                agenda.add_next([steps[name] for name in names], steps.get(after))
            else:
                agenda.end(steps[word[1:]])
                start()
        self.assertEqual(seen, started.split())

    def test_equal_steps(self):
        """Two equal steps are not the same one: the end of one leaves the other running."""
        factory = BuildStep(name='a').get_step_factory()
        one, other = factory.buildStep(), factory.buildStep()
        agenda = Agenda(2)
        agenda.add([one, other])
        agenda.start()
        agenda.start()
        agenda.end(one)
        self.assertEqual(len(agenda.running), 1)
        self.assertIs(agenda.running[0], other)

    def test_counts(self):
        """It counts those that have started, and all that there are, dropped ones included."""
        agenda = Agenda()
        agenda.add([make('a'), make('b')])
        self.assertEqual((agenda.begun, agenda.total), (0, 2))
        step: Any = agenda.start()
        agenda.add_next([make('x')])
        self.assertEqual((agenda.begun, agenda.total), (1, 3))
        agenda.add_next([make('y')], step)
        self.assertEqual((agenda.begun, agenda.total), (1, 4))
        agenda.end(step)
        agenda.start(halted=True)
        self.assertEqual((agenda.begun, agenda.total), (1, 4))


class Results(unittest.SynchronousTestCase):
    @parameterized.expand(
        [
            # flags of a step, its result -> result of the group, is it halted, what is not well
            ('success', {}, SUCCESS, SUCCESS, False, []),
            ('skipped', {}, SKIPPED, SUCCESS, False, []),
            ('warnings', {}, WARNINGS, SUCCESS, False, []),
            ('warn_on_warnings', {'warnOnWarnings': True}, WARNINGS, WARNINGS, False, []),
            ('flunk_on_warnings', {'flunkOnWarnings': True}, WARNINGS, FAILURE, False, []),
            ('failure', {}, FAILURE, FAILURE, False, ['s failure']),
            ('halts', {'haltOnFailure': True}, FAILURE, FAILURE, True, ['s failure']),
            ('no_matter', {'flunkOnFailure': False}, FAILURE, SUCCESS, False, ['s failure']),
            (
                'warn_on_failure',
                {'flunkOnFailure': False, 'warnOnFailure': True},
                FAILURE,
                WARNINGS,
                False,
                ['s failure'],
            ),
            ('exception', {}, EXCEPTION, EXCEPTION, True, ['s exception']),
            ('cancelled', {}, CANCELLED, CANCELLED, True, ['s cancelled']),
        ]
    )
    def test_flags(self, _, flags, result, of_group, halted, not_well):
        """The flags of a step mean to its group what they mean to a build."""
        tally = Tally()
        self.assertEqual(tally.count(make('s', **flags), result), halted)
        self.assertEqual((tally.result, tally.halted), (of_group, halted))
        self.assertEqual(tally.not_well, not_well)

    def test_halts_once(self):
        """Only the first result that halts the group is told as such."""
        tally = Tally()
        self.assertTrue(tally.count(make('a', haltOnFailure=True), FAILURE))
        self.assertFalse(tally.count(make('b', haltOnFailure=True), FAILURE))

    def test_set_aside(self):
        """What the group interrupts itself does not make it cancelled, though it is named."""
        tally = Tally()
        step, equal = (make('s') for _ in range(2))
        tally.set_aside([step])
        self.assertFalse(tally.count(step, CANCELLED))
        self.assertEqual((tally.result, tally.not_well), (SUCCESS, ['s cancelled']))
        self.assertTrue(tally.count(equal, CANCELLED))
        self.assertEqual(tally.result, CANCELLED)

    def test_halt(self):
        """A result that is none of a step's halts it, and does not hide what is worse."""
        tally = Tally()
        tally.halt(FAILURE)
        self.assertEqual((tally.result, tally.halted), (FAILURE, True))
        tally = Tally()
        tally.count(make('s'), EXCEPTION)
        tally.halt(FAILURE)
        self.assertEqual(tally.result, EXCEPTION)
