# SPDX-License-Identifier: GPL-2.0-only
"""A consumer that stops takes no message from another one."""

from unittest import mock

from twisted.internet import defer

from buildbot_overlay import release

upstream = release(__name__)


class SimpleMQ(upstream.SimpleMQ):
    @defer.inlineCallbacks
    def test_stop_consuming_in_callback(self):
        first = yield self.mq.startConsuming(lambda key, msg: first.stopConsuming(), ('a', None))
        second = mock.Mock()
        yield self.mq.startConsuming(second, ('a', None))

        self.mq.produce(('a', 'b'), {'foo': 1})

        second.assert_called_once_with(('a', 'b'), {'foo': 1})
