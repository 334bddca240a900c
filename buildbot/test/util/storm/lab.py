# SPDX-License-Identifier: GPL-2.0-only
"""New: a master in memory that is configured by data, and can be configured otherwise."""

from __future__ import annotations

import copy
import random
import signal
from functools import partial
from typing import Any
from typing import Callable

from twisted.internet import defer

from buildbot import util
from buildbot.config import BuilderConfig
from buildbot.config import orders
from buildbot.locking.resource import Resource
from buildbot.locks import BranchLock
from buildbot.locks import MasterLock
from buildbot.locks import WorkerLock
from buildbot.plugins import schedulers
from buildbot.plugins import steps as steps_of_release
from buildbot.pools import ResourcePool
from buildbot.process.factory import BuildFactory
from buildbot.process.groups.step import StepGroup
from buildbot.test.fake import latent
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.pace import PacedCase
from buildbot.test.util.remote import Remote
from buildbot.test.util.storm.configuration import LOCKS
from buildbot.test.util.storm.configuration import RESOURCES
from buildbot.test.util.storm.user import Order
from buildbot.test.util.storm.user import User

OWN = MasterLock('own', 2)


class StormLab(PacedCase):
    """A master that is configured by data.

    :ivar plan: the configuration, as it is now.
    :ivar limits: of the locks, as they are now.
    :ivar removed: builders and workers that are not configured now.
    :ivar unscheduled: builders that cannot be triggered now.
    :ivar users: who is asked for each builder.
    :ivar questions: the builders that ask what is answered later, and the answers.
    :ivar is_stopping: whether the master stops, so that each question is answered at once.
    :ivar pools: the workers that nextWorker would choose for each request; else any.
    :ivar refused: when a user's method has said no to a request, on one worker or on all.
    :ivar number: of the event that happens.
    :ivar accesses_now: how each builder takes its locks.
    """

    # any of that may fail, too
    writes_properties = True
    writes_states = True
    tells_all = True

    def make_lab(self, configuration: dict[str, Any]) -> defer.Deferred[Any]:
        """Start a master."""
        self.plan = copy.deepcopy(configuration)
        self.patch(random, 'choice', random.Random(self.plan['luck']).choice)
        self.patch(latent, 'RemoteWorker', Remote)
        # what is warned of is seen elsewhere; here it is that nothing goes wrong while it is found
        self.patch(orders, 'ALL_LOOKS', 100)
        # the process is not the master's alone
        self.patch(signal, 'signal', lambda *args: None)
        diff_sets = util.diffSets
        # builders come and go in order of their names
        self.patch(util, 'diffSets', lambda *sets: [sorted(diff) for diff in diff_sets(*sets)])
        # a shutdown that is cancelled notices it a second later
        self.patch(util, 'asyncSleep', partial(util.asyncSleep, reactor=self.reactor))
        self.gate = Gate()
        self.questions: list[tuple[str, defer.Deferred[Any]]] = []
        self.is_stopping = False
        self.pools: dict[int, list[str]] = {}
        self.refused: dict[tuple[int, str | None], int] = {}
        self.number = 0
        self.limits = dict(LOCKS)
        self.removed: set[str] = set()
        self.unscheduled: set[str] = set()
        self.accesses_now: dict[str, list[Any]] = {}
        self.users = {n: User(self, n, words['asks']) for n, words in self.plan['builders'].items()}
        self.order = Order(self)
        self.make_workers()
        return self.setup_master(self.config())

    def make_workers(self) -> None:
        """Make the workers that a new master needs."""
        self.controllers: dict[str, latent.LatentController] = {}
        self.workers_made: dict[str, Any] = {}
        for name in self.plan['workers']:
            self.make_worker(name)

    def make_worker(self, name: str) -> None:
        plan = self.plan['workers'][name]
        locks = [OWN.access('counting')] if plan['own'] else []
        words = {'max_builds': plan['most'], 'locks': locks}
        if plan['latent']:
            # it hardly waits for another build when one has ended
            controller = latent.LatentController(self, name, build_wait_timeout=1, **words)
            controller.auto_stop(True)
            self.controllers[name] = controller
            self.workers_made[name] = controller.worker
        else:
            self.workers_made[name] = self.createLocalWorker(name, **words)

    def ask_later(self, name: str, answer: Callable[[str], Any]) -> defer.Deferred[Any]:
        """Return the Deferred of an answer that the user gives later.

        :param name: of the builder that asks.
        :param answer: returns the answer, of the word for it.
        """
        d: defer.Deferred[Any] = defer.Deferred()
        if self.is_stopping:
            d.callback('yes')
        else:
            self.questions.append((name, d))
        return d.addCallback(answer)

    def refuse(self, brid: int, worker: str | None) -> None:
        """Take note that a user's method says no to a request, on one worker or on all."""
        self.refused[brid, worker] = self.number

    def pool_of(self, brid: int) -> list[str]:
        """Return the workers that ``nextWorker`` would choose for a request."""
        return self.pools.get(brid, list(self.plan['workers']))

    # what the master is configured with

    def lock(self, name: str) -> Any:
        if name == 'p':
            return ResourcePool(name, [resource(*of) for of in RESOURCES[: self.limits[name]]])
        kinds: dict[str, Any] = {'w': WorkerLock, 'b': BranchLock}
        return kinds.get(name, MasterLock)(name, self.limits[name])

    def lockids(self) -> list[Any]:
        """Return all locks that there are."""
        return [*map(self.lock, self.limits), OWN]

    def accesses(self, entries: tuple[Any, ...]) -> list[Any]:
        """Return how locks are taken, of data."""
        return [self._access(*entry) for entry in entries]

    def _access(self, name: str, mode: str, units: int) -> Any:
        lock, units = self.lock(name), min(units, self.limits[name])
        if name != 'p':
            return lock.access(mode, units)
        if mode == 'exclusive':
            return lock.access(exclusive=True)
        return lock.access(units, None if mode == 'counting' else mode)

    def present(self, kind: str, names: Any = None) -> list[str]:
        """Return the names of the builders or workers that are configured now."""
        known = self.plan[kind].keys() - self.removed
        return [name for name in (self.plan[kind] if names is None else names) if name in known]

    def config(self) -> dict[str, Any]:
        """Return what the master is configured with now."""
        builders = self.present('builders')
        words = ('collapseRequests', 'lateBinding', 'parentLendsPlace')
        config = {
            'builders': [self._builder_of(name) for name in builders],
            'workers': [self.workers_made[name] for name in self.present('workers')],
            'schedulers': [
                schedulers.Triggerable(name=f's{name}', builderNames=[name])
                for name in builders
                if name not in self.unscheduled
            ],
            'multiMaster': True,
            'protocols': {'null': {}},
            **{word: self.plan[word] for word in words},
        }
        if self.plan['prioritizeBuilders']:
            config['prioritizeBuilders'] = self.order
        return config

    def workers_of(self, name: str) -> list[str]:
        """Return the names of the workers that are configured for a builder."""
        return self.present('workers', self.plan['builders'][name]['workers']) or ['w0']

    def _builder_of(self, name: str) -> BuilderConfig:
        plan, user = self.plan['builders'][name], self.users[name]
        accesses = self.accesses_now[name] = self.accesses(plan['locks'])
        return BuilderConfig(
            name=name,
            workernames=self.workers_of(name),
            factory=BuildFactory(self._steps(name, plan['steps'])),
            locks=user.rendered('locks', accesses),
            **user.words(),
        )

    def _steps(self, name: str, entries: tuple[Any, ...]) -> list[Any]:
        found = []
        for number, (kind, *words) in enumerate(entries):
            step = getattr(self, f'_{kind}')(name, f'{kind[0]}{number}', *words)
            if step is not None:
                found.append(step)
        return found

    def _step(self, builder: str, name: str, locks: tuple[Any, ...], **words: Any) -> Any:
        accesses = self.users[builder].rendered('step locks', self.accesses(locks))
        return GatedStep(self.gate, name=name, locks=accesses, **words)

    def _clean(self, builder: str, name: str, locks: tuple[Any, ...]) -> Any:
        return self._step(builder, name, locks, alwaysRun=True)

    def _group(
        self, builder: str, name: str, locks: tuple[Any, ...], parallel: int, steps: tuple[Any, ...]
    ) -> Any:
        accesses = self.users[builder].rendered('step locks', self.accesses(locks))
        inner = self._steps(builder, steps)
        if not inner:
            return None  # what it triggers has been removed
        return StepGroup(name=name, locks=accesses, steps=inner, parallel=parallel)

    def _trigger(self, builder: str, name: str, children: tuple[str, ...]) -> Any:
        names = [f's{child}' for child in self.present('builders', children)]
        if not names:
            return None
        return steps_of_release.Trigger(schedulerNames=names, waitForFinish=True, name=name)


def resource(name: str, labels: str, worker: str | None) -> Resource:
    return Resource(name, list(labels), workers=None if worker is None else [worker])
