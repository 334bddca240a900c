# SPDX-License-Identifier: GPL-2.0-only
"""A message is compared with few filters, and need not be made if nobody would hear it."""

from __future__ import annotations

from itertools import count
from pprint import pformat
from typing import Any
from typing import Iterable
from typing import Iterator
from typing import Sequence

from twisted.python import log

from buildbot.util import tuplematch
from buildbot_overlay import release

upstream = release(__name__)


class Consumers:
    """The consumers of messages, in the order in which they came. It delivers no message.

    Each worker consumes the commands for it. So the consumers of a message are not searched for
    among all, but among those whose filter has as many words and the same first word.
    """

    def __init__(self) -> None:
        self._number = count()
        # the consumers by the beginning of their filters, each with its number
        self._known: dict[tuple[Any, ...], dict[Any, int]] = {}

    def __iter__(self) -> Iterator[Any]:
        numbers = {qref: n for some in self._known.values() for qref, n in some.items()}
        return iter(sorted(numbers, key=numbers.__getitem__))

    def append(self, qref: Any) -> None:
        self._known.setdefault(beginning(qref.filter), {})[qref] = next(self._number)

    def remove(self, qref: Any) -> None:
        """Remove a consumer.

        :raises ValueError: it is not here.
        """
        begin = beginning(qref.filter)
        some = self._known.get(begin, {})
        if qref not in some:
            raise ValueError(f'{qref} consumes nothing')
        del some[qref]
        if not some:
            del self._known[begin]

    def of(self, key: tuple[str, ...]) -> list[Any]:
        """Return the consumers whose filters match the key of a message."""
        numbers = self._known.get(beginning(key), {})
        of_any = self._known.get((len(key), None))
        may_match: Iterable[Any] = numbers
        if of_any:
            numbers = {**numbers, **of_any}
            may_match = sorted(numbers, key=numbers.__getitem__)
        return [each for each in may_match if tuplematch.matchTuple(key, each.filter)]


def beginning(words: Sequence[Any]) -> tuple[Any, ...]:
    """Return the number of words of a filter or key, and the first word."""
    return (len(words), *words[:1])


class SimpleMQ(upstream.SimpleMQ):
    """Passes messages on in one master. Other masters do not hear of them."""

    def __init__(self) -> None:
        super().__init__()
        self.qrefs = Consumers()

    def is_heard(self, routingKey: tuple[str, ...]) -> bool:
        """Tell whether anybody consumes messages with a key, or they are logged."""
        return self.debug or bool(self.qrefs.of(routingKey))

    def produce(self, routingKey: tuple[str, ...], data: Any) -> None:
        if self.debug:
            log.msg(f'MSG: {routingKey}\n{pformat(data)}')
        for consumer in self.qrefs.of(routingKey):
            self.invokeQref(consumer, routingKey, data)
