# SPDX-License-Identifier: GPL-2.0-only
"""People are told of locks by Buildbot's reporters."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locking.copies import LocksInUse
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import reporters
from buildbot.process.buildstep import BuildStep
from buildbot.process.lockfacts import Facts
from buildbot.process.longwaits import LongWaits
from buildbot.process.results import SUCCESS
from buildbot.reporters.base import ReporterBase
from buildbot.test.util.hand import HOUR
from buildbot.test.util.hand import MINUTE
from buildbot.test.util.hand import HandTestCase
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase

#: in a list, as a reporter takes them
GENERATORS = [reporters.LockGenerator()]


class Recorder(ReporterBase):
    """A reporter that keeps what it is to send.

    :cvar sent: its reports.
    """

    sent: list[dict[str, Any]] = []

    def sendMessage(self, reports: list[dict[str, Any]]) -> None:
        self.sent.extend(reports)


class Reports(LabTestCase):
    """Helps a test case to look at what was reported."""

    def record(self):
        self.patch(Recorder, 'sent', [])

    @property
    def subjects(self):
        return [report['subject'].replace(' (Buildbot)', '') for report in Recorder.sent]

    @property
    def texts(self):
        return [report['body'].split('\n')[0] for report in Recorder.sent]

    def after(self, seconds):
        self.reactor.advance(seconds)
        self.settle()


class ByHand(Reports, HandTestCase):
    @defer.inlineCallbacks
    def test_hold(self):
        """The person is told when a hold begins, soon before its end, and when it is over."""
        self.record()
        services = [Recorder(generators=[reporters.LockGenerator()])]
        yield self.start(WorkerLock('board'), services=services)
        yield self.hold('ann@example.org')
        self.assertEqual(self.subjects, ['board[w1]: it is held by hand'])
        self.after(HOUR - 10 * MINUTE)
        self.after(10 * MINUTE)
        self.assertEqual(
            self.subjects[1:],
            ['board[w1]: a hold ends soon', 'board[w1]: a hold is overdue'],
        )
        self.assertEqual([report['users'] for report in Recorder.sent], [['ann@example.org']] * 3)

    @defer.inlineCallbacks
    def test_quarantine(self):
        """All are told that a copy is out of use, and in use again."""
        self.record()
        services = [Recorder(generators=[reporters.LockGenerator(['board'])])]
        yield self.start(WorkerLock('board'), services=services)
        yield self.act('ann', 'quarantine')
        yield self.act('ann', 'restore')
        self.assertEqual(
            self.subjects, ['board[w1]: it is out of use', 'board[w1]: it is in use again']
        )

    @defer.inlineCallbacks
    def test_person_waits(self):
        """A person who waits long for a copy is told of it, too."""
        self.record()
        services = [Recorder(generators=[reporters.LockGenerator(events=[], wait_over=600)])]
        yield self.start(WorkerLock('board'), services=services)
        yield self.request('fw')
        yield self.hold('ann@example.org')
        self.after(600)
        [report] = Recorder.sent
        self.assertEqual(report['users'], ['ann@example.org'])
        self.assertIn('ann@example.org, by hand', report['body'])

    @defer.inlineCallbacks
    def test_mail(self):
        """A mail goes to the person, and a copy of it to all who are named."""
        mails = []
        notifier = reporters.MailNotifier(
            fromaddr='lab@example.org',
            extraRecipients=['all@example.org'],
            generators=[
                reporters.LockGenerator(
                    message_formatter=reporters.LockMessageFormatter(template_type='html')
                )
            ],
        )
        self.patch(type(notifier), 'sendMail', lambda _, mail, to: mails.append((mail, sorted(to))))
        yield self.start(WorkerLock('board'), services=[notifier])
        yield self.hold('ann@example.org', reason='<b>mine</b>')
        [(mail, recipients)] = mails
        self.assertEqual(recipients, ['all@example.org', 'ann@example.org'])
        self.assertEqual(mail['Subject'], 'board[w1]: it is held by hand (Buildbot)')
        self.assertEqual(mail.get_content_type(), 'text/html')
        body = mail.get_payload(decode=True).decode()
        self.assertIn('Reason: &lt;b&gt;mine&lt;/b&gt;', body)

    @parameterized.expand(
        [
            (
                'pushover',
                lambda: reporters.PushoverNotifier('u', 't', generators=GENERATORS),
            ),
            ('pushjet', lambda: reporters.PushjetNotifier('secret', generators=GENERATORS)),
        ]
    )
    @defer.inlineCallbacks
    def test_pushed(self, _, make):
        """What pushes to a telephone takes it, too."""
        notifier = make()
        pushed = []
        self.patch(type(notifier), 'sendNotification', lambda _, params: pushed.append(params))
        yield self.start(WorkerLock('board'), services=[notifier])
        yield self.act('ann', 'quarantine')
        [params] = pushed
        self.assertEqual(params['title'], 'board[w1]: it is out of use (Buildbot)')

    @defer.inlineCallbacks
    def test_bad_formatter(self):
        """A formatter that never answers keeps neither later reports nor other reporters."""

        class Silent:
            def format_message_for_lock(self, master, action):
                return defer.Deferred()

        self.record()
        silent = reporters.LockGenerator(message_formatter=Silent())
        services = [
            Recorder(generators=[silent], name='silent'),
            Recorder(generators=[reporters.LockGenerator()], name='other'),
        ]
        yield self.start(WorkerLock('board'), services=services)
        yield self.act('ann', 'quarantine')
        yield self.act('ann', 'restore')
        self.assertEqual(len(self.subjects), 2)
        self.after(60)
        self.assertEqual(len(self.subjects), 4)
        self.assertEqual(len(self.flushLoggedErrors(TimeoutError)), 2)


class LongWaiting(Reports, LabTestCase):
    @defer.inlineCallbacks
    def start(self, level='step', lock=None, wait_over=600, builders='ab', **config):
        self.record()
        self.lock = lock or MasterLock('L')
        self.gates = {name: Gate() for name in builders}
        generators = [reporters.LockGenerator(wait_over=wait_over)] if wait_over else []
        services = [Recorder(generators=generators, name='recorder')] if generators else []
        yield self.setup_lab(self.builders(level), services=services, **config)

    def builders(self, level):
        locks = [self.lock.access('exclusive')]
        return {
            name: {
                'steps': [GatedStep(gate, name='work', locks=locks if level == 'step' else [])],
                'locks': locks if level == 'builder' else [],
            }
            for name, gate in self.gates.items()
        }

    def finish(self):
        while any(gate.running for gate in self.gates.values()):
            self.open(next(gate for gate in self.gates.values() if gate.running), SUCCESS)

    @defer.inlineCallbacks
    def line(self):
        service = yield LongWaits.getService(self.master.botmaster)
        return next(iter(service._lines.values()))

    def count_calls(self):
        calls: Any = self.reactor.getDelayedCalls()
        return sum('WaitLine' in repr((call.func, call.args)) for call in calls)

    @parameterized.expand(
        [
            ('step', "step 'work' of a #1", "step 'work' of b #1"),
            ('builder', 'build request 2 of a', 'b #1'),
        ]
    )
    @defer.inlineCallbacks
    def test_told_once(self, level, waiter, holder):
        """A wait that lasts longer is told of, once, though the lock has no limit."""
        yield self.start(level)
        yield self.request('b')
        yield self.request('a')
        self.after(590)
        self.assertEqual(self.texts, [])
        self.after(10)
        self.after(6000)
        self.assertEqual(
            self.texts,
            [f'L: {waiter} waited longer than 600 s for it, which was held by {holder}.'],
        )
        self.assertEqual([report['users'] for report in Recorder.sent], [[]])
        self.finish()
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])

    @defer.inlineCallbacks
    def test_many(self):
        """Those who wait need one delayed call, and are told of in the order of their waits."""
        yield self.start(builders='abcdef')
        for name in 'bacdef':
            yield self.request(name)
            self.after(57)
        self.assertEqual(self.count_calls(), 1)
        self.after(299)
        self.assertEqual(len(self.texts), 1)
        self.after(120)
        self.assertEqual(len(self.texts), 3)
        self.after(6000)
        self.assertEqual([text.split()[4] for text in self.texts], list('acdef'))
        self.finish()

    @defer.inlineCallbacks
    def test_owner_that_does_not_say(self):
        """One who does not say what it is is not told of, and the others are."""
        yield self.start(builders='abc')
        for name in 'bac':
            yield self.request(name)

        def fail(step):
            if step.build.builder.name == 'a':
                raise ValueError('I shall not say')
            return Facts('step')

        self.patch(BuildStep, 'lock_facts', fail)
        self.after(6000)
        self.assertEqual(len(self.texts), 1)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.finish()
        self.flushLoggedErrors(ValueError)

    @defer.inlineCallbacks
    def test_ended_in_time(self):
        """Nothing is kept of waits that have ended."""
        yield self.start()
        yield self.request('b')
        yield self.request('a')
        line = yield self.line()
        self.assertEqual(len(line._early), 1)
        self.open(self.gates['b'], SUCCESS)
        self.assertEqual((len(line._early), len(self.gates['a'].running)), (0, 1))
        self.finish()
        self.assertEqual((len(line._early), len(line._late)), (0, 0))
        self.after(6000)
        self.assertEqual((self.texts, self.count_calls()), ([], 0))

    @defer.inlineCallbacks
    def test_late_and_ended(self):
        """Nothing is kept of a wait that was told of and has ended."""
        yield self.start('builder')
        yield self.request('b')
        yield self.request('a')
        self.after(600)
        line = yield self.line()
        self.assertEqual(len(line._late), 1)
        self.finish()
        self.assertEqual((len(line._early), len(line._late)), (0, 0))

    @defer.inlineCallbacks
    def test_away_and_back(self):
        """A request that stands in no line when it is due is told of when it is back, once."""
        yield self.start('builder')
        yield self.request('b')
        brid = yield self.request('a')
        self.after(590)
        builder = self.master.botmaster.builders['a']
        wake, builder.wake = builder.wake, lambda: None
        builder.reservations.leave_lines(brid)
        self.after(600)
        self.assertEqual(self.texts, [])
        builder.wake = wake
        wake()
        self.settle()
        self.assertEqual(len(self.texts), 1)
        builder.request_changed(brid)
        self.settle()
        self.assertEqual(len(self.texts), 1)
        self.finish()

    @defer.inlineCallbacks
    def test_written_in_two_ways(self):
        """A time may be a whole number for one generator, and not for another one."""
        yield self.start(wait_over=None)
        times = (600, 600.0)
        generators = [reporters.LockGenerator(wait_over=seconds) for seconds in times]
        services = [Recorder(generators=generators, name='recorder')]
        yield self.reconfig_master(self.lab_config(self.builders('step'), services=services))
        yield self.request('b')
        yield self.request('a')
        self.after(600)
        self.assertEqual(len(self.texts), 2)
        self.finish()

    @defer.inlineCallbacks
    def test_not_asked_for(self):
        """Without a generator that asks for it nothing is kept."""
        yield self.start(wait_over=None)
        in_use = yield LocksInUse.getService(self.master.botmaster)
        self.assertIsNone(in_use.long_waits)
        yield self.request('b')
        yield self.request('a')
        self.assertEqual(self.count_calls(), 0)
        self.finish()

    @defer.inlineCallbacks
    def test_reconfig(self):
        """A new configuration says anew what is told of."""
        yield self.start(builders='abcd')
        yield self.request('b')
        yield self.request('a')
        generators = [reporters.LockGenerator(wait_over=60)]
        services = [Recorder(generators=generators, name='recorder')]
        config = self.lab_config(self.builders('step'), services=services)
        yield self.reconfig_master(config)
        self.after(6000)
        self.assertEqual(self.texts, [])  # it waited before
        yield self.request('c')
        self.after(60)
        self.assertEqual(len(self.texts), 1)
        yield self.request('d')
        self.assertEqual(self.count_calls(), 1)
        yield self.reconfig_master(self.lab_config(self.builders('step')))
        self.assertEqual(self.count_calls(), 0)
        self.finish()

    @defer.inlineCallbacks
    def test_limits(self):
        """The limits of a lock are told of, too: a wait, and a hold, that are too long."""
        lock = MasterLock('L', maxWait=60, maxHold=120, whenTooLong='report')
        yield self.start('step', lock)
        yield self.request('b')
        yield self.request('a')
        self.after(60)
        self.after(60)
        self.assertEqual(
            self.subjects,
            ['L: somebody has waited long for it', 'L: somebody has held it long'],
        )
        self.finish()
