# SPDX-License-Identifier: GPL-2.0-only
"""Simulated labs: how often the predicted times of waiting builds are right.

Usage: python estimate.py [--seeds N], with the Python of an environment that has the wheel
installed. It takes two minutes for each seed.

Twenty builders ask for a lock at random times, so that it is busy nine tenths of the time. Each
holds it for a time of its own, 2 to 20 minutes, times a random factor (lognormal: the middle two
thirds are between 1 / S and S, where S is 1.5). When 100 builds are done, each new place in line is
asked for its estimate once every five minutes, which is later compared with the true time.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
from typing import Any

BUILDERS, WORKERS, BUILDS, KNOWN = 20, 6, 700, 100
SPREAD = 1.5
LABS = ('one unit', 'three units', 'boards')


def run_lab(lab: str, seed: int) -> list[tuple[int, float, float, float, float]]:
    """Return, for each estimate, the place, how far ahead it was asked, and the three times.

    :returns: the place; the seconds until the true time; and the seconds until the predicted time,
        its earliest and its latest value.
    """
    from simulation import Work
    from simulation import simulate
    from twisted.internet import defer

    from buildbot.locks import MasterLock
    from buildbot.locks import WorkerLock
    from buildbot.process.groups.step import StepGroup

    rng = random.Random(seed)
    means = [rng.uniform(120, 1200) for _ in range(BUILDERS)]
    units = {'one unit': 1, 'three units': 3, 'boards': WORKERS}[lab]
    # the mean of a lognormal distribution is above its median
    each = statistics.mean(means) * math.exp(math.log(SPREAD) ** 2 / 2)

    def words(mean: float) -> dict[str, Any]:
        work = Work(lambda _: round(mean * math.exp(rng.gauss(0, math.log(SPREAD))), 1))
        if lab == 'boards':
            group = StepGroup(name='hw', locks=[WorkerLock('L').access('exclusive')], steps=[work])
            return {'steps': [group]}
        return {'steps': [work], 'locks': [MasterLock('L', units).access('counting')]}

    @defer.inlineCallbacks
    def play(sim: Any) -> Any:
        yield sim.start({f'b{i}': words(m) for i, m in enumerate(means)}, WORKERS)
        sim.reactor.advance(0.2)
        lockid = yield sim.master.db.locks.find_lock_id('L')
        told: dict[tuple[str, int], tuple[int, float, Any]] = {}
        clock = sim.reactor
        due = asked = clock.seconds()
        for number in range(BUILDS):
            yield sim.request(f'b{rng.randrange(BUILDERS)}')
            due += rng.expovariate(0.9 * units / each)
            while clock.seconds() < due:
                clock.advance(min(20, due - clock.seconds()))
                if number < KNOWN or clock.seconds() < asked + 300:
                    continue
                asked = clock.seconds()
                rows = yield sim.master.data.get(('locks', lockid, 'waiters'))
                for row in rows:
                    if row['estimate_at'] is None:
                        continue
                    times = [
                        row[f'estimate_{name}'].timestamp() - asked
                        for name in ('at', 'from', 'until')
                    ]
                    told.setdefault((row['waiterid'], row['place']), (row['place'], asked, times))
        yield sim.run_out()
        uses = yield sim.master.data.get(('locks', lockid, 'uses'))
        true = {}
        for use in uses:
            if use['held_since'] is not None:
                of = 'stepid' if use['kind'] == 'group' else 'buildrequestid'
                kind = 'group' if use['kind'] == 'group' else 'request'
                true[f'{kind}-{use[of]}'] = use['held_since'].timestamp()
        return [
            (place, true[waiter] - at, *times)
            for (waiter, _), (place, at, times) in told.items()
            if waiter in true
        ]

    return simulate(play)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument('--seeds', type=int, default=1)
    options = parser.parse_args()
    print(f'{"lab":14}{"place":8}{"asked":>8}{"between":>10}{"later":>8}{"off by (median)":>18}')
    for lab in LABS:
        found = [each for seed in range(options.seeds) for each in run_lab(lab, seed)]
        for name, low, high in (('1', 1, 1), ('2 to 4', 2, 4), ('5 or more', 5, 10**6)):
            rows = [row for row in found if low <= row[0] <= high]
            if not rows:
                continue
            right = sum(earliest <= true <= latest for _, true, _, earliest, latest in rows)
            late = sum(true > at for _, true, at, *_ in rows)
            error = statistics.median(abs(true - at) for _, true, at, *_ in rows)
            print(
                f'{lab:14}{name:10}{len(rows):>6}{100 * right / len(rows):>8.0f} %'
                f'{100 * late / len(rows):>6.0f} %{error / 60:>14.1f} min'
            )


if __name__ == '__main__':
    main()
