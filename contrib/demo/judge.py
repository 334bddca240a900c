# SPDX-License-Identifier: GPL-2.0-only
"""Judges from the times in the REST API whether the demo's locks did their work.

All times are whole seconds, rounded down, so an interval may share its last second with the first
second of the next one.
"""

from __future__ import annotations

import json
import re
from itertools import combinations
from typing import Any
from typing import Iterator
from typing import NamedTuple
from urllib.request import ProxyHandler
from urllib.request import build_opener

ROUNDING = 1  # seconds by which two times from one clock may differ after rounding
#: the radios and the worker that reaches each; a release build gets one of the newer ones
RADIOS = {'radio-1': 'board-1', 'radio-2': 'board-1', 'radio-3': 'board-2', 'radio-4': 'board-2'}
NEWER = ('radio-2', 'radio-4')


#: the requests go to this machine, whatever proxy the environment names
urlopen = build_opener(ProxyHandler({})).open


class Span(NamedTuple):
    """Something that a build did, from one second to another.

    :param build: such as ``firmware-debug #3``.
    :param key: what no two builds may have at a time (a branch, a worker).
    """

    build: str
    key: str
    begin: int
    end: int


class Build(NamedTuple):
    """A finished build with its steps in order, from the REST API."""

    name: str
    branch: str
    worker: str
    results: int
    steps: list[dict[str, Any]]

    def span(self, key: str, prefix: str = '') -> Span:
        steps = [step for step in self.steps if step['name'].startswith(prefix)]
        begin = min(step['started_at'] for step in steps)
        return Span(self.name, key, begin, max(step['complete_at'] for step in steps))


def get(url: str, path: str) -> Any:
    with urlopen(f'{url}api/v2/{path}') as answer:
        return json.load(answer)


def builders(url: str) -> dict[int, str]:
    """Return the names of the builders that are judged, by their ids."""
    names = {b['builderid']: b['name'] for b in get(url, 'builders')['builders']}
    return {i: name for i, name in names.items() if name.startswith('firmware-')}


def finished_builds(url: str) -> list[Build]:
    """Read all finished builds of the builders that are judged.

    :param url: of the master, with a slash at the end.
    """
    names = builders(url)
    workers = {w['workerid']: w['name'] for w in get(url, 'workers')['workers']}
    builds = get(url, 'builds?complete=true&property=branch&order=buildid')['builds']
    return [
        Build(
            f'{names[b["builderid"]]} #{b["number"]}',
            b['properties']['branch'][0],
            workers[b['workerid']],
            b['results'],
            get(url, f'builds/{b["buildid"]}/steps')['steps'],
        )
        for b in builds
        if b['builderid'] in names
    ]


def overlaps(spans: list[Span]) -> Iterator[tuple[Span, Span]]:
    for one, other in combinations(spans, 2):
        if one.begin < other.end and other.begin < one.end:
            yield one, other


def judge(builds: list[Build], number: int) -> list[str]:
    """Say what is wrong with the builds; nothing if the locks did their work.

    :param number: how many builds there should be.
    """
    wrong = [f'{b.name} failed with result {b.results}' for b in builds if b.results != 0]
    if len(builds) != number:
        wrong.append(f'there are {len(builds)} builds, and should be {number}')

    # 1. under `version` no two builds of one branch at a time; two of different branches at least
    # once
    under_version = [build.span(build.branch) for build in builds]
    pairs = list(overlaps(under_version))
    for one, other in pairs:
        if one.key == other.key:
            wrong.append(f'{one.build} and {other.build} overlap on branch {one.key}')
    if not any(one.key != other.key for one, other in pairs):
        wrong.append('no two builds of different branches overlap')

    # 2. no other build on the worker between the steps of a group
    for one, other in overlaps([build.span(build.worker, 'test/') for build in builds]):
        if one.key == other.key:
            wrong.append(f'{one.build} and {other.build} share the board of {one.key}')
    for build in builds:
        parts = [step['name'] for step in build.steps if step['name'].startswith('test')]
        if parts != ['test', 'test/flash', 'test/boot', 'test/measure']:
            wrong.append(f'{build.name}: the steps of the group are {parts}')

    wrong += judge_radios(builds)

    # 4. no build began only to wait
    for build in builds:
        for step in build.steps:
            waited = (step['locks_acquired_at'] or 0) - step['started_at']
            if step['name'] == 'locks_acquire' and waited > ROUNDING:
                wrong.append(f'{build.name} waited {waited} s in locks_acquire')
    return wrong


def judge_radios(builds: list[Build]) -> list[str]:
    """Say what is wrong with the radios that the builds had."""
    # 3. each build had a fitting radio on its worker, and no other build had it meanwhile
    wrong, spans = [], []
    for build in builds:
        told = [step['state_string'] for step in build.steps if step['name'] == 'range']
        had = re.findall(
            r'radio-\d', ' '.join(re.findall(r'\(had (.*) of radios\)', ' '.join(told)))
        )
        if len(had) != 1:
            wrong.append(f'{build.name} had not one radio, but says: {told}')
            continue
        (radio,) = had
        spans.append(build.span(radio, 'range'))
        if RADIOS.get(radio) != build.worker:
            wrong.append(f'{build.name} had {radio}, which {build.worker} does not reach')
        if build.name.startswith('firmware-release') and radio not in NEWER:
            wrong.append(f'{build.name} had {radio}, which is too old for it')
    for one, other in overlaps(spans):
        if one.key == other.key:
            wrong.append(f'{one.build} and {other.build} share {one.key}')
    return wrong
