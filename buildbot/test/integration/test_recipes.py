# SPDX-License-Identifier: GPL-2.0-only
"""What the manual says of its examples is what they do."""

from __future__ import annotations

import types
from collections import Counter
from pathlib import Path

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locks import LockError
from buildbot.process.hand.hand import Hand
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.steps.shell import SetPropertyFromCommand
from buildbot.steps.shell import ShellCommand
from buildbot.steps.source.base import Source
from buildbot.test.util.lab import LabTestCase
from buildbot.www.authz import Forbidden

EXAMPLES = Path(__file__).parent / 'examples'


class Recipes(LabTestCase):
    """Each example is started as it stands, but with steps that the test lets go on."""

    @defer.inlineCallbacks
    def start(self, name):
        self.example = {}
        exec((EXAMPLES / f'{name}.cfg').read_text(), self.example)
        config = self.example['c']
        self.running = []
        for kind in (ShellCommand, SetPropertyFromCommand, Source):
            self.patch(kind, 'run', lambda step: self.wait(step))
        workers = [
            self.createLocalWorker(
                written.name,
                properties={
                    name: value for name, (value, _) in written.properties.asDict().items()
                },
                locks=written.access,
            )
            for written in config['workers']
        ]
        yield self.setup_master(
            {
                'builders': config['builders'],
                'workers': workers,
                'collapseRequests': False,
                'multiMaster': True,
                'protocols': {'null': {}},
            }
        )
        self.addCleanup(self.end_to_the_last)  # before the master's shutdown, which waits for them

    def wait(self, step):
        d = defer.Deferred()
        self.running.append((step, d))
        return d

    def end(self, step, result=SUCCESS):
        (entry,) = [entry for entry in self.running if entry[0] is step]
        self.running.remove(entry)
        entry[1].callback(result)
        self.settle()

    def end_all(self, *names):
        """End those of the running steps that have one of these names; without names, all."""
        for step, _ in list(self.running):
            if not names or step.name in names:
                self.end(step)

    def end_to_the_last(self):
        while self.running:
            self.end_all()

    def where(self, *names):
        """Count the running steps of these names by their worker."""
        return Counter(step.build.getWorkerName() for step, _ in self.running if step.name in names)

    def builders(self):
        return [step.build.builder.name for step, _ in self.running]

    def steps(self):
        return [step.name for step, _ in self.running]

    @defer.inlineCallbacks
    def ask(self, *requests, **words):
        """Ask for builds, each given as ``builder`` or ``builder branch``."""
        for request in requests:
            builder, _, branch = request.partition(' ')
            yield self.request(builder, branch or None, **words)

    @parameterized.expand(
        [
            # example, requests in this order -> the builds that run at first
            ('lock_modes', ['test', 'test'], ['test', 'test']),
            ('lock_modes', ['test', 'migrate'], ['test']),
            ('lock_modes', ['migrate', 'test', 'load'], ['migrate']),
            ('lock_modes', ['load', 'load'], ['load', 'load']),
            ('lock_branch', ['stage main', 'stage main'], ['stage']),
            ('lock_branch', ['stage release/1.2', 'stage release/1.2'], ['stage', 'stage']),
            ('lock_branch', ['fork main', 'fork main', 'fork x'], ['fork', 'fork']),
            ('lock_rendered', ['product main', 'product main'], ['product']),
            ('lock_rendered', ['product hotfix', 'product hotfix'], ['product', 'product']),
            ('lock_places', ['firmware main', 'firmware main'], ['firmware']),
            ('lock_places', ['firmware main', 'firmware x'], ['firmware', 'firmware']),
            (
                'recipe_version',
                ['packages-debian main', 'packages-fedora main', 'packages-fedora x'],
                ['packages-debian', 'packages-fedora'],
            ),
            (
                'recipe_version',
                ['packages-debian main', 'packages-fedora main'],
                ['packages-debian'],
            ),
            (
                'recipe_licences',
                ['route', 'simulate', 'simulate'],
                ['route', 'simulate', 'simulate'],
            ),
            # the second one needs three, and two are left, which are kept for it
            ('recipe_licences', ['route', 'route', 'simulate'], ['route']),
            # twelve units are on the large worker only, which others leave to it
            ('recipe_load', ['fuzz', 'fuzz', 'compile', 'lint'], ['fuzz', 'compile', 'lint']),
            # the other worker goes on
            (
                'recipe_upkeep',
                ['upkeep-build-1', 'product', 'product'],
                ['upkeep-build-1', 'product'],
            ),
            ('renderable_both', ['product main', 'product main'], ['product']),
            ('renderable_both', ['product main', 'product x'], ['product', 'product']),
            *(
                (example, requests, expected)
                for example in ('renderable_before', 'renderable_after')
                for requests, expected in [
                    (['version main', 'version main'], ['version']),
                    (['version main', 'version x'], ['version', 'version']),
                    (['stage main', 'stage main'], ['stage']),
                    (['stage x', 'stage x'], ['stage', 'stage']),
                    (['site main', 'site x'], ['site']),
                ]
            ),
        ]
    )
    @defer.inlineCallbacks
    def test_who_runs(self, example, requests, expected):
        """Those builds begin whose locks are free, and no other takes a worker."""
        yield self.start(example)
        yield self.ask(*requests)
        self.assertEqual(self.builders(), expected)
        self.assertEqual(len((yield self.builds())), len(expected))
        self.end_to_the_last()
        self.assertEqual((yield self.builds()), [SUCCESS] * len(requests))

    @defer.inlineCallbacks
    def test_codebase(self):
        """A build without the codebase that a lock is for fails, and says so."""
        yield self.start('lock_branch')
        yield self.ask('version main')
        self.assertEqual((yield self.builds()), [FAILURE])
        errors = {str(error.value) for error in self.flushLoggedErrors(LockError)}
        what = "for the codebase 'firmware', but this build has no source of it"
        self.assertEqual(errors, {f"the lock 'version' is {what}"})

    @parameterized.expand(
        [
            ('recipe_deploy', 'deploy', 'site', ['a', 'b', 'a'], 2),
            ('lock_branch', 'customer', 'customer', ['acme', 'acme'], 2),
            ('lock_branch', 'customer', 'customer', ['other', 'other'], 1),
            ('renderable_before', 'site', 'site', ['a', 'b'], 2),
            ('renderable_after', 'site', 'site', ['a', 'b'], 2),
        ]
    )
    @defer.inlineCallbacks
    def test_property(self, example, builder, name, values, expected):
        """A lock may have a copy for each value of a property, and limits by value."""
        yield self.start(example)
        for value in values:
            yield self.ask(builder, properties={name: (value, 'test')})
        self.assertEqual(self.builders(), [builder] * expected)

    @defer.inlineCallbacks
    def test_number(self):
        """Nobody takes a number before the last one has been tagged; the rest runs beside it."""
        yield self.start('recipe_number')
        yield self.ask('product main', 'product main')
        self.end_all('git')
        self.assertEqual(self.steps(), ['number/next'])
        self.end_all('number/next')
        self.assertEqual(self.steps(), ['number/tag'])
        self.end_all('number/tag')
        self.assertEqual(sorted(self.steps()), ['number/next', 'package'])

    @defer.inlineCallbacks
    def test_boards(self):
        """As many builds test on a worker as it has boards."""
        yield self.start('recipe_boards')
        yield self.ask(*['firmware-debug', 'firmware-release'] * 4)
        for _ in range(4):
            self.end_all('git', 'compile')
        self.assertEqual(self.where('test/on'), {'lab-1': 1, 'lab-2': 1, 'lab-3': 2})

    def boards_of(self, name):
        """Return the boards of the running steps of a name, and the worker of each."""
        return {
            board.name: step.build.getWorkerName()
            for step, _ in self.running
            if step.name == name
            for board in step.resources('boards')
        }

    @defer.inlineCallbacks
    def test_named_boards(self):
        """Both boards of a worker are used at a time, and the old one is left to who can use it."""
        yield self.start('recipe_named_boards')
        yield self.ask(*['new-features', 'firmware'] * 3)
        for _ in range(4):
            self.end_all('git', 'compile')
        self.assertEqual(
            self.boards_of('test/on'),
            {'board-1': 'lab-1', 'board-2': 'lab-1', 'board-3': 'lab-2', 'board-4': 'lab-2'},
        )
        for step, _ in self.running:
            if step.name == 'test/on':
                (board,) = step.resources('boards')
                self.assertEqual(step.command, ['power', 'on', board.name])
                self.assertEqual(step.env, {'TTY': board.properties['tty']})
                if step.build.builder.name == 'new-features':
                    self.assertNotEqual(board.name, 'board-1')
        self.end_to_the_last()
        self.assertEqual((yield self.builds()), [SUCCESS] * 6)

    @defer.inlineCallbacks
    def test_pool_lab(self):
        """A build goes where the board is that it has; two boards are of one generation."""
        yield self.start('pool_lab')
        yield self.ask('link')
        self.end_all('compile')
        yield self.ask('smoke', 'smoke')
        self.assertEqual(
            {name: self.boards_of(name) for name in ('flash', 'link/flash')},
            {
                'flash': {'board-1': 'lab-1'},
                'link/flash': {'board-3': 'lab-2', 'board-4': 'lab-2'},
            },
        )
        commands = {step.name: step.command for step, _ in self.running}
        self.assertEqual(commands['flash'], ['flash', '/dev/ttyUSB0'])
        self.assertEqual(commands['link/flash'], ['flash', '--boards', '/dev/ttyUSB0,/dev/ttyUSB1'])
        self.end_to_the_last()
        self.assertEqual((yield self.builds()), [SUCCESS] * 3)

    @defer.inlineCallbacks
    def test_kits(self):
        """The kits are given back by a group that fails, to the one who waits for most of them."""
        yield self.start('recipe_kits')
        yield self.ask('together', 'together', 'alone')
        self.end_all('compile')
        self.assertEqual(self.builders(), ['together'])
        self.end(self.running[0][0], FAILURE)
        self.assertEqual(self.steps(), ['play/return'])
        self.end_all()
        self.assertEqual(self.builders(), ['together', 'alone'])

    @defer.inlineCallbacks
    def test_link(self):
        """One worker at a time fetches in an office, or as many as its link can take."""
        yield self.start('recipe_link')
        yield self.ask(*['product'] * 4)
        fetching = self.where('fetch')
        self.assertEqual(sum(fetching[name] for name in ('build-1', 'build-2')), 1)
        self.assertEqual(sum(fetching[name] for name in ('build-3', 'build-4')), 2)

    @defer.inlineCallbacks
    def test_urgent(self):
        """A release goes before what has waited longer, and stops nobody."""
        yield self.start('recipe_urgent')
        for branch in ('a', 'b', 'c', 'release/1'):
            change = types.SimpleNamespace(branch=branch)
            urgency = self.example['priority'](['product'], {'': [change]})
            yield self.ask(f'product {branch}', priority=urgency)
        self.assertEqual(self.branches_that_run(), ['a', 'b'])
        self.end(self.running[0][0])
        self.assertEqual(self.branches_that_run(), ['b', 'release/1'])

    def branches_that_run(self):
        return [step.build.sources[0].branch for step, _ in self.running]

    @defer.inlineCallbacks
    def test_repair(self):
        """A board with which three in a row have failed is out of use until it is repaired."""
        yield self.start('hand_repair')
        for _ in range(3):
            yield self.ask('firmware', 'firmware')
            while self.running:
                step = self.running[0][0]
                is_bad = step.build.getWorkerName() == 'board-1'
                self.end(step, FAILURE if is_bad else SUCCESS)
        yield self.ask('firmware', 'firmware')
        self.assertEqual(self.where('test/flash'), {'board-2': 1})
        for result in (FAILURE, SUCCESS):
            yield self.ask('repair', properties={'workername': ('board-1', 'test')})
            self.assertEqual(self.where('power'), {'board-1': 1})
            self.end(next(step for step, _ in self.running if step.name == 'power'), result)
            self.end_all('self-test')
        self.assertEqual(self.where('test/flash'), {'board-1': 1, 'board-2': 1})

    @parameterized.expand(
        [
            ('ann', 'hold', {}, 'jtag', True),
            ('ann', 'kick', {}, 'jtag', True),
            ('ann', 'hold', {}, 'version', False),
            ('carol', 'hold', {}, 'version', True),
            ('ann', 'stop', {}, None, False),
            ('carol', 'stop', {}, None, True),
            ('dora', 'hold', {}, 'jtag', False),
            ('dora', 'release', {'holdid': 1}, 'jtag', True),
            ('dora', 'release', {'holdid': 2}, 'jtag', False),
        ]
    )
    @defer.inlineCallbacks
    def test_rules(self, who, action, options, name, is_allowed):
        """The lab may do all with its boards, an admin all; and anybody with what is their own."""
        yield self.start('hand_rules')
        hand = yield Hand.getService(self.master.botmaster)
        self.patch(
            hand.holds, 'person_of', lambda holdid, holderid: {1: 'dora', 2: 'ann'}.get(holdid)
        )
        authz = self.example['c']['www']['authz']
        authz.setMaster(self.master)
        rows = yield self.master.data.get(('locks',))
        ids = {row['name']: row['lockid'] for row in rows}
        path = ('builds', '1') if name is None else ('locks', str(ids[name]))
        user = {'username': who, 'email': who}
        allowed = defer.maybeDeferred(authz.assertUserAllowed, path, action, options, user)
        if is_allowed:
            yield allowed
        else:
            yield self.assertFailure(allowed, Forbidden)

    @defer.inlineCallbacks
    def test_upkeep(self):
        """Upkeep waits for the builds on its worker, and no later one gets in before it."""
        yield self.start('recipe_upkeep')
        yield self.ask('product', 'product', 'upkeep-build-1', 'product')
        self.assertEqual(self.builders(), ['product', 'product'])
        on_1 = next(s for s, _ in self.running if s.build.getWorkerName() == 'build-1')
        self.end(on_1)
        self.assertEqual(self.builders(), ['product', 'upkeep-build-1'])
