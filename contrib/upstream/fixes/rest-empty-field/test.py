# SPDX-License-Identifier: GPL-2.0-only
"""An empty name of a field is reported."""

from parameterized import parameterized
from twisted.internet import defer

from buildbot_overlay import release

upstream = release(__name__)


class V2RootResource_REST(upstream.V2RootResource_REST):
    @parameterized.expand([('order', b'order='), ('minus', b'order=-'), ('field', b'field=')])
    @defer.inlineCallbacks
    def test_query_empty_field(self, name, query):
        yield self.render_resource(self.rsrc, b'/test?' + query)
        self.assertRestError(400, "no such field ''")
