# SPDX-License-Identifier: GPL-2.0-only
"""The Locks page of a real master, in a real browser."""

from __future__ import annotations

import os
from pathlib import Path

from parameterized import parameterized
from twisted.internet import defer
from twisted.internet import reactor

from buildbot.plugins import util
from buildbot.process.results import SUCCESS
from buildbot.test.util import browser
from buildbot.test.util.browser import Browser
from buildbot.test.util.integration import RunMasterBase
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.memorydb import use_known_database

SOURCE = os.environ.get('INTERLOCK_SOURCE')
AXE = Path(SOURCE or '', 'www/locks_view/node_modules/axe-core/axe.min.js')

#: A folder in which the pictures that the tests take are kept.
PICTURES = os.environ.get('INTERLOCK_PICTURES')


class PageCase(RunMasterBase):
    """A board that builds of firmware hold in a step, and for which requests of nightly wait."""

    if browser.missing:
        skip = browser.missing

    proto = 'null'

    @defer.inlineCallbacks
    def setUp(self):
        use_known_database(self)
        self.gate = Gate()
        board = util.MasterLock('board')
        version = util.BranchLock('version')

        def builder(name, **words):
            steps = words.pop('steps', {})
            step = GatedStep(self.gate, name='flash', **steps)
            factory = util.BuildFactory([step])
            return util.BuilderConfig(name, workernames=['local1'], factory=factory, **words)

        yield self.setup_master({
            'builders': [
                builder('firmware', steps={'locks': [board.access('exclusive')]}),
                builder('nightly', locks=[board.access('exclusive')]),
                builder('branches', locks=[version.access('exclusive')]),
            ],
            'www': {'port': 'tcp:0:interface=127.0.0.1', 'plugins': {'locks_view': {}}},
        })

    @defer.inlineCallbacks
    def tearDown(self):
        # builds of which the browser has seen enough
        while self.gate.running:
            self.gate.open(SUCCESS)
            yield self.turn()
        yield super().tearDown()

    def turn(self):
        d = defer.Deferred()
        reactor.callLater(0, d.callback, None)
        return d

    @defer.inlineCallbacks
    def look(self, **words):
        """Open a browser on this master.

        :returns: Deferred of the browser.
        """
        window = Browser(f'http://127.0.0.1:{self.master.www.getPortnum()}/', **words)
        yield window.open()
        self.addCleanup(window.close)
        return window

    @defer.inlineCallbacks
    def request(self, name, codebases=('',)):
        """Ask for a build.

        :returns: Deferred of the request's id.
        """
        builderid = yield self.master.data.updates.findBuilderId(name)
        blank = {'repository': '', 'project': '', 'branch': 'main', 'revision': None}
        _, brids = yield self.master.data.updates.addBuildset(
            waited_for=False,
            builderids=[builderid],
            sourcestamps=[{**blank, 'codebase': codebase} for codebase in codebases],
        )
        return brids[builderid]

    @defer.inlineCallbacks
    def keep(self, window, name):
        if PICTURES:
            yield window.picture(Path(PICTURES, f'{name}.png'))


class Pages(PageCase):
    @defer.inlineCallbacks
    def test_it_follows(self):
        """The page shows who holds and who waits, and that the lock has passed on."""
        window = yield self.look()
        yield window.visit('/locks')
        yield window.see('board', '0 of 1')
        yield self.request('firmware')
        yield window.see('1 of 1')
        yield self.request('nightly')
        yield window.click('board')
        yield window.see('Held by 1', 'firmware #1 / flash', 'Waiting 1', 'nightly request 2')
        yield self.keep(window, 'lock')
        self.gate.open(SUCCESS)
        yield window.see('Held by 1', 'nightly #1', 'Waiting 0', 'Nobody waits for it.')
        self.gate.open(SUCCESS)
        yield window.see('Held by 0', 'Nobody holds it.')

    @defer.inlineCallbacks
    def test_why(self):
        """A request that waits has a button that leads to who holds the lock."""
        yield self.request('firmware')
        brid = yield self.request('nightly')
        window = yield self.look()
        yield window.visit(f'/buildrequests/{brid}')
        yield window.see('Why does it wait?')
        yield window.click('Why does it wait?')
        yield window.see(f'Why does build request {brid} of nightly wait?', 'firmware #1')
        yield self.keep(window, 'why')
        yield window.click('board')
        yield window.see('Held by 1')

    @parameterized.expand([
        ('light', {}),
        ('dark', {'dark': True}),
        ('telephone', {'width': 360}),
    ])
    @defer.inlineCallbacks
    def test_many(self, name, words):
        """Of 500 copies a page is shown, which fits, and which all can use."""
        codebases = [f'c{number:03}' for number in range(500)]
        yield self.request('branches', codebases)
        yield self.request('branches', codebases)
        window = yield self.look(**words)
        yield window.visit('/locks')
        yield window.see('version', '500 of 500')
        yield self.fits(window, f'locks-{name}')
        yield window.click('version')
        yield window.see('Held by 500', 'Waiting 500', '1–20 of 500')
        yield self.fits(window, f'copies-{name}')

    @defer.inlineCallbacks
    def fits(self, window, name):
        yield self.keep(window, name)
        beyond = 'return document.documentElement.scrollWidth - window.innerWidth'
        self.assertLessEqual((yield window.run(beyond)), 0)
        self.assertLessEqual((yield window.run('return document.querySelectorAll("tr").length')), 99)
        if AXE.exists():
            self.assertEqual((yield window.faults(AXE.read_text())), [])
