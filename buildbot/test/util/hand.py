# SPDX-License-Identifier: GPL-2.0-only
"""A lab in which people do things with locks."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.data import resultspec
from buildbot.plugins import steps
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
        group = steps.StepGroup(
            name='test',
            locks=[board.access('exclusive')],
            steps=[GatedStep(self.gate, name='flash')],
        )
        self.lab = {name: {'steps': [group]} for name in builders}
        yield self.setup_lab(
            self.lab,
            workers=[self.createLocalWorker(w, max_builds=200) for w in workers],
            **{'lateBinding': False, **config},
        )

    @defer.inlineCallbacks
    def get(self, *path: Any, **words: Any) -> Any:
        """Ask the data API."""
        rows = yield self.master.data.get_with_resultspec(path, resultspec.ResultSpec(**words))
        return rows

    @defer.inlineCallbacks
    def lockid(self) -> Any:
        rows = yield self.get('locks')
        return next(row['lockid'] for row in rows if row['name'] == self.board.name)

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
