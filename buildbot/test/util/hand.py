# SPDX-License-Identifier: GPL-2.0-only
"""A lab in which people do things with locks."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.data import resultspec
from buildbot.plugins import steps
from buildbot.process.results import SUCCESS
from buildbot.test.util.integration import TestedMaster
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase

MINUTE, HOUR = 60, 3600


class HandTestCase(LabTestCase):
    """Builders that need the board of their worker for a group, on one worker or several."""

    @defer.inlineCallbacks
    def start(
        self, board: Any, workers: Any = ('w1',), builders: Any = ('fw',), **config: Any
    ) -> Any:
        """Start a master whose builders have a group that takes a board exclusively."""
        self.gate = Gate()
        self.board = board
        self.words: dict[str, Any] = {'lateBinding': False, **config}
        self.lab: dict[str, dict[str, Any]] = {name: {'steps': [self.group()]} for name in builders}
        yield self.setup_lab(
            self.lab,
            workers=[self.createLocalWorker(w, max_builds=200) for w in workers],
            **self.words,
        )

    def start_anew(self, board: Any) -> Any:
        """Read a configuration that says something else of the board."""
        self.board = board
        self.lab = {name: {'steps': [self.group()]} for name in self.lab}
        return self.reconfig_master(self.lab_config(self.lab, **self.words))

    def group(self) -> Any:
        return steps.StepGroup(
            name='test',
            locks=[self.board.access('exclusive')],
            steps=[GatedStep(self.gate, name='flash')],
        )

    def add_builders(self, **builders: Any) -> Any:
        """Add builders.

        :param builders: for each name, its ``locks``, and those of its second step, ``of_step``.
        """
        for name, words in builders.items():
            first = GatedStep(self.gate, name='first')
            second = GatedStep(self.gate, name='second', locks=words.get('of_step', []))
            self.lab[name] = {'steps': [first, second], 'locks': words.get('locks', [])}
        return self.reconfig_master(self.lab_config(self.lab, **self.words))

    def stop(self) -> defer.Deferred[None]:
        """Stop the master; the one that ``restart`` starts begins with its database."""
        self.database.hand_on()
        return self.tested_master.shutdown()

    @defer.inlineCallbacks
    def restart(self, **config: Any) -> Any:
        """Start another master with the database of this one, which is stopped if it runs."""
        basedir = self.master.basedir
        if not self.tested_master.is_master_shutdown:
            yield self.stop()
        self.gate.running.clear()
        self.lab_workers = [
            self.createLocalWorker(w.name, max_builds=200) for w in self.lab_workers
        ]
        words = {**self.words, **config}
        self.tested_master = TestedMaster()
        self.master = yield self.tested_master.create_master(
            self, self.reactor, self.lab_config(self.lab, **words), basedir
        )
        self.settle()

    def end_steps(self, *builders: str) -> None:
        """Let the running step of each of these builders end."""
        for name in builders:
            [at] = [at for at in self.gate.running if at[0].builder.name == name]
            self.gate.running.remove(at)
            at[1].callback(SUCCESS)
            self.settle()

    @defer.inlineCallbacks
    def assert_untouched(self, of: str | None = 'w1') -> Any:
        """Fail if anybody holds the copy or waits for it, by hand or not."""
        row = yield self.copy_row(of)
        if row is not None:  # something may keep it in use a little longer
            self.assertEqual((row['version'], row['waiting']), ('0-0-0', 0))

    @defer.inlineCallbacks
    def get(self, *path: Any, **words: Any) -> Any:
        """Ask the data API."""
        rows = yield self.master.data.get_with_resultspec(path, resultspec.ResultSpec(**words))
        return rows

    @defer.inlineCallbacks
    def lockid(self) -> Any:
        return (yield self.master.db.locks.find_lock_id(self.board.name))

    @defer.inlineCallbacks
    def copy_row(self, of: str | None = 'w1') -> Any:
        """Return the row of a copy; None if nobody uses it."""
        rows = yield self.get('locks', (yield self.lockid()), 'copies')
        return next((row for row in rows if row['worker'] == of or of is None), None)

    @defer.inlineCallbacks
    def act(self, who: str, action: str, of: str | None = 'w1', **words: Any) -> Any:
        """Do something by hand, having looked at the copy right before.

        :returns: Deferred of the answer.
        """
        if 'version' not in words:
            row = yield self.copy_row(of)
            words['version'] = '0-0-0' if row is None else row['version']
        path = ('locks', (yield self.lockid()))
        answer = yield self.master.data.control(
            action, {'of': of, 'owner': who, 'reason': 'why not', **words}, path
        )
        self.settle()
        return answer

    def hold(self, who: str, of: str | None = 'w1', **words: Any) -> Any:
        """Hold the copy by hand, for an hour if nothing else is said."""
        until = self.reactor.seconds() + HOUR
        return self.act(who, 'hold', of, **{'until': until, 'reason': 'on my desk', **words})

    @defer.inlineCallbacks
    def refused(self, d: Any) -> Any:
        """Return the sentence with which something is refused."""
        answer = yield d.addErrback(lambda why: [why.value])
        self.assertIsInstance(answer, list, 'it was not refused')
        return str(answer[0])

    @defer.inlineCallbacks
    def actions(self) -> Any:
        """Return what was done, as pairs of action and text, the oldest first."""
        rows = yield self.get('locks', (yield self.lockid()), 'actions')
        return [(row['action'], row['text']) for row in rows]
