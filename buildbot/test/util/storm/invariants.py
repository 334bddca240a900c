# SPDX-License-Identifier: GPL-2.0-only
"""New: what must be so whenever all that is due has happened."""

from __future__ import annotations

from itertools import permutations
from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot.locking.owner import thing_of
from buildbot.locking.poolcopy import RealPool
from buildbot.process.build import Build
from buildbot.process.buildstep import BuildStep
from buildbot.process.hand.hold import Hold
from buildbot.process.hand.quarantine import Quarantine
from buildbot.process.sweep import Sweep
from buildbot.process.waiting.reservation import Reservation
from buildbot.test.util.idle import Holders
from buildbot.test.util.idle import Startable
from buildbot.test.util.idle import Wish
from buildbot.test.util.idle import copies_of
from buildbot.test.util.storm.sight import Sight


class Invariants(Sight):
    """A lab in which nobody may hold too much, pend for nothing, or be dead and hold.

    :ivar leftovers: what has no living owner, if there ever was anything.
    :ivar held: a write that is slow; None if there is none.
    :ivar trouble_until: until when a write that has failed is tried again, in seconds.
    :ivar failed: until when a request is tried again that could not be started, in seconds.
    :ivar unheard: requests that another master has taken, and this one has not heard of it.
    :ivar kept: for each copy in quarantine, the requests that held it when that began.
    """

    def make_lab(self, configuration: dict[str, Any]) -> defer.Deferred[Any]:
        self.leftovers: list[str] = []
        self.held: Any = None
        self.trouble_until = 0.0
        self.failed: dict[int, float] = {}
        self.unheard: set[int] = set()
        self._lent: dict[str, set[tuple[int, int]]] = {}
        self._seen: set[int] = set()
        self.forget_copies()
        return super().make_lab(configuration)

    def forget_copies(self) -> None:
        """Forget what was known of copies, for there is a new master."""
        self._allowed: dict[Any, int] = {}
        self.kept: dict[Any, set[int | None]] = {}
        self._shared: dict[Any, set[tuple[Any, Any]]] = {}

    def watch_for_leftovers(self) -> None:
        """Look after each call of the reactor, from now on, for what has no living owner.

        An owner that has just ended may give back its locks a turn of the reactor later.
        """
        call_later = self.reactor.callLater
        suspected: dict[Any, float] = {}

        def look_after(call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
            call(*args, **kwargs)
            # some calls come after the end of the test
            if 'master' in vars(self) and self.master.running and not self.leftovers:
                self._suspect(suspected)

        def watched(when: float, *call: Any, **kwargs: Any) -> Any:
            return call_later(when, look_after, *call, **kwargs)

        self.patch(self.reactor, 'callLater', watched)

    def _suspect(self, suspected: dict[Any, float]) -> None:
        sweep = self.see(Sweep.getService(self.master.botmaster))
        if not sweep.running:
            return
        now = self.reactor.seconds()
        found = {left.claim: left for left in self.see(sweep.look())}
        for claim, leftover in found.items():
            if suspected.setdefault(claim, now) < now:
                self.leftovers.append(leftover.tell(now, False))
        for claim in suspected.keys() - found.keys():
            del suspected[claim]

    def check(self) -> None:
        """Fail unless all is as it must be when all that is due has happened."""
        self.assertEqual(self.leftovers, [])
        holders = self.holders()
        for copy in copies_of(self.master, self.lockids()):
            self._check_owners(copy)
            self._check_exclusive(copy, holders)
            self._check_units(copy, holders)
            self._check_shared(copy, holders)
            if isinstance(copy, RealPool):
                self._check_resources(copy, holders)
            self._check_by_hand(copy, holders)
        for worker in self.workers():
            self._check_places(worker)
        if not (self.is_shut_down() or self.unheard or self.order.is_late):
            # else, who waits for what is not pending any more cannot know
            self._check_pending(holders)

    def _check_owners(self, copy: Any) -> None:
        running = self.running()
        for owner in copy.owners:
            build = owner.build if isinstance(owner, BuildStep) else owner
            if isinstance(owner, Hold):
                self.assertIn(owner, copy.by_hand, f'{copy} is held by an ended {owner}')
            elif isinstance(owner, Quarantine):
                self.assertIs(owner, copy.quarantine, f'{copy} is kept by an ended {owner}')
            elif not isinstance(build, Build):
                is_about_to = self.questions or self.held is not None
                self.assertTrue(is_about_to, f'{copy} is reserved for nobody: {owner}')
            else:
                self.assertIn(build, running, f'{copy} is held by one that has ended: {owner}')
                # one whose end cannot be written yet still has it
                if owner is not build and not (self.held is not None and owner.is_at_work):
                    self.assertIsNone(owner.results, f'{copy} is held by an ended {owner}')
        for waiting in copy.waiting:
            if isinstance(waiting, BuildStep):
                self.assertIn(waiting.build, running, f'{waiting} waits, and has ended')

    def _check_exclusive(self, copy: Any, holders: Holders) -> None:
        for one, other in permutations(copy.owners, 2):
            want = holders.want(one, copy)
            if want is not None and want.is_exclusive:
                is_shared = holders.is_inside(one, other) or holders.is_inside(other, one)
                self.assertTrue(is_shared, f'{copy} is held by {copy.owners}')

    def _check_units(self, copy: Any, holders: Holders) -> None:
        if isinstance(copy, RealPool):
            return  # what is removed from a pool, and held still, is none of those that it has
        exclusive, units = holders.used(copy)
        if exclusive:
            units = min(units, copy.maxCount)
        # a limit that is lowered takes nothing from those who hold more already, nor does a restart
        # from people
        by_hand = sum(hold.taking.count for hold in copy.by_hand if hold in copy.owners)
        most = max(copy.maxCount, self._allowed.get(copy, 0), by_hand)
        self.assertLessEqual(units, most, f'{copy} is held by {copy.owners}')
        self._allowed[copy] = units

    def _check_shared(self, copy: Any, holders: Holders) -> None:
        # a child may begin to share only while a step waits for it, but may go on to do so
        before = self._shared.get(copy, set())
        pairs: set[tuple[Any, Any]] = set()
        for one, other in permutations(copy.owners, 2):
            child, parent = (o.build if isinstance(o, BuildStep) else o for o in (one, other))
            if child is parent or not holders.is_inside(one, other):
                continue
            request = child.request if isinstance(child, Reservation) else child.requests[0]
            pair = request.id, parent
            pairs.add(pair)
            steps = [step for step in parent.executedSteps if step.results is None]
            if pair not in before and not any(hasattr(step, 'schedulerNames') for step in steps):
                self.fail(f'{one} has begun to share {copy} with {parent}, which waits for none')
        self._shared[copy] = pairs

    def _check_resources(self, copy: Any, holders: Holders) -> None:
        for owner in copy.owners:
            want = holders.want(owner, copy)
            if want is not None and not want.is_exclusive:
                self.assertGreaterEqual(len(copy.resources_of(owner)), want.units, f'{owner}')
        for one, other in permutations(copy.owners, 2):
            both = {*copy.resources_of(one)} & {*copy.resources_of(other)}
            if both and not (holders.is_inside(one, other) or holders.is_inside(other, one)):
                self.fail(f'{one} and {other} both have {both} of {copy}')

    def _check_by_hand(self, copy: Any, holders: Holders) -> None:
        for hold in copy.by_hand:
            self.assertIs(hold.copy, copy)
            if copy.is_idle and hold.why_never is None and not self.is_shut_down():
                self.fail(f'{hold} waits for {copy}, which nobody has')
        if copy.quarantine is not None:
            # a child shares what its parent holds, and may hold it for longer
            more = set(requests_of(holders.outermost(copy))) - self.kept.get(copy, set())
            self.assertEqual(more, set(), f'{copy} was granted in quarantine')
            self.kept.setdefault(copy, set()).update(requests_of(copy.owners))

    def _check_places(self, worker: Any) -> None:
        builds = [b for b in self.running() if b.workerforbuilder.worker is worker]
        pairs = {(around, b.requests[0].id) for b in builds for around in self.parents_of(b)}
        waiting = {b.buildid for b in builds if self.only_waits(b)}
        lent = {pair for pair in pairs if pair[0] in waiting}
        # a step that begins beside is not held back while a build has the place
        lent |= pairs & self._lent.get(worker.name, set())
        if self.plan['collapseRequests']:
            # of two requests one may have ended at once, so that the parent soon worked again
            lent |= {pair for pair in pairs if pair[1] not in self._seen}
        self._seen.update(build.requests[0].id for build in builds)
        self._lent[worker.name] = lent
        lenders = {b.buildid for b in builds} & {around for around, _ in lent}
        told = f'{worker.name} has builds {" ".join(map(self.tell_build, builds))}'
        self.assertLessEqual(len(builds) - len(lenders), worker.max_builds or 99, told)

    def _check_pending(self, holders: Holders) -> None:
        startable = Startable(self.wishes(), holders, self.may_pend)
        wish = startable.whoever_is_in_front()
        if wish is None and not self.plan['prioritizeBuilders']:
            wish = startable.in_front()
        if wish is not None:
            self.fail(
                f'request {wish.brid} of {wish.builder} pends, though {wish.worker} is idle and'
                f' {", ".join(map(tell_copy, wish.wants)) or "no lock"} free'
            )

    def may_pend(self, wish: Wish) -> bool:
        """Tell whether there is a reason for which a request need not have started."""
        now = self.reactor.seconds()
        if self.held is not None or now < self.trouble_until:
            return True
        if self.is_shutting_down() and not wish.is_waited_for:
            return True
        if wish.builder in self.master.botmaster.brd.left_out:
            return True
        of_steps = depend_on_worker(self.plan['builders'][wish.builder]['steps'])
        loaded = {build.workername for build in self.running()}
        copies = copies_of(self.master, self.lockids())
        by_hand = any(copy.by_hand for copy in copies)  # each counts as a build
        if of_steps and self.plan['lateBinding'] and (wish.worker in loaded or by_hand):
            return True  # it waits for a place, or stands in line
        if of_steps and any(copy.quarantine is not None for copy in copies):
            return True
        if any(self._is_refused_ahead(wish, copy) for copy in wish.wants if copy is not None):
            return True
        asks = any(name == wish.builder for name, _ in self.questions)
        return asks or now < self.failed.get(wish.brid, 0)

    def _is_refused_ahead(self, wish: Wish, copy: Any) -> bool:
        # the user is asked of it again when it is its turn
        waiting = [thing_of(claim.owner) for claim in copy.line()]
        return any(
            isinstance(one, Reservation)
            and one.request.id != wish.brid
            and self._is_refused(one.request.id, one.request.buildername, one.worker)
            for one in waiting
        )

    def _is_refused(self, brid: int, builder: str, worker: str | None) -> bool:
        if self.is_refused(brid, builder, worker):
            return True
        workers = self.workers_of(builder) if worker is None else [worker]
        return not any(self.users[builder].may_choose(brid, name) for name in workers)


def requests_of(owners: list[Any]) -> list[int | None]:
    """Return the requests of owners that are no people."""
    found: list[int | None] = []
    for owner in owners:
        if not isinstance(owner, (Hold, Quarantine)):
            build = owner.build if isinstance(owner, BuildStep) else owner
            request = build.requests[0] if isinstance(build, Build) else owner.request
            found.append(request.id)
    return found


def tell_copy(copy: Any) -> str:
    return f'{copy} (held by {copy.owners}, waited for by {copy.waiting})' if copy else 'new'


def depend_on_worker(steps: tuple[Any, ...]) -> bool:
    """Tell whether any of some steps takes what may depend on its worker."""
    return any(
        (step[0] != 'trigger' and any(lock[0] in 'wp' for lock in step[1]))
        or (step[0] == 'group' and depend_on_worker(step[3]))
        for step in steps
    )
