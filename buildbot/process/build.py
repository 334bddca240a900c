# SPDX-License-Identifier: GPL-2.0-only
"""A build holds its locks from before it begins until it has ended, however it ends.

It puts added steps right after the step that adds them, and knows which of its steps triggered a
request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Callable
from typing import Collection
from typing import Container
from typing import Iterable
from typing import Iterator
from typing import Sequence

from sqlalchemy.exc import SQLAlchemyError
from twisted.internet import defer
from twisted.python import log
from twisted.python.failure import Failure

from buildbot.locking.copy import CircleError
from buildbot.locking.copy import LockClaim
from buildbot.locking.copy import LockError
from buildbot.locking.copy import UnitsError
from buildbot.locking.copy import nest_anew
from buildbot.locking.owner import LockOwner
from buildbot.locking.owner import key_of
from buildbot.locking.owner import name_of_request
from buildbot.locking.owner import owner_around_all
from buildbot.locking.owner import owners_around
from buildbot.process import metrics
from buildbot.process.buildstep import step_that_runs
from buildbot.process.eye.waitrows import WaitRows
from buildbot.process.groups.run import always_running
from buildbot.process.groups.run import run_inside
from buildbot.process.hand.failures import tell_release
from buildbot.process.latewrite import end_rows
from buildbot.process.limits import Limit
from buildbot.process.limits import limit_hold
from buildbot.process.limits import limit_wait
from buildbot.process.lockfacts import Facts
from buildbot.process.lockfacts import first_branch
from buildbot.process.locklog import LockLog
from buildbot.process.locks import together
from buildbot.process.rendering import first_cause
from buildbot.process.results import CANCELLED
from buildbot.process.results import EXCEPTION
from buildbot.process.results import FAILURE
from buildbot.process.results import RETRY
from buildbot.process.results import worst_status
from buildbot.process.stepproperties import POOL
from buildbot.process.stepproperties import SOURCE
from buildbot.process.waiting.workerchoice import StepLocks
from buildbot.util import Notifier
from buildbot.worker.lane import Lanes
from buildbot_overlay import release

if TYPE_CHECKING:
    from buildbot.process.buildrequest import BuildRequest
    from buildbot.process.locks import Demand
    from buildbot.process.waiting.reservation import Reservation
    from buildbot.process.workerforbuilder import AbstractWorkerForBuilder

upstream = release(__name__)


class Build(upstream.Build, LockOwner):
    """One run of a builder's steps on a worker, for one or more requests. It is not a request."""

    def __init__(self, requests: list[BuildRequest], builder: Any) -> None:
        super().__init__(requests, builder)
        self._ended: Notifier[None] = Notifier()
        self._properties_lock = defer.DeferredLock()
        # the claim of its locks; the demand, with the worker's locks, if it was claimed before the
        # build began; and why it could not be claimed
        self._claim: LockClaim | None = None
        self._claimed: Demand | None = None
        self._cannot_claim: Failure | None = None
        self.lock_log: LockLog = LockLog()
        # the limit of its wait, and later of its hold; why it gave up waiting; and whether it was
        # stopped because it held its locks for too long
        self._limit: Limit | None = None
        self._gave_up: str | None = None
        self._held_too_long = False
        # fires when its row says what it waits for; None if nothing has been written
        self._saying: defer.Deferred[None] | None = None
        #: the locks that it needs and could not claim before it began
        self.refused: Demand = []
        # whether an exception must not put its worker in quarantine
        self._spares_worker = False
        #: whether the end of a step's row could not be written
        self.has_lost_rows: bool = False
        # whether the metric of active builds counts it, which begins when its locks are known
        self._is_counted = False
        #: the worker locks of its builder's steps
        self.step_locks = StepLocks()
        #: whether a step could not learn the ids of requests that it has triggered
        self.has_lost_requests: bool = False
        # by id, requests that got a look before the step that triggered them knew, if it ever does:
        # the builder to tell if that can have been one of several steps
        self._unknown: dict[int, str | None] = {}
        #: the requests that its steps have triggered and wait for
        self.awaited: set[int] = set()
        # those that they do not wait for any longer, or never did
        self._left_behind: set[int] = set()
        #: the lanes of its worker that its steps use
        self.lanes: Lanes = Lanes()

    @staticmethod
    @defer.inlineCallbacks
    def setup_properties_known_before_build_starts(
        props: Any, requests: Any, builder: Any, workerforbuilder: Any = None
    ) -> Any:
        yield upstream.Build.setup_properties_known_before_build_starts(
            props, requests, builder, workerforbuilder
        )
        # also branch, revision and the like: locks are rendered with them
        upstream.Build.setupBuildProperties(props, requests)
        props.properties.pop('buildnumber', None)  # the build has no number yet

    @defer.inlineCallbacks
    def find_locks(self, workerforbuilder: AbstractWorkerForBuilder) -> Any:
        """Find the locks of the builder for this build, before it begins. Nothing is claimed.

        :param workerforbuilder: the worker that the build is to run on.
        :returns: Deferred. If the locks cannot be determined, the build fails and says why.
        """
        self._bind(workerforbuilder)
        try:
            yield self._setup_locks()
        except SQLAlchemyError:
            raise  # it may be over by the next time
        except Exception:
            self._cannot_claim = Failure()

    def claim_locks(self, workerforbuilder: AbstractWorkerForBuilder) -> bool:
        """Claim the locks that were found, and those of the worker.

        It does not wait: nobody might want the locks any more when a late answer comes.

        :param workerforbuilder: the same worker.
        :returns: whether the build may begin. A build whose locks cannot be determined may begin;
            it then fails and says why.
        """
        if workerforbuilder.worker is None or not self.builder.running:
            return False  # the worker was lost or the builder removed meanwhile
        if self._cannot_claim is not None:
            return True
        demand = together(self._locks_to_acquire, workerforbuilder.worker.locks)
        try:
            claim = LockClaim(self, demand)
            if not claim.take_at_once():
                self.refused = demand
                return False
            self._hold(claim, demand)
        except UnitsError:
            self.refused = demand
            return False
        except Exception:
            self._cannot_claim = Failure()
        return True

    def _bind(self, workerforbuilder: AbstractWorkerForBuilder) -> None:
        self.workerforbuilder = workerforbuilder
        self.lock_priority = max(request.priority for request in self.requests)

    def adopt(self, reservation: Reservation, workerforbuilder: AbstractWorkerForBuilder) -> None:
        """Become the owner of the claim of a reservation, before the build begins.

        :param reservation: one that holds its locks; or one that never can, so that the build fails
            and says why.
        :param workerforbuilder: the worker that the build is to run on.
        """
        self._bind(workerforbuilder)
        if reservation.asked:
            self.lock_parent = reservation.lock_parent
        if reservation.why_never is not None:
            self._cannot_claim = reservation.why_never
        else:
            self._locks_to_acquire = reservation.resolved.of_builder
            self._hold(reservation.hand_over(self), reservation.asked, reservation.lock_log)

    def _hold(self, claim: LockClaim | None, demand: Demand, waited: LockLog | None = None) -> None:
        self._claim, self._claimed = claim, demand
        # the locks are logged when the build has its number
        self.lock_log.holds(self.master.reactor.seconds(), waited)
        self._limit_hold()
        self.get_buildid().addCallback(lambda _: self._log_locks(self.lock_log.granted))

    def _log_locks(self, write: Callable[..., None], **words: Any) -> None:
        if self._demand:
            write(self, self._demand, self.master.reactor.seconds(), **words)

    def _limit_hold(self) -> None:
        if self._claim is not None and self._claim.holds:
            self._limit = limit_hold(self, self._claim)

    def _end_limit(self) -> None:
        if self._limit is not None:
            self._limit.stop()

    def give_up(self, why: str) -> None:
        """Stop waiting for its locks, and fail for this reason."""
        if self._claim is not None and self._claim.waiting:
            self._gave_up = why
            self._claim.end()

    def end_hold(self, why: str) -> None:
        """Stop and fail for this reason, because the build has held its locks for too long."""
        if self.finished or self.stopped:
            return  # it is already ending for another reason
        self._held_too_long = True
        step = self.currentStep
        if always_running(self) is not None:
            # it is already cleaning up: this is not interrupted, and nothing else begins
            self.stopped_reason, self.terminate, self.results = why, True, FAILURE
            group: Any = step
            if not group.alwaysRun:
                group.end_hold(why)  # the cleanup is a step in this group
            return
        if step is not None and step.results is None:
            step.why_not_run = why  # its exception then does not put the worker in quarantine
        d = self.stopBuild(why, FAILURE)
        d.addErrback(log.err, f'while stopping {self}')

    def lock_name(self) -> str:
        if self.number is None:
            return name_of_request(self.requests[0].id, self.builder.name)
        return f'{self.builder.name} #{self.number}'

    @property
    def lock_worker(self) -> str | None:
        """The name of the worker that the build runs on; None if the worker is lost."""
        worker = getattr(self.workerforbuilder, 'worker', None)
        return None if worker is None else worker.workername

    @property
    def keeps_place(self) -> bool:
        """Whether others may wait for its place on the worker: True if any request is awaited."""
        return bool(self.master.botmaster.awaited)

    def other_waits(self) -> Iterator[Any]:
        """Yield the waits of the requests that this build waits for, directly or indirectly."""
        if self.awaited:
            yield from self.master.botmaster.awaited.waits_within(self)

    def lock_owner_of(self, brid: int, builder_name: str) -> LockOwner | None:
        """Return the owner that a build of a request is nested in.

        :param brid: id of a build request that a step of this build triggered to wait for it.
        :param builder_name: the request's builder; it is woken as soon as that step is known.
        :returns: the owner; None if no step waits for the request any longer.
        """
        if brid in self._left_behind:
            return None  # what holds locks now works with them
        for step in self._running_steps():
            if brid in getattr(step, 'brids', ()):
                return step
        # The step does not know its request yet.
        triggers = self._triggers()
        if not triggers and self.has_lost_requests:
            return None
        self._unknown.setdefault(brid, None)
        triggers = triggers or self._innermost_steps()
        if len(triggers) > 1:
            self._unknown[brid] = builder_name
            return owner_around_all(triggers) or self
        return triggers[0] if triggers else self

    def _triggers(self) -> list[Any]:
        # the steps that may still trigger builds, or learn which they have triggered
        steps = [step for step in self._innermost_steps() if hasattr(step, 'brids')]
        return [step for step in steps if getattr(step, 'may_trigger', True)]

    def _running_steps(self) -> list[Any]:
        return [step for step in self.executedSteps if step.results is None]

    def _innermost_steps(self) -> list[Any]:
        running = self._running_steps()
        groups = [step.step_group for step in running]
        return [step for step in running if not any(step is group for group in groups)]

    @property
    def only_waits(self) -> bool:
        """Whether it now only waits for builds that its steps have triggered."""
        if not self.awaited or self.finished:
            return False
        runs = [run_inside(step) for step in self._running_steps()]
        if not all(run.rests for run in runs if run is not None):
            return False  # the next step of a group is about to begin
        steps = self._innermost_steps()
        return bool(steps) and all(step.waits_for_builds for step in steps)

    def will_only_wait(self, stuck: Container[Any]) -> bool:
        """Tell whether it will only wait for builds once all its steps that can end have ended.

        :param stuck: the keys of the owners that cannot end.
        """
        if not self.awaited or self.finished:
            return False
        steps = self._innermost_steps()
        return all(step.waits_for_builds or key_of(step) not in stuck for step in steps)

    def setupBuild(self) -> None:
        self._tell_resources()
        super().setupBuild()
        for step, names in zip(self.steps, self.step_locks.by_step):
            step.worker_lock_names = names

    def _tell_resources(self) -> None:
        # its page shows them even after they have been given back
        for pool in self.pools():
            names = [resource.name for resource in self.resources(pool)]
            self.setProperty(f'{POOL}{pool}', names, SOURCE, runtime=True)

    def step_locks_to_come(self) -> set[str]:
        """Return the names of the worker locks that its steps hold, wait for or will claim."""
        if self.finished:
            return set()
        steps = getattr(self, 'steps', None)
        if steps is None:
            return set().union(*self.step_locks.by_step)
        current = self.currentStep
        of_current: list[Any] = [current] if current is not None and current.results is None else []
        return set().union(*(step.worker_lock_names for step in (*of_current, *steps)))

    @defer.inlineCallbacks
    def stepDone(self, results: int, step: Any) -> Any:
        terminate = yield super().stepDone(results, step)
        self._announce_room()
        return terminate

    def _announce_room(self) -> None:
        # the build may no longer need some locks of its worker, even after a skipped step
        worker = self.workerforbuilder.worker
        if worker is not None and self.step_locks.lockids:
            worker.announce_room()

    def has_triggered(self, brid: int, is_awaited: bool = False) -> None:
        """Take note that a step has triggered a request; wake the request's builder if it asked.

        :param brid: id of the build request.
        :param is_awaited: whether the step waits for it.
        """
        botmaster = self.master.botmaster
        if is_awaited and not self.finished:
            self.awaited.add(brid)
            botmaster.awaited.add(brid, self, self.master.reactor.seconds())
        else:
            self._left_behind.add(brid)
        asked_early = self._unknown.pop(brid, None)
        if asked_early is not None:
            self._tell_owner_of(brid, asked_early)
        if brid in self.awaited:
            self._look_for_knot(brid)
        if brid in self.awaited and len(self._innermost_steps()) > 1:
            self.tell_of_wait()  # another step may have waited for builds already
        else:
            for build in botmaster.awaited.around(brid):
                build.tell_of_wait([brid])

    def _tell_owner_of(self, brid: int, builder_name: str) -> None:
        # what the request or its build was nested in is only around the step that waits for it
        botmaster = self.master.botmaster
        begun, builder = botmaster.awaited.build_of(brid), botmaster.builders.get(builder_name)
        if begun is not None:
            nest_in(self.lock_owner_of(brid, builder_name), [begun])
        elif builder is not None:
            builder.parent_has_changed([brid])

    def _look_for_knot(self, brid: int) -> None:
        # when its builder was last looked at, it may not have been known that a step waits for it
        for builder in self.master.botmaster.builders.values():
            if brid in builder.inbox.requests:
                builder.look_for_knot(brid)

    def awaits_no_more(self, brids: Iterable[int]) -> None:
        """Take note that its steps no longer wait for these requests."""
        botmaster = self.master.botmaster
        if self.has_lost_requests and not self._triggers():
            brids = {*brids, *self._unknown}  # no step will ever know these
            self._unknown.clear()
        left = self.awaited.intersection(brids)
        # of some it may never have been told that a step waits for them, because of an error
        known = self._left_behind | {b for b in left if not botmaster.awaited.is_to_end(b)}
        unended = [brid for brid in brids if brid not in known]
        begun = [botmaster.awaited.build_of(brid) for brid in unended]
        self._left_behind.update(brids)
        self.awaited -= left
        for brid in left:
            botmaster.awaited.discard(brid)
            botmaster.knots.trust(brid)
        builds = [
            build
            for build in begun
            if build is not None and not any(r.id in botmaster.awaited for r in build.requests)
        ]
        if builds:
            nest_in(None, builds)
        look_anew(botmaster, unended)

    def step_ended(self) -> None:
        """Take note that a step has ended, or that no other step of a group begins for now."""
        if self.awaited:
            self.tell_of_wait()

    def tell_of_wait(self, brids: Collection[int] | None = None) -> None:
        """Tell its worker if the build now only waits for other builds.

        :param brids: ids of the awaited requests that this is news for; None for all of them.
        """
        worker = self.workerforbuilder.worker
        if worker is not None and self.only_waits:
            if brids is None:
                brids = self.master.botmaster.awaited.within(self)
            worker.announce_wait(self, brids)

    def write_properties(self) -> defer.Deferred[None]:
        """Write the properties that have changed, one write after another."""
        write = self.master.data.updates.setBuildProperties
        return self._properties_lock.run(write, self.buildid, self)

    @defer.inlineCallbacks
    def _setup_locks(self) -> Any:
        if self._cannot_claim is not None:
            self._cannot_claim.raiseException()
        if self._claimed is None:
            try:
                yield super()._setup_locks()
            except Exception:
                self._cannot_claim = Failure()
                raise
        self._is_counted = self.buildid is not None

    def acquireLocks(self, res: Any = None) -> Any:
        """Claim the builder's locks for a build that has begun without them.

        :returns: Deferred that fires when the locks are held, or when the build is stopped.
        """
        if self._claimed is not None:
            return defer.succeed(None)
        return self._claim_or_wait()

    def _claim_or_wait(self) -> defer.Deferred[None]:
        if self.stopped:
            return defer.succeed(None)
        try:
            claim = self._claim = LockClaim(self, self._locks_to_acquire)
            if claim.take_at_once():
                self._has_waited(None)
                return defer.succeed(None)
            self._log_locks(self.lock_log.waits)
            d = claim.wait()
        except LockError:
            return defer.fail()
        self._acquiringLock = (claim, None, d)
        self._limit = limit_wait(self, claim)
        self._tell_wait(claim)
        return d.addBoth(self._has_waited)

    @defer.inlineCallbacks
    def _tell_wait(self, claim: LockClaim) -> Any:
        rows = yield WaitRows.getService(self.master)
        if claim.waiting:
            rows.add(claim, self._say_wait)

    def _say_wait(self, sentence: str) -> None:
        if self._locks_acquire_step is not None:
            text = self.properties.cleanupTextFromSecrets(sentence)
            write = self.master.data.updates.setStepStateString
            saying = self._saying = write(self._locks_acquire_step.stepid, text)
            saying.addErrback(log.err, f'while telling that {self} waits for its locks')

    def _has_waited(self, result: Any) -> Any:
        self._end_limit()
        self._acquiringLock = None
        if isinstance(result, Failure):
            return result
        if self._gave_up is not None:
            return Failure(LockError(self._gave_up))
        if self._claim is not None and self._claim.holds:
            self._tell_resources()
            self._log_locks(self.lock_log.granted)
            self._limit_hold()
        return self._saying  # waited for, so that later texts are written after it

    @property
    def is_preparing_worker(self) -> bool:
        """Whether its worker is being started for it."""
        return self._is_substantiating

    @property
    def is_lost(self) -> bool:
        """Whether it ends because its worker is lost or the master stops."""
        if getattr(self.workerforbuilder, 'worker', None) is None:
            return True
        if self.results == RETRY and self.conn is None:
            return True
        return self.stopped and getattr(self.master.botmaster, 'shuttingDown', False)

    def lock_facts(self) -> Facts:
        """Return the facts about the build, without its locks."""
        worker = getattr(self.workerforbuilder, 'worker', None)
        request = self.requests[0]
        return Facts(
            'build',
            self.builder.name,
            request.id,
            self.buildid,
            self.number,
            worker=worker.workername if worker is not None else getattr(self, 'workername', None),
            branch=first_branch(self.sources),
        )

    @property
    def _demand(self) -> Demand:
        return self._locks_to_acquire if self._claimed is None else self._claimed

    def releaseLocks(self) -> None:
        self._end_limit()
        if self._claim is not None:
            tell_release(self, self._claim)
            self._claim.end()
        self._log_locks(self.lock_log.ended, lost=self.is_lost)
        self._tryScheduleBuildsAfterLockUnlock(locks_released=True)

    def _tryScheduleBuildsAfterLockUnlock(
        self, locks_released: bool = False, build_finished: bool = False
    ) -> None:
        # A lock's release wakes the claims that wait for it, and the worker wakes its builders.
        # What is left is done when locks are released and the build is finished, in any order.
        self._locks_released = self._locks_released or locks_released
        self._build_finished = self._build_finished or build_finished
        if self._locks_released and self._build_finished and self._demand:
            # a user's method may look at the builds or locks of other builders
            botmaster = self.master.botmaster
            if botmaster.asking_builders:
                botmaster.brd.maybeStartBuildsOn(botmaster.asking_builders)

    def allStepsDone(self) -> Any:
        if self._held_too_long and self.results == CANCELLED:
            self.results = FAILURE  # nobody has cancelled it
        failed = [step for step in self.executedSteps if step.results == EXCEPTION]
        if self.results == EXCEPTION and failed and all(step.spares_worker for step in failed):
            self.results = FAILURE  # an exception would put the worker in quarantine
        return super().allStepsDone()

    @defer.inlineCallbacks
    def ensure_begun(self, result: Any) -> Any:
        """End a build whose start failed, or was cancelled before its first step had a row.

        :param result: the result of ``startBuild``; a Failure is logged and shown on the build.
        """
        if self.finished:
            return
        # a request may have been cancelled before the build could be stopped
        botmaster = self.master.botmaster
        told = [botmaster.remove_in_progress_buildrequest(r.id) for r in self.requests]
        if isinstance(result, Failure):
            result = first_cause(result)
            why: Any = result
            if self.workerforbuilder.worker is None and result.check(AssertionError):
                why = 'its worker was lost'  # which it noticed when it needed the worker
                log.msg(f'{self} could not begin: {why}')
            else:
                log.err(result, f'{self} could not begin')
            if result.check(CircleError):
                self._tell_deadlock(result.value)
            # locks that cannot be determined or granted are not the worker's fault
            is_of_locks = self._cannot_claim is not None or result.check(LockError)
            results = FAILURE if is_of_locks else EXCEPTION
            if self.workerforbuilder.worker is None:
                results = RETRY
            if any(isinstance(reason, str) for reason in told):
                results = CANCELLED  # it was cancelled before it could be stopped
            yield self._end_preparation(why, results)
            if self.buildid is not None and self.do_build and not self._is_counted:
                # the end of a build with a row decrements the metric
                metrics.MetricCountEvent.log('active_builds', 1)
            text = why if isinstance(why, str) else result.getErrorMessage()
            yield self.buildFinished([f'could not begin: {text}'], results)
        elif self.stopped and self._preparation_step is None:
            metrics.MetricCountEvent.log('active_builds', 1)
            yield self.buildFinished([f'cancelled ({self.stopped_reason})'], CANCELLED)

    def _tell_deadlock(self, error: CircleError) -> None:
        self.lock_log.is_in_deadlock()
        self.master.botmaster.knots.tell(self, error)

    @defer.inlineCallbacks
    def buildPreparationFailure(self, why: Any, state_string: str) -> Any:
        if self.workerforbuilder.worker is None and not self.stopped:
            yield self._end_preparation(why, RETRY)  # not the worker's fault: it is lost
            return
        if state_string == 'setupBuild':
            log.err(why, f'{self}: its steps cannot be made')
            self._spares_worker = True
            yield self._end_preparation(why, FAILURE)
            return
        yield super().buildPreparationFailure(why, state_string)

    @defer.inlineCallbacks
    def _end_preparation(self, why: Any, results: int) -> Any:
        try:
            for step in (self._preparation_step, self._locks_acquire_step):
                if step is None or step.stepid is None:
                    continue
                row = yield self.master.data.get(('steps', step.stepid))
                if row['complete']:
                    continue
                state = 'could not begin'
                if isinstance(why, Failure):
                    yield step.addLogWithFailure(why)
                    state += f': {self.properties.cleanupTextFromSecrets(why.getErrorMessage())}'
                elif isinstance(why, str):
                    state += f': {why}'
                yield self.master.data.updates.setStepStateString(step.stepid, state)
                yield self.master.data.updates.finishStep(step.stepid, results, False)
        except Exception as e:
            log.err(e, f'while showing why {self} could not begin')

    @defer.inlineCallbacks
    def _start_next_step_impl(self, step: Any) -> Any:
        try:
            yield super()._start_next_step_impl(step)
        except Exception as e:
            # nobody waits for this method, so without this the build would never end
            log.err(e, f'{self} after step {step.name!r}')
            yield self.buildFinished(['build', 'exception'], EXCEPTION)

    @defer.inlineCallbacks
    def buildFinished(self, text: list[str], results: int) -> Any:
        is_lost = self.workerforbuilder.worker is None
        if is_lost and worst_status(self.results, results) == EXCEPTION:
            results = RETRY  # the worker is lost, and is not at fault
        elif self._spares_worker and results == EXCEPTION:
            results = FAILURE
        if self.buildid is not None:
            yield super().buildFinished(text, results)
        is_written = self._build_finished or self.buildid is None
        if not self._build_finished:
            self._give_back(results)
        if self.has_lost_rows or not is_written:
            d = end_rows(self.master, self.buildid, ' '.join(text), self.results)
            d.addErrback(log.err, f'while ending the rows of {self}')
        self.awaits_no_more([*self.awaited, *self._unknown])
        self.master.botmaster.awaited.ended(self)
        self._ended.notify(None)

    @defer.inlineCallbacks
    def waitUntilFinished(self) -> Any:
        """Wait until the build has ended, even if it is not in the database."""
        if not self.finished:
            yield self._ended.wait()

    def _give_back(self, results: int | None) -> None:
        # An error while the build ended (such as in the database) left the rest of its end undone.
        self.finished = True
        self.results = worst_status(self.results, results)
        endings = [self.releaseLocks]
        if self in self.builder.building:
            endings += [
                self.workerforbuilder.buildFinished,
                lambda: self.builder.buildFinished(self, self.workerforbuilder),
            ]
        endings.append(lambda: self._tryScheduleBuildsAfterLockUnlock(build_finished=True))
        for give_back in endings:
            try:
                give_back()
            except Exception as e:
                log.err(e, f'while ending {self}')

    def addStepsAfterCurrentStep(self, step_factories: list) -> None:
        """Add steps right after the step that adds them, inside the same group."""
        step = step_that_runs.get()
        if step is None or step.build is not self or step.results is not None:
            step = self.currentStep
        group = step.group_to_add_to() if step is not None else None
        if step is not None and group is not None:
            group.add_steps(step_factories, step)
            return

        super().addStepsAfterCurrentStep(step_factories)


def nest_in(owner: LockOwner | None, builds: Sequence[Build]) -> None:
    """Let builds share what another owner holds, instead of the one around them until now.

    They keep what they have shared until then. None of them takes what another one leaves over.

    :param owner: the owner, or None for nobody.
    :param builds: at least one, all of one master.
    """
    keys = [key_of(build) for build in builds]
    left = [key_of(each) for build in builds for each in owners_around(build)]
    claims: dict[Any, None] = {}
    for build in builds:
        build.lock_parent = owner
        claims.update((claim, None) for claim in key_of(build).claims if claim.waiting)
    nest_anew([*claims], left)
    # what is about to begin in them has not shared anything yet
    botmaster = builds[0].master.botmaster
    brids: set[int] = set()
    for build in botmaster.awaited.running:
        if any(key_of(each) in keys for each in (build, *owners_around(build))):
            brids |= build.awaited | build._unknown.keys()
    look_anew(botmaster, brids)


def look_anew(botmaster: Any, brids: Collection[int]) -> None:
    """Tell all builders that what is around these requests has changed."""
    for builder in botmaster.builders.values() if brids else ():
        builder.parent_has_changed(brids)
