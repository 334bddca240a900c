# SPDX-License-Identifier: GPL-2.0-only
"""New: a history that happens to a master, event after event, until nothing is left to do."""

from __future__ import annotations

import gc
from typing import Any

from sqlalchemy.exc import OperationalError
from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure

from buildbot.db.buildrequests import NotClaimedError
from buildbot.interfaces import LatentWorkerFailedToSubstantiate
from buildbot.interfaces import LatentWorkerSubstantiatiationCancelled
from buildbot.locking.copy import CircleError
from buildbot.locking.copy import UnitsError
from buildbot.locks import LockError
from buildbot.process.results import SUCCESS
from buildbot.process.workerforbuilder import PingException
from buildbot.test.util.idle import copies_of
from buildbot.test.util.storm.database import DiskFullError
from buildbot.test.util.storm.hands import Hands
from buildbot.test.util.storm.history import History
from buildbot.test.util.storm.user import UserError

#: errors that may be logged, words that they say, and what may have brought them about: events that
#: have happened; ``failure`` of a write; ``latent`` workers; ``stop`` of a master, a moment ago
EXPECTED: tuple[tuple[type[BaseException], str, set[str]], ...] = (
    (UserError, '', {'change_mind', 'answer', 'change_plugin'}),
    (DiskFullError, '', {'failure'}),
    # it has been written when that was tried before
    (NotClaimedError, '', {'failure'}),
    # what ends with its master may ask the database when that has ended
    (OperationalError, 'no such table', {'stop'}),
    (CircleError, '', {'request'}),
    (defer.CancelledError, '', {'change_mind'}),  # builders have been put in order for too long
    (LockError, 'the worker was lost', {'lose', 'change_worker'}),
    (UnitsError, 'can never be granted', {'change_limit'}),
    (PingException, '', {'lose', 'change_worker'}),
    (ValueError, 'unknown triggered scheduler', {'change_builder', 'change_scheduler'}),
    (LatentWorkerFailedToSubstantiate, '', {'latent'}),
    (LatentWorkerSubstantiatiationCancelled, '', {'latent'}),
    (defer.TimeoutError, '', {'latent'}),
)


class StormCase(Hands):
    """A test of a history.

    :ivar told: what has happened so far.
    """

    def setUp(self) -> None:
        self.addCleanup(self._flush_at_last)
        super().setUp()
        self.told: list[str] = []
        #: what may have brought errors about
        self._happened: set[str] = set()

    def _flush_at_last(self) -> None:
        # what ends only when the master does, and what nobody has waited for: that is logged when
        # it is collected, which might be in another test
        gc.collect()
        self._flush_expected()

    def _flush_expected(self) -> None:
        for failure in self.flushLoggedErrors():
            if not self._is_expected(failure):
                log.err(failure)

    def _is_expected(self, failure: Failure) -> bool:
        return any(
            failure.check(kind) and words in str(failure.value) and causes & self._happened
            for kind, words, causes in EXPECTED
        )

    def note_failure(self) -> None:
        super().note_failure()
        self._happened.add('failure')

    def stop_master(self) -> None:
        """Stop the master; what is logged until another one has started may come of that."""
        self._flush_expected()
        self._happened.add('stop')
        super().stop_master()

    def start_again(self) -> None:
        super().start_again()
        gc.collect()
        self._flush_expected()
        self._happened.discard('stop')

    @defer.inlineCallbacks
    def tell(self, history: History) -> Any:
        """Let a history happen, and check after each event that all is as it should be.

        :returns: Deferred that fires when it has come to its end, and all has run out.
        """
        if any(worker['latent'] for worker in history.configuration['workers'].values()):
            self._happened.add('latent')
        yield self.make_lab(history.configuration)
        self.addCleanup(self.stop_master)
        try:
            self.watch_for_leftovers()
            for event in history.events:
                if self.is_shut_down():
                    break
                self.happens(*event)
            self.told.append('the end')
            self.run_out()
        except AssertionError as e:
            e.args = ('\n'.join([*self.told, str(e)]),)
            raise
        finally:
            self._flush_expected()

    def happens(self, name: str, *words: Any) -> None:
        """Let one event happen, and all that comes of it."""
        self.number += 1
        before = {build: self.accesses_of(build) for build in self.running()}
        busy = len(self.plan['builders']) + len(self.pending()) + len(before) + 2
        asks = 4 * busy * len(self.plan['workers'])
        self.begin(looks=4 * busy, claims=4 * busy, asks=asks)
        self.told.append(f'{self.number} {name}')
        self._happened.add(name)
        try:
            what = getattr(self, f'on_{name}')(*words)
        except (DiskFullError, defer.FirstError):
            what = 'cannot be written'
        if what is None:
            self.told.pop()
            return
        self.told[-1] += f' {what}'
        self.settle()
        self.assert_rests()
        self._poke_after({build: locks for build, locks in before.items() if build.finished})
        self.begin()
        self.told[-1] += f' -> runs {" ".join(map(self.tell_build, self.running()))}'
        self.check()

    def _poke_after(self, ended: dict[Any, list[Any]]) -> None:
        if any(ended.values()):
            self.poke_all()  # what a user's method looks at may have changed
        workers = self.master.workers.workers
        names = [build.workername for build in ended]
        self.poke([name for name in names if name in workers and workers[name].conn is not None])

    # the end

    def run_out(self) -> None:
        """Let all be as it was, and fail unless all requests end then, and nothing is left."""
        self.number += 1
        self.begin()
        self.write_all()
        self.answer_all()
        self.settle()
        if self.is_shut_down():
            self.check()
            return
        self.master.botmaster.cancelCleanShutdown()
        self.give_all_back()
        self.pools.clear()
        self.let_time_go(30)  # for what is tried again
        self.change_all_back()
        for worker in self.workers():
            if worker.isPaused():
                self.unpause(worker)
            if self.is_gone(worker):
                self.connect(worker)
        self.done_elsewhere()
        self._end_all_steps()
        self.begin()
        self.let_time_go(3600)
        self.reconfigure()
        self.settle()
        self.assertFalse(self.gate.running, 'something begins by itself')
        rows = self.rows('buildrequests', complete=False)
        left = [row['buildrequestid'] for row in rows]
        self.assertEqual(left, [], 'requests that have never run')
        self.assertEqual(self.running(), [], 'builds that have never ended')
        self.assertEqual(self.master.botmaster._starting_brid_to_cancel, {})
        for copy in copies_of(self.master, self.lockids()):
            self.assertEqual((copy.owners, copy.waiting), ([], []), f'{copy}')

    def _end_all_steps(self) -> None:
        for _ in range(200 + 20 * self.number):
            self.begin()
            self.settle()
            self.assert_rests()
            self.check()
            starting = [c for c in self.controllers.values() if c.starting]
            if starting:
                self.at_once(starting[0].start_instance(True))
            elif self.gate.running:
                self.gate.running.pop(0)[1].callback(SUCCESS)
            elif any(worker.quarantine_timer for worker in self.workers()):
                self.let_time_go(10)  # a worker on which a build could not begin
            else:
                return
