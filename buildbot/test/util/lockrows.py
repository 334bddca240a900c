# SPDX-License-Identifier: GPL-2.0-only
"""New: rows of locks as the data API gives them, for those who read them."""

from __future__ import annotations

from typing import Any

from buildbot.test.util.answering import NOW

MINUTE, HOUR = 60, 3600


def lock_row(lockid: int, name: str, **words: Any) -> dict[str, Any]:
    row = {'kind': 'master', 'copies': 1, 'used': 0, 'capacity': 1, 'waiting': 0}
    return {**row, 'oldest_wait_at': None, 'lockid': lockid, 'name': name, **words}


def copy_row(copyid: int, lock: str, name: str, **words: Any) -> dict[str, Any]:
    row = {'scope': 'master', 'capacity': 1, 'used': 0, 'exclusive': False, 'waiting': 0}
    nothing = ('worker', 'workerid', 'branch', 'codebase', 'key', 'oldest_wait_at')
    ids = {'copyid': copyid, 'lockid': 1, 'lock': lock, 'name': name}
    return {**row, **dict.fromkeys(nothing), **ids, **words}


def owner_row(copyid: int, text: str, minutes: float, **words: Any) -> dict[str, Any]:
    row = {'mode': 'exclusive', 'units': 1, 'priority': 0, 'nested': False, 'kind': 'step'}
    since = NOW - minutes * MINUTE
    return {**row, 'copyid': copyid, 'text': text, 'since_at': since, **words}


def reason_row(number: int, kind: str, text: str, **words: Any) -> dict[str, Any]:
    nothing = ('buildid', 'stepid', 'lockid', 'copyid', 'copy', 'place', 'worker', 'workerid')
    row = {**dict.fromkeys(nothing), 'builderid': 1, 'since_at': None, 'again_at': None}
    return {**row, 'reasonid': number, 'kind': kind, 'text': text, 'buildrequestids': [17], **words}


def cost_row(lock: str, builder: str, waited: float, held: float) -> dict[str, Any]:
    return {
        'lockid': 1,
        'lock': lock,
        'builderid': 1,
        'builder': builder,
        'waits': 45 if waited else 0,
        'waited': waited,
        'wait_median': waited / 45,
        'wait_p95': waited / 20,
        'holds': 80,
        'held': held,
        'hold_median': held / 80,
        'hold_p95': held / 40,
    }


LOCKS = [
    lock_row(3, 'licence', used=2, capacity=5),
    lock_row(
        1,
        'jtag',
        kind='worker',
        copies=2,
        used=2,
        capacity=2,
        waiting=3,
        oldest_wait_at=NOW - 12 * MINUTE,
    ),
    lock_row(2, 'version', kind='branch', copies=0, capacity=0),
]
BOARDS = [
    copy_row(8, 'jtag', 'jtag[board-2]', worker='board-2', used=1),
    copy_row(
        7,
        'jtag',
        'jtag[board-1]',
        worker='board-1',
        used=1,
        exclusive=True,
        waiting=3,
        oldest_wait_at=NOW - 12 * MINUTE,
    ),
]
HOLDERS = [
    owner_row(7, 'firmware #12 / test', 3),
    owner_row(7, 'firmware #12 / test/flash', 1, nested=True),
    owner_row(8, 'nightly #4', 150, mode='counting'),
]
WAITERS = [
    owner_row(
        7,
        'request 40 of firmware',
        12,
        place=1,
        priority=5,
        estimate_at=NOW + 32 * MINUTE,
        estimate_from=NOW + 20 * MINUTE,
        estimate_until=NOW + 70 * MINUTE,
    ),
    owner_row(
        7,
        'nightly #5 / boards/test',
        2,
        place=2,
        mode='counting',
        units=2,
        estimate_at=None,
        estimate_from=None,
        estimate_until=None,
    ),
]
REASONS = [
    reason_row(
        1,
        'lock',
        'waiting for jtag[board-1]: held by firmware #12 / test (3 min), 2 ahead',
        place=3,
        worker='board-1',
        since_at=NOW - 12 * MINUTE,
    ),
    reason_row(
        2,
        'worker_full',
        'worker board-2 has as many builds as its max_builds, which is 1',
        worker='board-2',
    ),
    reason_row(
        3,
        'error',
        'the database was locked; it is tried again in under a minute',
        again_at=NOW + 10,
    ),
]


def action_row(minutes: float, action: str, text: str, **words: Any) -> dict[str, Any]:
    row = {'actionid': 1, 'lock': 'jtag', 'copy': 'jtag[board-1]', 'reason': '', 'who': 'ann'}
    return {**row, 'at': NOW - minutes * MINUTE, 'action': action, 'text': text, **words}


#: what was done by hand, by the path of its rows
ACTIONS = [action_row(5, 'first', 'ann lets nightly #5 / boards/test go first', reason='release')]
COSTS = [
    cost_row('jtag', 'firmware', 12.3 * HOUR, 30 * HOUR),
    cost_row('version', 'nightly-with-a-long-name', 50 * MINUTE, 5 * HOUR),
    cost_row('licence', 'firmware', 0, 2 * HOUR),
]


def of_lab() -> dict[str, Any]:
    """Return what a master of a lab answers, by path."""
    firmware = {'builders': [{'builderid': 1, 'name': 'firmware'}]}
    build = {'buildid': 34, 'builderid': 1, 'number': 12, 'complete': False}
    request = {'buildrequestid': 17, 'builderid': 1, 'claimed': False, 'complete': False}
    return {
        'locks': {'locks': LOCKS},
        'locks/1/copies': {'copies': BOARDS},
        'locks/1/holders': {'holders': HOLDERS},
        'copies/7/waiters?limit=20': {'waiters': WAITERS, 'meta': {'total': 3}},
        'copies/7/waiters?limit=1': {'waiters': WAITERS[:1], 'meta': {'total': 3}},
        'copies/7/waiters': {'waiters': WAITERS, 'meta': {'total': 3}},
        'builders/1': firmware,
        'builders/1/reasons': {'reasons': [{**REASONS[0], 'buildrequestids': list(range(1, 9))}]},
        'buildrequests/17': {'buildrequests': [request]},
        'buildrequests/17/reasons': {'reasons': REASONS},
        'buildrequests/18': {'buildrequests': [{**request, 'buildrequestid': 18, 'claimed': True}]},
        'buildrequests/18/reasons': {'reasons': []},
        'buildrequests/18/builds': {'builds': [{**build, 'complete': True}, build]},
        'buildrequests/19': {
            'buildrequests': [{**request, 'buildrequestid': 19, 'claimed': True, 'complete': True}]
        },
        'buildrequests/19/reasons': {'reasons': []},
        'builds/34': {'builds': [build]},
        'builds/34/reasons': {'reasons': REASONS[:1]},
        'builders/1/builds/12': {'builds': [build]},
        'builders/1/builds/12/steps/2': {
            'steps': [{'stepid': 99, 'buildid': 34, 'name': 'test', 'complete': False}]
        },
        'steps/99/reasons': {'reasons': []},
        'lockcosts/7?order=-waited&limit=20': {'costs': COSTS},
        'lockcosts/7?order=-waited&limit=1': {'costs': COSTS[:1], 'meta': {'total': 3}},
    }
