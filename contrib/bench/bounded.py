# SPDX-License-Identifier: GPL-2.0-only
"""What is left after branches that come and go.

Usage: python bounded.py [BRANCHES], with the Python of an environment that has the wheel installed.
10,000 branches take half an hour.

Each branch has one build; every tenth has two that exclude each other. A build takes the copy of a
``BranchLock`` and a master lock whose name is rendered with the branch, and its step takes a worker
lock with such a name. After each tenth of the branches, the script counts what the master has in
memory and in its tables of locks; it does so again 31 days later, when the history has been
deleted.
"""

from __future__ import annotations

import argparse
from typing import Any

TIMES = 10


def run_lab(branches: int) -> None:
    """Run a master in this process, and print what it keeps."""
    import sqlalchemy as sa
    from simulation import Work
    from simulation import simulate
    from twisted.internet import defer

    from buildbot.locking.copies import LocksInUse
    from buildbot.locks import BranchLock
    from buildbot.locks import MasterLock
    from buildbot.locks import WorkerLock
    from buildbot.process.eye.history import History
    from buildbot.process.properties import renderer  # type: ignore[attr-defined]
    from buildbot.test.util.census import census
    from buildbot.test.util.census import grown

    @renderer
    def of_builder(props: Any) -> Any:
        return MasterLock(f'master-{props.getProperty("branch")}').access('exclusive')

    @renderer
    def of_step(props: Any) -> Any:
        return [WorkerLock(f'worker-{props.getProperty("branch")}').access('exclusive')]

    @defer.inlineCallbacks
    def rows(master: Any) -> Any:
        model = master.db.model
        tables = (model.locks, model.lock_copies, model.lock_uses)

        def count(conn: Any) -> list[int]:
            queries = [sa.select(sa.func.count()).select_from(table) for table in tables]
            return [conn.execute(query).scalar() for query in queries]

        return (yield master.db.pool.do(count))

    @defer.inlineCallbacks
    def tell(lab: Any, done: int, before: Any) -> Any:
        history = yield History.getService(lab.master.botmaster)
        yield history.write()
        found = census(lab.master)
        objects = sum(n for what, n in found.items() if what.startswith('buildbot.'))
        in_use = yield LocksInUse.getService(lab.master.botmaster)
        in_tables = yield rows(lab.master)
        entries = sum(found.values()) - objects
        words = (done, objects, entries, len(in_use.locks), *in_tables)
        print('{:9,}{:9,}{:9,}{:9,}{:9,}{:9,}{:9,}'.format(*words), flush=True)
        if before is not None:
            for what, more in grown(before, found).items():
                print(f'{"":9}{more:9,} more {what}', flush=True)
        return found

    def let_time_go(lab: Any, seconds: float) -> None:
        end = lab.reactor.seconds() + seconds
        while lab.reactor.seconds() < end:
            calls = [call.getTime() for call in lab.reactor.getDelayedCalls()]
            lab.reactor.advance(max(0, min([end, *calls]) - lab.reactor.seconds()))

    @defer.inlineCallbacks
    def play(lab: Any) -> Any:
        work = Work(lambda number: 60, name='work', locks=of_step)
        locks = [BranchLock('version').access('exclusive'), of_builder]
        yield lab.start({name: {'steps': [work], 'locks': locks} for name in 'ab'}, 2)
        print(' branches  objects  entries    locks    lock   copies     uses')
        print('                             in use  rows of them')
        before = None
        for n in range(1, branches + 1):
            for name in 'ab' if n % 10 == 0 else 'a':
                yield lab.request(name, f'branch-{n}')
            let_time_go(lab, 150)
            if n % max(1, branches // TIMES) == 0:
                before = yield tell(lab, n, before)
        left = yield lab.master.data.get(('builds',), fields=['results'])
        assert [row['results'] for row in left] == [0] * (branches + branches // 10)
        lab.reactor.advance(31 * 86400)
        yield lab.request('a', 'last')
        let_time_go(lab, 150)
        yield tell(lab, branches, before)

    simulate(play)


if __name__ == '__main__':
    parser = argparse.ArgumentParser()
    parser.add_argument('branches', nargs='?', type=int, default=10_000)
    run_lab(parser.parse_args().branches)
