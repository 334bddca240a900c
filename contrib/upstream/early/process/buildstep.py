# SPDX-License-Identifier: GPL-2.0-only
"""A step before ``checkconfig`` looks into builders, and before there are pools."""

from __future__ import annotations

from typing import Any

from twisted.internet import defer
from twisted.python.reflect import accumulateClassList

from buildbot import config
from buildbot.config.locks import problems_of
from buildbot.locking.copy import CircleError
from buildbot.locking.copy import LockClaim
from buildbot.process.limits import limit_hold
from buildbot.process.locklog import LockLog
from buildbot_overlay import release

upstream = release(__name__)


class BuildStep(upstream.BuildStep):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: since when it has waited for its locks and held them
        self.lock_log: LockLog = LockLog()
        for problem in problems_of(self.locks):
            config.error(f'{self.own_words}: {problem}')

    @defer.inlineCallbacks
    def _render_renderables(self) -> Any:
        if self._name_too_long:
            self.why_not_run = self._name_too_long
            raise ValueError(self._name_too_long)
        names: list[str] = []
        accumulateClassList(type(self), 'renderables', names)
        # a dict, because a class may name a renderable that its base names, too
        values = {name: getattr(self, name) for name in names}
        yield self._set_rendered(values, [self.build.render(value) for value in values.values()])
        if callable(self.doStepIf):
            does_step = defer.maybeDeferred(self.doStepIf, self)
            self.doStepIf = bool((yield self.ask('its doStepIf', does_step)))

    def _render_again(self) -> defer.Deferred[Any]:
        # no attribute needs the locks for being rendered yet
        return defer.succeed(None)

    @defer.inlineCallbacks
    def _update_summary_impl(self) -> Any:
        text = self._why_no_work()
        if text is not None and self.stepid is not None:
            yield self.master.data.updates.setStepStateString(self.stepid, text)
            return

        yield super()._update_summary_impl()

    def _begin_to_hold(self, claim: LockClaim) -> None:
        self._log_locks(self.lock_log.granted)
        self._limit = limit_hold(self, claim)

    def _tell_deadlock(self, error: CircleError) -> None:
        self.lock_log.is_in_deadlock()
        assert error.lock is not None
        error.lock.report('circle', f'{self.lock_name()} fails: {error}')

    def releaseLocks(self) -> None:
        """Release the locks that the step holds. Calling it again does nothing."""
        for lock, access in self._locks_to_acquire:
            lock.release(self, access)
