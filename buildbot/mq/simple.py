# SPDX-License-Identifier: GPL-2.0-only
"""A message is compared with few filters, and need not be made if nobody would hear it."""

from __future__ import annotations

from pprint import pformat
from typing import Any

from twisted.python import log

from buildbot.mq.consumers import Consumers
from buildbot.util.tuplematch import matchTuple
from buildbot_overlay import release

upstream = release(__name__)


class SimpleMQ(upstream.SimpleMQ):
    """Passes messages on in one master. Other masters do not hear of them."""

    def __init__(self) -> None:
        super().__init__()
        self.qrefs = Consumers()

    def is_heard(self, routingKey: tuple[str, ...]) -> bool:
        """Tell whether anybody consumes messages with a key, or they are logged."""
        consumers = self.qrefs.may_want(routingKey)
        return self.debug or any(matchTuple(routingKey, c.filter) for c in consumers)

    def produce(self, routingKey: tuple[str, ...], data: Any) -> None:
        if self.debug:
            log.msg(f'message {routingKey}: {pformat(data)}')
        for consumer in self.qrefs.may_want(routingKey):
            if matchTuple(routingKey, consumer.filter):
                self.invokeQref(consumer, routingKey, data)
