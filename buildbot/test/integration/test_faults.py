# SPDX-License-Identifier: GPL-2.0-only
"""What becomes of builds, locks and workers when real processes are killed or stand still."""

from __future__ import annotations

import time

from buildbot.test.util.reallab import WORKERS
from buildbot.test.util.reallab import RealLab


class Killed(RealLab):
    def test_worker(self):
        """What a worker held that is killed goes to who is next, and its builds are tried again."""
        main, other, pending = self.fill()
        victim = self.flash.words.worker

        # while it holds the board
        killed_at = time.monotonic()
        self.cut_off(victim)
        self.master.wait_for('lab #1 / test released board')
        self.master.wait_for('lab #2 / test was granted board')
        self.figure('a killed worker, until the next in line has its lock', killed_at)
        self.witness.wait_for('flash')
        self.assertEqual(self.holders(), {'board': 'lab #2 / test', 'version[other]': 'lab #2'})

        # while its group waits for the board; it is the older request's turn again
        mark = self.master.mark()
        started_at = time.monotonic()
        self.start_worker(victim)
        self.master.wait_for('lab #3 / test waits for board', mark)
        self.figure('a started worker, until its group is in line', started_at)
        self.cut_off(victim)
        self.master.wait_for('lab #3 / test stopped waiting for board', mark)
        self.master.wait_for(r'lab #3 released version\[main\]', mark)
        self.assertEqual(self.holders(), {'board': 'lab #2 / test', 'version[other]': 'lab #2'})
        self.finish([main, other, pending])

        # while nothing runs
        mark = self.master.mark()
        self.start_worker(victim)
        self.wait_for_workers(victim, after=mark)
        self.cut_off(victim)
        self.finish([self.request('main')])
        self.assertEqual(self.results(), ['retry', 'success', 'retry', *['success'] * 3])

    def test_master(self):
        """A master that is killed holds nothing when it starts, and builds all that it did not."""
        brids = self.fill()
        (lockid,) = [row['lockid'] for row in self.get('locks') if row['name'] == 'version']
        words = {'of': 'desk', 'until': time.time() + 3600, 'reason': 'mine', 'version': '0-0-0'}
        hold = self.do(f'locks/{lockid}', 'hold', **words)

        # while one holds the board, one waits for it, a request pends, and a person holds a branch
        killed_at = time.monotonic()
        self.master.kill()
        self.witness.wait_until_gone(self.flash)
        self.figure('a killed master, until the worker has ended the command', killed_at)
        started_at = time.monotonic()
        self.start_master()
        self.figure('its start', started_at)
        flash = self.witness.wait_for('flash')
        self.figure('from its start until a command runs again', started_at)
        self.assertEqual(self.results()[:2], ['retry', 'retry'])
        self.assertEqual(self.holders()['board'], f'{flash.words.build.replace("#", " #")} / test')
        self.witness.let_all_go()
        self.wait_until_complete(brids)
        self.assertEqual(self.holders(), {'version[desk]': 'anonymous, by hand'})
        brid = self.request('desk')
        self.master.wait_for(rf'request {brid} of lab waits for version\[desk\]', 0)
        (copy,) = self.get(f'locks/{lockid}/copies?name=version[desk]')
        words = {'holdid': hold['holdid'], 'version': copy['version']}
        self.do(f'copies/{copy["copyid"]}', 'release', **words)
        self.finish([brid])
        self.assertEqual(self.results(), ['retry', 'retry', *['success'] * 4])


class StandsStill(RealLab):
    def test_worker(self):
        """A worker that stands still keeps what it has until it goes on."""
        brids = self.fill()
        (other_worker,) = set(WORKERS) - {self.flash.words.worker}

        # while it holds the board: that its command has ended is not known
        self.freeze(self.flash.words.worker)
        self.flash.let_go()
        self.witness.wait_until_gone(self.flash)
        self.assertEqual(self.holders()['board'], 'lab #1 / test')
        self.go_on(self.flash.words.worker)
        measure = self.witness.wait_for('measure')

        # while its group waits for the board: it is granted, and used when the worker goes on
        self.freeze(other_worker)
        measure.let_go()
        self.master.wait_for('lab #2 / test was granted board')
        self.assertEqual(self.holders()['board'], 'lab #2 / test')
        self.assertEqual(self.witness.running(), [])
        self.go_on(other_worker)
        self.finish(brids)

        # while nothing runs: a build begins there, and goes on when the worker does
        for name in WORKERS:
            self.freeze(name)
        mark = self.master.mark()
        brid = self.request('main')
        self.master.wait_for('pinging the worker', mark)
        self.assertEqual(self.holders(), {'version[main]': 'lab #4'})
        for name in WORKERS:
            self.go_on(name)
        self.finish([brid])
        self.assertEqual(self.results(), ['success'] * 4)
