# SPDX-License-Identifier: GPL-2.0-only
"""What a user wrote for a request or a step gives nonsense, or answers late or never."""

from __future__ import annotations

from typing import Any

from parameterized import parameterized
from twisted.internet import defer
from twisted.protocols.amp import TooLong

from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.process.buildrequest import BuildRequest
from buildbot.process.groups.step import StepGroup
from buildbot.process.properties import renderer
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import SKIPPED
from buildbot.process.results import SUCCESS
from buildbot.test.util.distribution import TWO
from buildbot.test.util.distribution import DistributionCase
from buildbot.test.util.distribution import Slow
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase

LAB = MasterLock('lab')
PLACES = ('builder', 'step')
NULL = 'a null character, which cannot be stored'


def is_bad(thing):
    """Tell whether a request or the properties of one are those that the test calls bad."""
    properties = thing.properties if isinstance(thing, BuildRequest) else thing
    return properties.getProperty('what') == 'bad'


class OfRequests(DistributionCase):
    """A question about a request has no answer."""

    def words(self, what, slow):
        """Return what a builder takes that asks ``slow`` about the bad request."""

        def lock_key(props):
            return slow(props) if is_bad(props) else 'good'

        return {
            'nextBuild': {
                'nextBuild': lambda builder, requests: (
                    slow(builder, requests) if any(map(is_bad, requests)) else requests[0]
                )
            },
            'nextWorker': {
                'nextWorker': lambda builder, workers, request: (
                    slow(builder, workers, request) if is_bad(request) else workers[0]
                )
            },
            'canStartBuild': {
                'canStartBuild': lambda builder, worker, request: (
                    slow(builder, worker, request) if is_bad(request) else True
                )
            },
            'locks': {'locks': renderer(lambda props: slow(props) if is_bad(props) else [])},
            'key': {'locks': [BranchLock('b', key=renderer(lock_key))]},
        }[what]

    def on_first_worker(self, what, slow):
        """Return the same for ``slow``, which is asked about the first worker alone."""
        asked = []

        def answer(good, name, *args):
            asked.append(name)
            return slow(*args) if asked.count(asked[0]) == len(asked) else good

        def name_of(props):
            return props.getProperty('workername')

        return {
            'canStartBuild': {
                'canStartBuild': lambda b, worker, r: answer(True, worker.worker.workername)
            },
            'locks': {'locks': renderer(lambda props: answer([], name_of(props), props))},
            'key': {
                'locks': [
                    BranchLock('b', key=renderer(lambda props: answer('k', name_of(props), props)))
                ]
            },
        }[what], asked

    @parameterized.expand(
        [('nextBuild',), ('nextWorker',), ('canStartBuild',), ('locks',), ('key',)]
    )
    @defer.inlineCallbacks
    def test_cancelled(self, what):
        """Its builder waits and says why; when the request is cancelled, it goes on with others."""
        slow = Slow()
        builder = {**self.builder('a'), **self.words(what, slow)}
        yield self.setup_lab({'a': builder, 'b': self.builder('b')}, TWO)
        bad = yield self.request('a', properties={'what': ('bad', 'test')})
        yield self.request('a', properties={'what': ('good', 'test')})
        yield self.request('b')
        self.reactor.advance(70)
        self.assertEqual(self.running(), 'b')
        [reason, *_] = yield self.master.data.get(('buildrequests', bad, 'reasons'))
        name = 'a renderable of its locks' if what in ('locks', 'key') else what
        told = (reason['kind'], reason['text'])
        self.assertEqual(told, ('user', f'{name} has not answered for 1 min'))
        yield self.master.data.control('cancel', {'reason': 'enough'}, ('buildrequests', bad))
        self.settle()
        self.assertEqual((self.running(), len(slow.asked)), ('a b', 1))
        slow.asked[0][0].callback(None)  # which nobody waits for
        self.settle()
        row = yield self.master.data.get(('buildrequests', bad))
        self.assertEqual(row['results'], CANCELLED)
        yield self.assert_all_done()

    @parameterized.expand(
        [('nextBuild',), ('nextWorker',), ('canStartBuild',), ('locks',), ('key',)]
    )
    @defer.inlineCallbacks
    def test_cancels_itself(self, what):
        """A question that the user's own code cancels is answered with an error like any other."""

        def cancelled(*args):
            return defer.fail(defer.CancelledError())

        yield self.setup_lab({'a': {**self.builder('a'), **self.words(what, cancelled)}}, ['w1'])
        bad = yield self.request('a', properties={'what': ('bad', 'test')})
        self.assertTrue(self.flushLoggedErrors(defer.CancelledError))
        if what in ('locks', 'key'):
            self.assertEqual((yield self.builds()), [FAILURE])
        else:
            [reason] = yield self.master.data.get(('buildrequests', bad, 'reasons'))
            where = '' if what == 'nextBuild' else ' (worker w1)'
            self.assertEqual(reason['text'], f'{what} raised an error{where}')

    @parameterized.expand([('canStartBuild',), ('locks',), ('key',)])
    @defer.inlineCallbacks
    def test_lost_worker(self, what):
        """When the worker is lost that the question is about, the request starts on another one."""
        slow = Slow()
        words, asked = self.on_first_worker(what, slow)
        yield self.setup_lab({'a': {**self.builder('a'), **words}}, TWO)
        yield self.request('a')
        self.assertEqual((self.running(), len(slow.asked)), ('', 1))
        self.lose_worker(asked[0])
        self.assertEqual(self.running(), 'a')
        self.assertNotEqual(self.worker_of('a'), asked[0])
        yield self.assert_all_done()

    @parameterized.expand([('nextWorker',), ('canStartBuild',), ('locks',), ('key',)])
    @defer.inlineCallbacks
    def test_late(self, what):
        """What comes after 10 seconds counts, and meanwhile other builders go on."""
        slow = Slow()
        builder = {**self.builder('a'), **self.words(what, slow)}
        yield self.setup_lab({'a': builder, 'b': self.builder('b')}, TWO)
        yield self.request('a', properties={'what': ('bad', 'test')})
        yield self.request('b')
        self.reactor.advance(8)
        self.assertEqual(self.running(), 'b')
        while not self.gates['a'].running:
            [d, args] = slow.asked.pop(0)
            answers = {'locks': [], 'key': 'late', 'canStartBuild': True}
            d.callback(answers[what] if what in answers else args[1][0])
            self.settle()
        self.assertEqual(self.running(), 'a b')
        yield self.assert_all_done()


class OfSteps(DistributionCase):
    """A question of a step in a group that holds a lock has no answer."""

    def step(self, what, slow):
        rendered = renderer(slow)
        return {
            'locks': lambda: GatedStep(self.gate('s'), locks=rendered),
            'key': lambda: GatedStep(self.gate('s'), locks=[BranchLock('b', key=rendered)]),
            'name': lambda: GatedStep(self.gate('s'), name=rendered, description=rendered),
            'name_of_group': lambda: StepGroup(name=rendered, steps=[GatedStep(self.gate('s'))]),
            'steps': lambda: StepGroup(steps=rendered),
            'env': lambda: StepGroup(env=rendered, steps=[GatedStep(self.gate('s'))]),
            'description': lambda: GatedStep(self.gate('s'), description=rendered),
            'doStepIf': lambda: GatedStep(self.gate('s'), doStepIf=slow),
        }[what]()

    @defer.inlineCallbacks
    def start_slowly(self, what, is_held=False):
        self.slow = Slow()
        inner = [self.step(what, self.slow), GatedStep(self.gate('clean'), alwaysRun=True)]
        group = StepGroup(name='g', locks=[LAB.access('exclusive')], steps=inner)
        yield self.setup_lab({'a': {'steps': [group]}}, ['w1'])
        if is_held:
            self.write = self.hold_write('startStep', lambda stepid, **_: stepid == 3)
        yield self.request('a')
        asked = 0 if is_held else 1
        self.assertEqual((len(self.slow.asked), (yield self.owners(LAB))), (asked, (1, 0)))

    WHAT = ('locks', 'key', 'name', 'name_of_group', 'steps', 'env', 'description', 'doStepIf')

    @parameterized.expand([(what,) for what in WHAT])
    @defer.inlineCallbacks
    def test_stopped(self, what):
        """It says what it waits for; a stop ends that, what always runs does, no lock is left."""
        yield self.start_slowly(what)
        self.reactor.advance(120)
        [reason] = yield self.master.data.get(('builds', 1, 'reasons'))
        text = {
            'locks': 'its locks are being determined',
            'key': 'its locks are being determined',
            'name': 'its name has not answered for 2 min',
            'name_of_group': 'its name has not answered for 2 min',
            'steps': 'a renderable of its steps has not answered for 2 min',
            'doStepIf': 'its doStepIf has not answered for 2 min',
        }.get(what, 'a renderable of it has not answered for 2 min')
        self.assertEqual(reason['text'], text)
        yield self.stop_build(1)
        self.assertEqual(self.running(), 'clean')
        self.end('clean')
        self.assertEqual((yield self.builds()), [CANCELLED])
        results = [results for _, results in (yield self.step_rows())]
        self.assertEqual(results, [CANCELLED, CANCELLED, SUCCESS])
        self.assertEqual((yield self.owners(LAB)), (0, 0))
        self.slow.asked[0][0].callback([])  # which nobody waits for
        self.settle()
        self.assertEqual(self.running(), '')

    @parameterized.expand([(what,) for what in WHAT])
    @defer.inlineCallbacks
    def test_lost_worker(self, what):
        """The loss of the worker ends that, too, and the build is tried again."""
        yield self.start_slowly(what)
        self.lose_worker()
        self.assertEqual((yield self.builds()), [RETRY])
        self.assertEqual((yield self.owners(LAB)), (0, 0))

    @parameterized.expand([(what,) for what in ('env', 'description', 'doStepIf')])
    @defer.inlineCallbacks
    def test_stopped_before(self, what):
        """A stop that came just before the question ends that, too."""
        yield self.start_slowly(what, is_held=True)
        yield self.stop_build(1)
        self.write.held.callback(None)
        self.settle()
        self.assertEqual((len(self.slow.asked), self.running()), (1, 'clean'))
        self.end('clean')
        self.assertEqual((yield self.builds()), [CANCELLED])
        results = [results for _, results in (yield self.step_rows())]
        self.assertEqual(results, [CANCELLED, CANCELLED, SUCCESS])
        self.assertEqual((yield self.owners(LAB)), (0, 0))

    @defer.inlineCallbacks
    def test_deaf(self):
        """One that goes on when it is cancelled is waited for no longer all the same."""
        never: defer.Deferred[Any] = defer.Deferred()

        @defer.inlineCallbacks
        def deaf(props):
            for _ in range(3):
                try:
                    yield defer.Deferred()
                except defer.CancelledError:
                    pass
            yield never

        step = GatedStep(self.gate('s'), locks=renderer(deaf))
        other = GatedStep(self.gate('s'), description=renderer(deaf))
        yield self.setup_lab({'a': {'steps': [step]}, 'b': {'steps': [other]}}, TWO)
        for name in 'ab':
            yield self.request(name)
        for buildid in (1, 2):
            yield self.stop_build(buildid)
        self.assertEqual((yield self.builds()), [CANCELLED, CANCELLED])

    @defer.inlineCallbacks
    def test_cannot_be_cancelled(self):
        """One that raises an error when it is cancelled is waited for no longer, either."""

        def refuse(answer):
            raise NotImplementedError

        step = GatedStep(self.gate('s'), doStepIf=lambda _: defer.Deferred(refuse))
        yield self.setup_lab({'a': {'steps': [step]}}, ['w1'])
        yield self.request('a')
        yield self.stop_build(1)
        self.assertEqual(len(self.flushLoggedErrors(NotImplementedError)), 1)
        self.assertEqual((yield self.builds()), [CANCELLED])

    @parameterized.expand(
        [('yes', 'yes', SUCCESS), ('no', 0, SKIPPED), ('error', KeyError(), EXCEPTION)]
    )
    @defer.inlineCallbacks
    def test_answer_of_do_step_if(self, _, answer, results):
        """What a doStepIf answers counts as ever, at once or late, true or not."""
        slow = Slow()
        steps = [GatedStep(self.gate('s'), name='s', doStepIf=slow)]
        yield self.setup_lab({'a': {'steps': steps}}, ['w1'])
        yield self.request('a')
        [[d, _]] = slow.asked
        (d.errback if isinstance(answer, Exception) else d.callback)(answer)
        self.settle()
        if self.running():
            self.end('s')
        self.assertEqual((yield self.step_rows()), [('s', results)])
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), int(results == EXCEPTION))


class Wordless:
    """Something that fails whatever it is asked."""

    def __repr__(self) -> str:
        raise KeyError('repr')

    def __eq__(self, other: Any) -> bool:
        raise KeyError('eq')

    def __hash__(self) -> int:
        raise KeyError('hash')


RECURSIVE: list = []
RECURSIVE.append(RECURSIVE)
NUMBER: Any = 3
NUMBERS = dict.fromkeys(range(1000))

# what a renderable gives for a list of locks, and what is said of it
NO_LISTS = [
    ('string', lambda: 'lab', "locks must be a list of locks, not 'lab'"),
    ('bytes', lambda: b'lab', "locks must be a list of locks, not b'lab'"),
    ('lock', lambda: LAB, "locks must be a list of locks, not MasterLock('lab', maxCount=1)"),
    ('number', lambda: 7, 'locks must be a list of locks, not 7'),
    (
        'large',
        lambda: NUMBERS,
        f'locks must be a list of locks, not {repr(NUMBERS)[:197]}...',
    ),
    ('none', lambda: [None], 'None is not a lock'),
    ('list', lambda: [[LAB]], "[MasterLock('lab', maxCount=1)] is not a lock"),
    ('wordless', lambda: [Wordless()], 'a Wordless whose repr() fails is not a lock'),
    ('name', lambda: [MasterLock('a\0b')], "lock 'a\\x00b': its name has " + NULL),
    (
        'no_name',
        lambda: [MasterLock(NUMBER)],
        'lock 3: its name must be a string that is not empty',
    ),
    (
        'units',
        lambda: [LAB.access('counting', -1)],
        "lock 'lab': -1 is not a number of units of a lock",
    ),
]

KEY = "lock 'v': its key must be text or a number, or a list of these, not "
NO_KEYS = [
    ('dict', lambda: {1: 2}, KEY + '{1: 2}'),
    ('lock', lambda: LAB, KEY + "MasterLock('lab', maxCount=1)"),
    ('class', lambda: MasterLock, KEY + "<class 'buildbot.locks.MasterLock'>"),
    ('wordless', lambda: ['x', Wordless()], KEY + 'a Wordless whose repr() fails'),
    ('null', lambda: 'a\0b', "lock 'v': its copy 'v[a\\x00b]' has " + NULL),
]


class Nonsense(LabTestCase):
    """What is rendered is not what it must be."""

    writes_states = True

    @defer.inlineCallbacks
    def start(self, place, locks):
        """Ask for a bad and a good build; return what is logged of the bad one."""
        gate = Gate()
        builder = {
            'builder': {'steps': [GatedStep(gate)], 'locks': locks},
            'step': {'steps': [GatedStep(gate, locks=locks)]},
        }[place]
        yield self.setup_lab({'a': builder}, TWO)
        for what in ('bad', 'good'):
            yield self.request('a', properties={'what': (what, 'test')})
        self.assertEqual((yield self.builds()), [FAILURE, None])
        self.assertEqual(len(gate.running), 1)
        states = [
            row['state_string'] for row in (yield self.master.data.get(('builds', 1, 'steps')))
        ]
        self.assertLessEqual(max(map(len, states)), 1000)
        # one of several processes of trial cannot pass on a traceback of that length
        errors = [failure for failure in self.flushLoggedErrors() if not failure.check(TooLong)]
        return {str(failure.value) for failure in errors}

    @parameterized.expand(
        [(f'{name}_{at}', at, give, said) for name, give, said in NO_LISTS for at in PLACES]
    )
    @defer.inlineCallbacks
    def test_locks(self, _, place, give, said):
        """No list of locks fails one build, which says why, and the next one runs."""
        locks = renderer(lambda props: give() if is_bad(props) else [])
        self.assertEqual((yield self.start(place, locks)), {said})

    @parameterized.expand(
        [(f'{name}_{at}', at, give, said) for name, give, said in NO_KEYS for at in PLACES]
    )
    @defer.inlineCallbacks
    def test_key(self, _, place, give, said):
        """So does a key of which two that are equal may not look so, or that cannot be told."""
        lock = BranchLock('v', key=renderer(lambda props: give() if is_bad(props) else 'good'))
        self.assertEqual((yield self.start(place, [lock])), {said})

    @parameterized.expand([(place,) for place in PLACES])
    @defer.inlineCallbacks
    def test_recursive(self, place):
        """So does a list that has itself in it."""
        locks = renderer(lambda props: RECURSIVE if is_bad(props) else [])
        told = yield self.start(place, locks)
        self.assertTrue(told)
        for why in told:  # Python says it in one way or another
            self.assertIn('maximum recursion depth exceeded', why)

    @parameterized.expand(
        [(1, '1'), (1.5, '1.5'), (None, 'None'), (['a', 2], "['a', 2]"), ('', '')]
    )
    @defer.inlineCallbacks
    def test_good_key(self, key, name):
        """Text, a number or a list of these names a copy."""
        gate, lock = Gate(), BranchLock('v', key=renderer(lambda props: key))
        yield self.setup_lab({'a': {'steps': [GatedStep(gate)], 'locks': [lock]}})
        yield self.request('a')
        real = yield self.master.botmaster.getLockByID(lock, 0)
        self.assertEqual([copy.label for copy in real.all_copies()], [f'v[{name}]'])

    @defer.inlineCallbacks
    def test_many(self):
        """A list of a thousand locks is claimed and given back like any other."""
        gate = Gate()
        locks = renderer(lambda props: [MasterLock(f'm{i}') for i in range(1000)])
        yield self.setup_lab({'a': {'steps': [GatedStep(gate)], 'locks': locks}}, TWO)
        for _ in range(2):
            yield self.request('a')
        self.assertEqual(len(gate.running), 1)
        for _ in range(2):
            self.open(gate, SUCCESS)
        self.assertEqual((yield self.builds()), [SUCCESS, SUCCESS])

    @defer.inlineCallbacks
    def test_deferred_of_a_deferred(self):
        """What comes by way of several Deferreds comes all the same."""
        gate = Gate()
        inner = lambda _: defer.succeed([LAB])
        locks = renderer(lambda props: defer.succeed(None).addCallback(inner))
        yield self.setup_lab({'a': {'steps': [GatedStep(gate)], 'locks': locks}})
        yield self.request('a')
        self.assertEqual((yield self.owners(LAB)), (1, 0))
