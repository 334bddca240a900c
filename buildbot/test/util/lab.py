# SPDX-License-Identifier: GPL-2.0-only
"""A master in memory with local workers and steps that a test lets go on."""

from __future__ import annotations

import builtins
from functools import lru_cache
from functools import partial
from inspect import isclass
from types import ModuleType
from typing import Any
from typing import Callable
from typing import Mapping
from typing import Sequence

from twisted.internet import defer
from twisted.python import log
from twisted.trial import unittest
from twisted.trial import util
from twisted.web.template import tags
from twisted.web.util import formatFailure

from buildbot.config import BuilderConfig
from buildbot.data.base import ResourceType
from buildbot.data.base import updateMethod
from buildbot.data.builders import Builder
from buildbot.data.buildrequests import BuildRequest
from buildbot.data.builds import Build
from buildbot.data.connector import DataConnector
from buildbot.data.logs import Log
from buildbot.data.properties import Properties
from buildbot.data.steps import Step
from buildbot.data.workers import Worker
from buildbot.process import metrics
from buildbot.process.buildrequest import BuildRequestCollapser
from buildbot.process.buildstep import BuildStep
from buildbot.process.factory import BuildFactory
from buildbot.process.results import CANCELLED
from buildbot.process.sweep import Sweep
from buildbot.test.util.depth import with_room
from buildbot.test.util.integration import RunFakeMasterTestCase
from buildbot.test.util.memorydb import forget_in_the_end
from buildbot.test.util.memorydb import use_known_database
from buildbot.warnings import ConfigWarning

#: rows of these are read for events
ROWS: tuple[Any, ...] = (Build, Builder, BuildRequest, Log, Step)

#: each writes what its namesake of the database does, and reads the worker for an event
WORKER_UPDATES = (
    'workerConnected',
    'workerDisconnected',
    'set_worker_paused',
    'set_worker_graceful',
)

#: what builds and steps tell of themselves on the way
STATES: tuple[tuple[Any, str], ...] = (
    (Build, 'add_build_locks_duration'),
    (Build, 'setBuildStateString'),
    (Step, 'setStepStateString'),
    (Step, 'set_step_locks_acquired_at'),
)


class Gate:
    """What a ``GatedStep`` waits at: the test opens it, once for each step that has come to it.

    :ivar running: builds whose step waits here now, in order of arrival.
    """

    def __init__(self) -> None:
        self.running: list[tuple[Any, defer.Deferred[int]]] = []
        self.seen = 0

    def wait(self, step: BuildStep) -> defer.Deferred[int]:
        self.seen += 1
        d: defer.Deferred[int] = defer.Deferred()
        self.running.append((step.build, d))
        return d

    def open(self, result: int) -> None:
        _, d = self.running.pop(0)
        d.callback(result)


class AwaitedGate(Gate):
    """A gate of which a test can await that a step has come to it."""

    def __init__(self) -> None:
        super().__init__()
        self.arrivals: defer.DeferredQueue[BuildStep] = defer.DeferredQueue()

    def wait(self, step: BuildStep) -> defer.Deferred[int]:
        d = super().wait(step)
        self.arrivals.put(step)
        return d


class GatedStep(BuildStep):
    """A step that ends with the result with which the test opens its gate.

    :param gate: where it waits.
    """

    def __init__(self, gate: Gate, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gate = gate
        self._wait: defer.Deferred[int] | None = None

    def run(self) -> defer.Deferred[int]:
        self._wait = self.gate.wait(self)
        return self._wait

    def interrupt(self, reason: Any) -> defer.Deferred[None]:
        d = super().interrupt(reason)
        for at in list(self.gate.running):
            if at[1] is self._wait:
                self.gate.running.remove(at)
                self._wait.callback(CANCELLED)
        return d


class HeldWrite:
    """A write to the database that waits until the test lets it go on, or fail.

    :param updates: the master's ``data.updates``.
    :param name: which kind of write.
    :param is_meant: tells from its arguments whether this is the one; the first such is held.
    :param is_done: whether it is written at once, and only the answer waits.
    """

    def __init__(
        self, updates: Any, name: str, is_meant: Callable[..., bool], is_done: bool = False
    ) -> None:
        self.held: Any = None
        self._is_done = is_done
        self._is_meant = is_meant
        self._write = getattr(updates, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.held is not None or not self._is_meant(*args, **kwargs):
            return self._write(*args, **kwargs)
        held = self.held = defer.Deferred()
        if self._is_done:
            d = self._write(*args, **kwargs)
            return d.addCallback(lambda made: held.addCallback(lambda _: made))
        return held.addCallback(lambda _: self._write(*args, **kwargs))


@updateMethod
def write_none(*args: Any, **words: Any) -> defer.Deferred[None]:
    """Write nothing."""
    return defer.succeed(None)


class NoMetrics:
    """The log of Buildbot's metrics where nobody reads it."""

    @staticmethod
    def msg(**words: Any) -> None:
        """Forget what has been counted."""


@lru_cache(maxsize=10_000)
def may_fit(filters: Sequence[Sequence[str | None]], paths: Sequence[str], event: str) -> bool:
    """Tell whether a message of an event fits one of these filters.

    :param paths: the keys of its messages; what is in braces stands for an id.
    """

    def fits(key: Sequence[str], words: Sequence[str | None]) -> bool:
        pairs = zip(key, words)
        same = all(word in (None, part) or part.startswith('{') for part, word in pairs)
        return same and len(key) == len(words)

    keys = [(*path.split('/'), event) for path in paths]
    return any(fits(key, words) for key in keys for words in filters)


def may_be_heard(master: Any, paths: Sequence[str], event: str) -> bool:
    """Tell whether anybody consumes a message of a master about an event."""
    filters = tuple(tuple(consumer.filter) for consumer in master.mq.impl.qrefs)
    return may_fit(filters, tuple(paths), event)


def unless_unheard(make_event: Callable[..., Any]) -> Callable[..., Any]:
    """Let an event be made only if somebody may hear it; the row that it tells is read for it."""

    def make(kind: Any, row: Any, event: str) -> Any:
        if may_be_heard(kind.master, kind.eventPaths, event):
            return make_event(kind, row, event)
        return defer.succeed(None)

    return make


def where_wanted(collapse: Callable[..., Any]) -> Callable[..., Any]:
    """Let new requests be compared with older ones only if a builder collapses requests."""

    def maybe_collapse(collapser: Any) -> Any:
        master = collapser.master
        said = [b.config.collapseRequests for b in master.botmaster.builders.values() if b.config]
        if any((master.config.collapseRequests if s is None else s) is not False for s in said):
            return collapse(collapser)
        return defer.succeed([])

    return maybe_collapse


@lru_cache(maxsize=1000)
def kinds_in(module: ModuleType) -> list[str]:
    """Return the names of the kinds of resources in a module."""
    found = [(name, getattr(module, name)) for name in dir(module)]
    return [name for name, it in found if isclass(it) and issubclass(it, ResourceType)]


@lru_cache(maxsize=1000)
def updates_of(kind: type[ResourceType]) -> list[str]:
    """Return the names of the updates that a kind of resource has."""
    return [name for name in dir(kind) if hasattr(getattr(kind, name), 'isUpdateMethod')]


def names_to_scan(of: Any) -> list[str]:
    """Return what the data API looks for among all names of a module or resource."""
    return kinds_in(of) if isinstance(of, ModuleType) else updates_of(of.__class__)


def only_written(update: Any) -> Any:
    """Let an update of workers only write to the database unless somebody may hear its event."""

    def write(kind: Any, *args: Any, **words: Any) -> Any:
        if may_be_heard(kind.master, ['workers/{workerid}'], '{event}'):
            return update(kind, *args, **words)
        return getattr(kind.master.db.workers, update.__name__)(*args, **words)

    return updateMethod(write)


def set_up(method: Callable[..., Any]) -> Callable[..., Any]:
    """Make of a generator a ``setUp`` for whose Deferreds trial waits; its type is unittest's."""
    return defer.inlineCallbacks(method)


class LabTestCase(RunFakeMasterTestCase):
    """Builds on a master in memory, with requests for branches.

    When it ends, nothing is held or waited for by what has ended.

    :cvar writes_properties: whether the properties of builds are written; a build has ten, which
        take two statements each, and few tests read them.
    :cvar writes_states: whether builds and steps write what they do now, and since when they have
        their locks; that is a quarter of what they write, and few tests read it.
    :cvar tells_all: whether events are made that nobody hears; a row is read for each.
    :cvar measures: whether Buildbot's metrics are counted: a third of what goes through the log.
    """

    writes_properties = False
    writes_states = False
    tells_all = False
    measures = False

    # many have builds wait for one another on purpose
    suppress = [util.suppress(category=ConfigWarning, message='.* forever$')]

    def setUp(self) -> None:
        forget_in_the_end(self)
        super().setUp()
        self.database = use_known_database(self)
        if not self.writes_properties:
            self.patch(Properties, 'setBuildProperties', write_none)
        if not self.writes_states:
            for kind, update in STATES:
                self.patch(kind, update, write_none)
        if not self.tells_all:
            self.patch(ResourceType, 'produceEvent', unless_unheard(ResourceType.produceEvent))
            for kind in ROWS:
                self.patch(kind, 'generateEvent', unless_unheard(kind.generateEvent))
            for name in WORKER_UPDATES:
                self.patch(Worker, name, only_written(getattr(Worker, name)))

        if not self.measures:
            self.patch(metrics, 'log', NoMetrics)
        self.patch(BuildRequestCollapser, 'collapse', where_wanted(BuildRequestCollapser.collapse))

        # a page about each exception, which nobody reads, and for each master a scan of all names
        # of the data API, cost more than they show
        self._patch_word(formatFailure, 'FailureElement', lambda failure: tags.html(str(failure)))
        self._patch_word(DataConnector._scanModule, 'dir', names_to_scan)

    def _patch_word(self, function: Any, name: str, value: Any) -> None:
        """Let a name stand for something else in the module of a function."""
        words = function.__globals__
        before = words[name] if name in words else getattr(builtins, name)
        self.addCleanup(words.__setitem__, name, before)
        words[name] = value

    def run(self, result: Any = None) -> Any:
        return with_room(partial(super().run, result))

    @defer.inlineCallbacks
    def setup_lab(
        self,
        builders: Mapping[str, Any],
        workers: Sequence[Any] = ('w1',),
        **config: Any,
    ) -> Any:
        """Start a master.

        :param builders: for each name, what ``BuilderConfig`` takes; ``steps`` stands for a factory
            of these steps, and the workers are all there are.
        :param workers: names, or workers as ``createLocalWorker`` makes them.
        """
        self.lab_workers = [self.createLocalWorker(w) if isinstance(w, str) else w for w in workers]
        yield self.setup_master(self.lab_config(builders, **config))
        self.addCleanup(self._forget_last_words, self.master)
        self.addCleanup(self._check_leftovers, self.master)
        # all paths are known now: Buildbot would put them in order again at each look
        self.master.data.matcher._dirty = False

    def _forget_last_words(self, master: Any) -> None:
        """Let the master not write that it stops: its database ends with it."""
        for name in ('masterStopped', 'workerConfigured', 'workerDisconnected'):
            setattr(master.data.updates, name, write_none)

    @defer.inlineCallbacks
    def _check_leftovers(self, master: Any) -> Any:
        sweep = yield Sweep.getService(master.botmaster)
        found = yield sweep.look()
        self.assertEqual([leftover.tell(self.reactor.seconds(), False) for leftover in found], [])

    def lab_config(self, builders: Mapping[str, Any], **config: Any) -> dict[str, Any]:
        return {
            'builders': [self._builder(name, dict(words)) for name, words in builders.items()],
            'workers': self.lab_workers,
            'collapseRequests': False,
            'multiMaster': True,
            'protocols': {'null': {}},
            **config,
        }

    def _builder(self, name: str, words: dict[str, Any]) -> BuilderConfig:
        words.setdefault('workernames', [w.name for w in self.lab_workers])
        if 'steps' in words:
            words['factory'] = BuildFactory(words.pop('steps'))
        return BuilderConfig(name=name, **words)

    @defer.inlineCallbacks
    def request(self, builder: str, branch: str | None = None, **words: Any) -> Any:
        """Ask for a build and let the master act on it.

        :returns: Deferred of the build request's id.
        :raises SkipTest: Buildbot cannot have such a branch in this database.
        """
        self._check_branch(branch or '')
        builderid = yield self.master.data.updates.findBuilderId(builder)
        stamp: dict[str, Any] = dict.fromkeys(('codebase', 'repository', 'project'), '')
        stamp.update(branch=branch, revision=None)
        words.setdefault('waited_for', False)
        _, brids = yield self.master.data.updates.addBuildset(
            builderids=[builderid], sourcestamps=[stamp], **words
        )
        self.settle()
        return brids[builderid]

    def _check_branch(self, branch: str) -> None:
        database = self.master.db
        is_long = database.pool.engine.dialect.name != 'sqlite' and len(branch) > 256
        if is_long or not database.lock_hand.can_keep(branch):
            raise unittest.SkipTest('this database cannot have such a branch')

    def hold_write(
        self, name: str, is_meant: Callable[..., bool], is_done: bool = False
    ) -> HeldWrite:
        """Hold the next write of a kind that is meant, or its answer; others go through."""
        updates = self.master.data.updates
        held = HeldWrite(updates, name, is_meant, is_done)
        self.patch(updates, name, held)
        return held

    def settle(self) -> None:
        """Let all that is due happen: what the master puts off waits less than a second."""
        for _ in range(3):
            self.reactor.advance(1)

    def open(self, gate: Gate, result: int) -> None:
        gate.open(result)
        self.settle()

    def branches(self, gate: Gate) -> list[str | None]:
        """Branches of the builds whose step waits at the gate."""
        return [build.sources[0].branch for build, _ in gate.running]

    @defer.inlineCallbacks
    def builds(self) -> Any:
        """Return the results of all build rows, in order; None for those that are not finished."""
        rows = yield self.master.data.get(('builds',), order=['buildid'])
        return [row['results'] for row in rows]

    @defer.inlineCallbacks
    def step_rows(self, buildid: int = 1) -> Any:
        """Return (name, result) of the steps of a build that are not the master's own."""
        rows = yield self.master.data.get(('builds', buildid, 'steps'))
        own = ('worker_preparation', 'locks_acquire')
        return [(row['name'], row['results']) for row in rows if row['name'] not in own]

    @defer.inlineCallbacks
    def stop_build(self, buildid: int) -> Any:
        yield self.master.data.control('stop', {'reason': 'enough'}, ('builds', buildid))
        self.settle()

    def listen(self) -> list[str]:
        """Return a list of what is written to the log from now on, but by Buildbot itself."""
        heard: list[str] = []

        def hear(event: dict[str, Any]) -> None:
            text = ' '.join(map(str, event['message']))
            words = ('has not answered', 'tried again', 'could not be told', ' now, and was a ')
            if any(some in text for some in words):
                heard.append(text)

        log.addObserver(hear)
        self.addCleanup(log.removeObserver, hear)
        return heard

    def lose_worker(self, name: str = 'w1') -> None:
        """Cut the connection of a worker as if its machine had gone."""
        worker = self.master.workers.workers[name]
        worker.conn.loseConnection()
        self.settle()

    @defer.inlineCallbacks
    def owners(self, lockid: Any) -> Any:
        """Return how many hold any copy of a lock, and how many wait for one."""
        real = yield self.master.botmaster.getLockByID(lockid, 0)
        copies = list(real.copies.values()) if hasattr(real, 'copies') else [real]
        return sum(len(c.owners) for c in copies), sum(len(c.waiting) for c in copies)
