# SPDX-License-Identifier: GPL-2.0-only
"""Resources of a pool on real workers: who has got which, and what its commands are told."""

from __future__ import annotations

from typing import Any

from buildbot.test.util.reallab import RealLab

#: four boards, two on each worker, of which only those of w2 are alike
POOL = """
boards = util.ResourcePool('boards', resources=[
    util.Resource(f'board-{n}', labels=[hw], properties={'tty': f'/dev/tty{n}'}, workers=[w])
    for n, hw, w in [(0, 'hw-a', 'w1'), (1, 'hw-c', 'w1'), (2, 'hw-c', 'w2'), (3, 'hw-c', 'w2')]
])

def told(name, step, ttys):
    words = ['%(lock:boards)s', step, '%(prop:workername)s', f'{name}:{ttys}']
    script = '"$@":$BOARDS'
    return steps.ShellCommand(
        name=step,
        env={'BOARDS': util.Interpolate('%(lock:boards)s')},
        command=['sh', '-c', script, 'sh', sys.executable, '-IS', os.environ['LAB_COMMAND'],
                 os.environ['LAB_WITNESS'], *map(util.Interpolate, words)],
    )

def builder(name, ttys, **access):
    inner = [told(name, step, ttys) for step in ('flash', 'measure')]
    group = steps.StepGroup(name='test', locks=[boards.access(**access)], steps=inner)
    return util.BuilderConfig(
        name, workernames=['w1', 'w2'], factory=util.BuildFactory([group]))

c['builders'] += [
    builder('one', '%(lock:boards:0:tty)s', labels='hw-a'),
    builder('pair', '%(lock:boards:0:tty)s,%(lock:boards:1:tty)s', count=2, same='hw'),
]
c['schedulers'] = [
    schedulers.ForceScheduler('force', builderNames=['lab', 'one', 'pair'])]
"""


class Pools(RealLab):
    more = POOL

    def seen(self, step: str) -> list[Any]:
        words = [command.words for command in self.witness.seen if command.words.step == step]
        return sorted((w.lock, w.worker, w.build) for w in words)

    def test_boards(self):
        """A group has boards that fit, on their worker, to its end; its commands know which."""
        brids = [self.request('main', name) for name in ('pair', 'one', 'pair', 'one')]
        self.witness.wait_for('flash')
        self.witness.wait_for('flash')
        one = ('board-0', 'w1', 'one:/dev/tty0:board-0')
        pair = ('board-2,board-3', 'w2', 'pair:/dev/tty2,/dev/tty3:board-2,board-3')
        self.assertEqual(self.seen('flash'), [one, pair])
        self.finish(brids)
        for step in ('flash', 'measure'):
            self.assertEqual(self.seen(step), [one, one, pair, pair])
