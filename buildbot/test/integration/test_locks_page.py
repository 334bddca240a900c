# SPDX-License-Identifier: GPL-2.0-only
"""The Locks page of a real master, in a real browser."""

from __future__ import annotations

from parameterized import parameterized
from twisted.internet import defer

from buildbot.process.results import SUCCESS
from buildbot.test.util.pagecase import MARKUP
from buildbot.test.util.pagecase import PageCase


class Pages(PageCase):
    @defer.inlineCallbacks
    def test_it_follows(self):
        """The page shows who holds and who waits, and that the lock has passed on."""
        window = yield self.look()
        yield window.visit('/locks')
        yield window.see('board', '0 of 1')
        yield self.start('firmware')
        yield window.see('1 of 1')
        yield self.request('nightly')
        yield window.click('board')
        yield window.see(
            'Held by 1', 'firmware #1 / flash', 'Waiting 1', 'build request 2 of nightly'
        )
        yield self.fits(window, 'lock')
        self.gate.open(SUCCESS)
        yield self.gate.arrivals.get()
        yield window.see('Held by 1', 'nightly #1', 'Waiting 0', 'Nobody waits for it.')
        self.gate.open(SUCCESS)
        yield window.see('Held by 0', 'Nobody holds it.')

    @defer.inlineCallbacks
    def test_past(self):
        """Who held a lock and who waited is told afterwards, drawn, and summed up."""
        yield self.start('firmware')
        yield self.request('nightly')
        self.gate.open(SUCCESS)
        yield self.gate.arrivals.get()
        window = yield self.look()
        yield window.visit('/locks')
        yield window.see('board')
        yield window.click('board')
        yield window.see('firmware #1 / flash', 'held it', 'In use')
        yield self.fits(window, 'past')
        yield window.click('What they cost')
        yield window.see('What locks have cost', 'board', 'firmware')
        yield self.fits(window, 'costs')

    @defer.inlineCallbacks
    def test_why(self):
        """A request that waits has a button that leads to who holds the lock."""
        yield self.start('firmware')
        brid = yield self.request('nightly')
        window = yield self.look()
        yield window.visit(f'/buildrequests/{brid}')
        yield window.see('Why does it wait?')
        yield window.click('Why does it wait?')
        yield window.see(f'Why does build request {brid} of nightly wait?', 'firmware #1')
        yield self.fits(window, 'why')
        yield window.click('board')
        yield window.see('Held by 1')

    @defer.inlineCallbacks
    def test_hostile(self):
        """A name that is markup is shown as it is written, whatever has it."""
        yield self.start(MARKUP, branch=MARKUP)
        window = yield self.look()
        yield window.visit('/locks')
        yield window.see(MARKUP)
        yield window.click(MARKUP)
        yield window.see(f'{MARKUP} #1', f'branch {MARKUP}')
        yield self.fits(window, 'hostile')
        self.assertEqual((yield window.run('return document.title')), 'Buildbot')

    @parameterized.expand(
        [
            ('light', {}),
            ('dark', {'dark': True}),
            ('telephone', {'width': 360}),
        ]
    )
    @defer.inlineCallbacks
    def test_many(self, name, words):
        """Of 500 copies a page is shown, which fits, and which all can use."""
        codebases = [f'c{number:03}' for number in range(500)]
        yield self.start('branches', codebases=codebases)
        yield self.request('releases', codebases=codebases)
        window = yield self.look(**words)
        yield window.visit('/locks')
        yield window.see('version', '500 of 500')
        yield self.fits(window, f'locks-{name}')
        yield window.click('version')
        yield window.see('Held by 500', 'Waiting 500', '1–20 of 500')
        yield self.fits(window, f'copies-{name}')
