# SPDX-License-Identifier: GPL-2.0-only
"""New: all reasons why a pending request does not start, or a step or build does not go on.

They are computed on demand, from the scheduler's own data at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any
from typing import Iterable
from typing import Iterator

from buildbot.locking.copy import LockError
from buildbot.locking.owner import LockOwner
from buildbot.locking.owner import name_of_request
from buildbot.locking.owner import waits_since
from buildbot.process.eye.reason import Reason
from buildbot.process.eye.waits import Lines
from buildbot.process.eye.waits import waits_of
from buildbot.process.eye.words import age
from buildbot.process.eye.words import plain
from buildbot.process.eye.words import some_of
from buildbot.process.eye.workers import names_of
from buildbot.process.eye.workers import why_not_idle

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from buildbot.process.build import Build
    from buildbot.process.builder import Builder
    from buildbot.process.buildstep import BuildStep
    from buildbot.process.waiting.reservation import Reservation


class Pending:
    """Why the pending requests of one builder do not start, at one moment. It starts none.

    :param builder: a builder of this master.
    :param now: the time, in seconds of the master's clock.
    """

    def __init__(self, builder: Builder, now: float) -> None:
        self._builder = builder
        self._now = now
        self._distributor = builder.botmaster.brd
        self._requests = builder.inbox.requests
        self._lines = Lines()
        self._idle = [w for w in builder.getAvailableWorkers() if w.worker is not None]
        self._without = self._without_worker()
        # by idle worker: why a request that nobody waits for is better left for later
        self._late: dict[Any, Reason | None] = {}

    def why(self, brid: int) -> list[Reason]:
        """Return the reasons why a request does not start, at least one."""
        is_known = brid in self._requests
        is_waited_for = is_known and self._requests.brdict(brid)['waited_for']
        stopping = self._why_stopping(is_waited_for)
        if stopping is not None:
            return [Reason('stopping', stopping)]
        is_in_progress = self._builder.botmaster.is_in_progress(brid)
        if not is_known or is_in_progress:
            # a builder without a worker may not have read its requests
            of_all = [] if is_in_progress else [*self._left_out(), *self._without]
            of_all = [*self._unanswered(), *of_all]
            return of_all or [self._tried_again() or self._beginning(brid)]
        lent = self._builder.lent_workers(brid)
        of_all = [*self._unanswered(), *self._left_out(), *([] if lent else self._without)]
        found = [*self._failed(brid), *of_all, *self._in_line(brid)]
        idle = [*self._idle, *lent]
        if idle:
            found += [*self._on_idle_workers(brid, idle, is_waited_for), *self._behind(brid)]
        found += self._why_suspected(brid)
        return found or [self._tried_again() or Reason('starting', 'it is next, and is started')]

    def _beginning(self, brid: int) -> Reason:
        if self._builder.inbox.is_set_aside(brid):
            return Reason(
                'error', 'it did not start, and is tried again when the database knows that'
            )
        return Reason('starting', 'it is being started')

    def _why_stopping(self, is_waited_for: bool) -> str | None:
        if not self._builder.running:
            return 'the builder is being removed'
        if self._distributor.is_left_out(is_waited_for):
            return 'the master is shutting down, and starts only what running builds wait for'
        if self._distributor.starts_nothing:
            return 'the master is shutting down, and starts nothing'
        return None

    def _unanswered(self) -> Iterator[Reason]:
        asked = self._builder.questions.unanswered
        sorting_since = self._distributor.sorting_since
        if sorting_since is not None:
            asked.append(('prioritizeBuilders', sorting_since))
        for what, since in asked:
            yield why_unanswered(what, since, self._now)

    def _left_out(self) -> Iterator[Reason]:
        if self._builder.name in self._distributor.left_out:
            yield Reason('user', 'prioritizeBuilders left out its builder')

    def _without_worker(self) -> list[Reason]:
        config = self._builder.config
        if self._idle or config is None:
            return []
        return [why_not_idle(self._builder, name, self._now) for name in config.workernames]

    def _why_suspected(self, brid: int) -> list[Reason]:
        suspicion = self._builder.botmaster.knots.suspicion(brid)
        if suspicion is None:
            return []
        text = 'it can start only if something that is away comes back'
        ends_at = None
        if suspicion.call is not None:
            ends_at = suspicion.call.getTime()
            step = self._builder.request_waits.of(brid).awaited_by
            name = '' if step is None else plain(step.lock_name())
            text += f'; if nothing does, {name} gives up in {age(ends_at - self._now)}'
        return [Reason('suspected', text, since_at=suspicion.since, again_at=ends_at)]

    def _failed(self, brid: int) -> Iterator[Reason]:
        why = self._builder.refusals.why_failed(brid)
        if why is not None:
            yield self._error(plain(why))

    def _tried_again(self) -> Reason | None:
        if self._distributor.again_at(self._builder.name) is not None:
            return self._error('there was an error while its builder was processed')
        if self._builder.waits_to_try_again:
            return Reason(
                'lock', 'its locks were taken meanwhile; it is tried again when they are released'
            )
        return None

    def _error(self, why: str) -> Reason:
        again_at = self._distributor.again_at(self._builder.name)
        soon = 'soon' if again_at is None else f'in {age(again_at - self._now)}'
        return Reason('error', f'{why}; it is tried again {soon}', again_at=again_at)

    def _in_line(self, brid: int) -> Iterator[Reason]:
        for reservation in self._builder.reservations.in_line(brid):
            worker = self._builder.master.workers.workers.get(reservation.worker or '')
            workerid = None if worker is None else worker.workerid
            for reason in self._of_reservation(reservation):
                yield reason._replace(
                    since_at=waits_since(reservation), worker=reservation.worker, workerid=workerid
                )

    def _of_reservation(self, reservation: Reservation) -> Iterator[Reason]:
        if reservation.stands_in_line:
            yield from waits_in_line(reservation, self._lines, self._now)
        elif reservation.is_put_off:
            names = some_of([plain(lock.label) for lock, _ in reservation.asked])
            text = f'waiting for a release of {names} outside of the line'
            yield Reason('lock', f'{text}, in which it kept others waiting')
        elif reservation.why_never is not None:
            yield Reason('lock', f'it cannot get its locks: {why_never(reservation.why_never)}')

    def _on_idle_workers(
        self, brid: int, workers: list[Any], is_waited_for: bool
    ) -> Iterator[Reason]:
        builder = self._builder
        why = builder.refusals.why(brid, None)
        if why is not None:
            yield Reason('user', plain(why))
            return
        in_line = {reservation.worker for reservation in builder.reservations.in_line(brid)}
        refused: dict[str, list[Any]] = {}
        for idle in workers:
            name = idle.worker.workername
            why = builder.refusals.why(brid, name)
            if why is not None:
                refused.setdefault(why, []).append(idle.worker)
            elif not in_line & {None, name}:
                late = self._late_on(idle)
                if late is not None and (late.kind == 'quarantine' or not is_waited_for):
                    yield late
        for why, who in refused.items():
            yield why_refused(why, who)

    def _late_on(self, idle: Any) -> Reason | None:
        if idle not in self._late:
            self._late[idle] = self._find_late(idle)
        return self._late[idle]

    def _find_late(self, idle: Any) -> Reason | None:
        builder, worker = self._builder, idle.worker
        choice = builder.worker_choice
        copy = choice.out_of_use(idle)
        if copy is not None and builder.choose_worker is None:
            text = f'on {plain(worker.workername)}, {plain(copy.label)} is in quarantine'
            reason = on_worker('quarantine', f'{text} ({plain(copy.quarantine.reason)})', worker)
            return reason._replace(lock=copy)
        lacking = choice.lacking(idle)
        if lacking is not None:
            text = f'{plain(worker.workername)} does not have what its steps want of'
            return on_worker('late_binding', f'{text} {plain(lacking)}', worker)
        late = builder.master.config.lateBinding
        if builder.choose_worker is not None or choice.with_room([idle], late):
            return None
        builds = names_of(choice.fed_by(idle))
        text = f'left for a worker with room: on {plain(worker.workername)}, it would wait for'
        return on_worker('late_binding', f'{text} locks that {builds} want', worker)

    def _behind(self, brid: int) -> Iterator[Reason]:
        for other in self._requests.before(brid):
            if self._builder.reservations.waits(other):
                name = plain(name_of_request(other, self._builder.name))
                yield Reason('behind', f'behind {name}, which waits for the same locks')
                return


def why_unanswered(what: str, since: float, now: float) -> Reason:
    return Reason('user', f'{plain(what)} has not answered for {age(now - since)}', since_at=since)


def why_never(why: Failure) -> str:
    # the message of another error may be meant for the build's log only
    if why.check(LockError):
        return plain(why.getErrorMessage())
    return f'they cannot be determined ({why.type.__name__})'


def on_worker(kind: str, text: str, worker: Any) -> Reason:
    return Reason(kind, text, worker=worker.workername, workerid=worker.workerid)


def why_refused(why: str, workers: list[Any]) -> Reason:
    names = some_of(sorted(plain(worker.workername) for worker in workers))
    if len(workers) > 1:
        return Reason('user', f'{plain(why)} (workers {names})')
    return on_worker('user', f'{plain(why)} (worker {names})', workers[0])


def waits_in_line(owner: LockOwner, lines: Lines, now: float) -> Iterator[Reason]:
    """Yield a reason for each copy that an owner in line does not get."""
    claim = owner.waiting_claim
    for wait in waits_of(claim, lines, now) if claim is not None else ():
        since = waits_since(owner)
        yield Reason('lock', wait.text, lock=wait.copy, place=wait.place, since_at=since)


def why_pending(builder: Builder, builderid: int, brids: Iterable[int], now: float) -> list[Reason]:
    """Return the reasons why some requests of a builder do not start, without duplicates.

    :param brids: the ids of pending requests.
    """
    pending = Pending(builder, now)
    brids_of: dict[Reason, list[int]] = {}
    since_of: dict[Reason, float | None] = {}
    for brid in brids:
        for reason in pending.why(brid):
            since = reason.since_at
            same = reason if since is None else reason._replace(since_at=None)
            brids_of.setdefault(same, []).append(brid)
            # the longest wait of all
            since_of[same] = min(filter(None, (since, since_of.get(same))), default=None)
    return [
        reason._replace(
            buildrequestids=tuple(waiting), builderid=builderid, since_at=since_of[reason]
        )
        for reason, waiting in brids_of.items()
    ]


def why_step_waits(step: BuildStep, now: float, lines: Lines | None = None) -> list[Reason]:
    """Return the reasons why a step or group does not go on; none if it does."""
    found = list(waits_in_line(step, lines or Lines(), now))
    if step.is_finding_locks:
        found.append(Reason('lock', 'its locks are being determined'))
    if step.unanswered is not None:
        found.append(why_unanswered(*step.unanswered, now))
    return [of_build(reason, step.build)._replace(stepid=step.stepid) for reason in found]


def why_build_waits(build: Build, now: float) -> list[Reason]:
    """Return the reasons why a build and steps in it do not go on; none if they do."""
    lines = Lines()
    found = list(waits_in_line(build, lines, now))
    worker: Any = build.workerforbuilder.worker if build.workerforbuilder is not None else None
    if worker is not None and build.is_preparing_worker:
        text = f'worker {plain(worker.workername)} is being started'
        found.append(Reason('worker_substantiating', text))
    running = [step for step in build.executedSteps if step.results is None]
    of_steps = [reason for step in running for reason in why_step_waits(step, now, lines)]
    return [*(of_build(reason, build) for reason in found), *of_steps]


def of_build(reason: Reason, build: Build) -> Reason:
    workerforbuilder = build.workerforbuilder
    worker = workerforbuilder.worker if workerforbuilder is not None else None
    return reason._replace(
        buildrequestids=tuple(request.id for request in build.requests),
        text=build.properties.cleanupTextFromSecrets(reason.text),
        buildid=build.buildid,
        worker=None if worker is None else worker.workername,
        workerid=None if worker is None else worker.workerid,
    )
