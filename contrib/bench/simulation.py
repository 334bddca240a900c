# SPDX-License-Identifier: GPL-2.0-only
"""A master in memory with local workers and sqlite, and a clock that jumps from event to event."""

from __future__ import annotations

import warnings
from typing import Any
from typing import Callable

from twisted.internet import defer
from twisted.trial.reporter import TestResult

from buildbot.config.builder import BuilderConfig
from buildbot.process.buildstep import BuildStep
from buildbot.process.factory import BuildFactory
from buildbot.process.results import SUCCESS
from buildbot.test.util.integration import RunFakeMasterTestCase


class Work(BuildStep):
    """A step that takes a while. It does no work.

    :param seconds: takes the number of the build request, from 1, and returns how long the step
        takes.
    """

    def __init__(self, seconds: Callable[[int], float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seconds = seconds

    def run(self) -> defer.Deferred[int]:
        d: defer.Deferred[int] = defer.Deferred()
        seconds = self.seconds(self.build.requests[0].id)
        self.master.reactor.callLater(seconds, d.callback, SUCCESS)
        return d


class Simulation(RunFakeMasterTestCase):
    """A master with a simulated clock, run as a test case. It tests nothing."""

    timeout = 10000
    play: Callable[[Simulation], defer.Deferred[Any]]
    found: Any = None

    @defer.inlineCallbacks
    def runTest(self) -> Any:
        self.found = yield self.play(self)

    @defer.inlineCallbacks
    def start(self, builders: dict[str, dict[str, Any]], workers: int, **config: Any) -> Any:
        """Start the master.

        :param builders: for each name, the arguments of ``BuilderConfig``; ``steps`` stands for a
            factory with these steps.
        :param workers: how many; each of them builds for all builders.
        """
        names = [f'w{i}' for i in range(workers)]
        yield self.setup_master(
            {
                'builders': [
                    BuilderConfig(
                        name=name,
                        workernames=names,
                        factory=BuildFactory(words['steps']),
                        locks=words.get('locks', []),
                    )
                    for name, words in builders.items()
                ],
                'workers': [self.createLocalWorker(name) for name in names],
                'collapseRequests': False,
                'multiMaster': True,
                'protocols': {'null': {}},
                **config,
            }
        )
        self.ids = {}
        for name in builders:
            self.ids[name] = yield self.master.data.updates.findBuilderId(name)

    def request(self, builder: str, branch: str | None = None) -> defer.Deferred[Any]:
        """Request a build; the master hears of it when the clock goes on."""
        stamp: dict[str, Any] = dict.fromkeys(('codebase', 'repository', 'project'), '')
        stamp.update(branch=branch, revision=None)
        return self.master.data.updates.addBuildset(
            waited_for=False, builderids=[self.ids[builder]], sourcestamps=[stamp]
        )

    @defer.inlineCallbacks
    def run_out(self) -> Any:
        """Let all builds run.

        :returns: Deferred of a dict: ``makespan`` in seconds; ``waiting``, the fraction of the time
            of builds on workers in which a step waited for locks; ``held``, the seconds of workers
            in which a build waited for the locks of its builder.
        """
        begin = self.reactor.seconds()
        while True:
            left = yield self.master.data.get(('buildrequests',), fields=['complete'])
            if all(request['complete'] for request in left):
                break
            for _ in range(400):
                calls = [call.getTime() for call in self.reactor.getDelayedCalls()]
                self.reactor.advance(max(0, min(calls) - self.reactor.seconds()))
        rows = yield self.master.db.builds.getBuilds()
        end = max(row.complete_at.timestamp() for row in rows)
        occupied = waiting = held = 0.0
        for row in rows:
            occupied += (row.complete_at - row.started_at).total_seconds()
            for step in (yield self.master.db.steps.getSteps(row.id)):
                if step.name == 'locks_acquire':  # Buildbot's own step for the builder's locks
                    held += (step.complete_at - step.started_at).total_seconds()
                elif step.locks_acquired_at is not None:
                    waiting += (step.locks_acquired_at - step.started_at).total_seconds()
        return {'makespan': end - begin, 'waiting': waiting / occupied, 'held': held}


def simulate(play: Callable[[Simulation], Any]) -> Any:
    """Run a scenario with a master.

    :param play: takes the simulation, and returns a Deferred of its result.
    :returns: that result.
    :raises SystemExit: it failed; the text says how.
    """
    warnings.simplefilter('ignore')  # Buildbot's tests turn them into errors
    simulation = Simulation()
    simulation.play = play
    result = TestResult()
    simulation.run(result)
    for _, why in (*result.errors, *result.failures):
        raise SystemExit(f'{why}')
    return simulation.found
