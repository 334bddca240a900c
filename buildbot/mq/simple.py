# SPDX-License-Identifier: GPL-2.0-only
"""A message is not compared with the filters of all consumers."""

from __future__ import annotations

from pprint import pformat
from typing import Any

from twisted.python import log

from buildbot.mq.consumers import Consumers
from buildbot.util.tuplematch import matchTuple
from buildbot_overlay import release

upstream = release(__name__)


class SimpleMQ(upstream.SimpleMQ):
    def __init__(self) -> None:
        super().__init__()
        self.qrefs = Consumers()

    def produce(self, routingKey: tuple[str, ...], data: Any) -> None:
        if self.debug:
            log.msg(f'message {routingKey}: {pformat(data)}')
        for consumer in self.qrefs.may_want(routingKey):
            if matchTuple(routingKey, consumer.filter):
                self.invokeQref(consumer, routingKey, data)
