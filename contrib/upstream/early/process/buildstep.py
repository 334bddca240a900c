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
from buildbot.locks import LockError
from buildbot.process.limits import limit_hold
from buildbot.process.locklog import LockLog
from buildbot.process.locks import get_real_locks_from_accesses
from buildbot.process.questions import endable
from buildbot_overlay import release

upstream = release(__name__)


class _BuildStepFactory(upstream._BuildStepFactory):
    # compared in addition to those of the base: two classes may have the same arguments
    compare_attrs = ('step_class',)


class BuildStep(upstream.BuildStep):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lock_log: LockLog = LockLog()
        for problem in problems_of(self.locks):
            config.error(f'{self.own_words}: {problem}')

    def _report(self, problems: list[str]) -> None:
        for problem in problems:
            config.error(f'{self.own_words}: {problem}')

    @defer.inlineCallbacks
    def _render_renderables(self) -> Any:
        if self._name_too_long:
            self.why_not_run = self._name_too_long
            raise ValueError(self._name_too_long)
        if self.stopped and self.why_not_run is not None:
            raise upstream.BuildStepCancelled  # nothing else of it is asked for
        renderables: list[str] = []
        accumulateClassList(self.__class__, 'renderables', renderables)
        # a dict, because a class may name a renderable that its base names, too
        values = {name: getattr(self, name) for name in renderables}
        yield self._set_rendered(values, [self.build.render(value) for value in values.values()])
        self.rendered = True
        if callable(self.doStepIf):
            does_step = defer.maybeDeferred(self.doStepIf, self)
            self.doStepIf = bool((yield self.ask('its doStepIf', does_step)))

    @defer.inlineCallbacks
    def _setup_locks(self) -> Any:
        if self.stopped:
            raise upstream.BuildStepCancelled  # the worker, whose locks are meant, may be gone
        finding = get_real_locks_from_accesses(self.locks, self.build)
        d = self._finding_locks = endable(finding, f'{self.lock_name()}: a renderable of its locks')
        d.addErrback(self._cannot_have_locks)
        self._locks_to_acquire = yield d
        self._finding_locks = None

    def acquireLocks(self, res: Any = None) -> Any:
        """Claim all the step's locks together.

        :returns: Deferred that fires when the locks are held, or when the step is stopped. It fails
            with ``LockError`` if they can never be granted.
        """
        if self.stopped:
            return defer.succeed(None)
        try:
            claim = self._claim = LockClaim(self, self._locks_to_acquire)
            if claim.take_at_once():
                self._log_locks(self.lock_log.granted)
                return defer.succeed(None)
            self._begin_to_wait()
            d = claim.wait()
            self._acquiringLocks = [(claim, None, d)]
            self._tell_wait(claim)
        except LockError:
            d = defer.fail()
        d.addErrback(self._cannot_have_locks)
        d.addCallback(self._has_waited)
        return d

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

    def _has_waited(self, _: Any) -> Any:
        self._acquiringLocks = []
        claim = self._claim
        if self.stopped or claim is None:
            return None  # the log of the stop says that it waited
        self._wait_no_more()
        self._log_locks(self.lock_log.granted)
        return None

    def _tell_deadlock(self, error: CircleError) -> None:
        self.lock_log.is_in_deadlock()
        assert error.lock is not None
        error.lock.report('circle', f'{self.lock_name()} fails: {error}')

    def releaseLocks(self) -> None:
        """Release the locks that the step holds. Calling it again does nothing."""
        if self._claim is not None:
            self._claim.end()
        self._log_locks(self.lock_log.ended, lost=getattr(self.build, 'is_lost', False))
