# SPDX-License-Identifier: GPL-2.0-only
"""New: a master that shuts down, is started again or killed, and another one beside it."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer

from buildbot.process.results import SUCCESS
from buildbot.test.util.elsewhere import claim_elsewhere
from buildbot.test.util.elsewhere import complete_elsewhere
from buildbot.test.util.integration import TestedMaster
from buildbot.test.util.memorydb import known_database
from buildbot.test.util.storm.changes import Changes
from buildbot.test.util.storm.requests import some


class Masters(Changes):
    """What happens to masters.

    :ivar taken_by_other: the requests that another master has claimed.
    """

    def make_lab(self, configuration: dict[str, Any]) -> defer.Deferred[Any]:
        self.taken_by_other: list[int] = []
        return super().make_lab(configuration).addCallback(self._has_started)

    def _has_started(self, _: Any) -> None:
        self.watch()
        # all paths are known now: Buildbot would put them in order again at each look
        self.master.data.matcher._dirty = False
        self.keep_version()

    def on_shut_down(self, only_if_busy: bool) -> str | None:
        if self.is_shutting_down() or self.shutdown:
            return None
        if only_if_busy and not self.running():
            return None
        self.shutdown = [False]
        d = self.master.botmaster.cleanShutdown(stopReactor=False)
        d.addCallback(self._shut_down, self.master)
        return 'when all builds have ended'

    def _shut_down(self, _: Any, master: Any) -> None:
        if master is self.master:
            self.shutdown = [True] if master.botmaster.shuttingDown else []
            if not self.shutdown:
                self.poke_all()

    def on_go_on(self) -> str | None:
        if not self.master.botmaster.shuttingDown:
            return None
        self.master.botmaster.cancelCleanShutdown()
        return 'after all'

    def on_restart(self) -> str:
        """Stop the master, and start another one with its database."""
        self.database.hand_on()
        self.stop_master()
        self.start_again()
        return ''

    def on_kill(self) -> str:
        """Start another master with what is in the database now."""
        left = self.at_once(self.master.db.pool.do(known_database().take_copy))
        self.stop_master()
        known_database().begin_with(left)
        self.start_again()
        return ''

    def stop_master(self) -> None:
        """Stop the master, whose user has no time to think then."""
        if self.tested_master.is_master_shutdown:
            return
        self.write_all()
        self.is_stopping = True
        while self.questions:
            self.questions.pop(0)[1].callback('yes')
        stopped = self.tested_master.shutdown()
        for controller in self.controllers.values():
            if controller.starting:  # it is waited for
                self.at_once(controller.start_instance(False))
        self.let_time_go(60)  # an instance takes its time to stop, too
        self._end_steps(stopped)
        if self.taken_by_other and not stopped.called:
            # a build waits for one of another master, which hears that it is cancelled; what is
            # written now is not known to a master that starts with an older database
            for brid in self.taken_by_other:
                complete_elsewhere(self, brid)
            self.let_time_go(60)
            self._end_steps(stopped)
        self.at_once(stopped)

    def _end_steps(self, stopped: defer.Deferred[Any]) -> None:
        # they always run
        while self.gate.running and not stopped.called:
            self.gate.running.pop(0)[1].callback(SUCCESS)
            self.settle()

    def start_again(self) -> None:
        """Start another master behind the one that has been stopped."""
        self.is_stopping = False
        self.gate.running.clear()
        self.shutdown = []
        self.versions.clear()
        self.forget_copies()
        self.make_workers()
        basedir = self.master.basedir  # the name of the master has it in it
        self.tested_master = TestedMaster()
        started = self.tested_master.create_master(self, self.reactor, self.config(), basedir)
        self.master = self.at_once(started)
        self.addCleanup(self.stop_master)  # before what Buildbot does in the end
        self.at_once(self.master.masterHeartbeatService.disownServiceParent())
        self._has_started(None)
        self.unheard.clear()
        claimed = self.rows('buildrequests', complete=False, claimed=True)
        known = {row['buildrequestid'] for row in claimed}
        self.taken_by_other = [brid for brid in self.taken_by_other if brid in known]
        self.poke_all()

    def on_other_master(self, which: int, is_told: bool) -> str | None:
        row = some(which, self.pending())
        if row is None:
            return None
        brid = row['buildrequestid']
        if not claim_elsewhere(self, brid, is_told):
            return f'comes too late for request {brid}'
        self.taken_by_other.append(brid)
        if not is_told:
            self.unheard.add(brid)
        return f'takes request {brid}{"" if is_told else ", but nobody hears of it"}'

    def on_other_master_done(self, which: int, gives_back: bool) -> str | None:
        brid = some(which, self.taken_by_other)
        if brid is None:
            return None
        complete_elsewhere(self, brid, gives_back)  # if that cannot be written, it is still taken
        self.taken_by_other.remove(brid)
        self.unheard.discard(brid)
        return f'{"gives back" if gives_back else "has done"} request {brid}'

    def done_elsewhere(self) -> None:
        """Let the other master complete what it has taken."""
        self.unheard.clear()
        while self.taken_by_other:
            complete_elsewhere(self, self.taken_by_other.pop())
