# SPDX-License-Identifier: GPL-2.0-only
"""New: random histories of a lab, each the same whenever it is told again.

That is for one order of sets of names: ``PYTHONHASHSEED`` says which.
"""

from __future__ import annotations

import random
from functools import partial
from typing import Any
from typing import Callable

from sqlalchemy.exc import OperationalError
from twisted.internet import defer

from buildbot import util
from buildbot.config import BuilderConfig
from buildbot.data import resultspec
from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps as steps_of_release
from buildbot.process.build import Build
from buildbot.process.builder import Builder
from buildbot.process.buildstep import BuildStep
from buildbot.process.factory import BuildFactory
from buildbot.process.groups.step import StepGroup
from buildbot.process.hand.hold import Hold
from buildbot.process.hand.quarantine import Quarantine
from buildbot.process.properties import renderer
from buildbot.process.results import FAILURE
from buildbot.process.results import SUCCESS
from buildbot.process.sweep import Sweep
from buildbot.test.util.idle import Holders
from buildbot.test.util.idle import Startable
from buildbot.test.util.idle import Wish
from buildbot.test.util.idle import copies_of
from buildbot.test.util.idle import copy_of
from buildbot.test.util.idle import want_of
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.pace import PacedCase
from buildbot.worker.protocols.null import Connection


def claim_elsewhere(case: PacedCase, brid: int, is_told: bool = True) -> None:
    """Let another master claim a request.

    :param is_told: whether this master hears of it.
    """
    db = case.master.db
    other = case.at_once(db.masters.findMasterId('other:elsewhere'))

    def claim(conn: Any) -> None:
        row = {'brid': brid, 'masterid': other, 'claimed_at': int(case.reactor.seconds())}
        conn.execute(db.model.buildrequest_claims.insert(), [row])
        conn.commit()

    case.at_once(db.pool.do(claim))
    if is_told:
        tell_from_elsewhere(case, brid, 'claimed')


def complete_elsewhere(case: PacedCase, brid: int, gives_back: bool = False) -> None:
    """Let another master complete a request that it has claimed.

    :param gives_back: whether it claims it no longer instead.
    """
    db = case.master.db

    def end(conn: Any) -> None:
        if gives_back:
            claims = db.model.buildrequest_claims
            conn.execute(claims.delete().where(claims.c.brid == brid))
        else:
            table = db.model.buildrequests
            now = int(case.reactor.seconds())
            words = {'complete': 1, 'results': SUCCESS, 'complete_at': now}
            conn.execute(table.update().where(table.c.id == brid).values(**words))
        conn.commit()

    case.at_once(db.pool.do(end))
    row = tell_from_elsewhere(case, brid, 'unclaimed' if gives_back else 'complete')
    if not gives_back:
        case.at_once(case.master.data.updates.maybeBuildsetComplete(row['buildsetid']))


def tell_from_elsewhere(case: PacedCase, brid: int, event: str) -> dict[str, Any]:
    """Let the master hear what another one says of a request, and return the request's row."""
    row: dict[str, Any] = case.at_once(case.master.data.get(('buildrequests', brid)))
    case.master.mq.produce(('buildrequests', str(brid), event), row)
    return row


class UserError(Exception):
    """What a user's method raises."""


class User:
    """The user's methods of one builder, whose answers change.

    :param history: in which they are asked.
    :param name: of the builder.
    :ivar says: for each method that is set, what it says now.
    """

    ANSWERS = {
        'canStartBuild': ['yes', 'no', 'late', 'error', 'by worker', 'by request'],
        'nextWorker': ['pool', 'none', 'late', 'error'],
        'nextBuild': ['last', 'none', 'late', 'error'],
        'locks': ['yes', 'late'],
        'prioritizeBuilders': ['yes', 'late', 'error'],
    }

    def __init__(self, history: HistoryCase, name: str, methods: list[str]) -> None:
        self._history = history
        self.name = name
        self.says = {method: self.ANSWERS[method][0] for method in methods}

    def __repr__(self) -> str:
        return f'{self.says}'

    def words(self) -> dict[str, Any]:
        """Return what ``BuilderConfig`` takes."""
        found = {
            'canStartBuild': self._can_start_build,
            'nextWorker': self._next_worker,
            'nextBuild': self._next_build,
        }
        return {method: found[method] for method in self.says if method in found}

    def rendered(self, accesses: list[Any]) -> Any:
        """Return a renderable of the builder's locks, which may take its time."""
        if 'locks' not in self.says:
            return renderer(lambda props: list(accesses))
        return renderer(lambda props: self._render_locks(accesses))

    def _render_locks(self, accesses: list[Any]) -> Any:
        def answer(_: str) -> list[Any]:
            return list(accesses)

        return self._late(answer) if self.says['locks'] == 'late' else answer('yes')

    def _can_start_build(self, builder: Any, worker: Any, request: Any) -> Any:
        self._history.pace.step('asks')
        says = self.says['canStartBuild']
        name = worker.worker.workername

        def answer(says: str) -> bool:
            yes = says in ('yes', 'late')
            yes = yes or (says == 'by worker' and name != 'w0')
            yes = yes or (says == 'by request' and request.id % 2 == 0)
            if not yes:
                self._history.refuse(request.id, None if says == 'error' else name)
            if says == 'error':
                raise UserError('canStartBuild')
            return yes

        return self._late(answer) if says == 'late' else answer(says)

    def _next_worker(self, builder: Any, workers: list[Any], request: Any) -> Any:
        self._history.pace.step('asks')
        says = self.says['nextWorker']

        def answer(says: str) -> Any:
            if says in ('none', 'error'):
                self._history.refuse(request.id, None)
            if says == 'error':
                raise UserError('nextWorker')
            if says == 'none':
                return None
            pool = self._history.pool_of(request.id)
            # one may have been lost until there is an answer
            fitting = [w for w in workers if w.worker and w.worker.workername in pool]
            return fitting[0] if fitting else None

        return self._late(answer) if says == 'late' else answer(says)

    def may_choose(self, brid: int, worker: str) -> bool:
        """Tell whether ``nextWorker`` would choose a worker for a request."""
        return 'nextWorker' not in self.says or worker in self._history.pool_of(brid)

    def _next_build(self, builder: Any, requests: list[Any]) -> Any:
        self._history.pace.step('asks')
        says = self.says['nextBuild']

        def answer(says: str) -> Any:
            if says in ('none', 'error'):
                for request in requests:
                    self._history.refuse(request.id, None)
            if says == 'error':
                raise UserError('nextBuild')
            return requests[-1] if says != 'none' else None

        return self._late(answer) if says == 'late' else answer(says)

    def _late(self, answer: Callable[[str], Any]) -> defer.Deferred[Any]:
        return self._history.ask_later(self.name, answer)


class Order:
    """The user's ``prioritizeBuilders``, which goes by name.

    :param history: in which it is asked.
    """

    def __init__(self, history: HistoryCase) -> None:
        self._history = history
        self.says = {'prioritizeBuilders': 'yes'}

    def __repr__(self) -> str:
        return 'by name'

    def __call__(self, master: Any, builders: list[Any]) -> Any:
        def answer(says: str) -> list[Any]:
            if says == 'error':
                raise UserError('prioritizeBuilders')
            return sorted(builders, key=lambda builder: builder.name)

        says = self.says['prioritizeBuilders']
        return self._history.ask_later('', answer) if says == 'late' else answer(says)

    @property
    def is_late(self) -> bool:
        """Whether it has not answered yet."""
        return any(name == '' for name, _ in self._history.questions)


class HistoryCase(PacedCase):
    """A lab to which anything happens in any order.

    Each event has a random source of its own, so that some can be left out and the others stay as
    they were.

    :ivar questions: those to which the user's methods answer later.
    :ivar pools: the workers that nextWorker would choose for each request; else any.
    """

    workernames = ('w0', 'w1', 'w2', 'w3')
    #: events that do not happen, and methods of the user's that are not set
    without: frozenset[str] = frozenset()
    #: the events, and how likely they are
    EVENTS = {
        'request': 30,
        'end': 28,
        'cancel': 5,
        'stop': 3,
        'priority': 4,
        'lose': 3,
        'come_back': 6,
        'pause': 2,
        'unpause': 5,
        'change_mind': 8,
        'answer': 12,
        'shut_down': 2,
        'go_on': 5,
        'reconfig': 4,
        'other_master': 3,
        'other_master_done': 4,
        'wait': 5,
        'slow_write': 2,
        'write': 8,
        'change_plugin': 3,
    }

    def tell(self, seed: int, events: int | list[int]) -> Any:
        """Let a history happen, and check after each event that all is as it should be.

        :param events: how many, or which.
        :returns: Deferred that fires when it has come to its end, and all has run out.
        """
        self.seed = seed
        self.told: list[str] = []
        rng = random.Random(f'{seed} world')
        self.patch(random, 'choice', random.Random(f'{seed} choice').choice)
        d = self.make_lab(rng)

        @d.addCallback
        def go_through(_: Any) -> None:
            try:
                self.watch_for_leftovers()
                for number in range(events) if isinstance(events, int) else events:
                    if self.is_shut_down():
                        break
                    self.happens(number, random.Random(f'{seed} {number}'))
                self.told.append('the end')
                self.run_out()
            except Exception as e:
                told = '\n'.join(self.told)
                raise AssertionError(f'history {seed}:\n{told}\n{e}') from e

        return d

    # the lab

    def make_lab(self, rng: random.Random) -> defer.Deferred[Any]:
        # a shutdown that is cancelled notices it a second later
        self.patch(util, 'asyncSleep', partial(util.asyncSleep, reactor=self.reactor))
        self.gate = Gate()
        self.questions: list[tuple[str, defer.Deferred[Any]]] = []
        self.pools: dict[int, list[str]] = {}
        self.plugin = 'yes'
        self.failed: dict[int, float] = {}
        self.held: Any = None
        self.trouble_until = 0.0
        self.refused: dict[tuple[int, str | None], int] = {}
        self.poked: dict[str, int] = {}
        self.number = 0
        self.taken_by_other: list[int] = []
        self.unheard: set[int] = set()
        self.shutdown: list[Any] = []
        self.allowed: dict[Any, int] = {}
        self.versions: dict[str, list[tuple[int, Any]]] = {}
        self.accesses_now: dict[str, list[Any]] = {}
        self.limits = {'m': 2, 'n': 1, 'w': 2, 'b': 1}
        self.names = 'abcde'[: rng.randint(2, 5)]
        self.targets = rng.sample(self.names, rng.randint(1, 2))
        if rng.random() < 0.2 and 'trigger' not in self.without:
            self.names += 't'
        of_workers = [
            (name, rng.choice([None, 1, 1, 2]), rng.random() < 0.2) for name in self.workernames
        ]
        own = MasterLock('own', 2).access('counting')
        self.lab_workers = [
            self.createLocalWorker(name, max_builds=most, locks=[own] if has_lock else [])
            for name, most, has_lock in of_workers
        ]
        self.plan = {name: self._plan_of_builder(name, rng) for name in self.names}
        self.words: dict[str, Any] = {
            'collapseRequests': rng.random() < 0.2,
            'lateBinding': rng.random() < 0.5,
        }
        self.order = Order(self)
        if rng.random() < 0.25 and 'prioritizeBuilders' not in self.without:
            self.words['prioritizeBuilders'] = self.order
        self.has_plugin = rng.random() < 0.15 and 'change_plugin' not in self.without
        if self.has_plugin:
            start = Builder.maybeStartBuild
            self.patch(Builder, 'maybeStartBuild', lambda *args: self._start_build(start, *args))
        d = self.setup_master(self.config())

        @d.addCallback
        def begin(_: Any) -> None:
            self.watch()
            self.addCleanup(self.answer_all)  # else the master could not be stopped

        self.told += [f'{name}: {plan}' for name, plan in self.plan.items()]
        self.told.append(f'{of_workers}, {self.words}')
        return d

    def ask_later(self, name: str, answer: Callable[[str], Any]) -> defer.Deferred[Any]:
        """Return the Deferred of an answer that a user's method gives later.

        :param name: of the builder that asks.
        :param answer: returns the answer, of the word for it.
        """
        d: defer.Deferred[Any] = defer.Deferred()
        self.questions.append((name, d))
        return d.addCallback(answer)

    def _plan_of_builder(self, name: str, rng: random.Random) -> dict[str, Any]:
        methods = [
            method
            for method in ('canStartBuild', 'nextWorker', 'nextBuild', 'locks')
            if rng.random() < (0.5 if method == 'canStartBuild' else 0.2)
        ]
        plan = {
            'user': User(self, name, [m for m in methods if m not in self.without]),
            # who triggers others has a worker of its own now and then
            'workernames': sorted(rng.sample(self.workernames[:3], rng.randint(1, 3)))
            if name != 't' or rng.random() < 0.7
            else ['w3'],
            'group': self._some_locks(rng, 0.2),
            'inner': self._some_locks(rng, 0.2),
        }
        self._plan_locks(plan, rng)
        return plan

    def _plan_locks(self, plan: dict[str, Any], rng: random.Random) -> None:
        chosen = self._some_locks(rng, 0.6) + self._some_locks(rng, 0.2)
        plan['locks'] = list({entry[0]: entry for entry in chosen}.values())  # each once
        plan['rendered'] = rng.random() < 0.25

    def _some_locks(self, rng: random.Random, likely: float) -> list[tuple[str, str, int]]:
        if rng.random() >= likely:
            return []
        mode = rng.choice(['exclusive', 'counting', 'counting'])
        return [(rng.choice('mnwb'), mode, rng.choice([1, 1, 2]) if mode == 'counting' else 1)]

    def _locks_of(self, name: str) -> list[tuple[str, str, int]]:
        locks: list[tuple[str, str, int]] = self.plan[name]['locks']
        if name != 't':
            return locks
        # a build that it triggers would wait for the worker of a step that waits for its lock
        of_steps = {e[0] for plan in self.plan.values() for e in (*plan['group'], *plan['inner'])}
        return [entry for entry in locks if entry[0] not in of_steps]

    def lock(self, name: str) -> Any:
        kinds: dict[str, Any] = {'w': WorkerLock, 'b': BranchLock}
        return kinds.get(name, MasterLock)(name, self.limits[name])

    def lockids(self) -> list[Any]:
        """Return all locks that there are."""
        return [*map(self.lock, self.limits), MasterLock('own', 2)]

    def accesses(self, entries: list[tuple[str, str, int]]) -> list[Any]:
        return [
            self.lock(name).access(mode, min(units, self.limits[name]))
            for name, mode, units in entries
        ]

    def config(self) -> dict[str, Any]:
        """Return what the master is configured with now."""
        builders = []
        for name, plan in self.plan.items():
            accesses = self.accesses(self._locks_of(name))
            locks: Any = accesses
            if plan['rendered']:
                locks = plan['user'].rendered(accesses)
            steps: list[Any] = [GatedStep(self.gate, name='first')]
            if plan['group']:
                inner = [e for e in plan['inner'] if e[0] != plan['group'][0][0]]
                step = GatedStep(self.gate, name='in', locks=self.accesses(inner))
                steps.append(StepGroup(name='g', locks=self.accesses(plan['group']), steps=[step]))
            elif plan['inner']:
                steps.append(GatedStep(self.gate, name='in', locks=self.accesses(plan['inner'])))
            if name == 't':
                steps.append(steps_of_release.Trigger(schedulerNames=['s'], waitForFinish=True))
            builders.append(
                BuilderConfig(
                    name=name,
                    workernames=plan['workernames'],
                    factory=BuildFactory(steps),
                    locks=locks,
                    **plan['user'].words(),
                )
            )
            self.accesses_now[name] = accesses
            plan['of_steps'] = [e for e in (*plan['group'], *plan['inner']) if e[0] == 'w']
        return {
            'builders': builders,
            'workers': self.lab_workers,
            'schedulers': [schedulers.Triggerable(name='s', builderNames=self.targets)],
            'multiMaster': True,
            'protocols': {'null': {}},
            **self.words,
        }

    def keep_version(self) -> None:
        for name, builder in self.master.botmaster.builders.items():
            version = (builder.config_version, self.accesses_now[name])
            self.versions.setdefault(name, []).append(version)

    # what can be seen

    def accesses_of(self, build: Build) -> list[Any]:
        """Return what a build has taken when it began."""
        name = build.builder.name
        of_builder = next(a for v, a in reversed(self.versions[name]) if v == build.config_version)
        worker = self.master.workers.workers.get(build.workername)
        return [*of_builder, *(worker.access if worker is not None else ())]

    def see(self, d: defer.Deferred[Any]) -> Any:
        """Return what the database says, while nothing happens."""
        found: list[Any] = []
        d.addCallback(found.append)
        return found[0]

    def running(self) -> list[Build]:
        return [b for name in self.names for b in self.master.botmaster.builders[name].building]

    def pending(self) -> list[dict[str, Any]]:
        return self.see(
            self.master.data.get(
                ('buildrequests',),
                [
                    resultspec.Filter('claimed', 'eq', [False]),
                    resultspec.Filter('complete', 'eq', [False]),
                ],
            )
        )

    def pool_of(self, brid: int) -> list[str]:
        """Return the workers that ``nextWorker`` would choose for a request."""
        return self.pools.get(brid, list(self.workernames))

    def refuse(self, brid: int, worker: str | None) -> None:
        """Take note that a user's method says no to a request, on one worker or on all."""
        self.refused[brid, worker] = self.number

    def is_refused(self, brid: int, builder: str, worker: str) -> bool:
        """Tell whether a user's method has said no since the builder has last been poked."""
        said = max(self.refused.get((brid, w), -1) for w in (worker, None))
        return said >= self.poked.get(builder, 0) and said >= 0

    def poke(self, workers: list[str]) -> None:
        """Take note that something has happened after which builders ask again."""
        for name, plan in self.plan.items():
            if set(workers) & set(plan['workernames']):
                self.poked[name] = self.number

    def is_shutting_down(self) -> bool:
        botmaster = self.master.botmaster
        return botmaster.shuttingDown or botmaster.brd.distribute_only_waited_childs

    def is_shut_down(self) -> bool:
        """Tell whether the master would have ended."""
        return bool(self.shutdown) and self.shutdown[0] is True

    # the events

    def happens(self, number: int, rng: random.Random) -> None:
        """Let one event happen, and all that comes of it."""
        self.number = number
        before = self.running()
        pending = len(self.pending())
        kinds = list(self.EVENTS)
        kind = rng.choices(kinds, [self.EVENTS[k] for k in kinds])[0]
        busy = len(self.names) + pending + len(before) + 2
        self.begin(looks=4 * busy, claims=4 * busy, asks=4 * busy * len(self.workernames))
        self.told.append(f'{number} {kind}')
        what = getattr(self, kind)(rng) if kind not in self.without else None
        if what is None:
            self.told.pop()
            return
        self.told[-1] += f' {what}'
        self.settle()
        self.assert_rests()
        ended = [build for build in before if build.finished]
        if any(map(self.accesses_of, ended)):
            self.poke(list(self.workernames))  # what a user's method looks at may have changed
        workers = self.master.workers.workers
        names = [build.workername for build in ended]
        self.poke([name for name in names if name in workers and workers[name].conn is not None])
        self.begin()
        self.told[-1] += f' -> runs {" ".join(map(self.tell_build, self.running()))}'
        self.check()

    def tell_build(self, build: Build) -> str:
        return f'{build.builder.name}{build.requests[0].id}@{build.workername}'

    def request(self, rng: random.Random) -> str:  # type: ignore[override]
        name = rng.choice(self.names)
        branch = rng.choice(['x', 'x', 'y'])
        priority = rng.choice([0, 0, 0, 5])
        pool = rng.sample(self.workernames, rng.randint(1, 2))
        self.poked[name] = self.number
        # the id is known before anybody asks for it
        rows = self.see(self.master.data.get(('buildrequests',)))
        known = len(rows) + 1
        self.pools[known] = pool
        brid = self.at_once(super().request(name, branch, priority=priority))
        assert brid == known
        return f'{brid} of {name} for {branch}, priority {priority}, pool {pool}'

    def end(self, rng: random.Random) -> str | None:
        if not self.gate.running:
            return None
        at = rng.randrange(len(self.gate.running))
        build, d = self.gate.running.pop(at)
        result = rng.choice([SUCCESS, SUCCESS, FAILURE])
        d.callback(result)
        return f'a step of {self.tell_build(build)} with {result}'

    def _incomplete(self, rng: random.Random) -> int | None:
        left = self.see(
            self.master.data.get(('buildrequests',), [resultspec.Filter('complete', 'eq', [False])])
        )
        ids = [r['buildrequestid'] for r in left if r['buildrequestid'] not in self.taken_by_other]
        return rng.choice(ids) if ids else None

    def cancel(self, rng: random.Random) -> str | None:
        brid = self._incomplete(rng)
        if brid is None:
            return None
        path = ('buildrequests', brid)
        self.at_once(self.master.data.control('cancel', {'reason': 'enough'}, path))
        return f'request {brid}'

    def stop(self, rng: random.Random) -> str | None:
        builds = [build for build in self.running() if build.buildid is not None]
        if not builds:
            return None
        build = rng.choice(builds)
        self.at_once(
            self.master.data.control('stop', {'reason': 'enough'}, ('builds', build.buildid))
        )
        return self.tell_build(build)

    def priority(self, rng: random.Random) -> str | None:
        pending = self.pending()
        if not pending:
            return None
        brid = rng.choice(pending)['buildrequestid']
        priority = rng.choice([-5, 0, 9])
        path = ('buildrequests', brid)
        self.at_once(self.master.data.control('set_priority', {'priority': priority}, path))
        return f'of request {brid} is {priority}'

    def _worker(self, rng: random.Random, is_meant: Callable[[Any], bool]) -> Any:
        workers = [w for w in self.master.workers.workers.values() if is_meant(w)]
        return rng.choice(sorted(workers, key=lambda w: w.name)) if workers else None

    def lose(self, rng: random.Random) -> str | None:
        worker = self._worker(rng, lambda w: w.conn is not None)
        if worker is None:
            return None
        worker.conn.loseConnection()
        return worker.name

    def come_back(self, rng: random.Random) -> str | None:
        worker = self._worker(rng, lambda w: w.conn is None)
        if worker is None:
            return None
        self._connect(worker)
        return worker.name

    def _connect(self, worker: Any) -> None:
        conn = Connection(worker.remote_worker)
        self.at_once(self.master.workers.newConnection(conn, worker.name))
        self.at_once(worker.attached(conn))
        self.poke([worker.name])

    def pause(self, rng: random.Random) -> str | None:
        worker = self._worker(rng, lambda w: not w.isPaused())
        if worker is None:
            return None
        worker.pause('enough')
        return worker.name

    def unpause(self, rng: random.Random) -> str | None:
        worker = self._worker(rng, lambda w: w.isPaused())
        if worker is None:
            return None
        worker.unpause()
        self.poke([worker.name])
        return worker.name

    def change_mind(self, rng: random.Random) -> str | None:
        minds = self._minds()
        said = [(name, method) for name, says in minds.items() for method in says]
        if not said:
            return None
        name, method = rng.choice(said)
        says = minds[name]
        before = says[method]
        says[method] = rng.choice([User.ANSWERS[method][0], *User.ANSWERS[method]])
        return f'of {method} of {name} from {before!r} to {says[method]!r}'

    def _minds(self) -> dict[str, dict[str, str]]:
        minds = {name: plan['user'].says for name, plan in self.plan.items()}
        if 'prioritizeBuilders' in self.words:
            minds[''] = self.order.says
        return minds

    def answer(self, rng: random.Random) -> str | None:
        if not self.questions:
            return None
        says = rng.choice(['yes', 'yes', 'none', 'error'])
        name, d = self.questions.pop(rng.randrange(len(self.questions)))
        d.callback(says)
        return f'of {name} is {says}'

    def shut_down(self, rng: random.Random) -> str | None:
        if self.is_shutting_down() or self.shutdown:
            return None
        # most often there is something that it has to wait for
        if not self.running() and rng.random() < 0.8:
            return None
        self.shutdown = [False]
        d = self.master.botmaster.cleanShutdown(stopReactor=False)
        d.addCallback(self._shut_down)
        return 'when all builds have ended'

    def _shut_down(self, _: Any) -> None:
        self.shutdown[0] = self.master.botmaster.shuttingDown
        if not self.shutdown[0]:
            self.shutdown = []
            self.poke(list(self.workernames))

    def go_on(self, rng: random.Random) -> str | None:
        if not self.master.botmaster.shuttingDown:
            return None
        self.master.botmaster.cancelCleanShutdown()
        return 'after all'

    def reconfig(self, rng: random.Random) -> str:
        what = rng.choice(['locks', 'limits', 'nothing'])
        if what == 'locks':
            name = rng.choice(self.names)
            self._plan_locks(self.plan[name], rng)
            told = f'of {name}: {self.plan[name]["locks"]}'
        elif what == 'limits':
            name = rng.choice(list(self.limits))
            self.limits[name] = rng.choice([1, 2, 3])
            told = f'of {name} to {self.limits[name]}'
        else:
            told = ''
        self._reconfig()
        return f'{what} {told}'

    def _reconfig(self) -> None:
        self.at_once(self.reconfig_master(self.config()))
        self.keep_version()
        self.poke(list(self.workernames))

    def other_master(self, rng: random.Random) -> str | None:
        pending = self.pending()
        if not pending:
            return None
        brid = rng.choice(pending)['buildrequestid']
        is_told = rng.random() < 0.7
        claim_elsewhere(self, brid, is_told)
        self.taken_by_other.append(brid)
        if not is_told:
            self.unheard.add(brid)
        return f'takes request {brid}{"" if is_told else ", but nobody hears of it"}'

    def other_master_done(self, rng: random.Random) -> str | None:
        if not self.taken_by_other:
            return None
        brid = self.taken_by_other.pop(rng.randrange(len(self.taken_by_other)))
        self.unheard.discard(brid)
        gives_back = rng.random() < 0.5
        complete_elsewhere(self, brid, gives_back)
        return f'{"gives back" if gives_back else "has done"} request {brid}'

    def slow_write(self, rng: random.Random) -> str | None:
        if self.held is not None:
            return None
        kind = rng.choice(['addBuild', 'unclaimBuildRequests', 'claimBuildRequests'])
        if self.words['collapseRequests'] and kind == 'claimBuildRequests':
            return None  # who asks for a build would wait as well
        self.held = self.hold_write(kind, lambda *args, **kwargs: True)
        return kind

    def write(self, rng: random.Random) -> str | None:
        if self.held is None or self.held.held is None:
            return None
        fails = rng.random() < 0.4
        self._let_write(OperationalError('insert', {}, Exception('locked')) if fails else None)
        return 'fails' if fails else 'goes on'

    def _let_write(self, error: Exception | None) -> None:
        held, self.held = self.held, None
        if held.held is None:
            held.held = defer.succeed(None)  # it is not meant any more
        elif error is None:
            held.held.callback(None)
        else:
            self.trouble_until = self.reactor.seconds() + 15
            held.held.errback(error)

    def change_plugin(self, rng: random.Random) -> str | None:
        if not self.has_plugin:
            return None
        self.plugin = rng.choice(['yes', 'yes', 'no', 'error'])
        return self.plugin

    def _start_build(self, start: Any, builder: Any, worker: Any, requests: list[Any]) -> Any:
        # what a plugin makes of maybeStartBuild
        if self.plugin == 'yes':
            return start(builder, worker, requests)
        for request in requests:
            self.failed[request.id] = self.reactor.seconds() + 15
        if self.plugin == 'error':
            return defer.fail(UserError('maybeStartBuild'))
        return defer.succeed(False)

    def wait(self, rng: random.Random) -> str:
        seconds = rng.choice([1, 60, 3600])
        if self.plugin != 'yes':
            # what fails is tried again now and then
            seconds = min(seconds, 60)
            self.begin(**{what: 6 * most for what, most in self.pace.most.items()})
        self.let_time_go(seconds)
        return f'{seconds} s'

    # what must be so

    def watch_for_leftovers(self) -> None:
        """Look after each call of the reactor, from now on, for what has no living owner.

        An owner that has just ended may give back its locks a turn of the reactor later.
        """
        sweep = self.at_once(Sweep.getService(self.master.botmaster))
        call_later = self.reactor.callLater
        self.leftovers: list[str] = []
        suspected: dict[Any, float] = {}

        def look_after(call: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
            call(*args, **kwargs)
            if sweep.running and not self.leftovers:
                now = self.reactor.seconds()
                found = {left.claim: left for left in self.successResultOf(sweep.look())}
                for claim, leftover in found.items():
                    if suspected.setdefault(claim, now) < now:
                        self.leftovers.append(leftover.tell(now, False))
                for claim in suspected.keys() - found.keys():
                    del suspected[claim]

        def watched(when: float, *call: Any, **kwargs: Any) -> Any:
            return call_later(when, look_after, *call, **kwargs)

        self.patch(self.reactor, 'callLater', watched)

    def check(self) -> None:
        """Fail unless all is as it must be when all that is due has happened."""
        if not self.versions:
            self.keep_version()
        self.assertEqual(self.leftovers, [])
        holders = Holders(self.accesses_of, self.parent_of)
        for copy in copies_of(self.master, self.lockids()):
            self._check_copy(copy, holders)
        for worker in self.master.workers.workers.values():
            self._check_places(worker)
        if self.is_shut_down() or self.unheard or self.order.is_late:
            return  # who waits for what is not pending any more cannot know
        startable = Startable(self.wishes(), holders, self.may_pend)
        wish = startable.whoever_is_in_front()
        if wish is None and 'prioritizeBuilders' not in self.words:
            wish = startable.in_front()
        if wish is not None:
            self.fail(
                f'request {wish.brid} of {wish.builder} pends, though {wish.worker} is idle and'
                f' {", ".join(map(self._tell_copy, wish.wants)) or "no lock"} free'
            )

    def branch_of(self, row: dict[str, Any]) -> str | None:
        """Return the branch of a request."""
        buildset = self.see(self.master.data.get(('buildsets', str(row['buildsetid']))))
        return buildset['sourcestamps'][0]['branch']

    def parent_of(self, build: Build) -> int | None:
        """Return the id of the build that has triggered a build; None if there is none."""
        buildset = self.see(self.master.data.get(('buildsets', str(build.requests[0].bsid))))
        return buildset['parent_buildid']

    def may_pend(self, wish: Wish) -> bool:
        """Tell whether there is a reason for which a request need not have started."""
        now = self.reactor.seconds()
        if self.held is not None or now < self.trouble_until:
            return True
        if self.is_shutting_down() and not wish.is_waited_for:
            return True
        of_steps = self.plan[wish.builder]['of_steps']
        loaded = {build.workername for build in self.running()}
        if self.words['lateBinding'] and of_steps and wish.worker in loaded:
            return True  # it waits for a place, or stands in line
        asks = any(name == wish.builder for name, _ in self.questions)
        return asks or now < self.failed.get(wish.brid, 0)

    def _tell_copy(self, copy: Any) -> str:
        return f'{copy} (held by {copy.owners}, waited for by {copy.waiting})' if copy else 'new'

    def _check_copy(self, copy: Any, holders: Holders) -> None:
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
                if owner is not build:
                    self.assertIsNone(owner.results, f'{copy} is held by an ended {owner}')
        exclusive, units = holders.used(copy)
        if exclusive:
            self.assertEqual(len(holders.outermost(copy)), 1, f'{copy} is held by {copy.owners}')
            units = min(units, copy.maxCount)
        # a limit that is lowered takes nothing from those who hold more already
        self.assertLessEqual(units, max(copy.maxCount, self.allowed.get(copy, 0)), f'{copy}')
        self.allowed[copy] = units
        for waiting in copy.waiting:
            if isinstance(waiting, BuildStep):
                self.assertIn(waiting.build, running, f'{waiting} waits, and has ended')

    def _check_places(self, worker: Any) -> None:
        builds = [b for b in self.running() if b.workerforbuilder.worker is worker]
        parents = {self.parent_of(build) for build in builds}
        lenders = [b for b in builds if self.only_waits(b) and b.buildid in parents]
        told = f'{worker.name} has builds {" ".join(map(self.tell_build, builds))}'
        self.assertLessEqual(len(builds) - len(lenders), worker.max_builds or 99, told)

    def only_waits(self, build: Build) -> bool:
        """Tell whether a build waits for those that it has triggered."""
        step = build.currentStep
        return step is not None and step.name == 'trigger' and step.results is None

    def lent_to(self, row: dict[str, Any]) -> list[Any]:
        """Return the workers on which a pending request may use the place of its parent."""
        buildset = self.see(self.master.data.get(('buildsets', str(row['buildsetid']))))
        parentid = buildset['parent_buildid']
        running = self.running()
        parent = next((build for build in running if build.buildid == parentid), None)
        if parentid is None or parent is None or not self.only_waits(parent) or parent.stopped:
            return []
        worker = parent.workerforbuilder.worker
        here = [build for build in running if build.workername == parent.workername]
        is_lent = any(self.parent_of(build) == parentid for build in here)
        if is_lent or worker is None or worker.isPaused() or worker.quarantine_timer:
            return []
        if not worker.max_builds or len(here) > worker.max_builds or worker._graceful:
            return []
        builder = self.master.botmaster.getBuilderById(row['builderid'])
        return [w for w in builder.workers if w.worker is worker and not w.isBusy()]

    def wishes(self) -> list[Wish]:
        """Return what pending requests need on idle workers, if nobody says no to it."""
        found = []
        for row in self.pending():
            builder = self.master.botmaster.getBuilderById(row['builderid'])
            plan = self.plan[builder.name]
            brid = row['buildrequestid']
            idle = builder.getAvailableWorkers()
            for wfb in [*idle, *(w for w in self.lent_to(row) if w not in idle)]:
                worker = wfb.worker.workername
                if self.is_refused(brid, builder.name, worker):
                    continue
                if not plan['user'].may_choose(brid, worker):
                    continue
                accesses = [*self.accesses_now[builder.name], *wfb.worker.access]
                branch = self.branch_of(row)
                wants = {
                    copy_of(self.master, access, worker, branch): want_of(access)
                    for access in accesses
                }
                place = (-row['priority'], row['submitted_at'])
                is_waited_for = row['waited_for']
                found.append(Wish(brid, builder.name, worker, place, is_waited_for, wants))
        return found

    # the end

    def run_out(self) -> None:
        """Let all be as it was, and fail unless all requests end then, and nothing is left."""
        self.number += 1
        self.answer_all()
        self.settle()
        if self.is_shut_down():
            self.check()
            return
        self.master.botmaster.cancelCleanShutdown()
        for worker in self.master.workers.workers.values():
            if worker.isPaused():
                worker.unpause()
            if worker.conn is None:
                self._connect(worker)
        self.unheard.clear()
        for brid in self.taken_by_other:
            complete_elsewhere(self, brid)
        self.pools.clear()
        self.let_time_go(30)  # for what is tried again
        self.limits = {'m': 3, 'n': 3, 'w': 3, 'b': 3}
        self._reconfig()
        for _ in range(50 + 20 * self.number):
            self.begin()
            self.settle()
            self.assert_rests()
            self.check()
            if not self.gate.running:
                break
            _, d = self.gate.running.pop(0)
            d.callback(SUCCESS)
        self.begin()
        self.let_time_go(3600)
        self._reconfig()
        self.settle()
        self.assertFalse(self.gate.running, 'something begins by itself')
        rows = self.at_once(self.master.data.get(('buildrequests',)))
        left = [row['buildrequestid'] for row in rows if not row['complete']]
        self.assertEqual(left, [], 'requests that have never run')
        self.assertEqual(self.running(), [], 'builds that have never ended')
        self.assertEqual(self.master.botmaster._starting_brid_to_cancel, {})
        for copy in copies_of(self.master, self.lockids()):
            self.assertEqual((copy.owners, copy.waiting), ([], []), f'{copy}')

    def answer_all(self) -> None:
        """Let every method of the user's say yes from now on."""
        for says in self._minds().values():
            says.update({method: User.ANSWERS[method][0] for method in says})
        self.plugin = 'yes'
        if self.held is not None:
            self._let_write(None)
        while self.questions:
            self.questions.pop(0)[1].callback('yes')
            self.settle()
