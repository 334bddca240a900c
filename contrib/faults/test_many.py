# SPDX-License-Identifier: GPL-2.0-only
"""Thousands of requests, and of branches, at once, for a master and workers in real processes."""

from __future__ import annotations

import os
import sys
import time

from buildbot.test.util.reallab import RealLab
from buildbot.test.util.reallabfiles import MASTER

REQUESTS = int(os.environ.get('FAULTS_REQUESTS', '2000'))
BRANCHES = int(os.environ.get('FAULTS_BRANCHES', '5000'))
PATIENCE = 4 * 3600  # seconds
TOLD_EVERY = 100  # builds

MORE = """
from buildbot.process.buildstep import BuildStep
from buildbot.process.results import SUCCESS
from twisted.internet import defer

class Ask(BuildStep):
    # makes so many requests, of so many branches, as fast as the database takes them
    @defer.inlineCallbacks
    def run(self):
        requests, branches, *names = self.getProperty('branch').split('-')
        updates = self.master.data.updates
        ids = []
        for name in names:
            ids.append((yield updates.findBuilderId(name)))
        words = {'waited_for': False, 'scheduler': 'force', 'reason': 'many'}
        source = {'codebase': '', 'repository': '', 'project': '', 'revision': None}
        yield defer.gatherResults([
            updates.addBuildset(
                builderids=[ids[i % len(ids)]],
                sourcestamps=[{**source, 'branch': f'b{i % int(branches)}'}],
                **words,
            )
            for i in range(int(requests))
        ])
        return SUCCESS

class Nothing(BuildStep):
    def run(self):
        return defer.succeed(SUCCESS)

# fails if another build of its branch runs
alone = steps.ShellCommand(
    command=['sh', '-c', 'mkdir "$0" && rmdir "$0"',
             util.Interpolate(os.environ['LAB_DATABASE'] + '/%(prop:branch)s')],
)
cpu = util.WorkerLock('cpu')
works = util.BuildFactory([steps.StepGroup(name='test', locks=[cpu.access('exclusive')],
                                           steps=[alone])])
for name, factory in [('one', works), ('two', works), ('none', util.BuildFactory([Nothing()]))]:
    c['builders'].append(util.BuilderConfig(
        name, workernames=['w1', 'w2'], factory=factory, locks=[version.access('exclusive')]))
c['builders'].append(
    util.BuilderConfig('ask', workernames=['w1'], factory=util.BuildFactory([Ask()])))
names = [builder.name for builder in c['builders']]
c['schedulers'] = [schedulers.ForceScheduler('force', builderNames=names)]
"""


class Many(RealLab):
    """Many builds of a real master. It says nothing about their speed."""

    tac = MASTER  # what it uses of a processor is said
    more = MORE

    def memory(self) -> float:
        """Return the memory of the master in MB."""
        with open(f'/proc/{self.master.process.pid}/status', encoding='utf-8') as status:
            (line,) = [line for line in status if line.startswith('VmRSS')]
        return int(line.split()[1]) / 1024

    def check(self, requests: int, branches: int, *builders: str) -> None:
        began_at, cpu, memory = time.monotonic(), self.master.cpu(), self.memory()
        self.request('-'.join([str(requests), str(branches), *builders]), 'ask')
        self.master.wait_for('complete 0$', patience=PATIENCE)
        for count in range(1, requests + 1):
            found = self.master.wait_for(r'request \d+ complete (\d)$', patience=PATIENCE)
            self.assertEqual(found.group(1), '0')
            if not count % TOLD_EVERY and 'FAULTS_FIGURES' in os.environ:
                print(f'\r{count} of {requests} ', end='', file=sys.stderr, flush=True)
        seconds = time.monotonic() - began_at
        used = (self.master.cpu() - cpu) / requests
        self.figure(f'{requests} requests of {branches} branches, until all are built', began_at)
        if 'FAULTS_FIGURES' in os.environ:
            print(f'\n      {seconds / requests:.3f} s and {used:.3f} s of CPU of the master each')
            print(f'      its memory: {memory:.0f} MB before, {self.memory():.0f} MB after')
            (lock,) = [row for row in self.get('locks') if row['name'] == 'version']
            print(f'      copies of the lock that Python has not collected yet: {lock["copies"]}')
        self.assert_nothing_left()

    def assert_nothing_left(self) -> None:
        for row in self.get('locks'):
            self.assertEqual((row['used'], row['waiting']), (0, 0))
        self.assertEqual(self.get('builds?complete=false'), [])
        self.assertEqual(self.get('buildrequests?complete=false'), [])
        self.assertEqual(self.get('builds?results__ne=0'), [])
        self.assertEqual(self.master.lines('LeftoverError'), [])

    def test_requests(self):
        """All of many requests are built, no two of a branch or on a cpu at a time."""
        self.check(REQUESTS, 20, 'one', 'two')

    def test_branches(self):
        """Many branches come and go, and leave nothing behind."""
        self.check(BRANCHES, BRANCHES, 'none')
