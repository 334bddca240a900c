# SPDX-License-Identifier: GPL-2.0-only
"""What the web's address of the data API answers to odd ids and filters."""

from __future__ import annotations

import json
from typing import Any

from parameterized import parameterized
from twisted.internet import defer

from buildbot.locks import MasterLock
from buildbot.test.util.lab import Gate
from buildbot.test.util.lab import GatedStep
from buildbot.test.util.lab import LabTestCase
from buildbot.test.util.www import FakeRequest
from buildbot.test.util.www import FakeSession
from buildbot.www.rest import V2RootResource

LARGE = 10**20
EDGE = 2**63


class Rest(LabTestCase):
    """A lock that is held since 1, and for which one waits since 4; and one that is free."""

    @defer.inlineCallbacks
    def start(self) -> Any:
        lock, free = MasterLock('L'), MasterLock('M')
        want = {'steps': [GatedStep(Gate(), name='s')], 'locks': [lock.access('exclusive')]}
        other = {'steps': [], 'locks': [free.access('counting')], 'workernames': ['w2']}
        yield self.setup_lab({'a': want, 'b': want, 'c': other}, ['w1', 'w2'])
        for name in 'abc':
            yield self.request(name)

    @defer.inlineCallbacks
    def get(self, path: str) -> Any:
        request: Any = FakeRequest(path.encode())
        request.session = FakeSession()
        resource = V2RootResource(self.master)
        resource.reconfigResource(self.master.config)
        resource.render(request)
        answer = yield request.deferred
        return request.responseCode, json.loads(answer)

    @parameterized.expand(
        [
            ('later', 'oldest_wait_at__gt=3', ['L']),
            ('not_later', 'oldest_wait_at__gt=4', []),
            ('that_time', 'oldest_wait_at=4', ['L']),
            ('earlier', 'oldest_wait_at__le=4', ['L']),
            ('contains', 'oldest_wait_at__contains=4', []),
            ('order', 'order=oldest_wait_at', ['M', 'L']),
            ('order_reverse', 'order=-oldest_wait_at&limit=1', ['L']),
            ('large', f'lockid__lt={LARGE}&order=name', ['L', 'M']),
        ]
    )
    @defer.inlineCallbacks
    def test_filter(self, _: str, query: str, names: list[str]) -> Any:
        """A time can be asked for with a number; a lock that has none does not match."""
        yield self.start()
        code, answer = yield self.get(f'/locks?{query}')
        self.assertEqual((code, [row['name'] for row in answer['locks']]), (200, names))

    @parameterized.expand(
        [
            ('holders', 'path__contains=s'),
            ('holders', 'since_at__lt=2'),
            ('waiters', 'worker__gt=a'),
            ('waiters', 'estimate_at__gt=1'),
            ('copies', 'branch__contains=x'),
            ('uses', f'useid__gt={LARGE}'),
            ('uses', 'waiting_since__gt=1'),
            ('uses', f'builderid={EDGE}'),
            ('uses', f'number__lt=1&until__lt={LARGE}'),
        ]
    )
    @defer.inlineCallbacks
    def test_each(self, what: str, query: str) -> Any:
        """What cannot be compared with a filter is no error."""
        yield self.start()
        [lock] = (yield self.get('/locks?name=L'))[1]['locks']
        code, answer = yield self.get(f'/locks/{lock["lockid"]}/{what}?{query}')
        self.assertEqual(code, 200, answer)

    @parameterized.expand([('locks/%d/uses',), ('locks/%d/waiters',), ('builders/%d/builds',)])
    @defer.inlineCallbacks
    def test_large_page(self, path: str) -> Any:
        """A page that no database can be asked for is refused."""
        yield self.start()
        for name in ('limit', 'offset'):
            for value in (EDGE, -LARGE):
                expected = (400, {'error': f'{name} is too large: {value}'})
                self.assertEqual((yield self.get(f'/{path % 1}?{name}={value}')), expected)

    @parameterized.expand(
        [
            ('locks/%d',),
            ('locks/%d/copies',),
            ('locks/%d/holders',),
            ('locks/%d/waiters',),
            ('locks/%d/uses',),
            ('locks/1/timeline/%d',),
            ('lockcosts/%d',),
            ('copies/%d',),
            ('copies/%d/uses',),
            ('buildrequests/%d/reasons',),
            ('builders/%d/reasons',),
            ('builds/%d/reasons',),
            ('builds/%d/holders',),
            ('steps/%d/reasons',),
            ('steps/%d/holders',),
            ('buildrequests/%d',),
        ]
    )
    @defer.inlineCallbacks
    def test_large_id(self, path: str) -> Any:
        """A number that no database can be asked for is the id of nothing."""
        yield self.start()
        for number in (EDGE, LARGE, -LARGE):
            of = path % number
            expected = (404, {'error': f'Invalid path: {of}'})
            self.assertEqual((yield self.get(f'/{of}')), expected)
        code, answer = yield self.get(f'/{path % (EDGE - 1)}')
        self.assertEqual(code, 404, answer)
