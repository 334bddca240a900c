# SPDX-License-Identifier: GPL-2.0-only
"""Workers that are frozen for long or restarted meanwhile, and what outlives them."""

from __future__ import annotations

import threading
import time

from buildbot.test.util.reallab import WORKERS
from buildbot.test.util.reallab import RealLab

STANDS_STILL = 120  # seconds


class StandsStill(RealLab):
    """A worker process is frozen, and later thawed or replaced."""

    def hold_and_wait(self) -> None:
        self.brids = self.fill()
        self.worker = self.flash.words.worker
        (self.other_worker,) = set(WORKERS) - {self.worker}

    def stand_still(self, name: str) -> None:
        held = self.holders()
        self.freeze(name)
        threading.Event().wait(STANDS_STILL)
        self.assertEqual(self.holders(), held)
        self.assertEqual(self.master.lines(f'Worker {name} disconnected'), [])
        self.go_on(name)

    def test_while_it_holds(self):
        """The master does not notice, nobody else gets the board, and the step goes on."""
        self.hold_and_wait()
        self.stand_still(self.worker)
        went_on_at = time.monotonic()
        self.flash.let_go()
        self.witness.wait_for('measure')
        self.figure('a worker that goes on, until its next step runs', went_on_at)
        self.finish(self.brids)
        self.assertEqual(self.results(), ['success'] * 3)

    def test_while_it_waits(self):
        """A group that waits stays in line; meanwhile others get the board."""
        self.hold_and_wait()
        self.stand_still(self.other_worker)
        self.finish(self.brids)
        self.assertEqual(self.results(), ['success'] * 3)

    def test_while_nothing_runs(self):
        """A worker without a build is as it was."""
        self.stand_still('w1')
        self.finish([self.request('main'), self.request('other')])
        self.assertEqual(self.results(), ['success'] * 2)

    def test_kicked(self):
        """A build that is stopped meanwhile keeps its locks until the worker goes on."""
        self.hold_and_wait()
        self.freeze(self.worker)
        self.do('builds/1', 'stop', reason='it hangs')
        self.master.wait_for('stopping build')
        threading.Event().wait(10)
        self.assertEqual(self.holders()['board'], 'lab #1 / test')
        self.go_on(self.worker)
        self.witness.let_all_go()
        self.wait_until_complete(self.brids[:1], results=6)
        self.wait_until_complete(self.brids[1:])
        self.assert_nothing_left()

    def test_second_of_its_name(self):
        """If another worker starts in its place, its builds are retried, and the board goes on."""
        self.hold_and_wait()
        self.freeze(self.worker)
        frozen = self.workers[self.worker]
        started_at = time.monotonic()
        self.start_worker(self.worker)
        self.master.wait_for('lab #1 / test released board')
        self.figure(
            'a worker started in place of one that stands still, until it is let', started_at
        )
        # its command still runs; only the frozen worker could end it
        self.assertEqual(self.witness.running()[0].build, 'lab#1')
        self.flash.kill()
        frozen.kill()
        self.finish(self.brids)
        self.assertEqual(self.results()[0], 'retry')


class Orphan(RealLab):
    """A command outlives its worker process."""

    def test_command_of_a_killed_worker(self):
        """The command of a killed worker goes on, though another build has the board."""
        brids = self.fill()
        self.workers[self.flash.words.worker].kill()
        self.witness.wait_for('flash')
        (clash,) = self.witness.clashes
        self.assertEqual(clash, 'flash of lab#2 began while flash of lab#1 ran')
        self.witness.clashes.clear()
        self.start_worker(self.flash.words.worker)
        self.finish(brids)
