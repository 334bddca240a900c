# SPDX-License-Identifier: GPL-2.0-only
"""What people do on the pages of the locks, in a real browser and with a real master."""

from __future__ import annotations

from twisted.internet import defer

from buildbot.process.results import CANCELLED
from buildbot.test.util.pagecase import LOOKS
from buildbot.test.util.pagecase import MARKUP
from buildbot.test.util.pagecase import PageCase

BUTTONS = 'return document.querySelectorAll(".bb-locks-deeds button").length'

# Answers with the code of the answer to something that is asked for without the page.
ASK = """
    const [path, method, params, answer] = arguments;
    const body = JSON.stringify({jsonrpc: '2.0', id: 1, method, params});
    const headers = {'Content-Type': 'application/json'};
    fetch(`api/v2/${path}`, {method: 'POST', headers, body})
        .then(response => answer(response.status));
"""

# A time as the page shows it.
TIME = """
    const at = new Date(arguments[0] * 1000);
    const minute = at.toLocaleTimeString([], {hour: 'numeric', minute: '2-digit'});
    return at.toDateString() === new Date().toDateString()
        ? minute
        : at.toLocaleDateString([], {day: 'numeric', month: 'short'}) + ' ' + minute;
"""

# What has the focus.
FOCUS = """
    const focused = document.activeElement;
    return focused.ariaLabel ?? focused.labels?.[0]?.innerText ?? focused.innerText;
"""


class Hand(PageCase):
    passwords = {'alice': 'secret', 'bob': 'secret', MARKUP: 'secret'}

    @defer.inlineCallbacks
    def look_as(self, name, at='/locks'):
        """Open a browser in which somebody has logged in."""
        window = yield self.look()
        yield window.log_in(name, 'secret')
        yield window.visit(at)
        return window

    @defer.inlineCallbacks
    def look_at(self, lock, name='alice'):
        """Open the page of a lock."""
        window = yield self.look_as(name)
        yield window.see(lock)
        yield window.click(lock)
        yield window.see('What people did')
        return window

    @defer.inlineCallbacks
    def get(self, *path):
        rows = yield self.master.data.get(path)
        return rows

    @defer.inlineCallbacks
    def copy_row(self, lock):
        """Return the row of the only copy in use of a lock."""
        lockid = next(row['lockid'] for row in (yield self.get('locks')) if row['name'] == lock)
        [row] = yield self.get('locks', lockid, 'copies')
        return row

    @defer.inlineCallbacks
    def act(self, who, method, lock='board', **words):
        """Do something without the page, having looked at the only copy of a lock."""
        row = yield self.copy_row(lock)
        args = {'owner': who, 'version': row['version'], 'reason': 'because', **words}
        answer = yield self.master.data.control(method, args, ('copies', row['copyid']))
        return answer

    def in_an_hour(self):
        return self.master.reactor.seconds() + 3600

    @defer.inlineCallbacks
    def holders(self, lock='board'):
        row = yield self.copy_row(lock)
        rows = yield self.get('copies', row['copyid'], 'holders')
        return [row['person'] or row['text'] for row in rows]

    @defer.inlineCallbacks
    def test_hold(self):
        """A person holds a lock, holds it for longer, and releases it."""
        window = yield self.look_at('board')
        yield window.see('Nobody holds it.')
        yield window.click('Hold board')
        yield window.see('You wait in line for it as builds do.')
        yield window.click('15 min')
        yield window.write('Why', 'it is on my desk')
        yield self.fits(window, 'hold')
        yield window.click('Hold')
        yield window.see('it is yours.', 'alice', 'by hand', 'it is on my desk', 'Held by 1')
        yield window.see('alice wants all of it until')
        yield self.fits(window, 'held')
        [before] = yield self.get('copies', (yield self.copy_row('board'))['copyid'], 'holders')
        yield window.click('Extend alice’s hold of board')
        yield window.click('1 h more')
        yield window.click('Extend')
        yield window.see('it has a new end.')
        [after] = yield self.get('copies', (yield self.copy_row('board'))['copyid'], 'holders')
        self.assertEqual((after['until_at'] - before['until_at']).total_seconds(), 3600)
        end = yield window.run(TIME, after['until_at'].timestamp())
        yield window.see(f'until {end}')
        yield window.click('Release alice’s hold of board')
        yield window.click('Release')
        yield window.see('it is released.', 'Nobody holds it.', 'alice has given it back')

    @defer.inlineCallbacks
    def test_hand_over(self):
        """A hold goes to another person, who then can do what the first one could."""
        yield self.act('alice', 'hold', until=self.in_an_hour())
        window = yield self.look_at('board')
        yield window.click('Hand over alice’s hold of board')
        yield window.write('To whom', 'nobody')
        yield window.click('Hand over')
        yield window.see("board: there is no known user 'nobody' to hand it over to")
        yield window.write('To whom', 'bob')
        yield window.click('Hand over')
        yield window.see('it is handed over.', 'Kick', without=('Release',))
        self.assertEqual((yield self.holders()), ['bob'])

    @defer.inlineCallbacks
    def test_stale(self):
        """What has changed since it was seen is told, and done only when it is asked for again."""
        window = yield self.look_at('board')
        yield window.click('Hold board')
        yield window.write('Why', 'it is on my desk')
        yield self.act('bob', 'hold', until=self.in_an_hour())
        yield window.see('Held by 1', 'bob')
        yield window.click('Hold')
        yield window.see(
            'board has changed since you looked at it: bob holds it by hand until',
            'How it is now',
            '1 of 1 in use, exclusively.',
        )
        yield self.fits(window, 'stale')
        self.assertEqual((yield self.holders()), ['bob'])
        self.assertEqual((yield self.copy_row('board'))['waiting'], 0)
        yield window.click('Hold')
        yield window.see('you are in line for it.', 'Waiting 1')

    @defer.inlineCallbacks
    def test_quarantine(self):
        """A copy that nobody uses is taken out of use, and put to use again."""
        window = yield self.look_at('jtag')
        yield window.see('No copy is in use.')
        yield window.click('Quarantine a copy of jtag')
        yield window.write('Worker', 'local2')
        yield window.write('Why', 'the probe is broken')
        yield window.click('Quarantine')
        yield window.see("there is no worker 'local2'")
        yield window.write('Worker', 'local1')
        yield window.click('Quarantine')
        yield window.see('it is in quarantine', 'jtag[local1]', 'quarantine by alice')
        yield self.fits(window, 'quarantine')
        yield self.request('debug')
        yield window.see('Waiting 1')
        yield window.click('All locks')
        yield window.see('1 copy in quarantine')
        yield self.fits(window, 'quarantine-locks')
        yield window.click('jtag')
        yield window.see('jtag[local1]')
        yield window.click('jtag[local1]')
        yield window.see('In quarantine', 'by alice: the probe is broken')
        yield self.fits(window, 'quarantine-copy')
        yield window.click('Restore')
        yield window.write('Why', 'a new probe')
        yield window.click('Restore')
        yield self.gate.arrivals.get()
        yield window.see('it is in use again.', 'debug #1', without=('by alice: the probe',))

    @defer.inlineCallbacks
    def test_first(self):
        """One who waits is moved to the front, and back."""
        yield self.start('firmware')
        yield self.request('nightly')
        yield self.request('weekly')
        window = yield self.look_at('board')
        yield window.see('Waiting 2')
        yield window.click('First build request 3 of weekly')
        yield window.write('Why', 'a release')
        yield window.click('First')
        yield window.see('it is at the front.', '1. build request 3 of weekly put first')
        yield self.fits(window, 'first')
        yield window.click('Back build request 3 of weekly')
        yield window.click('Back')
        yield window.see('2. build request 3 of weekly', without=('put first',))

    @defer.inlineCallbacks
    def test_kick(self):
        """The build that holds a lock is named, and stopped."""
        yield self.start('firmware')
        window = yield self.look_at('board')
        yield window.see('firmware #1 / flash')
        yield window.click('Kick firmware #1 / flash')
        yield window.see('The build firmware #1 on local1 will be stopped')
        yield window.write('Why', 'it hangs')
        yield self.fits(window, 'kick')
        finished = defer.Deferred()
        consumer = yield self.master.mq.startConsuming(
            lambda _, build: finished.callback(build['results']), ('builds', None, 'finished')
        )
        yield window.click('Kick')
        yield window.see('the build is being stopped.')
        self.assertEqual((yield finished), CANCELLED)
        yield consumer.stopConsuming()
        yield window.see('Nobody holds it.')

    @defer.inlineCallbacks
    def test_anonymous(self):
        """Who has not logged in is shown where to, sees no button, and can do nothing."""
        yield self.start('firmware')
        window = yield self.look()
        yield window.visit('/locks')
        yield window.see('board')
        yield window.click('board')
        yield window.see('firmware #1 / flash', 'Log in to hold a lock')
        self.assertEqual((yield window.run(BUTTONS)), 0)
        row = yield self.copy_row('board')
        words = {'version': row['version'], 'reason': 'x', 'until': self.in_an_hour()}
        code = yield window.ask(ASK, f'copies/{row["copyid"]}', 'hold', words)
        self.assertEqual(code, 403)
        self.assertEqual((yield self.holders()), ['firmware #1 / flash'])

    @defer.inlineCallbacks
    def test_keyboard(self):
        """All of it is done with keys; a dialog keeps the focus, and gives it back."""
        window = yield self.look_at('board')
        yield window.focus('Hold board')  # it comes when it is known who has logged in
        yield window.press('ENTER')
        yield window.see('You wait in line for it as builds do.')
        for _ in range(12):
            yield window.press('TAB')
            inside = yield window.run(
                'return document.activeElement === document.body'
                ' || document.activeElement.closest("dialog") !== null'
            )
            self.assertTrue(inside)
        yield window.press('ESCAPE')
        yield window.closed()
        self.assertEqual((yield window.run(FOCUS)), 'Hold board')
        yield window.press('ENTER')
        yield window.write('Why', 'keys')
        yield window.press('ENTER')
        yield window.see('it is yours.')
        self.assertEqual((yield self.holders()), ['alice'])

    @defer.inlineCallbacks
    def test_fits(self):
        """Pages on which something can be done, and dialogs, fit, and all can use them."""
        yield self.start('firmware')
        yield self.request('nightly')
        yield self.request('weekly')
        yield self.act('alice', 'hold', until=self.in_an_hour(), reason='it is on my desk')
        yield self.act(MARKUP, 'hold', until=self.in_an_hour(), reason=MARKUP)
        yield self.act('bob', 'quarantine', reason='the probe is broken')
        window = yield self.look_as('alice')
        for name, words in LOOKS.items():
            yield window.appear(**words)
            yield window.visit('/locks')
            yield window.click('board')
            yield window.see('What people did', 'Waiting 5', MARKUP)
            yield self.fits(window, f'hand-{name}')
            yield window.click('Hold board')
            yield window.see('You wait in line for it as builds do.')
            yield window.click('Hold')
            yield window.see('Say why: everyone who waits sees it.')
            yield self.fits(window, f'dialog-{name}')
            self.assertEqual((yield window.run('return document.title')), 'Buildbot')
