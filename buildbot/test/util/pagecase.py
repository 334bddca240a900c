# SPDX-License-Identifier: GPL-2.0-only
"""New: a master with boards, of which a browser shows the pages of the locks."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.internet import defer
from twisted.internet import reactor
from twisted.internet import task
from twisted.internet.tcp import Server

from buildbot.plugins import util
from buildbot.process.results import SUCCESS
from buildbot.test.util import browser
from buildbot.test.util.browser import Browser
from buildbot.test.util.integration import RunMasterBase
from buildbot.test.util.lab import AwaitedGate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.memorydb import forget_in_the_end
from buildbot.test.util.memorydb import use_known_database

SOURCE = os.environ.get('INTERLOCK_SOURCE')
AXE = Path(SOURCE or '', 'www/locks_view/node_modules/axe-core/axe.min.js')

#: A folder in which the pictures that the tests take are kept.
PICTURES = os.environ.get('INTERLOCK_PICTURES')

#: What a page must look well in, for each name: words of ``Browser.appear``.
LOOKS = {'light': {}, 'dark': {'dark': True}, 'telephone': {'width': 360}}

#: A name that must be shown as it is.
MARKUP = '<img src=x onerror="document.title=1">'

# What is wider than its place: the page, a table, or a dialog.
BEYOND = """
    const places = '.bb-locks-listing, .bb-locks-dialog';
    return [document.documentElement, ...document.querySelectorAll(places)]
        .filter(each => each.scrollWidth > each.clientWidth)
        .map(each => each.className);
"""


class PageCase(RunMasterBase):
    """A board that builds of firmware hold in a step, and for which requests of nightly wait.

    :cvar passwords: by name, of those who can log in; if there are none, nobody can.
    """

    passwords = {}
    timeout = 5 * browser.PATIENCE  # trial's is less than what a browser may take

    if browser.missing:
        skip = browser.missing

    proto = 'null'

    @defer.inlineCallbacks
    def setUp(self):
        forget_in_the_end(self)
        use_known_database(self)
        self.addCleanup(self.hang_up)  # in the end: the browser may call while the master stops
        self.gate = AwaitedGate()
        self.board = board = util.MasterLock('board')
        version = util.BranchLock('version')
        jtag = util.WorkerLock('jtag', maxCount=4)

        def builder(name, **words):
            steps = words.pop('steps', {})
            step = GatedStep(self.gate, name='flash', **steps)
            factory = util.BuildFactory([step])
            return util.BuilderConfig(name, workernames=['local1'], factory=factory, **words)

        yield self.setup_master(
            {
                'builders': [
                    builder(MARKUP, locks=[util.BranchLock(MARKUP).access('exclusive')]),
                    builder('firmware', steps={'locks': [board.access('exclusive')]}),
                    builder('nightly', locks=[board.access('exclusive')]),
                    builder('weekly', locks=[board.access('exclusive')]),
                    builder('debug', locks=[jtag.access('exclusive')]),
                    builder('branches', locks=[version.access('exclusive')]),
                    builder('releases', locks=[version.access('exclusive')]),
                    *self.more_builders(builder),
                ],
                'multiMaster': True,
                'collapseRequests': False,
                'www': {
                    'port': 'tcp:0:interface=127.0.0.1',
                    'plugins': {'locks_view': {}},
                    'allowed_origins': ['*'],  # the port is not known before
                    **({'auth': util.UserPasswordAuth(self.passwords)} if self.passwords else {}),
                },
            }
        )
        self.addCleanup(self.finish)

    def more_builders(self, builder):
        """Return further builders; ``builder`` makes one of a name and ``locks`` or ``steps``."""
        return []

    @defer.inlineCallbacks
    def finish(self):
        """Let all builds that run end, and be written."""
        running = len(self.gate.running)
        complete = [defer.Deferred() for _ in range(running)]
        consumer = yield self.master.mq.startConsuming(
            lambda key, message: complete.pop().callback(None), ('buildsets', None, 'complete')
        )
        written = defer.gatherResults(complete)
        down = self.master.botmaster.cleanShutdown(stopReactor=False)
        for _ in range(running):
            self.gate.open(SUCCESS)
        yield down
        yield written
        yield consumer.stopConsuming()

    @defer.inlineCallbacks
    def look(self):
        """Open a browser on this master.

        :returns: Deferred of the browser.
        """
        window = Browser(f'http://127.0.0.1:{self.master.www.getPortnum()}/')
        yield window.open()
        self.addCleanup(window.close)
        return window

    def hang_up(self):
        """Close the connections that the browser keeps for a next page of this master."""
        for each in reactor.getReaders():
            if isinstance(each, Server):
                each.abortConnection()
        return task.deferLater(reactor, 0)

    @defer.inlineCallbacks
    def request(self, name, codebases=('',), branch='main'):
        """Ask for a build.

        :returns: Deferred of the request's id.
        """
        builderid = yield self.master.data.updates.findBuilderId(name)
        blank = {'repository': '', 'project': '', 'branch': branch, 'revision': None}
        _, brids = yield self.master.data.updates.addBuildset(
            waited_for=False,
            builderids=[builderid],
            sourcestamps=[{**blank, 'codebase': codebase} for codebase in codebases],
        )
        return brids[builderid]

    @defer.inlineCallbacks
    def start(self, name, **words):
        """Ask for a build, and wait until it runs its step."""
        yield self.request(name, **words)
        yield self.gate.arrivals.get()

    @defer.inlineCallbacks
    def keep(self, window, name):
        if PICTURES:
            yield window.picture(Path(PICTURES, f'{name}.png'))

    @defer.inlineCallbacks
    def fits(self, window, name):
        """Check that what is seen is no wider than its place, is not too much, and is for all."""
        yield self.keep(window, name)
        self.assertEqual((yield window.run(BEYOND)), [])
        self.assertLessEqual(
            (yield window.run('return document.querySelectorAll("tr").length')), 99
        )
        if AXE.exists():
            self.assertEqual((yield window.faults(AXE.read_text())), [])
