# SPDX-License-Identifier: GPL-2.0-only
"""The Locks page of a real master, in a real browser."""

from __future__ import annotations

from twisted.internet import defer

from buildbot.process.results import SUCCESS
from buildbot.test.util.crowd import gather
from buildbot.test.util.pagecase import LOOKS
from buildbot.test.util.pagecase import MARKUP
from buildbot.test.util.pagecase import PageCase

# Which pages of those who wait have been asked for.
ASKED = """
    return performance.getEntriesByType('resource')
        .map(({name}) => new URL(name))
        .filter(({pathname}) => pathname.endsWith('/waiters'))
        .map(({searchParams}) => [searchParams.get('offset'), searchParams.get('limit')]);
"""

PRESS = """
    const [where, words] = arguments;
    const named = each => each.innerText.trim() === words;
    [...document.querySelectorAll(`[aria-label="${where}"] button`)].find(named).click();
"""


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
        yield window.click('Waiting costs')
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

    @defer.inlineCallbacks
    def test_many(self):
        """Of 500 copies a page is shown, which fits, and which all can use."""
        codebases = [f'c{number:03}' for number in range(500)]
        yield self.start('branches', codebases=codebases)
        yield self.request('releases', codebases=codebases)
        window = yield self.look()
        for name, words in LOOKS.items():
            yield window.appear(**words)
            yield window.visit('/locks')
            yield window.see('version', '500 of 500')
            yield self.fits(window, f'locks-{name}')
            yield window.click('version')
            yield window.see('Held by 500', 'Waiting 500', '1–20 of 500')
            yield self.fits(window, f'copies-{name}')

    @defer.inlineCallbacks
    def test_crowd(self):
        """Of 5,000 who wait only those are fetched and drawn that are seen, the last ones too."""
        crowd = yield gather(self.master, self.board, 5001)
        self.addCleanup(crowd.leave)
        window = yield self.look()
        yield window.visit(crowd.path)
        yield window.see('Waiting 5,000', '1–50 of 5,000', '50. request 50 of b10')
        yield window.see(without=('51. request',))
        yield window.run(PRESS, 'Pages of who waits for it', 'Last')
        yield window.see('4,951–5,000 of 5,000', '5000. request 5000 of b0')
        yield self.fits(window, 'crowd')
        asked = yield window.run(ASKED)
        self.assertLessEqual({'0', '4950'}, {offset for offset, _ in asked})
        self.assertEqual({limit for _, limit in asked}, {'50'})
