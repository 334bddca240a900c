# SPDX-License-Identifier: GPL-2.0-only
"""New: requests that come, are cancelled or reordered, and builds that go on or are stopped."""

from __future__ import annotations

from typing import Any

from buildbot.test.util.storm.eye import Eye


class Requests(Eye):
    """What happens to requests and builds."""

    taken_by_other: list[int]

    def on_request(
        self, name: str, branch: str, priority: int, pool: tuple[str, ...]
    ) -> str | None:
        if name not in self.present('builders'):
            return None
        # the id is known before anybody asks for it
        known = len(self.rows('buildrequests')) + 1
        self.pools[known] = list(pool)
        try:
            brid = self.at_once(self.request(name, branch, priority=priority))
        finally:
            if len(self.rows('buildrequests')) >= known:  # else it could not be written
                self.poked[name] = self.number
        return f'{brid} of {name} for {branch}, priority {priority}, pool {pool}'

    def on_end(self, which: int, result: int) -> str | None:
        if not self.gate.running:
            return None
        build, d = self.gate.running.pop(which % len(self.gate.running))
        d.callback(result)
        return f'a step of {self.tell_build(build)} with {result}'

    def on_cancel(self, which: int) -> str | None:
        elsewhere = self.taken_by_other
        left = [r['buildrequestid'] for r in self.rows('buildrequests', complete=False)]
        brid = some(which, [brid for brid in left if brid not in elsewhere])
        if brid is None:
            return None
        path = ('buildrequests', brid)
        self.at_once(self.master.data.control('cancel', {'reason': 'enough'}, path))
        return f'request {brid}'

    def on_stop(self, which: int) -> str | None:
        build = some(which, [build for build in self.running() if build.buildid is not None])
        if build is None:
            return None
        self.stop(build)
        return self.tell_build(build)

    def stop(self, build: Any) -> None:
        """Stop a build as a person does."""
        path = ('builds', build.buildid)
        self.at_once(self.master.data.control('stop', {'reason': 'enough'}, path))

    def on_priority(self, which: int, priority: int) -> str | None:
        row = some(which, self.pending())
        if row is None:
            return None
        path = ('buildrequests', row['buildrequestid'])
        self.at_once(self.master.data.control('set_priority', {'priority': priority}, path))
        return f'of request {row["buildrequestid"]} is {priority}'


def some(which: int, of: list[Any]) -> Any:
    """Return one of some things, counted from the first on, and round; None if there are none."""
    return of[which % len(of)] if of else None
