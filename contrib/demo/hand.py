# SPDX-License-Identifier: GPL-2.0-only
"""What a person does by hand with the demo's boards, and whether builds then wait for it."""

from __future__ import annotations

import base64
import json
import time
from http.cookiejar import CookieJar
from typing import Any
from typing import Callable
from typing import Sequence
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor
from urllib.request import ProxyHandler
from urllib.request import Request
from urllib.request import build_opener

import judge

PATIENCE = 120  # for a build to begin to wait
UNUSED = '0-0-0'  # the version of a copy that nobody uses


class Person:
    """Somebody who does things over HTTP. It judges nothing.

    :param url: of the master, with a slash at the end.
    :param name: of the user, which is also the password; without it, somebody who does not log in.
    """

    def __init__(self, url: str, name: str = '') -> None:
        self.url = url
        self.open = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar())).open
        if name:
            password = base64.b64encode(f'{name}:{name}'.encode()).decode()
            self.open(Request(f'{url}auth/login', headers={'Authorization': f'Basic {password}'}))

    def do(self, path: str, method: str, **words: Any) -> Any:
        """Send a request; return the master's answer.

        :raises HTTPError: it is refused.
        """
        call = {'jsonrpc': '2.0', 'method': method, 'params': words, 'id': 1}
        headers = {'Content-Type': 'application/json'}
        request = Request(f'{self.url}api/v2/{path}', json.dumps(call).encode(), headers)
        with self.open(request) as answer:
            return json.load(answer)['result']


def lockid_of(url: str, name: str) -> int:
    return next(row['lockid'] for row in judge.get(url, 'locks')['locks'] if row['name'] == name)


def is_refused(do: Callable[[], Any]) -> bool:
    try:
        do()
    except HTTPError as e:
        return e.code == 403
    return False


def judge_hand(url: str, boards: Sequence[str], push: Callable[[], object]) -> list[str]:
    """Hold all boards by hand, start builds, see them wait, and give the boards back.

    :param url: of the master, with a slash at the end.
    :param push: makes builds start.
    :returns: what is wrong; nothing if the builds wait for the person who holds.
    """
    lockid = lockid_of(url, 'jtag')
    path, ann = f'locks/{lockid}', Person(url, 'ann')
    wish = {'until': time.time() + 3600, 'reason': 'on my desk', 'version': UNUSED}
    wrong = []
    if not is_refused(lambda: Person(url).do(path, 'hold', of=boards[0], **wish)):
        wrong.append('somebody who has not logged in can hold a board')
    holds = {board: ann.do(path, 'hold', of=board, **wish) for board in boards}
    events = f'{url}sse/listen/{path}/copies/*/waiting'
    with judge.urlopen(events, timeout=PATIENCE) as stream:
        push()
        line = next(line for line in stream if line.startswith(b'data: {'))
    copyid = json.loads(line.partition(b' ')[2])['message']['copyid']
    waiter = judge.get(url, f'copies/{copyid}/waiters')['waiters'][0]
    reasons = judge.get(url, f'steps/{waiter["stepid"]}/reasons')['reasons']
    if not any('held by ann, by hand' in reason['text'] for reason in reasons):
        wrong.append(f'{waiter["text"]} does not wait for ann, but: {reasons}')
    for board, held in holds.items():
        version = judge.get(url, f'copies/{held["copyid"]}')['copies'][0]['version']
        ann.do(path, 'release', of=board, holdid=held['holdid'], version=version)
    return wrong
