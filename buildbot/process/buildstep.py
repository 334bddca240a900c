# SPDX-License-Identifier: GPL-2.0-only
"""A step may be in a group, shares the locks held around it, and always gives back its own."""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Iterable
from typing import Iterator
from typing import Mapping
from typing import Protocol

from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure
from twisted.python.reflect import accumulateClassList

from buildbot import config
from buildbot import util
from buildbot.config.fileline import line_that_runs
from buildbot.config.locks import problems_of
from buildbot.db import model_config
from buildbot.interfaces import IRenderable
from buildbot.locking.copy import CircleError
from buildbot.locking.copy import LockClaim
from buildbot.locking.owner import key_of
from buildbot.locks import LockError
from buildbot.locks import LockOwner
from buildbot.process.eye.waitrows import WaitRows
from buildbot.process.eye.words import plain
from buildbot.process.hand.failures import tell_release
from buildbot.process.heldresources import resources_in_words
from buildbot.process.limits import Limit
from buildbot.process.limits import limit_hold
from buildbot.process.limits import limit_wait
from buildbot.process.lockfacts import Facts
from buildbot.process.lockfacts import facts_of
from buildbot.process.locklog import LockLog
from buildbot.process.locks import get_real_locks_from_accesses
from buildbot.process.locks import names_of_locks
from buildbot.process.questions import endable
from buildbot.process.rendering import first_cause
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import statusToString
from buildbot.process.stepproperties import StepProperties
from buildbot.util.eventual import eventually
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.worker.protocols.base import Connection

upstream = release(__name__)

#: the name of the log of a step that was ended because of a deadlock
DEADLOCK = 'deadlock'

#: the attributes that describe a step in its row
DESCRIPTIONS = frozenset({'description', 'descriptionDone', 'descriptionSuffix'})

#: the step whose code runs: steps that it adds to its build come right after it
step_that_runs: ContextVar[BuildStep | None] = ContextVar('step_that_runs', default=None)


def __getattr__(name: str) -> Any:
    if name == 'StepGroup':  # its module imports this one, so it is imported only when needed
        from buildbot.plugins import steps

        return steps.StepGroup
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


class _BuildStepFactory(upstream._BuildStepFactory):
    """Makes a step for each build, with the same arguments. It is not a step."""

    # compared in addition to those of the base: two classes may have the same arguments
    compare_attrs = ('step_class', 'added_steps')

    __hash__ = upstream._BuildStepFactory.__hash__

    def __init__(self, step_class: type[BuildStep], *args: Any, **kwargs: Any) -> None:
        super().__init__(step_class, *args, **kwargs)
        #: the steps added to a group after it was made
        self.added_steps: list[Any] = []
        #: the line of the configuration that made the factory; None if no line did
        self.written_at = line_that_runs()

    def __eq__(self, other: object) -> bool:
        return is_equal(self, other)

    def __ne__(self, other: object) -> bool:
        return not is_equal(self, other)


def is_equal(one: Any, other: Any) -> bool:
    """Tell whether the arguments of two step factories are equal, also in nested groups.

    A stack is used because recursion would fail after some hundred nested groups. Renderables are
    compared by their parts, because their ``==`` makes another renderable.
    """
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if one is other:
            continue
        if isinstance(one, util.ComparableMixin) and (
            IRenderable.providedBy(one)
            or isinstance(one, _BuildStepFactory)
            or type(one).__eq__ is util.ComparableMixin.__eq__
        ):
            is_comparable, one, other = one._cmp_common(other)
            if not is_comparable:
                return False
        elif type(one) is not type(other) or not isinstance(one, (dict, list, tuple)):
            if IRenderable.providedBy(other) or not (one == other):
                return False
            continue
        if len(one) != len(other):
            return False
        if isinstance(one, dict):
            if one.keys() != other.keys():
                return False
            pairs += [(value, other[key]) for key, value in one.items()]
        else:
            pairs += zip(one, other)
    return True


class Group(Protocol):
    """All that a step knows about the group around it. ``StepGroup`` implements it.

    :ivar path: prefix of the names of the group's steps, before a slash.
    :ivar workdir: directory of the steps that have none of their own.
    """

    path: str
    workdir: Any

    def give_defaults(self, step: BuildStep) -> None:
        """Set the attributes that a rendered step leaves to the group, such as ``env``."""

    def add_steps(self, step_factories: list, after: BuildStep) -> None:
        """Run more steps right after a step of the group, or as soon as they can."""


class BuildStep(upstream.BuildStep, LockOwner):
    """A step of a build. It is not a command: it may run several of them, or none."""

    #: the group that this step is in, or None for a step of the build itself
    step_group: Group | None = None

    #: the worker's lane in which the step's commands run
    worker_lane = 0

    #: what this kind of step is called in messages
    kind_of_step = 'step'

    #: names of the worker locks that the configuration gives to it or to a step in it
    worker_lock_names: frozenset[str] | set[str] = frozenset()

    # the text of its row while it waits for its locks
    _waiting_summary = ''
    # the claim of its locks; None before there is one
    _claim: LockClaim | None = None

    # the limit of its wait, and later of its hold; None before it has one
    _limit: Limit | None = None

    #: why it could not run, or not to its end, without fault of its worker; None if it could. Its
    #: row shows this instead of the usual summary.
    why_not_run: str | None = None

    # the result given to it when it was ended from outside; None if it was not
    _ended_with: int | None = None

    _name_too_long: str | None = None

    # the resources of pools that its own claim holds or held, in words
    _resources = ''

    # the unrendered attributes that ask for the step's resources of a pool, until it has them
    _to_render_again: Mapping[str, Any] = MappingProxyType({})

    #: whether it has begun and has not completely ended
    is_at_work = False

    # fires when its locks have been found; None if they are not being looked for
    _finding_locks: defer.Deferred[Any] | None = None

    # fires with the answer of the user's code; None if nothing is asked
    _asked: defer.Deferred[Any] | None = None

    #: the question that the user's code has not answered yet, and since when; or None
    unanswered: tuple[str, float] | None = None

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lock_log: LockLog = LockLog()
        self._report(problems_of(self.locks))

    def _report(self, problems: list[str]) -> None:
        if problems and line_that_runs() is not None:
            return  # it is reported with its builder after the configuration has been read
        for problem in problems:
            config.error(f'{self.own_words}: {problem}')

    @property
    def own_words(self) -> str:
        """Its kind and name in messages, without the build or group around it."""
        return f'{self.kind_of_step.split()[-1]} {self.name!r}'

    def setBuild(self, build: Any) -> None:
        super().setBuild(build)
        self.lock_parent = build

    def group_to_add_to(self) -> Group | None:
        """Return the group for steps added by this one; None if they go to the build."""
        return self.step_group

    @property
    def workdir(self) -> Any:
        """The directory of the step, or else of a group around it, or else of the build."""
        if self._workdir is None and self.step_group is not None:
            return self.step_group.workdir
        return upstream.BuildStep.workdir.fget(self)

    @workdir.setter
    def workdir(self, workdir: str | None) -> None:
        self._workdir = workdir

    @defer.inlineCallbacks
    def _render_name(self) -> Any:
        if not IRenderable.providedBy(self.name):
            return
        try:
            self.name = yield self.ask('its name', self.render(self.name))
        except upstream.BuildStepCancelled:
            self.name = type(self).__name__  # its row shows why it does not run

    @defer.inlineCallbacks
    def addStep(self) -> Any:
        yield self._render_name()
        prefix = self.step_group.path if self.step_group is not None else ''
        if prefix:
            path = f'{prefix}/{self.name}'
            limit = model_config.step_name_length
            if len(path) > limit:
                # it still gets a row, which shows why it does not run
                self._name_too_long = (
                    f'the path {path!r} is longer than the {limit} characters that the name of a'
                    ' step may have'
                )
            self.name = path[:limit]
        yield super().addStep()

    @defer.inlineCallbacks
    def _interrupt_impl(self, reason: str | Failure) -> Any:
        if self._asked is not None:
            eventually(self._asked.cancel)  # the user's code may never answer
        if self.stepid is None and not self._acquiringLocks:
            self.stopped = True  # it has no row yet, and so no log for the reason
            return

        if self._finding_locks is not None:
            eventually(self._finding_locks.cancel)  # neither may a renderable of its locks
        try:
            yield super()._interrupt_impl(reason)
        except Exception as e:
            # the log could not be written, but the command must be interrupted all the same
            log.err(e, f'while interrupting {self.lock_name()}')
            yield self._maybe_interrupt_cmd(reason)

    @defer.inlineCallbacks
    def startStep(self, remote: Connection) -> Any:
        step_that_runs.set(self)  # for this method and its calls only: each has its own context
        self.is_at_work = True
        try:
            results = yield super().startStep(remote)
        except Exception:
            self.build.has_lost_rows = True
            raise
        finally:
            # an error in the master (such as in its database) may skip the step's own cleanup
            self.is_at_work = False
            self.releaseLocks()
            self.build.step_ended()
        return results

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
        properties = self.build.getProperties()
        looks = {name: StepProperties(properties, self) for name in values}
        rendered = [looks[name].render_early(value) for name, value in values.items()]
        yield self._set_rendered(values, rendered)
        self.rendered = True
        self._to_render_again = {n: value for n, value in values.items() if looks[n].asked}
        for name in DESCRIPTIONS.intersection(self._to_render_again):
            if getattr(self, name) is values[name]:
                setattr(self, name, None)  # it is not text yet, so the row cannot show it
        if callable(self.doStepIf):
            does_step = defer.maybeDeferred(self.doStepIf, self)
            self.doStepIf = bool((yield self.ask('its doStepIf', does_step)))

    @defer.inlineCallbacks
    def _set_rendered(self, names: Iterable[str], rendered: list[defer.Deferred[Any]]) -> Any:
        values = yield self.ask('a renderable of it', defer.gatherResults(rendered, True))
        for name, value in zip(names, values):
            setattr(self, name, value)
        if self.step_group is not None:
            self.step_group.give_defaults(self)

    @defer.inlineCallbacks
    def _render_again(self) -> Any:
        # render the attributes that ask for resources of a pool, which are known now
        attributes, self._to_render_again = self._to_render_again, {}
        if not attributes or self.stopped:
            return None  # acquireLocks fires without an error when the step is stopped
        rendered = [self.render(value) for value in attributes.values()]
        try:
            yield self._set_rendered(attributes, rendered)
        except Exception as e:
            cause = first_cause(Failure())
            if cause.check(LockError):
                self.why_not_run = str(cause.value)
                raise cause.value from e
            raise

    def getProperties(self) -> Any:
        """Return the properties of the build, with the step's resources of each pool."""
        properties = super().getProperties()
        return StepProperties(properties, self) if self.pools() else properties

    @defer.inlineCallbacks
    def ask(self, what: str, answer: defer.Deferred[Any]) -> Any:
        """Wait for the answer of the user's code, until the step is interrupted.

        :param what: what the messages call this code.
        :returns: Deferred of the answer; it fails with ``BuildStepCancelled`` if the step is
            interrupted first.
        """
        self._asked = endable(answer, f'{self.lock_name()}: {what}')
        self.unanswered = (what, self.master.reactor.seconds())
        if self.stopped:
            eventually(self._asked.cancel)  # the stop came before the question
        try:
            return (yield self._asked)
        except Exception as e:
            if self.stopped and first_cause(Failure()).check(defer.CancelledError):
                if self.why_not_run is None:
                    self.why_not_run = f'{what} had not answered when it was stopped'
                raise upstream.BuildStepCancelled from e
            raise
        finally:
            self._asked = self.unanswered = None

    @defer.inlineCallbacks
    def _update_summary_impl(self) -> Any:
        text = self._why_no_work()
        if text is None and self._resources:
            text = yield self._summary_with_resources()
        if text is not None and self.stepid is not None:
            yield self.master.data.updates.setStepStateString(self.stepid, text)
            return

        yield super()._update_summary_impl()

    @defer.inlineCallbacks
    def _summary_with_resources(self) -> Any:
        say = self.getCurrentSummary if self._running else self.getResultSummary
        summary = yield say()
        if not isinstance(summary, dict) or not isinstance(summary.get('step'), str):
            return None  # an error that Buildbot reports
        verb = 'holds' if self.results is None else 'had'
        text = f'{summary["step"]} ({verb} {self._resources})'
        return self.build.properties.cleanupTextFromSecrets(text)

    @defer.inlineCallbacks
    def getBuildResultSummary(self) -> Any:
        why = self._why_no_work()
        if why is not None:
            assert isinstance(self.updateBuildSummaryPolicy, list)
            tells_build = self.results in self.updateBuildSummaryPolicy
            return {'step': why, 'build': why} if tells_build else {'step': why}
        return (yield super().getBuildResultSummary())

    def _why_no_work(self) -> str | None:
        # the text of its row instead of the usual summary; None if there is nothing special
        why = None
        if self._waitingForLocks and self.results is None:
            why = self._waiting_summary
        elif self.why_not_run is not None and not self._running:
            why = f'{self.why_not_run} ({statusToString(self.results)})'
        return why and self.build.properties.cleanupTextFromSecrets(why)

    @property
    def is_finding_locks(self) -> bool:
        """Whether its locks are still being looked for."""
        return self._finding_locks is not None

    @property
    def spares_worker(self) -> bool:
        """Whether an exception in it must not put its worker in quarantine."""
        return self.why_not_run is not None

    def locks_in_the_way(self) -> str:
        """Say which of its locks the step cannot have now, and who holds them."""
        claim = self._claim
        assert claim is not None
        locks = claim.refused() or [lock for lock, _ in claim.accesses]
        return '; '.join(lock.describe_holders(self) for lock in locks)

    @defer.inlineCallbacks
    def _setup_locks(self) -> Any:
        if self.stopped:
            raise upstream.BuildStepCancelled  # the worker, whose locks are meant, may be gone
        finding = get_real_locks_from_accesses(self.locks, self.build)
        d = self._finding_locks = endable(finding, f'{self.lock_name()}: a renderable of its locks')
        d.addErrback(self._cannot_have_locks)
        self._locks_to_acquire = yield d
        self._finding_locks = None
        if not self._locks_to_acquire:
            yield self._render_again()

    def lock_name(self) -> str:
        return f'{self.kind_of_step} {self.name!r} of {self.build.lock_name()}'

    def short_name(self) -> str:
        return f'{self.build.lock_name()} / {self.name}'

    def lock_facts(self) -> Facts:
        """Return the facts about the step, without its locks."""
        return facts_of(self.build)._replace(
            kind=self.kind_of_step.split()[-1],
            stepid=self.stepid,
            step_number=getattr(self, 'number', None),
            path=str(self.name),
        )

    @property
    def waits_for_builds(self) -> bool:
        """Whether it only waits for builds that it has triggered, and leaves the worker idle."""
        return False

    @property
    def lock_worker(self) -> str | None:
        """The worker of its build."""
        return self.build.lock_worker

    @property
    def keeps_place(self) -> bool:
        """Whether others may wait for the place of its build on the worker."""
        return self.build.keeps_place

    def other_waits(self) -> Iterator[Any]:
        """Yield the waits of the requests that it, or a step in it, waits for."""
        own = key_of(self)
        return (wait for wait in self.build.other_waits() if own in wait.keeps())

    @property
    def lock_priority(self) -> int:  # type: ignore[override]  # others set theirs
        """The priority of the build's request."""
        return self.build.lock_priority

    def _log_locks(self, write: Callable[..., None], **words: Any) -> None:
        if self._locks_to_acquire:
            write(self, self._locks_to_acquire, self.master.reactor.seconds(), **words)

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
                self._begin_to_hold(claim)
                return self._render_again()
            self._begin_to_wait()
            d = claim.wait()
            self._acquiringLocks = [(claim, None, d)]
            self._limit = limit_wait(self, claim)
            self._tell_wait(claim)
        except LockError:
            d = defer.fail()
        d.addErrback(self._cannot_have_locks)
        d.addCallback(self._has_waited)
        d.addCallback(lambda _: self._render_again())
        return d

    def addTestResultSets(self) -> defer.Deferred[None]:
        """Let a subclass say what it will report, or the step end if it has been stopped.

        The stop may have come while it was being written that the step has its locks.
        """
        return defer.fail(upstream.BuildStepCancelled()) if self.stopped else defer.succeed(None)

    def _begin_to_wait(self) -> None:
        self._log_locks(self.lock_log.waits)
        self._waitingForLocks = True
        # the whole text if there are too many waits to describe each of them
        self._waiting_summary = f'waiting for {plain(names_of_locks(self._locks_to_acquire))}'
        self.updateSummary()
        # A subclass may override interrupt to stop its work (such as the builds that it has
        # triggered). For a step that has not begun, interrupting only means ending the wait. So the
        # method is replaced until the wait is over: Buildbot's Build calls it in the middle of
        # stopBuild and lostRemote, where no other choice can be made. No other method is replaced.
        vars(self)['interrupt'] = partial(BuildStep.interrupt, self)

    @defer.inlineCallbacks
    def _tell_wait(self, claim: LockClaim) -> Any:
        rows = yield WaitRows.getService(self.master)
        if claim.waiting:
            rows.add(claim, self._say_wait)

    def _say_wait(self, sentence: str) -> None:
        self._waiting_summary = sentence
        self.updateSummary()

    def _has_waited(self, _: Any) -> Any:
        self._end_limit()
        self._acquiringLocks = []
        claim = self._claim
        if self.stopped or claim is None:
            return None  # the log of the stop says that it waited
        if not claim.holds:
            return self._fail_after_wait()
        self._wait_no_more()
        self._begin_to_hold(claim)
        return None

    def _begin_to_hold(self, claim: LockClaim) -> None:
        self._resources = resources_in_words(claim)
        self._log_locks(self.lock_log.granted)
        self._limit = limit_hold(self, claim)

    def give_up(self, why: str) -> None:
        """Stop waiting for its locks, and fail for this reason."""
        if self._claim is not None and self._claim.waiting:
            self.why_not_run = why
            self._claim.end()

    @defer.inlineCallbacks
    def _fail_after_wait(self) -> Any:
        self._wait_no_more()
        text = f'{self.kind_of_step} {self.name!r}: {self.why_not_run}\n'
        yield self.addCompleteLog('gave up', text)
        raise upstream.BuildStepFailed

    def end_hold(self, why: str) -> None:
        """Interrupt its work and fail for this reason: it has held its locks for too long."""
        if self.stopped or self.results is not None:
            return  # it is already ending for another reason
        self._ended_with, self.why_not_run = FAILURE, why
        d = defer.maybeDeferred(self.interrupt, why)
        d.addErrback(log.err, f'while interrupting {self.lock_name()}')

    @defer.inlineCallbacks
    def _cleanup_logs(self) -> Any:
        all_success = yield super()._cleanup_logs()
        if self._ended_with is not None and self.results != RETRY:
            self.results = self._ended_with  # instead of CANCELLED, since nobody has cancelled it
        return all_success

    def fail_in_deadlock(self, why: str) -> None:
        """Make an exception its result for this reason, whatever its remaining work comes to."""
        self._ended_with, self.why_not_run = EXCEPTION, why

    @defer.inlineCallbacks
    def addLogWithFailure(self, why: Failure, logprefix: str = '') -> Any:
        cause = first_cause(why)
        if cause.check(CircleError):
            # who waits for whom is more useful than a traceback
            yield self.addCompleteLog(f'{logprefix}{DEADLOCK}', text_of_deadlock(cause.value.waits))
            return

        yield super().addLogWithFailure(why, logprefix)

    def _end_limit(self) -> None:
        if self._limit is not None:
            self._limit.stop()

    def _cannot_have_locks(self, why: Failure) -> Failure:
        self._acquiringLocks = []
        self._wait_no_more()
        cause = first_cause(why)
        if self.stopped and cause.check(defer.CancelledError):
            raise upstream.BuildStepCancelled
        self.why_not_run = str(cause.value)
        if cause.check(CircleError):
            self._tell_deadlock(cause.value)
        if not cause.check(LockError):
            self.why_not_run = f'its locks cannot be determined: {name_and_message(cause)}'
        return why

    def _tell_deadlock(self, error: CircleError) -> None:
        self.lock_log.is_in_deadlock()
        self.master.botmaster.knots.tell(self, error)

    def _wait_no_more(self) -> None:
        if self._waitingForLocks:
            self._waitingForLocks = False
            del self.interrupt
            self.updateSummary()

    def releaseLocks(self) -> None:
        """Release the locks that the step holds. Calling it again does nothing."""
        self._end_limit()
        if self._claim is not None:
            tell_release(self, self._claim)
            self._claim.end()
        self._log_locks(self.lock_log.ended, lost=getattr(self.build, 'is_lost', False))


def name_and_message(why: Failure) -> str:
    """Return the type of an error and its message."""
    why = first_cause(why)
    return f'{why.type.__name__}: {why.getErrorMessage()}'


def text_of_deadlock(waits: Iterable[str], after: float | None = None) -> str:
    """Say which waits could not end, and that this step was ended.

    :param waits: for each wait, a sentence on who waits for what and who has it.
    :param after: the seconds for which something absent could have ended them, by ``stuckAfter``;
        None if nothing could.
    """
    if after is None:
        what, why = 'None of these could ever continue', ''
    else:
        what = f'None of these could continue for {after:g} seconds, because something is away'
        why = " by c['stuckAfter']"
    lines = ''.join(f'- {wait}\n' for wait in waits)
    return f'{what}:\n\n{lines}\nThis step was ended{why}, so that the others can.\n'
